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
    panels = [space.packed(np.arange(*space.tiles.span(j))) for j in range(tiles)]

    def one(i: int) -> _Ints:
        part = np.zeros(len(space), np.int64)
        a, left = space.tile(i)
        start, stop = space.tiles.span(i)
        for j in range(i, tiles):
            packed, right = panels[j]
            first, last = space.tiles.span(j)
            block = _block(space, a, left, packed, right)
            part[start:stop] += block.sum(axis=1, dtype=np.int64)
            if j > i:
                part[first:last] += block.sum(axis=0, dtype=np.int64)
        return part

    for part in engine.map(one, range(tiles)):
        out += part
    return out


def sampled_totals(space: Space, sample: _Ints, engine: Local) -> _Ints:
    """Return the sum of the similarities of each row to those of a sample (`n`), in units of 1/65,535."""
    spans = [sample[at : at + TILE] for at in range(0, len(sample), TILE)]
    panels = [space.packed(span) for span in spans]

    def one(i: int) -> _Ints:
        a, left = space.tile(i)
        part = np.zeros(len(left), np.int64)
        for packed, right in panels:
            part += _block(space, a, left, packed, right).sum(axis=1, dtype=np.int64)
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


def _block(
    space: Space,
    a: NDArray[np.float32],
    left: NDArray[np.float32],
    packed: NDArray[np.float32],
    right: NDArray[np.float32],
) -> NDArray[np.uint16]:
    scores = np.empty((len(a), len(packed) * LANES), np.float32)
    products(a, packed, scores)
    out = np.empty((len(left), len(right)), np.uint16)
    space.write(scores, left, right, out)
    return out


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
