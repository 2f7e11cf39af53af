"""Whatever people have is read: every format, shape and mess; what cannot be read is told, not lost."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from making import (
    COMPRESSED,
    decisions,
    fragments_of,
    lines_of,
    make_records,
    manifest,
    select,
    tamis_cli,
    write_pool,
)

import tamis
from tamis.errors import InputError, UserError

RECORDS = make_records(40)
TEXTS = [record["text"] for record in RECORDS]
SUFFIX = {
    "jsonl": ".jsonl", "pretty": ".json", "compact": ".json", "csv": ".csv", "tsv": ".tsv", "text": ".txt",
    "parquet": ".parquet", "arrow": ".arrow", "stream": ".arrow", "feather": ".feather",
}  # fmt: skip


def read(pool: Any, **options: Any) -> tuple[list[str], list[str], list[tuple[int, str]]]:
    """Return texts, ids and (line, reason) of what was set aside."""
    with tamis.open(pool, **options) as opened:
        bad = [(found.line, found.reason) for found in opened.rejected()]
        return list(opened.texts()), opened.ids.to_pylist(), bad


# --- formats


@pytest.mark.parametrize("compression", list(COMPRESSED))
@pytest.mark.parametrize("kind", ["jsonl", "pretty", "compact", "csv", "tsv", "text", "parquet", "stream"])
def test_bytes_plain_and_compressed(kind: str, compression: str) -> None:
    """Texts, order and ids are those of the plain file, in one fragment and in many."""
    plain = write_pool(Path("plain" + SUFFIX[kind]), kind, RECORDS)
    packed = write_pool(Path("packed" + SUFFIX[kind] + compression), kind, RECORDS)
    with fragments_of(700):
        texts, ids, bad = read(packed)
    assert texts == TEXTS
    assert bad == []
    assert ids == read(plain)[1]
    assert len(set(ids)) == len(RECORDS)


@pytest.mark.parametrize("kind", ["arrow", "stream", "feather", "parquet"])
def test_tables_have_the_same_ids_in_every_container(kind: str) -> None:
    """Parquet, Arrow files and streams, Feather and objects hold the same records under the same ids."""
    path = write_pool(Path("pool" + SUFFIX[kind]), kind, RECORDS)
    assert read(path)[:2] == read(pa.Table.from_pylist(RECORDS))[:2]


def test_json_lines_and_arrays_have_the_same_ids() -> None:
    """A compact element of an array is the record it is as a line; indentation makes no difference."""
    lines = Path("pool.jsonl")
    lines.write_bytes(b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in RECORDS))
    found = read(lines)
    assert read(write_pool(Path("a.json"), "compact", RECORDS)) == found
    indented = Path("b.json")
    indented.write_text(json.dumps(RECORDS, indent=1))
    assert read(indented) == found


@pytest.mark.parametrize("kind", list(SUFFIX))
@pytest.mark.parametrize("name", ["pool", "pool.data", "pool.bin.gz"])
def test_format_by_content(kind: str, name: str) -> None:
    """A name that says nothing: the bytes tell, all but CSV from text."""
    path = write_pool(Path(name), kind, RECORDS)
    if kind in ("csv", "tsv"):
        assert len(read(path)[0]) == len(RECORDS) + 1, "read as text, header and all"
        assert read(path, format=kind)[0] == TEXTS
    else:
        assert read(path)[0] == TEXTS


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream", "feather"])
def test_wrong_suffix_of_a_table(kind: str) -> None:
    """Magic bytes weigh more than a suffix."""
    assert read(write_pool(Path("pool.jsonl"), kind, RECORDS))[0] == TEXTS


@pytest.mark.parametrize("kind", ["pretty", "compact"])
def test_array_called_jsonl(kind: str) -> None:
    """A JSON array under the name of JSON lines is read as what it is, and lines under that of an array."""
    assert read(write_pool(Path("array.jsonl"), kind, RECORDS))[0] == TEXTS
    assert read(write_pool(Path("lines.json"), "jsonl", RECORDS))[0] == TEXTS
    Path("odd.jsonl").write_bytes(b"[1, 2]\n" + lines_of(RECORDS))
    assert read(Path("odd.jsonl"))[0] == ["", *TEXTS], "a line that is an array is one bad record among others"


def test_suffix_that_hides_compression() -> None:
    """Compression is told by magic bytes as well."""
    Path("pool.jsonl").write_bytes(gzip.compress(lines_of(RECORDS)))
    assert read("pool.jsonl")[0] == TEXTS
    Path("pool.jsonl.gz").write_bytes(lines_of(RECORDS))
    assert read("pool.jsonl.gz")[0] == TEXTS


def test_wrong_magic_is_told() -> None:
    Path("pool.parquet").write_bytes(lines_of(RECORDS))
    with pytest.raises(InputError, match=r"pool\.parquet: expected a parquet file.*--format"):
        tamis.open("pool.parquet")
    assert read("pool.parquet", format="jsonl")[0] == TEXTS
    Path("what").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="format is not known"):
        tamis.open("what")


def test_text_per_line_and_per_file() -> None:
    """A line is a record unless the file is; blank lines are none."""
    Path("a.txt").write_bytes(b"\xef\xbb\xbffirst\r\n\n  \nsecond\nthird")
    Path("b.md").write_text("whole\nfile\n")
    assert read(["a.txt", "b.md"])[0] == ["first", "second", "third", "whole", "file"]
    assert read(["a.txt", "b.md"], per_file=True)[0] == ["first\r\n\n  \nsecond\nthird", "whole\nfile\n"]
    assert tamis_cli("select", "a.txt", "b.md", "--per-file", "-n", 1, "-o", "out.jsonl")[0] == 0
    (line,) = Path("out.jsonl").read_bytes().splitlines()
    assert json.loads(line) in ({"text": text} for text in read(["a.txt", "b.md"], per_file=True)[0])


def test_text_with_template_and_fields() -> None:
    """A line of text is the record `{"text": ...}`: templates and conditions see it."""
    Path("a.txt").write_text("one\ntwo\nthree\n")
    assert read("a.txt", text="<{text}>")[0] == ["<one>", "<two>", "<three>"]
    with tamis.select("a.txt", n=9, where="text like 't%'", method="random") as chosen:
        assert chosen.to_dicts() == [{"text": "two"}, {"text": "three"}]


@pytest.mark.peers
def test_datasets_folder() -> None:
    """A folder that `datasets` saved, alone and inside a folder, and its splits by name."""
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_list(RECORDS)
    made.save_to_disk("pool/part", num_shards=2)
    assert read("pool/part")[0] == TEXTS
    assert read("pool")[0] == TEXTS
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk("splits")
    with pytest.raises(InputError, match="expected one split, got 2"):
        tamis.open("splits")
    assert read("splits/train")[1] == read("pool/part")[1]
    with tamis.select("pool/part", n=5, method="random") as chosen:
        assert chosen.to_dataset().column_names == list(RECORDS[0])


@pytest.mark.peers
def test_lance_folder() -> None:
    lance = pytest.importorskip("lance")
    lance.write_dataset(pa.Table.from_pylist(RECORDS), "pool/some.lance")
    assert read("pool/some.lance")[0] == TEXTS
    assert read("pool")[1] == read(pa.Table.from_pylist(RECORDS))[1]


# --- what the user names


def test_folder() -> None:
    """Known suffixes at any depth, in the order of names; others are passed over and told; hidden ones not read."""
    for folder in ("pool/b", "pool/.hidden"):
        Path(folder).mkdir(parents=True)
    write_pool(Path("pool/b/1.jsonl.gz"), "jsonl", RECORDS[10:20])
    write_pool(Path("pool/a.parquet"), "parquet", RECORDS[:10])
    write_pool(Path("pool/c.csv"), "csv", RECORDS[20:])
    write_pool(Path("pool/.hidden/x.jsonl"), "jsonl", RECORDS)
    write_pool(Path("pool/.x.jsonl"), "jsonl", RECORDS)
    Path("pool/LICENSE").write_text("no data")
    Path("pool/image.png").write_bytes(b"\x89PNG")
    assert read("pool")[0] == TEXTS
    code, out, err = tamis_cli("select", "pool", "-n", 3, "-o", "out.jsonl")
    assert code == 0
    assert "40 records in 3 files" in out
    assert "2 files were not read" in err
    assert "pool/LICENSE, pool/image.png" in err
    assert any("LICENSE" in note for note in manifest(Path("out.jsonl"))["notes"])


def test_own_outputs_are_no_pool() -> None:
    """A selection written into its own pool is not read by the next run, nor is a store that lies there."""
    Path("pool").mkdir()
    write_pool(Path("pool/all.jsonl"), "jsonl", [*RECORDS, {"broken": 1}])
    first = select("pool", "pool/chosen.parquet", n=5, how={"shards": 2}, store="pool/store", seed=1)
    assert manifest(first)["counts"]["records"] == 41
    assert tamis_cli("annotate", "pool", "--signals", "bytes", "-o", "pool/signals.parquet")[0] == 0
    again = select("pool", "pool/chosen.parquet", n=5, how={"shards": 2}, store="pool/store", seed=1)
    assert manifest(again)["outputs"] == manifest(first)["outputs"]
    assert len(read("pool/*.jsonl")[0]) == 41, "a glob that matches them neither"
    assert len(read(["pool/all.jsonl", "pool/chosen-00000-of-00002.parquet"])[0]) == 44, "named, it is read"


def test_globs_and_lists_keep_the_order_given() -> None:
    for name, part in (("a1", RECORDS[:10]), ("a2", RECORDS[10:20]), ("b", RECORDS[20:])):
        write_pool(Path(f"{name}.jsonl"), "jsonl", part)
    assert read(["a?.jsonl", "b.jsonl"])[0] == TEXTS
    assert read(["b.jsonl", "a*.jsonl"])[0] == [*TEXTS[20:], *TEXTS[:20]]
    assert read([Path("a1.jsonl"), Path("a2.jsonl")])[0] == TEXTS[:20]
    with pytest.raises(InputError, match=r"no file matches 'c\*'"):
        tamis.open("c*")
    with pytest.raises(InputError, match=r"no such file or folder: a3.jsonl. Did you mean 'a\d.jsonl'"):
        tamis.open("a3.jsonl")


def test_brackets_in_a_name_are_no_glob_where_the_file_exists() -> None:
    write_pool(Path("pool[1].jsonl"), "jsonl", RECORDS)
    assert read("pool[1].jsonl")[0] == TEXTS


@pytest.mark.parametrize("kind", ["jsonl", "pretty", "parquet", "text"])
def test_standard_input(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input, its format told by content."""
    data = write_pool(Path("pool.gz"), kind, RECORDS).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, out, _ = tamis_cli("select", "-", "-n", 7, "-o", "out.jsonl", "--json")
    assert code == 0
    assert json.loads(out)["counts"]["records"] == 40
    chosen = [json.loads(line)["text"] for line in Path("out.jsonl").read_bytes().splitlines()]
    assert len(chosen) == 7
    assert chosen == [text for text in TEXTS if text in chosen]
    assert {row["file"] for row in decisions(Path("out.jsonl"), place=True).values()} == {"-"}


