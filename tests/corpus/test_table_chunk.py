"""Tables as records: texts, ids, fields, keys and JSON, against JSON records of the same content."""

from __future__ import annotations

import datetime
import decimal
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.corpus.chunk import Kind, Reading, Reject
from tamis.corpus.csv_file import CsvChunk
from tamis.corpus.json_chunk import JsonChunk
from tamis.corpus.shapes import Chat, Part, Template
from tamis.corpus.table_chunk import TableChunk
from tamis.corpus.table_keys import row_keys
from tamis.corpus.table_values import float_texts

PLAIN = Template("text", (Part("", "s"),))
RICH = Template(
    "rich",
    (Part("Q: ", "s"), Part("\nN ", "i", optional=True), Part("|", "f"), Part("~", None), Part("", "b", True)),
)
OPENAI = Chat("messages", "messages", "role", "content", "system")


def json_chunk(records):
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    return JsonChunk.from_lines(np.frombuffer(lines, np.uint8))


def texts(text):
    return text.array().to_pylist()


def assert_same(parsed, expected):
    assert parsed.status.tolist() == expected.status.tolist()
    assert parsed.detail.tolist() == expected.detail.tolist()
    assert parsed.names == expected.names
    assert texts(parsed.text) == texts(expected.text)
    if expected.ids is not None:
        usable = expected.status == Reject.OK
        assert np.array(texts(parsed.ids))[usable].tolist() == np.array(texts(expected.ids))[usable].tolist()
    for name, field in expected.fields.items():
        assert parsed.fields[name].kind.tolist() == field.kind.tolist()
        assert texts(parsed.fields[name].text) == texts(field.text)


strings = st.text(max_size=6) | st.sampled_from(["", " ", "\n\u3000", "\x1c", "\x1e \u2028", "\u200b", "Ž" * 40])
flat = st.fixed_dictionaries(
    {
        "s": st.none() | strings,
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "b": st.none() | st.booleans(),
    }
)
FLAT = pa.schema({"s": pa.string(), "i": pa.int64(), "f": pa.float64(), "b": pa.bool_()})


@given(st.lists(flat, max_size=6), st.sampled_from([PLAIN, RICH]), st.sampled_from([None, "s", "i", "f"]))
@example([{"s": " ", "i": 1, "f": 1e16, "b": True}, {"s": None, "i": None, "f": -0.0, "b": None}], RICH, "i")
def test_templates_render_as_their_json(records, shape, id_field):
    reading = Reading(shape, id_field, ("s", "i", "f", "b", "absent"))
    chunk = TableChunk(pa.Table.from_pylist(records, FLAT))
    assert_same(chunk.parse(reading), json_chunk(records).parse(reading))


said = st.none() | strings
TURN = pa.struct({"role": pa.string(), "content": pa.string()})
turns = st.none() | st.lists(st.none() | st.fixed_dictionaries({"role": said, "content": said}), max_size=3)
PARTS = pa.struct({"role": pa.string(), "content": pa.list_(pa.struct({"type": pa.string(), "text": pa.string()}))})
part = st.none() | st.fixed_dictionaries({"type": st.none() | st.sampled_from(["text", "image", ""]), "text": said})
part_turns = st.none() | st.lists(
    st.fixed_dictionaries({"role": said, "content": st.none() | st.lists(part, max_size=3)}), max_size=3
)


@given(st.lists(st.fixed_dictionaries({"messages": turns, "system": said}), max_size=5))
@example([{"messages": [{"role": "user", "content": "x"}, None], "system": "S"}])
@example([{"messages": [{"role": None, "content": " "}], "system": "S"}])
def test_chats_render_as_their_json(records):
    table = pa.Table.from_pylist(records, pa.schema({"messages": pa.list_(TURN), "system": pa.string()}))
    assert_same(TableChunk(table).parse(Reading(OPENAI)), json_chunk(records).parse(Reading(OPENAI)))
    rest = TableChunk(table.slice(1)).parse(Reading(OPENAI))
    assert_same(rest, json_chunk(records[1:]).parse(Reading(OPENAI)))


@given(st.lists(st.fixed_dictionaries({"messages": part_turns}), max_size=5))
def test_contents_in_parts_render_as_their_json(records):
    table = pa.Table.from_pylist(records, pa.schema({"messages": pa.list_(PARTS)}))
    assert_same(TableChunk(table).parse(Reading(OPENAI)), json_chunk(records).parse(Reading(OPENAI)))


