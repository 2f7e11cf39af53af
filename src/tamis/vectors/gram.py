"""Sums of products of columns (Gram matrices of features), the same bits on any number of threads.

Rows go in blocks of fixed size, which threads share; blocks are added up in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.vectors.tiles import TILE

__all__ = ["BLOCK", "add_products", "gram"]

BLOCK = 16 * TILE
"""Rows of a task: enough for a thread to be worth waking."""


def gram(x: NDArray[Any], factor: NDArray[np.float64], engine: Any) -> NDArray[np.float64]:
    """Return the sum over the rows of the products of `factor[i] x[i]` with itself, `d x d`. O(n d^2).

    Parameters
    ----------
    x : array of shape (n, d)
        Any type of float, maybe memory-mapped: it is read block by block.
    factor : float64 array of shape (n,)
        What each row is multiplied by.
    engine : Local
        Whose threads share the blocks.
    """
    width = x.shape[1]
    out = np.zeros((width, width))

    def one(start: int) -> NDArray[np.float64]:
        part = np.zeros((width, width))
        block = np.ascontiguousarray(x[start : start + BLOCK], np.float32 if x.dtype != np.float64 else np.float64)
        add_products(block, factor[start : start + BLOCK], part)
        return part

    for part in engine.map(one, range(0, len(x), BLOCK)):
        out += part
    return np.asarray(np.tril(out) + np.tril(out, -1).T)


@njit(nogil=True, cache=True)
def add_products(block, factor, out):  # type: ignore[no-untyped-def]
    """Add the products of the rows to the lower half of `out`; four rows at a time, so that it is read less often."""
    width = block.shape[1]
    feature = np.zeros((4, width))
    for start in range(0, len(block), 4):
        for r in range(4):
            for j in range(width):
                feature[r, j] = factor[start + r] * np.float64(block[start + r, j]) if start + r < len(block) else 0.0
        for j in range(width):
            a, b, c, d = feature[0, j], feature[1, j], feature[2, j], feature[3, j]
            for other in range(j + 1):
                out[j, other] += (a * feature[0, other] + b * feature[1, other]) + (
                    c * feature[2, other] + d * feature[3, other]
                )
