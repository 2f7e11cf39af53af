"""The walk that adds up the token rows of texts, piece by piece: compiled loops over bytes.

Pieces that the table knows stand for their tokens; new ones are encoded on the spot and noted, so
that the caller can put them into the next table. What cannot be encoded here (very long pieces,
texts with an added token's string) is handed out as spans for the tokenizer library.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.pieces import LONGEST, WHITE, WHOLE, Cuts, cut_after, find, piece_key
from tamis.kernels.simd import count_trailing_zeros, load64
from tamis.signals.bpe import LIMIT, Merges, encode, holds_added
from tamis.vectors.wordllama import add_rows

__all__ = ["Out", "add_tokens", "values_of", "walk"]

_FRESH = 1 << 16  # new pieces kept in mind at a time
_PENDING = 1 << 19  # their tokens
_LOOSE = 1 << 12  # spans handed out at a time
_ENDS = 1024  # ends of pieces found at a time
_FOUND = 4096  # tokens of a text collected before their rows are added
_LISTED = 1 << 30  # a piece's value from here on: where its tokens are listed; below: its one token
_ONE, _SEVEN, _EIGHT, _TOP = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)
_LOW, _TOPS = np.uint64(0x2121212121212121), np.uint64(0x8080808080808080)
_GATHER = np.uint64(0x0102040810204080)  # times bits 0, 8, ... 56: they are the top byte
_WHITE_BITS = np.zeros(256, np.uint8)
_WHITE_BITS[list(WHITE)] = list(WHITE.values())


class Out(NamedTuple):
    """What the walk fills.

    Per record of a block `totals` and `counts`. `fresh` (`f x 5`: start, stop, whether it opens its
    text, where its tokens are in `pending`, how many, or -1 for one that must not be looked at alone)
    are pieces to remember; `noted`: how many entries of both are filled. `loose` (`l x 4`: record,
    start, stop, opens) are spans that the library must tokenise. The rest is room to work in.
    """

    totals: NDArray[np.int64]
    counts: NDArray[np.int64]
    fresh: NDArray[np.int64]
    pending: NDArray[np.int32]
    noted: NDArray[np.int64]
    loose: NDArray[np.int64]
    ends: NDArray[np.int64]
    found: NDArray[np.int32]
    room: NDArray[np.uint64]
    part: NDArray[np.int32]

    @staticmethod
    def empty(block: int, width: int, filled: int) -> Out:
        """Return room for blocks of `block` records and vectors of `width`, rows filled up to `filled`."""
        return Out(
            np.empty((block, width), np.int64),
            np.empty(block, np.int64),
            np.empty((_FRESH, 5), np.int64),
            np.empty(_PENDING, np.int32),
            np.zeros(2, np.int64),
            np.empty((_LOOSE, 4), np.int64),
            np.empty(_ENDS, np.int64),
            np.empty(_FOUND, np.int32),
            np.empty(LIMIT + 1, np.uint64),
            np.zeros(filled, np.int32),
        )


@njit(nogil=True, cache=True)
def _low_bytes(data: NDArray[np.uint8], i: int, end: int) -> np.uint64:
    """Return which of the up to 64 bytes of `data[i:end]` are below 0x21, a bit each; some false alarms."""
    mask = np.uint64(0)
    if i + 64 <= len(data):
        for k in range(8):
            word = load64(data, i + 8 * k)
            low = (word - _LOW) & ~word & _TOPS
            mask |= (((low >> _SEVEN) * _GATHER) >> _TOP) << (_EIGHT * np.uint64(k))
        if end - i < 64:
            mask &= (_ONE << np.uint64(end - i)) - _ONE
    else:
        for k in range(min(64, end - i)):
            if data[i + k] < 0x21:
                mask |= _ONE << np.uint64(k)
    return mask


@njit(nogil=True, cache=True)
def _find_ends(data: NDArray[np.uint8], start: int, end: int, cuts: Cuts, ends: NDArray[np.int64]) -> int:
    """Write where the pieces of `data[start:end]` end, as far as `ends` has room; return how many.

    The pieces of `cut_after`, found 64 bytes at a time: one loop whose end cannot be foretold for
    all the white space in them, instead of one for every word.
    """
    n, i = 0, start + 1
    while i < end and n + 65 <= len(ends):
        mask = _low_bytes(data, i, end)
        while mask:
            at = i + int(np.int64(count_trailing_zeros(mask)))
            mask &= mask - _ONE
            before = data[at - 1]
            if cuts[before] & _WHITE_BITS[data[at]] and (
                before < 0x80 or cut_after(data, max(start, at - 3), at + 1, cuts) == at
            ):
                ends[n] = at
                n += 1
        i += 64
    if i >= end:
        ends[n] = end
        n += 1
    return n


@njit(nogil=True, cache=True)
def _unknown(data: NDArray[np.uint8], start: int, stop: int, first: bool, merges: Merges, out: Out, n: int) -> int:
    """Write the tokens of a piece the table lacks to `found[n:]`, and note it if it is to be remembered.

    Returns how many; -1 if the text must be tokenised whole, -2 if the piece is too long.
    """
    if holds_added(data, start, stop, merges):
        size = -1
    elif stop - start > LIMIT:
        size = -2
    else:
        size = encode(data, start, stop, first, merges, out.room, out.found[n:])
    n_fresh, n_pending = out.noted
    if stop - start <= LONGEST and n_fresh < len(out.fresh) and n_pending + size <= len(out.pending):
        entry = out.fresh[n_fresh]
        entry[0], entry[1], entry[2], entry[3], entry[4] = start, stop, first, n_pending, size
        for j in range(size):
            out.pending[n_pending + j] = out.found[n + j]
        out.noted[0], out.noted[1] = n_fresh + 1, n_pending + max(size, 0)
    return size


@njit(nogil=True, cache=True)
def _known(value: int, lists: NDArray[np.int32], found: NDArray[np.int32], n: int) -> int:
    """Write the tokens that a value stands for to `found[n:]`; return how many."""
    if value < _LISTED:
        found[n] = value
        return 1
    at = value - _LISTED
    for j in range(lists[at]):
        found[n + j] = lists[at + 1 + j]
    return int(lists[at])


@njit(nogil=True, cache=True)
def walk(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    begin: int,
    cuts: Cuts,
    merges: Merges,
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    lists: NDArray[np.int32],
    rows: NDArray[Any],
    bounds: NDArray[np.int64],
    out: Out,
) -> tuple[int, int]:
    """Add up the rows of each record from `begin` on, until `loose` is full.

    Returns where it stopped and how many loose spans there are. A record with an added token's
    string goes into `loose` whole.
    """
    totals, counts, loose, ends, found, part = out.totals, out.counts, out.loose, out.ends, out.found, out.part
    n_loose = 0
    for record in range(begin, len(offsets) - 1):
        start, end = offsets[record], offsets[record + 1]
        before, whole, first = n_loose, False, True
        n, count, total = 0, 0, totals[record]
        total[:] = 0
        piece, pieces = 0, 0
        while start < end:
            if piece == pieces:
                piece, pieces = 0, _find_ends(data, start, end, cuts, ends)
            stop = ends[piece]
            if n and n + stop - start + 1 > len(found):
                add_rows(found, n, rows, bounds, part, total)
                count, n = count + n, 0
            slot = -1
            if stop - start <= LONGEST:
                low, high = piece_key(data, start, stop, first)
                slot = find(slots, bytes_, data, start, stop, low, high)
            value = int(np.int64(slots[slot, 2])) if slot >= 0 else -3
            if slot < 0:
                value = _unknown(data, start, stop, first, merges, out, n)
            if value == -2 and n_loose < len(loose):
                entry = loose[n_loose]
                entry[0], entry[1], entry[2], entry[3] = record, start, stop, first
                n_loose += 1
            elif value == -2 and before:
                return record, before
            elif value < 0:
                whole = True
                break
            elif slot < 0:
                n += value
            else:
                n += _known(value, lists, found, n)
            start, first = stop, False
            piece += 1
        if whole:
            if before == len(loose):
                return record, before
            total[:] = 0
            n, count, n_loose = 0, 0, before + 1
            entry = loose[before]
            entry[0], entry[1], entry[2], entry[3] = record, offsets[record], end, 1
        add_rows(found, n, rows, bounds, part, total)
        counts[record] = count + n
    return len(offsets) - 1, n_loose


@njit(nogil=True, cache=True)
def values_of(
    data: NDArray[np.uint8],
    fresh: NDArray[np.int64],
    pending: NDArray[np.int32],
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    values: NDArray[np.int32],
    lists: NDArray[np.int32],
    at: int,
) -> tuple[int, int]:
    """Give the pieces `fresh` values, listing tokens in `lists` from `at` on.

    Pieces the table has are dropped from `fresh`. Returns how many are left, and the end of `lists`.
    """
    new = 0
    for i in range(len(fresh)):
        start, stop, first, where, n = fresh[i]
        low, high = piece_key(data, start, stop, first != 0)
        if find(slots, bytes_, data, start, stop, low, high) >= 0:
            continue
        fresh[new] = fresh[i]
        if n < 0:
            values[new] = WHOLE
        elif n == 1:
            values[new] = pending[where]
        else:
            values[new] = _LISTED + at
            lists[at] = n
            lists[at + 1 : at + 1 + n] = pending[where : where + n]
            at += n + 1
        new += 1
    return new, at


@njit(nogil=True, cache=True)
def add_tokens(
    records: NDArray[np.int64],
    edges: NDArray[np.int64],
    tokens: NDArray[np.int32],
    rows: NDArray[Any],
    bounds: NDArray[np.int64],
    out: Out,
) -> None:
    """Add the rows of `tokens[edges[i]:edges[i + 1]]` to the totals of `records[i]`."""
    for i in range(len(records)):
        n = edges[i + 1] - edges[i]
        add_rows(tokens[edges[i] : edges[i + 1]], n, rows, bounds, out.part, out.totals[records[i]])
        out.counts[records[i]] += n
