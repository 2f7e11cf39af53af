r"""Words: how a run of characters between white space becomes words, their hashes and their marks.

White space cuts a text into chunks. Punctuation and currency signs come off the front and the
back of a chunk, one character a word, a run of dots one word; `'s` comes off the back whole. A
final period stays with a single letter and with an abbreviation ("U.S.", "e.g."), and `. - / \ | @
^ ~` never come off otherwise. What is left is cut at a hyphen or dash between letters, at a comma
between letters, at `: < > = /` before a letter, at `+ - * ^` between digits, at a period between
a lower-case and an upper-case letter, at an ellipsis and at symbols such as emoji; `n't 're 've
'll 'm 'd` come off its end. An address (with `://`, `www.` or `@`) stays whole. Every cut but
those of `'s` and its like is a word itself.

That is close to the rule-based English tokenizer people use with these filters, with no list of
abbreviations or emoticons.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tamis.kernels.rules_affixes import back_of, contraction, front_of, is_address, is_dot
from tamis.kernels.rules_chars import (
    ALNUM,
    DASH,
    DIGIT,
    ICON,
    LETTER,
    LOWER,
    PUNCT,
    SYMBOL,
    TERMINAL,
    UPPER,
    char_at,
    class_of,
)
from tamis.kernels.rules_memory import get32, inner, load64, put32, put64
from tamis.kernels.simd import fold64
from tamis.kernels.vector import load8, store8

__all__ = ["ALL_PUNCT", "ENDS", "HAS_LETTER", "NOT_SYMBOL", "SEED", "TURN", "Words", "emit", "rest64", "split_chunk"]

# The marks of a word.
HAS_LETTER, NOT_SYMBOL = 1, 2
ENDS = 4  # a single character that ends a sentence
ALL_PUNCT = 8  # all of Unicode category P

SEED, TURN = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
"""The start and the multiplier of a word's hash: blocks of 8 bytes folded, then the length."""

_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled
_HYPHEN, _TILDE, _ELLIPSIS = 0x2D, 0x7E, 0x2026


class Words(NamedTuple):
    """Where the words of one text go, as many as its bytes at most: addresses.

    `hashes` (uint64); `ends` (int32, one more): characters of the words up to each; `marks`
    (uint8); `tally` (int32, 3): what the chunks held of `#`, of ellipses, and of `{` (1) or `[` (2).
    """

    hashes: int
    ends: int
    marks: int
    tally: int


@inner
def rest64(start: int, i: int, stop: int) -> np.uint64:
    """Return the fewer than 8 bytes from `i` to `stop` as a little-endian word, zeros above.

    Reads nothing before `start`, which is not above `i`, or from `stop` on.
    """
    left = stop - i
    if stop - start >= 8:
        return np.uint64(0) if left <= 0 else load64(stop - 8) >> np.uint64(64 - 8 * left)
    word = np.uint64(0)
    for j in range(left):
        word |= np.uint64(load8(i + j)) << np.uint64(8 * j)
    return word


@inner
def emit(start: int, stop: int, table: int, words: Words, k: int) -> int:
    """Add the word the bytes from `start` to `stop` as number `k`; return k + 1."""
    h = SEED
    i = start
    while i + 8 <= stop:
        h = fold64(h ^ load64(i), TURN)
        i += 8
    if i < stop:
        h ^= rest64(start, i, stop)
    put64(words.hashes, k, fold64(h ^ np.uint64(stop - start), TURN))
    characters, some, every, i = 0, 0, PUNCT | TERMINAL | SYMBOL, start
    while i < stop:
        code, length = char_at(i, stop)
        kind = class_of(table, code)
        some |= kind
        every &= kind
        characters += 1
        i += length
    mark = HAS_LETTER if some & LETTER else 0
    if not every & SYMBOL:
        mark |= NOT_SYMBOL
    if every & PUNCT:
        mark |= ALL_PUNCT
    if every & TERMINAL and characters == 1:
        mark |= ENDS
    store8(words.marks + k, mark)
    put32(words.ends, k + 1, get32(words.ends, k) + characters)
    return k + 1


