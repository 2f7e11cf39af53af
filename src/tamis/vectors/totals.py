"""How alike each record is to all others together: the sum of its similarities.

Sums of whole multiples of 1/65,535 (`tamis.vectors.similarity`) are exact; half of the products are computed. Where
similarities are linear in the vectors, the sum is one product with the sum of all vectors, in double precision and one
fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.products import LANES, products
from tamis.vectors.similarity import UNIT, Space
from tamis.vectors.tiles import TILE

__all__ = ["linear_totals", "sampled_totals", "totals"]

_Ints = NDArray[np.int64]


def totals(space: Space, engine: Local) -> _Ints:
    """Return the sum of the similarities of each row to all rows (`n`), itself included, in units of 1/65,535.

    O(n^2 d / 2) time, the memory of the vectors as float32.
    """
    out, tiles = np.zeros(len(space), np.int64), len(space.tiles)
    panels = [*engine.map(lambda j: space.packed(np.arange(*space.tiles.span(j))), range(tiles))]

    def one(i: int) -> _Ints:
        part = np.zeros(len(space), np.int64)
        tile = _Sums(space, i)
        start, stop = space.tiles.span(i)
        for j in range(i, tiles):
            first, last = space.tiles.span(j)
            across = tile.add(*panels[j], part[start:stop])
            if j > i:
                part[first:last] += across
        return part

    for part in engine.map(one, range(tiles)):
        out += part
    return out


def sampled_totals(space: Space, sample: _Ints, engine: Local) -> _Ints:
    """Return the sum of the similarities of each row to those of a sample (`n`), in units of 1/65,535."""
    spans = [sample[at : at + TILE] for at in range(0, len(sample), TILE)]
    panels = [*engine.map(space.packed, spans)]

    def one(i: int) -> _Ints:
        tile = _Sums(space, i)
        part = np.zeros(len(tile.left), np.int64)
        for packed, right in panels:
            tile.add(packed, right, part)
        return part

    return np.concatenate([*engine.map(one, range(len(space.tiles)))] or [np.empty(0, np.int64)])


def linear_totals(space: Space, engine: Local) -> NDArray[np.float64]:
    """Return the sum of each row's similarities to all rows (`n`), in units of 1/65,535, where it takes no matrix.

    For "cosine" negative cosines count as they are; "euclidean" as `Space` has it. O(n d).
    """
    total = np.zeros(space.tiles.width)
    spread = 0.0
    for i in range(len(space.tiles)):
        block, left = space.tile(i)
        total += block[: len(left)].sum(axis=0, dtype=np.float64)
        spread += float(left.sum(dtype=np.float64))
    out = np.empty(len(space))

    def one(i: int) -> None:
        block, left = space.tile(i)
        start, stop = space.tiles.span(i)
        _products(block, total, out[start:stop])
        if not space.cosine:
            apart = spread + len(space) * left.astype(np.float64) - 2 * out[start:stop]
            out[start:stop] = len(space) - apart * float(space.scale)

    for _ in engine.map(one, range(len(space.tiles))):
        pass
    return out * UNIT


class _Sums:
    """Sums of the similarities of a tile's rows to those of others; its arrays serve for one after the other."""

    def __init__(self, space: Space, i: int) -> None:
        self.space = space
        self.rows, self.left = space.tile(i)
        self.scores = np.empty(TILE * TILE, np.float32)
        self.found = np.empty(len(self.left) * TILE, np.uint16)
        self.across = np.empty(TILE, np.int32)

    def add(self, packed: NDArray[np.float32], right: NDArray[np.float32], sums: _Ints) -> NDArray[np.int32]:
        """Add each row's sum over some other rows to `sums`; return the sum of each of these over the tile."""
        m, width = len(self.rows), len(packed) * LANES
        scores = self.scores[: m * width].reshape(m, width)
        products(self.rows, packed, scores)
        found = self.found[: len(self.left) * len(right)].reshape(len(self.left), len(right))
        self.space.write(scores, self.left, right, found)
        _add_sums(found, sums, self.across)
        return self.across[: len(right)]


@njit(nogil=True, cache=True)
def _add_sums(block: NDArray[np.uint16], rows: _Ints, columns: NDArray[np.int32]) -> None:
    """Add the sum of each row of a block to `rows`, and write those of its columns; it has a tile of them at most."""
    columns[:] = 0
    for i in range(block.shape[0]):
        total = np.int32(0)
        for j in range(block.shape[1]):
            number = np.int32(block[i, j])
            total += number
            columns[j] += number
        rows[i] += np.int64(total)


@njit(nogil=True, cache=True)
def _products(block: NDArray[np.float32], total: NDArray[np.float64], out: NDArray[Any]) -> None:
    """Write the products of rows with one vector: eight sums side by side, always in the same order."""
    width = block.shape[1]
    whole = width - width % 8
    sums = np.empty(8)
    for i in range(len(out)):
        sums[:] = 0.0
        for k in range(0, whole, 8):
            for lane in range(8):
                sums[lane] += np.float64(block[i, k + lane]) * total[k + lane]
        found = 0.0
        for lane in range(8):
            found += sums[lane]
        for k in range(whole, width):
            found += np.float64(block[i, k]) * total[k]
        out[i] = found
