"""Sets drawn by volume: which directions (elementary symmetric polynomials), then a row for each of them.

Sources: Kulesza and Taskar 2011 (k-DPP: eigenvectors in proportion to the product of their values); Hough, Krishnapur,
Peres and Virag 2006 (a row for each). Ours: polynomials in logarithms, so that none overflows; rows drawn through
directions of the features, so that nothing of `n x k` is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.steps.determinantal import Rows, counted, leverage, spectrum

__all__ = ["Samples", "chances", "drawn", "polynomials", "samples", "scaled", "which"]

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


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows drawn in one sample or several.

    Attributes
    ----------
    rows : int64 array of shape (k,)
        In the order of drawing.
    chance : float64 array of shape (n,)
        The probability of a row to be in the first sample, or of one of a further sample to be in that; else NaN.
    rank, count, products : int
        How many directions the first sample had to draw from, how many samples there are, and how many products of a
        row with a direction that took.
    """

    rows: _Ints
    chance: _Floats
    rank: int
    count: int
    products: int


def samples(rows: Rows, beside: _Floats, most: int | None, leading: bool, seed: int, purpose: str) -> Samples:
    """Return `most` rows, drawn beside some directions (`m x d`), and where these are too few, further samples.

    Without `most` one sample, as large as it can be. `leading`: by the leading directions instead of drawn ones.
    Factors of the rows that are drawn become 0, so that no row is drawn twice.
    """
    found: list[_Ints] = []
    chance, rank, products = np.full(len(rows), np.nan), 0, 0
    left = len(rows) if most is None else most
    while left and rows.factor.any():
        values, directions = spectrum(rows, None if found else beside)
        k = min(left, len(values))
        if not k:
            break
        turn = f"{purpose} {len(found)}"
        taken = np.arange(k) if leading else which(values, k, seed, turn)
        share = np.where(np.arange(len(values)) < k, 1.0, 0.0) if leading else chances(values, k)
        real = share > 0
        told = leverage(rows, directions[real] * np.sqrt(share[real] / values[real])[:, None])
        sample = drawn(rows, scaled(values, directions, taken), seed, f"{turn}: rows")
        some = sample if found else rows.factor > 0
        chance[some] = told[some]
        products += len(rows) * (len(values) + int(real.sum()) + 2 * k)
        rank = rank or len(values)
        found.append(sample)
        rows.factor[sample] = 0.0
        left = 0 if most is None else left - len(sample)
    return Samples(np.concatenate([np.empty(0, np.int64), *found]), chance, rank, len(found), products)


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
