"""Chunks of JSON and of plain text: what real, messy files hold, and every shape rendered."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.corpus.chunk import Kind, Reading, Reject
from tamis.corpus.json_array import ArraySplitter
from tamis.corpus.json_chunk import JsonChunk
from tamis.corpus.recognise import parse_template, text_option
from tamis.corpus.shapes import Chat, Part, Template
from tamis.corpus.text_chunk import TextChunk
from tamis.errors import InputError, OptionError
from tamis.kernels import json as kernels
from tamis.kernels.hashing import hash_spans

OK = Reject.OK
MISSING, WRONG, EMPTY = Reject.MISSING_FIELD, Reject.WRONG_TYPE, Reject.EMPTY


def lines(*records, end="\n", **options):
    """Return the chunk of records (objects, or lines as bytes)."""
    raw = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    return JsonChunk.from_lines(np.frombuffer(end.encode().join(raw), np.uint8), **options)


def texts(parsed):
    return parsed.text.array().to_pylist()


def read(chunk, shape="text", **options):
    return chunk.parse(Reading(text_option(shape) if isinstance(shape, str) else shape, **options))


# -- messy lines -------------------------------------------------------------------------------------


def test_a_messy_file_is_read_as_it_is():
    content = (
        b'\xef\xbb\xbf{"text": "a", "n": 1}\r\n'
        b"\r\n"
        b'  {"text": 2.50, "n": "one"}  \r\n'
        b'{"text": null, "n": null}\n'
        b'{"text": "old", "n": [1], "text": "caf\xc3\xa9 \\u00e9"}\n'
        b'{"text": {"nested": null}, "n": true}\n'
        b'{"text": "x\xff"}\n'
        b"[1]\n"
        b'{"text": "y"\n'
        b'{"n": 1.5e3}\n'
        b'{"text": "last \\ud83d\\ude00 \\udc00"}'
    )
    chunk = JsonChunk.from_lines(np.frombuffer(content, np.uint8), skip_bom=True)
    parsed = read(chunk, fields=("n",))
    assert chunk.line.tolist() == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (chunk.lines, chunk.nbytes, chunk.open_end) == (11, len(content), True)
    codes = [
        OK,
        OK,
        EMPTY,
        OK,
        WRONG,
        Reject.INVALID_UTF8,
        Reject.NOT_AN_OBJECT,
        Reject.BROKEN_JSON,
        MISSING,
        OK,
    ]
    assert parsed.status.tolist() == codes
    assert parsed.detail.tolist() == [-1, -1, -1, -1, 0, 12, -1, 13, 0, -1]
    assert parsed.names == ("text",)
    assert texts(parsed) == ["a", "2.50", "", "café é", "", "", "", "", "", "last 😀 \ufffd"]
    field = parsed.fields["n"]
    assert field.kind.tolist() == [
        Kind.INT, Kind.STRING, Kind.NULL, Kind.NESTED, Kind.BOOL, *[Kind.NULL] * 3, Kind.FLOAT, Kind.NULL,
    ]  # fmt: skip
    assert field.text.array().to_pylist() == ["1", "one", "", "", "true", "", "", "", "1.5e3", ""]
    assert chunk.raw(1) == b'{"text": 2.50, "n": "one"}'
    assert chunk.raw(7) == b'{"text": "y"'
    assert chunk.jsonl(np.array([3, 0])) == [chunk.raw(3), b'{"text": "a", "n": 1}']
    assert [record.get("n") for record in chunk.sample(3)] == [1, "one", None]


def test_without_the_flag_a_bom_is_broken_json():
    assert read(lines(b'\xef\xbb\xbf{"text": "a"}')).status.tolist() == [Reject.BROKEN_JSON]


def test_a_megabyte_line():
    words = 'word \\ " é\n' * 100_000
    chunk = lines({"text": "small"}, {"text": words}, json.dumps({"text": words}, ensure_ascii=False).encode())
    assert texts(read(chunk)) == ["small", words, words]


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n", b"\xef\xbb\xbf"])
def test_nothing_to_read(content):
    chunk = JsonChunk.from_lines(np.frombuffer(content, np.uint8), skip_bom=True)
    parsed = read(chunk, parse_template("{a}{b}"), id_field="id", fields=("c",))
    assert (chunk.n, len(parsed.text), len(parsed.ids), parsed.key.shape) == (0, 0, 0, (0, 2))
    assert chunk.lines == content.count(b"\n")
    assert chunk.jsonl(np.arange(0)) == []
    assert chunk.table(np.arange(0)).num_rows == 0


def test_the_key_is_the_hash_of_the_record_alone():
    one = lines({"text": "a"}, {"text": "b"})
    other = lines({"text": "b"}, b"   " + json.dumps({"text": "a"}).encode() + b"\t", end="\r\n")
    assert np.array_equal(read(one).key, read(other, "other").key[::-1])


def test_more_fields_than_fit():
    with pytest.raises(OptionError, match=r"at most 64 fields .* got 65"):
        read(lines({}), "text", fields=tuple(f"f{i}" for i in range(64)))


# -- ids ---------------------------------------------------------------------------------------------


def test_ids_are_strings_and_integers():
    values = ["x\u00e9", 12345678901234567890123, -1, None, 1.5, True, ["a"], {}, ""]
    chunk = lines(*({"text": "t", "id": value} for value in values), {"text": "t"}, {"id": "no text"}, b"{")
    parsed = read(chunk, id_field="id")
    assert parsed.names == ("text", "id")
    assert parsed.status.tolist() == [
        OK, OK, OK, MISSING, WRONG, WRONG, WRONG, WRONG, OK, MISSING, MISSING, Reject.BROKEN_JSON,
    ]  # fmt: skip
    assert parsed.detail.tolist() == [-1, -1, -1, 1, 1, 1, 1, 1, -1, 1, 0, 2]
    shown = ["xé", "12345678901234567890123", "-1", "", "", "", "", "", "", "", "no text", ""]
    assert parsed.ids.array().to_pylist() == shown
    assert texts(parsed)[3:8] == [""] * 5


# -- templates ---------------------------------------------------------------------------------------


class RefusedError(Exception):
    """What the slow rendering raises."""


def scalar(value):
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        raise RefusedError(WRONG)
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def slow_template(record, template):
    out = ""
    for part in template.parts:
        if part.field is not None and part.field not in record and not part.optional:
            raise RefusedError(MISSING)
        value = scalar(record.get(part.field)) if part.field is not None else ""
        out += "" if part.optional and not value else part.literal + value
    if not out.strip():
        raise RefusedError(EMPTY)
    return out


def same_as(slow, records, shape):
    """Check that the chunk of `records` renders to what `slow` says of each, as its line reads back."""
    parsed = read(lines(*records), shape)
    for i, record in enumerate(records):
        try:
            expected, code = slow(json.loads(json.dumps(record)), shape), OK
        except RefusedError as error:
            expected, code = "", error.args[0]
        assert (parsed.status[i], parsed.text.array()[i].as_py()) == (code, expected)


names = st.sampled_from(["a", "b", "c"])
strings = st.text(st.characters(codec=None, categories=None), max_size=40) | st.text(
    " \t\u3000\u2028\x85\n", max_size=3
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings
some = scalars | st.just([]) | st.just({"a": "x"})


@given(
    st.lists(st.dictionaries(names, some), max_size=6),
    st.lists(
        st.builds(Part, st.text(max_size=4).map(scalar), names | st.none(), st.booleans()),
        min_size=1,
        max_size=5,
    ),
)
@example([{}, {"a": None}, {"a": ""}, {"a": "x"}], [Part("<", "a", True), Part(">", None)])
def test_templates_render_as_a_slow_reading_does(records, parts):
    same_as(slow_template, records, Template("t", tuple(parts)))


# -- chats -------------------------------------------------------------------------------------------


def slow_content(content):
    if not isinstance(content, list):
        if content is None or isinstance(content, str):
            return scalar(content)
        raise RefusedError(WRONG)
    out = ""
    for part in content:
        if isinstance(part, dict):
            part = part.get("text", 0) if part.get("type", "text") == "text" else None
        if part is not None and not isinstance(part, str):
            raise RefusedError(WRONG)
        out += scalar(part)
    return out


def slow_chat(record, chat):
    system = scalar(record.get(chat.system)) if chat.system else ""
    if chat.turns not in record:
        raise RefusedError(MISSING)
    turns = record[chat.turns]
    if turns is None:
        raise RefusedError(EMPTY)
    if not isinstance(turns, list):
        raise RefusedError(WRONG)
    said, contents = ["system: " + system] if system else [], ""
    for turn in turns:
        if not isinstance(turn, dict):
            raise RefusedError(WRONG)
        if chat.role not in turn:
            raise RefusedError(MISSING)
        role = turn[chat.role]
        if not (role is None or isinstance(role, str)):
            raise RefusedError(WRONG)
        content = slow_content(turn.get(chat.content))
        contents += content
        said.append(f"{scalar(role)}: {content}")
    if not contents.strip():
        raise RefusedError(EMPTY)
    return "\n".join(said)


parts = (
    strings
    | st.none()
    | st.integers()
    | st.dictionaries(
        st.sampled_from(["type", "text", "url"]),
        st.just("text") | st.just("image_url") | strings | st.none() | st.just([{}]),
    )
)
turn = st.fixed_dictionaries(
    {},
    optional={
        "role": strings | st.none() | st.just("user"),
        "content": strings | st.none() | st.lists(parts, max_size=3),
        "name": some,
    },
)
good_turn = st.fixed_dictionaries({"role": strings, "content": strings | st.none()}, optional={"tool_calls": some})
chats = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(good_turn, max_size=4) | st.lists(turn | st.integers(), max_size=3) | some,
        "system": some,
        "other": some,
    },
)


@given(st.lists(chats, max_size=4), st.sampled_from([None, "system"]))
def test_chats_render_as_a_slow_reading_does(records, system):
    same_as(slow_chat, records, Chat("messages", "messages", "role", "content", system))


def test_chats_by_hand():
    shape = Chat("messages", "messages", "role", "content", "system")
    user = {"role": "user", "content": 'Hi\n"you"'}
    parts = [
        {"type": "text", "text": "Look: "},
        {"type": "image_url", "image_url": {"url": "x"}},
        "a",
        {"text": "t"},
    ]
    chunk = lines(
        {"system": "Be kind.", "messages": [user, {"role": "assistant", "content": "Hello."}]},
        {
            "messages": [
                {"content": parts, "role": "user"},
                {"role": "assistant", "content": None, "tool_calls": [{}]},
            ]
        },
        {"messages": []},
        {"messages": [{"role": "user", "content": " "}], "system": "alone"},
        {"messages": [user, "x"]},
        {"messages": [{"content": "who?"}]},
        {"messages": [user, {"role": "user", "content": 5}]},
        {"messages": "[]"},
        {"system": "x"},
        b'{"messages": [{"role": "a", "content": "first", "cont\\u0065nt": "second", "role": "b"}]}',
        {"messages": [user], "system": ["x"]},
    )
    parsed = read(chunk, shape)
    assert parsed.names == ("messages", "role", "content", "system")
    assert parsed.status.tolist() == [OK, OK, EMPTY, EMPTY, WRONG, MISSING, WRONG, WRONG, MISSING, OK, WRONG]
    assert parsed.detail.tolist() == [-1, -1, -1, -1, 0, 1, 2, 0, 0, -1, 3]
    assert [text for text in texts(parsed) if text] == [
        'system: Be kind.\nuser: Hi\n"you"\nassistant: Hello.',
        "user: Look: at\nassistant: ",
        "b: second",
    ]


def test_sharegpt_is_the_same_with_other_keys():
    chunk = lines({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho", "weight": 1.0}]})
    shape = Chat("sharegpt", "conversations", "from", "value")
    assert texts(read(chunk, shape)) == ["human: Hi\ngpt: Ho"]


# -- arrays ------------------------------------------------------------------------------------------


def elements(content, size=1 << 20):
    splitter = ArraySplitter()
    chunks = []
    for i in range(0, len(content), size):
        found = splitter.feed(np.frombuffer(content[i : i + size], np.uint8))
        chunks.append(JsonChunk.from_elements(found.data, found.starts, found.stops))
    assert splitter.finish() is None
    return chunks


def test_array_elements_have_the_same_keys_and_lines_however_they_are_indented():
    records = [{"text": "a  b\n", "n": [1, {"x": None}]}, {"text": "é\\"}]
    tight, wide = (json.dumps(records, **how).encode() for how in ({"separators": (",", ":")}, {"indent": 4}))
    (one,), (other,) = elements(tight), elements(wide)
    assert np.array_equal(read(one).key, read(other).key)
    assert one.jsonl(np.arange(2)) == other.jsonl(np.arange(2))
    assert one.jsonl(np.array([1])) == [json.dumps(records[1], separators=(",", ":")).encode()]
    assert texts(read(other)) == ["a  b\n", "é\\"]
    assert (other.line.tolist(), other.lines) == ([1, 2], 2)
    assert other.raw(0).startswith(b'{\n        "text"')
    assert other.table(np.arange(2)).column_names == ["text", "n"]
    pieces = elements(wide, size=11)
    assert sum(piece.n for piece in pieces) == sum(piece.lines for piece in pieces) == 2


# -- tables ------------------------------------------------------------------------------------------


def test_a_table_loses_nothing():
    chunk = lines(
        {
            "s": "2020-01-01",
            "i": 1,
            "f": 1,
            "mixed": 1,
            "big": 2**63,
            "l": [1],
            "d": {"t": "2020-01-01T00:00:00"},
        },
        {"s": "b", "i": None, "f": 2.5, "mixed": "1", "big": 1, "l": [], "d": {"t": "x"}, "late": True},
        {"mixed": {"a": [1, 2]}, "big": None},
    )
    assert chunk.table(np.arange(3)).to_pylist() == [
        {"s": "2020-01-01", "i": 1, "f": 1.0, "mixed": "1", "big": str(2**63), "l": [1], "late": None,
         "d": {"t": "2020-01-01T00:00:00"}},
        {"s": "b", "i": None, "f": 2.5, "mixed": '"1"', "big": "1", "l": [], "late": True, "d": {"t": "x"}},
        {"s": None, "i": None, "f": None, "mixed": '{"a": [1, 2]}', "big": None, "l": None, "late": None,
         "d": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (
            ['{"t": "2020-01-01 10:00:00", "n": {"d": ["2020-01-01"]}}'],
            [{"t": "2020-01-01 10:00:00", "n": {"d": ["2020-01-01"]}}],
        ),
        (
            ['{"a": 9007199254740993, "b": 1.5}', '{"a": 0.5}'],
            [{"a": "9007199254740993", "b": 1.5}, {"a": "0.5", "b": None}],
        ),
        (['{"a": 1, "a": 2}'], [{"a": 2}]),
        (['{"a": NaN}', '{"a": "x"}'], [{"a": "NaN"}, {"a": '"x"'}]),
        (['{"a": "\\ud800"}', '{"a": "b"}'], [{"a": '"\\ud800"'}, {"a": '"b"'}]),
        (['{"a": {}}'], [{"a": "{}"}]),
        (['{"a": true}', '{"a": 1}'], [{"a": "true"}, {"a": "1"}]),
    ],
)
def test_tables_by_hand(records, expected):
    chunk = lines(*(record.encode() for record in records))
    assert chunk.table(np.arange(chunk.n)).to_pylist() == expected


@given(st.lists(st.dictionaries(names, scalars, min_size=1), min_size=1, max_size=5))
def test_a_table_holds_each_value_or_its_json_text(records):
    chunk = lines(*records)
    table = chunk.table(np.arange(chunk.n))
    table.validate(full=True)
    for row, line in zip(table.to_pylist(), chunk.jsonl(np.arange(chunk.n)), strict=True):
        record = json.loads(line)
        for name, got in row.items():
            value = record.get(name)
            raw = isinstance(got, str) and not (isinstance(value, str) and got == value)
            back = json.loads(got) if raw else got
            assert json.dumps(back) == json.dumps(value) or back == value


def test_a_table_of_what_is_no_object():
    with pytest.raises(InputError, match="expected a JSON object to write as a row, got b'1'"):
        lines({"a": 1}, b"1").table(np.arange(2))


# -- plain text --------------------------------------------------------------------------------------


def text_lines(content, **options):
    return TextChunk.from_lines(np.frombuffer(content, np.uint8), **options)


def test_lines_of_text():
    chunk = text_lines(b'\xef\xbb\xbf one "1" \r\n\n \t\r\nt\xc3\xa9\xff\n\xe3\x80\x80\nz\r', skip_bom=True)
    parsed = read(chunk)
    assert (chunk.line.tolist(), chunk.lines) == ([1, 4, 5, 6], 6)
    assert parsed.status.tolist() == [OK, Reject.INVALID_UTF8, EMPTY, OK]
    assert parsed.detail.tolist() == [-1, 4, -1, -1]
    assert texts(parsed)[:2] == [' one "1" ', ""]
    assert [json.loads(line)["text"] for line in chunk.jsonl(np.arange(4))] == [
        ' one "1" ',
        "té\ufffd",
        "\u3000",
        "z",
    ]
    assert chunk.sample(2) == [{"text": ' one "1" '}]
    assert chunk.raw(1) == b"t\xc3\xa9\xff"
    assert chunk.table(np.array([3])).to_pylist() == [{"text": "z"}]
    data = np.frombuffer(bytearray(b"z"), np.uint8)
    assert np.array_equal(parsed.key[3:], hash_spans(data, np.array([0]), np.array([1]), np.uint64(0)))


def test_a_file_of_text_is_one_record():
    content = "﻿two\nlines\n".encode()
    chunk = TextChunk.whole(np.frombuffer(content, np.uint8))
    assert texts(read(chunk)) == ["two\nlines\n"]
    assert (chunk.line.tolist(), chunk.lines) == ([1], 1)
    assert read(TextChunk.whole(np.frombuffer(b" \n", np.uint8))).status.tolist() == [EMPTY]


def test_text_under_other_readings():
    chunk = text_lines(b"a\nb\xff\n\xc2\xa0")
    parsed = read(chunk, "{text}", id_field="text", fields=("text", "n"))
    assert parsed.status.tolist() == [OK, Reject.INVALID_UTF8, EMPTY]
    assert texts(parsed) == ["a", "", ""]
    assert parsed.ids.array()[0].as_py() == "a"
    assert parsed.fields["n"].kind.tolist() == [Kind.NULL] * 3
    other = read(chunk, "body")
    assert other.status.tolist() == [MISSING, Reject.INVALID_UTF8, MISSING]
    assert other.names == ("body",)
    assert np.array_equal(other.key, parsed.key)


# -- threads -----------------------------------------------------------------------------------------


def test_threads_parse_to_the_same_bytes():
    records = [{"title": f"t{i}", "body": "é\n" * (i % 50), "id": i} for i in range(2000)]
    chunks = [lines(*records[i::4]) for i in range(4)]
    reading = Reading(parse_template("{title}. {body}"), "id", ("body",))
    alone = [chunk.parse(reading) for chunk in chunks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda chunk: chunk.parse(reading), chunks * 5))
    for parsed, expected in zip(together, itertools.cycle(alone), strict=False):
        assert texts(parsed) == texts(expected)
        assert np.array_equal(parsed.key, expected.key)
        assert parsed.ids.array().equals(expected.ids.array())


def test_texts_are_arrow_arrays_over_the_same_memory():
    parsed = read(lines({"text": "a"}, {"text": "b" * 100}))
    array = parsed.text.array()
    array.validate(full=True)
    assert isinstance(array, pa.LargeStringArray)
    assert kernels.MAX_FIELDS == 64
