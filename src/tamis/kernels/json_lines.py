"""Lines of a buffer, spans gathered into one buffer, and JSON without its white space.

Here and in the other rendering kernels Python allocates what a compiled loop fills: NumPy asks for
huge pages, which Numba's allocator does not, and first touches of small ones would cost more than
the work itself (3 us each: 1.3 GB/s).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.json_text import copy_span, is_blank, utf8_error
from tamis.kernels.vector import (
    address,
    copy32,
    load8,
    newline32,
    ones,
    space32,
    special32,
    store8,
    trailing_zeros,
)

__all__ = ["check_texts", "compact_spans", "gather_spans", "split_lines"]

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]

_INVALID_UTF8, _EMPTY = 3, 6


@njit(nogil=True, cache=True)
def _count_lines(data: _Bytes, begin: int, n_bytes: int) -> int:
    """Return the number of lines, a last one without line end included."""
    i, stop = address(data) + begin, address(data) + n_bytes
    count = 0
    last = stop - 1
    if i < stop and load8(last) != 0x0A:
        count = 1
    while i + 32 <= stop:
        count += ones(newline32(i))
        i += 32
    while i < stop:
        if load8(i) == 0x0A:
            count += 1
        i += 1
    return count


@njit(nogil=True, cache=True)
def _line_end(i: int, stop: int) -> int:
    while i + 32 <= stop:
        mask = newline32(i)
        if mask != 0:
            return i + int(trailing_zeros(mask))
        i += 32
    while i < stop and load8(i) != 0x0A:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _space(c: int) -> bool:
    return c <= 0x20 and (c == 0x20 or c == 0x0D or c == 0x09 or c == 0x0A)


@njit(nogil=True, cache=True)
def _lines(
    data: _Bytes,
    begin: int,
    n_bytes: int,
    trim: bool,
    starts: _Positions,
    stops: _Positions,
    numbers: _Positions,
) -> int:
    """Fill the columns of `split_lines`, which have room for every line, and return the records."""
    base = address(data)
    i, last = base + begin, base + n_bytes
    n = 0
    for line in range(len(starts)):
        end = _line_end(i, last)
        low, high = i, end
        while low < high and _space(load8(low)):
            low += 1
        while low < high and _space(load8(high - 1)):
            high -= 1
        if low < high:
            if not trim:
                low = i
                high = end - 1 if load8(end - 1) == 0x0D else end
            starts[n] = low - base
            stops[n] = high - base
            numbers[n] = line + 1
            n += 1
        i = end + 1
    return n


def split_lines(data: _Bytes, begin: int, n_bytes: int, trim: bool) -> tuple[_Positions, _Positions, _Positions, int]:
    r"""Find the records of ``data[begin:n_bytes]``, one a line.

    ``\n`` ends a line (the last one may lack it). A line of nothing but JSON white space is no
    record but counts as a line. With `trim`, white space around a record is left out; without,
    only the ``\r`` of a CRLF.

    Returns
    -------
    starts, stops : int64 arrays of shape (n,)
        Record `i` is ``data[starts[i]:stops[i]]``.
    numbers : int64 array of shape (n,)
        Its 1-based line.
    lines : int
        Lines in all.
    """
    lines = _count_lines(data, begin, n_bytes)
    starts, stops, numbers = (np.empty(lines, np.int64) for _ in range(3))
    n = _lines(data, begin, n_bytes, trim, starts, stops, numbers)
    return starts[:n], stops[:n], numbers[:n], lines


@njit(nogil=True, cache=True)
def check_texts(data: _Bytes, starts: _Positions, stops: _Positions) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the `Reject` codes of `n` plain texts, and where each is not UTF-8 (1-based byte), else -1."""
    status = np.zeros(len(starts), np.uint8)
    detail = np.full(len(starts), -1, np.int32)
    base = address(data)
    for i in range(len(starts)):
        wrong = utf8_error(base + starts[i], base + stops[i])
        if wrong >= 0:
            status[i] = _INVALID_UTF8
            detail[i] = min(wrong - base - starts[i] + 1, 0x7FFFFFFF)
        elif is_blank(base + starts[i], base + stops[i]):
            status[i] = _EMPTY
    return status, detail


@njit(nogil=True, cache=True)
def _gather(data: _Bytes, starts: _Positions, stops: _Positions, out: _Bytes, offsets: _Positions) -> None:
    base, target = address(data), address(out)
    for i in range(len(starts)):
        copy_span(base + starts[i], base + stops[i], base + len(data) - 32, target + offsets[i])


def gather_spans(data: _Bytes, starts: _Positions, stops: _Positions) -> tuple[_Bytes, _Positions]:
    """Return the `n` spans one after another in a new buffer, and the `n + 1` offsets between them."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(stops - starts, out=offsets[1:])
    out = np.empty(offsets[-1] + 32, np.uint8)
    _gather(data, starts, stops, out, offsets)
    return out[: offsets[-1]], offsets


@njit(nogil=True, cache=True)
def _compact(i: int, stop: int, limit: int, w: int) -> int:
    """Write the bytes from `i` to `stop` to `w` without the white space outside strings."""
    inside = False
    while i < stop:
        # Copy what needs no look: blocks up to the next quote, white space or backslash.
        while i <= limit and i < stop:
            mask = special32(i) if inside else space32(i)
            copy32(i, w)
            step = min(32 if mask == 0 else trailing_zeros(mask), stop - i)
            i += step
            w += step
            if mask != 0:
                break
        if i >= stop:
            break
        c = load8(i)
        i += 1
        if not inside and _space(c):
            continue
        store8(w, c)
        w += 1
        if c == 0x22:
            inside = not inside
        elif inside and c == 0x5C and i < stop:
            store8(w, load8(i))
            w += 1
            i += 1
    return w


@njit(nogil=True, cache=True)
def _compact_all(data: _Bytes, starts: _Positions, stops: _Positions, out: _Bytes, offsets: _Positions) -> None:
    base, target = address(data), address(out)
    w = target
    for i in range(len(starts)):
        w = _compact(base + starts[i], base + stops[i], base + len(data) - 32, w)
        offsets[i + 1] = w - target


def compact_spans(data: _Bytes, starts: _Positions, stops: _Positions) -> tuple[_Bytes, _Positions]:
    """Return the `n` spans without the white space outside strings, every other byte kept.

    One after another in a new buffer, with the `n + 1` offsets between them. The spans need not
    be valid JSON.
    """
    out = np.empty(int((stops - starts).sum()) + 32, np.uint8)
    offsets = np.zeros(len(starts) + 1, np.int64)
    _compact_all(data, starts, stops, out, offsets)
    return out[: offsets[-1]], offsets
