"""The interface in Python and the verbs around `select`: open, annotate, why, rerun, methods, signals, clean."""

from __future__ import annotations

import doctest
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from making import (
    decisions,
    fragments_of,
    lines_of,
    make_records,
    manifest,
    select,
    tamis_cli,
    tiny_tokenizer,
    write_pool,
)

import tamis
import tamis.run.api
from data import REPOSITORY
from tamis.errors import InputError, OptionError, OutputError, UserError

RECORDS = make_records(60)


def test_doctests() -> None:
    """The examples in the interface and on the package's front are true."""
    for module in (tamis, tamis.run.api):
        assert doctest.testmod(module).failed == 0
    assert doctest.testmod(tamis.run.api).attempted == 7


def test_functions_and_rooms_of_one_name() -> None:
    """`tamis.select` is the function whether or not the room of that name was imported, before or after."""
    code = (
        "import tamis\n"
        "assert len(tamis.select([{'text': 'a'}], n=1)) == 1\n"
        "assert len(tamis.select([{'text': 'a'}], n=1)) == 1\n"
        "from tamis.select import METHODS\n"
        "import tamis.select as room\n"
        "assert room.METHODS is METHODS and len(tamis.select([{'text': 'a'}], n=1)) == 1\n"
        "assert tamis.signals()[0]['name'] and tamis.methods()\n"
        "from tamis import select, signals\n"
        "assert len(select([{'text': 'a'}], n=1)) == 1 and signals()\n"
    )
    for first in ("", "import tamis.select, tamis.signals.tokens\n"):
        subprocess.run([sys.executable, "-c", first + code], check=True, env=_environment(), timeout=120)
    assert list(inspect.signature(tamis.select).parameters)[:2] == ["pool", "n"]
    with pytest.raises(AttributeError, match="no attribute 'selct'"):
        tamis.selct  # noqa: B018


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])}


# --- open


@pytest.mark.parametrize("size", [None, 250])
def test_open(size: int | None) -> None:
    """Ids, texts and records in input order; what was set aside with its place; lengths count everything."""
    Path("pool.jsonl").write_bytes(lines_of(RECORDS[:30]) + b"[]\n" + lines_of(RECORDS[30:]))
    with fragments_of(size), tamis.open("pool.jsonl", threads=2) as pool:
        assert len(pool) == len(pool.ids) == 61
        assert repr(pool) == "<pool of 61 records in 1 files, text>"
        texts = list(pool.texts())
        assert texts[30] == ""
        assert [text for text in texts if text] == [record["text"] for record in RECORDS]
        assert list(pool.records()) == RECORDS
        (bad,) = pool.rejected()
        assert (bad.file, bad.line, bad.reason, bad.raw) == ("pool.jsonl", 31, "not a JSON object", b"[]")
        assert list(pool.records()) == RECORDS, "any number of times"
    assert not Path(".tamis").exists(), "nothing is left beside the pool"


def test_open_keeps_its_store_where_told() -> None:
    write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    with tamis.open("pool.jsonl", store="kept") as pool:
        ids = pool.ids
        with pytest.raises(UserError, match=r"the store kept is held by process \d+ on .*: tamis.open"):
            tamis.open("pool.jsonl", store="kept")
    with tamis.open("pool.jsonl", store="kept") as pool:
        assert pool.ids == ids


def test_ids_are_those_that_select_knows() -> None:
    with tamis.open(RECORDS, id="n") as pool:
        assert pool.ids.to_pylist() == [str(i) for i in range(60)]
        found = pool.ids.to_pylist()
    with tamis.select(RECORDS, id="n", n=60, method="random") as chosen:
        assert chosen.ids.to_pylist() == found


# --- select


