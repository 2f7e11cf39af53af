"""Near duplicates among the rows of each cluster: which stay, and what those that go are near to.

Spherical k-means, then each cluster is visited in an order: a row goes when its cosine to one that was visited before
and stays is above a limit. The method is told in `semdedup`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.hashing import salt, uniforms
from tamis.vectors.kmeans import KMeans, kmeans
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles

__all__ = ["KEEP", "Clusters", "Deduplicated"]

KEEP: Final = ("hard", "easy", "random")
"""Who is visited first: the farthest from the centroid, the nearest, or any."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class Deduplicated:
    """What stays of `n` records.

    Attributes
    ----------
    kept : bool array of shape (n,)
    neighbour : int64 array of shape (n,)
        The most similar of the records that stay and were visited before, in the same cluster; -1
        where there is none.
    similarity : float64 array of shape (n,)
        Cosine to it; -1 where there is none. Above 1 - eps exactly for those that go.
    eps : float
        Records go whose cosine to one that stays is above 1 - `eps`.
    """

    kept: NDArray[np.bool_]
    neighbour: _Ints
    similarity: _Floats
    eps: float


class Clusters:
    """The clusters of `n` rows, and the order in which each is visited."""

    def __init__(self, x: NDArray[Any], found: KMeans, rank: _Floats, engine: Local) -> None:
        self.tiles = Tiles(x, unit=True)
        self.order = np.lexsort((np.arange(len(x)), rank, found.labels))
        self.edges = np.searchsorted(found.labels[self.order], np.arange(len(found.centroids) + 1))
        self.engine = engine

    @staticmethod
    def of(x: NDArray[Any], keys: NDArray[np.uint64], clusters: int | None, keep: str, seed: int) -> Clusters:
        """Cluster rows in canonical order and say who is visited first."""
        engine = Local()
        count = clusters or max(1, round(len(x) ** 0.5 / 2))
        found = kmeans(x, count, seed=seed, spherical=True, keys=keys, engine=engine)
        apart = found.squared.astype(np.float64)
        if keep == "random":
            return Clusters(x, found, uniforms(keys, salt(seed, "semdedup")), engine)
        return Clusters(x, found, -apart if keep == "hard" else apart, engine)

    def thin(self, eps: float) -> Deduplicated:
        """Return what stays at one eps."""
        n = len(self.tiles.x)
        kept, neighbour, similarity = np.zeros(n, np.bool_), np.full(n, -1, np.int64), np.full(n, -1.0)
        limit = np.float64(1.0 - eps)

        def one(c: int) -> tuple[_Ints, NDArray[np.bool_], _Ints, NDArray[np.float32]]:
            members = self.order[self.edges[c] : self.edges[c + 1]]
            return members, *_thin_cluster(self.tiles, members, limit)

        for members, stays, near, cosine in self.engine.map(one, range(len(self.edges) - 1)):
            kept[members] = stays
            neighbour[members] = np.where(near >= 0, members[near], -1)
            similarity[members] = cosine
        return Deduplicated(kept, neighbour, similarity, eps)

    def thin_to(self, k: int) -> Deduplicated:
        """Return what stays at the largest eps found that leaves at least `k`.

        Comparing with those that stay keeps more than comparing with all, so the search begins
        where the latter would leave `k`; more stay at a smaller eps, small steps apart.
        """
        least = self.thin(0.0)
        if int(least.kept.sum()) <= k:
            return least
        low = min(max(0.0, 1.0 - float(np.partition(least.similarity, k - 1)[k - 1])), 2.0)
        best = self.thin(low)
        if int(best.kept.sum()) < k:
            best, low = least, 0.0
        high = 2.0
        step = max(low, 0.01)
        while low + step < high:  # a bracket: enough stay at low, too few at high
            found = self.thin(low + step)
            if int(found.kept.sum()) < k:
                high = low + step
                break
            best, low, step = found, low + step, 2 * step
        for _ in range(_HALVINGS):
            if int(best.kept.sum()) == k or high - low < 1e-6:
                break
            middle = (low + high) / 2
            found = self.thin(middle)
            if int(found.kept.sum()) >= k:
                best, low = found, middle
            else:
                high = middle
        return best


def _thin_cluster(tiles: Tiles, members: _Ints, limit: float) -> tuple[NDArray[np.bool_], _Ints, NDArray[np.float32]]:
    """Return which members of a cluster stay, each one's most similar earlier member that stays, and the cosine.

    Tile by tile in the order of `members`: against the packed rows that stay so far, then among
    the tile's own rows one after the other.
    """
    n = len(members)
    stays, near, cosine = np.zeros(n, np.bool_), np.full(n, -1, np.int64), np.full(n, -1.0, np.float32)
    packed: list[tuple[_Ints, NDArray[np.float32]]] = []
    for start in range(0, n, TILE // 2):
        stop = min(n, start + TILE // 2)
        block = tiles.take(members[start:stop])
        for places, panels in packed:
            scores = np.empty((len(block), len(panels) * LANES), np.float32)
            products(block, panels, scores)
            _nearest(scores, places, near[start:stop], cosine[start:stop])
        panels = pack(block[: stop - start])
        scores = np.empty((len(block), len(panels) * LANES), np.float32)
        products(block, panels, scores)
        _visit(scores, start, limit, stays[start:stop], near[start:stop], cosine[start:stop])
        inside = np.flatnonzero(stays[start:stop])
        if len(inside):
            packed.append((start + inside, pack(block[inside])))
    return stays, near, cosine


@njit(nogil=True, cache=True)
def _nearest(
    scores: NDArray[np.float32], places: NDArray[np.int64], near: NDArray[np.int64], cosine: NDArray[np.float32]
) -> None:
    """Keep the most similar of the rows at `places`, the first of several."""
    for i in range(len(near)):
        for j in range(len(places)):
            if scores[i, j] > cosine[i]:
                cosine[i], near[i] = scores[i, j], places[j]


@njit(nogil=True, cache=True)
def _visit(
    scores: NDArray[np.float32],
    start: int,
    limit: float,
    stays: NDArray[np.bool_],
    near: NDArray[np.int64],
    cosine: NDArray[np.float32],
) -> None:
    """Decide on the rows of a tile in order: one stays unless its cosine to one that stays is above `limit`."""
    for i in range(len(stays)):
        for j in range(i):
            if stays[j] and scores[i, j] > cosine[i]:
                cosine[i], near[i] = scores[i, j], start + j
        stays[i] = cosine[i] <= limit
