"""Sets drawn by volume: which directions (elementary symmetric polynomials), then a row for each of them.

Sources: Kulesza and Taskar 2011 (k-DPP: eigenvectors in proportion to the product of their values); Hough, Krishnapur,
Peres and Virag 2006 (a row for each). Ours: polynomials in logarithms, so that none overflows; rows drawn through
directions of the features, so that nothing of `n x k` is held.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.steps.determinantal import Rows, counted, leverage

__all__ = ["chances", "drawn", "polynomials", "scaled", "which"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def scaled(values: _Floats, directions: _Floats, taken: _Ints) -> _Floats:
    """Return some directions of a spectrum so that the features' products with them are orthonormal (`m x d`)."""
    return np.ascontiguousarray(directions[taken] / np.sqrt(values[taken])[:, None])


def polynomials(values: _Floats, k: int) -> _Floats:
    """Return logarithms of the elementary symmetric polynomials, `r + 1 x k + 1`: `[m, l]` of the first `m` values."""
    out = np.full((len(values) + 1, k + 1), -np.inf)
    out[:, 0] = 0.0
    for m, value in enumerate(np.log(values).tolist()):
        out[m + 1, 1:] = np.logaddexp(out[m, 1:], value + out[m, :-1])
    return out


def which(values: _Floats, k: int, seed: int, purpose: str) -> _Ints:
    """Draw `k` of the eigenvalues (all above 0), a set in proportion to their product; ascending."""
    table, left, taken = polynomials(values, k), k, []
    chance = counted(len(values), seed, f"{purpose}: directions")
    for m in range(len(values) - 1, -1, -1):
        if not left:
            break
        if m < left or np.log(chance[m]) < np.log(values[m]) + table[m, left - 1] - table[m + 1, left]:
            taken.append(m)
            left -= 1
    return np.array(taken[::-1], np.int64)


def chances(values: _Floats, k: int) -> _Floats:
    """Return the probability with which `which` draws each eigenvalue, adding up to `k`."""
    before, after = polynomials(values, k), polynomials(values[::-1], k)[::-1]
    others = before[:-1, :k] + after[1:, :k][:, ::-1]  # k - 1 of the others: some before, the rest after
    return np.asarray(np.exp(np.log(values) + np.logaddexp.reduce(others, axis=1) - before[-1, k]))


def drawn(rows: Rows, basis: _Floats, seed: int, purpose: str) -> _Ints:
    """Draw one row a direction: the determinantal process that projects on `m` directions, `basis` (`m x d`).

    The products of the features with the directions must be orthonormal over the rows. Each row is drawn in
    proportion to what is left of its squared length; then that direction is taken away from all (Hough et al.
    2006). Rows whose factor is 0 are never drawn. O(n d m).
    """
    left = leverage(rows, basis)
    out, done = np.empty(len(basis), np.int64), np.zeros((len(basis), len(basis)))
    for t, uniform in enumerate(counted(len(basis), seed, purpose).tolist()):
        row = int(_pick(left, uniform))
        if row < 0:
            return out[:t]
        feature = (basis * rows.feature(row)).sum(axis=1)
        for _ in range(2):  # the second time takes away what rounding left
            feature -= (done[:t] * (done[:t] * feature).sum(axis=1)[:, None]).sum(axis=0)
        done[t] = feature / np.sqrt((feature * feature).sum())
        rows.lower(left, np.ascontiguousarray((basis * done[t][:, None]).sum(axis=0)))
        left[row] = 0.0
        out[t] = row
    return out


@njit(nogil=True, cache=True)
def _pick(left, uniform):  # type: ignore[no-untyped-def]
    """Return a row in proportion to `left`; -1 where nothing is left."""
    total = 0.0
    for i in range(len(left)):
        total += left[i]
    target, found, reached = uniform * total, -1, 0.0
    for i in range(len(left)):
        if left[i] > 0.0:
            found = i
            reached += left[i]
            if reached > target:
                break
    return found
