"""`tamis check` from files to figures: the command, the interface, and what can go wrong."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tamis
import tamis.compare.check
from tamis.cli import run
from tamis.compare import measuring
from tamis.compare.result import MEASURES, Checked
from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError
from tamis.measure.diversity import vendi
from tamis.run.session import Session
from tamis.signals.vectors import encoder

Record = dict[str, Any]

SUBJECTS = ["the river", "a violet", "old copper", "the harbour", "one tensor", "my engine", "some paper", "the light"]
VERBS = ["carries", "breaks", "follows", "paints", "measures", "forgets", "repairs", "answers"]
OBJECTS = ["the stone", "a signal", "nine meadows", "our sieve", "every grain", "the data", "two wells", "a song"]


def make(n: int = 160, start: int = 0) -> list[Record]:
    """Return records of three sources; those of `law` have words of their own."""
    rng = np.random.default_rng(start)
    records = []
    for i in range(start, start + n):
        source = ("news", "law", "talk")[int(rng.integers(0, 3))]
        parts = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}" for _ in range(rng.integers(2, 6))]
        if source == "law":
            parts = [f"the court finds that {part} under section {rng.integers(1, 9)}" for part in parts]
        records.append({"id": f"r{i:04d}", "text": f"{i}. " + ", and ".join(parts), "source": source})
    return records


POOL = make()
LAW = [record for record in make(40, 1000) if record["source"] == "law"]


def write(path: str, records: list[Record]) -> Path:
    Path(path).write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    return Path(path)


def cli(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


def values(found: Checked) -> dict[str, tuple[float, ...]]:
    return {figure.key: (figure.standing.chosen, *figure.standing.random) for figure in found.figures}


@pytest.fixture
def pool() -> Path:
    return write("pool.jsonl", POOL)


def test_doctest() -> None:
    assert doctest.testmod(tamis.compare.check) == (0, 4)


def test_a_targeted_selection_by_the_command(pool: Path) -> None:
    """From `select` to `check` without a word more: pool, target and seed are the manifest's."""
    target = write("law.jsonl", LAW)
    options = ["-n", "20", "--target", target, "-o", "chosen.jsonl", "--no-report", "--quiet"]
    assert cli("select", pool, *options)[0] == 0
    code, out, _ = cli("check", "chosen.jsonl")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "chosen.jsonl: 20 of 160 records, beside 20 random selections of 20 records"
    assert lines[2].split() == ["measure", "selection", "random:", "median", "(5-95%)", "place"]
    named = [line.split("  ")[0].split(",")[0].split(" (")[0] for line in lines[3 : lines.index("", 3)]]
    assert named == [MEASURES[key].title for key in MEASURES if key != "bits_pool"]
    (distance,) = (line for line in lines if line.startswith("Distance from the target"))
    assert distance.endswith("lower than all 20 random ones: better")
    assert "with 20 random selections a random one lands outside on each with probability 2/21" in out
    page = Path("chosen.check.html").read_text("utf-8")
    assert "chosen.jsonl: checked against chance" in page
    assert "Chosen by <strong>dsir</strong>" in page
    assert "Distance from the target" in page

    code, out, _ = cli("check", "chosen.jsonl", "--json", "--no-report", "--repeat", 5, "--seed", 3)
    told = json.loads(out)
    assert (told["records"], told["pool"], told["repeat"], told["seed"], told["method"]) == (20, 160, 5, 3, "dsir")
    assert [one["measure"] for one in told["measures"]] == [key for key in MEASURES if key != "bits_pool"]
    assert all(len(one["random"]) == one["of"] == 5 for one in told["measures"])
    assert told["report"] is None


