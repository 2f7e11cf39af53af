"""Greedy choice for objectives with diminishing returns: the set that was chosen, and the loop that chooses it.

`take` is for a state that knows all gains at any time. States that would pay for each gain have loops of their own,
which ask for few (lazy evaluation, Minoux 1978): `cutting`, `concave`, `residual`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen
from tamis.select.budget.filling import Filling

__all__ = ["Grown", "Known", "take"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


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
    # A step passes over all candidates: what need not be copied or divided is not.
    whole, alike = np.array_equal(rows, np.arange(len(filling.open))), bool((price == 1).all())
    worth = np.empty(len(rows))
    while len(rows) and len(taken) != most and not filling.full:
        waiting = filling.open if whole else filling.open[rows]
        worth.fill(-np.inf)
        np.copyto(worth, state.gains if alike else state.gains / price, where=waiting)
        best = int(np.argmax(worth))
        if worth[best] == -np.inf:
            break
        gain = float(state.gains[best]) / state.unit
        if filling.offer(int(rows[best])):
            taken.append(best)
            added.append(gain)
            state.add(best)
    out[at] = state.gains / state.unit
    out[at[taken]] = added
    return np.asarray(taken, np.int64), np.asarray(added)
