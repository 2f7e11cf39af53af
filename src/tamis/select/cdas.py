"""Complex and different: in each k-means cluster of the vectors, the share of the records that is hardest.

Records whose difficulty reaches a limit are left out first: an instruction-following difficulty (IFD) of 1 or more says
that the question does not help with the answer. Then the records are clustered, and each cluster gives its hardest.

Source: CDAS of CodeACT (2024), "Code Adaptive Compute-efficient Tuning Framework for Code LLMs": 10 clusters, IFD >= 1
dropped, 40 % of what is left of each cluster. Ours: the budget is given, not the share, so the same share of every
cluster is taken, rounded by largest remainders (rounding down in each, as published, loses up to a record a cluster);
any signal may take the place of the IFD, a ratio that has two definitions at odds; clusters are by cosine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.aware import Aware
from tamis.select.budget.shares import apportioned
from tamis.select.given.arrays import choose
from tamis.select.given.direction import directed
from tamis.select.given.embedded import Embedded
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import subset

__all__ = ["Cdas", "cdas"]

_Ints = NDArray[np.int64]
_Mask = NDArray[np.bool_]


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
    method = Cdas(by="difficulty", clusters=clusters, limit=limit)
    return choose(method, k, x, keys=keys, seed=seed, difficulty=difficulty)[0]


class Cdas(Aware):
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

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signal, self.ascending = directed(self.by, self.name, "by")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of difficulty."""
        return ("vectors", self.signal)

    def holds(self, n: int) -> int:
        """Return the bytes of scores, labels and orders."""
        return 120 * n

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Order so that the first records hold the clusters' shares; the score is the difficulty.

        Records to keep count in their cluster's share, those to drop are of none.
        """
        score = pool.numbers(self.signal, self.name).astype(np.float64)
        over = score <= self.limit if self.ascending else score >= self.limit
        lacking = {"no score (NaN)": np.isnan(score), "at the limit of difficulty or above": over}
        found = Embedded(pool, self.name, lacking=lacking)
        found.score[:], rows = score, found.rows
        facts: dict[str, Any] = {"at_the_limit": int((found.aside == 2).sum())}
        part = None
        if len(rows):
            # Clusters of all that have a vector: what is left out for its difficulty still says where they lie.
            whole = np.flatnonzero(found.aside != 0)
            x = subset(pool.vectors("vectors", self.name), whole)
            labels = kmeans(x, self.clusters, seed=seed, spherical=True, keys=pool.keys[whole]).labels
            part = np.full(len(pool), -1, np.int64)
            part[rows] = labels[np.isin(whole, rows, assume_unique=True)]
            below = np.bincount(part[rows])
            facts |= {"sizes": np.bincount(labels).tolist(), "below_the_limit": below.tolist()}
            best = rows[np.argsort(score[rows] if self.ascending else -score[rows], kind="stable")]
            sizes = np.bincount(part[rows[~drop[rows]]], minlength=len(below)).astype(np.float64)
            rows, _ = apportioned(best, part[best].astype(np.int32), sizes, wanted, keep, drop)
        return replace(found.ranking(rows, "cdas: among the hardest of its cluster", facts), part=part)

    def finished(self, pool: Pool, chosen: Chosen, ranking: Ranking) -> Chosen:  # noqa: ARG002
        """Add how many records each cluster gave to how many it has, and how many of them are below the limit."""
        if ranking.part is None:
            return chosen
        inside = ranking.part[chosen.rows]
        below = len(chosen.facts["below_the_limit"])
        gave = np.bincount(inside[inside >= 0], minlength=below)
        return replace(chosen, facts={**chosen.facts, "chosen": gave.tolist()})
