"""Scores spread over the graph of nearest neighbours: personalised PageRank.

r = restart * s + (1 - restart) * P r, with P the step to a neighbour in proportion to the similarity to it (Page et al.
1999; personalised: Haveliwala 2002). Two rows are neighbours only where each is among the nearest of the other, so that
a row that is near to everybody does not gather what belongs to others. A row without such neighbours keeps its score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tamis.engine.local import Local
from tamis.vectors.neighbours import Neighbours, approximate, exact
from tamis.vectors.similarity import Space

__all__ = ["mutual", "neighbours_of", "pagerank"]

_EXACT = 20_000  # rows up to which all pairs are looked at
_ROUNDS, _CLOSE = 500, 1e-9


def neighbours_of(space: Space, count: int) -> Neighbours:
    """Return the nearest rows of each row: exactly up to 20,000 rows, above so that 95 % of a sample's are found."""
    metric = "cosine" if space.cosine else "euclidean"
    if len(space) <= _EXACT:
        return exact(space.tiles.x, count, metric=metric, engine=Local())
    return approximate(space.tiles.x, count, metric=metric, recall=0.95, engine=Local())


def mutual(space: Space, found: Neighbours) -> csr_matrix:
    """Return the graph of rows that are neighbours of each other, `n x n`, weighed by their similarity (0 to 1)."""
    n, each = found.ids.shape
    here, there = np.repeat(np.arange(n), each), found.ids.ravel().astype(np.int64)
    weight = found.similarity.ravel().astype(np.float64)
    if not space.cosine:
        weight = 1 + weight * float(space.scale)  # it is minus the squared distance
    seen = there >= 0
    here, there, weight = here[seen], there[seen], np.clip(weight[seen], 0, 1)
    both = np.isin(here * n + there, there * n + here)
    return csr_matrix((weight[both], (here[both], there[both])), shape=(n, n))


def pagerank(graph: csr_matrix, start: NDArray[np.float64], restart: float) -> NDArray[np.float64]:
    """Return the scores `start` (`n`, none below 0) spread over a symmetric graph; their sum stays.

    With `restart` 1 they are `start`.
    """
    out = np.asarray(graph.sum(axis=0), np.float64).ravel()
    alone = out <= 0
    share = np.where(alone, 0.0, 1.0 / np.where(alone, 1.0, out))
    scores = start.copy()
    for _ in range(_ROUNDS):
        spread = graph @ (share * scores) + np.where(alone, scores, 0.0)  # sparse: row by row, in one order
        after = restart * start + (1 - restart) * spread
        moved = float(np.abs(after - scores).sum())
        scores = after
        if moved <= _CLOSE * max(float(start.sum()), 1e-300):
            break
    return scores
