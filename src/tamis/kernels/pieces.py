"""A value for each piece of a text, remembered: words recur, so work done once a word is cheap.

A text is cut before white space, where the caller's `Cuts` allow it; each piece (a word with
the white space before it) is looked up in a table that all threads share; the values of a
text's pieces are added up. Pieces the table lacks come back to the caller, are given a value
once, and join the table. The value is any int32 of at least 0: a number of tokens, or the row
of a side table.

Nothing rests on luck: a piece of at most 15 bytes is its own key, a longer one is found by
hash and then compared byte for byte.

The table is `rows` (`slots x 4`, uint64, slots a power of 2, at most half full): the two words
of a key, the value, and where the bytes of a long piece begin in `bytes_`. A free row has a
second word of 0. `walk` adds values up; a kernel that wants the values themselves is a loop of
`cut_after`, `piece_key` and `find` like it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.simd import count_trailing_zeros, fold64, load64

__all__ = [
    "LONGEST",
    "WHITE",
    "WHOLE",
    "Cuts",
    "Walk",
    "cut_after",
    "find",
    "insert",
    "piece_key",
    "rehash",
    "walk",
]

#: The value of a piece that must not be looked at alone: its text is valued as a whole.
WHOLE = -1
#: Bytes of the longest piece that is remembered.
LONGEST = 64
#: What cuts are made before, and the bit that allows each in a `Cuts` table.
WHITE = {0x20: 1, 0x09: 2, 0x0A: 4, 0x0D: 8}

_SHORT = 15  # bytes that fit into a key beside its length
_FIRST, _LONG = 16, 32  # bits of a key's top byte, above the length
_TOP = np.uint64(56)
_LOW56 = np.uint64((1 << 56) - 1)
_C0, _C1, _C2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xBF58476D1CE4E5B9)
_ZERO, _ONE, _ONES = np.uint64(0), np.uint64(1), np.uint64(0x0101010101010101)
_WHITE_BITS = np.zeros(256, np.uint8)
_WHITE_BITS[list(WHITE)] = list(WHITE.values())

#: Which white space a cut may precede, by the byte before it: `uint8[256]` of `WHITE` bits.
#: Bytes of 0x80 and above stand for any character beyond ASCII; after white space beyond
#: ASCII, invisible spaces and U+2581 there is never a cut.
Cuts = NDArray[np.uint8]


class Walk(NamedTuple):
    """The buffers `walk` fills: `fresh` pieces, `loose` ones, records to walk again.

    `fresh` (`f x 3`): start, stop, and whether the piece opens its text; each piece once.
    `seen`: the open-addressing table that makes it once (positions in `fresh` plus 1), of a power
    of 2 of slots, at least twice `f`; zeroed by the caller.
    `loose` (`l x 4`): the same after a record's number; pieces that are not remembered.
    """

    fresh: NDArray[np.int64]
    seen: NDArray[np.int32]
    loose: NDArray[np.int64]
    again: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _blocked(data: NDArray[np.uint8], start: int, j: int) -> bool:
    """Return whether the character before `j`, which is beyond ASCII, is space of some kind."""
    if j - start < 2:
        return True
    a, b = data[j - 2], data[j - 1]
    if a == 0xC2 and b in (0x85, 0xA0):
        return True
    if j - start < 3:
        return False
    lead = data[j - 3]
    if lead == 0xE2:
        if a == 0x80:  # U+2000 to U+200F, U+2028 to U+202F
            return bool(b <= 0x8F or 0xA8 <= b <= 0xAF)
        if a == 0x81:  # U+205F to U+206F
            return bool(b >= 0x9F and b <= 0xAF)
        return bool(a == 0x96 and b == 0x81)  # U+2581, SentencePiece's space
    if lead == 0xE1:
        return bool(a == 0x9A and b == 0x80) or bool(a == 0xA0 and b == 0x8E)
    return bool(lead == 0xE3 and a == 0x80 and b == 0x80) or bool(lead == 0xEF and a == 0xBB and b == 0xBF)


@njit(nogil=True, cache=True)
def cut_after(data: NDArray[np.uint8], start: int, stop: int, cuts: Cuts) -> int:
    """Return where the piece that begins at `start` ends: the next allowed cut, or `stop`."""
    i = start + 1
    edge = len(data) - 8
    while i < stop:
        if i <= edge:
            word = load64(data, i)
            # The top bit of every byte below 0x21; bits above the first may be false alarms.
            low = (word - _ONES * np.uint64(0x21)) & ~word & (_ONES * np.uint64(0x80))
            if low == _ZERO:
                i += 8
                continue
            i += int(np.int64(count_trailing_zeros(low))) >> 3
            if i >= stop:
                break
        before = data[i - 1]
        bits = cuts[before] & _WHITE_BITS[data[i]]
        if bits and (before < 0x80 or not _blocked(data, start, i)):
            return i
        i += 1
    return stop


@njit(nogil=True, cache=True)
def _word(data: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    """Return the at most 8 bytes of a span as a little-endian word, zeros above."""
    n = stop - start
    if n <= 0:
        return _ZERO
    if start + 8 <= len(data):
        word = load64(data, start)
        return np.uint64(word if n >= 8 else word & ((_ONE << np.uint64(8 * n)) - _ONE))
    word = _ZERO
    for j in range(min(n, 8)):
        word |= np.uint64(data[start + j]) << np.uint64(8 * j)
    return word


@njit(nogil=True, cache=True)
def piece_key(data: NDArray[np.uint8], start: int, stop: int, first: bool) -> tuple[np.uint64, np.uint64]:
    """Return the two words that stand for a piece; `first` tells a text's opening piece from others.

    Up to 15 bytes: the bytes and their number. Above: a hash and the number of bytes.
    """
    n = stop - start
    top = _FIRST if first else 0
    if n <= _SHORT:
        high = _word(data, start + 8, stop) | (np.uint64(top | n) << _TOP)
        return _word(data, start, stop), high
    h, g = np.uint64(n) * _C2, _C1
    for i in range(start, stop, 8):
        h = fold64(h ^ _word(data, i, stop) ^ _C0, g)
        g = g * _C0 + _C2
    high = (np.uint64(n) | (h & np.uint64(0xFFFFFFFF)) << np.uint64(24)) & _LOW56
    return h, high | (np.uint64(top | _LONG) << _TOP)


@njit(nogil=True, cache=True)
def _slot(low: np.uint64, high: np.uint64) -> int:
    h = fold64(low ^ _C0, high ^ _C1)
    return int(np.int64((h ^ (h >> np.uint64(29))) >> _ONE))


@njit(nogil=True, cache=True)
def _same(a: NDArray[np.uint8], i: int, b: NDArray[np.uint8], j: int, n: int) -> bool:
    k = 0
    while k < n and a[i + k] == b[j + k]:
        k += 1
    return k == n


@njit(nogil=True, cache=True)
def find(
    rows: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    data: NDArray[np.uint8],
    start: int,
    stop: int,
    low: np.uint64,
    high: np.uint64,
) -> int:
    """Return the row of the piece with key (`low`, `high`), or -1 minus the free row for it.

    The piece has at most `LONGEST` bytes.
    """
    mask = len(rows) - 1
    long = high >> _TOP & np.uint64(_LONG)
    s: int = _slot(low, high) & mask
    while True:
        there = rows[s, 1]
        if (
            there == high
            and rows[s, 0] == low
            and (not long or _same(bytes_, np.int64(rows[s, 3]), data, start, stop - start))
        ):
            return s
        if there == _ZERO:
            return -1 - s
        s = (s + 1) & mask


@njit(nogil=True, cache=True)
def _note_fresh(data: NDArray[np.uint8], start: int, stop: int, first: bool, where: int, walk_: Walk, n: int) -> int:
    """Add a piece to the fresh ones unless it is there; return how many there are."""
    mask = len(walk_.seen) - 1
    s = where & mask
    while walk_.seen[s]:
        other = walk_.fresh[walk_.seen[s] - 1]
        if (
            other[1] - other[0] == stop - start
            and other[2] == first
            and _same(data, other[0], data, start, stop - start)
        ):
            return n
        s = (s + 1) & mask
    walk_.fresh[n, 0], walk_.fresh[n, 1], walk_.fresh[n, 2] = start, stop, first
    walk_.seen[s] = n + 1
    return n + 1


@njit(nogil=True, cache=True)
def walk(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    records: NDArray[np.int64],
    cuts: Cuts,
    rows: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    room: int,
    buffers: Walk,
    totals: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Add up the values of the pieces of each of `records` into `totals`; stop when a buffer is full.

    A record that holds a piece of value `WHOLE` gets the total `WHOLE`, and so does one with more
    loose pieces than the buffer holds. Returns how many of `records` were walked, and how many
    `fresh`, `loose` and `again` entries were written. At most `room` pieces are reported fresh;
    when `room` is 0 every unknown piece is loose.
    """
    n_fresh, n_loose, n_again = 0, 0, 0
    for position in range(len(records)):
        record = records[position]
        if (room and n_fresh >= room) or n_again == len(buffers.again):
            return position, n_fresh, n_loose, n_again
        start, end = offsets[record], offsets[record + 1]
        total, before, missing, first = 0, n_loose, False, True
        while start < end:
            stop = cut_after(data, start, end, cuts)
            row, where = -1, 0
            if stop - start <= LONGEST:
                low, high = piece_key(data, start, stop, first)
                where = _slot(low, high)
                row = find(rows, bytes_, data, start, stop, low, high)
            if row >= 0:
                value = int(np.int64(rows[row, 2]))
                if value < 0:
                    total, missing = WHOLE, False
                    break
                total += value
            elif room and stop - start <= LONGEST:
                missing = True
                if n_fresh < room:
                    n_fresh = _note_fresh(data, start, stop, first, where, buffers, n_fresh)
            elif n_loose == len(buffers.loose):
                if before:
                    return position, n_fresh, before, n_again
                total, missing = WHOLE, False
                break
            else:
                entry = buffers.loose[n_loose]
                entry[0], entry[1], entry[2], entry[3] = record, start, stop, first
                n_loose += 1
            start, first = stop, False
        totals[record] = total
        if missing:
            buffers.again[n_again] = record
            n_again += 1
        if missing or total == WHOLE:
            n_loose = before
    return len(records), n_fresh, n_loose, n_again


