r"""Texts as pieces: cut in one way only, and read into a stream of numbers.

A piece is a run of word characters, or of other characters, with the one space before it if there is
one; or what white space is left. (Runs as in `kernels.ngrams`: word bytes are [A-Za-z0-9_] and all
beyond ASCII; case is kept.) Put together in order, the pieces are the text again, and which kind can
follow which is known: `pieces_allowed`.

Measured on one core of a 2-core AMD EPYC virtual machine, English abstracts of 5.9 bytes a piece:
`segment` 340 MB/s, `read` 210 to 250 MB/s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import remainder64
from tamis.kernels.kneser_ney import END
from tamis.kernels.ngrams import WORD_CLASS
from tamis.kernels.simd import count_trailing_zeros, fold64, load64

__all__ = [
    "BEGIN",
    "BLANK",
    "CLOSES",
    "OPENS",
    "WHITE",
    "Pieces",
    "Types",
    "pieces_allowed",
    "read",
    "room_for",
    "segment",
]

#: Kinds of pieces, and what comes before a text. A blank is white space that ends in a space.
_WORD, _SPACED_WORD, _OTHER, _SPACED_OTHER, WHITE, BLANK, BEGIN = 1, 2, 3, 4, 5, 6, 7
_SPACE = 0x20
#: What stands before and behind a text in a stream of numbers of types.
OPENS, CLOSES = -1, -2


def pieces_allowed() -> NDArray[np.bool_]:
    """Return which kind of piece may follow which: those that the cutting of a text can give."""
    allowed = np.zeros((8, 8), np.bool_)
    allowed[1:, : BLANK + 1] = True
    allowed[BEGIN, END] = False
    allowed[[_WORD, _SPACED_WORD], _WORD] = False
    allowed[[_OTHER, _SPACED_OTHER], _OTHER] = False
    allowed[[WHITE, BLANK], WHITE] = False
    allowed[[WHITE, BLANK], BLANK] = False
    allowed[BLANK, [_WORD, _OTHER]] = False  # the space would be theirs
    return allowed


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


# Adding 0x80 - c to a byte below 0x80 sets its top bit when it is >= c: see kernels.ngrams.
_LOW7, _TOP, _CASE = _each(0x7F), _each(0x80), _each(0x20)
_FROM_a, _PAST_z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_0, _PAST_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_UNDERSCORE = _each(ord("_"))
_ZERO, _ONE, _THREE, _SEVEN, _ALL = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(7), np.uint64(2**64 - 1)
_S0, _S1 = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)


@njit(nogil=True, cache=True, forceinline=True)
def _not_word(x: np.uint64) -> np.uint64:
    """Return the top bit of each of the eight bytes that is no word byte."""
    low = x & _LOW7
    folded = low | _CASE
    letter = (folded + _FROM_a) & ~(folded + _PAST_z)
    digit = (low + _FROM_0) & ~(low + _PAST_9)
    underscore = ~((low ^ _UNDERSCORE) + _LOW7)
    return np.uint64(~(letter | digit | underscore | x) & _TOP)


@njit(nogil=True, cache=True, forceinline=True)
def _seed(kind: int) -> np.uint64:
    """Return what the hash of a piece starts from: far apart for each kind."""
    return np.uint64(_S0 * np.uint64(2 * kind + 1))


@njit(nogil=True, cache=True)
def _run(data: NDArray[np.uint8], start: int, stop: int, seed: np.uint64) -> tuple[int, np.uint64]:
    """Return where the run at `start` ends and its hash; it opens with a byte that is no white space."""
    h, i = seed, start
    if WORD_CLASS[data[i]] == 1:
        while True:
            # Past the end of the text come zeros, which are no word bytes.
            x = load64(data, i) if i + 8 <= stop else remainder64(data, start, i, stop)
            ends = _not_word(x)
            if ends == _ZERO:
                h = fold64(h ^ x, _S1)
                i += 8
            else:
                bits = count_trailing_zeros(ends) & ~_SEVEN
                if bits:
                    h ^= x & ~(_ALL << bits)
                i += int(np.int64(bits >> _THREE))
                break
    else:
        while i < stop and WORD_CLASS[data[i]] == 2:
            h = fold64(h ^ np.uint64(data[i]), _S1)
            i += 1
    return i, fold64(h ^ np.uint64(i - start), _S1) | _ONE


class Pieces(NamedTuple):
    """Room for the pieces of a text: first byte, the byte after the last, kind and hash of each.

    A piece's own bytes: without the one space before a run, without the space that makes a blank.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    kind: NDArray[np.uint8]
    hash: NDArray[np.uint64]


def room_for(text: Text) -> Pieces:
    """Return room for the pieces of the longest of some texts."""
    n = int(np.diff(text.offsets).max(initial=0))
    return Pieces(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n, np.uint64))


