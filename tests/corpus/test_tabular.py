"""Readers of tables: every row once, in order, in fragments; damage told, broken rows kept."""

from __future__ import annotations

import csv as python_csv
import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tamis.corpus import tabular
from tamis.corpus.chunk import Reading, Reject
from tamis.corpus.csv_file import CsvFile
from tamis.corpus.shapes import Part, Template
from tamis.errors import InputError, UserError

TABLE = pa.table({"id": range(5000), "text": [f"record {i} " * 20 for i in range(5000)]})
A = Reading(Template("t", (Part("", "a"),)))


def loaded(file):
    tasks = list(file.tasks())
    assert [task.index for task in tasks] == list(range(len(tasks)))
    return [task.load() for task in tasks]


def unpack(path):
    return lambda: gzip.GzipFile(fileobj=io.BytesIO(Path(path).read_bytes()))


def joined(chunks):
    return pa.concat_tables([chunk.rows for chunk in chunks])


# -- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("group_rows", [70, 1000, 5000])
@pytest.mark.parametrize("fragment_bytes", [None, 50_000])
def test_parquet_in_fragments(group_rows, fragment_bytes):
    pq.write_table(TABLE, "a.parquet", row_group_size=group_rows)
    chunks = loaded(tabular.parquet("a.parquet", fragment_bytes=fragment_bytes))
    assert joined(chunks).equals(TABLE)
    if fragment_bytes:
        assert len(chunks) > 10
        assert max(chunk.nbytes for chunk in chunks) < 4 * fragment_bytes or group_rows == 70
    else:
        assert len(chunks) == 1


def test_a_parquet_fragment_can_be_loaded_again_and_alone():
    pq.write_table(TABLE, "a.parquet", row_group_size=700)
    tasks = list(tabular.parquet("a.parquet", fragment_bytes=100_000).tasks())
    last = tasks[-1].load()
    assert last.rows.equals(tasks[-1].load().rows)
    assert last.rows["id"][-1].as_py() == 4999


