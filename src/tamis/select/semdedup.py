"""Semantic near duplicates: of records that mean nearly the same, one stays.

Source: SemDeDup, "Data-efficient learning at web-scale through semantic deduplication" (Abbas et al.
2023): spherical k-means; within a cluster, records are visited farthest from the centroid first
(`keep=hard`), and one goes when its cosine to an earlier one is above 1 - eps.

Ours: a record is compared with those that stay, not with all earlier ones, so that chains of
neighbours do not vanish; with no eps given, the largest one that leaves enough for the budget is
found by bisection; the number of clusters, half the square root of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints
from tamis.vectors.kmeans import KMeans, kmeans
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles, canonical, subset, zero_rows

__all__ = ["Deduplicated", "Semdedup", "semdedup"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_KEEP = ("hard", "easy", "random")
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


def semdedup(
    x: Any,
    eps: float,
    *,
    clusters: int | None = None,
    keep: str = "hard",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Deduplicated:
    """Deduplicate `n x d` vectors; rows of zeros are like no other and stay.

    Cosines are good to 1e-6: an `eps` of 1e-5 takes exact copies alone. Options as those of `Semdedup`.

    Raises
    ------
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        `eps` outside 0 to 2, another `keep`.
    """
    if not 0 <= eps <= 2:
        raise OptionError(f"semdedup, eps: expected 0 to 2, got {eps!r}.")
    if keep not in _KEEP:
        raise OptionError(f"semdedup, keep: expected one of {', '.join(_KEEP)}, got {keep!r}.")
    x, keys, order = canonical(x, keys)
    work = _Visit.of(x, keys, clusters, keep, seed)
    found = work.thin(eps)
    if order is None:
        return found
    kept, neighbour, similarity = np.empty(len(x), np.bool_), np.empty(len(x), np.int64), np.empty(len(x))
    kept[order], similarity[order] = found.kept, found.similarity
    neighbour[order] = np.where(found.neighbour >= 0, order[found.neighbour], -1)
    return Deduplicated(kept, neighbour, similarity, eps)


class _Visit:
    """The clusters of `n` rows, and the order in which each is visited."""

    def __init__(self, x: NDArray[Any], found: KMeans, rank: _Floats, engine: Local) -> None:
        self.tiles = Tiles(x, unit=True)
        self.order = np.lexsort((np.arange(len(x)), rank, found.labels))
        self.edges = np.searchsorted(found.labels[self.order], np.arange(len(found.centroids) + 1))
        self.engine = engine

    @staticmethod
    def of(x: NDArray[Any], keys: NDArray[np.uint64], clusters: int | None, keep: str, seed: int) -> _Visit:
        """Cluster rows in canonical order and say who is visited first."""
        engine = Local()
        count = clusters or max(1, round(len(x) ** 0.5 / 2))
        found = kmeans(x, count, seed=seed, spherical=True, keys=keys, engine=engine)
        apart = found.squared.astype(np.float64)
        if keep == "random":
            return _Visit(x, found, uniforms(keys, salt(seed, "semdedup")), engine)
        return _Visit(x, found, -apart if keep == "hard" else apart, engine)

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


class Semdedup(Selector):
    """Records that are no near duplicates in meaning, the least redundant first."""

    name = "semdedup"
    title = "Semantic deduplication"
    source = "SemDeDup (2023); comparing only with records that stay, and eps from the budget, are ours"
    cost = "k-means, then O(n d) times the records of a cluster, 2 sqrt(n) on average; up to 20 times without eps"
    promises = "no two of one cluster with a cosine above 1 - eps, which is given or found from the budget"
    use_when = "the pool says the same things again in other words"
    fails_when = "duplicates lie across cluster borders, or vectors blur what matters (numbers, names, negations)"
    later = "no figure of a language model beside random known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("eps", float, None, "1 - cosine below which one of two goes; default by budget", low=0, high=2),
        Parameter("clusters", int, None, "clusters; default half the square root of the pool", low=1),
        Parameter("keep", str, "hard", "of duplicates, the one far from the centroid, near it, or any", _KEEP),
    )

    eps: float | None
    clusters: int | None
    keep: str
    _budget: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.eps is not None:  # duplicates stay out whatever the budget
            self.flags = replace(type(self).flags, at_most=True)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by the cosine to the neighbour, least first; the score is 1 - cosine (2 without one).

        With `eps`, duplicates are set aside; without, they come last, and only if the rest is
        not enough.
        """
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        aside = np.where(zero, 0, 1).astype(np.int8)
        score, cosine = np.full(len(pool), np.nan), np.full(len(pool), np.nan)
        neighbour = np.full(len(pool), -1, np.int64)
        if not len(rows):
            return Ranking(rows, score, "semdedup", aside, _asides(0.0), neighbour, cosine)
        part = subset(x, rows)
        work = _Visit.of(part, pool.keys[rows], self.clusters, self.keep, seed)
        found = work.thin(self.eps) if self.eps is not None else work.thin_to(self._budget or len(rows))
        score[rows] = 1.0 - found.similarity
        by_novelty = np.lexsort((np.arange(len(rows)), found.similarity, ~found.kept))
        order = by_novelty[: int(found.kept.sum())] if self.eps is not None else by_novelty
        gone = rows[~found.kept]
        neighbour[gone] = rows[found.neighbour[~found.kept]]
        cosine[gone] = found.similarity[~found.kept]
        facts = {"eps": found.eps, "clusters": len(work.edges) - 1, "duplicates": len(gone)}
        return Ranking(
            rows[order], score, "semdedup: unlike those that stay", aside, _asides(found.eps), neighbour, cosine, facts
        )

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool`, with eps from the budget unless it is given, and fill it from the top.

        A duplicate that the budget did not need after all says so, and names its neighbour.
        """
        constraints.validate(len(pool))
        aware = type(self)(**self.options)
        if constraints.budget.unit == "rows":
            dropped = 0 if constraints.drop is None else int(constraints.drop.sum())
            aware._budget = constraints.budget.rows(len(pool) - dropped)
        elif constraints.cost is not None and len(pool):
            aware._budget = max(1, int(constraints.budget.amount / max(1.0, float(np.mean(constraints.cost)))))
        chosen = Selector.select(aware, pool, constraints, seed)
        if chosen.neighbour is None or chosen.similarity is None:
            return chosen
        # Of a chosen record, or one pinned out, nothing is to be explained.
        gone = (chosen.neighbour >= 0) & (chosen.rank < 0)
        if constraints.drop is not None:
            gone &= ~constraints.drop
        why = _asides(float(chosen.facts["eps"]))[1] if chosen.facts else _asides(0.0)[1]
        return replace(
            chosen,
            reason=np.where(gone, len(chosen.reasons), chosen.reason).astype(np.int32),
            reasons=(*chosen.reasons, why),
            neighbour=np.where(gone, chosen.neighbour, -1),
            similarity=np.where(gone, chosen.similarity, np.nan),
        )


def _asides(eps: float) -> tuple[str, str]:
    return "semdedup: no vector (all zeros)", f"semdedup: cosine above {1 - eps:.6f} to a record that stays"
