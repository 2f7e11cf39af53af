"""Clusters that give their shares of a budget: one order of all records, the shares first and evenly mixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_shares"]

_Ints = NDArray[np.int64]


def in_shares(
    rows: _Ints, labels: NDArray[np.int32], shares: _Ints, score: NDArray[np.float64]
) -> tuple[_Ints, NDArray[np.bool_]]:
    """Return all `rows` (`m`, of clusters `labels`), first the highest `shares[c]` of each; and which these are.

    Both parts are mixed evenly: record `j` of the `s` of a cluster stands at (j - 1/2) / s, so that any prefix holds
    the clusters in proportion. `score` is that of `rows`; ties go to the lower row.
    """
    sizes = np.bincount(labels, minlength=len(shares))
    by_cluster = np.lexsort((-score, labels))
    cluster = labels[by_cluster]
    place = np.arange(len(rows)) - (np.cumsum(sizes) - sizes)[cluster]
    inside = place < shares[cluster]
    size = np.where(inside, shares[cluster], sizes[cluster] - shares[cluster])
    at = (np.where(inside, place, place - shares[cluster]) + 0.5) / size
    order = np.lexsort((cluster, at, ~inside))
    return rows[by_cluster[order]], inside[order]
