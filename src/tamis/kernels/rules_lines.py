"""Lines and paragraphs: how they begin and end, which came before, and which C4 would drop.

There are three notions of a line. Lines of Gopher's quality rules and of C4 end at any line end;
those of the repetition rules are what one or more line feeds leave between them; those of
FineWeb's rules end at each line feed, blank ones left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.rules_chars import TERMINAL, char_at, class_of, previous, strip
from tamis.kernels.rules_memory import get32, load64, put32, put64
from tamis.kernels.rules_repeats import Repeats, repeated
from tamis.kernels.rules_scan import (
    BRACE,
    BRACKET,
    CHARACTERS,
    CHUNKS,
    FLAGS,
    JAVASCRIPT,
    LF,
    LINE,
    LONG,
    LOREM,
    POLICY,
    STOP,
    WORDS,
    scan,
)
from tamis.kernels.rules_words import ALL_PUNCT, ENDS, SEED, TURN, Words, rest64
from tamis.kernels.simd import fold64
from tamis.kernels.vector import load8, store8

__all__ = ["Scratch", "bullets_and_ellipses", "c4_lines", "feed_lines", "paragraphs"]

_FEW_WORDS = 3
_SHORT = 30  # characters of a short line of FineWeb
_EDIT, _NEEDED = np.frombuffer(b"[edit]", np.uint8), np.frombuffer(b"[citation needed]", np.uint8)
_NONE = np.int64(0)  # typed, or each literal number would have its own code compiled


class Scratch(NamedTuple):
    """Room for the lines of one text: addresses.

    `lines` as `scan` leaves them; `hashes` (uint64), `sizes` (int32) and `found` (uint8) of what may
    repeat; and for one line without citations its `bytes`, `line` and `words`.
    """

    lines: int
    hashes: int
    sizes: int
    found: int
    bytes: int
    line: int
    words: Words


@njit(nogil=True, cache=True)
def _hash(start: int, stop: int) -> np.uint64:
    h = SEED ^ np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        h = fold64(h ^ load64(i), TURN)
        i += 8
    return fold64(h ^ rest64(start, i, stop), TURN)


@njit(nogil=True, cache=True)
def _ends_in_ellipsis(start: int, stop: int) -> bool:
    if stop - start < 3:
        return False
    a, b, c = load8(stop - 3), load8(stop - 2), load8(stop - 1)
    return (a == 0x2E and b == 0x2E and c == 0x2E) or (a == 0xE2 and b == 0x80 and c == 0xA6)


@njit(nogil=True, cache=True)
def bullets_and_ellipses(first: int, n: int, lines: int, table: int) -> tuple[int, int]:
    """Return how many of the `n` lines begin with a bullet or hyphen, and how many end in an ellipsis."""
    bullets, ellipses, start = 0, 0, first
    for m in range(n):
        a, b = strip(start, first + get32(lines, m * LINE + STOP), table)
        if a < b:
            bullet = b - a >= 3 and load8(a) == 0xE2 and load8(a + 1) == 0x80 and load8(a + 2) == 0xA2
            bullets += bullet or load8(a) == 0x2D
            ellipses += _ends_in_ellipsis(a, b)
        start = first + get32(lines, m * LINE + STOP)
    return bullets, ellipses


@njit(nogil=True, cache=True)
def _is(i: int, stop: int, mark: NDArray[np.uint8]) -> bool:
    if i + len(mark) > stop:
        return False
    j = 0
    while j < len(mark) and load8(i + j) == mark[j]:
        j += 1
    return j == len(mark)


@njit(nogil=True, cache=True)
def _citation(i: int, stop: int) -> int:
    """Return where a citation mark that begins at byte `i` ends: [1], [], [edit], [citation needed]; else `i`."""
    if load8(i) != 0x5B:
        return i
    j = i + 1
    while j < stop and 0x30 <= load8(j) <= 0x39:
        j += 1
    if j < stop and load8(j) == 0x5D:
        return j + 1
    if _is(i, stop, _EDIT):
        return i + len(_EDIT)
    return i + len(_NEEDED) if _is(i, stop, _NEEDED) else i


@njit(nogil=True, cache=True)
def _without_citations(start: int, stop: int, out: int) -> int:
    """Copy a span to `out` without its citation marks; return how many bytes that are."""
    filled = 0
    while start < stop:
        after = _citation(start, stop)
        if after == start:
            store8(out + filled, load8(start))
            filled += 1
            start += 1
        else:
            start = after
    return filled


@njit(nogil=True, cache=True)
def _sentences(marks: int, start: int, stop: int) -> int:
    """Return the sentences of words `start` to `stop`: one ends before a word that no punctuation parts from an end."""
    sentences, over = 1, False
    for k in range(start, stop):
        if over and not load8(marks + k) & (ALL_PUNCT | ENDS):
            sentences += 1
            over = False
        elif load8(marks + k) & ENDS:
            over = True
    return sentences


@njit(nogil=True, cache=True)
def _terminal(start: int, stop: int) -> bool:
    """Return whether a line ends in . ? ! " or ', but not in three dots."""
    if start == stop:
        return False
    c = load8(stop - 1)
    if c == 0x2E:
        return not _ends_in_ellipsis(start, stop)
    return c == 0x3F or c == 0x21 or c == 0x22 or c == 0x27


