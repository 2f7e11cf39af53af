"""The mean of a kernel over a pool, and how far a set is from it: what methods that match a distribution share.

A kernel says how alike two records are; the mean embedding of a pool gives each record its mean likeness to all of
them. A set stands for the pool as well as its own mean embedding is near: their distance is the maximum mean
discrepancy (MMD; Gretton et al. 2012), the largest error of an average over the set instead of over the pool, for
any function of length 1 in the kernel's space.

"cosine" and "linear" have as many directions as the vectors, and their mean embedding is exact. So is that of "rbf",
exp(-gamma d^2), up to `reference` records; beyond, it is the mean over so many of them, drawn by their keys. Sums
are in double precision and in one fixed order, so that neither threads nor blocks change a bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.gain.residual import spread
from tamis.select.steps.determinantal import Rows
from tamis.select.steps.gaussian import add_columns, add_rows, exponents, gaussian
from tamis.vectors.dots import dots
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE

__all__ = ["KERNELS", "REFERENCE", "TOGETHER", "Embedding"]

KERNELS: Final = ("cosine", "linear", "rbf")
"""How alike two records are."""

REFERENCE: Final = 20_000
"""Records that the mean of rbf is taken over, at most, unless told."""

TOGETHER: Final = 8
"""Columns that are computed at once where it is known which are needed."""

_ROWS = 64  # of a block, compared at a time: they stay in the nearest cache

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Embedding:
    """A kernel over the rows of `x` (`n x d`, none of them zeros), and its mean over them.

    Attributes
    ----------
    mean : float64 array of shape (n,)
        The mean of the kernel of each row with all rows, or with the reference.
    size : float
        The mean over all pairs of rows, or of the reference: the square of the mean embedding's length.
    diagonal : float64 array of shape (n,)
        The kernel of each row with itself.
    evaluated : int
        Kernel values computed up to now.
    """

    def __init__(
        self, x: NDArray[Any], kernel: str, gamma: float | None, keys: NDArray[np.uint64], reference: int = REFERENCE
    ) -> None:
        self.rows = Rows(x, "cosine" if kernel == "cosine" else "linear")
        self.evaluated = 0
        self.gamma = 0.0
        if kernel != "rbf":
            self.diagonal = self.rows.diagonal
            self.mean, self.size = self._flat_mean()
        else:
            self.gamma = gamma or 1.0 / max(spread(self.rows), 1e-30)
            self.diagonal = np.ones(len(x))
            drawn = np.argsort(uniforms(keys, salt(0, "embedding: reference")), kind="stable")[:reference]
            self.mean = self._round_mean(np.sort(drawn))
            self.size = float(np.cumsum(self.mean[np.sort(drawn)])[-1]) / len(drawn) if len(drawn) else 0.0

    def __len__(self) -> int:
        return len(self.diagonal)

    def column(self, row: int) -> _Floats:
        """Return the kernel of all rows with one (`n`). O(n d)."""
        return np.asarray(self.columns(np.array([row]))[0])

    def columns(self, some: _Ints) -> _Floats:
        """Return the kernel of all rows with each of some (`m x n`): the vectors are read once for all. O(n m d)."""
        return self._with(*self.some(some))

    def some(self, chosen: _Ints) -> tuple[NDArray[np.float32], _Floats, _Floats]:
        """Return vectors, squared lengths and factors of some rows, for kernels that compare them with each other."""
        rows = self.rows
        return np.ascontiguousarray(rows._x[chosen], np.float32), rows.square[chosen], rows.factor[chosen]

    def total(self, chosen: _Ints) -> _Floats:
        """Return the sum of the kernel of each row with some (`n`). O(n k d)."""
        out = np.zeros(len(self))
        for at in range(0, len(chosen), TOGETHER):
            for column in self.columns(chosen[at : at + TOGETHER]):
                out += column
        return out

    def discrepancy(self, chosen: _Ints, total: _Floats | None = None) -> float:
        """Return the MMD of a set of rows from the mean embedding; `total` as `self.total(chosen)` if known."""
        within = (self.total(chosen) if total is None else total)[chosen]
        k = max(len(chosen), 1)
        square = float(within.sum()) / k**2 - 2 * float(self.mean[chosen].sum()) / k + self.size
        return float(np.sqrt(max(square, 0.0)))

    def at_random(self, k: int) -> float:
        """Return the root of the mean square MMD of `k` rows drawn at random, without repeats."""
        n = len(self)
        apart = float(self.diagonal.mean()) - float(self.mean.mean())
        return float(np.sqrt(max(apart * (n - k) / max(n - 1, 1) / max(k, 1), 0.0)))

    def facts(self, chosen: _Ints, total: _Floats | None = None) -> dict[str, float]:
        """Return the discrepancy of a set of rows, and what as many at random have; nothing for an empty one."""
        if not len(chosen):
            return {}
        return {"discrepancy": self.discrepancy(chosen, total), "at_random": self.at_random(len(chosen))}

    def _with(self, ones: NDArray[Any], square: _Floats, factor: _Floats) -> _Floats:
        """Return the kernel of all rows with vectors (`m x d`), of which squared lengths and factors are known."""
        rows, out = self.rows, np.empty((len(ones), len(self)))
        ones = np.ascontiguousarray(np.concatenate([ones, ones[-1:]]) if len(ones) % 2 else ones)  # in twos is faster

        def fill(i: int) -> None:
            part = slice(*rows.span(i))
            _columns(
                ones, square, factor, rows.block(i), rows.square[part], rows.factor[part], self.gamma, out[:, part]
            )

        rows.each(fill)
        self.evaluated += out.size
        return out

    def _flat_mean(self) -> tuple[_Floats, float]:
        rows = self.rows
        total = np.zeros(rows.width)
        for part in rows.each(lambda i: _sum(rows.block(i), rows.factor[slice(*rows.span(i))])):
            total += part
        centre = total / max(len(rows), 1)
        return self._with(centre[None], np.zeros(1), np.ones(1))[0], float((centre * centre).sum())

    def _round_mean(self, drawn: _Ints) -> _Floats:
        """Return the mean of rbf over some rows, products in single precision; of all with all one half is computed."""
        rows, whole = self.rows, len(drawn) == len(self)
        spans = [drawn[at : at + TILE] for at in range(0, len(drawn), TILE)]
        panels = [pack(np.ascontiguousarray(rows._x[span], np.float32)) for span in spans]
        sums = np.zeros((len(spans) if whole else 1, len(self)))  # of a tile with each span, added up in their order
        squares, gamma = rows.square.astype(np.float32), np.float32(self.gamma)

        def fill(i: int) -> None:
            block = np.zeros((TILE, rows.width), np.float32)
            part = slice(i * TILE, min(len(self), (i + 1) * TILE))
            block[: part.stop - part.start] = rows._x[part]
            for j in range(i if whole else 0, len(spans)):
                scores = np.empty((TILE, len(panels[j]) * LANES), np.float32)
                products(block, panels[j], scores)
                alike = scores[: part.stop - part.start, : len(spans[j])]
                exponents(alike, squares[part], squares[spans[j]], gamma)
                np.exp(alike, out=alike)
                add_rows(alike, sums[j if whole else 0, part])
                if whole and j > i:
                    add_columns(alike, sums[i, spans[j][0] : spans[j][-1] + 1])

        for _ in rows.engine.map(fill, range(-(-len(self) // TILE))):
            pass
        self.evaluated += len(self) * len(drawn)
        return np.asarray(np.sum(sums, axis=0) / max(len(drawn), 1))


@njit(nogil=True, cache=True)
def _columns(ones, its_square, its_factor, block, square, factor, gamma, out):  # type: ignore[no-untyped-def]
    """Write the kernel of each of some vectors with the rows of a block (`m x n`); `gamma` of 0: of the features."""
    found = np.empty((len(ones), _ROWS))
    for start in range(0, len(block), _ROWS):
        stop = min(len(block), start + _ROWS)
        dots(ones, block[start:stop], found)
        if gamma > 0.0:
            gaussian(found, its_square, square[start:stop], gamma)
        else:
            for t in range(len(out)):
                for i in range(stop - start):
                    found[t, i] *= factor[start + i] * its_factor[t]
        out[:, start:stop] = found[: len(out), : stop - start]


@njit(nogil=True, cache=True)
def _sum(block, factor):  # type: ignore[no-untyped-def]
    out = np.zeros(block.shape[1])
    for i in range(len(block)):
        for j in range(len(out)):
            out[j] += factor[i] * np.float64(block[i, j])
    return out