def test_standard_input_is_read_once() -> None:
    with pytest.raises(UserError, match="expected '-' once"):
        tamis.select("-", n=1, target="-")


def test_pipe() -> None:
    """A named pipe, or what a shell makes of `<(...)`, is read like standard input."""
    path = write_pool(Path("pool.jsonl.gz"), "jsonl", RECORDS)
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(path.read_bytes()))
    writer.start()
    assert read("pipe")[0] == TEXTS
    writer.join()


@pytest.mark.parametrize(
    "name", ["sp ace.jsonl", "new\nline.jsonl", "ü★.jsonl", "-dash.jsonl", "a,b.jsonl", "q'uote.jsonl"]
)
def test_odd_file_names(name: str) -> None:
    """A name is a name: it is read, and told as it is."""
    write_pool(Path(name), "jsonl", RECORDS)
    code, _, err = tamis_cli("select", "-n", 3, "-o", "out.jsonl", "--", name)
    assert code == 0, err
    assert {row["file"] for row in decisions(Path("out.jsonl"), place=True).values()} == {name}
    assert manifest(Path("out.jsonl"))["inputs"][0]["name"] == name


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 only")
def test_file_name_that_is_no_text() -> None:
    name = os.fsdecode(b"p\xff.jsonl")
    Path("pool").mkdir()
    write_pool(Path("pool") / name, "jsonl", RECORDS)
    for pool in ("pool", f"pool/{name}"):
        with pytest.raises(InputError, match=r"expected a file name in UTF-8, got 'pool/p\\udcff.jsonl'"):
            tamis.select(pool, n=1, method="random")


