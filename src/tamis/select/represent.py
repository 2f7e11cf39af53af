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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles

__all__ = [
    "MOST",
    "STEPS",
    "UNIT",
    "Represented",
    "Space",
    "State",
    "bounds",
    "closest",
    "in_steps",
    "lower",
    "objective",
    "rectangle",
    "square",
]

UNIT: Final = 65_535
"""A similarity of 1."""

STEPS: Final = 1 << 22
"""The range of a matrix that is given."""

MOST: Final = 32_000
"""Similarities of 1 that 32 bits hold the sum of."""

_Singles = NDArray[np.float32]
_COLUMNS = 2048  # a block of candidates: their sums and a piece of a row stay in the nearest cache
_SHARED = 400_000  # numbers of a step from which threads share it


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
            for i in range(len(self.tiles)):
                start, stop = self.tiles.span(i)
                self.square[start:stop] = _squares(self._rows(self.tiles.tile(i)))[: stop - start]
            self.scale = np.float32(1.0 / max(4.0 * float(self.square.max()), 1e-30))

    def __len__(self) -> int:
        return len(self.square)

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
    space: Space, rows: NDArray[np.int64] | None, candidates: NDArray[np.int64], engine: Local
) -> NDArray[np.uint16]:
    """Return the similarities of some rows (None: of all) to candidates, `n x c`."""
    out = np.empty((len(space) if rows is None else len(rows), len(candidates)), np.uint16)

    def write(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:
        space.write(scores, left, right, out[n, c])

    _across(space, rows, candidates, engine, write)
    return out


def closest(
    space: Space, rows: NDArray[np.int64] | None, chosen: NDArray[np.int64], engine: Local
) -> NDArray[np.uint16]:
    """Return the largest similarity of some rows (None: of all) to those chosen, 0 for none; holds tiles alone."""
    out = np.zeros(len(space) if rows is None else len(rows), np.uint16)

    def raise_to(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:
        block = np.empty((n.stop - n.start, c.stop - c.start), np.uint16)
        space.write(scores, left, right, block)
        np.maximum(out[n], block.max(axis=1), out=out[n])

    _across(space, rows, chosen, engine, raise_to)
    return out


def objective(space: Space, chosen: NDArray[np.int64], engine: Local) -> float:
    """Return the sum over all rows of the similarity to the most similar chosen one; O(n k d)."""
    best = np.zeros(len(space))

    def raise_to(n: slice, c: slice, scores: _Singles, left: _Singles, right: _Singles) -> None:  # noqa: ARG001
        _nearest(scores, left, right, space.cosine, space.scale, best[n])

    _across(space, None, chosen, engine, raise_to)
    return math.fsum(best)


def _across(
    space: Space,
    rows: NDArray[np.int64] | None,
    candidates: NDArray[np.int64],
    engine: Local,
    use: Callable[[slice, slice, _Singles, _Singles, _Singles], None],
) -> None:
    """Call `use(n, c, scores, left, right)` for each tile of rows (None: of all) and each of candidates.

    `n` and `c` say where they stand; `scores` are their dot products, `left` and `right` their squared lengths.
    """
    total, count = len(space) if rows is None else len(rows), len(candidates)
    spans = [slice(at, min(count, at + TILE)) for at in range(0, count, TILE)]
    packed = [space.packed(candidates[span]) for span in spans]

    def one(i: int) -> None:
        where = slice(i * TILE, min(total, (i + 1) * TILE))
        a, left = space.tile(i) if rows is None else space.some(rows[where])
        for span, (panels, right) in zip(spans, packed, strict=True):
            scores = np.empty((len(a), len(panels) * LANES), np.float32)
            products(a, panels, scores)
            use(where, span, scores, left, right)

    for _ in engine.map(one, range((total + TILE - 1) // TILE)):
        pass


def bounds(given: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the largest number of a matrix; NaN for both where there is one."""
    starts = range(0, len(given), TILE)
    found = [*Local().map(lambda start: _bounds(given[start : start + TILE]), starts)]
    return float(np.min([low for low, _ in found])), float(np.max([high for _, high in found]))


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
    best: NDArray[Any]
    gains: NDArray[np.int64]

    def add(self, candidate: int) -> None:
        """Take a candidate."""


class Represented:
    """A set that grows over `n` records and `c` candidates; close it, or use it in a `with` block.

    Attributes
    ----------
    best : array of shape (n,)
        Similarity of each record to the set; the matrix's type (uint16 or int32), 0 at first.
    gains : int64 array of shape (c,)
        What the sum of `best` would grow by with each candidate, in units of the matrix.
    unit : int
        How many of those are a similarity of 1; 1 for a matrix that is given, which has steps of its own.
    updates : int
        Similarities that were looked at.
    """

    def __init__(self, matrix: NDArray[Any], best: NDArray[Any] | None = None, threads: int = 1) -> None:
        self.matrix = matrix
        n, candidates = matrix.shape
        small = matrix.dtype == np.uint16
        self.best = np.zeros(n, matrix.dtype) if best is None else best.astype(matrix.dtype)
        self.gains = np.zeros(candidates, np.int64)
        self.updates = matrix.size
        self.unit = UNIT if small else 1
        self._most = MOST if small else 500  # as many of the largest similarity as 32 bits hold
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tamis") if threads > 1 else None
        self._rows, self._old = np.empty(n, np.int64), np.empty(n, matrix.dtype)
        self._width = np.empty(n, matrix.dtype)
        # The gains of the empty set are what it loses when every record is represented perfectly.
        top = UNIT if small else STEPS
        self._change(np.arange(n), self.best, np.full(n, top, matrix.dtype), -1)

    def __enter__(self) -> Represented:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def add(self, candidate: int) -> None:
        """Take a candidate: records it represents better count from it, and gains fall."""
        count = _improved(self.matrix, candidate, self.best, self._rows, self._old, self._width)
        self._change(self._rows[:count], self._old[:count], self._width[:count], 1)
        self.updates += count * self.matrix.shape[1]

    def _change(self, rows: NDArray[np.int64], old: NDArray[Any], width: NDArray[Any], sign: int) -> None:
        """Lower (raise) all gains by what `rows` lose that were at `old` and are `width` higher."""
        total = self.matrix.shape[1]
        spans = [(start, min(total, start + _COLUMNS)) for start in range(0, total, _COLUMNS)]
        if self._pool is not None and len(rows) * total > _SHARED:
            list(self._pool.map(lambda s: self._lower(rows, old, width, s, sign), spans))
            return
        for span in spans:
            self._lower(rows, old, width, span, sign)

    def _lower(
        self, rows: NDArray[np.int64], old: NDArray[Any], width: NDArray[Any], span: tuple[int, int], sign: int
    ) -> None:
        lower(self.matrix, rows, old, width, span[0], span[1], sign, self._most, self.gains)


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
