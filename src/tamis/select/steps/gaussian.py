"""Values of a Gaussian kernel, exp(-gamma d^2), many at a time and the same bits on every machine.

The exponential of a mathematics library is one call a number, and its last bit is that library's own. Here it is
2^n times the exponential of what is left, by its series up to the thirteenth power: additions and multiplications
alone, which a machine does for many numbers at once, good to about 1e-16 of the value.

A mean over very many records does with single precision: `exponents`, and sums by rows and by columns that agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = ["add_columns", "add_rows", "exponents", "falling", "gaussian"]

_SHIFT = 6755399441055744.0  # 1.5 * 2^52: added to a number, it rounds it to a whole one, in the low bits
_SUMS = 8
_LEAST = -708.0  # below, the value is taken for that here: 3e-308
_LOG2 = 1.4426950408889634
_HIGH, _LOW = 0.693147180369123816490, 1.90821492927058770002e-10  # ln 2 in two parts: n times the first is exact


@intrinsic
def _power(typing_context: Any, shifted: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return 2^n of a whole number n to which `_SHIFT` was added; from -1022 to 1023."""
    if shifted != types.float64:
        raise TypingError(f"_power expects a double, got {shifted}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        whole = ir.IntType(64)
        bits = builder.add(builder.bitcast(args[0], whole), ir.Constant(whole, 1023))
        return builder.bitcast(builder.shl(bits, ir.Constant(whole, 52)), ir.DoubleType())

    return types.float64(types.float64), codegen


@njit(nogil=True, cache=True, inline="always")
def falling(x):  # type: ignore[no-untyped-def]
    """Return exp(x) of a number that is not above 0, at least 3e-308."""
    x = max(x, _LEAST)
    shifted = x * _LOG2 + _SHIFT
    whole = shifted - _SHIFT
    r = (x - whole * _HIGH) - whole * _LOW
    s = 1.0 / 6227020800.0
    s = s * r + 1.0 / 479001600.0
    s = s * r + 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    s = s * r + 1.0
    s = s * r + 1.0
    return s * _power(shifted)


@njit(nogil=True, cache=True)
def gaussian(found, left, right, gamma):  # type: ignore[no-untyped-def]
    """Turn products of `n` rows with `m` (`found`, `n x m`, float64) into exp(-gamma d^2).

    `left` (`n`) and `right` (`m`) are the squared lengths of the rows.
    """
    for i in range(len(left)):
        row, own = found[i], left[i]
        for j in range(len(right)):
            row[j] = falling(-gamma * max(own + right[j] - 2.0 * row[j], 0.0))


@njit(nogil=True, cache=True)
def exponents(scores, left, right, gamma):  # type: ignore[no-untyped-def]
    """Turn products in single precision into -gamma d^2, at most 0; the squared lengths and gamma as float32."""
    for i in range(len(left)):
        for j in range(len(right)):
            scores[i, j] = -gamma * max(left[i] + right[j] - np.float32(2) * scores[i, j], np.float32(0))


@njit(nogil=True, cache=True)
def add_rows(alike, out):  # type: ignore[no-untyped-def]
    """Add the sum of each row to `out`: eight sums, of every eighth number, added up at the end."""
    n, m = alike.shape
    whole = m - m % _SUMS
    sums = np.empty(_SUMS)
    for i in range(n):
        sums[:] = 0.0
        for j in range(0, whole, _SUMS):
            for lane in range(_SUMS):
                sums[lane] += alike[i, j + lane]
        for j in range(whole, m):
            sums[j - whole] += alike[i, j]
        out[i] += _sum_of(sums)


@njit(nogil=True, cache=True)
def add_columns(alike, out):  # type: ignore[no-untyped-def]
    """Add the sum of each column to `out`, in the order in which `add_rows` would add it up."""
    n, m = alike.shape
    sums = np.zeros((_SUMS, m))
    for i in range(n):
        row = sums[i % _SUMS]
        for j in range(m):
            row[j] += alike[i, j]
    for j in range(m):
        out[j] += _sum_of(sums[:, j])


@njit(nogil=True, cache=True)
def _sum_of(sums):  # type: ignore[no-untyped-def]
    total = 0.0
    for lane in range(_SUMS):
        total += sums[lane]
    return total
