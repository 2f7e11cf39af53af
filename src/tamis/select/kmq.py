"""Quality under diversity: k-means clusters with a quota each, drawn inside in proportion to quality.

Source: kMQ, "Diversify and Conquer: Diversity-Centric Data Selection with Iterative Refinement"
(2024), the static method: a cluster's quota is its share of the pool, and inside it records are
drawn with probability in proportion to their quality. The released code does otherwise, and both
are offered: equal quotas (`sizes=equal`) and the softmax of quality (`weights=softmax`). With a function `score` it
is the iterative method (`budget.rounds`): what a model made of the last draw weighs the clusters of the next.

Ours: quotas are rounded by largest remainders, so that they add up; what a cluster is too small for
goes to the others; draws are without replacement and counted, not drawn in sequence; clusters are
by cosine, as the lengths of static vectors tell more of a text's length than of its meaning.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import gumbels, salt
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.rounds import UPDATES, Rounds, asked
from tamis.select.budget.shares import quotas, shared
from tamis.select.given.parameters import Function
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Kmq", "kmq"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("kmq: no vector (all zeros)", "kmq: no quality (NaN)")


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
    **iterative: Any,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`), drawn from its clusters by quality.

    Rows of zeros and rows without quality (NaN) are never drawn. Options as those of `Kmq`. With
    `score=function` they are drawn in `rounds`: the function is given the rows of `x` drawn in a round, and returns a
    number for each.

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
    method = Kmq(clusters=clusters, quality="quality", sizes=sizes, weights=weights, **iterative)
    places = np.arange(len(x)) if order is None else order
    pool = Pool(keys, {"vectors": x, "quality": worth, "order": places})
    if method.score is not None:
        rows = method.select(pool, Constraints(Budget("rows", k)), seed).rows
    else:
        rows = method._ranked(pool, seed, k).order[:k]
    return rows if order is None else order[rows]


class Kmq(Selector):
    """k-means quotas, drawn by quality."""

    name = "kmq"
    title = "k-means quotas, drawn by quality"
    source = "kMQ, Diversify and Conquer (2024); `sizes=equal`, `weights=softmax`, `update=released` as in its code"
    cost = "O(n clusters d) time for each of 25 iterations over at most 256 records a cluster, then once over all"
    promises = "every cluster gets its share of the budget to less than one record; nothing about a model"
    use_when = "every kind of record should keep its share, the better ones first within each kind"
    fails_when = (
        "the clusters do not follow what you care about, or the best are all of one kind and you want just them"
    )
    later = "its own table (WizardLM 196K to 10K, Llama-2-7B): 46.2, in rounds 46.9, random 43.8; no other known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("clusters", int, None, "clusters; default the square root of the pool", low=1),
        Parameter("quality", str, None, "the signal that says how good a record is; default all alike"),
        Parameter("sizes", str, "proportional", "quotas by a cluster's size, or the same", ("proportional", "equal")),
        Parameter(
            "weights", str, "proportional", "drawn by quality, or by its exponential", ("proportional", "softmax")
        ),
        Parameter("score", Function, None, "what a model made of records, to draw in rounds: positions to numbers"),
        Parameter("rounds", int, None, "draws that the budget is shared out to, with score; default 3", low=1),
        Parameter("update", str, None, "what a round's scores do to the weights, with score; default clip", UPDATES),
    )

    clusters: int | None
    quality: str | None
    sizes: str
    weights: str
    score: Callable[[_Ints], Any] | None
    rounds: int | None
    update: str | None
    _budget: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        alone = [name for name in ("rounds", "update") if self.options[name] is not None]
        if alone and self.score is None:
            raise OptionError(
                f"method 'kmq', option '{alone[0]}': expected 'score' with it, a function from the positions of a"
                " round's records to what a model made of each, got none. It needs Python: tamis.select(...,"
                " method='kmq', rounds=3, score=function)."
            )

    def needs(self) -> tuple[str, ...]:
        """Return the vectors, the signal of quality, and for a function the places in the input."""
        own = ("vectors", self.quality) if self.quality else ("vectors",)
        return own if self.score is None else (*own, "order")

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order so that the first records hold the quotas; the score is log weight plus Gumbel noise."""
        if self.score is not None:
            return self._in_rounds(pool, Constraints(Budget("rows", max(1, len(pool)))).open(len(pool)), seed)
        return self._ranked(pool, seed, self._budget or len(pool))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with quotas for this budget (of tokens: for what so many hold on average), and fill it."""
        constraints.validate(len(pool))
        if self.score is not None:
            ranking = self._in_rounds(pool, constraints.open(len(pool)), seed)
            return self.filled(ranking, constraints, len(pool))
        aware = copy.copy(self)
        if constraints.budget.unit == "tokens":
            mean = max(1.0, float(np.mean(constraints.cost))) if constraints.cost is not None and len(pool) else 1.0
            aware._budget = max(1, int(constraints.budget.amount / mean))
        else:
            dropped = 0 if constraints.drop is None else int(constraints.drop.sum())
            aware._budget = constraints.budget.rows(len(pool) - dropped)
        return super(Kmq, aware).select(pool, constraints, seed)

    def _ranked(self, pool: Pool, seed: int, budget: int) -> Ranking:
        rows, labels, score, aside, facts = self._clustered(pool, seed)
        if len(rows):
            rows, taken = self._in_quotas(rows, labels, score, budget)
            facts["quotas"] = {"least": int(taken.min()), "most": int(taken.max())}
        return Ranking(rows, score, "kmq: drawn within its cluster", aside, _ASIDES, facts=facts)

    def _in_rounds(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Draw in rounds, asking the function about each, and return the order of drawing."""
        rows, labels, score, aside, facts = self._clustered(pool, seed)
        function, order = self.score, rows
        if len(rows) and function is not None:
            places = pool.numbers("order", self.name).astype(np.int64)
            every = np.full(len(pool), -1, np.int32)
            every[rows] = labels
            best = rows[np.argsort(-score[rows], kind="stable")]
            clusters = int(labels.max()) + 1
            drawn = Rounds(best, every, np.ones(clusters) / clusters)
            drawn.fill(
                filling, self.rounds or 3, lambda one: asked(function, places[one], self.name), self.update or "clip"
            )
            order = filling.order(best)
            weights = [float(f"{weight:.4g}") for weight in (drawn.weights.min(), drawn.weights.max())]
            facts |= {"rounds": drawn.told, "weights": {"least": weights[0], "most": weights[1]}}
        return Ranking(order, score, "kmq: drawn within its cluster, in rounds", aside, _ASIDES, facts=facts)

    def _clustered(
        self, pool: Pool, seed: int
    ) -> tuple[_Ints, NDArray[np.int32], _Floats, NDArray[np.int8], dict[str, Any]]:
        """Return what may be drawn, its clusters, all scores, why others are set aside, and facts."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        chance, missing = self._chances(pool)
        aside = np.where(zero, 0, 1).astype(np.int8)
        rows = np.flatnonzero(~zero & ~missing)
        score = chance + gumbels(pool.keys, salt(seed, "kmq"))
        if not len(rows):
            return rows, np.empty(0, np.int32), score, aside, {}
        count = self.clusters or max(1, round(len(rows) ** 0.5))
        part = subset(x, rows)
        found = kmeans(part, count, seed=seed, spherical=True, keys=pool.keys[rows])
        facts = {
            "clusters": int((np.bincount(found.labels) > 0).sum()),
            "mean_cosine_to_centroid": round(1 - found.objective / (2 * len(rows)), 6),
        }
        return rows, found.labels, score, aside, facts

    def _in_quotas(self, rows: _Ints, labels: NDArray[np.int32], score: _Floats, budget: int) -> tuple[_Ints, _Ints]:
        """Return all `rows`, first those within their cluster's quota, and the quotas of the clusters."""
        sizes = np.bincount(labels)
        weights = sizes.astype(np.float64) if self.sizes == "proportional" else np.ones(len(sizes))
        taken = quotas(sizes, weights, budget)
        best = np.argsort(-score[rows], kind="stable")
        return shared(rows[best], labels[best], taken), taken

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
