"""What helps a model most, found by asking about few records: a bandit over clusters.

Source: QuaD, "Harnessing Diversity for Important Data Selection in Pretraining Large Language Models" (2024):
clusters are the arms of a bandit; each round the clusters of the highest upper confidence bound are drawn from, the
influence of what was drawn is computed, and what is above a threshold is kept, until the budget is full.

Ours, where the paper's text gives no value: 64 clusters a round and 32 records of each, the width of the bounds is
one standard deviation of the first round's influences, the threshold their median. When everything was asked about,
or as much as is allowed, the best below the threshold fill the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.exploring import Exploring
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.budget.rounds import asked
from tamis.select.given.arrays import given
from tamis.select.given.embedded import Embedded
from tamis.select.given.parameters import Function
from tamis.vectors.kmeans import kmeans

__all__ = ["Quad", "quad"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def quad(
    x: Any,
    k: int,
    influence: Any,
    *,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
    **options: Any,
) -> tuple[_Ints, _Ints]:
    """Return `min(k, n)` rows of `x` (`n x d`), and all rows whose influence was asked for, in that order.

    `influence` is a function from rows of `x` to a number each, or `n` numbers. Options as those of `Quad`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, influences that are no number a row or infinite.
    OptionError
        An option that does not exist or does not fit.
    """
    k, function = check_amount(k), callable(influence)
    found = given(x, keys, influence=None if function else influence)
    places = found.back(np.arange(len(found.pool)))
    method = Quad(score=influence, **options) if function else Quad(influence="influence", **options)
    pool = Pool(found.pool.keys, {**found.pool.columns, "order": places})
    rows = method.select(pool, Constraints(Budget("rows", k)), seed).rows
    return found.back(rows), found.back(method.looked)


class Quad(Greedy):
    """A bandit over clusters that asks about few records."""

    name = "quad"
    title = "The most influential, by a bandit over clusters"
    source = "QuaD (2024); clusters a round, records of each, width, threshold and the end are ours"
    cost = "k-means; then what the influences asked for cost, a few percent of the pool where few are wanted"
    promises = (
        "no influence is computed but of the records it names; with a wide enough `alpha`, and clusters that neither"
        " run dry nor drift, the bandit's regret grows with the logarithm of the rounds (UCB1)"
    )
    use_when = "what a record does for a model can be computed, but is too dear to compute for all"
    fails_when = "clusters do not tell influence apart, or it drifts as the model trains: both are not noticed"
    later = "its own figures (30B of SlimPajama's 627B tokens, 1.3B model): 1.39 points above random; no other known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("influence", str, None, "the signal that is looked up, the best highest; counted as if computed"),
        Parameter("score", Function, None, "what computes influence: positions to numbers, the best highest"),
        Parameter("clusters", int, None, "clusters; default the square root of the pool, published 10,000", low=1),
        Parameter("arms", int, 64, "clusters drawn from in a round", low=1),
        Parameter("gamma", int, 32, "records drawn from each", low=1),
        Parameter("alpha", float, 1.0, "width of the bounds, in standard deviations; 0 is greedy", low=0),
        Parameter("tau", float, 0.5, "quantile of the first round's influences to be above", low=0, high=1),
        Parameter("most", float, 1.0, "share of the pool that may be asked about", low=0, high=1),
    )

    influence: str | None
    score: Callable[[_Ints], Any] | None
    clusters: int | None
    arms: int
    gamma: int
    alpha: float
    tau: float
    most: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.looked = np.empty(0, np.int64)
        if (self.influence is None) == (self.score is None):
            raise OptionError(
                "method 'quad': expected influence=SIGNAL (values that are known already), or in Python a function that"
                " computes them, tamis.select(..., method='quad', score=function); got"
                f" {'neither' if self.score is None else 'both'}."
            )

    def needs(self) -> tuple[str, ...]:
        """Return the vectors, and the signal or the places in the input."""
        return ("vectors", self.influence or "order")

    def holds(self, n: int) -> int:
        """Return the bytes of what is known of each record."""
        return 48 * n

    def operations(self) -> int:
        """Return how many records the last choice asked about."""
        return len(self.looked)

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Ask, keep what is above the threshold, and go on where it was good; the score is the influence."""
        found = Embedded(pool, self.name)
        facts: dict[str, Any] = {}
        self.looked = np.empty(0, np.int64)
        if len(found):
            count = self.clusters or max(1, round(len(found) ** 0.5))
            labels = kmeans(found.x, count, seed=seed, spherical=True, keys=found.keys).labels
            chance = uniforms(pool.keys, salt(seed, "quad"))[found.rows]
            how: dict[str, Any] = {
                "picked": self.arms,
                "gamma": self.gamma,
                "alpha": self.alpha,
                "tau": self.tau,
                "most": self.most,
            }
            search = Exploring(found.rows, labels, chance, seed, **how)
            search.run(filling, self._asks(pool), found.score)
            self.looked = search.looked
            facts = search.told()
        missing = self.looked[np.isnan(found.score[self.looked])]
        found.aside[missing], found.asides = 1, (*found.asides, "quad: no influence (NaN)")
        chance = uniforms(pool.keys, salt(seed, "quad: rest"))
        rest = np.flatnonzero(found.aside < 0)
        # Those known, best first; then those nobody asked about, at random.
        rest = rest[np.lexsort((chance[rest], -found.score[rest], np.isnan(found.score[rest])))]
        for row in rest.tolist():
            if filling.full:
                break
            if filling.open[row]:
                filling.offer(row)
        facts |= {"asked": len(self.looked), "of": len(pool)}
        return found.ranking(filling.order(rest), "quad: by influence, where the bandit looked", facts)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Return the choice; its facts say how many of it nobody asked about."""
        return replace(chosen, facts={**chosen.facts, "unasked": int(np.isnan(chosen.score[chosen.rows]).sum())})

    def _asks(self, pool: Pool) -> Callable[[_Ints], _Floats]:
        """Return what says the influence of records."""
        if self.score is not None:
            function, places = self.score, pool.numbers("order", self.name).astype(np.int64)
            return lambda rows: asked(function, places[rows], self.name)
        known = pool.numbers(self.influence or "", self.name).astype(np.float64)
        return lambda rows: asked(lambda which: known[which], rows, self.name)
