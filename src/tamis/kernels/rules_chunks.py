"""Chunks of a text, from white space to white space, most of them at eight bytes a step.

A run of ASCII letters and digits is hashed as its end is found. Chunks that are runs with marks
around them, with hyphens between or contracted, are done here; any other chunk by `rules_words`,
whose definition holds for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.rules_chars import ALNUM, LETTER, SPACE, char_at, class_of
from tamis.kernels.rules_memory import get32, inner, load64, put32, put64
from tamis.kernels.rules_words import (
    ALL_PUNCT,
    ENDS,
    HAS_LETTER,
    NOT_SYMBOL,
    SEED,
    TURN,
    Words,
    rest64,
    split_chunk,
)
from tamis.kernels.simd import count_trailing_zeros, fold64
from tamis.kernels.vector import load8, store8

__all__ = ["BLANK", "KIND", "WIDE", "chunk"]

BLANK, WIDE, _ALNUM, _OTHER = 0, 1, 2, 3  # what a byte can be


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, WIDE, np.uint8)
    for byte in range(128):
        character = chr(byte)
        kinds[byte] = BLANK if character.isspace() else _ALNUM if character.isalnum() else _OTHER
    return kinds


def _holds(characters: str) -> NDArray[np.bool_]:
    return np.isin(np.arange(256), [ord(c) for c in characters])


KIND = _kinds()
"""What each byte is (256, uint8): `BLANK`, `WIDE` (not ASCII), a letter or digit, or something else."""
_HEAD = _holds("!\"#$%&'()*,:;<=>?[]_`{}")  # comes off the front of a chunk, whatever follows
_TAIL = _holds("!\"'),.:;?]}")  # comes off the back, whatever is before it; the period has its rule
_SYMBOLS = _holds("$<=>`")  # of `_HEAD`, those that are not punctuation but symbols


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


# As in `ngrams`: adding 0x80 - c to a byte below 0x80 sets its top bit when it is >= c.
_LOW7, _TOP, _CASE = _each(0x7F), _each(0x80), _each(0x20)
_FROM_A, _PAST_Z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_0, _PAST_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled
_ONE: Any = np.int64(1)
_HYPHEN = np.int64(0x2D)
_ZERO, _ALL, _SEVEN, _THREE = np.uint64(0), np.uint64(2**64 - 1), np.uint64(7), np.uint64(3)


@inner
def _run(i: int, stop: int) -> tuple[int, np.uint64, np.uint64, np.uint64]:
    """Return (end, hash, letters, wide) of the run of ASCII letters, digits and wide bytes from `i` on.

    `letters` and `wide` are not 0 where the run holds such bytes.
    """
    start, h, letters, wides = i, SEED, _ZERO, _ZERO
    while True:
        # Past the end of the text come zeros, which end a run.
        x = load64(i) if i + 8 <= stop else rest64(i, i, stop)
        low = x & _LOW7
        lowered = low | _CASE
        letter = (lowered + _FROM_A) & ~(lowered + _PAST_Z) & ~x & _TOP
        digit = (low + _FROM_0) & ~(low + _PAST_9)
        wide = x & _TOP
        ends = ~(letter | digit | wide) & _TOP
        if ends == _ZERO:
            h = fold64(h ^ x, TURN)
            letters |= letter
            wides |= wide
            i += 8
            continue
        bits = count_trailing_zeros(ends) & ~_SEVEN
        within = ~(_ALL << bits)
        if bits:
            h ^= x & within
        i += int(bits >> _THREE)
        h = fold64(h ^ np.uint64(i - start), TURN)
        return i, h, letters | (letter & within), wides | (wide & within)


@inner
def _wide_word(start: int, stop: int, table: int) -> tuple[int, int]:
    """Return how many characters a run has and its mark; -1 characters if not all are letters or digits."""
    i, characters, some = start, 0, 0
    while i < stop:
        code, length = char_at(i, stop)
        kind = class_of(table, code)
        if not kind & ALNUM:
            return -1, 0
        some |= kind
        characters += 1
        i += length
    return characters, NOT_SYMBOL | (HAS_LETTER if some & LETTER else 0)


@inner
def _chunk_end(i: int, stop: int, table: int) -> tuple[int, int]:
    """Return where the chunk around `i` ends, and how many bytes from `i` to there continue a character."""
    more = 0
    while i < stop:
        kind = KIND[load8(i)]
        if kind == WIDE:
            code, length = char_at(i, stop)
            if class_of(table, code) & SPACE:
                break
            more += length - 1
            i += length
        elif kind == BLANK:
            break
        else:
            i += 1
    return i, more


@inner
def _put(words: Words, k: int, h: np.uint64, characters: int, mark: int) -> int:
    put64(words.hashes, k, h)
    put32(words.ends, k + 1, get32(words.ends, k) + characters)
    store8(words.marks + k, mark)
    return k + 1


@inner
def _put_mark(words: Words, k: int, c: int) -> int:
    """Add an ASCII character that is no letter or digit as a word."""
    mark = _NONE if _SYMBOLS[c] else ALL_PUNCT
    if c == 0x21 or c == 0x2E or c == 0x3F:
        mark |= ENDS
    if c == 0x23:
        put32(words.tally, 0, get32(words.tally, 0) + 1)
    elif c == 0x7B or c == 0x5B:
        put32(words.tally, 2, get32(words.tally, 2) | (1 if c == 0x7B else 2))
    return int(_put(words, k, fold64(SEED ^ np.uint64(c) ^ np.uint64(1), TURN), _ONE, mark))


@inner
def _tail(start: int, end: int, stop: int) -> int:
    """Return where a chunk ends of which all from `end` on is marks that are words; 0 if it is not so.

    `start` to `end` is a run of letters and digits; it decides about a period right behind it.
    """
    dot = 0
    i = end
    while i < stop:
        c = load8(i)
        if KIND[c] == BLANK:
            break
        if not _TAIL[c] or (c == 0x2E and dot):
            return 0
        if c == 0x2E:
            dot = i
        i += 1
    if dot == end:
        last = load8(end - 1)
        if last >= 0x41 and (end - start == 1 or last > 0x7A or (last < 0x61 and not 0x41 <= load8(end - 2) <= 0x5A)):
            return 0
    return i


@inner
def _marks(i: int, stop: int, words: Words, k: int) -> int:
    while i < stop:
        k = _put_mark(words, k, load8(i))
        i += 1
    return k


@inner
def chunk(i: int, stop: int, table: int, words: Words, k: int) -> tuple[int, int, int]:
    """Add the words of the chunk that begins at `i`; return (end, next word, bytes that continue a character)."""
    c = load8(i)
    while _HEAD[c]:
        k = _put_mark(words, k, c)
        i += 1
        if i == stop:
            return i, k, 0
        c = load8(i)
        if KIND[c] == BLANK:
            return i, k, 0
    end, h, letters, wides = _run(i, stop)
    characters, mark = end - i, NOT_SYMBOL | (HAS_LETTER if letters else 0)
    if wides:
        characters, mark = _wide_word(i, end, table)
    if characters > 0:
        if end == stop or KIND[load8(end)] == BLANK:
            return end, _put(words, k, h, characters, mark), end - i - characters
        done = _tail(i, end, stop)
        if done:
            return done, _marks(end, done, words, _put(words, k, h, characters, mark)), end - i - characters
    end, more = _chunk_end(i, stop, table)
    return end, split_chunk(i, end, table, words, k), more
