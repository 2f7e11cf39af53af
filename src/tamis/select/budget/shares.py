"""Budgets of clusters: how many of each, and one order in which every cluster holds its share.

Ours: largest remainders, so that shares add up; what a cluster is too small for goes to the others (with equal
weights this is water-filling); and the mixing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["apportioned", "quotas", "shared"]

_Ints = NDArray[np.int64]


def quotas(sizes: _Ints, weights: NDArray[np.float64], budget: int) -> _Ints:
    """Return how many to take of each of `c` clusters, `min(budget, sum(sizes))` in all.

    In proportion to `weights` (not negative), no more than each has, what is left over shared out among the
    others in the same proportion, and by size among those of weight 0 where nothing else is left; rounded by
    largest remainders, ties to the first.
    """
    taken = np.zeros(len(sizes), np.int64)
    free = sizes > 0
    left = min(int(budget), int(sizes.sum()))
    while left and free.any():
        open_weights = weights * free
        if not open_weights.any():
            weights = sizes.astype(np.float64)
            open_weights = weights * free
        ideal = left * open_weights / open_weights.sum()
        full = free & (ideal >= sizes)
        if not full.any():
            taken[free] = np.floor(ideal[free]).astype(np.int64)
            short = left - int(taken[free].sum())
            rest = np.where(free, ideal - np.floor(ideal), -1.0)
            taken[np.argsort(-rest, kind="stable")[:short]] += 1
            break
        taken[full] = sizes[full]
        left -= int(sizes[full].sum())
        free &= ~full
    return taken


def shared(rows: _Ints, labels: NDArray[np.int32], taken: _Ints) -> _Ints:
    """Return all `rows`, first those within what is `taken` of their cluster (`c`).

    `rows` are best first within each cluster, `labels` (as long) say which. Both parts are mixed evenly: record
    `j` of the `s` of a cluster stands at (j - 1/2) / s.
    """
    by_cluster = np.argsort(labels, kind="stable")
    cluster = labels[by_cluster]
    sizes = np.bincount(labels, minlength=len(taken))
    place = np.arange(len(rows)) - (np.cumsum(sizes) - sizes)[cluster]
    inside = place < taken[cluster]
    size = np.where(inside, taken[cluster], sizes[cluster] - taken[cluster])
    at = (np.where(inside, place, place - taken[cluster]) + 0.5) / size
    return np.asarray(rows[by_cluster[np.lexsort((cluster, at, ~inside))]])


def apportioned(
    rows: _Ints,
    labels: NDArray[np.int32],
    weights: NDArray[np.float64],
    budget: int,
    keep: NDArray[np.bool_] | None = None,
    drop: NDArray[np.bool_] | None = None,
) -> tuple[_Ints, _Ints]:
    """Return `rows` with each cluster's share of `budget` first, by `weights` (`c`), and the shares.

    `rows` and `labels` as in `shared`. Records of `keep` (`n`) come first in their cluster and count in its share;
    those of `drop` (`n`) are left out.
    """
    if drop is not None:
        rows, labels = rows[~drop[rows]], labels[~drop[rows]]
    if keep is not None:
        first = np.argsort(~keep[rows], kind="stable")
        rows, labels = rows[first], labels[first]
    taken = quotas(np.bincount(labels, minlength=len(weights)), weights, budget)
    return shared(rows, labels, taken), taken