def test_the_same_file_twice_is_copies() -> None:
    """Files of the same content share their columns; their records are numbered in the order given."""
    pool = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    write_pool(Path("copy.jsonl"), "jsonl", RECORDS)
    with fragments_of(200):
        texts, ids, _ = read([pool, "copy.jsonl", pool], threads=4)
    assert texts == TEXTS * 3
    assert ids == [*read(pool)[1], *(f"{i}-2" for i in ids[:40]), *(f"{i}-3" for i in ids[:40])]


def test_empty_files_are_files() -> None:
    """An empty file adds nothing; a pool of nothing is an error."""
    Path("none.jsonl").touch()
    Path("none.txt").touch()
    Path("none.json").write_text("[]")
    write_pool(Path("some.jsonl"), "jsonl", RECORDS)
    assert read(["none.jsonl", "none.txt", "some.jsonl", "none.json"])[0] == TEXTS
    with pytest.raises(InputError, match="empty pool"):
        tamis.select(["none.jsonl", "none.json"], n=1, method="random")


# --- objects in Python


def test_objects_in() -> None:
    """Lists, generators, frames and tables are pools; dicts are the JSON lines they are written as."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = pa.Table.from_pylist(RECORDS)
    tabular = read(table)
    assert tabular[0] == TEXTS
    for pool in (table.to_batches()[0], table.to_reader(), pandas.DataFrame(RECORDS), polars.DataFrame(RECORDS)):
        assert read(pool) == tabular
    assert read(polars.DataFrame(RECORDS).lazy()) == tabular
    listed = read(RECORDS)
    assert listed[0] == TEXTS
    assert read(record for record in RECORDS) == listed
    assert read(tuple(RECORDS)) == listed
    Path("same.jsonl").write_bytes(
        b"".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for r in RECORDS)
    )
    assert read("same.jsonl") == listed


def test_objects_of_several_types() -> None:
    """A frame whose column mixes types is answered with what to do; dicts may do so. No rows are an empty pool."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["a", "b"], "v": [1, "x"]}, dtype=object)
    with pytest.raises(InputError, match=r"one type a column .*frame.to_dict\('records'\)"):
        tamis.open(frame)
    assert read(frame.to_dict("records"))[0] == ["a", "b"]
    for nothing in (pa.table({"text": pa.array([], pa.string())}), pandas.DataFrame({"text": []}), iter(())):
        with pytest.raises(InputError, match="empty pool"):
            tamis.select(nothing, n=1, method="random")


