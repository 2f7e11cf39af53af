"""The nearest neighbours of every row: exact, or approximate with its recall measured.

Exact: every pair of tiles is multiplied and each row keeps its `k` best. Approximate: rows are
listed by their nearest centroid, and a row looks only into the lists whose centroids are nearest
to it (an inverted file: Jegou, Douze and Schmid 2011, "Product Quantization for Nearest Neighbor
Search", there IVF). How many lists that takes is found on a sample that is searched exactly too,
and the recall on it is reported. Ties go to the lower position. Nothing depends on threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.vectors.kmeans import kmeans
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import Tiles, matrix, zero_rows

__all__ = ["METRICS", "Neighbours", "approximate", "exact"]

#: Measures of nearness: all larger for the nearer.
METRICS = ("cosine", "dot", "euclidean")
_SAMPLED = 256  # rows on which recall is measured


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The `k` nearest of `m` queries, nearest first.

    Attributes
    ----------
    ids : int64 array of shape (m, k)
        Rows; -1 where there are fewer.
    similarity : float32 array of shape (m, k)
        Cosine, dot product, or minus the squared distance; -inf where there is none.
    recall : float
        The part of the true neighbours that was found: 1 if exact, else measured on a sample.
    probes : int
        Lists looked into for each query; 0 if exact.
    """

    ids: NDArray[np.int64]
    similarity: NDArray[np.float32]
    recall: float = 1.0
    probes: int = 0


def exact(x: Any, k: int, *, queries: Any = None, metric: str = "cosine", engine: Local | None = None) -> Neighbours:
    """Return the `k` nearest rows of `x` (`n x d`) for each of `m` queries.

    Parameters
    ----------
    x : array of shape (n, d)
        May be memory-mapped; read once for every 1,008 queries.
    k : int
        Neighbours of each.
    queries : array of shape (m, d), optional
        By default the rows themselves, each without itself.
    metric : str
        "cosine" (a row of zeros is as far from all), "dot" or "euclidean".
    engine : Local, optional
        Whose threads work; the result does not depend on it.

    Raises
    ------
    InputError
        No `n x d` numbers, a row that is not finite, queries of another width.
    BudgetError, OptionError
        `k` below 1, another metric.
    """
    base, asked, k = _checked(x, k, queries, metric)
    itself = queries is None
    ids, near = np.full((len(asked.x), k), -1, np.int64), np.full((len(asked.x), k), -np.inf, np.float32)

    def one(i: int) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
        start, stop = asked.span(i)
        block = asked.tile(i)
        own = np.arange(start, start + len(block), dtype=np.int64) if itself else np.full(len(block), -1, np.int64)
        found, best = _empty(len(block), k)
        for j in range(len(base)):
            first, last = base.span(j)
            _look(block, base.tile(j), np.arange(first, last), own, metric, found, best)
        return i, found[: stop - start], best[: stop - start]

    for i, found, best in (engine or Local()).map(one, range(len(asked))):
        start, stop = asked.span(i)
        ids[start:stop], near[start:stop] = found, best
    return Neighbours(ids, near)


def approximate(
    x: Any,
    k: int,
    *,
    queries: Any = None,
    metric: str = "cosine",
    recall: float = 0.95,
    lists: int | None = None,
    probes: int | None = None,
    seed: int = 0,
    engine: Local | None = None,
) -> Neighbours:
    """Return nearly the `k` nearest rows of `x` (`n x d`) for each of `m` queries.

    Parameters
    ----------
    x, k, queries, metric, engine
        As in `exact`.
    recall : float
        Lists are added, twice as many each time, until this part of the neighbours of a sample
        of 256 queries is found.
    lists : int, optional
        Centroids; by default the square root of `n`.
    probes : int, optional
        Lists looked into; `recall` is then only measured.
    seed : int
        Of k-means and of the sample.

    Raises
    ------
    InputError, BudgetError, OptionError
        As `exact`; `recall` not between 0 and 1, `lists` or `probes` below 1.
    """
    base, asked, k = _checked(x, k, queries, metric)
    if not 0 < recall <= 1:
        raise OptionError(f"neighbours, recall: expected above 0 and at most 1, got {recall!r}.")
    for name, value in (("lists", lists), ("probes", probes)):
        if value is not None and value < 1:
            raise OptionError(f"neighbours, {name}: expected at least 1, got {value!r}.")
    engine = engine or Local()
    count = min(lists or math.isqrt(max(len(base.x) - 1, 0)) + 1, len(base.x))
    keys = np.stack([np.zeros(len(base.x), np.uint64), np.arange(len(base.x), dtype=np.uint64)], axis=1)
    spherical = metric == "cosine"
    clusters = kmeans(base.x, count, seed=seed, spherical=spherical, iterations=10, keys=keys, engine=engine)
    index = _Index(base, clusters.centroids, clusters.labels, metric, engine)
    itself = queries is None
    m = len(asked.x)
    places = np.stack([np.zeros(m, np.uint64), np.arange(m, dtype=np.uint64)], axis=1)
    sample = np.sort(np.argsort(uniforms(places, salt(seed, "recall")), kind="stable")[:_SAMPLED])
    truth = index.search(asked, sample, k, len(clusters.centroids), itself)
    tried = min(probes or 1, len(clusters.centroids))
    while True:
        found = index.search(asked, sample, k, tried, itself)
        reached = _overlap(found[0], truth[0])
        if probes or reached >= recall or tried == len(clusters.centroids):
            break
        tried = min(2 * tried, len(clusters.centroids))
    ids, near = index.search(asked, np.arange(m), k, tried, itself)
    return Neighbours(ids, near, reached, tried)


