"""JSON strings: where one ends, what it says, and whether bytes are UTF-8.

Positions are addresses (see `kernels.vector`); `limit` is the last address at which a block of
32 bytes may be loaded: the end of the buffer less 32. A failure comes back as ``~position``
(negative), so one number carries both answers.
"""

from __future__ import annotations

from numba import njit

from tamis.kernels.vector import copy32, high32, load8, special32, store8, trailing_zeros

__all__ = ["copy_span", "is_blank", "skip_space", "string_end", "unescape", "utf8_error"]

_QUOTE, _BACKSLASH, _U = 0x22, 0x5C, 0x75


@njit(nogil=True, cache=True)
def _escaped(letter: int) -> int:
    """Return the byte that an escape of one letter stands for; 0 where there is no such escape."""
    if letter == 0x22 or letter == 0x5C or letter == 0x2F:
        return letter
    if letter == 0x6E:
        return 0x0A
    if letter == 0x74:
        return 0x09
    if letter == 0x72:
        return 0x0D
    if letter == 0x62:
        return 0x08
    return 0x0C if letter == 0x66 else 0


@njit(nogil=True, cache=True)
def _hex4(i: int) -> int:
    """Return the number that four hexadecimal digits say, or -1."""
    value = 0
    for k in range(4):
        c = load8(i + k)
        folded = c | 0x20
        if 0x30 <= c <= 0x39:
            value = (value << 4) | (c - 0x30)
        elif 0x61 <= folded <= 0x66:
            value = (value << 4) | (folded - 0x57)
        else:
            return -1
    return value


@njit(nogil=True, cache=True)
def skip_space(i: int, stop: int) -> int:
    """Return the first position from `i` on that is no JSON white space (or `stop`)."""
    while i < stop:
        c = load8(i)
        if c > 0x20 or (c != 0x20 and c != 0x0A and c != 0x0D and c != 0x09):
            break
        i += 1
    return i


@njit(nogil=True, cache=True)
def string_end(i: int, stop: int, limit: int) -> int:
    """Return the position of the closing quote of the string whose content starts at `i`.

    `~position` where an escape is wrong, a control character stands, or the string does not end.
    """
    while True:
        if i <= limit:
            mask = special32(i)
            if mask == 0:
                i += 32
                if i < stop:
                    continue
                return ~stop
            i += trailing_zeros(mask)
        if i >= stop:
            return ~stop
        c = load8(i)
        if c == _QUOTE:
            return i
        if c == _BACKSLASH:
            if i + 1 >= stop:
                return ~stop
            letter = load8(i + 1)
            if letter == _U:
                if i + 6 > stop or _hex4(i + 2) < 0:
                    return ~i
                i += 6
            elif _escaped(letter) != 0:
                i += 2
            else:
                return ~i
        elif c < 0x20:
            return ~i
        else:
            i += 1  # only in the last bytes of the buffer


@njit(nogil=True, cache=True)
def _put(w: int, code: int) -> int:
    """Write a code point as UTF-8 at `w` and return the position after it."""
    if code < 0x80:
        store8(w, code)
        return w + 1
    if code < 0x800:
        store8(w, 0xC0 | (code >> 6))
        store8(w + 1, 0x80 | (code & 0x3F))
        return w + 2
    if code < 0x10000:
        store8(w, 0xE0 | (code >> 12))
        store8(w + 1, 0x80 | ((code >> 6) & 0x3F))
        store8(w + 2, 0x80 | (code & 0x3F))
        return w + 3
    store8(w, 0xF0 | (code >> 18))
    store8(w + 1, 0x80 | ((code >> 12) & 0x3F))
    store8(w + 2, 0x80 | ((code >> 6) & 0x3F))
    store8(w + 3, 0x80 | (code & 0x3F))
    return w + 4