@inner
def _cut(code: int, dash: int, run: int, before: int, after: int, follows: int) -> bool:
    """Return whether a character inside a chunk is a word of its own.

    `dash`: not 0 if it is one; `run`: how many of it stand in a row; `before` and `after`: the
    classes around them (0 at an end); `follows`: the code point after.
    """
    if code == 0x2E:
        return run > 1 or (before & LOWER != 0 and after & UPPER != 0)
    if dash:
        if run <= 3 and before & (LETTER | DIGIT) and after & LETTER:
            return True
        return code == _HYPHEN and run == 1 and before & DIGIT != 0 and after & DIGIT != 0
    if code == 0x2C:
        return before & LETTER != 0 and after & LETTER != 0
    if code == 0x3A or code == 0x3C or code == 0x3D or code == 0x3E or code == 0x2F:
        return before & (LETTER | DIGIT) != 0 and after & LETTER != 0
    if code == 0x2A or code == 0x2B or code == 0x5E:
        return before & DIGIT != 0 and (after & DIGIT != 0 or follows == _HYPHEN)
    return False


@inner
def _core(start: int, stop: int, table: int, words: Words, k: int) -> int:
    """Add the words of a chunk from which front and back are gone."""
    if is_address(start, stop):
        return int(emit(start, stop, table, words, k))
    end = contraction(start, stop)
    word, i, before = start, start, _NONE
    while i < end:
        code, length = char_at(i, end)
        kind = class_of(table, code)
        j = i + length
        if not kind & ALNUM:
            run = 1
            repeats = code == 0x2E or (kind & DASH != 0 and code != _TILDE)
            while repeats and j < end and char_at(j, end)[0] == code:
                j += length
                run += 1
            follows = char_at(j, end)[0] if j < end else 0
            after = class_of(table, follows) if j < end else 0
            if kind & ICON or _cut(code, kind & DASH, run, before, after, follows):
                if word < i:
                    k = emit(word, i, table, words, k)
                k = emit(i, j, table, words, k)
                word = j
        before = kind
        i = j
    if word < end:
        k = emit(word, end, table, words, k)
    return emit(end, stop, table, words, k) if end < stop else k


@inner
def _count(start: int, stop: int, tally: int) -> None:
    """Add what a chunk holds of `#`, of ellipses, and of `{` (1) or `[` (2) to `tally`."""
    dots, hashes, ellipses, brackets = 0, 0, 0, 0
    for i in range(start, stop):
        c = load8(i)
        dots = dots + 1 if c == 0x2E else 0
        if dots == 3:
            ellipses += 1
            dots = 0
        elif c == 0x23:
            hashes += 1
        elif c == 0x7B:
            brackets |= 1
        elif c == 0x5B:
            brackets |= 2
        elif c == 0xE2 and char_at(i, stop)[0] == _ELLIPSIS:
            ellipses += 1
    put32(tally, 0, get32(tally, 0) + hashes)
    put32(tally, 1, get32(tally, 1) + ellipses)
    put32(tally, 2, get32(tally, 2) | brackets)


@inner
def split_chunk(start: int, stop: int, table: int, words: Words, k: int) -> int:
    """Add the words of a chunk, which has no white space, from number `k` on; return the next number."""
    _count(start, stop, words.tally)
    while start < stop:
        i = front_of(start, stop, table)
        if i == start:
            break
        k = emit(start, i, table, words, k)
        start = i
    end = stop
    while end > start:
        i = back_of(start, end, table)
        if i == end:
            break
        end = i
    if end > start:
        k = _core(start, end, table, words, k)
    while end < stop:  # what came off the back, forward again: 's whole, a run of dots whole
        i = end
        while is_dot(i, end, stop):
            i += 1
        if i == end:
            i += char_at(end, stop)[1]
            if i < stop and (load8(i) == 0x73 or load8(i) == 0x53):
                i += 1
        k = emit(end, i, table, words, k)
        end = i
    return k
