r"""A language model of texts as bytes: word n-grams, and the spelling of words it does not know.

A text is cut into pieces, in one way only: runs of word characters or of other characters, each with
the one space before it, and what white space is left. (Runs as in `kernels.ngrams`, case kept.) A
Kneser-Ney model over pieces gives each its probability after the pieces before it and ends the text.
A piece outside the vocabulary is one of six unknown pieces, by its kind, times its spelling: a second
Kneser-Ney model over the bytes, with an end mark, scaled to the strings that are not in the vocabulary.
What cannot follow (a word run right after a word run) has probability 0. So the model is a
distribution over all byte strings of at least one byte, and minus its logarithm a code length.

Source: Kneser and Ney 1995, Chen and Goodman 1999 (`kernels.kneser_ney`); pieces and spelling are ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import remainder64
from tamis.kernels.kneser_ney import END, MAX_SYMBOLS, UNIT, Trie, build, look_up, places, slot_of, step
from tamis.kernels.ngrams import WORD_CLASS
from tamis.kernels.simd import count_trailing_zeros, fold64, load64
from tamis.kernels.vector import address, load_word

__all__ = ["LanguageModel", "Scores", "segment", "train"]

# Kinds of pieces, and the symbols of unknown ones. A blank is white space that ends in a space.
_WORD, _SPACED_WORD, _OTHER, _SPACED_OTHER, _WHITE, _BLANK, _BEGIN = 1, 2, 3, 4, 5, 6, 7
_FIRST_WORD = 7  # the first symbol of the vocabulary
_SPACE = 0x20
_OUT = -1, -2  # begin and end of a text in a stream of types


def _pieces_allowed() -> NDArray[np.bool_]:
    """Return which kind of piece may follow which: those that the cutting of a text can give."""
    allowed = np.zeros((8, 8), np.bool_)
    allowed[1:, : _BLANK + 1] = True
    allowed[_BEGIN, END] = False
    allowed[[_WORD, _SPACED_WORD], _WORD] = False
    allowed[[_OTHER, _SPACED_OTHER], _OTHER] = False
    allowed[[_WHITE, _BLANK], _WHITE] = False
    allowed[[_WHITE, _BLANK], _BLANK] = False
    allowed[_BLANK, [_WORD, _OTHER]] = False  # the space would be theirs
    return allowed


# Spelling: symbol 0 ends, 1 to 256 are the bytes, then a begin mark for each kind of piece. White
# space is spelled from its end, so that its kind says what its first symbol may be.
_MARKS = 257


def _spelling_kinds() -> NDArray[np.uint8]:
    kind = np.zeros(_MARKS + 6, np.uint8)
    kind[1:_MARKS] = np.where(WORD_CLASS == 0, 3, WORD_CLASS)  # word, other, white
    kind[1 + _SPACE] = 4
    kind[_MARKS:] = np.arange(5, 11)
    return kind


def _spelling_allowed() -> NDArray[np.bool_]:
    allowed = np.zeros((11, 11), np.bool_)
    for kind, after in ((1, (1, 0)), (2, (2, 0)), (3, (3, 4, 0)), (4, (3, 4, 0)), (5, (1,)), (6, (1,)), (7, (2,)),
                        (8, (2,)), (9, (3,)), (10, (3, 4, 0))):  # fmt: skip
        allowed[kind, list(after)] = True
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


def _room(pieces: int) -> Pieces:
    return Pieces(
        np.empty(pieces, np.int64), np.empty(pieces, np.int64), np.empty(pieces, np.uint8), np.empty(pieces, np.uint64)
    )


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
                out.kind[k] = _BLANK if blank else _WHITE
                h = _S0 + np.uint64(out.kind[k])
                for t in range(i, end):
                    h = fold64(h ^ np.uint64(data[t]), _S1)
                out.hash[k] = fold64(h ^ np.uint64(end - i), _S1) | _ONE
                k += 1
            i = j
            if i == stop:
                break
        kind = (_WORD if WORD_CLASS[data[i]] == 1 else _OTHER) + spaced
        out.start[k], out.kind[k] = i, kind
        i, out.hash[k] = _run(data, i, stop, _S0 + np.uint64(kind))
        out.stop[k] = i
        k += 1
    return k


# -- learning ---------------------------------------------------------------------------------------


class _Types(NamedTuple):
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
def _learn(data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int64], at: int, types: _Types,
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
        types.stream[place] = _OUT[0]
        for j in range(n):
            slot = pieces.hash[j] >> _ONE & mask
            while types.table[slot, 0] != _ZERO and types.table[slot, 0] != pieces.hash[j]:
                slot = (slot + _ONE) & mask
            if types.table[slot, 0] == _ZERO:
                a, b = pieces.start[j], pieces.stop[j]
                for t in range(b - a):
                    types.bytes_[filled + t] = data[a + t] if pieces.kind[j] < _WHITE else data[b - 1 - t]
                filled += b - a
                types.table[slot, 0], types.table[slot, 1] = pieces.hash[j], np.uint64(known + 1)
                types.hash[known], types.kind[known], types.end[known] = pieces.hash[j], pieces.kind[j], filled
                types.times[known] = 0
                known += 1
            number = np.int64(types.table[slot, 1]) - 1
            types.times[number] += 1
            types.stream[place + 1 + j] = number
        types.stream[place + n + 1] = _OUT[1]
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


def _larger(types: _Types) -> _Types:
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
    return _Types(table, times, hashes, kind, end, bytes_, stream, types.used)


def _read(texts: Iterable[Text | tuple[Text, NDArray[np.int64]]]) -> _Types:
    """Return the pieces of all texts (or of the given rows of them)."""
    slots, room = 1 << 12, 1 << 14
    types = _Types(
        np.zeros((slots, 2), np.uint64), np.empty(slots // 2, np.int64), np.empty(slots // 2, np.uint64),
        np.empty(slots // 2, np.uint8), np.empty(slots // 2, np.int64), np.empty(room, np.uint8),
        np.empty(room, np.int32), np.zeros(5, np.int64),
    )  # fmt: skip
    for item in texts:
        text, rows = item if isinstance(item, tuple) else (item, np.arange(len(item)))
        pieces = _room(_longest(text))
        at = 0
        while at < len(rows):
            at = _learn(text.data, text.offsets, rows, at, types, pieces)
            if at < len(rows):
                types = _larger(types)
    return types


def _longest(text: Text) -> int:
    return int(np.diff(text.offsets).max(initial=0))


@njit(nogil=True, cache=True)
def _translate(stream: NDArray[np.int32], symbol: NDArray[np.int32], begin: int) -> None:
    """Turn numbers of types into symbols, in place."""
    for i in range(len(stream)):
        stream[i] = symbol[stream[i]] if stream[i] >= 0 else (begin if stream[i] == _OUT[0] else END)


@njit(nogil=True, cache=True)
def _spelled(bytes_: NDArray[np.uint8], end: NDArray[np.int64], kind: NDArray[np.uint8], which: NDArray[np.int64],
             stream: NDArray[np.int32]) -> int:  # fmt: skip
    """Write the spelling of some types as sequences of symbols; return how many there are."""
    k = 0
    for i in which:
        stream[k] = _MARKS - 1 + kind[i]
        k += 1
        for t in range(end[i - 1] if i else 0, end[i]):
            stream[k] = 1 + bytes_[t]
            k += 1
        stream[k] = END
        k += 1
    return k


@njit(nogil=True, cache=True)
def _mass(bytes_: NDArray[np.uint8], end: NDArray[np.int64], kind: NDArray[np.uint8], which: NDArray[np.int64],
          spelling: Trie) -> NDArray[np.float64]:  # fmt: skip
    """Return what the spelling of some types adds up to, by kind."""
    at = places(spelling)
    context = np.full(max(at.order, 2), -1, np.int64)
    mass = np.zeros(_BEGIN, np.float64)
    for i in which:
        context[1:] = -1
        context[1] = _MARKS - 1 + kind[i]
        cost = 0
        for t in range(end[i - 1] if i else 0, end[i]):
            cost += step(at, context, np.int64(bytes_[t]) + 1)
        cost += step(at, context, END)
        mass[kind[i]] += 2.0 ** (-cost / UNIT)
    return mass


# -- the model --------------------------------------------------------------------------------------


class Scores(NamedTuple):
    """Of `n` texts: bits of each (float64, its end included), and its pieces (int64, its end not included)."""

    bits: NDArray[np.float64]
    pieces: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A trained model; `train` makes one.

    Attributes
    ----------
    words, spelling : Trie
        The models over pieces and over the bytes of unknown ones.
    vocabulary : uint64 array of shape (slots, 2)
        Open addressing: the hash of a piece (0: free), and its symbol.
    unknown : int64 array of shape (7,)
        What to add to the cost of the spelling of an unknown piece, by kind.
    known : int
        Pieces in the vocabulary.
    trained_on : int
        Pieces it was trained on.
    least : int
        How often an n-gram of the highest order was seen at least, to be kept: 1 unless there were too many.
    """

    words: Trie
    spelling: Trie
    vocabulary: NDArray[np.uint64]
    unknown: NDArray[np.int64]
    known: int
    trained_on: int
    least: int

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything the scores depend on; the same for the same texts in any order."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (*self.words, *self.spelling, self.vocabulary, self.unknown):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of memory it takes."""
        return sum(array.nbytes for array in (*self.words, *self.spelling, self.vocabulary))

    def score(self, text: Text, rows: NDArray[np.int64] | None = None) -> Scores:
        """Return the bits and pieces of each text, or of those given by `rows`; 0 for empty ones."""
        chosen = np.arange(len(text)) if rows is None else rows
        bits, pieces = np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.int64)
        room = _room(_longest(text))
        parts = (self.words, self.spelling, self.vocabulary, self.unknown)
        _score(text.data, text.offsets, chosen, *parts, room, bits, pieces)
        return Scores(bits / UNIT, pieces)


