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

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.budget.interleave import interleave

__all__ = ["Axes", "Odis", "axes", "odis", "overlap"]

_Floats = NDArray[np.float64]
_FLAT = 1e-10  # part of the variance below which an axis is rounding
_EVEN = 1e-9  # sum of loadings below which it has no sign


@dataclass(frozen=True, eq=False)
class Axes:
    """The principal axes of `n` records' scores in `m` signals.

    Attributes
    ----------
    loadings : float64 array of shape (m, c)
        Columns of length 1: what each standardised signal adds to each axis.
    explained : float64 array of shape (c,)
        Part of the variance along each axis, descending.
    points : float64 array of shape (n, c)
        The records along the axes, of mean 0 and variance 1.
    """

    loadings: _Floats
    explained: _Floats
    points: _Floats


def axes(scores: Any, components: int = 4) -> Axes:
    """Return up to `components` principal axes of `n x m` scores.

    Axes without variance are left out; of constants alone there is one, along which all are 0. Sums
    run down the rows as given: sort them for results that do not depend on their order to the last bit.

    Raises
    ------
    InputError
        `scores` is no `n x m` array of finite numbers.
    """
    x = np.asarray(scores, np.float64)
    if x.ndim != 2 or not x.size:
        raise InputError(f"odis, scores: expected n x m numbers, got an array of shape {x.shape}.")
    if not np.isfinite(x).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"odis, scores: expected finite numbers, got {x[row, column]} at record {row}.")
    columns = [_standardised(x[:, j]) for j in range(x.shape[1])]
    # Sums of NumPy are the same on any number of threads; a library's matrix product is not.
    correlation = np.array([[float((a * b).sum()) / len(x) for b in columns] for a in columns])
    variance, vectors = np.linalg.eigh(correlation)
    order = np.argsort(-variance, kind="stable")[: max(1, int(components))]
    order = order[variance[order] > _FLAT * len(columns)]
    if not len(order):
        m = len(columns)
        return Axes(np.full((m, 1), m**-0.5), np.zeros(1), np.zeros((len(x), 1)))
    loadings = np.stack([_signed(vectors[:, j]) for j in order], axis=1)
    points = np.stack([_along(columns, loadings[:, c]) for c in range(len(order))], axis=1)
    return Axes(loadings, variance[order] / variance.sum(), points / np.sqrt(variance[order]))


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
    rows, _ = _in_turn(found, np.ones(len(x)))
    return by_content[rows[:k]].astype(np.int64)


def overlap(found: Axes, k: int) -> tuple[float, float]:
    """Return which part of the `k` best along one axis is among those along another, on average; and by chance.

    The mean over all pairs of axes, 0 for a single one; by chance it is `k / n`.
    """
    n, count = found.points.shape
    k = min(k, n)
    best = [set(order[:k].tolist()) for order in _orders(found)]
    shared = [len(a & b) / k for a, b in itertools.combinations(best, 2)]
    return (float(np.mean(shared)) if count > 1 else 0.0), k / n


def _standardised(column: _Floats) -> _Floats:
    apart = column - column.mean()
    spread = float(np.sqrt((apart * apart).sum() / len(column)))
    # What is left of a constant column is rounding: it must not be blown up.
    flat = spread <= 1e-12 * max(1.0, float(np.abs(column).max()))
    return np.zeros_like(column) if flat else apart / spread


def _signed(vector: _Floats) -> _Floats:
    """Return an axis that points up: its loadings add up to more than 0, or else its largest is positive."""
    total = float(vector.sum())
    if abs(total) < _EVEN:
        total = float(vector[np.argmax(np.abs(vector) > np.abs(vector).max() - _EVEN)])
    return -vector if total < 0 else vector


def _along(columns: list[_Floats], loading: _Floats) -> _Floats:
    total = np.zeros_like(columns[0])
    for column, part in zip(columns, loading.tolist(), strict=True):
        total += part * column
    return total


def _orders(found: Axes) -> list[NDArray[np.int64]]:
    return [np.argsort(-found.points[:, c], kind="stable") for c in range(found.points.shape[1])]


def _in_turn(found: Axes, cost: _Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all rows, each axis's best in turn, and the axis each was taken from."""
    orders = _orders(found)
    return interleave(orders, np.full(len(orders), 1.0 / len(orders)), cost)


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
        self.wanted: dict[str, float] = {}
        for part in (part.strip() for part in self.signals.split(",")):
            name, colon, way = part.rpartition(":")
            if not colon or name == "field":  # `field:NAME` is a field that has a signal's name
                name, way = part, "desc"
            if not name or way not in ("asc", "desc") or name in self.wanted:
                raise OptionError(
                    f"method 'odis', option 'signals': expected different names such as 'a,b,c:asc',"
                    f" got '{self.signals}'."
                )
            self.wanted[name] = -1.0 if way == "asc" else 1.0

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
        rows, whose = _in_turn(found, self._cost(len(pool))[told])
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
        if self.constraints.budget.unit == "tokens" and self.constraints.cost is not None:
            return np.asarray(self.constraints.cost, np.float64)
        return super()._cost(n)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002
        ranking, found, axis = self._rank(pool)
        self.found = found, axis
        return ranking