@njit(nogil=True, cache=True)
def c4_lines(
    first: int,
    n: int,
    table: int,
    words: Words,
    room: Scratch,
    on: NDArray[np.bool_],
    out: NDArray[np.int64],
) -> None:
    """Judge the `n` lines of a text as C4 does; what is on of the line rules decides which lines stay.

    `on` (5) and `out[:5]`, lines dropped, in the order of the rules: a long word, no terminal
    punctuation, few words, "javascript", a policy phrase. A line counts for the first that drops
    it. `out[5:]`: lines with "lorem ipsum" and lines with "{" among those that come as far as
    these rules, sentences in lines that stay, lines that are not blank.
    """
    out[:] = 0
    lines = room.lines
    start, word, chunk = first, _NONE, _NONE
    for m in range(n):
        a, from_word, before, row = start, word, chunk, m * LINE
        start, word, chunk = first + get32(lines, row + STOP), get32(lines, row + WORDS), get32(lines, row + CHUNKS)
        to_word, chunks, flags = word, chunk - before, get32(lines, row + FLAGS)
        if not chunks:
            continue
        out[8] += 1
        if on[0] and flags & LONG:
            out[0] += 1
            continue
        a, b = strip(a, start, table)
        marks = words.marks
        if flags & BRACKET:
            size = _without_citations(a, b, room.bytes)
            if size < b - a:
                a, b, marks = room.bytes, room.bytes + size, room.words.marks
                from_word, to_word, flags = _NONE, _NONE, _NONE
                if size:
                    to_word, _, _ = scan(a, b, table, room.words, room.line)
                    flags = get32(room.line, FLAGS)
        if on[1] and not _terminal(a, b):
            out[1] += 1
        elif on[2] and chunks < _FEW_WORDS:
            out[2] += 1
        else:
            out[5] += flags & LOREM != 0
            if on[3] and flags & JAVASCRIPT:
                out[3] += 1
                continue
            out[6] += flags & BRACE != 0
            if on[4] and flags & POLICY:
                out[4] += 1
            else:
                out[7] += _sentences(marks, from_word, to_word)


@njit(nogil=True, cache=True)
def feed_lines(
    first: int,
    stop: int,
    n: int,
    characters: int,
    table: int,
    room: Scratch,
    repeats: Repeats,
    out: NDArray[np.int64],
) -> None:
    """Fill `out` (8) with what the lines between line feeds are, of a text of `n` lines and `characters`.

    Lines that are not empty and those of them that came before, characters of these; lines that
    are not blank, those that end a sentence, short ones, characters of those that came before;
    line feeds.
    """
    out[:] = 0
    lines = room.lines
    start, chunk, passed, entries = first, _NONE, _NONE, _NONE
    for m in range(n):
        feed = get32(lines, m * LINE + FLAGS) & LF
        if not feed and m < n - 1:
            continue
        end, size = first + get32(lines, m * LINE + STOP), get32(lines, m * LINE + CHARACTERS) - passed
        if not feed:  # whatever line end is the text's last, the line goes on behind it
            end, size = stop, characters - passed
        if size:
            blank = get32(lines, m * LINE + CHUNKS) == chunk
            put64(room.hashes, entries, _hash(start, end) if n > 1 else SEED)
            put32(room.sizes, entries, -size if blank else size)
            entries += 1
            if not blank:
                out[3] += 1
                last = char_at(previous(end, start), end)[0]
                out[4] += class_of(table, last) & TERMINAL != 0
                out[5] += size <= _SHORT
        out[7] += feed
        start, chunk, passed = end + 1, get32(lines, m * LINE + CHUNKS), get32(lines, m * LINE + CHARACTERS) + 1
    out[0] = entries
    if entries > 1:
        repeated(room.hashes, entries, repeats, room.found)
        for j in range(entries):
            if load8(room.found + j):
                out[1] += 1
                size = get32(room.sizes, j)
                out[2] += size if size > 0 else -size
                out[6] += size if size > 0 else _NONE


@njit(nogil=True, cache=True)
def paragraphs(
    first: int,
    stop: int,
    n: int,
    table: int,
    room: Scratch,
    repeats: Repeats,
    out: NDArray[np.int64],
) -> None:
    """Fill `out` (3) with the paragraphs of a text of `n` lines, those that came before, characters of these.

    A paragraph is what two or more line feeds leave between them in the text without white space
    at its ends.
    """
    begin, end = strip(first, stop, table)
    start, entries = begin, _NONE
    out[0], out[1], out[2] = 1, 0, 0
    for m in range(n):
        i = first + get32(room.lines, m * LINE + STOP)
        if not get32(room.lines, m * LINE + FLAGS) & LF or i < begin or i >= end:
            continue
        # Both neighbours exist: neither the first nor the last byte of the stripped text is white space.
        if load8(i - 1) == 0x0A and load8(i + 1) != 0x0A:
            start = i + 1
        elif load8(i - 1) != 0x0A and load8(i + 1) == 0x0A:
            put64(room.hashes, entries, _hash(start, i))
            put32(room.sizes, entries, _characters(start, i))
            entries += 1
    if not entries:
        return
    put64(room.hashes, entries, _hash(start, end))
    put32(room.sizes, entries, _characters(start, end))
    out[0] = entries + 1
    repeated(room.hashes, entries + 1, repeats, room.found)
    for j in range(entries + 1):
        if load8(room.found + j):
            out[1] += 1
            out[2] += get32(room.sizes, j)


@njit(nogil=True, cache=True)
def _characters(start: int, stop: int) -> int:
    characters = 0
    for i in range(start, stop):
        characters += load8(i) & 0xC0 != 0x80
    return characters
