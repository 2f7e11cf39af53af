"""Quality under diversity: k-means clusters with a quota each, drawn inside in proportion to quality.

Source: kMQ, "Diversify and Conquer: Diversity-Centric Data Selection with Iterative Refinement"
(2024), the static method: a cluster's quota is its share of the pool, and inside it records are
drawn with probability in proportion to their quality. The released code does otherwise, and both
are offered: equal quotas (`sizes=equal`) and the softmax of quality (`weights=softmax`).

Ours: quotas are rounded by largest remainders, so that they add up; what a cluster is too small for
goes to the others; draws are without replacement and counted, not drawn in sequence; clusters are
by cosine, as the lengths of static vectors tell more of a text's length than of its meaning.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import gumbels, salt
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.constraints import Constraints
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Kmq", "kmq", "quotas"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def kmq(
    x: Any,
    k: int,
    quality: Any = None,
    *,
    clusters: int | None = None,
    sizes: str = "proportional",
    weights: str = "proportional",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`), drawn from its clusters by quality.

    Rows of zeros and rows without quality (NaN) are never drawn. Options as those of `Kmq`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, a quality below 0 that is to be a probability.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    worth = np.ones(len(x)) if quality is None else np.asarray(quality, np.float64)
    if worth.shape != (len(x),):
        raise InputError(f"quality: expected {len(x)} numbers, one a row, got an array of shape {worth.shape}.")
    if order is not None and quality is not None:
        worth = worth[order]
    method = Kmq(clusters=clusters, quality="quality", sizes=sizes, weights=weights)
    rows = method._ranked(Pool(keys, {"vectors": x, "quality": worth}), seed, k).order[:k]
    return rows if order is None else order[rows]


def quotas(sizes: _Ints, weights: _Floats, budget: int) -> _Ints:
    """Return how many to take of each of `c` clusters, `min(budget, sum(sizes))` in all.

    In proportion to `weights` (positive where a size is), no more than each has, what is left over
    shared out among the others in the same proportion; rounded by largest remainders, ties to the first.
    """
    taken = np.zeros(len(sizes), np.int64)
    free = sizes > 0
    left = min(int(budget), int(sizes.sum()))
    while left and free.any():
        ideal = left * weights * free / (weights * free).sum()
        full = free & (ideal >= sizes)
        if not full.any():
            taken[free] = np.floor(ideal[free]).astype(np.int64)
            short = left - int(taken[free].sum())
            rest = np.where(free, ideal - np.floor(ideal), -1.0)
            taken[np.argsort(-rest, kind="stable")[:short]] += 1
            break
        taken[full] = sizes[full]
        left -= int(sizes[full].sum())
        free &= ~full
    return taken


class Kmq(Selector):
    """k-means quotas, drawn by quality."""

    name = "kmq"
    title = "k-means quotas, drawn by quality"
    source = "kMQ, Diversify and Conquer (2024), static; `sizes=equal` and `weights=softmax` as in its code"
    cost = "O(n clusters d) time for each of 25 iterations over at most 256 records a cluster, then once over all"
    promises = "each cluster its share by size, to within one record"
    use_when = "every kind of record should keep its share, the better ones first within each kind"
    fails_when = (
        "the clusters do not follow what you care about, or the best are all of one kind and you want just them"
    )
    later = "46.2 in its own table, random 43.8, Deita 45.0 (WizardLM to 10,000, Llama-2-7B)"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("clusters", int, None, "clusters; default the square root of the pool", low=1),
        Parameter("quality", str, None, "the signal that says how good a record is; default all alike"),
        Parameter("sizes", str, "proportional", "quotas by a cluster's size, or the same", ("proportional", "equal")),
        Parameter(
            "weights", str, "proportional", "drawn by quality, or by its exponential", ("proportional", "softmax")
        ),
    )

    clusters: int | None
    quality: str | None
    sizes: str
    weights: str
    _budget: int | None = None

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of quality."""
        return ("vectors", self.quality) if self.quality else ("vectors",)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order so that the first records hold the quotas; the score is log weight plus Gumbel noise."""
        return self._ranked(pool, seed, self._budget or len(pool))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with quotas for this budget (of tokens: for what so many hold on average), and fill it."""
        constraints.validate(len(pool))
        aware = copy.copy(self)
        if constraints.budget.unit == "tokens":
            mean = max(1.0, float(np.mean(constraints.cost))) if constraints.cost is not None and len(pool) else 1.0
            aware._budget = max(1, int(constraints.budget.amount / mean))
        else:
            dropped = 0 if constraints.drop is None else int(constraints.drop.sum())
            aware._budget = constraints.budget.rows(len(pool) - dropped)
        return super(Kmq, aware).select(pool, constraints, seed)

    def _ranked(self, pool: Pool, seed: int, budget: int) -> Ranking:
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        chance, missing = self._chances(pool)
        aside = np.where(zero, 0, 1).astype(np.int8)
        rows = np.flatnonzero(~zero & ~missing)
        score = chance + gumbels(pool.keys, salt(seed, "kmq"))
        facts: dict[str, Any] = {}
        if len(rows):
            count = self.clusters or max(1, round(len(rows) ** 0.5))
            part = subset(x, rows)
            found = kmeans(part, count, seed=seed, spherical=True, keys=pool.keys[rows])
            rows, taken = self._in_quotas(rows, found.labels, score, budget)
            facts = {
                "clusters": int((taken[0] > 0).sum()),
                "mean_cosine_to_centroid": round(1 - found.objective / (2 * len(rows)), 6),
                "quotas": {"least": int(taken[1].min()), "most": int(taken[1].max())},
            }
        asides = ("kmq: no vector (all zeros)", "kmq: no quality (NaN)")
        return Ranking(rows, score, "kmq: drawn within its cluster", aside, asides, facts=facts)

    def _in_quotas(
        self, rows: _Ints, labels: NDArray[np.int32], score: _Floats, budget: int
    ) -> tuple[_Ints, tuple[_Ints, _Ints]]:
        """Return all `rows`, first those within their cluster's quota, and (sizes, quotas) of the clusters.

        Both parts are mixed evenly: record `j` of the `s` of a cluster stands at (j - 1/2) / s.
        """
        sizes = np.bincount(labels)
        weights = sizes.astype(np.float64) if self.sizes == "proportional" else np.ones(len(sizes))
        taken = quotas(sizes, weights, budget)
        by_cluster = np.lexsort((-score[rows], labels))
        cluster = labels[by_cluster]
        place = np.arange(len(rows)) - (np.cumsum(sizes) - sizes)[cluster]
        inside = place < taken[cluster]
        size = np.where(inside, taken[cluster], sizes[cluster] - taken[cluster])
        at = (np.where(inside, place, place - taken[cluster]) + 0.5) / size
        order = by_cluster[np.lexsort((cluster, at, ~inside))]
        return rows[order], (sizes, taken)

    def _chances(self, pool: Pool) -> tuple[_Floats, NDArray[np.bool_]]:
        """Return the logarithm of each record's weight, and which have none."""
        if self.quality is None:
            return np.zeros(len(pool)), np.zeros(len(pool), np.bool_)
        quality = pool.numbers(self.quality, self.name).astype(np.float64)
        missing = np.isnan(quality)
        if self.weights == "softmax":
            return quality, missing
        if (quality < 0).any():
            at = int(np.argmax(quality < 0))
            raise InputError(
                f"method 'kmq', quality '{self.quality}': expected numbers of at least 0 to draw by, got"
                f" {quality[at]:g} at record {at}. weights=softmax takes any numbers."
            )
        with np.errstate(divide="ignore"):
            return np.log(quality), missing
