"""Which lines of a text C4 would drop, and what it would find in the lines that come as far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.rules_chars import strip
from tamis.kernels.rules_lines import Scratch, ends_in_ellipsis
from tamis.kernels.rules_memory import get32, inner
from tamis.kernels.rules_phrases import JAVASCRIPT, LOREM, POLICY
from tamis.kernels.rules_scan import BRACE, BRACKET, CHUNKS, FLAGS, LINE, LONG, STOP, WORDS, scan
from tamis.kernels.rules_words import ALL_PUNCT, ENDS, Words
from tamis.kernels.vector import load8, store8

__all__ = ["c4_lines"]

_FEW_WORDS = 3
_EDIT, _NEEDED = np.frombuffer(b"[edit]", np.uint8), np.frombuffer(b"[citation needed]", np.uint8)
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled


@inner
def _is(i: int, stop: int, mark: NDArray[np.uint8]) -> bool:
    if i + len(mark) > stop:
        return False
    j = 0
    while j < len(mark) and load8(i + j) == mark[j]:
        j += 1
    return j == len(mark)


@inner
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


@inner
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


@inner
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


@inner
def _terminal(start: int, stop: int) -> bool:
    """Return whether a line ends in . ? ! " or ', but not in three dots."""
    if start == stop:
        return False
    c = load8(stop - 1)
    if c == 0x2E:
        return not ends_in_ellipsis(start, stop)
    return bool(c == 0x3F or c == 0x21 or c == 0x22 or c == 0x27)


@inner
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