@njit(nogil=True, cache=True)
def unescape(i: int, stop: int, limit: int, w: int, lone: int) -> int:
    """Write what the valid JSON string content from `i` to `stop` says at `w`; return the end.

    A lone surrogate escape, which UTF-8 has no bytes for, becomes the code point `lone`; 0 stands
    for the byte 0xFF, which no text contains. The result is never longer than the content, but
    whole blocks are written: the target needs 32 bytes of room beyond it.
    """
    while i < stop:
        if i <= limit:
            mask = copy32(i, w)
            step = 32 if mask == 0 else trailing_zeros(mask)
            if step >= stop - i:
                return w + stop - i
            i += step
            w += step
            if mask == 0:
                continue
        elif load8(i) != _BACKSLASH:
            store8(w, load8(i))
            i += 1
            w += 1
            continue
        letter = load8(i + 1)
        if letter != _U:
            store8(w, _escaped(letter))
            i += 2
            w += 1
            continue
        code = _hex4(i + 2)
        i += 6
        if 0xD800 <= code < 0xDC00 and i + 6 <= stop and load8(i) == _BACKSLASH and load8(i + 1) == _U:
            low = _hex4(i + 2)
            if 0xDC00 <= low < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                i += 6
        if 0xD800 <= code < 0xE000:
            if lone == 0:
                store8(w, 0xFF)
                w += 1
                continue
            code = lone
        w = _put(w, code)
    return w


@njit(nogil=True, cache=True)
def copy_span(i: int, stop: int, limit: int, w: int) -> int:
    """Copy the bytes from `i` to `stop` to `w` and return the end; 32 bytes beyond it may be written."""
    while i < stop and i <= limit:
        copy32(i, w)
        step = min(32, stop - i)
        i += step
        w += step
    while i < stop:
        store8(w, load8(i))
        i += 1
        w += 1
    return w


@njit(nogil=True, cache=True)
def utf8_error(i: int, stop: int) -> int:
    """Return where the first sequence starts that is not strict UTF-8, or -1.

    Strict as Unicode chapter 3 defines it (table 3-7): no overlong forms, no surrogates, nothing
    above U+10FFFF, nothing cut short.
    """
    while i < stop:
        if i + 32 <= stop:
            mask = high32(i)
            if mask == 0:
                i += 32
                continue
            i += trailing_zeros(mask)
        lead = load8(i)
        if lead < 0x80:
            i += 1
            continue
        if lead < 0xC2 or lead > 0xF4:
            return i
        more = 1 if lead < 0xE0 else (2 if lead < 0xF0 else 3)
        if i + more >= stop:
            return i
        second = load8(i + 1)
        low = 0xA0 if lead == 0xE0 else (0x90 if lead == 0xF0 else 0x80)
        high = 0x9F if lead == 0xED else (0x8F if lead == 0xF4 else 0xBF)
        if second < low or second > high:
            return i
        for k in range(2, more + 1):
            if load8(i + k) & 0xC0 != 0x80:
                return i
        i += more + 1
        # The next character is likely of the same script: no block test in between.
        while i < stop and load8(i) >= 0xE1 and load8(i) <= 0xEC and i + 2 < stop:
            if load8(i + 1) & 0xC0 != 0x80 or load8(i + 2) & 0xC0 != 0x80:
                return i
            i += 3
    return -1


@njit(nogil=True, cache=True)
def is_blank(i: int, stop: int) -> bool:
    """Return whether the UTF-8 text from `i` to `stop` is empty or Unicode white space (``str.isspace``)."""
    while i < stop:
        c = load8(i)
        if c == 0x20 or 0x09 <= c <= 0x0D or 0x1C <= c <= 0x1F:
            i += 1
            continue
        if c < 0xC2:
            return False
        second = load8(i + 1) if i + 1 < stop else 0
        if c == 0xC2 and (second == 0x85 or second == 0xA0):
            i += 2
            continue
        if c < 0xE1 or c > 0xE3 or i + 2 >= stop:
            return False
        code = ((c & 0x0F) << 12) | ((second & 0x3F) << 6) | (load8(i + 2) & 0x3F)
        if not (
            0x2000 <= code <= 0x200A
            or code == 0x1680
            or code == 0x2028
            or code == 0x2029
            or code == 0x202F
            or code == 0x205F
            or code == 0x3000
        ):
            return False
        i += 3
    return True
