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

    In proportion to `weights` (finite, not negative), no more than each has, what is left over shared out among the
    others in the same proportion, and by size among those of weight 0 where nothing else is left; rounded by
    largest remainders, ties to the first. In whole numbers: equal remainders are equal.
    """
    taken = np.zeros(len(sizes), np.int64)
    weight, size, free = _whole(weights), sizes.astype(object), sizes > 0
    left = min(int(budget), int(sizes.sum()))
    while left and free.any():
        if not (weight * free).any():
            weight = size
        total = (weight * free).sum()
        wanted = left * weight * free
        full = free & np.asarray(wanted >= size * total, np.bool_)
        if not full.any():
            taken[free], rest = (wanted // total)[free].astype(np.int64), wanted % total
            taken[np.argsort(-rest, kind="stable")[: left - int(taken[free].sum())]] += 1
            break
        taken[full] = sizes[full]
        left -= int(sizes[full].sum())
        free &= ~full
    return taken


def _whole(weights: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return whole numbers of any length in exactly the proportion of `weights`: a double is one over a power of 2."""
    ratios = [one.as_integer_ratio() for one in weights.tolist()]
    largest = max((below for _, below in ratios), default=1)
    return np.array([above * (largest // below) for above, below in ratios], object)


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
