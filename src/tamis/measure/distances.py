"""How far records are from their nearest neighbour: small where a set repeats itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError
from tamis.measure.diversity import unit_rows
from tamis.measure.linear import dots

__all__ = ["mean_nearest", "nearest_distances"]

_ROUNDING = 1e-12  # of a cosine of equal vectors
_TILE = 512  # records a tile: a block of similarities takes 2 MB


def nearest_distances(vectors: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine distance (1 - cosine, 0 to 2) of each of `n` vectors to its nearest other one.

    All pairs are compared, in tiles: O(n^2 d) time, O(n d) memory.

    Raises
    ------
    InputError
        Fewer than two records, a zero vector, a number that is not finite.
    """
    rows = unit_rows(vectors)
    n = len(rows)
    if n < 2:
        raise InputError(f"nearest neighbours: expected at least two records, got {n}.")
    best = np.full(n, -np.inf)
    for i in range(0, n, _TILE):
        for j in range(i, n, _TILE):
            block = dots(rows[i : i + _TILE], rows[j : j + _TILE])
            if i == j:
                np.fill_diagonal(block, -np.inf)
            best[i : i + _TILE] = np.maximum(best[i : i + _TILE], block.max(axis=1))
            best[j : j + _TILE] = np.maximum(best[j : j + _TILE], block.max(axis=0))
    apart = 1.0 - best
    return np.where(apart < _ROUNDING, 0.0, apart)


def mean_nearest(vectors: ArrayLike) -> float:
    """Return the mean cosine distance of `n` vectors to their nearest neighbours; errors as `nearest_distances`."""
    return float(nearest_distances(vectors).mean())
