"""Writers: the same records, the same bytes, whole or not at all."""

from __future__ import annotations

import datetime
import decimal
import errno
import gzip
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.corpus import sinks, writers
from tamis.corpus.convert import SchemaBuilder
from tamis.corpus.writers import open_writer, parse_suffix, shard_paths
from tamis.errors import OptionError, OutputError

LINES = [json.dumps({"i": i, "text": f"record {i} " * 9}).encode() for i in range(30_000)]
TABLE = pa.table(
    {
        "i": pa.array(range(1000), pa.int32()),
        "s": [f"ž{i}" if i % 7 else None for i in range(1000)],
        "code": pa.array([f"c{i % 5}" for i in range(1000)]).dictionary_encode().cast(pa.dictionary(pa.int8(), "str")),
        "when": pa.array([datetime.datetime(2024, 5, 1)] * 1000, pa.timestamp("ns", "Europe/Prague")),
        "price": pa.array([decimal.Decimal("1.50")] * 1000, pa.decimal128(9, 2)),
        "deep": [[{"role": "user", "content": [b"\x00", None]}]] * 1000,
        "map": pa.array([[("k", 1.5)]] * 1000, pa.map_(pa.string(), pa.float32())),
        "large": pa.array(["x"] * 1000, pa.large_string()),
    },
    metadata={"huggingface": '{"info": 1}', "pandas": "{}"},
)


def write(path, parts, **options):
    with open_writer(path, **options) as writer:
        for part in parts:
            writer.append(part)
        return writer.commit()


def parts_of(records, cuts):
    """Return records in parts that end at the given places."""
    cuts = [0, *sorted(cut % (len(records) + 1) for cut in cuts), len(records)]
    part = records.slice if isinstance(records, pa.Table) else lambda a, n: records[a : a + n]
    return [part(a, b - a) for a, b in itertools.pairwise(cuts)]


def unpacked(path):
    data = Path(path).read_bytes()
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return pa.CompressedInputStream(pa.py_buffer(data), "zstd").read()
    return data


def test_suffixes():
    target = parse_suffix("x/my.data.JSONL.gz")
    assert (target.stem, target.suffix, target.format, target.compression) == ("my.data", ".JSONL.gz", "jsonl", "gzip")
    for name, near in (("a.jsonl.gzip", ".jsonl.gz"), ("a.parqet", ".parquet"), ("a.jsn", ".jsonl")):
        with pytest.raises(OptionError, match=f"NAME.parquet.*got '{name}'.*Did you mean '{near}'"):
            parse_suffix(name)
    for name in (".jsonl", "a", "a.csv"):
        with pytest.raises(OptionError, match="expected an output called"):
            parse_suffix(name)


@pytest.mark.parametrize("path", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
@given(cuts=st.lists(st.integers(0, 10**6), max_size=4))
@settings(max_examples=8)
def test_lines_come_back_and_bytes_do_not_depend_on_parts(path, cuts):
    write(path, [LINES])
    expected = Path(path).read_bytes()
    write(path, parts_of(LINES, cuts))
    assert Path(path).read_bytes() == expected
    assert unpacked(path) == b"".join(line + b"\n" for line in LINES)
    assert not list(Path().glob(".*"))


hostile = st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=10)


@given(hostile, st.sampled_from(["h.jsonl", "h.jsonl.gz", "h.jsonl.zst"]))
@settings(max_examples=50)
def test_any_bytes_of_a_line_come_back(lines, path):
    write(path, [[line] for line in lines])
    assert unpacked(path) == b"".join(line + b"\n" for line in lines)


def test_zstd_is_one_frame():
    write("a.jsonl.zst", [LINES])
    assert Path("a.jsonl.zst").read_bytes().count(b"\x28\xb5\x2f\xfd") == 1


@given(cuts=st.lists(st.integers(0, 10**6), max_size=4))
@settings(max_examples=10)
def test_tables_come_back_and_bytes_do_not_depend_on_parts(cuts):
    write("a.parquet", [TABLE])
    expected = Path("a.parquet").read_bytes()
    write("a.parquet", parts_of(TABLE, cuts))
    assert Path("a.parquet").read_bytes() == expected
    found = pq.read_table("a.parquet")
    assert found.equals(TABLE)
    assert found.schema.metadata == TABLE.schema.metadata
    assert found.schema.field("code").type == TABLE.schema.field("code").type


def test_parquet_bytes_do_not_depend_on_the_dictionaries_of_parts():
    taken = TABLE.take(pa.array(np.arange(400, 1000)))
    chopped = [TABLE.slice(i, 100) for i in range(400, 1000, 100)]
    fresh = [part.set_column(2, TABLE.schema.field(2), part["code"].cast("str").combine_chunks().dictionary_encode()
                             .cast(TABLE.schema.field(2).type)) for part in chopped]  # fmt: skip
    write("a.parquet", [taken])
    expected = Path("a.parquet").read_bytes()
    for parts in (chopped, fresh):
        write("a.parquet", parts)
        assert Path("a.parquet").read_bytes() == expected


def test_dictionaries_that_outgrow_their_index_type_are_written_in_parts():
    kind = pa.dictionary(pa.int8(), pa.string())
    parts = [
        pa.table({"c": pa.array([f"{p}-{i}" for i in range(100)]).dictionary_encode().cast(kind)}) for p in range(3)
    ]
    write("a.parquet", parts)
    found = pq.read_table("a.parquet")
    assert found["c"].cast(pa.string()).to_pylist() == [f"{p}-{i}" for p in range(3) for i in range(100)]


