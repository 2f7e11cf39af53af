"""Records visited in an order, in only if they are unlike all that are in: blocks of cosines, one engine.

A block of records is compared with those that are in, and its records with one another; then it is walked down.
What is refused by the budget is not in, and so keeps nothing else out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.select.budget.filling import Filling
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles

__all__ = ["BLOCK", "Apart"]

_Ints = NDArray[np.int64]
BLOCK = TILE // 2
"""Records of a block, at most."""


class Apart:
    """Records visited block by block: those that are in, and for each that is kept out its neighbour.

    `x` are vectors (`n x d`, none in use all zeros); a record stays out above a cosine of `tau`, none where it is 1.

    Attributes
    ----------
    neighbour : int64 array of shape (n,)
        The most similar record that is in, of one that is kept out; else -1.
    cosine : float64 array of shape (n,)
        To it.
    computed : int
        Cosines computed.
    """

    def __init__(self, x: NDArray[Any], tau: float) -> None:
        self.tiles, self.tau, self.filters = Tiles(x, unit=True), np.float32(tau), tau < 1
        self.neighbour, self.cosine = np.full(len(x), -1, np.int64), np.full(len(x), np.nan)
        self.computed = 0
        self._in: list[tuple[_Ints, NDArray[np.float32]]] = []
        self._engine = Local()

    def add(self, rows: _Ints) -> None:
        """Put rows in, whatever they are like."""
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            if self._in and len(self._in[-1][0]) + len(part) <= BLOCK:
                part = np.concatenate([self._in.pop()[0], part])
            self._in.append((part, pack(self.tiles.take(part, LANES))))

    def block(self, rows: _Ints, filling: Filling) -> None:
        """Offer the rows that are unlike all that are in, in their order, until the budget is full."""
        if not self.filters:
            for row in rows.tolist():
                if filling.open[row]:
                    filling.offer(row)
            return
        if not len(rows):
            return
        near, cosine = np.full(len(rows), -1, np.int64), np.full(len(rows), -1.0, np.float32)
        part = self.tiles.take(rows, 6 * LANES)
        for found, best in self._engine.map(lambda one: _most_alike(part, len(rows), *one), self._in):
            better = best > cosine
            near[better], cosine[better] = found[better], best[better]
        scores = np.empty((len(part), len(part)), np.float32)
        products(part, pack(part), scores)
        self.computed += len(rows) * (sum(len(names) for names, _ in self._in) + len(rows))
        taken, at = [], _next(cosine, self.tau, 0)
        while at < len(rows) and not filling.full:
            row = int(rows[at])
            if filling.open[row] and filling.offer(row):
                taken.append(row)
                _raise(scores, at, row, near, cosine)
            at = _next(cosine, self.tau, at + 1)
        out = np.flatnonzero((cosine > self.tau) & (np.arange(len(rows)) < at))
        self.neighbour[rows[out]], self.cosine[rows[out]] = near[out], cosine[out]
        self.add(np.array(taken, np.int64))


def _most_alike(
    part: NDArray[np.float32], count: int, names: _Ints, panels: NDArray[np.float32]
) -> tuple[_Ints, NDArray[np.float32]]:
    """Return for the first `count` rows of `part` the most similar of those packed, and the cosine."""
    scores = np.empty((len(part), len(panels) * LANES), np.float32)
    products(part, panels, scores)
    inside = scores[:count, : len(names)]
    best = inside.argmax(axis=1)
    return names[best], inside[np.arange(count), best]


@njit(nogil=True, cache=True)
def _next(cosine, tau, start):  # type: ignore[no-untyped-def]
    """Return the first row from `start` on that is not above `tau`; the number of rows if none is."""
    at = start
    while at < len(cosine) and cosine[at] > tau:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _raise(scores, at, row, near, cosine):  # type: ignore[no-untyped-def]
    """Let the rows after `at` know of it, called `row`."""
    for j in range(at + 1, len(cosine)):
        if scores[j, at] > cosine[j]:
            cosine[j], near[j] = scores[j, at], row
