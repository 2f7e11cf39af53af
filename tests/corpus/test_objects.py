"""Records in memory, in and out."""

from __future__ import annotations

import datetime
import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus import objects
from tamis.corpus.json_chunk import JsonChunk
from tamis.corpus.table_chunk import TableChunk
from tamis.errors import InputError, UserError

RECORDS = [{"a": 1, "t": "x"}, {"a": 2, "t": "ž"}, {"a": 3, "t": None}]
TABLE = pa.Table.from_pylist(RECORDS)


def back(pool, fragment_bytes=None):
    """Return the records as JSON, and the chunks that held them."""
    assert objects.is_objects(pool)
    chunks = list(objects.chunks_of(pool, fragment_bytes))
    lines = [line for chunk in chunks for line in chunk.jsonl(np.arange(chunk.n))]
    return [json.loads(line) for line in lines], chunks


def frames():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = polars.DataFrame(RECORDS)
    return [pandas.DataFrame(RECORDS, index=[5, 6, 7]), frame, frame.lazy()]


def test_tables_in():
    batch = TABLE.to_batches()[0]
    for pool in (TABLE, batch, pa.RecordBatchReader.from_batches(TABLE.schema, [batch]), *frames()):
        records, chunks = back(pool)
        assert records == RECORDS
        assert all(isinstance(chunk, TableChunk) for chunk in chunks)


def test_frames_of_subclasses_in():
    pandas = pytest.importorskip("pandas")

    class Mine(pandas.DataFrame):
        pass

    assert back(Mine(RECORDS))[0] == RECORDS


def test_datasets_in_and_out():
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list(RECORDS)
    assert back(whole)[0] == RECORDS
    assert back(whole.select([2, 0]))[0] == [RECORDS[2], RECORDS[0]]
    assert objects.to_dataset(TABLE).to_list() == RECORDS
    with pytest.raises(InputError, match=r"pass one of its splits \(train, test\)"):
        objects.is_objects(datasets.DatasetDict({"train": whole, "test": whole}))


clashing = st.lists(
    st.dictionaries(
        st.text(max_size=3),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(-9, 9), max_size=2),
        max_size=3,
    ),
    min_size=1,
    max_size=6,
)


@given(clashing, st.sampled_from([None, 10]))
def test_dicts_in_are_the_same_dicts(records, fragment_bytes):
    found, chunks = back(records, fragment_bytes)
    assert found == records
    assert all(isinstance(chunk, JsonChunk) for chunk in chunks)
    assert back(iter(records))[0] == records
    assert objects.to_dicts([line for chunk in chunks for line in chunk.jsonl(np.arange(chunk.n))]) == records


def test_dicts_of_numpy_scalars_and_big_numbers():
    record = {"n": np.int64(3), "f": np.float32(0.5), "big": 2**70, "nan": float("nan"), "s": "\ud800"}
    found, _ = back([{"n": np.int64(3), "f": np.float32(0.5), "nan": float("nan")}])
    assert found == [{"n": 3, "f": 0.5, "nan": None}]
    found, _ = back([{"big": record["big"], "s": record["s"]}])
    assert found == [{"big": 2**70, "s": "\ud800"}]


def test_dicts_with_what_json_has_no_form_for_become_tables():
    records = [{"b": b"x", "d": datetime.date(2024, 5, 1)}, {"b": None, "d": None}]
    _, chunks = back(records)
    assert chunks[0].rows.to_pylist() == records
    with pytest.raises(InputError, match="field 'b': expected JSON values, or values of one type"):
        back([{"b": b"x"}, {"b": 1}])


def test_what_is_no_pool_of_records():
    assert not any(objects.is_objects(pool) for pool in (["a.jsonl"], "a.jsonl", [], ("a", "b")))
    with pytest.raises(InputError, match="expected a dict as record 2, got int"):
        list(objects.chunks_of([{"a": 1}, 2]))
    with pytest.raises(InputError, match=r"got builtins\.int"):
        list(objects.chunks_of(3))


def test_large_tables_are_cut():
    table = pa.table({"t": ["x" * 1000] * 1000})
    chunks = list(objects.chunks_of(table, 100_000))
    assert len(chunks) > 5
    assert sum(chunk.n for chunk in chunks) == 1000


def test_out():
    lines = [json.dumps(record).encode() for record in RECORDS]
    for records in (TABLE, lines):
        assert objects.to_arrow(records).to_pylist() == RECORDS
        assert objects.to_dicts(records) == RECORDS
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    assert objects.to_pandas(lines)["a"].tolist() == [1, 2, 3]
    assert objects.to_polars(lines).to_dicts() == RECORDS


@pytest.mark.parametrize("package", ["pandas", "polars", "datasets"])
def test_packages_are_optional(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"pip install 'tamis\[{package}\]'"):
        getattr(objects, {"datasets": "to_dataset"}.get(package, f"to_{package}"))(TABLE)
