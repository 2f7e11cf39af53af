"""What the rules need to know of a character: its class, from a table, and where it begins and ends.

The table holds an uint16 of bits for each code point below 0x20000, from Python's own Unicode
data; ideographs above are letters, all else above has no bit. Texts are UTF-8: bytes that are not
are taken one by one, and nothing outside the text is ever read.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.rules_memory import get16, inner
from tamis.kernels.vector import load8

__all__ = [
    "ALNUM",
    "BACK",
    "DASH",
    "DIGIT",
    "FRONT",
    "ICON",
    "LETTER",
    "LOWER",
    "PUNCT",
    "SPACE",
    "SYMBOL",
    "TERMINAL",
    "UPPER",
    "char_at",
    "class_of",
    "classes",
    "previous",
    "strip",
]

# The bits of a class.
LETTER, ALNUM, LOWER, UPPER, SPACE = 1, 2, 4, 8, 16
PUNCT = 32  # Unicode category P
SYMBOL = 64  # categories P, S and Cc: a word of these alone is no word
TERMINAL = 128  # ends a sentence
FRONT, BACK = 256, 512  # taken off the front or back of a word
ICON = 1024  # category So or an ellipsis: stands alone wherever it is
DIGIT = 2048  # 0 to 9
DASH = 4096  # cuts words

_CODES, _IDEOGRAPHS = 0x20000, 0x40000

#: What ends a sentence: Unicode's Sentence_Terminal (UAX 44, PropList) as of version 15.0.
_TERMINALS = """
21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 17D4-17D6
17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E
2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52
FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6
111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944
11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F
1DA88
"""
_FRONTS = "!\"#$%&'()*+,:;<=>?[]_`{}"
_BACKS = "!\"#$%&'()*+,.:;<>?[]_`{}"


def _bits(code: int) -> int:
    character, category = chr(code), unicodedata.category(chr(code))
    bits = 0
    if character.isalpha():
        bits = LETTER | ALNUM | LOWER * character.islower() | UPPER * character.isupper()
    elif character.isalnum():
        bits = ALNUM | DIGIT * (code < 128)
    elif character.isspace():
        bits = SPACE
    elif category[0] == "P":
        bits = PUNCT | SYMBOL
    elif category[0] == "S" or category == "Cc":
        bits = SYMBOL
    if code >= 128 and (category[0] == "P" or category in {"Sc", "So"}):
        bits |= FRONT | BACK
    bits |= DASH * (character in "-~\u2013\u2014")
    return bits | ICON * (category == "So" or code == 0x2026)


@lru_cache(maxsize=1)
def classes() -> NDArray[np.uint16]:
    """Return the class of each code point below 0x20000 (131,072, uint16)."""
    table = np.fromiter(map(_bits, range(_CODES)), np.uint16, _CODES)
    for span in _TERMINALS.split():
        first, _, last = span.partition("-")
        table[int(first, 16) : int(last or first, 16) + 1] |= TERMINAL
    for characters, bit in ((_FRONTS, FRONT), (_BACKS, BACK)):
        table[[ord(c) for c in characters]] |= bit
    table.flags.writeable = False
    return table


@inner
def char_at(i: int, stop: int) -> tuple[int, int]:
    """Return the code point that begins at address `i` (below `stop`) and how many bytes it has."""
    c = load8(i)
    if c < 0xC0:
        return c, 1
    length = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    if i + length > stop:
        return c, 1
    code = c & (0x7F >> length)
    for j in range(1, length):
        code = (code << 6) | (load8(i + j) & 0x3F)
    return code, length


@inner
def class_of(table: int, code: int) -> int:
    """Return the class bits of a code point; `table` is the address of `classes()`."""
    if code < _CODES:
        return int(get16(table, code))
    return LETTER | ALNUM if code < _IDEOGRAPHS else 0


@inner
def previous(i: int, start: int) -> int:
    """Return where the character that ends before address `i` begins; not below `start`."""
    j = i - 1
    while j > start and i - j < 4 and load8(j) & 0xC0 == 0x80:
        j -= 1
    return max(j, start)


@inner
def strip(start: int, stop: int, table: int) -> tuple[int, int]:
    """Return the span from `start` to `stop` without white space at either end."""
    while start < stop:
        if 0x20 < load8(start) < 0x80:  # most often at once
            break
        code, length = char_at(start, stop)
        if not class_of(table, code) & SPACE:
            break
        start += length
    while start < stop:
        if 0x20 < load8(stop - 1) < 0x80:
            break
        j = previous(stop, start)
        if not class_of(table, char_at(j, stop)[0]) & SPACE:
            break
        stop = j
    return start, stop
