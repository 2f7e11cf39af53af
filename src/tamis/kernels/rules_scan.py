"""One pass over the bytes of a text: its words, and where its lines end."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.kernels.rules_chars import SPACE, char_at, class_of
from tamis.kernels.rules_chunks import BLANK, KIND, WIDE, chunk
from tamis.kernels.rules_memory import get32, inner, put32
from tamis.kernels.rules_phrases import FIRSTS, javascript, phrase
from tamis.kernels.rules_words import Words
from tamis.kernels.vector import load8

__all__ = ["BRACE", "BRACKET", "CHARACTERS", "CHUNKS", "FLAGS", "LF", "LINE", "LONG", "STOP", "WORDS", "scan"]

# The columns of a line (int32): counts from the start of the text to the line's end, then its flags; and how many.
STOP, WORDS, CHUNKS, CHARACTERS, FLAGS, LINE = 0, 1, 2, 3, 4, 5

# The flags of a line, beside those of `rules_phrases`.
LF = 1  # it ends in a line feed
LONG = 2  # a chunk of more than 1000 characters
BRACE, BRACKET = 32, 64  # "{", "["

_LONGEST = 1000
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled
_BREAKS = np.isin(np.arange(256), [ord(c) for c in "\n\r\v\f\x1c\x1d\x1e"])


@inner
def scan(first: int, stop: int, table: int, words: Words, lines: int) -> tuple[int, int, int]:
    """Find the words and lines of the text from `first` to `stop`; return (words, lines, characters).

    `lines` (address, a row for each byte at most) gets the columns of each line: what ends it is a line feed,
    a carriage return (with the line feed after it), or one of the rarer line ends of Unicode.
    """
    i, k, line, chunks, more, flags, ended = first, _NONE, lines, _NONE, _NONE, _NONE, first
    put32(words.ends, 0, 0)
    put32(words.tally, 0, 0)
    put32(words.tally, 1, 0)
    put32(words.tally, 2, 0)
    while i < stop:
        c = load8(i)
        kind = KIND[c]
        if kind <= WIDE:
            code, length = char_at(i, stop)
            if kind == BLANK or class_of(table, code) & SPACE:
                breaks = _BREAKS[c] if kind == BLANK else code == 0x85 or code == 0x2028 or code == 0x2029
                if breaks and not (c == 0x0D and i + 1 < stop and load8(i + 1) == 0x0A):
                    _end_line(line, i - first, k, chunks, i - first - more, flags | (LF if c == 0x0A else 0), words)
                    line, flags, ended = line + 4 * LINE, _NONE, i + length
                more += length - 1
                i += length
                continue
        start = i
        chunks += 1
        if FIRSTS[c]:
            flags |= phrase(first, i, stop)
        i, k, extra = chunk(i, stop, table, words, k)
        more += extra
        if i - start >= 10:
            flags |= javascript(start, i)
            if i - start - extra > _LONGEST:
                flags |= LONG
    if ended < stop:
        _end_line(line, stop - first, k, chunks, stop - first - more, flags, words)
        line += 4 * LINE
    return k, (line - lines) // (4 * LINE), stop - first - more


@inner
def _end_line(line: int, stop: int, k: int, chunks: int, characters: int, flags: int, words: Words) -> None:
    brackets = get32(words.tally, 2)
    put32(words.tally, 2, 0)
    put32(line, STOP, stop)
    put32(line, WORDS, k)
    put32(line, CHUNKS, chunks)
    put32(line, CHARACTERS, characters)
    put32(line, FLAGS, flags | (BRACE if brackets & 1 else 0) | (BRACKET if brackets & 2 else 0))
