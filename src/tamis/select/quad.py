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
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.budget.rounds import asked
from tamis.select.given.arrays import one_each
from tamis.select.given.parameters import Function
from tamis.select.steps.bandit import Bandit
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Quad", "quad"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("quad: no vector (all zeros)", "quad: no influence (NaN)")


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
    constraints = Constraints(Budget("rows", check_amount(k)))
    x, keys, order = canonical(x, keys)
    places = np.arange(len(x)) if order is None else order
    columns: dict[str, NDArray[Any]] = {"vectors": x, "order": places}
    if callable(influence):
        method = Quad(score=influence, **options)
    else:
        method = Quad(influence="influence", **options)
        columns["influence"] = one_each(influence, order, len(x), "influence")
    rows = method.select(Pool(keys, columns), constraints, seed).rows
    return np.asarray(places[rows], np.int64), np.asarray(places[method.looked], np.int64)


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
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        found, missing = np.full(len(pool), np.nan), np.zeros(len(pool), np.bool_)
        facts: dict[str, Any] = {}
        self.looked = np.empty(0, np.int64)
        if len(rows):
            count = self.clusters or max(1, round(len(rows) ** 0.5))
            part = subset(x, rows)
            labels = kmeans(part, count, seed=seed, spherical=True, keys=pool.keys[rows]).labels
            search = _Search(self, rows, labels, uniforms(pool.keys, salt(seed, "quad")), seed)
            search.run(filling, self._asks(pool), found)
            self.looked = np.concatenate([np.empty(0, np.int64), *search.looked])
            missing[self.looked] = np.isnan(found[self.looked])
            facts = search.told()
        chance = uniforms(pool.keys, salt(seed, "quad: rest"))
        rest = np.flatnonzero(~zero & ~missing)
        # Those known, best first; then those nobody asked about, at random.
        rest = rest[np.lexsort((chance[rest], -found[rest], np.isnan(found[rest])))]
        for row in rest.tolist():
            if filling.full:
                break
            if filling.open[row]:
                filling.offer(row)
        facts |= {"asked": len(self.looked), "of": len(pool)}
        order = filling.order(rest)
        aside = np.where(zero, 0, 1).astype(np.int8)
        return Ranking(order, found, "quad: by influence, where the bandit looked", aside, _ASIDE, facts=facts)

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


class _Search:
    """The bandit at work on the clusters of some rows: queues of what may be drawn, and what came out."""

    def __init__(self, method: Quad, rows: _Ints, labels: NDArray[np.int32], chance: _Floats, seed: int) -> None:
        self.method, self.looked = method, list[_Ints]()
        order = np.lexsort((chance[rows], labels))
        arms = int(labels.max()) + 1
        self.queues = np.split(rows[order], np.searchsorted(labels[order], np.arange(1, arms)))
        self.dry = np.array([not len(queue) for queue in self.queues])
        self.bandit = Bandit(arms, seed=seed, width=0.0)
        self.left = round(method.most * len(rows))
        self.tau, self.first, self.settled = np.nan, np.empty(0), False

    def run(self, filling: Filling, asks: Callable[[_Ints], _Floats], found: _Floats) -> None:
        """Ask round by round, offering what is above the threshold, until it is full or nothing may be asked."""
        while not filling.full and self.left > 0 and not self.dry.all():
            drawn, arms = self._draw(filling)
            if not len(drawn):
                continue
            found[drawn] = asks(drawn)
            self.looked.append(drawn)
            self.left -= len(drawn)
            self._learn(found[drawn], arms)
            above = drawn[found[drawn] > self.tau]
            for row in above[np.lexsort((above, -found[above]))].tolist():
                if filling.open[row]:
                    filling.offer(row)

    def _draw(self, filling: Filling) -> tuple[_Ints, _Ints]:
        """Return the next records of the arms that are picked, and the arm of each; closed records are passed over."""
        rows, arms = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        room = self.left
        for arm in self.bandit.pick(~self.dry, self.method.arms).tolist():
            queue = self.queues[arm][filling.open[self.queues[arm]]]
            new = queue[: min(self.method.gamma, room)]
            self.queues[arm] = queue[len(new) :]
            self.dry[arm] = not len(self.queues[arm])
            room -= len(new)
            rows.append(new)
            arms.append(np.full(len(new), arm))
        return np.concatenate(rows), np.concatenate(arms)

    def _learn(self, values: _Floats, arms: _Ints) -> None:
        """Tell the bandit the mean of each arm; the first round sets mean, width and threshold.

        The first rounds together, where all influences of the first are alike.
        """
        known = ~np.isnan(values)
        values, arms = values[known], arms[known]
        if not len(values):
            return
        if not self.settled:  # rounds in which all are alike tell nothing of width and threshold
            self.first = np.append(self.first, values)
            self.settled = bool(self.first.min() < self.first.max())
            self.bandit.start = float(self.first.mean())
            self.bandit.width = self.method.alpha * float(self.first.std()) if self.settled else 0.0
            self.tau = float(np.quantile(self.first, self.method.tau))
        which, place = np.unique(arms, return_inverse=True)
        self.bandit.pulled(which, np.bincount(place, values) / np.bincount(place))

    def told(self) -> dict[str, Any]:
        """Return what is told of the search."""
        return {
            "clusters": len(self.queues),
            "rounds": len(self.looked),
            "visited": int((self.bandit.pulls > 0).sum()),
            "tau": None if np.isnan(self.tau) else float(f"{self.tau:.6g}"),
        }
