"""Canonical order: records by key, which does not depend on the order of the input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["canonical_order"]


def canonical_order(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the positions of `n x 2` keys (high and low word) in ascending order; ties in input order.

    One sort of the high words, which settles all but the few records that share theirs.
    """
    high = np.ascontiguousarray(keys[:, 0])
    order = np.argsort(high).astype(np.int64, copy=False)
    ordered = high[order]
    tie = ordered[1:] == ordered[:-1]
    if tie.any():
        shared = np.zeros(len(high), np.bool_)
        shared[1:] |= tie
        shared[:-1] |= tie
        places = np.flatnonzero(shared)
        rows = order[places]
        order[places] = rows[np.lexsort((rows, keys[rows, 1], high[rows]))]
    return order
