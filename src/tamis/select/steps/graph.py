"""The graph of nearest neighbours: rows joined by edges that count both ways, with their distances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.neighbours import approximate, exact
from tamis.vectors.tiles import Tiles

__all__ = ["Graph", "joined"]

_EDGES = 5040  # whose distances are computed at a time


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges between `n` rows: row `i` is joined to `others[starts[i]:starts[i + 1]]`.

    Attributes
    ----------
    starts : int64 array of shape (n + 1,)
    others : int64 array of shape (e,)
        Ascending for each row; an edge is there twice, once from either end.
    apart : float64 array of shape (e,)
        Euclidean distance, 0 exactly between copies.
    recall : float
        Share of the true neighbours that was found: 1 if exact, else measured on a sample.
    operations : int
        Distances looked at; about, if approximate.
    """

    starts: NDArray[np.int64]
    others: NDArray[np.int64]
    apart: NDArray[np.float64]
    recall: float
    operations: int


def joined(x: NDArray[Any], neighbours: int, metric: str, recall: float) -> Graph:
    """Join each row of `x` (`n x d`) to its nearest, whichever of the two is the other's neighbour.

    Parameters
    ----------
    x : array of shape (n, d)
        In canonical order: equally near ones go by position.
    neighbours : int
        Of each row; one that is near to many has more edges.
    metric : str
        "cosine" (distances between vectors of length 1) or "euclidean".
    recall : float
        1: all pairs are looked at; below, so many of the true neighbours are found (on a sample).
    """
    n, engine = len(x), Local()
    if recall >= 1:
        found, looked = exact(x, neighbours, metric=metric, engine=engine), n * n
    else:
        found = approximate(x, neighbours, metric=metric, recall=recall, engine=engine)
        lists = math.isqrt(max(n - 1, 0)) + 1
        looked = n * (lists + found.probes * n // lists)
    here, there = np.repeat(np.arange(n), found.ids.shape[1]), found.ids.ravel()
    here, there = here[there >= 0], there[there >= 0]
    low, high = np.divmod(np.unique(np.minimum(here, there) * n + np.maximum(here, there)), n)
    apart = _distances(Tiles(x, unit=metric == "cosine"), low, high, engine)
    both, others = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.lexsort((others, both))
    starts = np.concatenate([[0], np.cumsum(np.bincount(both, minlength=n))]).astype(np.int64)
    return Graph(starts, others[order], np.concatenate([apart, apart])[order], found.recall, looked)


def _distances(tiles: Tiles, low: NDArray[np.int64], high: NDArray[np.int64], engine: Local) -> NDArray[np.float64]:
    """Return the distance of each pair of rows, from their differences: products would leave copies apart."""

    def some(at: int) -> NDArray[np.float64]:
        a, b = low[at : at + _EDGES], high[at : at + _EDGES]
        between = tiles.take(a).astype(np.float64) - tiles.take(b)
        return np.asarray(np.sqrt((between**2).sum(axis=1))[: len(a)], np.float64)

    return np.concatenate([np.empty(0), *engine.map(some, range(0, len(low), _EDGES))])
