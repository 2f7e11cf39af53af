"""The JSON kernels against Python's json module, on hostile records."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.corpus.chunk import Kind, Reject
from tamis.corpus.json_array import ArraySplitter
from tamis.kernels import json as kernels

SPACE = b" \t\r\n"
NAMES = ("a", "text", 'é"\\', "")

texts = st.text(st.characters(codec=None, categories=None), max_size=60)
keys = st.sampled_from([*NAMES, "b", "A", "tex", "texts"]) | st.text(max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.text('"\\/\b\f\n\r\t\x00é\ud800\udc00x')
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=12)
records = st.dictionaries(keys, values, max_size=6)
layouts = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": "\t"}])


def dump(value, layout, ascii_only):
    """Return JSON bytes; lone surrogates can only be written escaped."""
    try:
        return json.dumps(value, ensure_ascii=ascii_only, **layout).encode()
    except UnicodeEncodeError:
        return json.dumps(value, **layout).encode()


def scan(spans, names=NAMES, before=b"", after=b""):
    """Run `find_fields` over spans laid into one buffer between `before` and `after`."""
    data, starts = bytearray(), []
    for span in spans:
        data += before
        starts.append(len(data))
        data += span + after
    starts = np.array(starts, np.int64)
    stops = starts + np.array([len(s) for s in spans], np.int64)
    data = np.frombuffer(data, np.uint8)
    return data, starts, stops, kernels.find_fields(data, starts, stops, *kernels.laid_out(names))


def expected_status(span):
    try:
        text = span.decode()
    except UnicodeDecodeError as error:
        return Reject.INVALID_UTF8, error.start + 1
    try:
        value = json.loads(text)
    except ValueError:
        return Reject.BROKEN_JSON, None
    return (Reject.OK, -1) if isinstance(value, dict) else (Reject.NOT_AN_OBJECT, -1)


def plain(text):
    return "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def kind_of(value):
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOL
    return {int: Kind.INT, float: Kind.FLOAT, str: Kind.STRING}.get(type(value), Kind.NESTED)


@given(record=records, layout=layouts, ascii_only=st.booleans())
def test_fields_are_found_where_json_loads_finds_them(record, layout, ascii_only):
    span = dump(record, layout, ascii_only)
    data, _, _, (status, detail, begins, ends, kinds) = scan([span], before=b'"', after=b'"}]')
    assert (status[0], detail[0]) == (Reject.OK, -1)
    for slot, name in enumerate(NAMES):
        if name not in record:
            assert kinds[slot, 0] == kernels.ABSENT
            continue
        value = record[name]
        assert kinds[slot, 0] == kind_of(value)
        raw = data[begins[slot, 0] : ends[slot, 0]].tobytes().decode()
        back = json.loads(f'"{raw}"' if isinstance(value, str) else raw)
        # Two escaped halves that stand side by side are one character once read back.
        same = json.loads(json.dumps(value))
        assert json.dumps(back) == json.dumps(same)


@st.composite
def corrupted(draw):
    span = bytearray(dump(draw(st.one_of(records, values)), draw(layouts), draw(st.booleans())).strip(SPACE))
    bytes_ = st.sampled_from(list(b'"\\{}[],:0123456789.-+eEtfnulNaInity \x00\x1f\x7f\x80\xbf\xc2\xe0\xed\xf0\xf4\xff'))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(span)))
        match draw(st.sampled_from("ird")):
            case "i":
                span.insert(at, draw(bytes_))
            case "r" if at < len(span):
                span[at] = draw(bytes_)
            case "d" if at < len(span):
                del span[at]
    return bytes(span).strip(SPACE) or b"{"


@given(
    spans=st.lists(corrupted(), min_size=1, max_size=5),
    after=st.sampled_from([b"", b"\n", b'"', b'0}]"' * 12]),
)
@example(spans=[b"-"], after=b"1")
@example(spans=[b"01", b"1.", b"1e", b".5", b"+1", b"-NaN", b"Infinit", b"nul", b"1_0", b"-01"], after=b"")
@example(
    spans=[b'{"a":1,}', b"[1,]", b"{,}", b'{"a" 1}', b'{"a":}', b"{1:2}", b'{"a":1 "b":2}', b"[1 2]"],
    after=b"",
)
@example(spans=[b'"\\u12g4"', b'"\\x"', b'"\\', b'"\\u12', b'"a\tb"', b'"', b'{"a":"\\"}'], after=b'"')
@example(spans=[b"{}{}", b"{} x", b"[", b"]", b"[}", b"{]", b'{"a":[1}', b"\xef\xbb\xbf{}"], after=b"]}")
def test_accepted_if_and_only_if_json_loads_accepts(spans, after):
    _, _, _, (status, detail, _, _, kinds) = scan(spans, before=b"x", after=after)
    for i, span in enumerate(spans):
        code, column = expected_status(span)
        assert status[i] == code, span
        if column is None:
            assert 1 <= detail[i] <= len(span) + 1
        else:
            assert detail[i] == column
        if code in (Reject.BROKEN_JSON, Reject.INVALID_UTF8):
            assert (kinds[:, i] == kernels.ABSENT).all()


@given(st.binary(min_size=1, max_size=80))
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xe0\x9f\xbf")
@example(b"\xc0\xaf")
@example("中文字符".encode() * 9 + b"\xe4\xb8")
@example("a" * 40 + "é")
def test_utf8_is_strict(content):
    content = content.encode() if isinstance(content, str) else content
    status, detail = kernels.check_texts(
        np.frombuffer(bytearray(content), np.uint8), np.array([0]), np.array([len(content)])
    )
    expected, column = Reject.OK, -1
    try:
        if not content.decode().strip():
            expected = Reject.EMPTY
    except UnicodeDecodeError as error:
        expected, column = Reject.INVALID_UTF8, error.start + 1
    assert (status[0], detail[0]) == (expected, column)


def test_where_a_record_is_broken_by_hand():
    """`{"a": tru}`: the literal goes wrong at byte 10; `{"a" 1}`: a colon is missed at byte 6."""
    _, _, _, (status, detail, *_) = scan([b'{"a": tru}', b'{"a" 1}', b"{", b'{"a": "x'])
    assert status.tolist() == [Reject.BROKEN_JSON] * 4
    assert detail.tolist() == [10, 6, 2, 9]


def test_exceptions_to_json_loads():
    """Depth is limited to 512 levels; integers are not limited in length, as in Python they are."""
    deep = b'{"a":' * 512 + b"1" + b"}" * 512
    deeper = b'{"a":' * 513 + b"1" + b"}" * 513
    many = b"[" * 513 + b"]" * 513
    huge = b'{"a":' + b"9" * 5000 + b"}"
    _, _, _, (status, *_) = scan([deep, deeper, many, huge])
    assert status.tolist() == [Reject.OK, Reject.BROKEN_JSON, Reject.BROKEN_JSON, Reject.OK]


def test_of_duplicate_keys_the_last_wins_however_they_are_written():
    span = b'{"text": 1, "te\\u0078t": "two", "a": {"text": 3}, "text ": 4, "a": null}'
    data, _, _, (_, _, begins, ends, kinds) = scan([span])
    assert data[begins[1, 0] : ends[1, 0]].tobytes() == b"two"
    assert kinds[:2, 0].tolist() == [Kind.NULL, Kind.STRING]


def test_a_key_with_a_lone_surrogate_is_no_name():
    _, _, _, (_, _, _, _, kinds) = scan([b'{"\\ud800": 1}'], names=("\ufffd",))
    assert kinds[0, 0] == kernels.ABSENT


@given(st.lists(texts, max_size=5), st.booleans())
def test_strings_are_unescaped(strings, ascii_only):
    spans = [dump({"a": s}, {}, ascii_only) for s in strings]
    data, _, _, (_, _, begins, ends, kinds) = scan(spans, names=("a",))
    out, offsets = kernels.render_column(data, begins[0], ends[0], kinds[0])
    for i, span in enumerate(spans):
        got = out[offsets[i] : offsets[i + 1]].tobytes().decode()
        assert got == plain(json.loads(span)["a"])


@given(st.lists(values, max_size=5), layouts, st.booleans(), st.binary(max_size=40))
def test_compact_is_json_without_white_space(items, layout, ascii_only, after):
    spans = [dump(v, layout, ascii_only) for v in items]
    data, starts, stops, _ = scan(spans, after=after)
    out, offsets = kernels.compact_spans(data, starts, stops)
    for i, item in enumerate(items):
        got = out[offsets[i] : offsets[i + 1]].tobytes()
        assert got == dump(item, {"separators": (",", ":")}, ascii_only)


@given(
    st.lists(st.sampled_from([b"", b" ", b"x", b'{"a": 1}', b"\r", b"\t x ", b"y" * 70]), max_size=12),
    st.booleans(),
)
def test_lines(lines, closed):
    content = b"\n".join(lines) + (b"\n" if closed else b"")
    data = np.frombuffer(bytearray(content), np.uint8)
    starts, stops, numbers, total = kernels.split_lines(data, 0, len(data), True)
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert total == len(expected)
    assert [data[a:b].tobytes() for a, b in zip(starts, stops, strict=True)] == [
        line.strip(SPACE) for line in expected if line.strip(SPACE)
    ]
    assert numbers.tolist() == [i + 1 for i, line in enumerate(expected) if line.strip(SPACE)]


def feed(content, size):
    splitter, got = ArraySplitter(), []
    for i in range(0, len(content), size):
        found = splitter.feed(np.frombuffer(content[i : i + size], np.uint8))
        assert found.first == len(got) + 1 or not len(found.starts)
        got += [found.data[a:b].tobytes() for a, b in zip(found.starts, found.stops, strict=True)]
    return got, splitter


@given(st.lists(values, max_size=6), layouts, st.booleans(), st.integers(1, 90), st.booleans())
def test_array_elements_whatever_the_blocks(items, layout, ascii_only, size, bom):
    content = (b"\xef\xbb\xbf" if bom else b"") + b" " + dump(items, layout, ascii_only) + b"\n"
    got, splitter = feed(content, size)
    assert splitter.finish() is None
    assert [json.dumps(json.loads(g)) for g in got] == [json.dumps(json.loads(json.dumps(v))) for v in items]
    assert all(g == g.strip(SPACE) for g in got)


def test_more_elements_than_room():
    got, splitter = feed(b"[" + b"1," * 9000 + b"2]", 1 << 20)
    assert (len(got), splitter.finish()) == (9001, None)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("content", "count", "message"),
    [
        (b'[{"a": 1} {"b": 2}]', 1, "expected ',' or ']' after a value, got '{"),
        (b"[1, 2,]", 2, "expected a value after ',', got ']' at byte 7"),
        (b"[1,,2]", 1, "expected a value after ',', got ',2]' at byte 4"),
        (b"[,1]", 0, "expected a value or ']', got ',1]' at byte 2"),
        (b"[1] x", 1, "expected nothing after the closing ']', got 'x' at byte 5"),
        (b"{}", 0, "expected '[' at the beginning, got '{"),
        (
            b'[{"a": 1}, {"b": [',
            1,
            "ends inside element 2, which starts at byte 12; 1 whole elements were read",
        ),
        (b'["a', 0, "ends inside element 1"),
        (b"[1, 2", 1, "ends inside element 2"),
        (b"[{}", 1, "expected ',' or ']' after a value, got the end of the file at byte 4"),
        (b"", 0, "expected '[' at the beginning, got the end of the file"),
    ],
)
def test_what_is_wrong_with_an_array_is_told(content, count, message, size):
    got, splitter = feed(content, size)
    assert len(got) == splitter.count == count
    told = splitter.finish()
    assert told is not None
    if size < 100:  # in small blocks less is shown of what follows
        message = message.split(", got '")[0]
    assert message in told


def test_a_broken_element_leaves_its_neighbours_alone():
    got, splitter = feed(b'[{"a": tru}, 1x{, {"b": 2}]', 5)
    assert got == [b'{"a": tru}', b"1x{", b'{"b": 2}']
    assert splitter.finish() is None


def test_a_buffer_that_is_read_only_is_taken_as_it_is():
    content = b'{"a": 1}'
    array = kernels.aliased(content)
    assert array.flags.writeable
    assert array.tobytes() == content
    assert kernels.aliased(array) is array
