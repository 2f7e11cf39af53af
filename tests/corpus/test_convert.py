"""Records from one form into another: no value changes, clashes become JSON text."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.corpus.convert import (
    SchemaBuilder,
    annotate_lines,
    annotate_table,
    common_schema,
    conform,
    lines_to_table,
)
from tamis.corpus.json_types import is_raw_json
from tamis.corpus.table_values import json_lines
from tamis.errors import InputError


def as_table(lines):
    builder = SchemaBuilder()
    builder.add(lines)
    return lines_to_table(lines, builder.schema())


def through_parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(file)


def values_of(table):
    """Return the records of a table that came from JSON: raw JSON parsed, nulls left out."""
    raw = {field.name for field in table.schema if is_raw_json(field)}
    return [
        {name: _bare(json.loads(v) if name in raw and v is not None else v) for name, v in row.items() if v is not None}
        for row in table.to_pylist()
    ]


def _bare(value):
    """Return a value without null members: absent and null are one in a table."""
    if isinstance(value, dict):
        return {name: _bare(member) for name, member in value.items() if member is not None}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def bare(records):
    return [_bare(record) for record in records]


names = st.sampled_from(["a", "b", "ž", "", "tamis"]) | st.text(max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
hostile = st.recursive(
    scalars | st.just("\ud800") | st.just(2**53 + 1) | st.just(1e300),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(names, v, max_size=3),
    max_leaves=6,
)
records = st.lists(st.dictionaries(names, hostile, max_size=4), min_size=1, max_size=6)


@given(records)
@example([{"a": 2**63}, {"a": -1}])
@example([{"a": 2**53 + 1}, {"a": 0.5}])
@example([{"a": {}}, {"a": {"b": None}}])
@example([{"a": [[], [1]]}, {"a": [[None]]}])
@example([{"a": 10**400}, {"a": None}])
@example([{"\udc00": 1}])
@example([{"a": {"\udc00": 1}}])
def test_json_to_parquet_and_back_keeps_values(found):
    lines = [json.dumps(record).encode() for record in found]
    table = as_table(lines)
    expected = bare(found)
    if "\\ud" in repr(found):  # names that are no Unicode text are shown with escapes
        expected = [{_name(name): value for name, value in record.items()} for record in expected]
    if table.num_columns:  # records that are all {} have no columns to be rows of
        assert values_of(table) == expected
        assert through_parquet(table).to_pylist() == table.to_pylist()


def _name(name):
    return name.encode("utf-8", "backslashreplace").decode()


@given(records, st.integers(0, 6))
def test_builders_of_parts_merge_to_that_of_the_whole(found, cut):
    lines = [json.dumps(record).encode() for record in found]
    whole, first, second = SchemaBuilder(), SchemaBuilder(), SchemaBuilder()
    whole.add(lines)
    first.add(lines[:cut])
    second.add(lines[cut:])
    first.merge(second)
    assert first.schema().equals(whole.schema(), check_metadata=True)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "null"], pa.int64()),
        (["18446744073709551615", "0"], pa.uint64()),
        (["18446744073709551615", "-1"], "raw"),
        (["1", "2.5"], pa.float64()),
        (["9007199254740993", "2.5"], "raw"),
        (["123456789012345678901234567890"], "raw"),
        (["1e400", "1"], pa.float64()),
        (["NaN", "1.5"], pa.float64()),
        (["true", "1"], "raw"),
        (['"2024-05-01"', '"x"'], pa.string()),
        (['"2024-05-01T00:00:00"'], pa.string()),
        (['"a"', "1"], "raw"),
        (["{}", "{}"], "raw"),
        (['{"x": 1}', '{"y": "z"}'], pa.struct({"x": pa.int64(), "y": pa.string()})),
        (['{"x": 1}', '{"x": "z"}'], "raw"),
        (["[]", "[1]"], pa.list_(pa.int64())),
        (["[1, 2.5]", "[]"], pa.list_(pa.float64())),
        (["[1, [2]]"], "raw"),
        (["[" * 40 + "]" * 40], "raw"),
        (["null"], pa.null()),
    ],
)
def test_types_by_hand(values, kind):
    table = as_table([b'{"v": ' + value.encode() + b"}" for value in values])
    field = table.schema.field("v")
    if kind != "raw":
        assert field.type == kind
        return
    assert is_raw_json(field)
    assert table["v"].to_pylist() == [v.replace(", ", ",").replace(": ", ":") for v in values]


def test_raw_json_keeps_numbers_as_written():
    table = as_table([b'{"v": [1.50, 1e5, 123456789012345678901234567890]}', b'{"v": "x"}', b'{"v": null}', b"{}"])
    assert table["v"].to_pylist() == ["[1.50,1e5,123456789012345678901234567890]", '"x"', None, None]


def test_of_repeated_members_the_last_counts_and_order_is_of_appearance():
    table = as_table([b'{"b": 1, "a": 2, "b": 3}', b'{"c": 0, "a": 1}'])
    assert table.to_pylist() == [{"b": 3, "a": 2, "c": None}, {"b": None, "a": 1, "c": 0}]


def test_records_that_do_not_fit_a_schema_are_told():
    with pytest.raises(InputError, match="field 'a': expected int64 in every record"):
        lines_to_table([b'{"a": "x"}'], pa.schema({"a": pa.int64()}))


# -- one schema for several files ----------------------------------------------------------------


def test_one_schema_of_one_file_is_kept():
    schema = pa.schema({"a": pa.dictionary(pa.int8(), pa.string())}, metadata={"huggingface": "{}"})
    assert common_schema([schema, schema]).equals(schema, check_metadata=True)


def test_schemas_of_several_files():
    utc = pa.timestamp("us", "UTC")
    one = pa.table({"n": pa.array([1], pa.int32()), "s": ["x"], "c": [1], "t": pa.array([1], utc), "d": [[1]]})
    two = pa.table(
        {
            "s": pa.array(["y"]).dictionary_encode(),
            "n": [2.5],
            "c": ["z"],
            "t": pa.array([2], pa.timestamp("ns", "UTC")),
            "e": [{"k": decimal.Decimal("1.0")}],
            "d": [[0.5]],
        }
    )
    schema = common_schema([one.schema, two.schema])
    assert schema.names == ["n", "s", "c", "t", "d", "e"]
    both = pa.concat_tables([conform(one, schema), conform(two, schema)])
    assert both["n"].to_pylist() == [1.0, 2.5]
    assert both["s"].to_pylist() == ["x", "y"]
    assert both["c"].to_pylist() == ["1", '"z"']
    assert is_raw_json(schema.field("c"))
    assert both["d"].to_pylist() == [[1.0], [0.5]]
    assert both["e"].to_pylist() == [None, {"k": decimal.Decimal("1.0")}]
    assert conform(conform(one, schema), schema).equals(conform(one, schema))


def test_a_number_that_the_wider_type_cannot_hold_is_told():
    schema = common_schema([pa.schema({"n": pa.int64()}), pa.schema({"n": pa.float64()})])
    with pytest.raises(InputError, match="column 'n': expected values that fit double"):
        conform(pa.table({"n": [2**53 + 1]}), schema)


def test_moments_and_bytes_to_json_by_hand():
    table = pa.table({"d": [datetime.date(2024, 5, 1)], "b": [b"a"], "inf": [math.inf]})
    assert json_lines(table) == [b'{"d":"2024-05-01","b":"YQ==","inf":null}']


# -- annotations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a": 1}', b'{"a": 1, "tamis": {"s": 1}}'),
        (b'{"a":1.50 }  ', b'{"a":1.50 , "tamis": {"s": 1}}  '),
        (b"{}", b'{"tamis": {"s": 1}}'),
        (b"{ \t} ", b'{ \t"tamis": {"s": 1}} '),
        (b'{"a": "}"}', b'{"a": "}", "tamis": {"s": 1}}'),
        (b'{"a": "{"}', b'{"a": "{", "tamis": {"s": 1}}'),
        (b'{"tamis": 0, "a": 1e5}', b'{"a":1e5, "tamis": {"s": 1}}'),
        (b'{"tamis": 0}', b'{"tamis": {"s": 1}}'),
        (b'{"t\\u0061mis": 0, "a": 2}', b'{"a":2, "tamis": {"s": 1}}'),
        (b'{"a": {"tamis":  0}}', b'{"a": {"tamis":  0}, "tamis": {"s": 1}}'),
        (b'{"a": "say \\"tamis\\""}', b'{"a": "say \\"tamis\\"", "tamis": {"s": 1}}'),
        (b'{"tamis": 1, "a": "\\ud800"}', b'{"a": "\\ud800", "tamis": {"s": 1}}'),
    ],
)
def test_annotated_lines_by_hand(line, expected):
    assert annotate_lines([line], [b'{"s": 1}']) == [expected]


@given(st.dictionaries(names, hostile, max_size=4), st.sampled_from(["", " ", "\t"]), st.booleans())
def test_annotations_keep_all_else(record, space, ascii_only):
    if "\\ud" in repr(record):
        ascii_only = True
    line = (json.dumps(record, ensure_ascii=ascii_only) + space).encode()
    annotated = annotate_lines([line], [b'{"s":1}'])[0]
    record.pop("tamis", None)
    assert json.loads(annotated) == {**record, "tamis": {"s": 1}}
    if b'"tamis"' not in line:
        assert annotated.startswith(line[: line.rindex(b"}")])
        assert annotated.endswith(line[line.rindex(b"}") :])


def test_annotated_tables():
    table = pa.table({"a": [1], "tamis": ["old"]}, metadata={"huggingface": "{}", "pandas": "p"})
    told = pa.array([{"score": 0.5}])
    found = annotate_table(table, told)
    assert found.to_pylist() == [{"a": 1, "tamis": {"score": 0.5}}]
    assert found.schema.metadata == {b"pandas": b"p"}