@given(st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=15)
def test_row_groups_close_by_rows_and_bytes_of_records_alone(cuts):
    table = pa.table({"s": ["x" * (i % 50) for i in range(400)], "l": [["y"] * (i % 9) for i in range(400)]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "_ROW_GROUP_ROWS", 90)
        patch.setattr(writers, "_ROW_GROUP_BYTES", 3000)
        write("a.parquet", [table])
        expected = Path("a.parquet").read_bytes()
        write("a.parquet", parts_of(table, cuts))
    assert Path("a.parquet").read_bytes() == expected
    facts = pq.read_metadata("a.parquet")
    assert 4 < facts.num_row_groups < 20
    assert pq.read_table("a.parquet").equals(table)


@pytest.mark.parametrize("path", ["a.parquet.gz", "a.parquet.zst"])
def test_parquet_in_an_outer_compression(path):
    write(path, [TABLE])
    assert pq.read_table(pa.BufferReader(unpacked(path))).equals(TABLE)


def test_json_lines_to_parquet_and_back():
    builder = SchemaBuilder()
    builder.add(LINES)
    write("a.parquet", parts_of(LINES, [7, 900]), schema=builder.schema())
    table = pq.read_table("a.parquet")
    assert table.to_pylist() == [json.loads(line) for line in LINES]
    write("b.jsonl", [table])
    assert [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()] == table.to_pylist()


def test_nothing_written_is_a_whole_file():
    write("a.jsonl", [])
    assert Path("a.jsonl").read_bytes() == b""
    write("a.parquet", [], schema=TABLE.schema)
    assert pq.read_table("a.parquet").equals(TABLE.slice(0, 0))
    write("b.parquet", [])
    assert pq.read_table("b.parquet").num_rows == 0


@pytest.mark.parametrize(("path", "records"), [("a.jsonl.gz", LINES[:10]), ("a.parquet", TABLE.slice(0, 10))])
@given(cuts=st.lists(st.integers(0, 10), max_size=3), shards=st.integers(2, 13))
@settings(max_examples=15)
def test_shards_are_contiguous_and_even(path, records, cuts, shards):
    paths = write(path, parts_of(records, cuts), shards=shards, total=10)
    assert paths == shard_paths(path, shards)
    assert paths[0].name == f"a-00000-of-{shards:05d}{path[1:]}"
    if path.endswith("gz"):
        found = [gzip.decompress(p.read_bytes()).splitlines() for p in paths]
        assert [line for part in found for line in part] == records
    else:
        found = [pq.read_table(p) for p in paths]
        assert all(part.schema.equals(records.schema) for part in found)
        assert [row for part in found for row in part.to_pylist()] == records.to_pylist()
    sizes = [len(part) for part in found]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)
    assert not Path(path).exists()


def test_more_records_than_announced():
    with pytest.raises(ValueError, match="more records than the 10 announced"):
        write("a.jsonl", [LINES[:11]], shards=2, total=10)
    assert not list(Path().iterdir())
    with pytest.raises(OptionError, match="at least 1 shard"):
        open_writer("a.jsonl", shards=0)


def test_a_target_is_not_touched_before_commit():
    Path("a.jsonl").write_text("old\n")
    with open_writer("a.jsonl") as writer:
        writer.append(LINES)
    assert Path("a.jsonl").read_text() == "old\n"
    assert [p.name for p in Path().iterdir()] == ["a.jsonl"]
    write("a.jsonl", [LINES[:1]])
    assert Path("a.jsonl").read_bytes() == LINES[0] + b"\n"


def test_what_cannot_be_written_is_told():
    with pytest.raises(OutputError, match=r"no/a\.jsonl: cannot be written: No such file"):
        open_writer("no/a.jsonl")


class _Full:
    """A file on a disk that is full after `room` bytes."""

    def __init__(self, raw, room):
        self._raw, self._room = raw, room

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(len(data), self._room)
        self._room -= count
        return self._raw.write(bytes(data[:count]))

    def __getattr__(self, name):
        return getattr(self._raw, name)


@pytest.mark.parametrize("path", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.parquet.gz"])
@pytest.mark.parametrize("room", [0, 1000])
def test_a_full_disk_leaves_nothing(path, room, monkeypatch):
    made = sinks.Sink.__init__
    monkeypatch.setattr(sinks.Sink, "__init__", lambda self, raw, c: made(self, _Full(raw, room), c))
    builder = SchemaBuilder()
    builder.add(LINES)
    Path("a.other").write_text("mine")
    told = "1,0[01]0" if room else "0"  # the other shard may have its header
    with pytest.raises(OutputError, match=rf"disk is full \(after {told} bytes\).*has been removed") as caught:
        write(path, [LINES], shards=2, total=len(LINES), schema=builder.schema())
    assert isinstance(caught.value.__cause__, OSError)
    assert [p.name for p in Path().iterdir()] == ["a.other"]


_LIMITED = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from tamis.corpus.writers import open_writer
from tamis.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
table = pa.table({"s": [str(hash(i) * 7919**3 % 10**18) for i in range(200_000)]})
try:
    with open_writer(sys.argv[1]) as writer:
        writer.append(table)
        writer.commit()
except OutputError as error:
    assert "the disk is full" in str(error), error
    assert not [p for p in Path().iterdir() if "a." in p.name]
    sys.exit(7)
"""


@pytest.mark.parametrize("path", ["a.jsonl", "a.jsonl.zst", "a.parquet"])
def test_a_limit_of_the_system_is_told_like_a_full_disk(path):
    pytest.importorskip("resource")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", _LIMITED, path], env=environment, capture_output=True, check=False)
    assert done.returncode == 7, done.stderr.decode()
