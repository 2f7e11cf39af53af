"""Volumes of sets in the space of their features, by themselves and beside others.

The volume of features `F` (`k x d`) is `det(F F' + ridge I)`; beside others `E`, it is what the volume of both is over
that of `E` (a Schur complement): `det(F M F' + ridge I)` with `M = I - E' (E E' + ridge I)^-1 E`. Each feature that is
taken lowers such a matrix by one product of a direction with itself, so no matrix is inverted, and nothing is larger
than `d x d`, however many records there are. Sums are added up in one order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.steps.determinantal import DUST, Rows

__all__ = ["covered", "log_volume", "metric", "units"]

_Floats = NDArray[np.float64]


def covered(features: _Floats, ridge: float) -> _Floats:
    """Return directions (`m x d`, `m <= min(q, d)`) whose products add up to what features (`q x d`) take from others.

    That is `E' (E E' + ridge I)^-1 E`: with a ridge of 0 the projection on the features. O(q d^2).
    """
    width = features.shape[1]
    out = np.zeros((len(features), width))
    left = np.eye(width)
    _lowered(left, np.ascontiguousarray(features, np.float64), ridge, _dust(features, ridge), out)
    if len(out) > width:
        out = np.ascontiguousarray(_factor(np.eye(width) - left).T)
    return np.ascontiguousarray(out[(out * out).sum(axis=1) > 0])


def metric(beside: _Floats, width: int) -> _Floats:
    """Return the matrix (`d x d`) by which features are multiplied beside some directions (`m x d`)."""
    out = np.eye(width)
    for direction in beside:
        out -= np.outer(direction, direction)
    return out


def log_volume(features: _Floats, ridge: float, beside: _Floats | None = None) -> float:
    """Return the logarithm of the volume of features (`k x d`), beside some directions. O(k d^2).

    A feature of which nothing is left beside those before it counts as what rounding would leave.
    """
    width = features.shape[1]
    left = metric(np.empty((0, width)) if beside is None else beside, width)
    wide = np.ascontiguousarray(features, np.float64)
    return float(_lowered(left, wide, ridge, _dust(features, ridge), np.empty((0, width))))


def units(x: NDArray[Any]) -> _Floats:
    """Return the rows of `x` at length 1, in double precision; rows of zeros as they are."""
    return np.asarray(x.astype(np.float64) * Rows(x, "cosine").factor[:, None])


def _dust(features: _Floats, ridge: float) -> float:
    """Return what is rounding, beside the largest diagonal."""
    return DUST * (float((features * features).sum(axis=1).max(initial=0.0)) + ridge)


@njit(nogil=True, cache=True)
def _lowered(matrix, features, ridge, dust, out):  # type: ignore[no-untyped-def]
    """Take each feature from the matrix; write the directions to `out`, if it has rows; return the log-volume."""
    width, total = len(matrix), 0.0
    along = np.empty(width)
    for i in range(len(features)):
        left = ridge
        for a in range(width):
            along[a] = 0.0
        for b in range(width):  # the matrix is symmetric: its rows are its columns
            for a in range(width):
                along[a] += features[i, b] * matrix[b, a]
        for a in range(width):
            left += features[i, a] * along[a]
        total += np.log(max(left, dust))
        if left <= dust:
            continue
        root = np.sqrt(left)
        for a in range(width):
            along[a] /= root
        for b in range(width):
            for a in range(width):
                matrix[b, a] -= along[b] * along[a]
        if len(out):
            out[i] = along
    return total


@njit(nogil=True, cache=True)
def _factor(matrix):  # type: ignore[no-untyped-def]
    """Return the lower triangle whose product with itself is a matrix without negative eigenvalues (Cholesky)."""
    width = len(matrix)
    out = np.zeros((width, width))
    for a in range(width):
        for b in range(a + 1):
            left = matrix[a, b]
            for c in range(b):
                left -= out[a, c] * out[b, c]
            if a == b:
                out[a, a] = np.sqrt(left) if left > 1e-14 else 0.0
            elif out[b, b] > 0.0:
                out[a, b] = left / out[b, b]
    return out
