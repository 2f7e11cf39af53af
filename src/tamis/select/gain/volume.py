"""The choice by volume: the record that adds most to a determinant, again and again; in parts where no factor fits.

For products of features nothing is held but a few numbers a record and one direction a choice, so that they need no
parts. The Gaussian kernel needs a row of a factor for each record that is looked at, up to `8 n k` bytes. Where that is
more than it may be, records are dealt into parts whose factors fit: together they propose twice as many as are wanted,
and the choice is made among those; where the factor of so many does not fit either, each part gives its share, and the
shares are taken in turns. Parts are ours, after GreeDi (Mirzasoleiman et al. 2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.budget.filling import Filling
from tamis.select.gain.proposals import PROPOSED, dealt, inside
from tamis.select.gain.residual import Residual, spread
from tamis.select.given.embedded import Embedded
from tamis.select.steps.determinantal import Rows
from tamis.vectors.tiles import subset

__all__ = ["Volume", "voluminous"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Volume:
    """How volume is measured, and what it may take.

    Attributes
    ----------
    kernel : str
        "cosine" or "linear", as of `Rows`, or "rbf", the Gaussian one.
    ridge : float
        Added to the diagonal.
    gamma : float, optional
        Of the Gaussian kernel; without it 1 over the mean squared distance of two records.
    size : int
        Bytes that its factor may take.
    beside : float64 array of shape (m, d), optional
        Directions that are taken from the start, for products of features.
    """

    kernel: str
    ridge: float
    gamma: float | None = None
    size: int = 0
    beside: _Floats | None = None

    def choose(self, found: Embedded, worth: _Floats, filling: Filling) -> dict[str, Any]:
        """Offer what adds most volume, each record's diagonal weighed by `worth` (`m`), in logarithms; return facts.

        Scores are what each record added when it was offered, or at most adds at the end.
        """
        most, n = len(filling.kept) + filling.rows, len(found)
        rows = Rows(found.x, self.kernel)
        gamma = (self.gamma or 1.0 / max(spread(rows), 1e-30)) if self.kernel == "rbf" else 0.0
        if not gamma or self._fits(n, most):
            volume = self._residual(rows, worth, gamma, most)
            taken = voluminous(volume, filling, found.rows, found.score)
            return {"taken_by_volume": taken, "comparisons": volume.looked}
        judged = PROPOSED * most < n and self._fits(PROPOSED * most, most)
        wanted = PROPOSED * most if judged else most
        shares, parts, looked = self._shares(found, worth, gamma, wanted, filling)
        if not judged:
            taken = sum(filling.offer(row) for row in _in_turns(shares, found.rows, filling))
            return {"parts": parts, "taken_by_volume": taken, "comparisons": looked}
        every = np.unique(np.concatenate([found.among(filling.kept), *shares]))
        volume = self._residual(Rows(subset(found.x, every), self.kernel), worth[every], gamma, most)
        taken = voluminous(volume, filling, found.rows[every], found.score)
        facts = {"parts": parts, "proposals": len(every), "taken_by_volume": taken}
        return {**facts, "comparisons": looked + volume.looked}

    def _residual(self, rows: Rows, worth: _Floats, gamma: float, most: int) -> Residual:
        return Residual(rows, worth, self.ridge, gamma, most, self.size, self.beside)

    def _fits(self, rows: int, most: int) -> bool:
        return 8 * rows * min(rows, most) <= self.size

    def _shares(
        self, found: Embedded, worth: _Floats, gamma: float, wanted: int, filling: Filling
    ) -> tuple[list[_Ints], int, int]:
        """Return what each part chooses of the `wanted`, how many parts there are, and how much was compared."""
        n, looked, shares = len(found), 0, []
        count = max(2, math.ceil(math.sqrt(8 * n * wanted / self.size)))
        while count < n and not self._fits(-(-n // count), -(-wanted // count)):
            count += 1
        for part in dealt(np.arange(n), found.keys, count, "dpp"):
            each, told = -(-wanted // count), np.empty(len(part))
            few = inside(filling, found.rows[part], each)
            volume = self._residual(Rows(found.x[part], self.kernel), worth[part], gamma, each)
            voluminous(volume, few, np.arange(len(part)), told)
            found.score[found.rows[part]] = told
            shares.append(part[few.offers])
            looked += volume.looked
        return shares, count, looked


def voluminous(volume: Residual, filling: Filling, rows: _Ints, score: _Floats) -> int:
    """Offer the records (`rows` of the pool) that add most until nothing adds anything; return how many were taken.

    Those that must be in are taken first. `score` (of the pool) gets what each record added when it was offered, or
    at most adds at the end.
    """
    kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
    for row in kept.tolist():
        score[rows[row]] = volume.of(row)
        volume.take(row)
    taken = 0
    while not filling.full:
        volume.bound[~filling.open[rows]] = -np.inf
        best = volume.best()
        if best < 0:  # what is left of the budget goes down the scores
            break
        score[rows[best]] = volume.bound[best]
        if filling.offer(int(rows[best])):
            volume.take(best)
            taken += 1
    left = np.ones(len(rows), np.bool_)
    left[kept] = False
    left[np.searchsorted(rows, filling.offers)] = False
    score[rows[left]] = volume.adds()[left]
    return taken


def _in_turns(shares: list[_Ints], rows: _Ints, filling: Filling) -> Iterator[int]:
    """Yield the first choice of each part, then the second, as rows of the pool, until the budget is full."""
    for turn in zip_longest(*(rows[share].tolist() for share in shares)):
        for row in turn:
            if filling.full:
                return
            if row is not None and filling.open[row]:
                yield row