def test_selection_object() -> None:
    """What a selection holds, row for row, is what its files say."""
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    with tamis.select(pool, n=12, by="n", quota="lang<=50%") as chosen:
        assert repr(chosen).startswith("<Selection of 12 of 60 records by ")
        assert chosen.counts == {"records": 60, "rejected": 0, "filtered": 0, "eligible": 60, "chosen": 12}
        manifest_path = chosen.write("out.jsonl")
        assert manifest_path == Path("out.manifest.json")
        told = decisions(Path("out.jsonl"))
        for place, name in enumerate(chosen.ids.to_pylist()):
            row = told[name]
            assert row["kept"]
            assert row["rank"] == chosen.ranks[place]
            assert row["score"] == chosen.scores[place] == chosen.to_dicts()[place]["n"]
            assert row["weight"] == chosen.weights[place] == 1.0
            assert row["reason"] == chosen.reasons[place]
            assert row["group"] == "lang=" + chosen.to_dicts()[place]["lang"]
        assert sorted(chosen.ranks) == list(range(12))
        with pytest.raises(OutputError, match="finished run"):
            chosen.write("out.jsonl")
        chosen.write("other.parquet", annotate=True, shards=2)
    assert pq.read_table("other-00000-of-00002.parquet").num_rows == 6
    assert np.isin([r["n"] for r in map(json.loads, Path("out.jsonl").read_bytes().splitlines())], range(60)).all()


def test_python_and_command_line_agree() -> None:
    """The same words give the same bytes."""
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    target = write_pool(Path("target.jsonl"), "jsonl", RECORDS[::9])
    select(
        pool, "py.jsonl", fraction="20%", target=target, where="n > 3", quota=["lang<=60%"], must_keep="r0001",
        must_drop=["r0007"], id="id", seed=4, top_k=True, method="dsir",
    )  # fmt: skip
    code, out, err = tamis_cli(
        "select", pool, "--fraction", "20%", "--target", target, "--where", "n > 3", "--quota", "lang<=60%",
        "--must-keep", "r0001", "--must-drop", "r0007", "--id", "id", "--seed", 4, "-O", "top_k=true",
        "--method", "dsir", "-o", "cli.jsonl",
    )  # fmt: skip
    assert code == 0, err
    assert Path("py.jsonl").read_bytes() == Path("cli.jsonl").read_bytes()
    assert Path("py.decisions.parquet").read_bytes() == Path("cli.decisions.parquet").read_bytes()
    for words in (
        "60 records in 1 file",
        "filtered",
        "chosen",
        "by dsir",
        "cli.decisions.parquet",
        "cli.manifest.json",
    ):
        assert words in out


def test_pins_from_a_file() -> None:
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    Path("keep.txt").write_text("r0003\n\n r0005 \n")
    code, _, err = tamis_cli("select", pool, "--id", "id", "-n", 4, "--must-keep", "@keep.txt", "-o", "out.jsonl")
    assert code == 0, err
    assert [name for name, row in decisions(Path("out.jsonl")).items() if row["stage"] == "pin"] == ["r0003", "r0005"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, UserError, "exactly one budget, got none"),
        ({"n": 1, "tokens": 1}, UserError, "got rows and tokens"),
        ({"n": 0}, UserError, "budget"),
        ({"n": 1, "method": "randm"}, OptionError, "Did you mean 'random'"),
        ({"n": 1, "method": "top", "by": "byts"}, OptionError, "Did you mean 'bytes'"),
        ({"n": 1, "tip_k": True, "method": "dsir", "target": RECORDS[:1]}, OptionError, "Did you mean 'top_k'"),
        ({"n": 1, "threads": 0}, OptionError, "--threads"),
        ({"n": 1, "format": "jsnl"}, InputError, "Did you mean 'jsonl'"),
        ({"n": 1, "max_rejected": "many"}, OptionError, "expected a share"),
        ({"n": 1, "fraction": None, "method": "dsir"}, OptionError, "needs a target"),
        ({"n": 1, "where": "n >"}, OptionError, "--where expects"),
    ],
)
def test_mistakes_are_answered(options: dict[str, Any], error: type[Exception], words: str) -> None:
    path = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    with pytest.raises(error, match=words):
        tamis.select(path, **options)


