"""Hard, dependable and different: farthest-first, each distance times what the record is worth.

Source: D3, "Diversity, Difficulty, and Dependability-Aware Data Selection for Sample-Efficient LLM Instruction Tuning"
(2025): a weighted coreset of difficulty (UPD) times dependability (a teacher's rating), in rounds, with a model trained
on the picks scoring anew. Ours: how the set is found, which we know from summaries alone. The next record is the one
of the largest worth times distance to its nearest chosen one; the first is the one worth most, of equal ones the
nearest to the mean, so that with equal worth the picks are those of `kcenter`. In `upd` the place of beta is ours too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.select.base import Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.gain.columns import Columns, farthest
from tamis.select.gain.worth import dearest
from tamis.select.given.arrays import given, one_each
from tamis.select.given.direction import directed
from tamis.select.given.embedded import Embedded
from tamis.select.given.usable import check_usable
from tamis.select.kcenter import Kcenter
from tamis.select.steps.upd import upd
from tamis.vectors.similarity import Space

__all__ = ["D3", "Rescore", "d3", "upd"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

Rescore = Callable[[_Ints], Any]
"""Given the rows chosen so far, what each of the `n` rows is worth now."""


def d3(
    x: Any,
    k: int,
    worth: Any = None,
    *,
    metric: str = "cosine",
    rounds: int = 1,
    rescore: Rescore | None = None,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice, by worth (`n`, default 1) times distance.

    With `rescore` there are `rounds` of `k / rounds` picks; after each but the last it is called with the rows chosen
    so far and returns the worth anew, such as of a model trained on them. Rows of zeros and of worth NaN are never
    chosen. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` or `rounds` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, a worth below 0 or infinite, not one a row.
    OptionError
        Another metric; more than one round without `rescore`.
    """
    k, rounds = check_amount(k), check_amount(rounds, "rounds")
    if rounds > 1 and rescore is None:
        raise OptionError(
            f"d3: expected a function rescore for {rounds} rounds, got none: nothing scores anew by itself."
        )
    found = given(x, keys, worth=worth)
    n = len(found.pool)
    method = D3(metric=metric)
    method._first = None if worth is None else found.pool.numbers("worth", "d3")
    if rescore is not None:
        ends = {min(k, n) * r // rounds for r in range(1, rounds)} - {0}

        def again(rows: _Ints) -> _Floats | None:
            if len(rows) not in ends:
                return None
            return one_each(rescore(found.back(rows)), found.order, n, "worth, of rescore")

        method._again = again
    return found.back(method.select(found.pool, Constraints(Budget("rows", k))).rows)


class D3(Kcenter):
    """The record of the largest worth times distance to those chosen, again and again."""

    name = "d3"
    title = "Hard, dependable and far from those chosen"
    source = "D3 (2025); the weighted farthest-first and the form of UPD are ours"
    cost = "O(n d k) time, 16 columns at a time; O(n) memory besides the vectors"
    promises = "nothing; with equal worth what `kcenter` promises"
    use_when = "a model scored difficulty and a judge dependability, and few records should cover what is hard and true"
    fails_when = "one factor near 0 rules a record out; outliers are far from everything, and still attract it"
    later = "no later comparison known; published: under 10 % of three sets as good as all, or better"
    flags = Flags(needs_all=True)
    parameters = (  # type: ignore[assignment] # another number of them
        Parameter("difficulty", str, None, "the signal of difficulty, at least 0; SIGNAL:asc for ranks downwards"),
        Parameter("dependability", str, None, "the signal that says how far a record can be trusted, at least 0"),
        Parameter("loss", str, None, "the signal of the answer's mean token loss: difficulty is then UPD"),
        Parameter("entropy", str, None, "the signal of the mean entropy of the predictions there, in nats"),
        Parameter("vocabulary", int, None, "tokens of the model that gave loss and entropy", low=2),
        Parameter("beta", float, 1.0, "power of the entropy in UPD", low=1e-6),
        Parameter("standard", bool, False, "take mean and spread of the losses out first, so that they count as much"),
        Parameter("scale", str, "raw", "signals as they are, or their ranks", ("raw", "ranks")),
        Parameter("metric", str, "cosine", "how far apart two vectors are", ("cosine", "euclidean")),
    )

    difficulty: str | None
    dependability: str | None
    loss: str | None
    entropy: str | None
    vocabulary: int | None
    beta: float
    standard: bool
    scale: str
    outliers = 0.0
    _first: _Floats | None = None
    _again: Callable[[_Ints], _Floats | None] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        told = [name for name in ("loss", "entropy", "vocabulary") if getattr(self, name) is not None]
        if len(told) not in (0, 3) or (told and self.difficulty):
            raise OptionError(
                "method 'd3': expected difficulty, or loss, entropy and vocabulary together, got"
                f" {', '.join([*told, *(['difficulty'] if self.difficulty else [])])}."
            )
        factors = [getattr(self, name) for name in ("difficulty", "dependability")]
        self.factors = [directed(text, self.name, "difficulty") for text in factors if text]
        if self.scale == "raw" and any(ascending for _, ascending in self.factors):
            raise OptionError("method 'd3': expected scale=ranks where less is more (:asc), got scale=raw.")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        signals = [*(name for name, _ in self.factors), *([self.loss, self.entropy] if self.loss else [])]
        return tuple(dict.fromkeys(["vectors", *(name for name in signals if name)]))

    def holds(self, n: int) -> int:
        """Return the bytes of the columns and distances, and of worth and value."""
        return super().holds(n) + 100 * n

    def within(self, room: int, n: int) -> Kcenter:
        """Return the method holding vectors as float32 only where `room` has it; the choice is the same."""
        return super().within(room - 100 * n, n)

    def _worth(self, pool: Pool) -> _Floats:
        """Return the product of the factors, NaN where one is."""
        factors = [(name, pool.numbers(name, self.name).astype(np.float64), asc) for name, asc in self.factors]
        if self.loss and self.entropy and self.vocabulary:
            lost, spread = (pool.numbers(name, self.name).astype(np.float64) for name in (self.loss, self.entropy))
            factors.append(("upd", upd(lost, spread, self.vocabulary, self.beta, self.standard), False))
        worth = np.ones(len(pool)) if self._first is None else self._first
        for name, values, ascending in factors:
            if self.scale == "ranks":
                known = ~np.isnan(values)
                values[known] = rankdata(-values[known] if ascending else values[known]) / max(1, int(known.sum()))
            worth = worth * _checked(values, name)
        return _checked(worth, "worth")

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the largest worth times distance; the score is that product, when it was taken or at the end.

        The first record and the must-keep ones have none.
        """
        worth = self._worth(pool)
        found = Embedded(pool, self.name)
        rows, score, lacks = found.rows, found.score, np.isnan(worth)
        # Those that lack a signal may be must-keep ones, which others are compared with.
        found.aside[rows], found.asides = 1, (*found.asides, "d3: lacks a signal (NaN)")
        self._asked = 0
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        columns = Columns(Space(found.x, self.metric), Local(), self._held)
        apart, told, weight = np.full(len(rows), np.inf, np.float32), ~lacks[rows], worth[rows]
        taken = filling.kept[np.isin(filling.kept, rows)].tolist()
        for row in np.searchsorted(rows, taken).tolist():
            np.minimum(apart, columns.of(row, farthest(apart, told)), out=apart)
        waiting = filling.open[rows] & told
        middle = columns.to_mean() if not taken else None
        while not filling.full and waiting.any():
            best, value = dearest(weight, self._unit(apart), waiting, middle)
            score[rows[best]] = value[best] if middle is None else np.nan
            if filling.offer(int(rows[best])):
                taken.append(int(rows[best]))
                np.minimum(apart, columns.of(best, farthest(value.astype(np.float32), waiting)), out=apart)
                middle = None
                anew = self._again(np.array(taken, np.int64)) if self._again else None
                if anew is not None:
                    weight = _checked(anew, "worth, of rescore")[rows]
                    told = ~np.isnan(weight)
            waiting = filling.open[rows] & told
        self._asked = columns.asked * len(rows)
        value = np.where(told, weight * self._unit(apart), -1.0) if taken else weight
        left = told.copy()
        left[np.searchsorted(rows, [*taken, *filling.offers])] = False
        if taken:
            score[rows[left]] = value[left]
        rest = rows[told][np.argsort(-value[told], kind="stable")]
        facts = {"columns": columns.computed}
        return found.ranking(filling.order(rest), "d3: worth times distance from those before", facts)


def _checked(worth: _Floats, name: str) -> _Floats:
    wrong = (worth < 0) | np.isinf(worth)
    then = "scale=ranks takes any numbers."
    check_usable(worth, wrong, f"method 'd3', '{name}'", "finite numbers of at least 0", then)
    return worth
