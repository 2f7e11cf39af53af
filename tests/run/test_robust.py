"""Bad input is answered with expected, got, where and what to do, exit code 2, and nothing written."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import json
import lzma
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import decisions, fragments_of, lines_of, make_records, manifest, tamis_cli, zstd

import tamis
from tamis.corpus.store import FORMAT, Store
from tamis.errors import InputError, StoreError, TamisError

RECORDS = [
    {**record, "n": i, "tags": [i], "when": None, "lang": ("de", "en", "cs")[i % 3]}
    for i, record in enumerate(make_records(40))
]
SELECT = ("select", "pool.jsonl", "-n", 5)


@pytest.fixture(autouse=True)
def _files() -> None:
    Path("pool.jsonl").write_bytes(lines_of(RECORDS))
    Path("target.jsonl").write_bytes(lines_of(RECORDS[:6]))


def there() -> set[str]:
    """Return all paths but those in the store: runs may leave columns there."""
    return {str(path) for path in Path().rglob("*") if ".tamis" not in path.parts}


def refused(*arguments: object, output: str | None = "out.jsonl") -> str:
    """Run the command line; it must refuse, in words alone, and leave nothing. Return the words."""
    before = there()
    code, out, said = tamis_cli(*arguments, *(("-o", output) if output else ()))
    assert code == 2, f"exit code {code}\n{out}\n{said}"
    assert out == ""
    assert "Traceback" not in said
    assert said.rstrip().endswith((".", "'", ")", "DIR", "?")) or "mkdir -p" in said, said
    assert there() == before
    return said


def accepted(*arguments: object, output: str | None = "out.jsonl") -> tuple[str, str]:
    """Run the command line to its end; return stdout and stderr."""
    code, out, said = tamis_cli(*arguments, *(("-o", output) if output else ()))
    assert code == 0, said
    return out, said


# --- options: the whole table of what people mistype

OPTIONS: dict[str, tuple[tuple[object, ...], str]] = {
    "no budget": ((), "exactly one budget, got none: -n N (records), --tokens N, or --fraction F"),
    "two budgets": (("-n", 5, "--tokens", 9), "exactly one budget, got rows and tokens"),
    "zero rows": (("-n", 0), "expected a whole number of at least 1, got 0"),
    "negative rows": (("-n", -3), "expected a whole number of at least 1, got -3"),
    "zero tokens": (("--tokens", 0), "budget in tokens: expected a whole number of at least 1, got 0"),
    "no share": (("--fraction", "0"), "expected a fraction above 0 and at most 1, got 0"),
    "large share": (("--fraction", "120%"), "expected a fraction above 0 and at most 1, got 1.2"),
    "share of words": (("--fraction", "some"), "--fraction: expected a share such as 10% or 0.1, got 'some'"),
    "share that is none": (("--fraction", "nan"), "expected a fraction above 0 and at most 1, got nan"),
    "rows of words": (("-n", "five"), "'five' is not a valid integer"),
    "method": (("-n", 5, "--method", "dsri"), "unknown method 'dsri'. Did you mean 'dsir'? Known: "),
    "method without target": (("-n", 5, "--method", "dsir"), "method 'dsir' needs a target: --target FILES"),
    "option": (("-n", 5, "--metod", "dsir"), "--method"),
    "option of a method": (
        ("-n", 5, "--target", "target.jsonl", "-O", "bukets=3"),
        "'bukets'. Did you mean 'buckets'? Known: buckets",
    ),
    "value of an option": (
        ("-n", 5, "--target", "target.jsonl", "-O", "buckets=three"),
        "option 'buckets': expected a whole number",
    ),
    "option of none": (("-n", 5, "-O", "size=3"), "method 'random' takes no options, got 'size'"),
    "option without value": (("-n", 5, "-O", "size"), "-O expects KEY=VALUE, got 'size'"),
    "signal": (("-n", 5, "--by", "tokns"), "'tokns' is no signal, and as a field: no record has a value"),
    "signal, nearest": (("-n", 5, "--by", "tokns"), "Did you mean 'tokens'?"),
    "field of texts": (("-n", 5, "--by", "lang"), "field 'lang': expected numbers in every record, got texts"),
    "field of arrays": (("-n", 5, "--by", "tags"), "got an array or object in pool.jsonl, line 1"),
    "field of nulls": (("-n", 5, "--by", "when"), "no record has a value in the field 'when'"),
    "direction": (("-n", 5, "--by", "n:up"), "expected SIGNAL, SIGNAL:asc or SIGNAL:desc, got 'n:up'"),
    "by for another": (("-n", 5, "--by", "n", "--method", "random"), "'random' takes no --by; use --method top"),
    "target that is not there": (("-n", 5, "--target", "targte.jsonl"), "Did you mean 'target.jsonl'?"),
    "rejected share": (("-n", 5, "--max-rejected", "300%"), "--max-rejected: expected a share from 0 to 100%, got 3"),
    "rejected words": (("-n", 5, "--max-rejected", "few"), "--max-rejected: expected a share such as 10% or 0.1"),
    "seed": (("-n", 5, "--seed", "x"), "'x' is not a valid integer"),
    "threads": (("-n", 5, "--threads", 0), "--threads: expected a whole number of at least 1, got 0"),
    "negative threads": (("-n", 5, "--threads", -2), "--threads: expected a whole number of at least 1, got -2"),
    "memory": (("-n", 5, "--memory", "4XB"), "--memory: expected a size such as 4GB or 512MB, got '4XB'"),
    "negative memory": (("-n", 5, "--memory", "-4GB"), "--memory: expected a size such as 4GB or 512MB, got '-4GB'"),
    "little memory": (("-n", 5, "--memory", "1MB"), "--memory: expected at least 64MB, got 1MB"),
    "shards": (("-n", 5, "--shards", 0), "expected a whole number of at least 1, got 0"),
    "tokenizer": (("--tokens", 5, "--tokenizer", "no.json"), "tokenizer 'no.json': no such file. Expected 'wordllama'"),
    "shape": (("-n", 5, "--shape", "txt"), "unknown shape 'txt'. Did you mean 'text'?"),
    "shape that does not fit": (("-n", 5, "--shape", "pairs"), "no record fits the shape 'pairs'. Fields seen: "),
    "format": (("-n", 5, "--format", "jsnl"), "unknown format 'jsnl'. Did you mean 'jsonl'?"),
    "format that does not fit": (("-n", 5, "--format", "parquet"), "pool.jsonl: expected a Parquet file"),
    "template": (("-n", 5, "--text", "{title"), "--text '{title': expected '}' after the '{' at character 1"),
    "empty template": (("-n", 5, "--text", ""), "--text: expected a field name or a template"),
    "field of a template": (
        ("-n", 5, "--text", "{txt}"),
        "pool.jsonl, line 1: missing field 'txt'. Did you mean 'text'? Fields seen: id, text, ",
    ),
    "where": (("-n", 5, "--where", "n >"), "--where expects an SQL condition such as"),
    "empty where": (("-n", 5, "--where", " "), "--where expects a condition, got an empty text"),
    "where, column": (("-n", 5, "--where", "lng = 'de'"), "value in the field 'lng'. Did you mean 'lang'?"),
    "where, number": (("-n", 5, "--where", "n + 1"), "expects a condition that is true or false, got 'n + 1' of type"),
    "where, subquery": (("-n", 5, "--where", "n in (select 1)"), "without subqueries, got 'n in (select 1)'"),
    "where, star": (("-n", 5, "--where", "count(*) > 1"), "--where"),
    "where, random": (("-n", 5, "--where", "n > random()"), "must give the same answer every time: random() does not"),
    "where, now": (("-n", 5, "--where", "n > epoch(now())"), "must give the same answer every time: now() does not"),
    "where, aggregate": (("-n", 5, "--where", "sum(n) > 9"), "one record at a time, got the aggregate 'sum(n) > 9'"),
    "where, statements": (("-n", 5, "--where", "n > 1; drop table pool"), "syntax error at or near"),
    "where, function": (("-n", 5, "--where", "foo(n)"), "does not fit the columns (n int64)"),
    "where, types": (("-n", 5, "--where", "lang > 1"), "does not fit the columns (lang large_string)"),
    "where, arrays": (("-n", 5, "--where", "tags = 1"), "got an array or object in pool.jsonl, line 1"),
    "where, files": (("-n", 5, "--where", "n > (select * from 'pool.jsonl')"), "without subqueries"),
    "where, dots": (("-n", 5, "--where", "a.b > 1"), "top-level fields and signals only, got 'a.b'"),
    "where, nothing left": (
        ("-n", 5, "--where", "n > 1000"),
        "expected at least one eligible record, got none: 40 read, 0 set aside, 40 left out by --where 'n > 1000'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name: str) -> None:
    arguments, words = OPTIONS[name]
    assert words in refused("select", "pool.jsonl", *arguments)


def test_a_value_that_a_method_cannot_use_is_told_by_file_and_line() -> None:
    """Wherever the record stands in the order that methods work in."""
    lines = [json.dumps({"text": f"record number {i}", "worth": -1.5 if i == 16 else i}) for i in range(30)]
    Path("worth.jsonl").write_text("\n".join(lines) + "\n")
    told = refused("select", "worth.jsonl", "-n", 5, "--method", "importance", "-O", "by=worth")
    assert "expected finite numbers of at least 0, got -1.5 in worth.jsonl, line 17." in told


def test_parts_that_were_asked_for_are_not_laid_on_the_memory() -> None:
    """A note tells of parts that another --memory would change, and of no others."""
    options = ("--method", "graphcut", "-O", "algorithm=parts", "-O", "parts=2", "-o", "parts.jsonl")
    code, _, said = tamis_cli(*SELECT, *options)
    assert code == 0, said
    assert "'proposals'" in str(manifest(Path("parts.jsonl")))  # it did choose in parts
    assert "memory" not in said


def test_a_typing_error_costs_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods, options, budgets, quotas and conditions are checked before anything is opened."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the store was opened")

    monkeypatch.setattr(Store, "__init__", opened)
    for name in ("method", "option of a method", "value of an option", "zero rows", "share that is none", "where"):
        refused("select", "pool.jsonl", *OPTIONS[name][0])
    refused(*SELECT, "--quota", "lang")
    refused("select", "pool.jsonl", "-n", 0, "--plan", output=None)


def test_verbs() -> None:
    assert "unknown verb 'selct'. Did you mean 'select'?" in refused("selct", "pool.jsonl")
    assert "Missing argument" in refused("select", "-n", 5)
    assert "--help" in refused("--hlp", output=None)
    assert "expected a place to write to: -o NAME.jsonl" in refused(*SELECT, output=None)
    assert "unknown method 'dsri'. Did you mean 'dsir'?" in refused("methods", "dsri", output=None)
    assert "unexpected extra argument" in refused("signals", "x", output=None)
    assert "unknown signal 'tokns'. Did you mean 'tokens'?" in refused("annotate", "pool.jsonl", "--signals", "tokns")
    assert "at least one signal" in refused("annotate", "pool.jsonl", "--signals", ",")
    assert "the signal 'ratio' needs a target" in refused("annotate", "pool.jsonl", "--signals", "ratio")
    assert "not one number a record" in refused("annotate", "pool.jsonl", "--signals", "ngrams")
    assert "at least 1" in refused("annotate", "pool.jsonl", "--signals", "bytes", "--shards", 0)
    assert "no such file" in refused("annotate", "pol.jsonl", "--signals", "bytes")


def test_verbs_on_what_is_no_run() -> None:
    for name in ("out.jsonl", "pool.jsonl", "no/where.jsonl"):
        assert "no manifest at" in refused("why", name, "r1", output=None)
        assert "no manifest at" in refused("rerun", Path(name).with_suffix(".manifest.json"), output=None)
    assert "expected an output called NAME.jsonl" in refused("why", "nothing", "r1", output=None)
    assert "pool.jsonl is no manifest" in refused("rerun", "pool.jsonl", output=None)
    Path("odd.json").write_text("[1]")
    assert "odd.json is no manifest of tamis" in refused("rerun", "odd.json", output=None)
    Path("later.json").write_text(json.dumps({"tamis": "9", "job": {}, "format": 99}))
    assert "later.json has format 99, this version of tamis reads" in refused("rerun", "later.json", output=None)


def test_why_and_rerun_of_a_run() -> None:
    accepted(*SELECT, "--id", "id")
    kept = next(name for name, row in decisions(Path("out.jsonl")).items() if row["kept"])
    assert "It was chosen" in accepted("why", "out.jsonl", kept, output=None)[0]
    assert "no record has the id 'r9999'" in refused("why", "out.jsonl", "r9999", output=None)
    assert "records have ids that begin with 'r'" in refused("why", "out.jsonl", "r", output=None)
    assert accepted("rerun", "out.manifest.json", output=None)[0].count("same") == 2
    whole = Path("out.decisions.parquet").read_bytes()
    Path("out.decisions.parquet").write_bytes(whole[:-30])
    assert "out.decisions.parquet cannot be read" in refused("why", "out.jsonl", kept, output=None)
    Path("out.decisions.parquet").write_bytes(whole)
    told = json.loads(Path("out.manifest.json").read_text())
    told["outputs"][0]["content"] = "another"
    Path("out.manifest.json").write_text(json.dumps(told))
    code, out, said = tamis_cli("rerun", "out.manifest.json")
    assert code == 2
    assert "DIFFERS  out.jsonl" in out
    assert "differs" in said
    Path("pool.jsonl").write_bytes(lines_of(RECORDS[1:]))
    assert "the input pool.jsonl has changed since that run" in refused("rerun", "out.manifest.json", output=None)
    Path("pool.jsonl").unlink()
    assert "no such file or folder: pool.jsonl" in refused("rerun", "out.manifest.json", output=None)


# --- inputs


def test_inputs_that_are_none() -> None:
    Path("empty.jsonl").touch()
    Path("blank.jsonl").write_text("\n\n  \n")
    Path("plain.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    Path("folder.jsonl").mkdir()
    Path("data").mkdir()
    Path("data/x.bin").write_bytes(b"\0")
    Path("blob").write_bytes(b"\0\1" * 500)
    for name, words in {
        "pol.jsonl": "no such file or folder: pol.jsonl. Did you mean 'pool.jsonl'?",
        "no/where.jsonl": "no such file or folder: no/where.jsonl",
        "pool.jsonl/x": "no such file or folder: pool.jsonl/x",
        "*.none": "no file matches '*.none'",
        "empty.jsonl": "expected records, got an empty pool: empty.jsonl",
        "blank.jsonl": "expected records, got an empty pool: blank.jsonl",
        os.devnull: f"expected records, got an empty pool: {os.devnull}",
        "plain.jsonl": "no shape of record recognised. Fields seen: a. Say where the text is: --text",
        "folder.jsonl": "the folder folder.jsonl holds no file",
        "data": "the folder data holds no file with a known suffix",
        "blob": "blob: its format is not known (binary, no known suffix). Name it with --format",
        "x" * 300: "File name too long",
        "nosuch://a:hush@b/c?token=hush": "nosuch://b/c",
    }.items():
        said = refused("select", name, "-n", 5)
        assert words in said
        assert "hush" not in said
    for name, words in {
        "plain.jsonl": "plain.jsonl: no shape of record recognised",
        "empty.jsonl": "expected records, got an empty pool: empty.jsonl",
        "blob": "blob: its format is not known",
    }.items():
        assert words in refused(*SELECT, "--target", name)


def test_what_may_not_be_read() -> None:
    """Files, folders, and folders in folders: nothing is left out in silence."""
    with nobody() as folder:
        for path in ("locked.jsonl", "data/a.jsonl", "data/inner/b.jsonl"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(lines_of(RECORDS))
        (folder / "locked.jsonl").chmod(0)
        (folder / "data/inner").chmod(0)
        (folder / "closed").mkdir(0)
        for name, words in {
            "locked.jsonl": "locked.jsonl cannot be opened: Permission denied",
            "closed": "the folder closed cannot be read: Permission denied",
            "closed/pool.jsonl": "closed/pool.jsonl cannot be opened: Permission denied",
            "data": "the folder data/inner cannot be read: Permission denied",
        }.items():
            assert words in refused("select", name, "-n", 5)
        for output in ("closed/out.jsonl", "readonly/out.jsonl"):
            (folder / "readonly").mkdir(0o500, exist_ok=True)
            assert "cannot be written: Permission denied. Choose another -o" in refused(
                "select", "data/a.jsonl", "-n", 5, output=output
            )
        said = refused("select", "data/a.jsonl", "-n", 5, "--store", "readonly/store")
        assert "the store readonly/store cannot be made or written: Permission denied. Choose another" in said
        assert accepted("select", "data/a.jsonl", "-n", 5)


@contextlib.contextmanager
def nobody() -> Iterator[Path]:
    """Work in a folder of its own as a user without rights: root may read and write everything."""
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="tamis-test-"))
    folder.chmod(0o777)
    os.chdir(folder)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield Path()
    finally:
        if root:
            os.seteuid(0)
        os.chdir(before)
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
        shutil.rmtree(folder)


def test_garbage() -> None:
    noise = random.Random(1)
    Path("noise.jsonl").write_bytes(noise.randbytes(4000) + b"\n")
    said = refused("select", "noise.jsonl", "-n", 5)
    assert "records (100.0%) cannot be used; the limit is 10% (--max-rejected). The first: noise.jsonl, line 1" in said
    said = refused("select", "noise.jsonl", "-n", 5, "--max-rejected", "100%")
    assert "expected at least one eligible record, got none" in said


def test_corrupt_parquet() -> None:
    noise = random.Random(2)
    pq.write_table(pa.Table.from_pylist(RECORDS), "pool.parquet", row_group_size=10)
    whole = Path("pool.parquet").read_bytes()
    for name, data, words in (
        ("cut", whole[:-50], "expected a Parquet file, but it is cut or damaged after 0 rows"),
        ("headless", b"PAR2" + whole[4:], "expected a parquet file (it should begin with its magic bytes)"),
        ("inside", b"PAR1" + noise.randbytes(300) + b"PAR1", "inside.parquet: expected a Parquet file, but it is"),
        ("page", whole[:200] + noise.randbytes(60) + whole[260:], "page.parquet: expected row group 1 of 4"),
    ):
        Path(f"{name}.parquet").write_bytes(data)
        assert words in refused("select", f"{name}.parquet", "-n", 5)
        assert "parquet" in refused("select", f"{name}.parquet", "-n", 5, "--max-rejected", "100%")


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
def test_what_is_read_of_a_damaged_file(suffix: str) -> None:
    """It depends on the file alone: the same ids at any fragment size, for cuts and for damage inside."""
    noise = random.Random(4)
    records = [{"text": noise.randbytes(200).hex(), "i": i} for i in range(2500)]
    pack = {".gz": gzip.compress, ".zst": zstd, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    whole = pack(lines_of(records))
    middle = len(whole) * 9 // 10
    for data in (whole[:middle], whole[:middle] + noise.randbytes(50) + whole[middle + 50 :]):
        Path("pool.jsonl" + suffix).write_bytes(data)
        found = []
        for size in (None, 5000, 123_457):
            with (
                fragments_of(size),
                tamis.select("pool.jsonl" + suffix, n=9999, max_rejected=1, method="random") as chosen,
            ):
                found.append(chosen.ids.to_pylist())
        assert found[0] == found[1] == found[2]
        assert len(found[0]) > 1500


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz", ""])
@pytest.mark.parametrize("size", [None, 20_000])
def test_files_that_are_cut(suffix: str, size: int | None) -> None:
    """An error that tells how much was read; `--max-rejected 100%` goes on with what was read, all of it."""
    noise = random.Random(3)
    number = 4000 if suffix == ".bz2" else 500  # a block of bz2 is 900 KB, and is read whole or not at all
    records = [{"text": noise.randbytes(300).hex(), "i": i} for i in range(number)]
    pack = {".gz": gzip.compress, ".zst": zstd, ".bz2": bz2.compress, ".xz": lzma.compress, "": bytes}[suffix]
    Path("cut.jsonl" + suffix).write_bytes(pack(lines_of(records))[:-200])
    arguments = ("select", "cut.jsonl" + suffix, "-n", 5000)
    with fragments_of(size):
        said = refused(*arguments)
        assert f"cut.jsonl{suffix}" in said
        assert "go on with what was read: --max-rejected 100%" in said
        assert "decompressed bytes" in said if suffix else "the last line (500) is cut: it has no line end" in said
        told = int("".join(c for c in said.split("lines were read")[0].split("; ")[-1].split(". ")[-1] if c.isdigit()))
        accepted(*arguments, "--max-rejected", "100%")
    chosen = [json.loads(line) for line in Path("out.jsonl").read_bytes().splitlines()]
    assert chosen == records[: len(chosen)]
    assert told - 1 <= len(chosen) <= told
    assert len(chosen) > {".bz2": 1000, ".zst": 400}.get(suffix, 480)  # blocks, of 128 KB with zstd, are lost whole


def test_strict_names_the_first_in_input_order() -> None:
    """The same file and line at any number of threads, though a later file comes to its bad line sooner."""
    good = lines_of(make_records(400))
    Path("a.jsonl").write_bytes(good * 4 + b"{broken\n" + good)
    Path("b.jsonl").write_bytes(b"[]\n" + good)
    Path("c.jsonl").write_bytes(good[:-20] + b"\n" + good)
    for threads, size in itertools.product((1, 2, 5), (None, 3000, 40_000)):
        with fragments_of(size):
            said = refused("select", "a.jsonl", "b.jsonl", "c.jsonl", "-n", 5, "--strict", "--threads", threads)
            assert "--strict: a.jsonl, line 1601: broken JSON at byte 2." in said
            said = refused("select", "b.jsonl", "a.jsonl", "-n", 5, "--strict", "--threads", threads)
            assert "--strict: b.jsonl, line 1: not a JSON object." in said


def test_rejected_share() -> None:
    Path("few.jsonl").write_bytes(lines_of(RECORDS[:18]) + b"{]\n[]\n")
    accepted("select", "few.jsonl", "-n", 5)
    assert len(Path("out.rejected.jsonl").read_bytes().splitlines()) == 2
    Path("many.jsonl").write_bytes(lines_of(RECORDS[:17]) + b"{]\n[]\n")
    said = refused("select", "many.jsonl", "-n", 5, output="other.jsonl")
    assert "2 of 19 records (10.5%) cannot be used; the limit is 10%" in said
    assert "The first: many.jsonl, line 18: broken JSON at byte 2" in said


def test_duplicate_ids() -> None:
    Path("twice.jsonl").write_bytes(lines_of(RECORDS[7:9]))
    said = refused("select", "pool.jsonl", "twice.jsonl", "-n", 5, "--id", "id")
    assert f"expected distinct ids, got '{RECORDS[7]['id']}' twice: pool.jsonl, line 8 and twice.jsonl, line 1" in said
    assert "missing field 'nid'" in refused(*SELECT, "--id", "nid")


def test_a_pool_that_changes_meanwhile() -> None:
    """What was hashed and read at first is not what is written: better no output than that."""
    with tamis.select("pool.jsonl", n=5, store="store", method="random") as chosen:
        with Path("pool.jsonl").open("ab") as file:
            file.write(lines_of(RECORDS[:1]))
        with pytest.raises(InputError, match=r"pool.jsonl changed while it was read\. Run the same command again"):
            chosen.write("out.jsonl")
        Path("pool.jsonl").unlink()
        with pytest.raises(InputError, match=r"pool.jsonl changed while it was read"):
            chosen.write("out.jsonl")
    assert not list(Path().glob("*out*"))


def test_pipes() -> None:
    """What can be read only once is copied: process substitution of a shell, as `-`."""
    os.mkfifo("pipe")
    data = gzip.compress(lines_of(RECORDS))
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(data))
    writer.start()
    accepted("select", "pipe", "-n", 99, "--shape", "text")
    writer.join()
    assert len(Path("out.jsonl").read_bytes().splitlines()) == 40
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_folders_behind_links() -> None:
    """They are read, each once, and a link back ends nowhere."""
    for name in ("data/a", "elsewhere"):
        Path(name).mkdir(parents=True)
        Path(name, f"{Path(name).name}.jsonl").write_bytes(lines_of(RECORDS[:5]))
    Path("data/b").symlink_to("../elsewhere")
    Path("elsewhere/back").symlink_to("../data")
    Path("data/gone.jsonl").symlink_to("nothing")
    assert "data/gone.jsonl cannot be opened: No such file" in refused("select", "data", "-n", 99)
    Path("data/gone.jsonl").unlink()
    out, _ = accepted("select", "data", "-n", 99)
    assert "10 records in 2 files" in out


# --- a budget above the pool


def test_budget_above_the_pool() -> None:
    """All are taken, that is said, and it is no error."""
    _, said = accepted("select", "pool.jsonl", "-n", 1000)
    assert "tamis: the budget of 1,000 records is above the 40 eligible ones: all were taken." in said
    assert len(Path("out.jsonl").read_bytes().splitlines()) == 40
    _, said = accepted("select", "pool.jsonl", "--tokens", 10**9, "--force")
    assert "the budget of 1,000,000,000 tokens has room for all 40 eligible records" in said
    assert manifest(Path("out.jsonl"))["notes"] == [said.removeprefix("tamis: ").strip()]
    accepted("select", "pool.jsonl", "--fraction", "100%", "--force")
    assert Path("out.jsonl").read_bytes() == Path("pool.jsonl").read_bytes()


# --- outputs


def test_outputs_in_the_way() -> None:
    accepted(*SELECT)
    before = {path: path.read_bytes() for path in Path().glob("out.*")}
    for name in ("out.jsonl", "out.parquet", "out.jsonl.gz"):
        assert "out.manifest.json tells of a finished run" in refused(*SELECT, output=name)
    assert "--force" in refused("annotate", "pool.jsonl", "--signals", "bytes")
    refused(*SELECT, "--force", "--method", "dsri")
    assert {path: path.read_bytes() for path in Path().glob("out.*")} == before, "bad input replaces nothing"
    accepted(*SELECT, "--force", "--seed", 1)
    assert Path("out.jsonl").read_bytes() != before[Path("out.jsonl")]
    Path("mine.jsonl").write_text("my own\n")
    assert "mine.jsonl exists and is not of an unfinished run" in refused(*SELECT, output="mine.jsonl")
    Path("mine.decisions.parquet").write_text("my own\n")
    assert "mine.decisions.parquet exists" in refused(*SELECT, output="mine.parquet")
    assert Path("mine.jsonl").read_text() == "my own\n"


def test_outputs_that_cannot_be() -> None:
    Path("data").mkdir()
    Path("folder.jsonl").mkdir()
    Path("held.decisions.parquet").mkdir()
    for output, words in {
        "no/out.jsonl": "expected a folder to write to, got no, which does not exist: mkdir -p no",
        "pool.jsonl": "the output pool.jsonl is also an input. Choose another name with -o",
        "./data/../pool.jsonl": "is also an input",
        "target.jsonl": "the output target.jsonl is also an input",
        "out.txt": "expected an output called NAME.jsonl or NAME.parquet, with .gz or .zst if wanted, got 'out.txt'",
        "out": "got 'out'",
        ".jsonl": "expected an output called NAME.jsonl",
        "out.jsnl": "Did you mean '.jsonl'?",
        "data": "got 'data'",
        "folder.jsonl": "expected a file to write, got the folder folder.jsonl",
        "held.jsonl": "expected a file to write, got the folder held.decisions.parquet",
        "pool.jsonl/out.jsonl": "expected a folder to write to, got pool.jsonl",
    }.items():
        for force in ((), ("--force",)):
            assert words in refused(*SELECT, "--target", "target.jsonl", *force, output=output)


def test_force_leaves_no_shard_of_the_older_run() -> None:
    """Shards and rejected records of the run that is replaced go; other files of that name stay."""
    Path("bad.jsonl").write_bytes(lines_of(RECORDS) + b"{]\n")
    accepted("select", "bad.jsonl", "-n", 9, "--shards", 3)
    accepted("select", "pool.jsonl", "-n", 9, output="other.jsonl")
    Path("out-00009-of-00010.jsonl").write_text("my own\n")
    accepted(*SELECT, "--force")
    names = {path.name for path in Path().glob("out*")}
    assert names == {"out.jsonl", "out.decisions.parquet", "out.manifest.json", "out-00009-of-00010.jsonl"}
    assert len(manifest(Path("out.jsonl"))["run"]["replaced"]) == 4
    accepted(*SELECT, "--force", output="out.parquet")
    assert Path("out.jsonl").exists(), "another format is another file, not a leftover"


def test_an_error_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finished run that was to be replaced is still there, whole."""
    accepted(*SELECT)
    before = {path: path.read_bytes() for path in Path().glob("out.*")}

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("tamis.run.selection.write_decisions", fail)
    code, out, said = tamis_cli(*SELECT, "--force", "--seed", 3, "-o", "out.jsonl")
    assert code == 1, "a fault of ours"
    assert out == ""
    assert "RuntimeError: boom" in said
    assert "the fault above is in tamis" in said
    assert {path: path.read_bytes() for path in Path().glob("*out*")} == before


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("boom"), 1, "the fault above is in tamis"),
        (EOFError("boom"), 1, "the fault above is in tamis"),
        (KeyError("boom"), 1, "the fault above is in tamis"),
        (TamisError("boom"), 1, "tamis: error: boom\n"),
        (MemoryError(), 1, "out of memory. Lower --memory or --threads"),
        (OSError(5, "Input/output error", "pool.jsonl"), 2, "Input/output error: 'pool.jsonl'"),
        (InputError("boom"), 2, "tamis: error: boom\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str) -> None:
    """2 is the user's to mend, 1 is ours, 130 an interruption; only ours shows where in the code."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("tamis.run.select.choose", fail)
    found, _, said = tamis_cli(*SELECT, "-o", "out.jsonl")
    assert (found, words in said) == (code, True), said
    assert ("Traceback" in said) == ("fault" in words)
    assert not list(Path().glob("*out*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
def test_nobody_reads_the_answer() -> None:
    """A pipe that is closed is no error; a full disk behind it is the user's. The outputs are there."""
    # All are taken: a note on stderr.
    select = f"{sys.executable} -m tamis select pool.jsonl -n 50 --method random --no-report"
    script = f"""
        {select} -o a.jsonl 2> notes | true; echo ${{PIPESTATUS[0]}}
        {select} -o b.jsonl 2>&1 | true; echo ${{PIPESTATUS[0]}}
        {select} -o c.jsonl > /dev/full 2> why; echo $?
        {select} -o d.jsonl 2> /dev/full > shown; echo $?
        {select} -o e.jsonl >&- 2>&-; echo $?
    """
    done = subprocess.run(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["0", "0", "2", "0", "0"]
    assert done.stderr == ""
    assert Path("notes").read_text().count("\n") == 1
    why = Path("why").read_text()
    assert "No space left on device" in why
    assert "Exception ignored" not in why
    assert "Traceback" not in why
    assert all(Path(f"{name}.manifest.json").exists() for name in "abcde")


# --- stores


def test_stores_that_are_none() -> None:
    Path("mine").mkdir()
    Path("mine/lock").write_text("my own")
    Path("later").mkdir()
    Path("later/store.json").write_text(json.dumps({"format": FORMAT + 1}))
    Path("broken").mkdir()
    Path("broken/store.json").write_text('{"for')
    for store, words in {
        "mine": "mine is not empty and holds no store. Choose another folder with --store DIR",
        "later": f"has format {FORMAT + 1}, this version of tamis reads format {FORMAT}. Remove it (tamis clean later)",
        "broken": "cannot be read as a store's mark. Remove the store (tamis clean broken)",
        "pool.jsonl": "the store pool.jsonl cannot be made or written: File exists",
        "pool.jsonl/x": "the store pool.jsonl/x cannot be made or written: Not a directory",
    }.items():
        arguments = (*SELECT, "--store", store)
        code, _, said = tamis_cli(*arguments, "-o", "out.jsonl")
        assert code == 2
        assert words in said
        assert not list(Path().glob("*out*"))
    assert Path("mine/lock").read_text() == "my own", "no file of the user's is written"
    for folder, words in {
        ".": "holds no store: expected the file store.json",
        "no": "no holds no store",
        "mine": "mine holds no store",
        "pool.jsonl": "holds no store",
    }.items():
        assert words in refused("clean", folder, output=None)
    Path("broken/thesis.tex").touch()
    assert "broken holds more than a store: thesis.tex. Nothing was removed" in refused("clean", "broken", output=None)
    assert "removed later" in accepted("clean", "later", output=None)[0]
    assert not Path("later").exists()


def test_a_store_killed_at_its_making() -> None:
    """The half-made folder is taken for what it is."""
    for left in ("lock", ".store.json.1-2-abcdef.tmp"):
        Path(f"store-{left}").mkdir()
        Path(f"store-{left}", left).write_text("process 1 on here: tamis\n" if left == "lock" else '{"fo')
        accepted(*SELECT, "--store", f"store-{left}", "--force")
        assert not list(Path(f"store-{left}").glob("*.tmp"))


DAMAGE = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[:-17],
    "cut to its head": lambda data: data[:40],
    "zeros": lambda data: bytes(len(data)),
    "zeros at its end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "noise between head and end": lambda data: data[:8] + random.Random(1).randbytes(len(data) - 16) + data[-8:],
    "another file": lambda data: b"{}\n",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_stores_heal(how: str) -> None:
    """Whatever became of a file of the store: the same command ends in the same bytes, and no traceback."""
    arguments = (
        "select", "pool.jsonl", "-n", 9, "--target", "target.jsonl", "--quota", "lang=de>=40%", "--where", "n > 1",
    )  # fmt: skip
    with fragments_of(2000):
        accepted(*arguments)
        wanted = {p: p.read_bytes() for p in Path().glob("out.*") if not p.name.endswith(".manifest.json")}
        files = sorted(p for p in Path(".tamis").rglob("*") if p.is_file() and p.name not in ("lock", "store.json"))
        kinds: dict[str, Path] = {}
        for path in files:
            kinds.setdefault(path.parent.name[:1] * (path.suffix == ".json") + path.name[5:18], path)
        assert len(kinds) >= 6, "rows, n-grams, ratios, two fields, facts"
        for path in kinds.values():
            whole = path.read_bytes()
            path.write_bytes(DAMAGE[how](whole))
            accepted(*arguments, "--force")
            now = {p: p.read_bytes() for p in Path().glob("out.*") if not p.name.endswith(".manifest.json")}
            assert now == wanted, path
            assert path.read_bytes() == whole or path.suffix == ".json", "mended"


def test_damage_is_told() -> None:
    """Damage that only reading finds is noted; the run goes on by itself."""
    accepted(*SELECT, "--where", "n > 1")
    for path in Path(".tamis/files").glob("*/*.rows.arrow"):
        data = path.read_bytes()
        path.write_bytes(data[:8] + bytes(len(data) - 16) + data[-8:])
    _, said = accepted(*SELECT, "--where", "n > 1", "--force")
    assert ".rows.arrow of the store was damaged, and is computed anew" in said
    accepted("annotate", "pool.jsonl", "--signals", "bytes", "--store", "another", output="signals.jsonl")
    wanted = Path("signals.jsonl").read_bytes()
    for path in Path("another/files").glob("*/*.arrow"):
        data = path.read_bytes()
        path.write_bytes(data[:8] + bytes(len(data) - 16) + data[-8:])
    accepted("annotate", "pool.jsonl", "--signals", "bytes", "--store", "another", "--force", output="signals.jsonl")
    assert Path("signals.jsonl").read_bytes() == wanted
    for path in Path("another/files").glob("*/*.arrow"):
        data = path.read_bytes()
        path.write_bytes(data[:8] + bytes(len(data) - 16) + data[-8:])
    with tamis.open("pool.jsonl", store="another") as pool:
        assert len(pool) == 40


def test_damage_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that reads nothing back is no reason to go on for ever."""
    accepted(*SELECT)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pa, "memory_map", refuse)
    said = refused(*SELECT, "--force")
    assert "was damaged and has been removed" in said


def test_store_of_a_python_run_is_let_go() -> None:
    """After an error, and after the end of a block, the store can be opened again."""
    with pytest.raises(InputError):
        tamis.select("none.jsonl", n=3, store="store", method="random")
    with (
        tamis.select("pool.jsonl", n=3, store="store", method="random"),
        pytest.raises(StoreError, match=r"held by process \d+"),
    ):
        tamis.select("pool.jsonl", n=3, store="store", method="random")
    Path("store/store.json").write_text("{")
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be read as a store's mark"):
            Store(Path("store"))


# --- secrets


def test_secrets_are_told_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in messages, not in the lock, not in a chained URL either; files named so are files."""
    Path("pool.jsonl").rename("pool:hush@x.jsonl")
    url = f"file://user:hush@{Path.cwd()}/pool.jsonl?token=hush#hush"
    held: list[str] = []
    opened = Store.__init__

    def watch(self: Store, path: Path, command: str = "tamis") -> None:
        opened(self, path, command)
        held.append((path / "lock").read_text())

    monkeypatch.setattr(Store, "__init__", watch)
    said = ""
    for one in (url, f"simplecache::{url}", "nosuch://u:hush@h/x?hush", "s3://key:hush@bucket/x.jsonl"):
        for arguments in (("select", one, "-n", 5), (*SELECT[:1], "target.jsonl", "-n", 5, "--target", one)):
            code, out, more = tamis_cli(*arguments, "-o", "out.jsonl")
            assert code == 2
            said += out + more
    assert len(held) == 8
    assert "hush" not in said + "".join(held)
    accepted("select", "pool:hush@x.jsonl", "-n", 5)


def test_long_commands_are_shortened() -> None:
    """A lock tells a line, not the thousand files of a glob."""
    names = []
    for i in range(60):
        names.append(f"part-{i:05d}.jsonl")
        Path(names[-1]).write_bytes(lines_of(RECORDS[:1]))
    accepted("select", *names, "-n", 5)
    assert len(Path(".tamis/lock").read_text()) < 350


# --- signals of the system, limits of the machine


def test_few_open_files() -> None:
    """Many inputs are read all the same."""
    for i in range(80):
        Path(f"part-{i:03d}.jsonl").write_bytes(lines_of(RECORDS[i % 40 : i % 40 + 1]))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, before[1]))
    try:
        accepted("select", "part-*.jsonl", "-n", 5, "--where", "n > 1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_ignored_hang_up() -> None:
    """Under nohup a closed terminal ends nothing."""
    code = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from tamis.cli import main\n"
        "import tamis.run.select as s; choose = s.choose\n"
        "s.choose = lambda *a: (os.kill(os.getpid(), signal.SIGHUP), choose(*a))[1]\n"
        "main(['select', 'pool.jsonl', '-n', '5', '--no-report', '-o', 'out.jsonl'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    code = code.replace("signal.signal(signal.SIGHUP, signal.SIG_IGN); ", "").replace("out.jsonl", "other.jsonl")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130, done.stderr
    assert signal.SIGHUP