def test_numbers_that_are_none() -> None:
    """NaN, as some writers put it in JSON lines, is kept in its line and has no value as a column."""
    lines = [
        b'{"text":"a","v":NaN}',
        b'{"text":"b","v":Infinity}',
        b'{"text":"c","v":-Infinity}',
        b'{"text":"d","v":1}',
    ]
    Path("pool.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    with tamis.select("pool.jsonl", n=9, where="v > 0", method="random") as chosen:
        assert [record["text"] for record in chosen.to_dicts()] == ["b", "d"]
    output = select("pool.jsonl", "out.jsonl", n=9, by="v")
    assert output.read_bytes() == b"".join(line + b"\n" for line in lines[1:])
    assert {row["reason"] for row in decisions(output).values() if not row["kept"]} == {"top: no score (NaN)"}


@pytest.mark.parametrize("kind", ["dicts", "arrow", "parquet"])
def test_objects_out(kind: str) -> None:
    """The chosen records come back as dicts, Arrow, pandas, polars, in input order."""
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    pool = {"dicts": RECORDS, "arrow": pa.Table.from_pylist(RECORDS)}.get(kind)
    if pool is None:
        pool = write_pool(Path("pool.parquet"), "parquet", RECORDS)
    with tamis.select(pool, n=10, seed=3, method="random") as chosen:
        wanted = [record for record in RECORDS if record in chosen.to_dicts()]
        assert len(wanted) == 10
        assert chosen.to_dicts() == wanted
        assert chosen.to_arrow().to_pylist() == wanted
        assert chosen.to_pandas().to_dict("records") == wanted
        assert chosen.to_polars().to_dicts() == wanted
        assert len(chosen.ids) == len(chosen.weights) == len(chosen.scores) == 10


@pytest.mark.peers
def test_dataset_in_and_out() -> None:
    datasets = pytest.importorskip("datasets")
    pool = datasets.Dataset.from_list(RECORDS)
    assert read(pool) == read(pa.Table.from_pylist(RECORDS))
    assert read(pool.select(range(5, 15)))[0] == TEXTS[5:15]
    with tamis.select(pool, n=4, method="random") as chosen:
        assert chosen.to_dataset().to_list() == chosen.to_dicts()


def test_tables_of_several_types_come_out_as_one() -> None:
    """Parquet files whose columns differ in type and number come back under one schema, as they are written."""
    write_pool(Path("a.parquet"), "parquet", [{"text": "a", "v": 1}])
    write_pool(Path("b.parquet"), "parquet", [{"text": "b", "v": 2.5, "w": "x"}])
    write_pool(Path("c.parquet"), "parquet", [{"text": "c", "v": "three"}])
    with tamis.select(["a.parquet", "b.parquet"], n=2, method="random") as chosen:
        wanted = [{"text": "a", "v": 1.0, "w": None}, {"text": "b", "v": 2.5, "w": "x"}]
        assert chosen.to_arrow().to_pylist() == wanted
    with tamis.select(["a.parquet", "c.parquet"], n=2, method="random") as chosen:
        assert chosen.to_arrow().to_pylist() == [{"text": "a", "v": "1"}, {"text": "c", "v": '"three"'}]


@pytest.mark.parametrize("pool", [7, [], [1, 2], {"text": "a"}, None, [{"text": "a"}, "b"]])
def test_objects_that_are_no_pool(pool: object) -> None:
    with pytest.raises(UserError):
        tamis.open(pool)


# --- shapes

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye"},
]
TURNS = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "plain", "other": 1}, "plain"),
    "prompt": ({"prompt": "Q?", "response": "A."}, "Q?\nA."),
    "alpaca": ({"instruction": "Add.", "input": "1 2", "output": "3"}, "Add.\n1 2\n3"),
    "messages": ({"messages": CHAT}, "system: Be brief.\nuser: Hi\nassistant: Hello.\nuser: Bye"),
    "sharegpt": ({"conversations": TURNS, "system": "Kind."}, "system: Kind.\nhuman: Hi\ngpt: Hello."),
    "pairs": ({"query": "q", "positive": "p", "negatives": ["n1", "n2"]}, "q\np"),
}


