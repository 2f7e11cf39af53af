"""What each candidate would add to a growing set, where the matrix of similarities is too large to be held.

The same state as `tamis.select.gain.represent.Represented`, and the same gains to the last bit: but the rows that a
step needs are computed when it needs them, and forgotten. A record improves a handful of times, so all picks cost
a handful of matrices in products, and the memory of the vectors as float32 and a few tiles.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.select.gain.represent import MOST, lower
from tamis.vectors.products import LANES, products
from tamis.vectors.similarity import UNIT, Space, rectangle
from tamis.vectors.tiles import TILE

__all__ = ["Anew"]

_Singles = NDArray[np.float32]


class Anew:
    """A set that grows over the `n` rows of a space, which are its candidates; use it in a `with` block.

    With `of` it is those rows that are represented, by candidates of `space`. With `most` a row counts a
    similarity up to that.

    Attributes
    ----------
    best : uint16 array of shape (m,)
        Similarity of each row that is represented to the set.
    gains : int64 array of shape (n,)
        What the sum of `best` would grow by with each row, in units of 1/65,535.
    updates : int
        Similarities that were looked at.
    """

    unit = UNIT

    def __init__(
        self,
        space: Space,
        best: NDArray[np.uint16],
        engine: Local,
        *,
        of: Space | None = None,
        most: NDArray[np.uint16] | None = None,
    ) -> None:
        self.space, self.of, self.engine = space, space if of is None else of, engine
        self.best = best.copy()
        self.most = np.full(len(best), UNIT, np.uint16) if most is None else most
        self.gains = np.zeros(len(space), np.int64)
        self.updates = 0
        tiles = range(len(space.tiles))
        self._spans = [space.tiles.span(j) for j in tiles]
        self._packed = [space.packed(np.arange(*span)) for span in self._spans]
        self._shares = [np.arange(part, len(self._spans), engine.threads) for part in range(engine.threads)]
        self._pool = ThreadPoolExecutor(engine.threads, thread_name_prefix="tamis")
        # The gains of the set as it is are what they lose when every row is represented perfectly.
        rows = np.arange(len(best)) if most is None else np.flatnonzero(self.best < self.most)
        self._change(rows, self.best[rows], self.most[rows] - self.best[rows], -1)

    def __enter__(self) -> Anew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def add(self, candidate: int) -> None:
        """Take a candidate: rows it represents better count from it, and gains fall."""
        found = np.minimum(self._column(candidate), self.most)
        rows = np.flatnonzero(found > self.best)
        old = self.best[rows]
        self.best[rows] = found[rows]
        self._change(rows, old, self.best[rows] - old, 1)

    def _column(self, candidate: int) -> NDArray[np.uint16]:
        """Return the similarities of a candidate to the rows that are represented."""
        if self.of is not self.space:
            return np.asarray(rectangle(self.of, None, np.array([candidate]), self.engine, self.space)[:, 0])
        found = np.empty((1, len(self.best)), np.uint16)
        one, left = self.space.some(np.array([candidate]))
        for j in range(len(self._spans)):
            self._similar(j, one, left, found[:, slice(*self._spans[j])])
        return np.asarray(found[0])

    def _change(self, rows: NDArray[np.int64], old: NDArray[np.uint16], width: NDArray[np.uint16], sign: int) -> None:
        """Lower (raise) all gains by what `rows` lose that were at `old` and are `width` higher; a tile at a time."""
        for start in range(0, len(rows), TILE):
            part = slice(start, start + TILE)
            a, left = self.of.some(rows[part])

            def share(tiles: NDArray[np.int64], a: _Singles = a, left: _Singles = left, part: slice = part) -> None:
                for j in tiles:
                    first, last = self._spans[j]
                    block = np.empty((len(left), last - first), np.uint16)
                    self._similar(j, a, left, block)
                    every = np.arange(len(left))
                    lower(block, every, old[part], width[part], 0, last - first, sign, MOST, self.gains[first:last])

            list(self._pool.map(share, self._shares))
        self.updates += len(rows) * len(self.gains)

    def _similar(self, j: int, a: _Singles, left: _Singles, out: NDArray[np.uint16]) -> None:
        """Write the similarities of some rows to those of tile `j`."""
        panels, right = self._packed[j]
        scores = np.empty((len(a), len(panels) * LANES), np.float32)
        products(a, panels, scores)
        self.space.write(scores, left, right, out)
