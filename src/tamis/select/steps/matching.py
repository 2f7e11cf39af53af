"""A set of rows that is brought near to the mean embedding of all: what methods that match a distribution share.

A set changes by a row at a time: one more, or one for another. What orders the rows is the discrepancy (MMD) of the
set with each of them; it needs the sum of the kernel of every row with the set, which is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.base import Chosen, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.given.embedded import Embedded
from tamis.select.steps.embedding import KERNELS, REFERENCE, TOGETHER, Embedding

__all__ = ["Matched", "Matching", "options"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


class Matched:
    """A set of the `n` rows of an `Embedding`.

    Attributes
    ----------
    rows : list of int
        In the order in which they came.
    total : float64 array of shape (n,)
        The sum of the kernel of each row with those of the set.
    """

    def __init__(self, found: Embedding, rows: _Ints) -> None:
        self.found, self.rows, self.total = found, rows.tolist(), found.total(rows)

    def copy(self) -> Matched:
        """Return the set as another, which may change for itself."""
        out = copy(self)
        out.rows, out.total = [*self.rows], self.total.copy()
        return out

    def value(self, row: int | slice = slice(None)) -> Any:
        """Return the mean kernel of each row, or of one, less total / (rows in the set + 1): as herding orders them."""
        return self.found.mean[row] - self.total[row] / (len(self.rows) + 1)

    def best(self, free: _Mask, size: int, own: float) -> int:
        """Return the free row of the largest mean less (total + `own` x its kernel with itself) / `size`; -1: none.

        With `own` of 1/2 that is the row with which a set of that size is nearest. Ties: the lower row.
        """
        return int(_best(self.found.mean, self.total, self.found.diagonal, free, size, own))

    def add(self, row: int) -> None:
        """Take one more. O(n d)."""
        self.total += self.found.column(row)
        self.rows.append(row)

    def extend(self, rows: _Ints) -> None:
        """Take some more. O(n d) for each."""
        self.total = self.total + self.found.total(rows)
        self.rows += rows.tolist()

    def exchange(self, first: int, free: _Mask) -> None:
        """Exchange the rows from place `first` on, in turn, for the free one with which the set is nearest, if any is.

        `free` (`n`) is kept up to date. O(n d) for each.
        """
        size = len(self.rows)
        for start in range(first, size, TOGETHER):
            those = self.rows[start : start + TOGETHER]  # known ahead: their columns are computed at once
            for at, (row, column) in enumerate(zip(those, self.found.columns(np.array(those)), strict=True), start):
                self.total -= column
                free[row] = True
                other = self.best(free, size, 0.5)
                if other != row and not self._worth(other, size) > self._worth(row, size):
                    other = row
                free[other] = False
                self.rows[at] = other
                self.total += column if other == row else self.found.column(other)

    def _worth(self, row: int, size: int) -> float:
        found = self.found
        return float(found.mean[row] - (self.total[row] + 0.5 * found.diagonal[row]) / size)

    def facts(self, chosen: _Ints) -> dict[str, float]:
        """Return the facts of `chosen` (ascending), which is this set as a rule."""
        same = len(chosen) == len(self.rows) and np.isin(chosen, self.rows).all()
        return self.found.facts(chosen, self.total if same else None)


def options(kernel: str) -> tuple[Parameter, ...]:
    """Return the options that say what is matched, with the kernel that is usual."""
    return (
        Parameter("kernel", str, kernel, "how alike two vectors are", KERNELS),
        Parameter("gamma", float, None, "rbf: exp(-gamma d^2); default 1 / the mean d^2 of two records", low=1e-30),
        Parameter("reference", int, REFERENCE, "rbf: the mean is over all records, or over so many drawn ones", low=1),
    )


class Matching(Greedy):
    """A method that brings the mean embedding of the chosen near to that of the pool."""

    kernel: str
    gamma: float | None
    reference: int
    _evaluated = 0
    _found: tuple[Embedded, Matched] | None = None

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def operations(self) -> int:
        """Return how many kernel values the last choice computed."""
        return self._evaluated

    def embedded(self, x: NDArray[Any], keys: NDArray[np.uint64]) -> Embedding:
        """Return the kernel of the options over vectors (`n x d`) with keys (`n x 2`)."""
        return Embedding(x, self.kernel, self.gamma, keys, self.reference)

    @abstractmethod
    def matched(self, found: Embedded, those: Matched, filling: Filling, seed: int) -> tuple[_Floats, str]:
        """Offer records, take them into the set, and fill `found.score`; the must-keep records are in it.

        Returns what orders the others (`m`, the largest first), and the reason for the choice.
        """

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what the method matches with, then the others by their scores."""
        found = Embedded(pool, self.name)
        self._evaluated, self._found = 0, None
        if not len(found):
            return found.ranking(filling.order(found.rows), self.name)
        those = Matched(self.embedded(found.x, found.keys), found.among(filling.kept))
        value, reason = self.matched(found, those, filling, seed)
        self._evaluated += those.found.evaluated
        self._found = found, those
        return found.ranking(filling.order(found.rows[np.argsort(-value, kind="stable")]), reason)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Tell the discrepancy from the pool, and what as many records at random have on average."""
        if self._found is None:
            return chosen
        (found, those), self._found = self._found, None
        return replace(chosen, facts=those.facts(np.sort(found.among(chosen.rows))))


@njit(nogil=True, cache=True)
def _best(mean, total, diagonal, free, size, own):  # type: ignore[no-untyped-def]
    best, most = -1, 0.0
    for i in range(len(mean)):
        if free[i]:
            value = mean[i] - (total[i] + own * diagonal[i]) / size
            if best < 0 or value > most:
                best, most = i, value
    return best
