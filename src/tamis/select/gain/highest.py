"""The highest of many values that change one at a time: a tree of maxima.

A parent holds the larger of its two children. So a change costs the logarithm of the number of values, and
so does finding the highest; of equal ones it is the first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["highest", "maxima", "put"]


@njit(nogil=True, cache=True)
def maxima(values):  # type: ignore[no-untyped-def]
    """Return a tree of maxima over `values`, its leaves in the second half; -inf is no candidate."""
    size = 1
    while size < len(values):
        size *= 2
    tree = np.full(2 * size, -np.inf)
    tree[size : size + len(values)] = values
    for i in range(size - 1, 0, -1):
        tree[i] = max(tree[2 * i], tree[2 * i + 1])
    return tree


@njit(nogil=True, cache=True)
def highest(tree):  # type: ignore[no-untyped-def]
    """Return the row of the highest value, the first of several; -1 if none is left."""
    if tree[1] == -np.inf:
        return -1
    size = len(tree) // 2
    at = 1
    while at < size:
        at *= 2
        at += int(tree[at] < tree[at + 1])  # no branch: either way is as likely
    return at - size


@njit(nogil=True, cache=True)
def put(tree, row, value):  # type: ignore[no-untyped-def]
    """Change the value of a row; -inf closes it."""
    at = len(tree) // 2 + row
    tree[at] = value
    while at > 1:
        other, at = tree[at ^ 1], at // 2
        value = value if value > other else other
        tree[at] = value
