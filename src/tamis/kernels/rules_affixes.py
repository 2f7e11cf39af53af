"""What comes off the front and back of a chunk as a word of its own; see `rules_words`.

Positions are addresses of bytes, spans run from `start` to before `stop`.
"""

from __future__ import annotations

from tamis.kernels.rules_chars import BACK, DIGIT, FRONT, LETTER, PUNCT, UPPER, char_at, class_of, previous
from tamis.kernels.rules_memory import inner
from tamis.kernels.vector import load8

__all__ = ["back_of", "contraction", "front_of", "is_address", "is_dot"]

_AFTER_PERIOD = PUNCT | DIGIT  # classes after which a final period is a word
_RIGHT = 0x2019  # the apostrophe that is a quotation mark


@inner
def _apostrophe(start: int, stop: int) -> int:
    """Return where the apostrophe that ends at byte `stop` begins; `stop` if there is none."""
    if stop > start and load8(stop - 1) == 0x27:
        return stop - 1
    if stop - 3 >= start and char_at(stop - 3, stop)[0] == _RIGHT:
        return stop - 3
    return stop


@inner
def is_dot(i: int, start: int, stop: int) -> bool:
    """Return whether a dot stands at `i`, within a span."""
    return start <= i < stop and load8(i) == 0x2E


@inner
def _final_period(start: int, stop: int, table: int) -> bool:
    """Return whether the single period that ends a span is a word of its own."""
    last = stop - 1
    if last == start:
        return False
    i = previous(last, start)
    code = char_at(i, stop)[0]
    kind = class_of(table, code)
    if kind & LETTER:
        if i == start or load8(i - 1) == 0x2E:
            return False
        before = class_of(table, char_at(previous(i, start), stop)[0])
        return not kind & UPPER or before & UPPER != 0
    # A superscript two, percent, minus and plus may end a quantity; slash, backslash and @ an address.
    if code == 0xB2 or code == 0x25 or code == 0x2D or code == 0x2B:
        return True
    return kind & _AFTER_PERIOD != 0 and not (code == 0x2F or code == 0x5C or code == 0x40)


@inner
def back_of(start: int, stop: int, table: int) -> int:
    """Return where the word that comes off the back of a span begins; `stop` if none does."""
    last = load8(stop - 1)
    if last == 0x2E:
        i = stop - 1
        while is_dot(i - 1, start, stop):
            i -= 1
        return i if stop - i > 1 or _final_period(start, stop, table) else stop
    if last == 0x73 or last == 0x53:
        i = _apostrophe(start, stop - 1)
        return i if i < stop - 1 else stop
    i = previous(stop, start)
    if not class_of(table, char_at(i, stop)[0]) & BACK:
        return stop
    if last == 0x24 or last == 0x25 or last == 0x2B:  # $ % + only after a digit
        return i if i > start and 0x30 <= load8(i - 1) <= 0x39 else stop
    return int(i)


@inner
def front_of(start: int, stop: int, table: int) -> int:
    """Return where the word that comes off the front of a span ends; `start` if none does."""
    if load8(start) == 0x2E:
        i = start
        while is_dot(i, start, stop):
            i += 1
        return i if i - start > 1 or i == stop else start
    code, length = char_at(start, stop)
    if not class_of(table, code) & FRONT:
        return start
    if code == 0x2B and start + 1 < stop and 0x30 <= load8(start + 1) <= 0x39:
        return start
    return int(start + length)


@inner
def contraction(start: int, stop: int) -> int:
    """Return where n't, 're, 've, 'll, 'm or 'd begins at the end of a span; `stop` if nowhere."""
    if stop - start < 3:
        return stop
    last, other = load8(stop - 1) | 0x20, load8(stop - 2) | 0x20
    one = _apostrophe(start, stop - 1)
    if one < stop - 1:
        if last == 0x74 and one - 1 > start and load8(one - 1) | 0x20 == 0x6E:
            return int(one - 1)
        return one if (last == 0x6D or last == 0x64) and one > start else stop
    two = _apostrophe(start, stop - 2)
    if two < stop - 2 and two > start:
        pair = (other == 0x72 and last == 0x65) or (other == 0x76 and last == 0x65) or (other == 0x6C and last == 0x6C)
        return two if pair else stop
    return stop


@inner
def is_address(start: int, stop: int) -> bool:
    """Return whether a span begins with `www.` or holds `://` or `@`."""
    w = start
    while w < stop and load8(w) == 0x77:
        w += 1
    if w - start == 3 and w < stop and load8(w) == 0x2E:
        return True
    for i in range(start, stop):
        if load8(i) == 0x40:
            return True
        if load8(i) == 0x3A and i + 2 < stop and load8(i + 1) == 0x2F and load8(i + 2) == 0x2F:
            return True
    return False
