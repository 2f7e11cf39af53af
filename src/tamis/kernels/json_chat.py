"""Chats as texts: a line `role: content` for each turn, walked in JSON that was found valid."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.json_parse import ABSENT, find_key, scratch_bytes
from tamis.kernels.json_render import write_value
from tamis.kernels.json_text import is_blank, skip_space, string_end, unescape
from tamis.kernels.vector import (
    address,
    load8,
    load_word,
    store8,
    store_word,
    structure32,
    trailing_zeros,
)

__all__ = ["render_chat"]

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]

_NULL, _INT, _STRING, _NESTED = 0, 2, 4, 5
_MISSING_FIELD, _WRONG_TYPE, _EMPTY = 4, 5, 6
_REPLACEMENT = 0xFFFD
# Whom a turn blames: the list itself, the role, the content.
_TURNS, _ROLE, _CONTENT = 0, 1, 2

_TEXT = int.from_bytes(b"text", "little")
_SYSTEM = int.from_bytes(b"system: ", "little")


@njit(nogil=True, cache=True)
def _value_end(i: int, stop: int, limit: int) -> tuple[int, int]:
    """Return the end of the valid value that starts at `i`, and its kind (any number is INT)."""
    c = load8(i)
    if c == 0x22:
        return string_end(i + 1, stop, limit) + 1, _STRING
    if c != 0x7B and c != 0x5B:
        while i < stop and load8(i) > 0x20 and load8(i) | 0x20 != 0x7D and load8(i) != 0x2C:
            i += 1
        return i, _NULL if c == 0x6E else _INT
    depth = 0
    while True:
        if i <= limit:
            mask = structure32(i)
            if mask == 0:
                i += 32
                continue
            i += trailing_zeros(mask)
        c = load8(i)
        if c == 0x22:
            i = string_end(i + 1, stop, limit)
        elif c == 0x7B or c == 0x5B:
            depth += 1
        elif c == 0x7D or c == 0x5D:
            depth -= 1
            if depth == 0:
                return i + 1, _NESTED
        i += 1


@njit(nogil=True, cache=True)
def _members(i: int, stop: int, limit: int, names: int, offsets: int, found: int, scratch: int) -> int:
    """Note the two named members of the valid object at `i` in `found`; return the object's end.

    `found` holds three words a name: begin, end, kind; strings without their quotes.
    """
    store_word(found + 16, ABSENT)
    store_word(found + 40, ABSENT)
    i = skip_space(i + 1, stop)
    while load8(i) != 0x7D:
        if load8(i) == 0x2C:
            i = skip_space(i + 1, stop)
        end = string_end(i + 1, stop, limit)
        slot = find_key(i + 1, end, limit, names, offsets, 2, scratch)
        i = skip_space(skip_space(end + 1, stop) + 1, stop)
        end, kind = _value_end(i, stop, limit)
        if slot >= 0:
            quote = 1 if kind == _STRING else 0
            store_word(found + 24 * slot, i + quote)
            store_word(found + 24 * slot + 8, end - quote)
            store_word(found + 24 * slot + 16, kind)
        i = skip_space(end, stop)
    return i + 1


@njit(nogil=True, cache=True)
def _is_text(begin: int, end: int) -> bool:
    """Return whether the string from `begin` to `end` is "text"."""
    k = 0
    while k < 4 and begin + k < end and load8(begin + k) == (_TEXT >> (8 * k)) & 0xFF:
        k += 1
    return k == 4 and end - begin == 4


@njit(nogil=True, cache=True)
def _write_parts(i: int, stop: int, limit: int, names: int, offsets: int, found: int, scratch: int, w: int) -> int:
    """Write the text parts of the list at `i`, one after another; return the end, or -1 for a wrong type.

    A part is a string, null, or an object; an object of type text, or of none, has its text
    under `text`; one of another type (an image) has none. `names` and `offsets` are of "type", "text".
    """
    i = skip_space(i + 1, stop)
    while load8(i) != 0x5D:
        if load8(i) == 0x2C:
            i = skip_space(i + 1, stop)
        if load8(i) == 0x7B:
            i = _members(i, stop, limit, names, offsets, found, scratch)
            kind = load_word(found + 16)
            textual = kind == ABSENT or (kind == _STRING and _is_text(load_word(found), load_word(found + 8)))
            begin, end, kind = load_word(found + 24), load_word(found + 32), load_word(found + 40)
            if not textual:
                kind = _NULL
        else:
            begin = i + 1
            i, kind = _value_end(i, stop, limit)
            end = i - 1
        if kind == _STRING:
            w = unescape(begin, end, limit, w, _REPLACEMENT)
        elif kind != _NULL:
            return -1
        i = skip_space(i, stop)
    return w


@njit(nogil=True, cache=True)
def _write_turn(limit: int, w: int, names: int, offsets: int, found: int, scratch: int) -> tuple[int, int, int]:
    """Write the turn noted in `found`; return the end, where its content starts, and whom to blame.

    `names` and `offsets` are of "type", "text".
    """
    kind = load_word(found + 16)
    if kind == _STRING:
        w = unescape(load_word(found), load_word(found + 8), limit, w, _REPLACEMENT)
    elif kind != _NULL:
        return w, w, _ROLE
    store8(w, 0x3A)
    store8(w + 1, 0x20)
    w += 2
    content = w
    begin, end, kind = load_word(found + 24), load_word(found + 32), load_word(found + 40)
    if kind == _STRING:
        w = unescape(begin, end, limit, w, _REPLACEMENT)
    elif kind == _NESTED and load8(begin) == 0x5B:
        w = _write_parts(begin, end, limit, names, offsets, found, scratch, w)
    elif kind != _NULL and kind != ABSENT:
        w = -1
    return w, content, _CONTENT if w < 0 else -1


@njit(nogil=True, cache=True)
def _write_turns(
    i: int,
    stop: int,
    limit: int,
    first: int,
    w: int,
    names: int,
    offsets: int,
    found: int,
    scratch: int,
) -> tuple[int, int, int]:
    """Write the turns of the list at `i` to `w`; return the end, a reject code, and whom to blame.

    `first` is where the text of the record starts: a turn that does not stand there starts a line.
    """
    any_text = False
    i = skip_space(i + 1, stop)
    while load8(i) != 0x5D:
        if load8(i) == 0x2C:
            i = skip_space(i + 1, stop)
        if load8(i) != 0x7B:
            return first, _WRONG_TYPE, _TURNS
        i = skip_space(_members(i, stop, limit, names, offsets, found, scratch), stop)
        if load_word(found + 16) == ABSENT:
            return first, _MISSING_FIELD, _ROLE
        if w != first:
            store8(w, 0x0A)
            w += 1
        w, content, whom = _write_turn(limit, w, names, offsets + 16, found, scratch)
        if whom >= 0:
            return first, _WRONG_TYPE, whom
        any_text = any_text or not is_blank(content, w)
    return w, 0 if any_text else _EMPTY, -1


@njit(nogil=True, cache=True)
def _write_system(begin: int, end: int, kind: int, limit: int, w: int) -> int:
    """Write the system field as a turn, unless it says nothing."""
    for k in range(8):
        store8(w + k, _SYSTEM >> (8 * k))
    after = write_value(begin, end, kind, limit, w + 8)
    return w if after == w + 8 else after


@njit(nogil=True, cache=True)
def _chats(
    data: _Bytes,
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    slots: _Positions,
    names: _Bytes,
    offsets: _Positions,
    found: NDArray[np.int64],
    scratch: _Bytes,
    out: _Bytes,
    out_offsets: _Positions,
) -> None:
    """Fill `out` and `out_offsets` of `render_chat`."""
    base, limit, target = address(data), address(data) + len(data) - 32, address(out)
    turns, system = slots[0], slots[3]
    w = target
    for row in range(len(status)):
        first = w
        code, whom = 0, -1
        begin, end, kind = base + begins[turns, row], base + ends[turns, row], kinds[turns, row]
        if status[row] == 0:
            if system >= 0 and kinds[system, row] == _NESTED:
                code, whom = _WRONG_TYPE, 3
            elif kind == ABSENT:
                code, whom = _MISSING_FIELD, _TURNS
            elif kind == _NULL:
                code = _EMPTY
            elif kind != _NESTED or load8(begin) != 0x5B:
                code, whom = _WRONG_TYPE, _TURNS
            else:
                if system >= 0 and kinds[system, row] != ABSENT and kinds[system, row] != _NULL:
                    w = _write_system(
                        base + begins[system, row], base + ends[system, row], kinds[system, row], limit, w
                    )
                w, code, whom = _write_turns(
                    begin, end, limit, first, w, address(names), address(offsets), address(found),
                    address(scratch),
                )  # fmt: skip
        if code != 0:
            w = first
            status[row] = code
            detail[row] = slots[whom] if whom >= 0 else -1
        out_offsets[row + 1] = w - target


def render_chat(
    data: _Bytes,
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    slots: _Positions,
    names: _Bytes,
    offsets: _Positions,
) -> tuple[_Bytes, _Positions]:
    """Return the texts of `n` chats: a line `role: content` for each turn.

    Parameters
    ----------
    data, status, detail, begins, ends, kinds
        As `find_fields` returns them. `status` and `detail` are updated: MISSING_FIELD and
        WRONG_TYPE with the slot to blame, EMPTY for a chat without text in its turns.
    slots : int64 array of shape (4,)
        The field of the turns; what `detail` says for a role and for a content; the field of the
        system text, -1 where the shape has none.
    names, offsets : uint8 array, int64 array of shape (5,)
        The keys of role and content in a turn, then "type" and "text", laid out as for `find_fields`.

    Returns
    -------
    out, offsets : uint8 array, int64 array of shape (n + 1,)
        The texts; empty for rejected records.
    """
    usable = status == 0
    # A turn's ": " and line end are shorter than the braces and quotes it is written with.
    bound = 64 + int((ends - begins)[slots[0]][usable].sum())
    if slots[3] >= 0:
        bound += int(((ends - begins)[slots[3]][usable] + 16).sum())
    out = np.empty(bound, np.uint8)
    out_offsets = np.zeros(len(status) + 1, np.int64)
    found = np.zeros(6, np.int64)
    scratch = np.empty(scratch_bytes(offsets), np.uint8)
    _chats(data, status, detail, begins, ends, kinds, slots, names, offsets, found, scratch, out, out_offsets)
    return out[: out_offsets[-1]], out_offsets