@pytest.mark.parametrize("container", ["jsonl", "pretty", "parquet", "stream"])
@pytest.mark.parametrize("name", list(SHAPES))
def test_shapes_in_every_kind_of_file(name: str, container: str) -> None:
    """A shape is recognised, renders the same from lines and tables, and can be forced."""
    record, text = SHAPES[name]
    path = write_pool(Path("pool" + SUFFIX[container]), container, [record] * 3)
    assert read(path)[0] == [text] * 3
    assert read(path, shape=name)[0] == [text] * 3


def test_files_of_different_shapes_in_one_pool() -> None:
    """Each file has the shape of its own; one forced shape holds for all."""
    Path("pool").mkdir()
    for number, (record, _) in enumerate(SHAPES.values()):
        write_pool(Path(f"pool/{number}.jsonl"), "jsonl", [record])
    assert read("pool")[0] == [text for _, text in SHAPES.values()]
    with tamis.select("pool", n=6, method="random") as chosen:
        assert chosen.to_dicts() == [record for record, _ in SHAPES.values()]


def test_forced_shape_that_does_not_fit() -> None:
    path = write_pool(Path("pool.jsonl"), "jsonl", RECORDS)
    with pytest.raises(InputError, match=r"pool.jsonl: no record fits the shape 'alpaca'"):
        tamis.open(path, shape="alpaca")
    with pytest.raises(UserError, match="Did you mean 'messages'"):
        tamis.open(path, shape="mesages")