# --- annotate


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize("output", ["sig.parquet", "sig.jsonl.gz"])
def test_annotate_beside(kind: str, output: str) -> None:
    """A row for each usable record, by id, in input order."""
    pool = write_pool(Path(f"pool.{kind}"), kind, [*RECORDS, {**RECORDS[0], "text": ""}])
    code, out, err = tamis_cli(
        "annotate", pool, "--signals", "bytes,tokens", "--tokenizer", tiny_tokenizer(), "-o", output, "--threads", 2
    )
    assert code == 0, err
    assert "61" in out
    with tamis.open(pool) as opened:
        ids = opened.ids.to_pylist()[:60]
    with tamis.open(output, text="{bytes}") as opened:
        found = list(opened.records())
    assert [row["id"] for row in found] == ids
    assert [row["bytes"] for row in found] == [len(record["text"].encode()) for record in RECORDS]
    assert all(row["tokens"] > 0 for row in found)
    assert len(Path("sig.rejected.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("output", ["sig.parquet", "sig.jsonl"])
def test_annotate_into(kind: str, output: str) -> None:
    """The records as they are, each with a member `tamis`."""
    pool = write_pool(Path(f"pool.{kind}"), kind, RECORDS)
    with fragments_of(500):
        code, _, err = tamis_cli("annotate", pool, "--signals", "bytes", "--into", "-o", output)
    assert code == 0, err
    with tamis.open(output) as opened:
        found = list(opened.records())
    extras = [record.pop("tamis") for record in found]
    assert found == RECORDS
    assert [extra["bytes"] for extra in extras] == [len(record["text"].encode()) for record in RECORDS]


def test_annotate_in_python() -> None:
    target = [{"text": "river stone"}]
    with tamis.annotate(RECORDS, ["bytes", "ratio"], target=target) as found:
        assert len(found) == 60
        table = found.table()
        assert table.column_names == ["id", "bytes", "ratio"]
        assert found.write("sig.parquet") == Path("sig.manifest.json")
        assert pq.read_table("sig.parquet").equals(table)
        with pytest.raises(OutputError, match="finished run"):
            found.write("sig.parquet")
        found.write("into.jsonl", into=True)
    first = json.loads(Path("into.jsonl").read_bytes().splitlines()[0])
    assert first["tamis"] == table.slice(0, 1).to_pylist()[0]
    with tamis.select(RECORDS, n=60, by="ratio", target=target) as chosen:
        assert chosen.scores.tolist() == table["ratio"].to_pylist(), "the signal that select knows"
    for names, words in ((["byts"], "Did you mean 'bytes'"), ([], "at least one"), (["ratio"], "needs a target")):
        with pytest.raises(OptionError, match=words):
            tamis.annotate(RECORDS, names)


# --- why and rerun


def test_why_tells_every_fate() -> None:
    """A chosen record, one left, one filtered, one pinned, one set aside: each story says so; ids may be cut short."""
    pool = write_pool(Path("pool.jsonl"), "jsonl", [*RECORDS, {"id": "bad", "text": ""}])
    code, _, err = tamis_cli(
        "select", pool, "--id", "id", "-n", 5, "--where", "n < 40", "--must-drop", "r0001", "--quota", "lang<=50%",
        "-o", "out.jsonl",
    )  # fmt: skip
    assert code == 0, err
    rows = decisions(Path("out.jsonl"))
    fates = {
        next(name for name, row in rows.items() if row["kept"]): ("chosen", "It was chosen, number"),
        next(n for n, r in rows.items() if r["stage"] == "choose" and not r["kept"]): (
            "not chosen",
            "It was not chosen",
        ),
        "r0050": ("not chosen", "--where"),
        "r0001": ("not chosen", "decided by hand: pinned: must drop"),
        "bad": ("not chosen", "set aside when reading: empty text"),
    }
    for name, (title, words) in fates.items():
        for where in ("out.jsonl", "out.manifest.json"):
            code, out, err = tamis_cli("why", where, name)
            assert code == 0, err
            assert out.startswith(f"{name}: {title}\n")
            assert words in out
    code, out, _ = tamis_cli("why", "out.jsonl", "ba", "--json")
    assert json.loads(out)["decision"]["line"] == 61
    assert tamis_cli("why", "out.jsonl", "r00")[2].count("records have ids that begin with 'r00'") == 1
    assert "no record has the id 'x'" in tamis_cli("why", "out.jsonl", "x")[2]
    assert tamis_cli("why", "none.jsonl", "x")[0] == 2


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet", "out.jsonl.gz"])
def test_rerun(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from anywhere, at any threads, a manifest gives the same bytes; when the pool has changed, it says so."""
    write_pool(Path("pool.jsonl"), "jsonl", [*RECORDS, {"no": "text"}])
    write_pool(Path("target.jsonl"), "jsonl", RECORDS[::7])
    extra = ["--shards", 2, "--annotate"] if output == "out.parquet" else []
    arguments = ["pool.jsonl", "--target", "target.jsonl", "-n", 9, "--quota", "lang<=50%", "-o", output, *extra]
    assert tamis_cli("select", *arguments)[0] == 0
    place = Path("out.manifest.json").absolute()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for threads in (1, 3):
        code, out, err = tamis_cli("rerun", place, "--threads", threads)
        assert code == 0, err
        assert out.count("same") == (4 if extra else 3)
    told = json.loads(tamis_cli("rerun", place, "--json")[1])
    assert told["same"]
    assert list(Path().iterdir()) == [], "nothing is left where it ran"
    changed = json.loads(place.read_text())
    changed["outputs"][0]["content"] = "0" * 32
    Path("changed.json").write_text(json.dumps(changed))
    code, out, err = tamis_cli("rerun", "changed.json")
    assert code == 2
    assert "DIFFERS" in out
    assert "differs from the manifest's" in err
    for name in ("target.jsonl", "pool.jsonl"):
        path = place.with_name(name)
        path.write_bytes(path.read_bytes() + b'{"text":"one more"}\n')
        code, _, err = tamis_cli("rerun", place)
        assert code == 2
        assert f"the input {name} has changed" in err


@pytest.mark.parametrize("into", [False, True])
def test_rerun_of_annotate(into: bool) -> None:
    write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    assert tamis_cli("annotate", "pool.jsonl", "--signals", "bytes", "-o", "s.jsonl", *["--into"] * into)[0] == 0
    code, out, err = tamis_cli("rerun", "s.manifest.json")
    assert code == 0, err
    assert "same  s.jsonl" in out


def test_rerun_of_what_was_in_memory() -> None:
    select(RECORDS, "out.jsonl", n=3)
    code, _, err = tamis_cli("rerun", "out.manifest.json")
    assert code == 2
    assert "object in memory" in err
    select(write_pool(Path("p.jsonl"), "jsonl", RECORDS), "other.jsonl", n=3, target=RECORDS[:3])
    assert "object in memory" in tamis_cli("rerun", "other.manifest.json")[2]


# --- lists, plans, stores


def test_methods_and_signals_are_listed() -> None:
    for verb in ("methods", "signals"):
        code, out, _ = tamis_cli(verb, "--json")
        assert code == 0
        rows = json.loads(out)
        assert all(row["name"] and row["title"] and row["cost"] and "source" in row for row in rows)
        told = tamis_cli(verb)[1].replace("\n", "")
        assert all(row["name"][:12] in told for row in rows)
    assert "top_k" in tamis_cli("methods", "dsir")[1]
    assert "Did you mean 'dsir'" in tamis_cli("methods", "dsirr")[2]


def test_plan_runs_nothing() -> None:
    pool = write_pool(Path("pool.jsonl.gz"), "jsonl", make_records(2000))
    code, out, err = tamis_cli("select", pool, "-n", 5, "--where", "n > 3", "--plan", "-o", "out.jsonl", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["fits"]
    assert 1000 < told["records"] < 4000
    assert not [path for path in Path().iterdir() if path.name.startswith("out")]


def test_clean() -> None:
    select(write_pool(Path("pool.jsonl"), "jsonl", RECORDS), "out.jsonl", n=3, store=".tamis")
    code, out, _ = tamis_cli("clean")
    assert code == 0
    assert out.startswith("removed .tamis")
    assert not Path(".tamis").exists()
    assert Path("out.jsonl").exists()
    assert tamis_cli("clean")[0] == 2


def test_manifest() -> None:
    """What a manifest tells of the run: files, formats, shapes, counts, versions, options."""
    Path("pool").mkdir()
    write_pool(Path("pool/a.jsonl"), "jsonl", [*RECORDS[:9], {"no": 1}])
    write_pool(Path("pool/b.parquet"), "parquet", RECORDS[9:20])
    told = manifest(select("pool", "out.jsonl", n=4, seed=9))
    assert [(i["name"], i["format"], i["shape"], i["records"], i["rejected"]) for i in told["inputs"]] == [
        ("pool/a.jsonl", "jsonl", "text", 10, 1),
        ("pool/b.parquet", "parquet", "text", 11, 0),
    ]
    assert told["job"]["seed"] == 9
    assert told["tamis"] == tamis.__version__
    assert told["method"]["name"] == "random"
    assert {part["name"] for part in told["outputs"]} == {"out.jsonl", "out.decisions.parquet", "out.rejected.jsonl"}
    assert told["run"]["packages"]["pyarrow"]
