"""How well a growing set represents records: a matrix of similarities, and what each candidate would add.

The state of greedy facility location. `best` holds each record's similarity to the set, `gains` what the
sum of `best` would grow by with each candidate. When one is taken, only the records that it represents
better than before change anything; so gains are lowered by those rows alone instead of being computed
anew. A record improves about log k times, so k picks cost O(n c log k) for n records and c candidates,
where evaluating every gain costs O(n c k), and lazy evaluation what the data makes of it. The picks are
those of plain greedy.

Similarities are kept as whole multiples of 1/65,535 (2 bytes), those of a matrix that is given as whole
multiples of 1/4,194,304 of its range (4 bytes). So sums are exact: gains do not depend on the order of
the additions, on threads or on blocks.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Protocol, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError
from tamis.vectors.similarity import UNIT
from tamis.vectors.tiles import TILE

__all__ = [
    "MOST",
    "STEPS",
    "Lowered",
    "Represented",
    "State",
    "bounds",
    "in_steps",
    "lower",
    "similarities",
]

STEPS: Final = 1 << 22
"""The range of a matrix that is given."""

MOST: Final = 32_000
"""Similarities of 1 that 32 bits hold the sum of."""

_COLUMNS = 2048  # a block of candidates: their sums and a piece of a row stay in the nearest cache
_SHARED = 400_000  # numbers of a step from which threads share it


def bounds(given: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the largest number of a matrix; NaN for both where there is one."""
    starts = range(0, len(given), TILE)
    found = [*Local().map(lambda start: _bounds(given[start : start + TILE]), starts)]
    return float(np.min([low for low, _ in found])), float(np.max([high for _, high in found]))


def similarities(given: Any) -> tuple[NDArray[Any], float, float]:
    """Return a matrix of similarities that is given (`n x n`), its least and its largest number; 0 for none.

    Raises InputError where it is not square, or a number is negative or not finite.
    """
    array = np.asarray(given)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "fiu":
        raise InputError(f"similarity: expected n x n numbers, got {array.dtype} of shape {array.shape}.")
    low, high = bounds(array) if len(array) else (0.0, 0.0)
    if not (low >= 0 and math.isfinite(high)):
        raise InputError("similarity: expected finite numbers of at least 0, got others. Shift or clip them first.")
    return array, low, high


def in_steps(given: NDArray[Any], low: float, step: float) -> NDArray[np.int32]:
    """Return a matrix of numbers from `low` as whole multiples of `step`."""
    out = np.empty(given.shape, np.int32)

    def one(start: int) -> None:
        _in_steps(given[start : start + TILE], low, 1.0 / step, out[start : start + TILE])

    for _ in Local().map(one, range(0, len(given), TILE)):
        pass
    return out


class State(Protocol):
    """A growing set, as a choice sees it: see `Represented`."""

    unit: int
    updates: int

    @property
    def best(self) -> NDArray[Any]:
        """What each record counts for."""

    @property
    def gains(self) -> NDArray[np.int64]:
        """What the objective would grow by with each candidate."""

    def add(self, candidate: int) -> None:
        """Take a candidate."""

    def __enter__(self) -> State: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lowered:
    """What `c` candidates would add to a set over `n` records, lowered row by row; close it, or use it in `with`.

    Attributes
    ----------
    matrix : array of shape (n, c)
        Similarities, uint16 or int32.
    gains : int64 array of shape (c,)
        What the objective would grow by with each candidate, in units of the matrix; 0 at first.
    unit : int
        How many of those are a similarity of 1; 1 for a matrix that is given, which has steps of its own.
    top : int
        The largest similarity there may be.
    updates : int
        Similarities that were looked at.
    """

    def __init__(self, matrix: NDArray[Any], threads: int = 1) -> None:
        self.matrix = matrix
        small = matrix.dtype == np.uint16
        self.gains = np.zeros(matrix.shape[1], np.int64)
        self.updates = matrix.size
        self.unit = UNIT if small else 1
        self.top = UNIT if small else STEPS
        self._most = MOST if small else 500  # as many of the largest similarity as 32 bits hold
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tamis") if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def change(self, rows: NDArray[np.int64], old: NDArray[Any], width: NDArray[Any], sign: int) -> None:
        """Lower (raise) all gains by what of `rows` of the matrix lies between `old` and `old + width`."""
        if not len(rows):
            return
        total = self.matrix.shape[1]
        spans = [(start, min(total, start + _COLUMNS)) for start in range(0, total, _COLUMNS)]

        def some(span: tuple[int, int]) -> None:
            lower(self.matrix, rows, old, width, span[0], span[1], sign, self._most, self.gains)

        if self._pool is not None and len(rows) * total > _SHARED:
            list(self._pool.map(some, spans))
            return
        for span in spans:
            some(span)


