"""The best along each of a few orthogonal directions of quality, an equal part of the budget each.

Several signals that judge quality agree in part. Standardised and rotated to principal axes they do
not: the axes are uncorrelated, so the best along one are no more likely than chance among the best
along another. Each axis gives its best, in turn, until the budget is full.

Source: ODiS, "Learning from the Best, Differently: A Diversity-Driven Rethinking on Data Selection"
(2025): annotate, rotate, take the top of each axis, unite. Ours, where the paper is silent:
columns are standardised; an axis points where its loadings add up to more than 0 (so that "more" of
the signals together is up); the budget is shared equally, what several axes want counts once and
each goes on down its own order. The paper trains a model for each axis; here signals are given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.budget.interleave import units
from tamis.select.given.judges import signs
from tamis.select.steps.axes import Axes, axes, in_turn, overlap

__all__ = ["Axes", "Odis", "axes", "odis", "overlap"]

_Floats = NDArray[np.float64]


def odis(scores: Any, k: int, components: int = 4) -> NDArray[np.int64]:
    """Return `min(k, n)` rows: the best along each axis of `n x m` scores in turn, best first.

    The order of the rows of `scores` does not matter, ties apart.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        As `axes`.
    """
    k = check_amount(k)
    x = np.asarray(scores, np.float64)
    if x.ndim != 2:
        raise InputError(f"odis, scores: expected n x m numbers, got an array of shape {x.shape}.")
    by_content = np.lexsort(x.T[::-1])
    found = axes(x[by_content], components)
    rows, _ = in_turn(found, np.ones(len(x)))
    return by_content[rows[:k]].astype(np.int64)


class Odis(Selector):
    """The best along each principal axis of several signals, equal parts of the budget."""

    name = "odis"
    title = "Best along orthogonal quality axes"
    source = "ODiS (2025); standardising, signs and the equal parts are ours"
    cost = "O(n m^2 + n log n) time, 8 (m + components) bytes a record"
    promises = "axes uncorrelated over the pool; an equal part of the budget for each"
    use_when = "several signals of quality agree in part, and the best by one alone are too much alike"
    fails_when = "later axes are noise, or mix signals of opposite sign: 'up' then means good in one, bad in another"
    later = "rejected at ICLR 2026: wrong averages, no intervals, no ablation of the rotation"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("signals", str, REQUIRED, "the signals, separated by commas; SIGNAL:asc where less is better"),
        Parameter("components", int, 4, "axes, at most", low=1),
    )

    signals: str
    components: int

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wanted = signs(self.signals, self.name)

    def needs(self) -> tuple[str, ...]:
        """Return the signals."""
        return tuple(self.wanted)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - nothing here is random
        """Order by turns of the axes; a record that lacks a signal (NaN) is set aside."""
        return self._rank(pool)[0]

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with each axis's part counted in the budget's unit, and fill it from the top.

        The reasons name the axis; the facts tell loadings, variance, how many each axis gave, and
        the overlap of the axes' own best.
        """
        aware = _Aware(**self.options)
        aware.constraints = constraints
        chosen = Selector.select(aware, pool, constraints, seed)
        found, axis = aware.found
        told = [f"odis: best along axis {c + 1} ({self._told(loading)})" for c, loading in enumerate(found.loadings.T)]
        inside = chosen.rows[chosen.reason[chosen.rows] == 0]
        reason = chosen.reason.copy()
        reason[inside] = len(chosen.reasons) + axis[inside]
        shared, chance = overlap(found, max(1, len(chosen) // len(told)))
        about = [
            {
                "loadings": dict(zip(self.wanted, loading.round(6).tolist(), strict=True)),
                "explained": round(part, 6),
                "chosen": int((axis[inside] == c).sum()),
            }
            for c, (loading, part) in enumerate(zip(found.loadings.T, found.explained.tolist(), strict=True))
        ]
        facts = {"axes": about, "overlap": round(shared, 6), "overlap_by_chance": round(chance, 6)}
        return replace(chosen, reason=reason, reasons=(*chosen.reasons, *told), facts=facts)

    def _cost(self, n: int) -> _Floats:  # what each record takes of the budget
        return np.ones(n)

    def _rank(self, pool: Pool) -> tuple[Ranking, Axes, NDArray[np.int64]]:
        """Return the ranking, the axes, and the axis each record was taken from (-1 where set aside)."""
        columns = [sign * pool.numbers(name, self.name).astype(np.float64) for name, sign in self.wanted.items()]
        scores = np.stack(columns, axis=1)
        told = np.flatnonzero(~np.isnan(scores).any(axis=1))
        found = axes(scores[told], self.components)
        rows, whose = in_turn(found, self._cost(len(pool))[told])
        axis, score = np.full(len(pool), -1, np.int64), np.full(len(pool), np.nan)
        axis[told[rows]], score[told[rows]] = whose, found.points[rows, whose]
        why = ("odis: lacks a signal (NaN)",)
        ranking = Ranking(told[rows], score, "odis: best along an axis", np.zeros(len(pool), np.int8), why)
        return ranking, found, axis

    def _told(self, loadings: _Floats) -> str:
        return ", ".join(
            f"{part:+.2f} {name}{':asc' if sign < 0 else ''}"
            for (name, sign), part in zip(self.wanted.items(), loadings.tolist(), strict=True)
        )


class _Aware(Odis):
    """The method with a budget in sight; keeps what it found."""

    constraints: Constraints
    found: tuple[Axes, NDArray[np.int64]]

    def _cost(self, n: int) -> _Floats:
        return units(self.constraints, n)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002
        ranking, found, axis = self._rank(pool)
        self.found = found, axis
        return ranking