def test_figures_are_those_of_the_records(pool: Path) -> None:
    """Vendi, length and sources of the selection and of the first random one, computed from the records anew."""
    found = tamis.check(write("chosen.jsonl", POOL[10:40]), pool, repeat=3, seed=7)
    with tamis.select(str(pool), n=30, seed=8, method="random") as chosen:
        first = chosen.to_dicts()
    one = encoder()
    for place, records in ((0, POOL[10:40]), (1, first)):
        texts = [record["text"] for record in records]
        got = {key: figure[place] for key, figure in values(found).items()}
        vectors = one.encode(Text.of(pa.array(texts, pa.large_string())))
        assert got["vendi"] == pytest.approx(vendi(vectors), rel=1e-3)
        assert got["length"] == np.median([len(text.encode()) for text in texts])
        shares = [[sum(r["source"] == s for r in some) / len(some) for s in ("news", "law", "talk")]
                  for some in (POOL, records)]  # fmt: skip
        assert got["sources"] == pytest.approx(np.abs(np.subtract(*shares)).sum() / 2)


def test_without_a_target_the_pool_is_asked(pool: Path) -> None:
    found = tamis.check(write("chosen.jsonl", POOL[:16]), pool, repeat=4)
    assert [figure.key for figure in found.figures] == [
        key for key in MEASURES if key not in ("kl_target", "bits_target")
    ]
    assert found.gaps == ()
    assert "16 records of the pool" in found.figures[0].basis
    assert found["vendi"].place.of == 4
    assert (
        repr(found) == f"<check of chosen.jsonl: {found.to_dict()['outside']} of 9 measures outside what chance gives>"
    )


def test_near_duplicates_within_the_selection_count() -> None:
    """Four records of one text but its end: all of the selection's, a part of some random ones'."""
    stem = " ".join(f"word{i}" for i in range(60))
    records = [*POOL, *({"id": f"d{i}", "text": f"{stem} end{i}", "source": "news"} for i in range(4))]
    found = tamis.check([*POOL[:12], *records[-4:]], records, repeat=6)
    assert found["near_duplicates"].chosen == 4 / 16
    assert found["near_duplicates"].better is False
    assert tamis.check(POOL[:16], records, repeat=6)["near_duplicates"].chosen == 0


