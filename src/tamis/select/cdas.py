"""Complex and different: in each k-means cluster of the vectors, the share of the records that is hardest.

Records whose difficulty reaches a limit are left out first: an instruction-following difficulty (IFD) of 1 or more says
that the question does not help with the answer. Then the records are clustered, and each cluster gives its hardest.

Source: CDAS of CodeACT (2024), "Code Adaptive Compute-efficient Tuning Framework for Code LLMs": 10 clusters, IFD >= 1
dropped, 40 % of what is left of each cluster. Ours: the budget is given, not the share, so the same share of every
cluster is taken, rounded by largest remainders (rounding down in each, as published, loses up to a record a cluster);
any signal may take the place of the IFD, a ratio that has two definitions at odds; clusters are by cosine.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.given.direction import directed
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, zero_rows

__all__ = ["Cdas", "cdas"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_TOLD = "cdas: among the hardest of its cluster"
_ASIDE = ("cdas: no vector (all zeros)", "cdas: no score (NaN)", "cdas: at the limit of difficulty or above")


def cdas(
    x: Any,
    difficulty: Any,
    k: int,
    *,
    clusters: int = 10,
    limit: float = 1.0,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return up to `k` rows of `x` (`n x d`), of each cluster the hardest by `difficulty` (`n`), in its share.

    Rows of zeros, without difficulty (NaN), or of `limit` or more are never taken; so there may be fewer than `k`.
    Options as those of `Cdas`; the same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one difficulty a row.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    score = np.asarray(difficulty, np.float64)
    if score.shape != (len(x),):
        raise InputError(f"difficulty: expected {len(x)} numbers, one a row, got an array of shape {score.shape}.")
    if order is not None:
        score = score[order]
    method = Cdas(by="difficulty", clusters=clusters, limit=limit)
    rows = method._ranked(Pool(keys, {"vectors": x, "difficulty": score}), seed, k).order[:k]
    return rows if order is None else np.asarray(order[rows], np.int64)


class Cdas(Selector):
    """The hardest of each cluster, the same share of all."""

    name = "cdas"
    title = "The hardest of each cluster"
    source = "CDAS of CodeACT (2024); exact budget by largest remainders, any signal, cosine are ours"
    cost = "O(n clusters d) time for k-means on at most 256 records a cluster, then once over all; O(n log n)"
    promises = "each cluster gives its share of the budget to within one record"
    use_when = "hard records are worth most, yet the hardest of all would be of one kind"
    fails_when = "the hardest are broken or wrong: there is no upper cut but `limit`, and IFD just below 1 is suspect"
    later = "no later comparison known; published: 40 % of EVOL, HumanEval +8.6 %, 78 % less time"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("by", str, REQUIRED, "the signal of difficulty, the hardest highest; SIGNAL:asc the hardest lowest"),
        Parameter("clusters", int, 10, "clusters of k-means", low=1),
        Parameter("limit", float, 1.0, "records of this difficulty or more are left out (with :asc: this or less)"),
    )

    by: str
    clusters: int
    limit: float
    _budget: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signal, self.ascending = directed(self.by, self.name, "by")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of difficulty."""
        return ("vectors", self.signal)

    def holds(self, n: int) -> int:
        """Return the bytes of scores, labels and orders."""
        return 120 * n

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order so that the first records hold the clusters' shares; the score is the difficulty."""
        return self._ranked(pool, seed, self._budget or len(pool))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with shares for this budget (of tokens: for what so many hold on average), and fill it.

        The facts tell of each cluster how many records it has, how many of them are below the limit, and how many it
        gave.
        """
        constraints.validate(len(pool))
        aware = copy.copy(self)
        aware._budget = max(1, constraints.wanted(len(pool)))
        found: list[tuple[_Ints, NDArray[np.int32]]] = []
        ranking = aware._ranked(pool, seed, aware._budget, found)
        chosen = self.filled(ranking, constraints, len(pool))
        facts = dict(chosen.facts)
        for rows, labels in found:
            inside = (chosen.rank[rows] >= 0).astype(np.int64)
            facts["chosen"] = np.bincount(labels, inside).astype(np.int64).tolist()
        return replace(chosen, facts=facts)

    def _ranked(
        self, pool: Pool, seed: int, budget: int, found: list[tuple[_Ints, NDArray[np.int32]]] | None = None
    ) -> Ranking:
        x, score = pool.vectors("vectors", self.name), pool.numbers(self.signal, self.name).astype(np.float64)
        zero, lacks = zero_rows(x), np.isnan(score)
        over = score <= self.limit if self.ascending else score >= self.limit
        aside = np.select([zero, lacks], [0, 1], 2).astype(np.int8)
        rows = np.flatnonzero(~zero & ~lacks)
        facts: dict[str, Any] = {"at_the_limit": int(over[rows].sum())}
        rows = rows[~over[rows]]
        if len(rows):
            # Clusters of all that have a vector: what is left out for its difficulty still says where they lie.
            all_rows = np.flatnonzero(~zero)
            part = x if len(all_rows) == len(x) else x[all_rows]
            clustered = kmeans(part, self.clusters, seed=seed, spherical=True, keys=pool.keys[all_rows])
            label = np.full(len(pool), -1, np.int32)
            label[all_rows] = clustered.labels
            labels = label[rows]
            facts["sizes"] = np.bincount(clustered.labels).tolist()
            facts["below_the_limit"] = np.bincount(labels).tolist()
            if found is not None:
                found.append((rows, labels))
            rows = rows[_in_shares(score[rows] if self.ascending else -score[rows], labels, budget)]
        return Ranking(rows, score, _TOLD, aside, _ASIDE, facts=facts)


def _in_shares(ease: _Floats, labels: NDArray[np.int32], budget: int) -> _Ints:
    """Return all places: first those within their cluster's share of `budget`, the least `ease` first.

    Both parts are mixed evenly: record `j` of the `s` of a cluster stands at (j - 1/2) / s.
    """
    sizes = np.bincount(labels)
    # Largest remainders in whole numbers, so that equal ones are equal: those go to the first.
    share = min(budget, len(labels)) * sizes.astype(np.int64)
    taken, rest = share // len(labels), share % len(labels)
    taken[np.argsort(-rest, kind="stable")[: min(budget, len(labels)) - int(taken.sum())]] += 1
    by_cluster = np.lexsort((ease, labels))
    cluster = labels[by_cluster]
    place = np.arange(len(labels)) - (np.cumsum(sizes) - sizes)[cluster]
    inside = place < taken[cluster]
    at = np.where(inside, place, place - taken[cluster]) + 0.5
    at /= np.where(inside, taken[cluster], sizes[cluster] - taken[cluster])
    return np.asarray(by_cluster[np.lexsort((cluster, at, ~inside))], np.int64)