@pytest.mark.parametrize("container", ["jsonl", "csv", "parquet"])
def test_text_option(container: str) -> None:
    """A field, a template, null as nothing; a missing field rejects, a wrong type too."""
    path = write_pool(Path("pool" + SUFFIX[container]), container, RECORDS)
    assert read(path, text="lang")[0] == [record["lang"] for record in RECORDS]
    assert read(path, text="{n}/{lang}: {text}")[0] == [f"{r['n']}/{r['lang']}: {r['text']}" for r in RECORDS]
    texts, _, bad = read(path, text="{nowhere}")
    assert texts == [""] * 40
    assert {reason for _, reason in bad} == {"missing field 'nowhere'"}


@pytest.mark.parametrize("container", ["jsonl", "csv", "parquet", "pretty"])
def test_id_option(container: str) -> None:
    """The user's ids stand as they are, numbers as their text; two of one name are an error that tells both."""
    path = write_pool(Path("pool" + SUFFIX[container]), container, RECORDS)
    assert read(path, id="id")[1] == [record["id"] for record in RECORDS]
    assert read(path, id="n")[1] == [str(record["n"]) for record in RECORDS]
    with pytest.raises(InputError, match=r"expected distinct ids, got 'de' twice: .* and .*"):
        tamis.select(path, n=1, id="lang", method="random")


def test_missing_ids_reject() -> None:
    Path("pool.jsonl").write_bytes(
        b'{"text":"a","id":1}\n{"text":"b"}\n{"text":"c","id":null}\n{"text":"d","id":[1]}\n'
    )
    texts, ids, bad = read("pool.jsonl", id="id")
    assert texts[0] == "a"
    assert ids[0] == "1"
    assert [line for line, _ in bad] == [2, 3, 4]
    assert len(set(ids)) == 4


def test_an_id_twice_is_an_error_though_one_record_was_set_aside() -> None:
    """Whichever comes first: the order of the rows decides nothing."""
    records = [{"text": "a", "id": "x"}, {"text": "", "id": "x"}]
    for pool in (records, records[::-1]):
        with pytest.raises(InputError, match="got 'x' twice"):
            tamis.select(pool, n=1, id="id", max_rejected=1, method="random")


# --- messy JSON lines

MESSY = [
    b'{"text":"types change","v":1,"m":null}',
    b'{"text":"types change","v":"one","m":{"a":[null,{"b":null}]}}',
    b'{"text":"duplicate","text":"keys"}',
    b'  {"text" : "spaces" , "v":[]}\t',
    b'{"text":"lone \\ud83d surrogate"}',
    b'{"text":"huge","v":123456789012345678901234567890, "w":1e400, "x":-0.0}',
    b'{"v":{}, "text":"\\u0041\\n\\t\\"\\/"}',
    b'{"text":"nul \\u0000 byte"}',
    b'{"text":"' + b"long " * 210_000 + b'"}',
    b'{"text":"last"}',
]
MESSY_TEXTS = [
    "types change", "types change", "keys", "spaces", "lone � surrogate", "huge", 'A\n\t"/', "nul \0 byte",
    "long " * 210_000, "last",
]  # fmt: skip


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [None, 5000, 90_000])
def test_messy_json_lines(end: bytes, size: int | None) -> None:
    """Read as they are and written as they were: BOM, CRLF, blank lines, no last line end, a line of a megabyte."""
    blank = b"\n \n"
    Path("pool.jsonl").write_bytes(b"\xef\xbb\xbf" + MESSY[0] + end + blank + end.join(MESSY[1:]))
    with fragments_of(size):
        assert read("pool.jsonl")[0] == MESSY_TEXTS
        with tamis.open("pool.jsonl") as pool:
            records = list(pool.records())
        assert records == [json.loads(line) for line in MESSY]
        with tamis.select("pool.jsonl", n=10, method="random") as chosen:
            assert chosen.to_dicts() == records
            chosen.write("out.jsonl")
    written = Path("out.jsonl").read_bytes()
    assert written == b"".join(line.strip() + b"\n" for line in MESSY)
    lines = [row["line"] for row in decisions(Path("out.jsonl"), place=True).values()]
    assert sorted(lines) == [1, *range(4, 13)]


