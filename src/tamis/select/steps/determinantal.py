"""What the determinantal methods share: rows with a factor, their products, spectrum and leverage, without noise.

The kernel of `n` records is never built. Row `i` of the vectors, times a factor, is the feature of record `i`; a
determinant of products of features is a squared volume, and all that is asked about it is answered in the space of
the features: by a matrix of `d x d`, or by one product of every row with one direction at a time. Sums are added
up in the order of the rows, in double precision, so that neither threads nor blocks change a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.hashing import salt, uniforms
from tamis.select.steps.eigen import eigen
from tamis.vectors.dots import dot
from tamis.vectors.gram import BLOCK, gram

__all__ = ["DUST", "Rows", "counted", "leverage", "spectrum"]

DUST = 1e-10
"""What is left of a volume, or an eigenvalue over the largest, below which it is rounding."""

_HELD = 1 << 30  # bytes up to which the vectors are held as float32

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Rows:
    """Features: row `i` of `x` (`n x d`) times `factor[i]`.

    "cosine": features of length 1. "linear": the vectors over their mean length (root of the mean square), so
    that a ridge means the same whatever their scale. `factor` may be changed to weigh records.
    """

    def __init__(self, x: NDArray[Any], kernel: str) -> None:
        self.engine = Local()
        self.width = int(x.shape[1])
        as_they_are = x.dtype == np.float32 or 4 * x.size > _HELD
        self._x = x if as_they_are else np.ascontiguousarray(x, np.float32)
        self.square = np.empty(len(x))
        self.each(lambda i: _squares(self.block(i), self.square[slice(*self.span(i))]))
        mean = float(np.cumsum(self.square)[-1]) / len(x) if len(x) else 1.0
        with np.errstate(divide="ignore"):
            factor = 1.0 / np.sqrt(self.square if kernel == "cosine" else np.full(len(x), mean))
        self.factor = np.where(np.isfinite(factor), factor, 0.0)
        # Of length 1 exactly, so that records that are all alike good tie, and rounding does not choose among them.
        self.diagonal = (self.square > 0) * 1.0 if kernel == "cosine" else self.factor**2 * self.square

    def __len__(self) -> int:
        return len(self.square)

    def span(self, i: int) -> tuple[int, int]:
        """Return the first row of block `i` and the row after its last."""
        return i * BLOCK, min(len(self), (i + 1) * BLOCK)

    def block(self, i: int) -> NDArray[np.float32]:
        """Return the vectors of block `i` as float32, without their factors."""
        return np.ascontiguousarray(self._x[slice(*self.span(i))], np.float32)

    def vector(self, row: int) -> NDArray[np.float32]:
        """Return the vector of a row as float32, without its factor."""
        return np.ascontiguousarray(self._x[row], np.float32)

    def feature(self, row: int) -> _Floats:
        """Return the feature of a row: its vector times its factor."""
        return np.asarray(self.vector(row).astype(np.float64) * self.factor[row])

    def each(self, function: Callable[[int], Any]) -> list[Any]:
        """Return what `function` makes of each block, in their order; threads share the blocks."""
        count = -(-len(self) // BLOCK)
        if count < 2:
            return [function(i) for i in range(count)]
        return list(self.engine.map(function, range(count)))

    def gram(self) -> _Floats:
        """Return the sum over the rows of the products of their features, `d x d`. O(n d^2)."""
        return gram(self._x, self.factor, self.engine)

    def lower(self, left: _Floats, direction: _Floats) -> None:
        """Take the square of each feature along `direction` (`d`) from `left` (`n`), which stays at least 0. O(n d)."""

        def one(i: int) -> None:
            part = slice(*self.span(i))
            _lower(self.block(i), self.factor[part], direction, left[part])

        self.each(one)


def counted(count: int, seed: int, purpose: str) -> _Floats:
    """Return `count` numbers inside (0, 1), a pure function of seed, purpose and place."""
    keys = np.zeros((count, 2), np.uint64)
    keys[:, 0] = np.arange(count)
    return np.asarray(uniforms(keys, salt(seed, purpose)))


def spectrum(rows: Rows, beside: _Floats | None = None) -> tuple[_Floats, _Floats]:
    """Return the eigenvalues of the kernel that are not 0, falling, and directions (`r x d`), one for each.

    The products of the features with direction `j`, over `sqrt(values[j])`, are an eigenvector of the kernel. With
    `beside`, orthonormal directions, the features are taken at right angles to those.
    """
    products = rows.gram()
    for direction in beside if beside is not None else ():
        along = (products * direction).sum(axis=1)
        twice = float((along * direction).sum())
        products += twice * np.outer(direction, direction) - np.outer(along, direction) - np.outer(direction, along)
    values, directions = eigen(products)
    real = values > DUST * max(float(values[0]), 0.0) if len(values) else np.zeros(0, np.bool_)
    return values[real], directions[real]


def leverage(rows: Rows, basis: _Floats) -> _Floats:
    """Return the sum of the squares of each feature along some directions, `basis` (`m x d`). O(n d m)."""
    out, columns = np.empty(len(rows)), np.ascontiguousarray(basis.T)

    def one(i: int) -> None:
        part = slice(*rows.span(i))
        _leverage(rows.block(i), rows.factor[part], columns, out[part])

    rows.each(one)
    return out


@njit(nogil=True, cache=True)
def _squares(block, out):  # type: ignore[no-untyped-def]
    for i in range(len(block)):
        total = 0.0
        for j in range(block.shape[1]):
            total += np.float64(block[i, j]) * np.float64(block[i, j])
        out[i] = total


@njit(nogil=True, cache=True)
def _leverage(block, factor, columns, out):  # type: ignore[no-untyped-def]
    """Write the sums of squares along the columns of a `d x m` matrix: lanes are directions."""
    along = np.empty(columns.shape[1])
    for i in range(len(block)):
        along[:] = 0.0
        for j in range(block.shape[1]):
            one = factor[i] * np.float64(block[i, j])
            for t in range(len(along)):
                along[t] += one * columns[j, t]
        total = 0.0
        for t in range(len(along)):
            total += along[t] * along[t]
        out[i] = total


@njit(nogil=True, cache=True)
def _lower(block, factor, direction, left):  # type: ignore[no-untyped-def]
    for i in range(len(block)):
        along = factor[i] * dot(block[i], direction, len(direction))
        left[i] = max(left[i] - along * along, 0.0)
