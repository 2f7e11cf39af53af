"""What each record still adds to the determinant of a kernel, as records are taken one after the other.

The state of greedy maximisation. What a record adds only falls; so it is brought up to date when it may be the
largest, and not before (lazy evaluation, Minoux 1978), by the same additions in the same order as if all were
brought up to date each time: the picks are the same, bit for bit.

For products of features, what a taken record takes from another is the square of that one's feature along one
direction: nothing is held of a record but one number. For the Gaussian kernel a row of the Cholesky factor is held
for each record that was looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.steps.determinantal import DUST, Rows, leverage
from tamis.vectors.dots import dot

__all__ = ["Residual", "spread"]

_Floats = NDArray[np.float64]
_FIRST = 8  # candidates brought up to date one by one before all that may be better are


class Residual:
    """What each of `n` records adds: `worth` plus the logarithm of what is left of its diagonal.

    Parameters
    ----------
    rows : Rows
    worth : float64 array of shape (n,)
        Logarithm of the weight of a record's diagonal.
    ridge : float
        Added to the diagonal.
    gamma : float
        Of the Gaussian kernel `exp(-gamma d^2)`; 0: the products of the features.
    most : int
        Records that will be taken, about.
    memory : int
        Bytes that the factor of the Gaussian kernel may take.
    beside : float64 array of shape (m, d), or None
        Directions that are taken from the start, for products of features: such as `volumes.covered` returns of
        examples, times a weight.

    Attributes
    ----------
    bound : float64 array of shape (n,)
        At least what the record adds; minus infinity where it is closed or adds nothing.
    looked : int
        How often a record was compared with one that was taken.

    Raises
    ------
    OptionError
        The factor does not fit.
    """

    def __init__(
        self, rows: Rows, worth: _Floats, ridge: float, gamma: float, most: int, memory: int,
        beside: _Floats | None = None,
    ) -> None:  # fmt: skip
        self.rows, self.worth, self.looked = rows, worth, 0
        self._ridge, self._gamma, self._memory = ridge, gamma, memory
        self._left = (np.ones(len(rows)) if gamma else rows.diagonal) + ridge
        self._dust = DUST * float(self._left.max(initial=0.0))
        self._chosen = np.empty((0, rows.width)) if beside is None else beside
        self._given = self._taken = len(self._chosen)
        if self._given:
            self._left = np.maximum(self._left - leverage(rows, self._chosen), 0.0)
            self.looked += len(rows) * self._given
        self._done = np.full(len(rows), self._taken, np.int64)
        self._picks, self._root, self._factor = np.empty(0, np.int64), np.empty(0), np.empty((0, 0))
        self._grow(most)
        self.bound = self.adds()
        if self._given:
            self.bound[self._left <= self._dust] = -np.inf

    def adds(self) -> _Floats:
        """Return what the records add as far as it is known, and at least what rounding would leave (`n`)."""
        return np.asarray(self.worth + np.log(np.maximum(self._left, self._dust)))

    def of(self, row: int) -> float:
        """Return what a record adds, brought up to date."""
        self._update(row)
        return float(self.worth[row] + np.log(max(self._left[row], self._dust)))

    def best(self) -> int:
        """Return the record that adds the most, the first of several; -1 if none adds anything."""
        for _ in range(_FIRST):
            row = int(np.argmax(self.bound))
            if self.bound[row] == -np.inf:
                return -1
            if self._done[row] == self._taken:
                return row
            self._update(row)
        sure = np.where(self._done == self._taken, self.bound, -np.inf)
        row = int(np.argmax(sure))
        least = float(sure[row])

        def one(i: int) -> tuple[float, int, int]:
            start, stop = self.rows.span(i)
            if not (self.bound[start:stop] >= least).any():
                return least, row, 0
            found: tuple[float, int, int] = _sweep(self.rows.block(i), start, least, row, *self._state())
            return found

        for value, at, looked in self.rows.each(one):
            self.looked += looked
            if value > least or (value == least and at < row):
                least, row = value, at
        return row if least > -np.inf else -1

    def take(self, row: int) -> None:
        """Add a record, brought up to date, to those taken; one that adds nothing changes nothing."""
        self._update(row)
        self.bound[row] = -np.inf
        if self._left[row] <= self._dust:
            return
        if self._taken == len(self._picks):
            self._grow(2 * (self._taken - self._given) + 16)
        root = np.sqrt(self._left[row])
        self._picks[self._taken], self._root[self._taken] = row, root
        if self._gamma:
            self._chosen[self._taken] = self.rows.vector(row)
        else:
            direction = self.rows.feature(row)
            _upright(direction, self._chosen, self._taken, self._ridge == 0 and not self._given)
            self._chosen[self._taken] = direction / root
        self._taken += 1

    def _update(self, row: int) -> None:
        self.looked += _sweep(self.rows.vector(row)[None], row, -np.inf, row, *self._state())[2]

    def _state(self) -> tuple[Any, ...]:
        """Return what the compiled loop reads and writes."""
        told = (self.rows.factor, self.worth, self._dust, self._gamma, self.bound, self._left, self._done)
        return *told, self._taken, self._picks, self._root, self._chosen, self._factor

    def _grow(self, most: int) -> None:
        """Make room for `most` taken records, besides the directions that were given."""
        most = self._given + min(len(self.rows), most)
        if self._gamma:
            size = 8 * most * len(self.rows)
            if size > self._memory:
                raise OptionError(
                    f"kernel 'rbf': expected a factor of at most {self._memory >> 20:,} MB, got {len(self.rows):,}"
                    f" records times {most:,} to choose: {size >> 20:,} MB. Raise it (memory=...), or take"
                    " kernel=cosine, which needs none."
                )
            # Pages of records that are never looked at are never written, and take no memory.
            self._factor = _larger(self._factor, (len(self.rows), most))
        self._picks, self._root = _larger(self._picks, (most,)), _larger(self._root, (most,))
        self._chosen = _larger(self._chosen, (most, self.rows.width))


def spread(rows: Rows) -> float:
    """Return the mean squared distance of two of the vectors, each with itself among them."""
    total = np.zeros(rows.width)
    for part in rows.each(lambda i: rows.block(i).sum(axis=0, dtype=np.float64)):
        total += part
    mean = total / max(len(rows), 1)
    return 2.0 * max(float(rows.square.mean() - (mean * mean).sum()), 0.0) if len(rows) else 0.0


def _larger(old: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array of that shape with the numbers of `old` at its beginning."""
    new = np.empty(shape, old.dtype)
    new[tuple(slice(size) for size in old.shape)] = old
    return new