# --- what cannot be read

FAULTS: list[tuple[bytes, str | None]] = [
    (b'{"text":"fine"}', None),
    (b'{"text":"cut', "broken JSON"),
    (b'{"text":"trailing",}', "broken JSON"),
    (b"not json", "broken JSON"),
    (b'[{"text":"array"}]', "not a JSON object"),
    (b'"text"', "not a JSON object"),
    (b'{"text":"caf\xe9"}', "invalid UTF-8"),
    (b"\xff\xfe\x00", "invalid UTF-8"),
    (b'{"other":"no text"}', "missing field 'text'"),
    (b'{"text":["list"]}', "field 'text' is of the wrong type"),
    (b'{"text":""}', "empty text"),
    (b'{"text":" \\n "}', "empty text"),
    (b'{"text":null}', "empty text"),
    (b'{"text":"fine too"}', None),
]


@pytest.mark.parametrize("size", [None, 16, 64])
@pytest.mark.parametrize("name", ["pool.jsonl", "pool.jsonl.gz"])
def test_rejects_of_json_lines(size: int | None, name: str) -> None:
    """File, line, reason and raw content of each, across fragments; counted in the manifest; sums hold."""
    lines = [line for line, _ in FAULTS]
    data = b"\n".join([*lines[:5], b"", *lines[5:]]) + b"\n"
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with fragments_of(size):
        code, _, err = tamis_cli("select", name, "-n", 9, "--text", "text", "--max-rejected", "100%", "-o", "o.jsonl")
    assert code == 0, err
    bad = [json.loads(line) for line in Path("o.rejected.jsonl").read_bytes().splitlines()]
    wanted = [
        (name, number + 1 + (number >= 5), reason, line)
        for number, (line, reason) in enumerate(FAULTS)
        if reason is not None
    ]
    assert [(b["file"], b["line"]) for b in bad] == [w[:2] for w in wanted]
    for found, (_, _, reason, line) in zip(bad, wanted, strict=True):
        assert found["reason"].startswith(reason), (found, line)
        raw = found["raw"].encode() if "raw" in found else base64.b64decode(found["raw_base64"])
        assert raw == line
    told = manifest(Path("o.jsonl"))
    assert told["counts"]["records"] == len(FAULTS)
    assert told["counts"]["rejected"] == told["inputs"][0]["rejected"] == len(bad)
    assert told["counts"]["eligible"] + told["counts"]["rejected"] == told["counts"]["records"]
    rows = decisions(Path("o.jsonl"), place=True)
    assert len(rows) == len(FAULTS)
    assert {(r["line"], r["reason"]) for r in rows.values() if r["stage"] == "read"} == {
        (b["line"], b["reason"]) for b in bad
    }


def test_rejects_of_other_formats() -> None:
    """Rows of CSV, elements of arrays, rows of tables and lines of text are set aside with their place."""
    Path("a.csv").write_bytes(b'text,v\n"two\nlines",1\nonly\n,2\nx,y,z\nfine,3\nbad \xff,4\n')
    Path("b.json").write_bytes(b'[\n {"text": "fine"},\n 7,\n {"text": nope},\n {"text": "\xff"}, {"no": 1}]')
    Path("c.txt").write_bytes(b"fine\nbad \xfe\n")
    write_pool(Path("d.parquet"), "parquet", [{"text": "fine"}, {"text": None}, {"text": " "}])
    code, _, err = tamis_cli(
        "select", "a.csv", "b.json", "c.txt", "d.parquet", "-n", 99, "--max-rejected", "1", "-o", "o.jsonl"
    )
    assert code == 0, err
    bad = [json.loads(line) for line in Path("o.rejected.jsonl").read_bytes().splitlines()]
    assert [(b["file"], b["line"], b["reason"].split(" at ")[0].split(":")[0]) for b in bad] == [
        ("a.csv", 4, "broken row"),
        ("a.csv", 5, "empty text"),
        ("a.csv", 6, "broken row"),
        ("a.csv", 8, "invalid UTF-8"),
        ("b.json", 2, "not a JSON object"),
        ("b.json", 3, "broken JSON"),
        ("b.json", 4, "invalid UTF-8"),
        ("b.json", 5, "missing field 'text'"),
        ("c.txt", 2, "invalid UTF-8"),
        ("d.parquet", 2, "empty text"),
        ("d.parquet", 3, "empty text"),
    ]
    assert bad[0]["raw"] == "only"
    assert bad[2]["raw"] == "x,y,z"
    assert base64.b64decode(bad[8]["raw_base64"]) == b"bad \xfe"
    assert manifest(Path("o.jsonl"))["counts"] == {
        "records": 16, "rejected": 11, "filtered": 0, "eligible": 5, "chosen": 5,
    }  # fmt: skip


