"""Blocks of fixed shape over the rows of an array in memory or on disk.

Every pass over vectors goes tile by tile: `TILE` rows as float32, the last one filled up with
zeros. So a pass needs the memory of a few tiles, whatever the array, and a tile is the unit that
threads share. Steps that depend on order take the rows in canonical order: by key where records
have one, by a hash of the vector itself where not, so that the order of the input does not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import hash_spans
from tamis.kernels.order import canonical_order

__all__ = ["TILE", "Tiles", "canonical", "content_keys", "in_order", "matrix", "subset", "unit_rows", "zero_rows"]

#: Rows of a tile: a multiple of the 6 rows and 16 lanes that `products` works on.
TILE = 1008


def matrix(x: Any, what: str = "vectors") -> NDArray[Any]:
    """Return `x` as an `n x d` array of floats, unchanged if it is one (float16, float32, float64).

    Raises InputError for another shape, or for what are no numbers.
    """
    array = x if isinstance(x, np.ndarray) else np.asarray(x)
    if array.dtype.kind in "iub":
        array = array.astype(np.float32)
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise InputError(f"{what}: expected n x d numbers, got {array.dtype} of shape {array.shape}.")
    return array


class Tiles:
    """The rows of `x` (`n x d`, any float type) as float32 tiles; with `unit`, of length 1 (zeros stay zeros)."""

    def __init__(self, x: NDArray[Any], *, unit: bool = False) -> None:
        self.x = x
        self.unit = unit
        self.width = int(x.shape[1])

    def __len__(self) -> int:
        """Return how many tiles there are."""
        return (len(self.x) + TILE - 1) // TILE

    def span(self, i: int) -> tuple[int, int]:
        """Return the first row of tile `i` and the row after its last."""
        return i * TILE, min(len(self.x), (i + 1) * TILE)

    def tile(self, i: int) -> NDArray[np.float32]:
        """Return tile `i` (`TILE x d`), a copy."""
        start, stop = self.span(i)
        return self._filled(self.x[start:stop])

    def take(self, rows: NDArray[np.int64], multiple: int = 6) -> NDArray[np.float32]:
        """Return some rows, filled up with zeros to a multiple of `multiple`."""
        return self._filled(self.x[rows], -(-len(rows) // multiple) * multiple)

    def _filled(self, part: NDArray[Any], size: int = TILE) -> NDArray[np.float32]:
        out = np.zeros((size, self.width), np.float32)
        out[: len(part)] = part
        if self.unit:
            unit_rows(out)
        return out


@njit(nogil=True, cache=True)
def unit_rows(x: NDArray[np.float32]) -> None:
    """Scale each row to length 1, in place; a row of zeros stays so."""
    for i in range(len(x)):
        total = 0.0
        for j in range(x.shape[1]):
            total += np.float64(x[i, j]) * np.float64(x[i, j])
        if total > 0:
            scale = 1.0 / np.sqrt(total)
            for j in range(x.shape[1]):
                x[i, j] = np.float32(x[i, j] * scale)


def zero_rows(x: NDArray[Any], what: str = "vectors") -> NDArray[np.bool_]:
    """Return which of `n` rows are all zeros.

    Raises InputError that names a row holding NaN or infinity, or numbers too large for their
    squares to be added up.
    """
    out = np.zeros(len(x), np.bool_)
    for start in range(0, len(x), TILE):
        part = np.asarray(x[start : start + TILE], np.float32)
        out[start : start + len(part)] = ~part.any(axis=1)
        wrong = np.flatnonzero(~np.isfinite(part).all(axis=1))
        if len(wrong):
            row = part[wrong[0]]
            got = row[~np.isfinite(row)][0]
            raise InputError(f"{what}: expected finite numbers, got {got} at record {start + wrong[0]}.")
    return out


def content_keys(x: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a key (`n x 2`) for each row: a hash of its numbers as float32, so equal rows have equal keys."""
    keys = np.empty((len(x), 2), np.uint64)
    for start in range(0, len(x), TILE):
        part = np.ascontiguousarray(x[start : start + TILE], np.float32) + np.float32(0)  # -0 is 0
        edges = np.arange(len(part) + 1, dtype=np.int64) * (part.shape[1] * 4)
        keys[start : start + len(part)] = hash_spans(part.view(np.uint8).ravel(), edges[:-1], edges[1:], np.uint64(0))
    return keys


def in_order(
    x: NDArray[Any], keys: NDArray[np.uint64] | None
) -> tuple[NDArray[Any], NDArray[np.uint64], NDArray[np.int64] | None]:
    """Return rows and keys in canonical order, and `order`: row `i` was `order[i]`; None where it was so already.

    Without `keys` they are the rows' `content_keys`. Raises InputError when there is not one key a row.
    """
    if keys is None:
        keys = content_keys(x)
    keys = np.ascontiguousarray(keys, np.uint64).reshape(-1, 2)
    if len(keys) != len(x):
        raise InputError(f"keys: expected {len(x)}, one a row, got {len(keys)}.")
    order = canonical_order(keys)
    if (order[1:] > order[:-1]).all():
        return x, keys, None
    return x[order], keys[order], order


def canonical(
    x: Any, keys: NDArray[np.uint64] | None
) -> tuple[NDArray[Any], NDArray[np.uint64], NDArray[np.int64] | None]:
    """Return vectors that are given, checked, as `in_order` does.

    Raises InputError for what are no `n x d` numbers, a row that is not finite, or not one key a row.
    """
    x = matrix(x)
    zero_rows(x)
    return in_order(x, keys)


def subset(x: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return some rows of an array (ascending), without a copy where they are all."""
    return x if len(rows) == len(x) else x[rows]
