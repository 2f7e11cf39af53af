"""Lines and paragraphs: how they begin and end, which came before, and which C4 would drop.

There are three notions of a line. Lines of Gopher's quality rules and of C4 end at any line end;
those of the repetition rules are what one or more line feeds leave between them; those of
FineWeb's rules end at each line feed, blank ones left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.rules_chars import TERMINAL, char_at, class_of, previous, strip
from tamis.kernels.rules_memory import get32, inner, load64, put32, put64
from tamis.kernels.rules_repeats import Repeats, repeated
from tamis.kernels.rules_scan import CHARACTERS, CHUNKS, FLAGS, LF, LINE, STOP
from tamis.kernels.rules_words import SEED, TURN, Words, rest64
from tamis.kernels.simd import fold64
from tamis.kernels.vector import load8

__all__ = ["Scratch", "bullets_and_ellipses", "ends_in_ellipsis", "feed_lines", "paragraphs"]

_SHORT = 30  # characters of a short line of FineWeb
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled


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


@inner
def _hash(start: int, stop: int) -> np.uint64:
    h = SEED ^ np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        h = fold64(h ^ load64(i), TURN)
        i += 8
    return np.uint64(fold64(h ^ rest64(start, i, stop), TURN))


@inner
def _characters(start: int, stop: int) -> int:
    characters = 0
    for i in range(start, stop):
        characters += load8(i) & 0xC0 != 0x80
    return characters


@inner
def ends_in_ellipsis(start: int, stop: int) -> bool:
    """Return whether the last of a span are three dots or an ellipsis."""
    if stop - start < 3:
        return False
    a, b, c = load8(stop - 3), load8(stop - 2), load8(stop - 1)
    return bool((a == 0x2E and b == 0x2E and c == 0x2E) or (a == 0xE2 and b == 0x80 and c == 0xA6))


@inner
def bullets_and_ellipses(first: int, n: int, lines: int, table: int) -> tuple[int, int]:
    """Return how many of the `n` lines begin with a bullet or hyphen, and how many end in an ellipsis."""
    bullets, ellipses, start = 0, 0, first
    for m in range(n):
        a, b = strip(start, first + get32(lines, m * LINE + STOP), table)
        if a < b:
            bullet = b - a >= 3 and load8(a) == 0xE2 and load8(a + 1) == 0x80 and load8(a + 2) == 0xA2
            bullets += bullet or load8(a) == 0x2D
            ellipses += ends_in_ellipsis(a, b)
        start = first + get32(lines, m * LINE + STOP)
    return bullets, ellipses


@inner
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


@inner
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
        if load8(i - 1) == 0x0A:
            start = i + 1
        elif load8(i + 1) == 0x0A:
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
