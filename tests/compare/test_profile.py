"""Profiles: small sets worked by hand, and real ones end to end on the command line."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

import tamis
from data import real
from tamis.cli import run
from tamis.errors import BudgetError, InputError, OptionError, UserError

WORDS = ["apple", "river", "stone", "cloud", "green", "paper", "light", "music", "water", "bread", "horse", "glass"]


def record(i: int, source: str = "a") -> dict[str, str]:
    """A text of twelve words that no other shares five in a row of."""
    return {"text": " ".join(f"{word}{(i * 7919 + j * j) % 1000}" for j, word in enumerate(WORDS)), "source": source}


def test_what_can_be_counted() -> None:
    """40 records and 10 copies: 20 % could go; a fifth of the groups moves; the second set stands in the first."""
    pool = [record(i, "ab"[i % 2]) for i in range(40)] + [record(i, "ab"[i % 2]) for i in range(10)]
    found = tamis.profile(pool, pool[0:40:2])
    assert found["records"] == (50, 20)
    assert found["near_duplicates"] == (pytest.approx(0.2), 0)
    assert found["copies"] == (pytest.approx(0.2), 0)
    assert found["shared"][1] == 1
    assert found["groups"] == (pytest.approx(2), pytest.approx(1))
    assert found["group_shift"][1] == pytest.approx(0.5)
    assert math.isnan(found["group_shift"][0])


def test_a_set_and_itself() -> None:
    """Nothing differs: the same figures, no discrepancy, all covered, KL reduction 0."""
    pool = [record(i) for i in range(60)]
    found = tamis.profile(pool, list(pool), target=pool[:5])
    for key in ("vendi", "vendi_all", "effective_rank", "nearest", "distinct_1", "kl_target", "length"):
        assert found[key][0] == found[key][1]
    assert (found["discrepancy"][1], found["coverage"][1], found["radius"][1]) == (0, 1, 0)
    assert found["kl_reduction"][1] == 0
    assert found["vendi"][0] == pytest.approx(found["vendi_all"][0])


def test_the_page_shows_texts_as_text(tmp_path: Path) -> None:
    """Markup in names of groups and in file names never becomes markup of the page; nothing is left beside it."""
    pool = tmp_path / "a<script>b.jsonl"
    lines = [json.dumps(record(i, "<img src=x onerror=1>" if i % 2 else "two")) for i in range(30)]
    pool.write_text("\n".join(lines))
    page = tmp_path / "p.html"
    tamis.profile(pool, output=page)
    html = page.read_text()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;img src=x" in html
    assert "default-src 'none'" in html
    assert {path.name for path in tmp_path.iterdir()} == {pool.name, page.name, ".tamis"}


def test_the_same_input_gives_the_same_page(tmp_path: Path) -> None:
    """On any number of threads; and the order of the records changes no figure but for rounding."""
    pool = [record(i) for i in range(80)]
    pages = []
    for i, (some, threads) in enumerate(((pool, 1), (pool, 2))):
        tamis.profile(some, output=tmp_path / f"{i}.html", threads=threads)
        pages.append((tmp_path / f"{i}.html").read_bytes())
    assert pages[0] == pages[1]
    one, other = tamis.profile(pool), tamis.profile(pool[::-1])
    for key in one.figures():
        assert one[key] == pytest.approx(other[key]), key


def test_a_sample_does_not_depend_on_the_order_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 records of which 30 are looked at: the same ones, forwards and backwards, and not the first."""
    from tamis.compare import profiling as module

    monkeypatch.setattr(module, "SAMPLED", 30)
    pool = [record(i) for i in range(60)] + [{"text": f"same old words {i}", "source": "a"} for i in range(60)]
    one, other = tamis.profile(pool), tamis.profile(pool[::-1])
    for key in ("vendi", "distinct_1", "distinct_3", "nearest", "effective_rank"):
        assert one[key] == pytest.approx(other[key]), key
    assert "counted 30" in one.basis["vendi"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one set"):
        tamis.profile()
    with pytest.raises(OptionError, match="no option 'nonsense'"):
        tamis.profile([record(0)], nonsense=1)
    with pytest.raises(UserError):
        tamis.profile([record(0), record(1)], group="nowhere")
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps(record(0)))
    with pytest.raises(OptionError, match="one of the sets"):
        tamis.profile(tmp_path, output=pool)
    with pytest.raises(OptionError, match="is a folder"):
        tamis.profile(pool, output=tmp_path)
    assert pool.read_text() == json.dumps(record(0))


def test_too_little_memory_is_told_before_anything_is_read(tmp_path: Path) -> None:
    """The broken line would be an error of its own, were it read."""
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps(record(0)) + "\n{broken\n")
    with pytest.raises(BudgetError, match="Raise --memory"):
        tamis.profile(pool, memory="100MB", strict=True)


def test_one_record_is_no_reason_to_fail() -> None:
    found = tamis.profile([record(0)])
    assert found["records"] == (1,)
    assert any("fewer than three" in gap for gap in found.gaps)


def test_real_sets_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 instructions before, and the 200 longest after: inside the first, nearer to themselves, fewer."""
    with gzip.open(real("alpaca_52k") / "alpaca_data.json.gz", "rt") as file:
        records = json.load(file)[:2000]
    longest = sorted(records, key=lambda one: len(one["output"]))[-200:]
    paths = [tmp_path / "pool.jsonl", tmp_path / "chosen.jsonl"]
    for path, some in zip(paths, (records, longest), strict=True):
        path.write_text("\n".join(map(json.dumps, some)))
    page = tmp_path / "both.html"
    code = run(["profile", *map(str, paths), "-o", str(page), "--target", str(paths[1]), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    values = {one["measure"]: one["values"] for one in told["measures"]}
    assert values["records"] == [2000, 200]
    assert values["length"][1] > 2 * values["length"][0]
    assert values["shared"][1] == 1
    assert values["kl_target"][1] == pytest.approx(0, abs=1e-9)
    assert values["kl_reduction"][1] > 0
    assert 0 < values["coverage"][1] < 1
    by_order = told["vendi_by_order"][0]
    assert list(by_order.values()) == sorted(by_order.values(), reverse=True)
    assert page.read_text().count("<figure>") == 8
    assert run(["profile", *map(str, paths), "--quiet"]) == 0
    assert "Vendi score" in capsys.readouterr().out
