"""A set that covers records, is worth something by itself, and must not repeat itself: for semantic compression.

With weights c and a, a candidate adds c times what facility location would (`gain.represent.Represented`), plus a worth
of its own, less a times its similarities to those chosen, added up. Gains may be negative.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tamis.select.budget.filling import Filling
from tamis.select.gain.represent import Represented
from tamis.vectors.similarity import UNIT

__all__ = ["Around"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Around:
    """A set that grows over `c` candidates, which are the records that it covers; use it in a `with` block.

    Attributes
    ----------
    taken : list of int
        The candidates in it.
    total : float
        What all of them added.
    """

    def __init__(self, matrix: NDArray[np.uint16], own: _Floats, coverage: float, apart: float, threads: int) -> None:
        """Take the similarities of all candidates to all (`c x c`), what each is worth by itself, and the weights.

        `coverage` weighs the mean similarity of candidates to the nearest chosen, `apart` each 1/65,535 of similarity
        to one that was chosen before.
        """
        self.state = Represented(matrix, threads=threads)
        self.own, self.coverage, self.apart = own, coverage, apart
        self.alike = np.zeros(len(matrix), np.int64)  # to those chosen, added up
        self.taken: list[int] = []
        self.total = self._pairs = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.state.close()

    @property
    def gains(self) -> _Floats:
        """What each candidate would add (`c`)."""
        covered = self.coverage * self.state.gains / (UNIT * len(self.own))
        return np.asarray(covered + self.own - self.apart * self.alike, np.float64)

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        self.total += float(self.gains[candidate])
        self._pairs += float(self.alike[candidate])
        self.taken.append(candidate)
        self.state.add(candidate)
        np.add(self.alike, self.state.matrix[candidate], out=self.alike)

    def fill(self, filling: Filling, rows: _Ints, price: _Floats) -> _Floats:
        """Offer the candidates (`rows` of the pool) that add most by price, ties to the first, until it is full.

        A loss counts whole, whatever it costs. Returns what each added when it was offered, or would still add.
        """
        added = np.full(len(rows), np.nan)
        waiting = filling.open[rows]
        while not filling.full and waiting.any():
            gain = self.gains
            worth = np.where(gain > 0, gain / price, gain)
            best = int(np.argmax(np.where(waiting, worth, -np.inf)))
            if filling.offer(int(rows[best])):
                self.add(best)
            added[best] = gain[best]
            waiting = filling.open[rows]
        return np.where(np.isnan(added), self.gains, added)

    def covered(self) -> float:
        """Return the mean similarity of the candidates to the nearest chosen."""
        return float(self.state.best.mean()) / UNIT

    def likeness(self) -> float:
        """Return the mean similarity of two chosen ones; 0 where there are none."""
        count = len(self.taken)
        return 2 * self._pairs / (UNIT * count * (count - 1)) if count > 1 else 0.0