@njit(nogil=True, cache=True)
def _score(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    words: Trie,
    spelling: Trie,
    vocabulary: NDArray[np.uint64],
    unknown: NDArray[np.int64],
    pieces: Pieces,
    bits: NDArray[np.int64],
    count: NDArray[np.int64],
) -> None:
    """Fill `bits` (in units) and `count` of the texts `rows`; `pieces` has room for the longest."""
    by_word, by_byte, table, slots = places(words), places(spelling), address(vocabulary), len(vocabulary)
    context = np.empty(max(by_word.order, 2), np.int64)
    letters = np.empty(max(by_byte.order, 2), np.int64)
    begin = len(words.kind) - 1
    for position in range(len(rows)):
        r = rows[position]
        n = segment(data, offsets[r], offsets[r + 1], pieces)
        count[position] = n
        if n == 0:
            continue
        context[1:] = -1
        context[1] = begin
        cost = 0
        for j in range(n):
            row = look_up(table, 0, slots, pieces.hash[j])
            if row >= 0:
                cost += step(by_word, context, load_word(row))
                continue
            kind = pieces.kind[j]
            cost += step(by_word, context, np.int64(kind)) + unknown[kind]
            letters[1:] = -1
            letters[1] = _MARKS - 1 + kind
            a, b = pieces.start[j], pieces.stop[j]
            for t in range(b - a):
                byte = data[a + t] if kind < _WHITE else data[b - 1 - t]
                cost += step(by_byte, letters, np.int64(byte) + 1)
            cost += step(by_byte, letters, END)
        bits[position] = cost + step(by_word, context, END)


