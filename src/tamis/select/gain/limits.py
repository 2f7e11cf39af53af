"""How far a growing set covers records, each up to a limit: the state of saturated coverage, and what it is in parts.

A record is covered by its similarities to the set, added up; what lies above its limit counts for nothing. Ours: a pick
changes only the gains from records that are covered up to less than one similarity before their limit is reached, so
gains are lowered by those rows of the matrix and never evaluated again (`gain.represent.Lowered`).

Limits are shares of a record's similarities to the whole pool, added up, also where parts and samples choose; sums over
a pool that is too large are those over a sample, scaled up.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.hashing import salt, uniforms
from tamis.select.gain.plans import PROPOSED, Work
from tamis.select.gain.represent import Lowered
from tamis.vectors.similarity import UNIT, rectangle, square
from tamis.vectors.similarity import totals as totals_to
from tamis.vectors.tiles import TILE
from tamis.vectors.totals import sampled_totals, totals

__all__ = ["EXACT", "SAMPLE", "Covered", "Covering", "row_sums"]

_Ints = NDArray[np.int64]
EXACT: Final = 100_000
"""Records up to which all similarities are added up."""

SAMPLE: Final = 10_000
"""Records whose similarities stand for those of more."""

_AT_ONCE = 64  # columns of must-keep records


class Covered(Lowered):
    """A set that grows over `n` records and `c` candidates; close it, or use it in a `with` block.

    Attributes
    ----------
    room : int64 array of shape (n,)
        What is left of each record's limit, in units of the matrix.
    gains : int64 array of shape (c,)
        What each candidate would add, in those units.
    """

    def __init__(self, matrix: NDArray[Any], room: _Ints, threads: int = 1, *, symmetric: bool = False) -> None:
        """Take the matrix and what is left of each record's limit (copied); `symmetric`: a row is a column, too."""
        super().__init__(matrix, threads)
        self.symmetric = symmetric
        self._first = room
        self.room = room.copy()
        n, kind = len(matrix), matrix.dtype
        self._rows, self._low, self._width = np.empty(n, np.int64), np.empty(n, kind), np.empty(n, kind)
        # The gains of the empty set are what lies between nothing and all the room of each record.
        self.change(np.arange(n), np.zeros(n, kind), np.minimum(room, self.top).astype(kind), -1)

    @property
    def best(self) -> _Ints:
        """What each record was covered by since the beginning."""
        return self._first - self.room

    def add(self, candidate: int) -> None:
        """Take a candidate: the room of each record falls, and so do gains where it is less than a similarity."""
        column = self.matrix[candidate] if self.symmetric else self.matrix[:, candidate]
        count = _covered(column, self.room, self.top, self._rows, self._low, self._width)
        self.change(self._rows[:count], self._low[:count], self._width[:count], 1)
        self.updates += count * self.matrix.shape[1]


