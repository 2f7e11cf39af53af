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
from tamis.kernels.kneser_ney import END, MAX_SYMBOLS, UNIT, Trie, build, look_up, places, slot_of, step
from tamis.kernels.ngrams import WORD_CLASS
from tamis.kernels.vector import address, load_word
from tamis.signals.word_stream import BEGIN, OPENS, WHITE, Pieces, pieces_allowed, read, room_for, segment

__all__ = ["LanguageModel", "Scores", "train"]

_FIRST_WORD = 7  # the first symbol of the vocabulary, after the end and six unknown pieces

# Spelling: symbol 0 ends, 1 to 256 are the bytes, then a begin mark for each kind of piece. White
# space is spelled from its end, so that its kind says what its first symbol may be.
_MARKS = 257


def _spelling_kinds() -> NDArray[np.uint8]:
    kind = np.zeros(_MARKS + 6, np.uint8)
    kind[1:_MARKS] = np.where(WORD_CLASS == 0, 3, WORD_CLASS)  # word, other, white
    kind[1 + ord(" ")] = 4
    kind[_MARKS:] = np.arange(5, 11)
    return kind


def _spelling_allowed() -> NDArray[np.bool_]:
    allowed = np.zeros((11, 11), np.bool_)
    for kind, after in ((1, (1, 0)), (2, (2, 0)), (3, (3, 4, 0)), (4, (3, 4, 0)), (5, (1,)), (6, (1,)), (7, (2,)),
                        (8, (2,)), (9, (3,)), (10, (3, 4, 0))):  # fmt: skip
        allowed[kind, list(after)] = True
    return allowed


@njit(nogil=True, cache=True)
def _translate(stream: NDArray[np.int32], symbol: NDArray[np.int32], begin: int) -> None:
    """Turn numbers of types into symbols, in place."""
    for i in range(len(stream)):
        stream[i] = symbol[stream[i]] if stream[i] >= 0 else (begin if stream[i] == OPENS else END)


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
    mass = np.zeros(BEGIN, np.float64)
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
        room = room_for(text)
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
                byte = data[a + t] if kind < WHITE else data[b - 1 - t]
                cost += step(by_byte, letters, np.int64(byte) + 1)
            cost += step(by_byte, letters, END)
        bits[position] = cost + step(by_word, context, END)


def train(
    texts: Iterable[Text | tuple[Text, NDArray[np.int64]]],
    *,
    order: int = 3,
    spelling: int = 8,
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
    types = read(texts)
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
    kinds = np.concatenate([np.arange(_FIRST_WORD), kind[known], [BEGIN]]).astype(np.uint8)
    stream = types.stream[:place]
    _translate(stream, symbol, begin)
    by_word, least = build(stream, kinds, pieces_allowed(), begin, order, limit)
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
        while table[at, 0] != np.uint64(0):
            at = at + 1 if at + 1 < len(table) else 0
        table[at, 0], table[at, 1] = hashes[i], np.uint64(_FIRST_WORD + i)