def train(
    texts: Iterable[Text | tuple[Text, NDArray[np.int64]]],
    *,
    order: int = 3,
    spelling: int = 6,
    vocabulary: int = 1 << 20,
    limit: int = 1 << 25,
) -> LanguageModel:
    """Return the model of some texts (or of the given rows of them); empty ones are passed over.

    Parameters
    ----------
    texts : iterable of Text or of (Text, int64 array)
        What to learn from. The order does not matter.
    order : int
        Pieces of the longest n-gram.
    spelling : int
        Bytes of the longest n-gram of the spelling of unknown pieces.
    vocabulary : int
        The most pieces it knows: those seen twice or more, the most frequent first. The others, those
        seen once above all, are what it learns of unknown pieces from, each once.
    limit : int
        The most n-grams of the highest order, 26 bytes each: if there are more, the rarest go.

    Raises
    ------
    InputError
        No text with at least one byte.
    OptionError
        A parameter out of range.
    """
    for name, value, least, most in (
        ("order", order, 2, 8), ("spelling", spelling, 2, 12), ("vocabulary", vocabulary, 1, MAX_SYMBOLS // 2),
        ("limit", limit, 1, 1 << 31),
    ):  # fmt: skip
        if not least <= value <= most:
            raise OptionError(f"language model, '{name}': expected {least:,} to {most:,}, got {value:,}.")
    types = _read(texts)
    n, filled, place = types.used[:3].tolist()
    if not n:
        raise InputError("language model: expected at least one text with a byte to learn from, got none.")
    count, hashes, kind = types.times[:n], types.hash[:n], types.kind[:n]
    often = np.flatnonzero(count > 1)
    known = often[np.lexsort((hashes[often], -count[often]))][:vocabulary]
    symbol = kind.astype(np.int32)
    symbol[known] = _FIRST_WORD + np.arange(len(known), dtype=np.int32)
    rare = np.ones(n, np.bool_)
    rare[known] = False
    strange = np.flatnonzero(rare)
    letters = np.empty(filled + 2 * len(strange), np.int32)
    letters = letters[: _spelled(types.bytes_, types.end, kind, strange, letters)]
    by_byte, _ = build(letters, _spelling_kinds(), _spelling_allowed(), _MARKS, spelling)
    left = np.maximum(1.0 - _mass(types.bytes_, types.end, kind, known, by_byte), 2.0**-10)
    begin = _FIRST_WORD + len(known)
    kinds = np.concatenate([np.arange(_FIRST_WORD), kind[known], [_BEGIN]]).astype(np.uint8)
    stream = types.stream[:place]
    _translate(stream, symbol, begin)
    by_word, least = build(stream, kinds, _pieces_allowed(), begin, order, limit)
    table = _vocabulary(hashes[known])
    unknown = np.rint(np.log2(left) * UNIT).astype(np.int64)
    return LanguageModel(by_word, by_byte, table, unknown, len(known), int(count.sum()), least)


def _vocabulary(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    table = np.zeros((len(hashes) * 8 // 5 + 4, 2), np.uint64)
    _enter_words(table, hashes)
    return table


@njit(nogil=True, cache=True)
def _enter_words(table: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> None:
    """Fill a free table with the symbols of the vocabulary, where `look_up` finds them."""
    for i in range(len(hashes)):
        at = slot_of(hashes[i], len(table))
        while table[at, 0] != _ZERO:
            at = at + 1 if at + 1 < len(table) else 0
        table[at, 0], table[at, 1] = hashes[i], np.uint64(_FIRST_WORD + i)