def test_compressed_parquet_is_unpacked():
    pq.write_table(TABLE, "a.parquet")
    Path("a.parquet.gz").write_bytes(gzip.compress(Path("a.parquet").read_bytes()))
    assert joined(loaded(tabular.parquet("a.parquet.gz", unpack("a.parquet.gz")))).equals(TABLE)
    Path("cut.gz").write_bytes(Path("a.parquet.gz").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.gz: expected compressed bytes, but it is cut or damaged"):
        loaded(tabular.parquet("cut.gz", unpack("cut.gz")))


def test_corrupt_parquet_is_told():
    pq.write_table(TABLE, "a.parquet", row_group_size=500, compression="zstd")
    whole = Path("a.parquet").read_bytes()
    Path("cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.parquet: expected a Parquet file, but it is cut or damaged after 0"):
        loaded(tabular.parquet("cut.parquet"))
    start = pq.read_metadata("a.parquet").row_group(4).column(1).data_page_offset
    Path("bad.parquet").write_bytes(whole[:start] + b"\xff" * 300 + whole[start + 300 :])
    with pytest.raises(InputError, match=r"row group 5 of 10, .* after 2,000 of 5,000 rows"):
        loaded(tabular.parquet("bad.parquet", fragment_bytes=60_000))
    Path("empty.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="expected a Parquet file"):
        loaded(tabular.parquet("empty.parquet"))


# -- Arrow, data sets ----------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_arrow_files_and_streams(compression):
    feather.write_feather(TABLE, "a.feather", compression=compression)
    with pa.ipc.new_stream("s.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=100)
    for path in ("a.feather", "s.arrow"):
        assert joined(loaded(tabular.arrow(path))).equals(TABLE)
        small = loaded(tabular.arrow(path, fragment_bytes=50_000))
        assert joined(small).equals(TABLE)
        assert max(chunk.nbytes for chunk in small) <= 60_000


def test_a_cut_arrow_stream_ends_in_damage_and_a_cut_file_is_an_error():
    with pa.ipc.new_stream("s.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=100)
    Path("cut.arrow").write_bytes(Path("s.arrow").read_bytes()[:-20_000])
    file = tabular.arrow("cut.arrow")
    read = joined(loaded(file))
    assert read.equals(TABLE.slice(0, len(read)))
    assert file.damage is not None
    assert f"cut.arrow: expected Arrow record batches, but it is cut or damaged after {len(read):,}" in file.damage
    feather.write_feather(TABLE, "a.feather")
    Path("cut.feather").write_bytes(Path("a.feather").read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"cut\.feather: expected Arrow record batches"):
        loaded(tabular.arrow("cut.feather"))
    Path("old.feather").write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(InputError, match="Feather version 1"):
        loaded(tabular.arrow("old.feather"))


def saved(folder, shards):
    """Save a data set the way `datasets` does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    step = len(TABLE) // shards
    for i, name in enumerate(names):
        with pa.ipc.new_stream(folder / name, TABLE.schema) as writer:
            writer.write_table(TABLE.slice(i * step, step), max_chunksize=1000)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


def test_saved_data_sets_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    saved(Path("one"), 4)
    assert joined(loaded(tabular.hf_dataset("one"))).equals(TABLE)
    saved(Path("dict/train"), 2)
    Path("dict/dataset_dict.json").write_text('{"splits": ["train"]}')
    assert joined(loaded(tabular.hf_dataset("dict"))).equals(TABLE)
    Path("dict/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match=r"expected one split, got 2\. Name the ones you want: dict/train, dict/test"):
        tabular.hf_dataset("dict")
    Path("one/data-00002-of-00004.arrow").unlink()
    with pytest.raises(InputError, match="expected the file data-00002-of-00004"):
        loaded(tabular.hf_dataset("one"))
    Path("other").mkdir()
    with pytest.raises(InputError, match=r"expected a data set saved by `datasets`"):
        loaded(tabular.hf_dataset("other"))


def test_lance():
    driver = pytest.importorskip("lance")
    driver.write_dataset(TABLE, "a.lance", max_rows_per_file=1200)
    chunks = loaded(tabular.lance("a.lance", fragment_bytes=200_000))
    assert len(chunks) > 2
    assert joined(chunks).equals(TABLE)
    with pytest.raises(InputError, match="expected a Lance data set"):
        loaded(tabular.lance("none.lance"))


def test_lance_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(UserError, match=r"pip install 'tamis\[lance\]'"):
        loaded(tabular.lance("a.lance"))


# -- CSV -----------------------------------------------------------------------------------------


def read_csv(content, fragment_bytes=None, delimiter=","):
    """Return the header and rows (line, status, detail, raw, values) of a CSV file, and its damage."""
    file = CsvFile("x.csv", lambda: io.BytesIO(content), delimiter, fragment_bytes)
    rows, before, names = [], 0, None
    for chunk in loaded(file):
        parsed = chunk.parse(A)
        names = chunk.rows.column_names
        columns = [column.cast(pa.large_binary()).to_pylist() for column in chunk.rows.columns]
        values = [[_shown(value) for value in row] for row in zip(*columns, strict=True)]
        for i in range(chunk.n):
            broken = parsed.status[i] == Reject.BROKEN_ROW
            told = (int(parsed.status[i]), int(parsed.detail[i])) if broken else None
            rows.append((int(chunk.line[i]) + before, told, chunk.raw(i), None if broken else values[i]))
        before += chunk.lines
    return names, rows, file.damage


def _shown(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def test_csv_by_hand():
    content = b'\xef\xbb\xbfa,b\r\n1,"x\n""y"""z\r\n\r\n3\n4,5,6\n"7",\n'
    names, rows, damage = read_csv(content)
    assert names == ["a", "b"]
    assert damage is None
    assert rows == [
        (2, None, b'1,"x\n""y"""z', ["1", 'x\n"y"z']),
        (5, (Reject.BROKEN_ROW, 1), b"3", None),
        (6, (Reject.BROKEN_ROW, 3), b"4,5,6", None),
        (7, None, b'"7",', ["7", ""]),
    ]


def test_csv_that_ends_within_quotes_or_a_row():
    _, rows, damage = read_csv(b'a,b\n1,2\n3,"four\n5,6\n')
    assert [row[1] for row in rows] == [None, (Reject.BROKEN_ROW, 2)]
    assert rows[1][2] == b'3,"four\n5,6\n'
    assert damage is not None
    assert "the quotes opened on line 3 are never closed" in damage
    _, rows, damage = read_csv(b"a,b\n1,2\n3")
    assert rows[1][:3] == (3, (Reject.BROKEN_ROW, 1), b"3")
    assert damage is None
    assert loaded(CsvFile("x", lambda: io.BytesIO(b"a,b\n1,2\n3"), ","))[0].open_end


def test_a_cut_compressed_csv_is_told():
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(10_000)))
    file = CsvFile("x.csv.gz", lambda: gzip.GzipFile(fileobj=io.BytesIO(packed[:-2000])), ",", 5000)
    chunks = loaded(file)
    assert sum(chunk.n for chunk in chunks) > 100
    assert "x.csv.gz: cut or damaged after" in str(file.damage)


def test_odd_headers():
    assert read_csv(b"a,a,,a.1,\n1,2,3,4,5\n")[0] == ["a", "a.2", "", "a.1", ".1"]
    assert read_csv(b"\n\na\n1\n", 3)[1] == [(4, None, b"1", ["1"])]
    assert read_csv(b"a\tb\n1\t2,3\n", delimiter="\t")[1][0][3] == ["1", "2,3"]
    with pytest.raises(InputError, match="expected a header row"):
        read_csv(b"\n\n")
    with pytest.raises(InputError, match="expected UTF-8, got UTF-16"):
        read_csv("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(InputError, match="in the header"):
        read_csv(b"a,\xff\n1,2\n")


def test_csv_keys_of_broken_rows_are_of_their_bytes():
    chunk = loaded(CsvFile("x", lambda: io.BytesIO(b"a,b\n1\n2\n1\n"), ","))[0]
    key = chunk.parse(A).key
    assert (key[0] == key[2]).all()
    assert (key[0] != key[1]).any()


cells = st.text('ab," \n\r\u017e', max_size=5)
tables = st.integers(1, 4).flatmap(lambda w: st.lists(st.lists(cells, min_size=w, max_size=w), min_size=1, max_size=6))


@given(tables, st.sampled_from(["\n", "\r\n"]), st.sampled_from([None, 3, 5, 16]))
@settings(max_examples=200)
@example([["a", "b"], ["\r", '"'], ["", ","]], "\n", 3)
def test_csv_reads_what_python_writes(rows, end, fragment_bytes):
    width = len(rows[0])
    text = io.StringIO(newline="")
    python_csv.writer(text, lineterminator=end, quoting=python_csv.QUOTE_ALL).writerows([["h"] * width, *rows])
    _, found, damage = read_csv(text.getvalue().encode(), fragment_bytes)
    assert [row[3] for row in found] == rows
    assert damage is None
    reader = python_csv.reader(io.StringIO(text.getvalue(), newline=""))
    starts, line = [], 0
    for _ in reader:
        starts.append(line + 1)
        line = reader.line_num
    if "\r" not in text.getvalue().replace("\r\n", ""):  # Python counts a lone CR within quotes as no line
        assert [row[0] for row in found] == starts[1:]


@given(st.binary(max_size=40).map(lambda tail: b"a,b\n" + tail), st.integers(3, 20))
@settings(max_examples=200)
@example(b'a,b\n"x\r"\r\n1,2\r\r\n', 4)
@example(b'a,b\n"""",""\n"', 3)
def test_csv_in_any_fragments_is_the_same(content, fragment_bytes):
    def told(size):
        try:
            return read_csv(content, size)
        except InputError as error:
            return str(error)

    assert told(fragment_bytes) == told(None)


@given(st.lists(st.sampled_from([b"1,2", b"3", b'"a\nb",c', b"", b"x,y,z", b'"q""q",r']), max_size=12))
def test_no_csv_row_is_lost(rows):
    _, found, _ = read_csv(b"a,b\n" + b"".join(row + b"\n" for row in rows), 7)
    assert [row[2] for row in found] == [row for row in rows if row]
    ends = np.cumsum([1, *(row.count(b"\n") + 1 for row in rows)])
    assert [row[0] for row in found] == [int(end) + 1 for end, row in zip(ends[:-1], rows, strict=True) if row]
