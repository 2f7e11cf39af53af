"""Similarities between vectors: from 0 to 1, as whole multiples of 1/65,535, tile by tile on all threads.

Whole numbers make sums of them exact: they do not depend on the order of the additions, on threads or on blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles

__all__ = ["UNIT", "Space", "closest", "nearness", "objective", "rectangle", "square", "totals"]

UNIT: Final = 65_535
"""A similarity of 1."""

_Singles = NDArray[np.float32]


class Space:
    """Rows of vectors with a similarity from 0 to 1 between any two.

    "cosine": the cosine, 0 where it is negative (a record that is unlike another does not represent it, and
    must not count against it). "euclidean": 1 - d^2 / D, D four times the largest squared distance to the
    mean, so that none is negative; the choice is the same for any D that large.
    """

    def __init__(self, x: NDArray[Any], metric: str, like: Space | None = None) -> None:
        self.cosine = metric == "cosine"
        self.tiles = Tiles(x, unit=self.cosine)
        self.square = np.zeros(len(x), np.float32)
        self.mean = np.zeros(self.tiles.width, np.float32)
        self.scale = np.float32(1.0)
        if like is not None:
            self.mean, self.scale = like.mean, like.scale
        elif not self.cosine and len(x):
            total = np.zeros(self.tiles.width)
            for i in range(len(self.tiles)):
                total += self.tiles.tile(i).sum(axis=0, dtype=np.float64)
            self.mean = (total / len(x)).astype(np.float32)
            self._measure()
            self.scale = np.float32(1.0 / max(4.0 * float(self.square.max()), 1e-30))

    def __len__(self) -> int:
        return len(self.square)

    def _measure(self) -> None:
        for i in range(len(self.tiles)):
            start, stop = self.tiles.span(i)
            self.square[start:stop] = _squares(self._rows(self.tiles.tile(i)))[: stop - start]

    def other(self, x: NDArray[Any]) -> Space:
        """Return other vectors (`q x d`), alike to these rows by the same measure; 0 where they are farther."""
        other = Space(x, "cosine" if self.cosine else "euclidean", self)
        if not self.cosine:
            other._measure()
        return other

    def part(self, rows: NDArray[np.int64]) -> Space:
        """Return some of the rows, alike by the same measure."""
        part = Space(self.tiles.x[rows], "cosine" if self.cosine else "euclidean", self)
        part.square = self.square[rows]
        return part

    def _rows(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        return tile if self.cosine else tile - self.mean

    def tile(self, i: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return tile `i`, filled up to `TILE` rows, and the squared lengths of its rows."""
        start, stop = self.tiles.span(i)
        return self._rows(self.tiles.tile(i)), self.square[start:stop]

    def some(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return rows, filled up to a multiple of 6, and their squared lengths."""
        return self._rows(self.tiles.take(rows)), self.square[rows]

    def packed(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return rows as panels for `products`, and their squared lengths."""
        return pack(self._rows(self.tiles.take(rows, LANES))), self.square[rows]

    def write(
        self,
        scores: NDArray[np.float32],
        left: NDArray[np.float32],
        right: NDArray[np.float32],
        out: NDArray[np.uint16],
    ) -> None:
        """Turn dot products of `len(left)` and `len(right)` rows into similarities."""
        if self.cosine:
            _cosines(scores, out)
        else:
            _euclidean(scores, left, right, self.scale, out)


def square(space: Space, engine: Local) -> NDArray[np.uint16]:
    """Return the similarities of all rows to all, `n x n`; half of the products are computed."""
    n, tiles = len(space), len(space.tiles)
    out = np.empty((n, n), np.uint16)
    panels = [space.packed(np.arange(*space.tiles.span(j))) for j in range(tiles)]

    def one(i: int) -> None:
        a, left = space.tile(i)
        start, stop = space.tiles.span(i)
        scores = np.empty((TILE, TILE), np.float32)
        for j in range(i, tiles):
            packed, right = panels[j]
            first, last = space.tiles.span(j)
            part = scores[:, : len(packed) * LANES]
            products(a, packed, part)
            space.write(part, left, right, out[start:stop, first:last])
            if j > i:
                _turned(out[start:stop, first:last], out[first:last, start:stop])

    for _ in engine.map(one, range(tiles)):
        pass
    return out


def rectangle(
    space: Space,
    rows: NDArray[np.int64] | None,
    candidates: NDArray[np.int64],
    engine: Local,
    others: Space | None = None,
) -> NDArray[np.uint16]:
    """Return the similarities of some rows (None: of all) to candidates, `n x c`: rows too, or those of `others`."""
    out = np.empty((len(space) if rows is None else len(rows), len(candidates)), np.uint16)

    def write(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:
        space.write(scores, left, right, out[n, c])

    _across(space, rows, candidates, engine, write, others)
    return out


def closest(
    space: Space,
    rows: NDArray[np.int64] | None,
    chosen: NDArray[np.int64],
    engine: Local,
    others: Space | None = None,
) -> NDArray[np.uint16]:
    """Return the largest similarity of some rows (None: of all) to those chosen, 0 for none; holds tiles alone.

    Those chosen are rows too, or those of `others`.
    """
    out = np.zeros(len(space) if rows is None else len(rows), np.uint16)

    def raise_to(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:
        block = np.empty((n.stop - n.start, c.stop - c.start), np.uint16)
        space.write(scores, left, right, block)
        np.maximum(out[n], block.max(axis=1), out=out[n])

    _across(space, rows, chosen, engine, raise_to, others)
    return out


def objective(space: Space, chosen: NDArray[np.int64], engine: Local) -> float:
    """Return the sum over all rows of the similarity to the most similar chosen one; O(n k d)."""
    return math.fsum(nearness(space, chosen, engine))


def nearness(
    space: Space, chosen: NDArray[np.int64], engine: Local, others: Space | None = None
) -> NDArray[np.float64]:
    """Return each row's similarity to the most similar of some rows, or of some of `others`, as a number; else 0."""
    best = np.zeros(len(space))

    def raise_to(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:  # noqa: ARG001
        _nearest(scores, left, right, space.cosine, space.scale, best[n])

    _across(space, None, chosen, engine, raise_to, others)
    return best


def totals(space: Space, engine: Local, others: Space | None = None) -> NDArray[np.int64]:
    """Return the sum of each row's similarities to all rows, or to all of `others`, in units of 1/65,535."""
    out = np.zeros(len(space), np.int64)

    def add(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:
        block = np.empty((n.stop - n.start, c.stop - c.start), np.uint16)
        space.write(scores, left, right, block)
        out[n] += block.sum(axis=1, dtype=np.int64)

    _across(space, None, np.arange(len(space if others is None else others)), engine, add, others)
    return out


def _across(
    space: Space,
    rows: NDArray[np.int64] | None,
    candidates: NDArray[np.int64],
    engine: Local,
    use: Callable[[slice, slice, _Singles, _Singles, _Singles], None],
    others: Space | None = None,
) -> None:
    """Call `use(n, c, scores, left, right)` for each tile of rows (None: of all) and each of candidates.

    Candidates are rows of `others`, where these are given. `n` and `c` say where they stand; `scores` are their dot
    products, `left` and `right` their squared lengths.
    """
    total, count = len(space) if rows is None else len(rows), len(candidates)
    spans = [slice(at, min(count, at + TILE)) for at in range(0, count, TILE)]
    packed = [(space if others is None else others).packed(candidates[span]) for span in spans]

    def one(i: int) -> None:
        where = slice(i * TILE, min(total, (i + 1) * TILE))
        a, left = space.tile(i) if rows is None else space.some(rows[where])
        for span, (panels, right) in zip(spans, packed, strict=True):
            scores = np.empty((len(a), len(panels) * LANES), np.float32)
            products(a, panels, scores)
            use(where, span, scores, left, right)

    for _ in engine.map(one, range((total + TILE - 1) // TILE)):
        pass


@njit(nogil=True, cache=True)
def _squares(x: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty(len(x), np.float32)
    for i in range(len(x)):
        total = 0.0
        for j in range(x.shape[1]):
            total += np.float64(x[i, j]) * np.float64(x[i, j])
        out[i] = total
    return out


@njit(nogil=True, cache=True)
def _cosines(scores: NDArray[np.float32], out: NDArray[np.uint16]) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.uint16(min(max(scores[i, j], np.float32(0)), np.float32(1)) * np.float32(UNIT) + 0.5)


@njit(nogil=True, cache=True)
def _euclidean(
    scores: NDArray[np.float32],
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scale: np.float32,
    out: NDArray[np.uint16],
) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            apart = left[i] + right[j] - np.float32(2) * scores[i, j]
            found = np.float32(1) - max(apart, np.float32(0)) * scale
            out[i, j] = np.uint16(max(found, np.float32(0)) * np.float32(UNIT) + 0.5)


@njit(nogil=True, cache=True)
def _nearest(scores, left, right, cosine, scale, best):  # type: ignore[no-untyped-def]
    """Raise `best` to the largest similarity of each row."""
    for i in range(len(left)):
        for j in range(len(right)):
            if cosine:
                found = np.float64(scores[i, j])
            else:
                apart = np.float64(left[i]) + np.float64(right[j]) - 2.0 * np.float64(scores[i, j])
                found = 1.0 - max(apart, 0.0) * np.float64(scale)
            best[i] = max(best[i], min(found, 1.0))


@njit(nogil=True, cache=True)
def _turned(block: NDArray[np.uint16], out: NDArray[np.uint16]) -> None:
    """Write a block turned, in squares that fit the nearest cache."""
    n, m = block.shape
    for first in range(0, n, 32):
        for second in range(0, m, 32):
            for j in range(second, min(m, second + 32)):
                for i in range(first, min(n, first + 32)):
                    out[j, i] = block[i, j]
