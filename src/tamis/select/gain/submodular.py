"""Greedy choice for objectives with diminishing returns: one place for all of them.

Two ways to the same picks, ties to the lower position: `take` for an objective that knows all gains at any time, and
`lazily` for one that computes gains when asked (lazy evaluation, Minoux 1978): a gain seen at an earlier step is a
bound on what it is now, so only records whose bounds are highest are asked. Ours: bounds are kept for all, but looked
at for a front of some thousand records, until one outside of it may be the best; and gains are asked for many records
at a time, twice as many whenever it was not enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen
from tamis.select.budget.filling import Filling

__all__ = ["Asked", "Grown", "Known", "lazily", "take"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_FRONT: Final = 8192  # records looked at until one outside may be better, at least
_FIRST: Final = 64  # records asked at a time, at least


@dataclass(frozen=True, eq=False)
class Grown:
    """A set that was chosen greedily.

    Attributes
    ----------
    rows : int64 array of shape (k,)
        In the order in which they were chosen.
    gains : float64 array of shape (k,)
        What each added to the objective when it was chosen; of the sample that judged it, where one did.
    objective : float
        Of the set, over all rows.
    facts : dict
        How it was done.
    """

    rows: _Ints
    gains: _Floats
    objective: float
    facts: dict[str, Any]

    @classmethod
    def of(cls, rows: _Ints, chosen: Chosen) -> Grown:
        """Return the rows that a method chose, by what it told: scores are what each added."""
        return cls(rows, chosen.score[chosen.rows], float(chosen.facts.get("objective", 0.0)), dict(chosen.facts))


class Known(Protocol):
    """A growing set that knows what each of `c` candidates would add."""

    unit: int
    """What counts as 1."""

    @property
    def gains(self) -> NDArray[Any]:
        """What each would add, in units (`c`)."""

    def add(self, candidate: int) -> None:
        """Take a candidate."""


class Asked(Protocol):
    """A growing set that computes what candidates would add when it is asked."""

    rise: float
    """How much a gain may rise with one record that is taken: 0 for a submodular objective."""

    slack: float
    """How much a gain may lie above what it was, by rounding."""

    def gains(self, candidates: _Ints) -> _Floats:
        """Return what each candidate would add now."""

    def add(self, candidate: int) -> None:
        """Take a candidate."""


def take(
    state: Known,
    filling: Filling,
    rows: _Ints,
    price: _Floats,
    score: _Floats | None = None,
    *,
    every: bool = True,
    most: int | None = None,
) -> tuple[_Ints, _Floats]:
    """Offer the candidates (`rows` of the pool) that add most, ties to the first, until the budget is full.

    Or until `most` are taken.

    Returns the candidates that were taken, and what each added. `score` gets what each added, or would
    still add: of the pool's records with `every`, else of the candidates.
    """
    taken: list[int] = []
    added: list[float] = []
    out = score if score is not None else np.empty(len(filling.cost))
    at = rows if every else np.arange(len(rows))
    waiting = filling.open[rows]
    while len(taken) != most and not filling.full and waiting.any():
        worth = np.where(waiting, state.gains / price, -np.inf)
        best = int(np.argmax(worth))
        gain = float(state.gains[best]) / state.unit
        if filling.offer(int(rows[best])):
            taken.append(best)
            added.append(gain)
            state.add(best)
        waiting = filling.open[rows]
    out[at] = state.gains / state.unit
    out[at[taken]] = added
    return np.asarray(taken, np.int64), np.asarray(added)


def lazily(
    state: Asked, filling: Filling, rows: _Ints, price: _Floats, *, most: int | None = None
) -> tuple[_Ints, _Floats, _Floats]:
    """Make the choice of `take`, asking for few gains: what was taken, what each added, and what any would still add.

    The last is computed at the end, and for those taken is what they added.
    """
    bounds = _Bounds(state, rows, price)
    while len(bounds.taken) != most and not filling.full:
        waiting = np.flatnonzero(filling.open[rows])
        if not len(waiting):
            break
        bounds.forward(filling, waiting, most)
    score = state.gains(np.arange(len(rows)))
    taken, added = np.asarray(bounds.taken, np.int64), np.asarray(bounds.added, np.float64)
    score[taken] = added
    return taken, added, score


class _Bounds:
    """What each candidate added when it was asked last, at which step that was, and what was taken."""

    def __init__(self, state: Asked, rows: _Ints, price: _Floats) -> None:
        self.state, self.rows, self.price = state, rows, price
        self.gain = state.gains(np.arange(len(rows)))
        self.seen = np.zeros(len(rows), np.int64)
        self.step = 0
        self.ask = _FIRST
        self.taken: list[int] = []
        self.added: list[float] = []

    def upper(self, some: _Ints) -> _Floats:
        """Return what some candidates may add at most, over their price; exactly that where asked at this step."""
        upper = self.gain[some]
        if self.state.rise or self.state.slack:
            ago = self.step - self.seen[some]
            upper = upper + np.where(ago > 0, ago * self.state.rise + self.state.slack, 0.0)
        return np.asarray(upper / self.price[some], np.float64)

    def forward(self, filling: Filling, waiting: _Ints, most: int | None) -> None:
        """Offer records of a front of those waiting, until one outside of it may be better."""
        front, outside, first, cheapest = self._front(waiting)
        start = self.step
        open_ = np.ones(len(front), np.bool_)
        while len(self.taken) != most and not filling.full and open_.any():
            upper = self.upper(front)
            upper[~open_] = -np.inf
            best = int(np.argmax(upper))
            moved = self.step - start
            limit = outside + (moved * self.state.rise + self.state.slack) / cheapest if moved else outside
            if upper[best] < limit or (upper[best] == limit and front[best] > first):
                return
            row = int(front[best])
            if self.seen[row] < self.step:
                self._ask(front, upper, open_)
                continue
            if filling.offer(int(self.rows[row])):
                self.taken.append(row)
                self.added.append(float(self.gain[row]))
                self.state.add(row)
                self.step += 1
                self.ask = max(_FIRST, self.ask // 4)
            open_ = filling.open[self.rows[front]]

    def _front(self, waiting: _Ints) -> tuple[_Ints, float, int, float]:
        """Return the candidates of highest bounds; of the others the highest, the first that has it, the cheapest."""
        size = max(_FRONT, 2 * self.ask)
        if len(waiting) <= size:
            return waiting, -np.inf, 0, 1.0
        upper = self.upper(waiting)
        cut = np.partition(upper, len(upper) - size)[len(upper) - size]
        inside = upper > cut
        equal = np.flatnonzero(upper == cut)
        inside[equal[: size - int(inside.sum())]] = True
        others = waiting[~inside]
        left = upper[~inside]
        at = int(np.argmax(left))
        return waiting[inside], float(left[at]), int(others[at]), float(self.price[others].min())

    def _ask(self, front: _Ints, upper: _Floats, open_: NDArray[np.bool_]) -> None:
        """Ask for the gains of those of highest bounds not asked at this step, next time for twice as many."""
        stale = np.flatnonzero(open_ & (self.seen[front] < self.step))
        if len(stale) > self.ask:
            stale = stale[np.argpartition(-upper[stale], self.ask - 1)[: self.ask]]
        some = np.sort(front[stale])
        self.gain[some] = self.state.gains(some)
        self.seen[some] = self.step
        self.ask *= 2