@njit(nogil=True, cache=True)
def rehash(old: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None:
    """Put what the table `old` holds into the larger, empty table `rows`."""
    mask = len(rows) - 1
    for i in range(len(old)):
        if old[i, 1] != _ZERO:
            s = _slot(old[i, 0], old[i, 1]) & mask
            while rows[s, 1] != _ZERO:
                s = (s + 1) & mask
            rows[s] = old[i]


@njit(nogil=True, cache=True)
def insert(
    rows: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    data: NDArray[np.uint8],
    spans: NDArray[np.int64],
    values: NDArray[np.int32],
    filled: int,
) -> tuple[int, int]:
    """Put pieces into a table that has room for them; return how many were new, and `filled`."""
    new = 0
    for i in range(len(spans)):
        start, stop = spans[i, 0], spans[i, 1]
        low, high = piece_key(data, start, stop, spans[i, 2] != 0)
        row = find(rows, bytes_, data, start, stop, low, high)
        if row >= 0:
            continue
        s = -1 - row
        if stop - start > _SHORT:
            bytes_[filled : filled + stop - start] = data[start:stop]
            rows[s, 3] = np.uint64(filled)
            filled += stop - start
        rows[s, 0], rows[s, 1] = low, high
        rows[s, 2] = np.uint64(np.int64(values[i]))
        new += 1
    return new, filled
