"""A strict JSON parser that validates a record in one pass and notes where the wanted fields are.

The grammar is RFC 8259 as Python's ``json.loads`` takes it: `NaN`, `Infinity`, `-Infinity` and
lone surrogate escapes pass; control characters in strings do not; of equal keys the last wins.
Unlike Python, nesting deeper than 512 is refused and integers may be of any length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.json_text import skip_space, string_end, unescape, utf8_error
from tamis.kernels.vector import (
    address,
    load8,
    load_word,
    special32,
    store8,
    store_word,
    trailing_zeros,
)

__all__ = ["ABSENT", "MAX_DEPTH", "MAX_FIELDS", "find_fields", "find_key", "scratch_bytes"]

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]

#: The kind of a field that a record does not have (the others are those of `corpus.chunk.Kind`).
ABSENT = 6
#: Levels of arrays and objects a record may have.
MAX_DEPTH = 512
#: Fields that can be asked for at once.
MAX_FIELDS = 64

_NULL, _BOOL, _INT, _FLOAT, _STRING, _NESTED = 0, 1, 2, 3, 4, 5
_OK, _BROKEN, _NOT_AN_OBJECT, _INVALID_UTF8 = 0, 1, 2, 3

_NULL_TEXT = int.from_bytes(b"null", "little")
_TRUE_TEXT = int.from_bytes(b"true", "little")
_FALSE_TEXT = int.from_bytes(b"false", "little")
_NAN_TEXT = int.from_bytes(b"NaN", "little")
_INFINITY_TEXT = int.from_bytes(b"Infinity", "little")
_QUOTE = 0x22


@njit(nogil=True, cache=True)
def _word(i: int, stop: int, word: int, length: int) -> int:
    """Return the end of the literal `word` (up to 8 bytes, the first one lowest), or ~position."""
    for k in range(length):
        if i + k >= stop or load8(i + k) != (word >> (8 * k)) & 0xFF:
            return ~(i + k)
    return i + length


@njit(nogil=True, cache=True)
def _digits(i: int, stop: int) -> int:
    """Return the position after a run of at least one digit, or ~position."""
    if i >= stop or not 0x30 <= load8(i) <= 0x39:
        return ~i
    i += 1
    while i < stop and 0x30 <= load8(i) <= 0x39:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _scalar(i: int, stop: int) -> tuple[int, int]:
    """Return the end (or ~position) and the kind of a number or a literal name."""
    c = load8(i)
    if c == 0x6E:
        return _word(i, stop, _NULL_TEXT, 4), _NULL
    if c == 0x74:
        return _word(i, stop, _TRUE_TEXT, 4), _BOOL
    if c == 0x66:
        return _word(i, stop, _FALSE_TEXT, 5), _BOOL
    if c == 0x4E:
        return _word(i, stop, _NAN_TEXT, 3), _FLOAT
    if c == 0x2D:
        i += 1
        c = load8(i) if i < stop else 0
    if c == 0x49:
        return _word(i, stop, _INFINITY_TEXT, 8), _FLOAT
    kind = _INT
    i = i + 1 if c == 0x30 else _digits(i, stop)
    if 0 <= i < stop and load8(i) == 0x2E:
        kind = _FLOAT
        i = _digits(i + 1, stop)
    if 0 <= i < stop and load8(i) | 0x20 == 0x65:
        kind = _FLOAT
        i += 1
        if i < stop and (load8(i) == 0x2B or load8(i) == 0x2D):
            i += 1
        i = _digits(i, stop)
    return i, kind


@njit(nogil=True, cache=True)
def _plain(i: int, stop: int, limit: int) -> tuple[int, int, int, int]:
    """Read a string or scalar; return what is kept of it, its end (or ~position), what follows, its kind."""
    if load8(i) == _QUOTE:
        end = string_end(i + 1, stop, limit)
        return i + 1, end, end + 1, _STRING
    end, kind = _scalar(i, stop)
    return i, end, end, kind


@njit(nogil=True, cache=True)
def find_name(start: int, stop: int, names: int, offsets: int, fields: int) -> int:
    """Return which of the `fields` names equals the bytes from `start` to `stop`, or -1."""
    for slot in range(fields):
        low = load_word(offsets + 8 * slot)
        if stop - start == load_word(offsets + 8 * slot + 8) - low:
            i = start
            low += names - start
            while i < stop and load8(i) == load8(low + i):
                i += 1
            if i == stop:
                return slot
    return -1


@njit(nogil=True, cache=True)
def find_key(start: int, stop: int, limit: int, names: int, offsets: int, fields: int, scratch: int) -> int:
    """Return which of the names a valid key, as written from `start` to `stop`, says; or -1.

    `scratch` takes what an escaped key says: see `scratch_bytes`.
    """
    if start <= limit:
        mask = special32(start)
        if mask != 0 and trailing_zeros(mask) == stop - start:
            return int(find_name(start, stop, names, offsets, fields))
    longest = 0
    for slot in range(fields):
        longest = max(longest, load_word(offsets + 8 * slot + 8) - load_word(offsets + 8 * slot))
    if stop - start > 6 * longest:  # an escape is at most six times as long as what it says
        return -1
    end = unescape(start, stop, limit, scratch, 0)
    return int(find_name(scratch, end, names, offsets, fields))


def scratch_bytes(offsets: NDArray[np.int64]) -> int:
    """Return the room that `find_key` needs to unescape a key that may equal one of the names."""
    return 6 * int(np.diff(offsets).max(initial=0)) + 32


@njit(nogil=True, cache=True)
def _key(
    i: int,
    stop: int,
    limit: int,
    depth: int,
    slot: int,
    names: int,
    offsets: int,
    fields: int,
    scratch: int,
) -> tuple[int, int]:
    """Read a key and its colon; return where the value starts, or ~position, and which name it is.

    Only keys of the top level (`depth` 1) are looked up; below, `slot` stays what it was.
    """
    if load8(i) != _QUOTE:
        return ~i, slot
    end = string_end(i + 1, stop, limit)
    if end < 0:
        return end, slot
    if depth == 1:
        slot = find_key(i + 1, end, limit, names, offsets, fields, scratch)
    i = skip_space(end + 1, stop)
    if i >= stop or load8(i) != 0x3A:
        return ~i, slot
    i = skip_space(i + 1, stop)
    return i if i < stop else ~i, slot


@njit(nogil=True, cache=True)
def _note(found: int, slot: int, begin: int, end: int, kind: int) -> None:
    """Keep where the value of a wanted field is; of equal keys the last one stays."""
    store_word(found + 24 * slot, begin)
    store_word(found + 24 * slot + 8, end)
    store_word(found + 24 * slot + 16, kind)


@njit(nogil=True, cache=True)
def _record(
    i: int,
    stop: int,
    limit: int,
    names: int,
    offsets: int,
    fields: int,
    found: int,
    nesting: int,
    scratch: int,
) -> int:
    """Validate the record from `i` to `stop`; return -1, or where it is broken.

    Everything is an address. Of each wanted field, begin, end and kind go to `found`, three words
    a field; the brackets that are open, to `nesting`.
    """
    depth, slot, opened, want_key = 0, -1, 0, False
    while True:
        if want_key:
            i, slot = _key(i, stop, limit, depth, slot, names, offsets, fields, scratch)
            if i < 0:
                return ~i
        # A value starts at i; after it, begin to end is what is kept of it and i is behind it.
        c = load8(i)
        if c == 0x7B or c == 0x5B:
            if depth == MAX_DEPTH:
                return i
            if depth == 1:
                opened = i
            store8(nesting + depth, c)
            begin = opened
            i = skip_space(i + 1, stop)
            if i >= stop:
                return i
            if load8(i) != c + 2:
                want_key = c == 0x7B
                depth += 1
                continue
            i += 1
            end = i
            kind = _NESTED
        else:
            begin, end, i, kind = _plain(i, stop, limit)
            if end < 0:
                return int(~end)
        # A value has ended: note it, then close what closes.
        while True:
            if depth == 1 and slot >= 0:
                _note(found, slot, begin, end, kind)
            i = skip_space(i, stop)
            if depth == 0:
                return -1 if i == stop else i
            if i >= stop:
                return i
            c, opening = load8(i), load8(nesting + depth - 1)
            if c == 0x2C:
                break
            if c != opening + 2:
                return i
            i += 1
            begin, end, kind = opened, i, _NESTED
            depth -= 1
        want_key = opening == 0x7B
        i = skip_space(i + 1, stop)
        if i >= stop:
            return i


@njit(nogil=True, cache=True)
def _records(
    data: _Bytes,
    starts: _Positions,
    stops: _Positions,
    names: _Bytes,
    offsets: _Positions,
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    found: NDArray[np.int64],
    nesting: NDArray[np.uint8],
    scratch: _Bytes,
) -> None:
    """Fill the columns of `find_fields`; the last three arguments are working room."""
    base, limit, fields = address(data), address(data) + len(data) - 32, len(offsets) - 1
    for row in range(len(starts)):
        start, stop = base + starts[row], base + stops[row]
        for slot in range(fields):
            found[3 * slot + 2] = ABSENT
        code = _INVALID_UTF8
        wrong = utf8_error(start, stop)
        if wrong < 0:
            code = _BROKEN
            wrong = _record(
                start, stop, limit, address(names), address(offsets), fields,
                address(found), address(nesting), address(scratch),
            )  # fmt: skip
        if wrong >= 0:
            status[row] = code
            detail[row] = min(wrong - start + 1, 0x7FFFFFFF)
            continue
        if load8(start) != 0x7B:
            status[row] = _NOT_AN_OBJECT
        for slot in range(fields):
            begins[slot, row] = found[3 * slot] - base
            ends[slot, row] = found[3 * slot + 1] - base
            kinds[slot, row] = found[3 * slot + 2]


def find_fields(
    data: _Bytes, starts: _Positions, stops: _Positions, names: _Bytes, offsets: _Positions
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Validate `n` records and find the values of the `f` top-level fields called `names`.

    Parameters
    ----------
    data : uint8 array
        The buffer; record `i` is ``data[starts[i]:stops[i]]``, not empty, no white space around.
    starts, stops : int64 arrays of shape (n,)
        Where each record begins and ends.
    names : uint8 array
        The names in UTF-8, one after another, all different.
    offsets : int64 array of shape (f + 1,)
        Name `j` is ``names[offsets[j]:offsets[j + 1]]``.

    Returns
    -------
    status : uint8 array of shape (n,)
        A `Reject` code: OK, BROKEN_JSON, NOT_AN_OBJECT or INVALID_UTF8.
    detail : int32 array of shape (n,)
        1-based byte of the record where it is broken, else -1.
    begins, ends : int64 arrays of shape (f, n)
        Where each value is: strings without their quotes, other values whole.
    kinds : uint8 array of shape (f, n)
        The kind of each value, `ABSENT` where a record has none or is rejected.
    """
    n, fields = len(starts), len(offsets) - 1
    status = np.zeros(n, np.uint8)
    detail = np.full(n, -1, np.int32)
    begins = np.zeros((fields, n), np.int64)
    ends = np.zeros((fields, n), np.int64)
    kinds = np.full((fields, n), ABSENT, np.uint8)
    found = np.zeros(3 * fields, np.int64)
    nesting = np.empty(MAX_DEPTH, np.uint8)
    scratch = np.empty(scratch_bytes(offsets), np.uint8)
    _records(data, starts, stops, names, offsets, status, detail, begins, ends, kinds, found, nesting, scratch)
    return status, detail, begins, ends, kinds
