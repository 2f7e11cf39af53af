"""Where the elements of a JSON array are, in a stream of blocks of any size.

The kernel only follows strings and brackets; whether an element is valid JSON is for the parser
to say. So an element may span lines, blocks, and be broken inside without spoiling its neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.json_text import skip_space
from tamis.kernels.vector import address, load8, special32, structure32, trailing_zeros

__all__ = [
    "AFTER",
    "BEFORE",
    "DONE",
    "FIRST",
    "NESTED",
    "NEXT",
    "SCALAR",
    "new_state",
    "split_array",
]

_Bytes = NDArray[np.uint8]
_Positions = NDArray[np.int64]

#: What is expected at the position reached: the opening bracket; an element or the end; an
#: element; the rest of an element (in brackets or quotes, or plain); a comma or the end; nothing.
BEFORE, FIRST, NEXT, NESTED, SCALAR, AFTER, DONE = range(7)

# The words of the state.
_PHASE, _DEPTH, _INSIDE, _POSITION, _START, _WRONG = range(6)


def new_state() -> NDArray[np.int64]:
    """Return the state before the first byte of a file.

    Words: phase, depth of brackets in the element, whether inside a string, position reached,
    start of the element under way, and whether the byte at the position cannot stand there.
    """
    return np.zeros(6, np.int64)


@njit(nogil=True, cache=True)
def _element_end(i: int, stop: int, limit: int, depth: int, inside: int) -> tuple[int, int, int]:
    """Follow an element in brackets or quotes; return the position reached, depth and inside.

    It has ended where depth and inside are 0.
    """
    while i < stop:
        if i <= limit:
            mask = special32(i) if inside else structure32(i)
            if mask == 0:
                i += 32
                continue
            i += trailing_zeros(mask)
            if i >= stop:
                break
        c = load8(i)
        if inside and c == 0x5C:
            if i + 1 >= stop:
                break  # come back when the escaped byte is there
            i += 2
            continue
        i += 1
        if c == 0x22:
            inside = 1 - inside
        elif not inside and (c == 0x7B or c == 0x5B):
            depth += 1
            continue
        elif not inside and (c == 0x7D or c == 0x5D):
            depth -= 1
        else:
            continue
        if depth == 0 and not inside:
            break
    return min(i, stop), depth, inside


@njit(nogil=True, cache=True)
def _scalar_end(i: int, stop: int) -> int:
    while i < stop:
        c = load8(i)
        if c == 0x2C or c == 0x5D or c == 0x20 or c == 0x0A or c == 0x0D or c == 0x09:
            break
        i += 1
    return i


@njit(nogil=True, cache=True)
def split_array(data: _Bytes, state: NDArray[np.int64], starts: _Positions, stops: _Positions) -> int:
    """Go on from `state` through `data`, note the elements that end, and return how many did.

    Parameters
    ----------
    data : uint8 array
        The buffer; it holds the element under way from its first byte on.
    state : int64 array
        From `new_state`; updated. Whoever moves the buffer moves the two positions in it.
    starts, stops : int64 arrays
        Filled with the spans. The call returns early when they are full.

    Returns
    -------
    int
        Elements found.
    """
    base = address(data)
    stop, limit = base + len(data), base + len(data) - 32
    phase, depth, inside = state[0], state[1], state[2]
    i, start = base + state[3], base + state[4]
    n = 0
    wrong = state[5]
    while wrong == 0 and n < len(starts):
        if phase == NESTED:
            i, depth, inside = _element_end(i, stop, limit, depth, inside)
            if depth != 0 or inside != 0:
                break
        elif phase == SCALAR:
            i = _scalar_end(i, stop)
            if i == stop:
                break
        if phase in (NESTED, SCALAR):
            starts[n] = start - base
            stops[n] = i - base
            n += 1
            phase = AFTER
        i = skip_space(i, stop)
        if i == stop:
            break
        c = load8(i)
        if phase == BEFORE and c == 0x5B:
            phase = FIRST
        elif phase == AFTER and c == 0x2C:
            phase = NEXT
        elif phase in (AFTER, FIRST) and c == 0x5D:
            phase = DONE
        elif phase in (FIRST, NEXT) and c != 0x2C and c != 0x5D and c != 0x7D and c != 0x3A:
            start = i
            depth = 1 if c == 0x7B or c == 0x5B else 0
            inside = 1 if c == 0x22 else 0
            phase = NESTED if depth + inside > 0 else SCALAR
        else:
            wrong = 1
            break
        i += 1
    state[0], state[1], state[2], state[3], state[4], state[5] = (
        phase, depth, inside, i - base, start - base, wrong,
    )  # fmt: skip
    return n