class Represented(Lowered):
    """A set that grows over `n` records and `c` candidates; close it, or use it in a `with` block.

    Attributes
    ----------
    best : array of shape (n,)
        Similarity of each record to the set; the matrix's type (uint16 or int32), 0 at first.
    gains : int64 array of shape (c,)
        What the sum of `best` would grow by with each candidate, in units of the matrix.
    """

    def __init__(self, matrix: NDArray[Any], best: NDArray[Any] | None = None, threads: int = 1) -> None:
        super().__init__(matrix, threads)
        n = len(matrix)
        self.best = np.zeros(n, matrix.dtype) if best is None else best.astype(matrix.dtype)
        self._rows, self._old = np.empty(n, np.int64), np.empty(n, matrix.dtype)
        self._width = np.empty(n, matrix.dtype)
        # The gains of the empty set are what it loses when every record is represented perfectly.
        self.change(np.arange(n), self.best, np.full(n, self.top, matrix.dtype), -1)

    def add(self, candidate: int) -> None:
        """Take a candidate: records it represents better count from it, and gains fall."""
        count = _improved(self.matrix, candidate, self.best, self._rows, self._old, self._width)
        self.change(self._rows[:count], self._old[:count], self._width[:count], 1)
        self.updates += count * self.matrix.shape[1]


@njit(nogil=True, cache=True)
def _bounds(given):  # type: ignore[no-untyped-def]
    low, high = given[0, 0], given[0, 0]
    sound = True
    for i in range(given.shape[0]):
        for j in range(given.shape[1]):
            low, high = min(low, given[i, j]), max(high, given[i, j])
            sound &= given[i, j] == given[i, j]
    return (np.float64(low), np.float64(high)) if sound else (np.nan, np.nan)


@njit(nogil=True, cache=True)
def _in_steps(given, low, scale, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.int32((np.float64(given[i, j]) - low) * scale + 0.5)


@njit(nogil=True, cache=True)
def _improved(matrix, c, best, rows, old, width):  # type: ignore[no-untyped-def]
    """Raise `best` to candidate `c`; write which rows rose, from where, by how much; return how many."""
    count = 0
    for i in range(len(best)):
        found = matrix[i, c]
        if found > best[i]:
            rows[count], old[count], width[count] = i, best[i], found - best[i]
            best[i] = found
            count += 1
    return count


@njit(nogil=True, cache=True)
def lower(matrix, rows, old, width, start, stop, sign, most, gains):  # type: ignore[no-untyped-def]
    """Subtract from `gains[start:stop]` what of `matrix[rows]` lies between `old` and `old + width`."""
    sums = np.zeros(stop - start, np.int32)
    held = 0
    for r in range(len(rows)):
        low, span = np.int32(old[r]), np.int32(width[r])
        row = matrix[rows[r], start:stop]
        for j in range(len(sums)):
            sums[j] += min(max(np.int32(row[j]) - low, np.int32(0)), span)
        held += 1
        if held == most:
            for j in range(len(sums)):
                gains[start + j] -= sign * np.int64(sums[j])
                sums[j] = 0
            held = 0
    for j in range(len(sums)):
        gains[start + j] -= sign * np.int64(sums[j])
