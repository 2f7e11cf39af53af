"""The hardest to follow of every kind: k-means clusters, each giving its best by a score such as IFD.

Source: CodeACT's complexity and diversity aware sampling (Lv et al. 2024): questions are embedded and clustered (ten
clusters), answers whose instruction-following difficulty (IFD, the perplexity of the answer given the question over
that of the answer alone) is 1 or more are dropped, and each cluster keeps the same part of the rest, the
highest first. Ours: the budget is met exactly, shared out by the clusters' sizes after the filter, rounded by largest
remainders, where rounding down a part of each loses records; and any signal will do.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.constraints import Budget, Constraints
from tamis.select.determinantal import one_each, wanted
from tamis.select.direction import directed
from tamis.select.shares import quotas, shared
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Cdas", "cdas"]


def cdas(
    x: Any,
    score: Any,
    k: int,
    *,
    clusters: int = 10,
    most: float = 1.0,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> NDArray[np.int64]:
    """Return at most `k` rows of `x` (`n x d`): of each cluster its share, the highest `score` (`n`) first.

    Rows of zeros, and rows whose score is NaN or `most` and above, are never chosen, so that there may be fewer
    than `k`. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one score a row.
    OptionError
        An option that does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    method = Cdas(by="score", clusters=clusters, most=most)
    pool = Pool(keys, {"vectors": x, "score": one_each(score, order, len(x), "score")})
    rows = method.select(pool, Constraints(Budget("rows", k)), seed).rows
    return rows if order is None else order[rows]


class Cdas(Selector):
    """Of every cluster its share, the highest by a signal first."""

    name = "cdas"
    title = "Every kind in its share, the highest first"
    source = "CodeACT (2024); shares that meet the budget, and any signal: ours"
    cost = "O(n clusters d) time for each of 25 iterations over at most 256 records a cluster, then once over all"
    promises = "each cluster its share by size after the filter, to within one record; none at or above `most`"
    use_when = "a score such as IFD says which examples teach most, and its best are all of one kind"
    fails_when = "the score is high for broken records: every cluster then gives its broken ones first"
    later = "no independent comparison known"
    flags = Flags(needs_all=True, at_most=True)
    parameters = (
        Parameter("by", str, REQUIRED, "the signal, such as ifd; SIGNAL:asc takes the lowest first"),
        Parameter("clusters", int, 10, "clusters of k-means", low=1),
        Parameter("most", float, 1.0, "records with this value or more are set aside; a number above all keeps them"),
    )

    by: str
    clusters: int
    most: float
    _budget: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signal, self.ascending = directed(self.by, self.name, "by")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal."""
        return ("vectors", self.signal)

    def holds(self, n: int) -> int:
        """Return the bytes of labels, scores and order."""
        return 80 * n

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with shares of this budget (of tokens: for what so many hold on average), and fill it."""
        constraints.validate(len(pool))
        aware = copy.copy(self)
        aware._budget = wanted(constraints, len(pool))
        return super(Cdas, aware).select(pool, constraints, seed)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - k-means starts the same way whatever the seed
        """Order so that the first records hold the shares of the budget, evenly mixed; the score is the signal."""
        x = pool.vectors("vectors", self.name)
        zero, value = zero_rows(x), pool.numbers(self.signal, self.name).astype(np.float64)
        above = value >= self.most
        rows = np.flatnonzero(~zero & ~np.isnan(value) & ~above)
        aside = np.where(zero, 0, np.where(above, 2, 1)).astype(np.int8)
        asides = tuple(
            f"cdas: {why}" for why in ("no vector (all zeros)", "no score (NaN)", f"at or above {self.most:g}")
        )
        facts: dict[str, Any] = {"at_or_above": int(above.sum())}
        if len(rows):
            found = kmeans(subset(x, rows), self.clusters, seed=0, spherical=True, keys=pool.keys[rows])
            sizes = np.bincount(found.labels)
            shares = quotas(sizes, sizes.astype(np.float64), self._budget or len(rows))
            best = np.argsort(value[rows] if self.ascending else -value[rows], kind="stable")
            rows = shared(rows[best], found.labels[best], shares)
            facts |= {"clusters": int((sizes > 0).sum()), "shares": [int(shares.min()), int(shares.max())]}
        return Ranking(rows, value, "cdas: among the highest of its cluster", aside, asides, facts=facts)