def test_the_same_whatever_the_order_threads_and_fragments(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, target = write("chosen.jsonl", POOL[30:60]), write("law.jsonl", LAW)
    first = values(tamis.check(chosen, pool, target=target, repeat=4, threads=1))
    order = np.random.default_rng(1).permutation(len(POOL))
    turned = write("turned.jsonl", [POOL[i] for i in order])
    monkeypatch.setattr(Session, "_fragment_bytes", lambda _: 1 << 11)
    again = values(tamis.check(write("back.jsonl", POOL[30:60][::-1]), turned, target=target, repeat=4, threads=2))
    assert again.keys() == first.keys()
    for key, figure in first.items():
        assert again[key] == pytest.approx(figure, rel=1e-6), key


def test_samples_stand_for_large_sets(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sets are too large to be looked at whole, each is looked at in part, and the basis says so."""
    for name, most in (("WHOLE", 50), ("PART", 40), ("LOOKED_AT", 10), ("TRAINED_ON", 9), ("ASKED", 8)):
        monkeypatch.setattr(measuring, name, most)
    target = write("law.jsonl", LAW)
    found = tamis.check(write("chosen.jsonl", POOL[:30]), pool, target=[target, target], repeat=4)
    basis = {figure.key: figure.basis for figure in found.figures}
    assert basis["coverage"].startswith("Nearest of at most 10 counted records of each set to a counted 40 records")
    assert basis["bits_target"].startswith("8 records of the target; trained on at most 9 counted records")
    assert max(values(found)["vendi"]) <= 10


def test_what_was_written_otherwise_is_found(pool: Path) -> None:
    """A selection in another format, or with annotations, or objects, gives the same figures."""
    for name, options in (("plain.jsonl", {}), ("noted.jsonl", {"annotate": True}), ("table.parquet", {})):
        with tamis.select(str(pool), n=25, method="random") as chosen:
            chosen.write(name, report=False, **options)
            held = chosen.to_dicts()
    plain = values(tamis.check("plain.jsonl", repeat=3))
    assert values(tamis.check("noted.jsonl", repeat=3)) == plain
    assert values(tamis.check("table.parquet", repeat=3)) == plain
    assert values(tamis.check(held, pool, repeat=3)) == plain
    with tamis.select(str(pool), n=25, method="random") as chosen:
        assert values(tamis.check(chosen, pool, repeat=3)) == plain
    noted = tamis.check("noted.jsonl", repeat=3)
    assert noted.notes == ("25 of 25 records were found by their text, as their keys differ.",)


def test_shards_ids_and_tokens_come_from_the_manifest(pool: Path) -> None:
    with tamis.select(str(pool), tokens=400, id="id", method="random") as chosen:
        chosen.write("few.jsonl", shards=2, report=False)
        count = len(chosen)
    found = tamis.check("few.jsonl", repeat=3)
    assert (found.records, found.budget) == (count, "400 tokens")
    assert tamis.check("few.jsonl", repeat=3, tokens=900).budget == "900 tokens"


def test_the_selection_itself_among_the_random_ones_is_told(pool: Path) -> None:
    with tamis.select(str(pool), n=15, seed=4, method="random") as chosen:
        chosen.write("four.jsonl", report=False)
    assert tamis.check("four.jsonl", repeat=3).notes == ()  # seeds 5 to 7
    (note,) = tamis.check("four.jsonl", repeat=3, seed=2).notes
    assert note.startswith("random selection 2 of 3 (seed 4) is the selection itself")


def test_groups(pool: Path) -> None:
    chosen = write("chosen.jsonl", POOL[:30])
    assert [f.detail for f in tamis.check(chosen, pool, repeat=2).figures if f.key == "sources"] == ["source"]
    parts = [write("one.jsonl", [{"text": r["text"]} for r in POOL[:90]]),
             write("two.jsonl", [{"text": r["text"]} for r in POOL[90:]])]  # fmt: skip
    plain = write("plain.jsonl", [{"text": r["text"]} for r in POOL[:30]])
    found = tamis.check(plain, parts, repeat=2)
    assert [f.detail for f in found.figures if f.key == "sources"] == ["file"]
    assert found["sources"].chosen == pytest.approx(70 / 160)
    assert [(file.records, file.chosen) for file in found.files] == [(90, 30), (70, 0)]
    assert "sources" not in values(tamis.check(plain, parts[0], repeat=2))
    with pytest.raises(OptionError, match="no record has a value in the field 'sourse'"):
        tamis.check(chosen, pool, repeat=2, group="sourse")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chosen.jsonl"], "expected --against POOL"),
        (["chosen.jsonl", "--against", "pool.jsonl", "--repeat", "1"], "--repeat: expected a whole number"),
        (["other.jsonl", "--against", "pool.jsonl"], "20 of 20 records of the selection are not in the pool"),
        (["pool.jsonl", "--against", "pool.jsonl"], "got a selection that is the whole pool"),
        (["chosen.jsonl", "--against", "pool.jsonl", "--tokens", "-1"], "budget in tokens: expected"),
        (["gone.jsonl", "--against", "pool.jsonl"], "gone.jsonl"),
    ],
)
def test_errors(pool: Path, words: list[str], told: str) -> None:
    write("chosen.jsonl", POOL[:9])
    write("other.jsonl", make(20, 5000))
    code, out, err = cli("check", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert not list(pool.parent.glob("*.html"))


def test_errors_of_the_interface(pool: Path) -> None:
    with pytest.raises(OptionError, match="no option 'shards'"):
        tamis.check("chosen.jsonl", pool, shards=2)
    with pytest.raises(InputError, match="not in the pool"):
        tamis.check([{"text": "nobody said this"}], pool)


def test_names_are_only_text_on_the_page() -> None:
    """Names of files and fields cannot become markup."""
    name = "<img src=x onerror=alert(1)>"
    records = [{"text": record["text"], name: record["source"]} for record in POOL]
    pool = write(f"{name}.jsonl", records)
    assert cli("check", write("&<b>.jsonl", records[:20]), "--against", pool, "--group", name)[0] == 0
    page = Path("&<b>.check.html").read_text("utf-8")
    assert "<img" not in page
    assert "<b>" not in page
    assert "&amp;&lt;b&gt;.jsonl" in page