class Covering(Work):
    """A pool's records, each covered up to a share `alpha` of its similarities to all of them.

    Attributes
    ----------
    limit : int64 array of shape (m,)
        In units of 1/65,535.
    told : dict
        By how many records limits were set, where not by all.
    """

    def __init__(self, *work: Any, alpha: float, seed: int, **options: Any) -> None:
        super().__init__(*work, purpose="saturated", **options)
        self.alpha, self.seed = alpha, seed
        self.limit = self._room = np.zeros(0, np.int64)
        self._added = np.zeros(len(self.kept))
        self.told: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        """Choose with the similarities of all to all."""
        matrix = square(self.space, self.engine)
        self._limited(row_sums(matrix, self.engine))
        with self.held(matrix, self.standing(), symmetric=True) as state:
            told = self._exactly(state)
        self.score[self.rows[self.kept]] = self._added
        return told

    def in_parts(self, memory: int, seed: int) -> dict[str, Any]:
        """Choose among what parts propose, or from one after the other, by limits over the whole pool."""
        told = super().in_parts(memory, seed)
        self.score[self.rows[self.kept]] = self._added
        return told

    def standing(self, rows: _Ints | None = None, chosen: _Ints | None = None) -> _Ints:
        """Return what is left of the limit of rows (None: all) with the must-keep records in, or those `chosen`."""
        if len(self.limit) < len(self.rows):
            self._limited(self._totals())
        every = slice(None) if rows is None else rows
        if chosen is None:
            return np.asarray(self._room[every].copy())
        return np.asarray(np.maximum(self.limit[every] - self._by(rows, chosen), 0))

    def held(
        self,
        matrix: NDArray[np.uint16],
        standing: NDArray[Any],
        rows: _Ints | None = None,  # noqa: ARG002
        *,
        symmetric: bool = False,
    ) -> Covered:
        """Return the state of a choice by the similarities of rows to candidates; `symmetric`: to those rows."""
        return Covered(matrix, standing, self.engine.threads, symmetric=symmetric)

    def moved(self, standing: NDArray[Any], column: NDArray[np.uint16]) -> None:
        """Take a record's similarities to all off what is left."""
        np.maximum(standing - column, 0, out=standing)

    def proposing(self, part: _Ints, matrix: NDArray[np.uint16]) -> _Ints:
        """Return limits by the part alone, for as many records as it proposes; less what is covered already."""
        left = self.standing(part) / np.maximum(self.limit[part], 1)
        alpha = min(1.0, PROPOSED * self.alpha)
        return np.asarray(np.floor(alpha * left * row_sums(matrix, self.engine)).astype(np.int64))

    def in_turn(self, part: _Ints, chosen: _Ints, first: int, reached: float) -> _Ints:
        """Return what is left of the share of the limits that is `reached` with this part's share."""
        left = self.standing(part, chosen[:first])
        given = self._by(part, chosen[first:])
        return np.asarray(np.maximum(np.floor(reached * left).astype(np.int64) - given, 0))

    def least(self) -> int:
        """Return what the states begin with: that which the must-keep records cover is not in them."""
        return -int((self.limit - self._room).sum())

    def _by(self, rows: _Ints | None, chosen: _Ints) -> _Ints:
        """Return the similarities of rows (None: of all) to those chosen, added up."""
        space = self.space if rows is None else self.space.part(rows)
        return totals_to(space, self.engine, self.space.part(chosen))

    def _totals(self) -> _Ints | NDArray[np.float64]:
        """Return the similarities of each record to all, added up; for a large pool, by a sample."""
        m = len(self.rows)
        if m <= EXACT:
            self.looked += m * m
            return totals(self.space, self.engine)
        number = uniforms(self.keys, salt(self.seed, "saturated: limits"))
        some = np.sort(np.argsort(number, kind="stable")[:SAMPLE])
        self.told["limits_by"] = len(some)
        self.looked += m * len(some)
        return np.asarray(sampled_totals(self.space, some, self.engine) * (m / len(some)), np.float64)

    def _limited(self, sums: NDArray[Any]) -> None:
        """Set the limits, and let the must-keep records cover, one after the other: their scores are what each adds."""
        self.limit = np.floor(self.alpha * sums).astype(np.int64)
        self._room = self.limit.copy()
        for start in range(0, len(self.kept), _AT_ONCE):
            found = rectangle(self.space, None, self.kept[start : start + _AT_ONCE], self.engine)
            for at in range(found.shape[1]):
                self._added[start + at] = np.minimum(found[:, at], self._room).sum() / UNIT
                self.moved(self._room, found[:, at])
        self.score[self.rows[self.kept]] = self._added


def row_sums(matrix: NDArray[Any], engine: Local) -> _Ints:
    """Return the sum of each row of a matrix of whole numbers (`n x c`), on all threads."""
    out = np.empty(len(matrix), np.int64)

    def one(start: int) -> None:
        out[start : start + TILE] = matrix[start : start + TILE].sum(axis=1, dtype=np.int64)

    for _ in engine.map(one, range(0, len(matrix), TILE)):
        pass
    return out


@njit(nogil=True, cache=True)
def _covered(column, room, top, rows, low, width):  # type: ignore[no-untyped-def]
    """Take a column off the room; write the rows with less than `top` left, their room after, and by how much it fell.

    What lies above `top` counts for no similarity, and is left out. Return how many.
    """
    count = 0
    for i in range(len(room)):
        before = room[i]
        after = max(before - np.int64(column[i]), np.int64(0))
        room[i] = after
        if after < min(before, np.int64(top)):
            rows[count], low[count], width[count] = i, after, min(before, np.int64(top)) - after
            count += 1
    return count
