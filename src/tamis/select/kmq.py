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

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.kernels.hashing import gumbels, salt
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.aware import Aware
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.rounds import UPDATES, Rounds, asked
from tamis.select.budget.shares import apportioned
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.given.parameters import Function
from tamis.select.given.usable import check_usable
from tamis.vectors.kmeans import kmeans

__all__ = ["Kmq", "kmq"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


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
    n = len(np.atleast_1d(x))
    worth = np.ones(n) if quality is None else quality
    method = Kmq(clusters=clusters, quality="quality", sizes=sizes, weights=weights, **iterative)
    return choose(method, k, x, keys=keys, seed=seed, quality=worth, order=np.arange(n))[0]


class Kmq(Aware):
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

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Order so that the first records hold the quotas; the score is log weight plus Gumbel noise.

        Records to keep count in their cluster's quota, those to drop are of none.
        """
        if self.score is not None:
            budget = Constraints(Budget("rows", wanted), keep=keep, drop=drop)
            return self._in_rounds(pool, budget.open(len(pool)), seed)
        found, labels, facts = self._clustered(pool, seed)
        order = found.rows
        if len(found):
            sizes = np.bincount(labels[~drop[order]], minlength=int(labels.max()) + 1).astype(np.float64)
            weights = sizes if self.sizes == "proportional" else np.ones(len(sizes))
            best = np.argsort(-found.score[order], kind="stable")
            order, taken = apportioned(order[best], labels[best], weights, wanted, keep, drop)
            facts["quotas"] = {"least": int(taken.min()), "most": int(taken.max())}
        return found.ranking(order, "kmq: drawn within its cluster", facts)

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with quotas for this budget (of tokens: for what so many hold on average), and fill it."""
        if self.score is None:
            return super().select(pool, constraints, seed)
        constraints.validate(len(pool))
        ranking = self._in_rounds(pool, constraints.open(len(pool)), seed)
        return self.filled(ranking, constraints, len(pool))

    def _in_rounds(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Draw in rounds, asking the function about each, and return the order of drawing."""
        found, labels, facts = self._clustered(pool, seed)
        function, order = self.score, found.rows
        if len(found) and function is not None:
            places = pool.numbers("order", self.name).astype(np.int64)
            every = np.full(len(pool), -1, np.int32)
            every[found.rows] = labels
            best = found.rows[np.argsort(-found.score[found.rows], kind="stable")]
            clusters = int(labels.max()) + 1
            drawn = Rounds(best, every, np.ones(clusters) / clusters)

            def scored(rows: _Ints) -> _Floats:
                return asked(function, places[rows], self.name)

            drawn.fill(filling, self.rounds or 3, scored, self.update or "clip")
            order = filling.order(best)
            least, most = (float(f"{weight:.4g}") for weight in (drawn.weights.min(), drawn.weights.max()))
            facts |= {"rounds": drawn.told, "weights": {"least": least, "most": most}}
        return found.ranking(order, "kmq: drawn within its cluster, in rounds", facts)

    def _clustered(self, pool: Pool, seed: int) -> tuple[Embedded, NDArray[np.int32], dict[str, Any]]:
        """Return what may be drawn, with its scores, the cluster of each, and facts."""
        chance, missing = self._chances(pool)
        found = Embedded(pool, self.name, lacking={"no quality (NaN)": missing})
        found.score[:] = chance + gumbels(pool.keys, salt(seed, "kmq"))
        if not len(found):
            return found, np.empty(0, np.int32), {}
        count = self.clusters or max(1, round(len(found) ** 0.5))
        near = kmeans(found.x, count, seed=seed, spherical=True, keys=found.keys)
        facts = {
            "clusters": int((np.bincount(near.labels) > 0).sum()),
            "mean_cosine_to_centroid": round(1 - near.objective / (2 * len(found)), 6),
        }
        return found, near.labels, facts

    def _chances(self, pool: Pool) -> tuple[_Floats, _Mask]:
        """Return the logarithm of each record's weight, and which have none."""
        if self.quality is None:
            return np.zeros(len(pool)), np.zeros(len(pool), np.bool_)
        quality = pool.numbers(self.quality, self.name).astype(np.float64)
        missing = np.isnan(quality)
        if self.weights == "softmax":
            return quality, missing
        what = f"method 'kmq', quality '{self.quality}'"
        expected = "numbers of at least 0 to draw by"
        check_usable(quality, quality < 0, what, expected, "weights=softmax takes any numbers.")
        with np.errstate(divide="ignore"):
            return np.log(quality), missing