def test_reject_reasons_across_shapes() -> None:
    """The field that is blamed is that of the file's own shape."""
    for name in ("alpaca", "messages"):
        record = SHAPES[name][0]
        write_pool(Path(f"{name}.jsonl"), "jsonl", [record, record, {"x": 1}])
    _, _, bad = read(["alpaca.jsonl", "messages.jsonl"])
    assert bad == [(3, "missing field 'instruction'"), (3, "missing field 'messages'")]


def test_strict_and_max_rejected() -> None:
    Path("pool.jsonl").write_bytes(lines_of(RECORDS[:8]) + b"{]\n" + lines_of(RECORDS[8:9]) + b"[]\n")
    code, _, err = tamis_cli("select", "pool.jsonl", "-n", 2, "-o", "o.jsonl")
    assert code == 2
    assert "2 of 11 records (18.2%) cannot be used; the limit is 10%" in err
    assert "The first: pool.jsonl, line 9: broken JSON at byte 2" in err
    for size in (None, 200):
        with fragments_of(size):
            code, _, err = tamis_cli("select", "pool.jsonl", "-n", 2, "-o", "o.jsonl", "--strict")
        assert code == 2
        assert "pool.jsonl, line 9: broken JSON at byte 2" in err
    assert not [path for path in Path().iterdir() if path.name.startswith("o.")]
    assert tamis_cli("select", "pool.jsonl", "-n", 2, "-o", "o.jsonl", "--max-rejected", "20%")[0] == 0


@pytest.mark.parametrize("size", [None, 1000])
@pytest.mark.parametrize("tail", [b'{"text":"cut', b'{"text":"' + b"x" * 5000, b'{"text":"caf\xc3'])
def test_last_line_that_is_cut(tail: bytes, size: int | None) -> None:
    """A last line without an end that is broken is a cut file: an error, however fragments fall; 100 % goes on."""
    Path("pool.jsonl").write_bytes(lines_of(RECORDS) + tail)
    with fragments_of(size):
        with pytest.raises(InputError, match=r"pool.jsonl: the last line \(41\) is cut: .* 40 lines were read whole"):
            tamis.open("pool.jsonl")
        with tamis.select("pool.jsonl", n=99, max_rejected=1, method="random") as chosen:
            assert chosen.counts["rejected"] == 1
            assert len(chosen) == 40
    Path("whole.jsonl").write_bytes(lines_of(RECORDS).rstrip())
    assert read("whole.jsonl")[2] == [], "without a last line end, but whole"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_file_that_is_cut(suffix: str) -> None:
    """The error tells how much was read; 100 % goes on with it."""
    noise = random.Random(0)
    records = [{"text": noise.randbytes(500).hex()} for _ in range(1200)]  # several blocks of every compressor
    path = write_pool(Path("pool.jsonl" + suffix), "jsonl", records)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"after [\d,]+ decompressed bytes .*; [\d,]+ lines were read") as told:
        tamis.open(path)
    assert "--max-rejected 100%" in str(told.value)
    with tamis.select(path, n=10**6, max_rejected=1, method="random") as chosen:
        found = chosen.to_dicts()
    assert found == records[: len(found)]
    assert len(found) > 200