@pytest.mark.parametrize(
    "record",
    [
        {"messages": "no list"},
        {"messages": [1, 2]},
        {"messages": ["a"]},
        {"messages": [{"content": "no role"}]},
        {"messages": [{"role": 1, "content": "x"}]},
        {"messages": [{"role": "u"}]},
        {"messages": [{"role": "u", "content": 5}]},
        {"messages": [{"role": "u", "content": ["a", "b", None]}]},
        {"messages": [{"role": "u", "content": [1]}]},
        {"messages": [{"role": "u", "content": [{"type": "text"}]}]},
        {"messages": [{"role": "u", "content": [{"type": "image"}]}]},
        {"messages": [{"role": "u", "content": [{"text": "no type"}]}]},
        {"messages": [{"role": "u", "content": [{"type": 3, "text": "x"}]}]},
        {"messages": [{"role": "u", "content": {"text": "x"}}]},
        {"messages": [{"role": "u", "content": "x"}], "system": {"a": 1}},
        {"messages": [{"role": "u", "content": "x"}], "system": 7},
        {"messages": {"role": "u"}, "system": ["x"]},
        {"other": 1},
        {"messages": []},
        {"messages": None},
    ],
)
def test_odd_chats_are_told_as_their_json(record):
    parsed = TableChunk(pa.Table.from_pylist([record])).parse(Reading(OPENAI))
    assert_same(parsed, json_chunk([record]).parse(Reading(OPENAI)))


def test_sharegpt_by_hand():
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": None}]
    table = pa.table({"conversations": pa.array([turns], pa.large_list(pa.struct({"from": "str", "value": "str"})))})
    parsed = TableChunk(table).parse(Reading(Chat("sharegpt", "conversations", "from", "value")))
    assert texts(parsed.text) == ["human: Hi\ngpt: "]


def test_missing_nested_and_binary_columns():
    table = pa.table({"s": ["a", "b"], "l": [[1], None], "x": pa.array([b"a", None])})
    shape = Template("t", (Part("", "s"), Part("-", "l"), Part("-", "x")))
    parsed = TableChunk(table).parse(Reading(shape))
    assert parsed.status.tolist() == [Reject.WRONG_TYPE, Reject.OK]
    assert parsed.names[parsed.detail[0]] == "l"
    assert texts(parsed.text) == ["", "b--"]
    gone = TableChunk(table).parse(Reading(Template("t", (Part("", "s"), Part("", "gone")))))
    assert gone.status.tolist() == [Reject.MISSING_FIELD] * 2
    assert gone.names[gone.detail[0]] == "gone"
    spared = TableChunk(table).parse(Reading(Template("t", (Part("", "s"), Part(" + ", "gone", True)))))
    assert texts(spared.text) == ["a", "b"]


def test_bytes_that_are_not_utf8_reject_their_row_alone():
    offsets, data = np.array([0, 2, 5, 7], np.int32), b"abax\xffok"
    table = pa.table({"s": pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(data)), "n": [1, 2, 3]})
    chunk = TableChunk(table)
    parsed = chunk.parse(Reading(PLAIN, "n", ("s",)))
    assert parsed.status.tolist() == [0, Reject.INVALID_UTF8, 0]
    assert parsed.detail[1] == 3
    assert texts(parsed.text) == ["ab", "", "ok"]
    assert parsed.fields["s"].kind.tolist() == [Kind.STRING, Kind.NULL, Kind.STRING]
    assert json.loads(chunk.raw(1)) == {"s": "ax\ufffd", "n": 2}
    assert chunk.sample(5) == [{"s": "ab", "n": 1}, {"s": "ok", "n": 3}]


@given(st.lists(st.none() | st.floats(), max_size=20))
@example([1e16, 1e-5, 5e-324, -0.0, 1.7976931348623157e308, 123456789012345680.0])
def test_floats_are_shown_as_json_shows_them(values):
    expected = [None if v is None or not np.isfinite(v) else json.dumps(v) for v in values]
    assert float_texts(pa.array(values, pa.float64())).to_pylist() == expected


def test_values_as_json_by_hand():
    utc = datetime.timezone(datetime.timedelta(hours=2))
    table = pa.table(
        {
            "when": pa.array([datetime.datetime(2024, 5, 1, 12, tzinfo=utc)], pa.timestamp("ms", "Europe/Paris")),
            "naive": pa.array([datetime.datetime(2024, 5, 1, 12)], pa.timestamp("s")),
            "day": [datetime.date(2024, 5, 1)],
            "time": pa.array([datetime.time(1, 2, 3)], pa.time32("s")),
            "price": [decimal.Decimal("12.50")],
            "bytes": [b"\xff\x00"],
            "big": pa.array([2**64 - 1], pa.uint64()),
            "half": pa.array([0.5], pa.float16()),
            "nan": [float("nan")],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
            "deep": [[{"d": [decimal.Decimal("1.0")], "b": b"a"}, None]],
            "code": pa.array(["x"]).dictionary_encode(),
            "view": pa.array(["v"], pa.string_view()),
            "lasting": pa.array([90], pa.duration("s")),
        }
    )
    assert json.loads(TableChunk(table).jsonl(np.array([0]))[0]) == {
        "when": "2024-05-01T10:00:00.000Z",
        "naive": "2024-05-01T12:00:00",
        "day": "2024-05-01",
        "time": "01:02:03",
        "price": "12.50",
        "bytes": "/wA=",
        "big": 2**64 - 1,
        "half": 0.5,
        "nan": None,
        "map": [{"key": "k", "value": 1}],
        "deep": [{"d": ["1.0"], "b": "YQ=="}, None],
        "code": "x",
        "view": "v",
        "lasting": 90,
    }
    parsed = TableChunk(table).parse(Reading(Template("t", (Part("", "when"), Part(" ", "price"))), "naive"))
    assert texts(parsed.text) == ["2024-05-01T10:00:00.000Z 12.50"]
    assert texts(parsed.ids) == ["2024-05-01T12:00:00"]


