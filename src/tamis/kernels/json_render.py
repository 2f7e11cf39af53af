"""Texts put together from the fields of parsed records, all in one buffer."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.json_parse import ABSENT
from tamis.kernels.json_text import copy_span, is_blank, unescape
from tamis.kernels.vector import address

__all__ = ["render_column", "render_template"]

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]

_NULL, _STRING, _NESTED = 0, 4, 5
_MISSING_FIELD, _WRONG_TYPE, _EMPTY = 4, 5, 6
_REPLACEMENT = 0xFFFD


@njit(nogil=True, cache=True)
def write_value(begin: int, end: int, kind: int, limit: int, w: int) -> int:
    """Write a scalar at `w`: a string unescaped, another value as its JSON text; return the end."""
    if kind == _STRING:
        return int(unescape(begin, end, limit, w, _REPLACEMENT))
    return int(copy_span(begin, end, limit, w))


@njit(nogil=True, cache=True)
def _has_text(kind: int) -> bool:
    return kind != _NULL and kind < _NESTED


@njit(nogil=True, cache=True)
def _column(
    data: _Bytes,
    begins: _Positions,
    ends: _Positions,
    kinds: NDArray[np.uint8],
    out: _Bytes,
    offsets: _Positions,
) -> None:
    base, target = address(data), address(out)
    w = target
    for i in range(len(begins)):
        if _has_text(kinds[i]):
            w = write_value(base + begins[i], base + ends[i], kinds[i], base + len(data) - 32, w)
        offsets[i + 1] = w - target


def render_column(
    data: _Bytes, begins: _Positions, ends: _Positions, kinds: NDArray[np.uint8]
) -> tuple[_Bytes, _Positions]:
    """Return the `n` values of one field as texts: empty for null, absent and nested ones."""
    shown = (kinds != _NULL) & (kinds < _NESTED)
    out = np.empty(int((ends - begins)[shown].sum()) + 32, np.uint8)
    offsets = np.zeros(len(begins) + 1, np.int64)
    _column(data, begins, ends, kinds, out, offsets)
    return out[: offsets[-1]], offsets


@njit(nogil=True, cache=True)
def _measure(
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    slots: _Positions,
    optional: NDArray[np.uint8],
    literals: _Positions,
) -> int:
    """Reject what lacks a field or has a nested one; return a bound on the bytes of all texts."""
    bound = 0
    for row in range(len(status)):
        if status[row] != 0:
            continue
        for part in range(len(slots)):
            slot = slots[part]
            if slot < 0:
                continue
            kind = kinds[slot, row]
            if kind == _NESTED or (kind == ABSENT and not optional[part]):
                status[row] = _WRONG_TYPE if kind == _NESTED else _MISSING_FIELD
                detail[row] = slot
                break
            if _has_text(kind):
                bound += ends[slot, row] - begins[slot, row]
        if status[row] == 0:
            bound += literals[-1]
    return bound


@njit(nogil=True, cache=True)
def _template(
    data: _Bytes,
    status: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    slots: _Positions,
    optional: NDArray[np.uint8],
    literal_data: _Bytes,
    literals: _Positions,
    out: _Bytes,
    offsets: _Positions,
) -> None:
    base, limit = address(data), address(data) + len(data) - 32
    words, words_limit = address(literal_data), address(literal_data) + len(literal_data) - 32
    target = address(out)
    w = target
    for row in range(len(status)):
        if status[row] == 0:
            first = w
            for part in range(len(slots)):
                before = w
                w = copy_span(words + literals[part], words + literals[part + 1], words_limit, w)
                slot = slots[part]
                after = w
                if slot >= 0 and _has_text(kinds[slot, row]):
                    w = write_value(base + begins[slot, row], base + ends[slot, row], kinds[slot, row], limit, w)
                if w == after and optional[part]:
                    w = before
            if is_blank(first, w):
                w = first
                status[row] = _EMPTY
        offsets[row + 1] = w - target


def render_template(
    data: _Bytes,
    status: NDArray[np.uint8],
    detail: NDArray[np.int32],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    slots: _Positions,
    optional: NDArray[np.uint8],
    literal_data: _Bytes,
    literals: _Positions,
) -> tuple[_Bytes, _Positions]:
    """Return the texts of `n` records: for each of `p` parts a literal, then the value of a field.

    Parameters
    ----------
    data, status, detail, begins, ends, kinds
        As `find_fields` returns them. `status` and `detail` are updated: MISSING_FIELD and
        WRONG_TYPE with the field's index, EMPTY for a text of nothing but white space.
    slots : int64 array of shape (p,)
        The field of each part, -1 for a literal alone.
    optional : uint8 array of shape (p,)
        Whether a missing, null or empty value drops the literal too.
    literal_data, literals : uint8 array, int64 array of shape (p + 1,)
        The literals in UTF-8, one after another.

    Returns
    -------
    out, offsets : uint8 array, int64 array of shape (n + 1,)
        The texts; empty for rejected records.
    """
    bound = _measure(status, detail, begins, ends, kinds, slots, optional, literals)
    out = np.empty(bound + 32, np.uint8)
    offsets = np.zeros(len(status) + 1, np.int64)
    _template(data, status, begins, ends, kinds, slots, optional, literal_data, literals, out, offsets)
    return out[: offsets[-1]], offsets
