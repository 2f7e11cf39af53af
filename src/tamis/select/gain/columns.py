"""Similarities of all records to one record at a time, for methods that need a few of the many columns.

A product with one record costs as much as one with sixteen, as it is bound by reading the vectors. So
sixteen columns are computed at a time: the one that is wanted, and those of the records that are likely to
be wanted next. Which these are changes no number, only how often vectors are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.similarity import Space
from tamis.vectors.tiles import TILE

__all__ = ["HELD", "Columns", "farthest"]

HELD = 1 << 30
"""Bytes up to which the vectors are held as float32."""

_Ints = NDArray[np.int64]


class Columns:
    """Distances of the `n` rows of a `Space` to one row: 1 - cosine, or the squared Euclidean distance.

    Attributes
    ----------
    asked, computed : int
        Columns that were asked for, and those that were computed.
    """

    def __init__(self, space: Space, engine: Local, held: int = HELD) -> None:
        self.space, self.engine = space, engine
        self.asked = self.computed = 0
        self._known: dict[int, int] = {}
        self._columns = np.empty((len(space), LANES), np.float32)
        size = 4 * len(space) * space.tiles.width
        # Turned into float32 and scaled once where there is room, else for every product.
        self._tiles = [*engine.map(space.tile, range(len(space.tiles)))] if size <= held else None

    def _tile(self, i: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.space.tile(i) if self._tiles is None else self._tiles[i]

    def of(self, row: int, likely: Callable[[], _Ints]) -> NDArray[np.float32]:
        """Return the distances to `row`; `likely` names rows that may be next, the likeliest first."""
        self.asked += 1
        if row not in self._known:
            others = [int(other) for other in likely()[:LANES] if other != row]
            rows = np.array([row, *others[: LANES - 1]], np.int64)
            self._fill(*self.space.packed(rows))
            self._known = {int(one): at for at, one in enumerate(rows)}
            self.computed += len(rows)
        return self._columns[:, self._known[row]]

    def to_nearest(self, chosen: _Ints) -> NDArray[np.float64]:
        """Return the distance of each row to the nearest of those chosen, 0 for these.

        Which is nearest is found in single precision, up to its rounding; the distance to it is then computed
        from the differences in double precision, so that it is exact also where it is small.
        """
        apart, near = np.full(len(self.space), np.inf, np.float32), np.zeros(len(self.space), np.int64)
        for at, row in enumerate(chosen.tolist()):
            _closer(self.of(row, lambda at=at: chosen[at + 1 :]), row, apart, near)  # type: ignore[misc]
        out = np.empty(len(self.space))

        def one(i: int) -> None:
            start, stop = self.space.tiles.span(i)
            _differences(self._tile(i)[0], self.space.some(near[start:stop])[0], self.space.cosine, out[start:stop])

        for _ in self.engine.map(one, range(len(self.space.tiles))):
            pass
        out[chosen] = 0
        return out

    def to_mean(self) -> NDArray[np.float32]:
        """Return the distances to the mean of all rows."""
        total = np.zeros(self.space.tiles.width)
        for i in range(len(self.space.tiles)):
            start, stop = self.space.tiles.span(i)
            total += self._tile(i)[0][: stop - start].sum(axis=0, dtype=np.float64)
        mean = (total / max(len(self.space), 1)).astype(np.float32)[None]
        if self.space.cosine:
            mean /= max(math.sqrt(math.fsum(mean[0].astype(np.float64) ** 2)), 1e-30)
        self._fill(pack(mean), np.sum(mean.astype(np.float64) ** 2, axis=1).astype(np.float32))
        self._known = {}
        self.asked += 1
        self.computed += 1
        return self._columns[:, 0].copy()

    def _fill(self, packed: NDArray[np.float32], right: NDArray[np.float32]) -> None:
        def one(i: int) -> None:
            a, left = self._tile(i)
            start, stop = self.space.tiles.span(i)
            scores = np.empty((TILE, LANES), np.float32)
            products(a, packed, scores)
            _distances(scores, left, right, self.space.cosine, self._columns[start:stop])

        for _ in self.engine.map(one, range(len(self.space.tiles))):
            pass


def farthest(value: NDArray[np.float32], open_: NDArray[np.bool_]) -> Callable[[], _Ints]:
    """Return what names the open rows of the highest values, highest first."""

    def likely() -> _Ints:
        rows = np.flatnonzero(open_)
        if len(rows) > LANES:
            rows = rows[np.argpartition(-value[rows], LANES - 1)[:LANES]]
        return np.asarray(rows[np.argsort(-value[rows], kind="stable")], np.int64)

    return likely


@njit(nogil=True, cache=True)
def _closer(column, row, apart, near):  # type: ignore[no-untyped-def]
    for i in range(len(apart)):
        if column[i] < apart[i]:
            apart[i], near[i] = column[i], row


@njit(nogil=True, cache=True)
def _differences(block, other, cosine, out):  # type: ignore[no-untyped-def]
    """Write the squared distances of rows of `block` to those of `other`; half of it is 1 - cosine for unit rows."""
    for i in range(len(out)):
        total = 0.0
        for j in range(block.shape[1]):
            apart = np.float64(block[i, j]) - np.float64(other[i, j])
            total += apart * apart
        out[i] = total / 2 if cosine else total


@njit(nogil=True, cache=True)
def _distances(scores, left, right, cosine, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(len(right)):
            if cosine:
                out[i, j] = max(np.float32(1) - scores[i, j], np.float32(0))
            else:
                apart = min(left[i], right[j]) + max(left[i], right[j]) - np.float32(2) * scores[i, j]
                out[i, j] = max(apart, np.float32(0))
