"""Directions of matrices without a library's threads: eigenvalues by rotations, and directions that span rows.

Sums are added up in one fixed order in double precision, so that the same matrix gives the same bits anywhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import TamisError

__all__ = ["across", "eigen"]

_DUST = 1e-10  # what is left of a squared length below which it is rounding
_SWEEPS = 60  # of rotations; six to twelve do

_Floats = NDArray[np.float64]


def across(features: _Floats) -> _Floats:
    """Return orthonormal directions that span features (`m x d`): a row each, fewer where they depend on each other."""
    out = np.zeros_like(features)
    count = 0
    for feature in features:
        left = feature.copy()
        for _ in range(2):  # the second time takes away what rounding left
            left -= (out[:count] * (out[:count] * left).sum(axis=1)[:, None]).sum(axis=0)
        size = float((left * left).sum())
        if size > _DUST * float((feature * feature).sum()):
            out[count] = left / np.sqrt(size)
            count += 1
    return out[:count]


def eigen(matrix: _Floats) -> tuple[_Floats, _Floats]:
    """Return the eigenvalues of a symmetric `d x d` matrix, falling, and their directions as rows. O(d^3).

    By rotations of two rows at a time (Jacobi 1846), in one fixed order.

    Raises
    ------
    TamisError
        They were not found: the matrix is not finite.
    """
    turned, directions = np.array(matrix, np.float64), np.eye(len(matrix))
    if not np.isfinite(turned).all() or not _rotate(turned, directions):
        raise TamisError("eigenvalues: expected a symmetric matrix of finite numbers, got another.")
    values = np.diagonal(turned).copy()
    order = np.argsort(-values, kind="stable")
    return values[order], directions[order]


@njit(nogil=True, cache=True)
def _rotate(a, directions):  # type: ignore[no-untyped-def]
    """Rotate pairs of rows and columns of `a` until only its diagonal is left; say whether that succeeded."""
    n = len(a)
    for _ in range(_SWEEPS):
        beside, along = 0.0, 0.0
        for p in range(n):
            along += a[p, p] * a[p, p]
            for q in range(p):
                beside += a[p, q] * a[p, q]
        if beside <= 1e-30 * along:
            return True
        for p in range(n - 1):
            for q in range(p + 1, n):
                if a[p, q] * a[p, q] <= 1e-40 * along:
                    continue
                half = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
                t = 1.0 / (abs(half) + np.sqrt(half * half + 1.0))
                t = t if half >= 0.0 else -t
                c = 1.0 / np.sqrt(t * t + 1.0)
                s = t * c
                for j in range(n):
                    one, other = a[p, j], a[q, j]
                    a[p, j], a[q, j] = c * one - s * other, s * one + c * other
                    one, other = directions[p, j], directions[q, j]
                    directions[p, j], directions[q, j] = c * one - s * other, s * one + c * other
                for j in range(n):
                    one, other = a[j, p], a[j, q]
                    a[j, p], a[j, q] = c * one - s * other, s * one + c * other
    return False