@njit(nogil=True, cache=True)
def segment(data: NDArray[np.uint8], first: int, stop: int, out: Pieces) -> int:
    """Write the pieces of ``data[first:stop]`` to `out`, which has room for a piece a byte; return their number."""
    i, k = first, 0
    while i < stop:
        spaced = 0
        if WORD_CLASS[data[i]] == 0:
            j = i + 1
            while j < stop and WORD_CLASS[data[j]] == 0:
                j += 1
            if j < stop and data[j - 1] == _SPACE:
                spaced = 1
            end = j - spaced
            if end > i:
                blank = data[end - 1] == _SPACE
                out.start[k], out.stop[k] = i, end - blank
                out.kind[k] = BLANK if blank else WHITE
                h = _seed(out.kind[k])
                for t in range(i, end):
                    h = fold64(h ^ np.uint64(data[t]), _S1)
                out.hash[k] = fold64(h ^ np.uint64(end - i), _S1) | _ONE
                k += 1
            i = j
            if i == stop:
                break
        kind = (_WORD if WORD_CLASS[data[i]] == 1 else _OTHER) + spaced
        out.start[k], out.kind[k] = i, kind
        i, out.hash[k] = _run(data, i, stop, _seed(kind))
        out.stop[k] = i
        k += 1
    return k


# -- learning ---------------------------------------------------------------------------------------


class Types(NamedTuple):
    """The different pieces seen so far, and the texts as a stream of their numbers."""

    table: NDArray[np.uint64]  # hash and number plus 1, at most half full
    times: NDArray[np.int64]
    hash: NDArray[np.uint64]
    kind: NDArray[np.uint8]
    end: NDArray[np.int64]  # where its bytes, in the order they are spelled in, end in `bytes_`
    bytes_: NDArray[np.uint8]
    stream: NDArray[np.int32]
    used: NDArray[np.int64]  # types, bytes, places of the stream; pieces and bytes of a text without room


@njit(nogil=True, cache=True)
def _learn(data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int64], at: int, types: Types,
           pieces: Pieces) -> int:  # fmt: skip
    """Add the texts `rows` from position `at` on; return where there was no more room."""
    mask = np.uint64(len(types.table) - 1)
    for position in range(at, len(rows)):
        first, stop = offsets[rows[position]], offsets[rows[position] + 1]
        n = segment(data, first, stop, pieces)
        known, filled, place = types.used[0], types.used[1], types.used[2]
        if 2 * (known + n) > len(types.table) or filled + stop - first > len(types.bytes_) or (
            place + n + 2 > len(types.stream)
        ):  # fmt: skip
            types.used[3], types.used[4] = n, stop - first
            return position
        if n == 0:
            continue
        types.stream[place] = OPENS
        for j in range(n):
            slot = pieces.hash[j] >> _ONE & mask
            while types.table[slot, 0] != _ZERO and types.table[slot, 0] != pieces.hash[j]:
                slot = (slot + _ONE) & mask
            if types.table[slot, 0] == _ZERO:
                a, b = pieces.start[j], pieces.stop[j]
                for t in range(b - a):
                    types.bytes_[filled + t] = data[a + t] if pieces.kind[j] < WHITE else data[b - 1 - t]
                filled += b - a
                types.table[slot, 0], types.table[slot, 1] = pieces.hash[j], np.uint64(known + 1)
                types.hash[known], types.kind[known], types.end[known] = pieces.hash[j], pieces.kind[j], filled
                types.times[known] = 0
                known += 1
            number = np.int64(types.table[slot, 1]) - 1
            types.times[number] += 1
            types.stream[place + 1 + j] = number
        types.stream[place + n + 1] = CLOSES
        types.used[0], types.used[1], types.used[2] = known, filled, place + n + 2
    return len(rows)


@njit(nogil=True, cache=True)
def _enter(table: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> None:
    """Fill a free table of types with the numbers of `hashes`, all different, plus 1."""
    mask = np.uint64(len(table) - 1)
    for i in range(len(hashes)):
        slot = hashes[i] >> _ONE & mask
        while table[slot, 0] != _ZERO:
            slot = (slot + _ONE) & mask
        table[slot, 0], table[slot, 1] = hashes[i], np.uint64(i + 1)


def _larger(types: Types) -> Types:
    """Return the same with room for the text that had none, and for as much again."""
    known, filled, place, pieces, nbytes = types.used.tolist()
    slots = len(types.table)
    while 2 * (known + pieces) > slots:
        slots *= 2

    def grown(array: NDArray, used: int, need: int) -> NDArray:  # type: ignore[type-arg]
        if used + need <= len(array):
            return array
        out = np.empty(max(2 * len(array), used + need), array.dtype)
        out[:used] = array[:used]
        return out

    table = types.table
    if slots > len(table):
        table = np.zeros((slots, 2), np.uint64)
        _enter(table, types.hash[:known])
    times, hashes, kind, end = (
        grown(column, known, slots // 2 - known) for column in (types.times, types.hash, types.kind, types.end)
    )
    bytes_, stream = grown(types.bytes_, filled, nbytes), grown(types.stream, place, pieces + 2)
    return Types(table, times, hashes, kind, end, bytes_, stream, types.used)


def read(texts: Iterable[Text | tuple[Text, NDArray[np.int64]]]) -> Types:
    """Return the pieces of all texts (or of the given rows of them)."""
    slots, room = 1 << 12, 1 << 14
    types = Types(
        np.zeros((slots, 2), np.uint64), np.empty(slots // 2, np.int64), np.empty(slots // 2, np.uint64),
        np.empty(slots // 2, np.uint8), np.empty(slots // 2, np.int64), np.empty(room, np.uint8),
        np.empty(room, np.int32), np.zeros(5, np.int64),
    )  # fmt: skip
    for item in texts:
        text, rows = item if isinstance(item, tuple) else (item, np.arange(len(item)))
        pieces = room_for(text)
        at = 0
        while at < len(rows):
            at = _learn(text.data, text.offsets, rows, at, types, pieces)
            if at < len(rows):
                types = _larger(types)
    return types
