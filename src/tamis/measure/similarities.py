"""Kernels to measure diversity by: matrices of similarities from 0 to 1, with ones on the diagonal."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError, OptionError
from tamis.measure.linear import dots
from tamis.measure.ngrams import Runs

__all__ = ["gaussian", "gaussian_between", "ngram_jaccard"]


def gaussian(vectors: ArrayLike, width: float = 1.0) -> NDArray[np.float64]:
    """Return exp(-|a - b|^2 / (2 width^2)) of all pairs of `n x d` vectors, `n x n`.

    Raises
    ------
    InputError
        Another shape, or numbers that are not finite.
    OptionError
        A width that is not above 0.
    """
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise InputError(f"gaussian: expected n x d finite numbers, got an array of shape {x.shape}.")
    if not 0 < width < np.inf:
        raise OptionError(f"gaussian: expected a width above 0, got {width}.")
    square = (x * x).sum(axis=1)
    apart = np.maximum(square[:, None] + square - 2.0 * dots(x, x), 0.0)
    np.fill_diagonal(apart, 0.0)
    return np.asarray(np.exp(-(apart + apart.T) / (4.0 * width * width)))


def gaussian_between(a: ArrayLike, b: ArrayLike, width: float = 1.0) -> NDArray[np.float64]:
    """Return exp(-|x - y|^2 / (2 width^2)) of the vectors `a` (`p x d`) and `b` (`q x d`), `p x q`.

    Raises
    ------
    InputError
        Other shapes, or numbers that are not finite.
    OptionError
        A width that is not above 0.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(
            f"gaussian: expected finite vectors of one width, got others or arrays of shape {x.shape} and {y.shape}."
        )
    if not 0 < width < np.inf:
        raise OptionError(f"gaussian: expected a width above 0, got {width}.")
    apart = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2.0 * dots(x, y)
    return np.asarray(np.exp(-np.maximum(apart, 0.0) / (2.0 * width * width)))


def ngram_jaccard(runs: Runs) -> NDArray[np.float64]:
    """Return the Jaccard similarity of the sets of n-grams of all pairs of `n` texts, `n x n`.

    It is positive semidefinite, so a Vendi score of it is one. A text without n-grams is like itself
    alone. O(n^2) times the n-grams of a text.
    """
    n = len(runs.offsets) - 1
    parts = [np.unique(runs.values[runs.offsets[i] : runs.offsets[i + 1]]) for i in range(n)]
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    values = np.concatenate(parts) if n else np.empty(0, np.uint64)
    return np.asarray(_jaccard(values, offsets))


@njit(nogil=True, cache=True)
def _jaccard(values: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    n = len(offsets) - 1
    out = np.eye(n)
    for i in range(n):
        for j in range(i):
            a, b, shared = offsets[i], offsets[j], 0
            while a < offsets[i + 1] and b < offsets[j + 1]:
                if values[a] == values[b]:
                    shared += 1
                    a += 1
                    b += 1
                elif values[a] < values[b]:
                    a += 1
                else:
                    b += 1
            union = offsets[i + 1] - offsets[i] + offsets[j + 1] - offsets[j] - shared
            if union:
                out[i, j] = out[j, i] = shared / union
    return out