nested = st.fixed_dictionaries(
    {"l": st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3), "t": turns, "s": said}
)
NESTED = pa.schema({"l": pa.list_(pa.int64()), "t": pa.list_(TURN), "s": pa.string()})


@given(st.lists(nested, min_size=1, max_size=6))
def test_keys_are_equal_exactly_where_rows_are(records):
    table = pa.Table.from_pylist(records, NESTED)
    keys = [tuple(key) for key in row_keys(table).tolist()]
    rows = [repr(row) for row in table.to_pylist()]
    assert len(set(keys)) == len(set(rows))
    assert len(set(zip(keys, rows, strict=True))) == len(set(rows))


@given(st.lists(nested, min_size=1, max_size=5))
def test_keys_do_not_depend_on_storage(records):
    table = pa.Table.from_pylist(records, NESTED)
    keys = row_keys(table)
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    large = pa.schema({"s": pa.large_string(), "l": pa.large_list(pa.int8()), "t": pa.large_list(TURN)})
    coded = table.set_column(2, "s", table["s"].combine_chunks().dictionary_encode())
    wider = table.append_column("more", pa.nulls(len(table), pa.int32()))
    for other in (
        pq.read_table(file),
        table.select(["t", "l", "s"]),
        table.select(large.names).cast(large),
        coded,
        wider,
    ):
        assert (row_keys(other) == keys).all()
    assert (row_keys(table.slice(1)) == keys[1:]).all()
    chopped = pa.concat_tables([table.slice(i, 1) for i in range(len(table))])
    assert (row_keys(chopped) == keys).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([5], pa.int8()), pa.array([5], pa.uint64())),
        (pa.array([0.5], pa.float32()), pa.array([0.5], pa.float64())),
        (pa.array([1], pa.timestamp("s")), pa.array([10**9], pa.timestamp("ns"))),
        (pa.array([-1], pa.timestamp("s", "UTC")), pa.array([-1000], pa.timestamp("ms", "Asia/Tokyo"))),
        (pa.array([3], pa.date32()), pa.array([3 * 86_400_000], pa.date64())),
        (pa.array([7], pa.time32("s")), pa.array([7_000_000], pa.time64("us"))),
        (pa.array([b"ab"]), pa.array([b"ab"], pa.binary(2))),
        (pa.array([[1, 2]]), pa.array([[1, 2]], pa.list_(pa.int16(), 2))),
        (pa.array([[1, None]]), pa.array([[1, None]], pa.list_view(pa.int64()))),
    ],
)
def test_equal_values_of_one_class_have_one_key(one, other):
    assert (row_keys(pa.table({"x": one})) == row_keys(pa.table({"x": other}))).all()


def test_values_of_different_classes_have_different_keys():
    values = [
        pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array([b"1"]), pa.array([True]), pa.array([[1]]),
        pa.array([{"x": 1}]), pa.array([decimal.Decimal(1)]), pa.array([1], pa.date32()), pa.array([1], pa.time32("s")),
        pa.array([1], pa.timestamp("s")), pa.array([1], pa.timestamp("s", "UTC")), pa.array([1], pa.duration("s")),
        pa.array([2**64 - 1], pa.uint64()), pa.array([-1]), pa.array([[]]), pa.array([[None]]), pa.array([None]),
    ]  # fmt: skip
    keys = {tuple(row_keys(pa.table({"x": value}))[0].tolist()) for value in values}
    assert len(keys) == len(values)
    assert (row_keys(pa.table({"x": [1]})) != row_keys(pa.table({"y": [1]}))).all()


def test_csv_and_parquet_rows_have_one_key():
    chunk = CsvChunk(np.frombuffer(b'1,"a ""b"""\n2,\n', np.uint8), ("n", "s"), ord(","))
    table = pa.table({"s": ['a "b"', ""], "n": ["1", "2"]})
    assert (chunk.parse(Reading(PLAIN)).key == TableChunk(table).parse(Reading(PLAIN)).key).all()


def test_records_as_they_are():
    table = pa.table({"s": ["a", "b", "c"]}, metadata={"k": "v"})
    chunk = TableChunk(table)
    assert chunk.table(np.array([2, 0])).equals(pa.table({"s": ["c", "a"]}, metadata={"k": "v"}), check_metadata=True)
    assert chunk.jsonl(np.array([1])) == [b'{"s":"b"}']
    assert chunk.line.tolist() == [1, 2, 3]
    assert TableChunk(table.to_batches()[0]).n == 3
    empty = TableChunk(table.slice(0, 0)).parse(Reading(PLAIN, "s", ("s",)))
    assert len(empty.text) == len(empty.key) == 0


def test_of_columns_with_one_name_the_last_counts():
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["s", "s"])
    chunk = TableChunk(table)
    assert texts(chunk.parse(Reading(PLAIN)).text) == ["b"]
    assert chunk.jsonl(np.array([0])) == [b'{"s":"b"}']