class _Index:
    """Rows listed by their nearest centroid."""

    def __init__(
        self, base: Tiles, centroids: NDArray[np.float32], labels: NDArray[np.int32], metric: str, engine: Local
    ) -> None:
        self.base, self.centroids, self.metric, self.engine = base, centroids, metric, engine
        self.members = np.argsort(labels, kind="stable")
        self.edges = np.searchsorted(labels[self.members], np.arange(len(centroids) + 1))

    def search(
        self, asked: Tiles, rows: NDArray[np.int64], k: int, probes: int, itself: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and similarities of the `k` nearest of the given queries, looking into `probes` lists each."""
        ids, near = _empty(len(rows), k)
        # Queries near the same centroid look into the same lists: work on them together.
        nearest = exact(self.centroids, probes, queries=asked.x[rows], metric=self.metric, engine=self.engine).ids
        together = np.argsort(nearest[:, 0], kind="stable")

        def one(start: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
            part = together[start : start + 1008]
            block = asked.take(rows[part])
            found, best = _empty(len(part), k)
            looks = nearest[part].ravel()
            by_list = np.argsort(looks, kind="stable")
            names, firsts = np.unique(looks[by_list], return_index=True)
            for which, places in zip(names.tolist(), np.split(by_list, firsts[1:]), strict=True):
                members = self.members[self.edges[which] : self.edges[which + 1]]
                these = places // probes
                own = rows[part[these]] if itself else np.full(len(these), -1, np.int64)
                some, kept = found[these], best[these]
                for first in range(0, len(members), 4096):
                    inside = members[first : first + 4096]
                    _look(_padded(block[these]), self.base.take(inside), inside, own, self.metric, some, kept)
                found[these], best[these] = some, kept
            return part, found, best

        for part, found, best in self.engine.map(one, range(0, len(rows), 1008)):
            ids[part], near[part] = found, best
        return ids, near


def _checked(x: Any, k: int, queries: Any, metric: str) -> tuple[Tiles, Tiles, int]:
    """Return base and queries as tiles, and `k` no larger than there are neighbours."""
    if metric not in METRICS:
        raise OptionError(f"neighbours, metric: expected one of {', '.join(METRICS)}, got {metric!r}.")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise BudgetError(f"neighbours, k: expected a whole number of at least 1, got {k!r}.")
    base = matrix(x)
    asked = base if queries is None else matrix(queries, "queries")
    if asked.shape[1] != base.shape[1]:
        raise InputError(f"queries: expected vectors {base.shape[1]} wide, got {asked.shape[1]}.")
    zero_rows(base)
    if queries is not None:
        zero_rows(asked, "queries")
    most = max(1, len(base) - (queries is None))
    unit = metric == "cosine"
    return Tiles(base, unit=unit), Tiles(asked, unit=unit), min(int(k), most)


def _empty(m: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    return np.full((m, k), -1, np.int64), np.full((m, k), -np.inf, np.float32)


def _padded(block: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.zeros((-(-len(block) // 6) * 6, block.shape[1]), np.float32)
    out[: len(block)] = block
    return out


def _look(
    block: NDArray[np.float32],
    rows: NDArray[np.float32],
    names: NDArray[np.int64],
    own: NDArray[np.int64],
    metric: str,
    ids: NDArray[np.int64],
    best: NDArray[np.float32],
) -> None:
    """Let each query of a block keep the best among `rows`, called `names`, but not its `own`."""
    panels = pack(rows)
    scores = np.empty((len(block), len(panels) * LANES), np.float32)
    products(block, panels, scores)
    if metric == "euclidean":
        squares = (rows.astype(np.float64) ** 2).sum(axis=1)
        mine = (block.astype(np.float64) ** 2).sum(axis=1)
        scores[:, : len(rows)] = np.minimum(2.0 * scores[:, : len(rows)] - squares - mine[:, None], 0.0)
    _keep(scores, names, own, ids, best)


@njit(nogil=True, cache=True)
def _keep(
    scores: NDArray[np.float32],
    names: NDArray[np.int64],
    own: NDArray[np.int64],
    ids: NDArray[np.int64],
    best: NDArray[np.float32],
) -> None:
    """Put scores among the best so far: higher first, the lower name of equal ones."""
    k = best.shape[1]
    for i in range(len(best)):
        last = best[i, k - 1]
        for j in range(len(names)):
            score = scores[i, j]
            if score < last or names[j] == own[i]:
                continue
            at = k - 1
            if score == last and (ids[i, at] >= 0 and ids[i, at] < names[j]):
                continue
            while at > 0 and (best[i, at - 1] < score or (best[i, at - 1] == score and ids[i, at - 1] > names[j])):
                best[i, at], ids[i, at] = best[i, at - 1], ids[i, at - 1]
                at -= 1
            best[i, at], ids[i, at] = score, names[j]
            last = best[i, k - 1]


def _overlap(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return which part of the true neighbours was found."""
    there = (found[:, :, None] == truth[:, None, :]).any(axis=1) & (truth >= 0)
    return float(there.sum() / max(1, (truth >= 0).sum()))
