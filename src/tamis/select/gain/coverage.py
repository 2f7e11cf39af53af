"""Concave coverage of labels: what a set of records covers, and which record adds the most.

A set gives `z_p` to label `p`; it covers sum of phi(z_p), phi concave. So what a record adds only shrinks as the set
grows, to first order and exactly: what was computed in an earlier round is a bound, and gains are computed anew only
for records whose bound is the highest (lazy greedy, Minoux 1978). The picks are those of plain greedy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.budget.filling import Filling
from tamis.select.gain.highest import highest, maxima, put
from tamis.select.gain.label_graph import Reach

__all__ = ["Coverage", "Rule"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_OFFSET = 1e-6  # keeps the slope at 0 finite


class Rule(NamedTuple):
    """How gains are computed: `linear`, phi'(z) times what a record gives, or exactly; and phi.

    phi(z) is 1 - exp(-z) where `exponential`, else (z + 1e-6)^power.
    """

    linear: bool
    exponential: bool
    power: float


class Coverage:
    """What is covered of `m` labels, and what each record would add.

    Attributes
    ----------
    z : float64 array of shape (m,)
        What the chosen give to each label.
    computed : int
        Gains computed.
    """

    def __init__(self, reached: Reach, m: int, rule: Rule) -> None:
        self._reach = (reached.starts, reached.to, reached.mass, reached.way, reached.worth)
        self._rule = rule
        self.z = np.zeros(m)
        self._state = np.full(m, _state(0.0, rule))
        self._fresh = np.full(len(reached), -1, np.int64)
        self._tree = maxima(np.empty(0))
        self._round = 0
        self.computed = 0

    def add(self, row: int) -> None:
        """Let a record give what it gives."""
        _add(*self._reach, row, self.z, self._state, self._rule)
        self._round += 1

    def gain(self, row: int) -> float:
        """Return what a record would add."""
        return float(_gain(*self._reach, row, self.z, self._state, self._rule))

    def gains(self, rows: _Ints) -> _Floats:
        """Return what each of some records would add."""
        self.computed += len(rows)
        out: _Floats = _gains(*self._reach, rows, self.z, self._state, self._rule)
        return out

    def begin(self, price: _Floats, opened: NDArray[np.bool_]) -> None:
        """Compute the gains of all records that are open."""
        rows = np.flatnonzero(opened)
        values = np.full(len(opened), -np.inf)
        values[rows] = self.gains(rows) / price[rows]
        self._tree = maxima(values)
        self._fresh[:] = self._round

    def best(self, price: _Floats, opened: NDArray[np.bool_]) -> int:
        """Return the open record of the largest gain a unit of price, the first of several; -1 without any."""
        row, computed = _best(
            self._tree, self._fresh, self._round, price, opened, *self._reach, self.z, self._state, self._rule
        )
        self.computed += computed
        return int(row)

    def grow(self, filling: Filling, price: _Floats) -> _Floats:
        """Offer the record that adds the most for its price until the budget is full.

        Returns what each record added when it was offered, the must-keep ones first; NaN for the others (`n`).
        """
        added = np.full(len(price), np.nan)
        for row in filling.kept.tolist():
            added[row] = self.gain(row)
            self.add(row)
        self.begin(price, filling.open)
        while not filling.full:
            row = self.best(price, filling.open)
            if row < 0:
                break
            added[row] = self.gain(row)
            if filling.offer(row):
                self.add(row)
        return added

    def value(self, rows: _Ints) -> tuple[float, int]:
        """Return what a set of records covers, F, and to how many labels it gives anything."""
        z, scratch = np.zeros(len(self.z)), np.empty(len(self.z))
        for row in np.sort(rows).tolist():
            _add(*self._reach, row, z, scratch, self._rule)
        return float(_phi(z, self._rule).sum()), int((z > 0).sum())


def _phi(z: _Floats, rule: Rule) -> _Floats:
    return np.asarray(-np.expm1(-z) if rule.exponential else (z + _OFFSET) ** rule.power, np.float64)


@njit(nogil=True, cache=True)
def _state(z, rule):  # type: ignore[no-untyped-def]
    """Return what is kept of a label: the slope of phi for linear gains, its value for exact ones."""
    if rule.exponential:
        return np.exp(-z) if rule.linear else -np.expm1(-z)
    return rule.power * (z + _OFFSET) ** (rule.power - 1) if rule.linear else (z + _OFFSET) ** rule.power


@njit(nogil=True, cache=True)
def _gain(starts, to, mass, way, worth, row, z, state, rule):  # type: ignore[no-untyped-def]
    total, one = 0.0, way[row]
    for t in range(starts[one], starts[one + 1]) if one >= 0 else range(0):
        p, given = to[t], worth[row] * mass[t]
        if rule.linear:
            total += given * state[p]
        else:
            total += _state(z[p] + given, rule) - state[p]
    return total


@njit(nogil=True, cache=True)
def _gains(starts, to, mass, way, worth, rows, z, state, rule):  # type: ignore[no-untyped-def]
    out = np.empty(len(rows))
    for j in range(len(rows)):
        out[j] = _gain(starts, to, mass, way, worth, rows[j], z, state, rule)
    return out


@njit(nogil=True, cache=True)
def _add(starts, to, mass, way, worth, row, z, state, rule):  # type: ignore[no-untyped-def]
    one = way[row]
    for t in range(starts[one], starts[one + 1]) if one >= 0 else range(0):
        p = to[t]
        z[p] += worth[row] * mass[t]
        state[p] = _state(z[p], rule)


@njit(nogil=True, cache=True)
def _best(  # type: ignore[no-untyped-def]
    tree, fresh, now, price, opened, starts, to, mass, way, worth, z, state, rule
):
    """Return the open record of the highest gain: gains of earlier rounds are bounds, computed anew at the top."""
    computed = 0
    while True:
        row = highest(tree)
        if row < 0:
            return -1, computed
        if not opened[row]:
            put(tree, row, -np.inf)
        elif fresh[row] == now:
            return row, computed
        else:
            fresh[row] = now
            computed += 1
            put(tree, row, _gain(starts, to, mass, way, worth, row, z, state, rule) / price[row])