@njit(nogil=True, cache=True)
def _upright(direction, chosen, taken, twice):  # type: ignore[no-untyped-def]
    """Take from a feature what lies along those before; `twice` takes away what rounding left, without a ridge."""
    width = len(direction)
    for _ in range(2 if twice else 1):
        feature = direction.copy()
        for t in range(taken):
            along = dot(feature, chosen[t], width)
            for j in range(width):
                direction[j] -= along * chosen[t, j]


@njit(nogil=True, cache=True)
def _advance(vector, i, factor, gamma, left, done, taken, picks, root, chosen, held):  # type: ignore[no-untyped-def]
    """Take from record `i` what those taken since it was last looked at take from it; return how many they were."""
    looked = taken - done[i]
    width = len(vector)
    for t in range(done[i], taken):
        if gamma > 0.0:
            apart = 0.0
            for j in range(width):
                one = np.float64(vector[j]) - chosen[t, j]
                apart += one * one
            along = (np.exp(-gamma * apart) - dot(held[picks[t]], held[i], t)) / root[t]
            held[i, t] = along
        else:
            along = factor[i] * dot(vector, chosen[t], width)
        left[i] = max(left[i] - along * along, 0.0)
    done[i] = taken
    return looked


@njit(nogil=True, cache=True)
def _sweep(  # type: ignore[no-untyped-def]
    block, start, least, best, factor, worth, dust, gamma, bound, left, done, taken, picks, root, chosen, held
):
    """Bring up to date the rows of a block that may add more than `least` (of record `best`).

    Returns what the best of them and `best` adds, which it is, and how many comparisons that took.
    """
    looked = 0
    for r in range(len(block)):
        i = start + r
        if bound[i] > least or (bound[i] == least and i < best) or len(block) == 1:
            looked += _advance(block[r], i, factor, gamma, left, done, taken, picks, root, chosen, held)
            if left[i] <= dust:
                bound[i] = -np.inf
                continue
            bound[i] = min(bound[i], worth[i] + np.log(left[i]))
            if bound[i] > least or (bound[i] == least and i < best):
                least, best = bound[i], i
    return least, best, looked
