"""Few weighted vectors that stand for many: the sum of all, from some of them.

- `caratheodory`: exact. Among more vectors than dimensions some depend on the others, so weight can be moved among them
  without changing the sum, until one has none left (Caratheodory 1907). In groups first, where there are very many, as
  in the fast form of Maalouf, Jubran and Feldman 2019. Ours: it stops at any number of vectors, and takes them in
  turn, so that weight stays spread; in each step weight moves the way in which less of it has to.
- `by_norm`: a sample in proportion to length. With repeats, as published, the weight is sum of lengths x times drawn /
  (length x draws).
- `best_mean`: of some uniform samples the one whose mean is nearest to the mean of all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import check_amount
from tamis.select.budget.fair import different, repeated

__all__ = ["best_mean", "by_norm", "caratheodory"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_MOST = 2e9  # of n (t + 1)^3, the work without groups, above which groups come first
_TINY = 1e-18  # of the whole weight: what is left where two would go at once, so that the number is as asked


def caratheodory(points: Any, weights: Any = None, k: int | None = None) -> tuple[_Ints, _Floats]:
    """Return `min(k, n)` rows of `points` (`n x t`) and weights above 0 with the weighted sum and the weight of all.

    `weights` (`n`, above 0; default 1). `k` is at least t + 1, the default. O(n t^3), or O(n t + k t^3 log n) for very
    many.

    Raises
    ------
    BudgetError
        `k` below t + 1.
    InputError
        No `n x t` finite numbers, weights that are not `n` finite numbers above 0.
    """
    points = _vectors(points)
    n, width = len(points), points.shape[1] + 1
    weight = np.ones(n) if weights is None else np.array(weights, np.float64)
    if weight.shape != (n,) or not (np.isfinite(weight) & (weight > 0)).all():
        raise InputError(f"weights: expected {n} finite numbers above 0, one a row, got an array of {weight.shape}.")
    k = width if k is None else check_amount(k)
    if k < width:
        raise BudgetError(f"caratheodory: expected k of at least {width}, one more than the columns, got {k}.")
    size = np.abs(points).max(axis=0, initial=0.0)
    full = np.column_stack([points / np.where(size > 0, size, 1.0), np.ones(n)])
    rows: _Ints = np.arange(n, dtype=np.int64)
    while len(rows) > 8 * k and len(rows) * float(width) ** 3 > _MOST:
        group = np.arange(len(rows)) * (4 * k) // len(rows)
        mass = np.bincount(group, weight[rows])
        means = np.stack([np.bincount(group, weight[rows] * column) for column in full[rows].T], axis=1) / mass[:, None]
        after = mass.copy()
        _reduce(np.ascontiguousarray(means), after, 2 * k)
        weight[rows] *= (after / mass)[group]
        rows = rows[after[group] > 0]
    left = np.asarray(weight[rows])
    _reduce(np.ascontiguousarray(full[rows]), left, k)
    return rows[left > 0], left[left > 0]


def by_norm(
    points: Any, k: int, *, repeats: bool = False, keys: NDArray[np.uint64] | None = None, seed: int = 0
) -> tuple[_Ints, _Floats]:
    """Draw rows of `points` (`n x t`) in proportion to their length and return them, each once, with their weights.

    `k` draws with `repeats`, else `min(k, n)` different rows. The weighted sum has the sum of all as its mean. Raises
    as `caratheodory`. Rows of zeros are drawn last, as they add nothing.
    """
    points, k = _vectors(points), check_amount(k)
    share = np.sqrt((points**2).sum(axis=1))
    share = np.maximum(share, 1e-12 * share.max(initial=0.0)) if share.any() else np.ones(len(points))
    if not repeats:
        return different(share, k, _keys(len(points), keys), seed, "by_norm")
    rows, weight = repeated(share, k, seed, "by_norm: repeats")
    rows, first, times = np.unique(rows, return_index=True, return_counts=True)
    return rows, weight[first] * times


def best_mean(
    points: Any, k: int, *, draws: int = 100, keys: NDArray[np.uint64] | None = None, seed: int = 0
) -> tuple[_Ints, _Floats]:
    """Return, of `draws` uniform samples of `min(k, n)` rows, that whose mean is nearest to that of `points` (`n x t`).

    All weigh n / k. Raises as `caratheodory`.
    """
    points, k = _vectors(points), check_amount(k)
    keys = _keys(len(points), keys)
    mean, least, found = points.mean(axis=0), np.inf, np.arange(0)
    for draw in range(check_amount(draws, "draws")):
        rows = np.argsort(uniforms(keys, salt(seed, f"best_mean: {draw}")), kind="stable")[:k]
        apart = float(((points[rows].mean(axis=0) - mean) ** 2).sum())
        if apart < least:
            least, found = apart, rows
    return found.astype(np.int64), np.full(len(found), len(points) / max(len(found), 1))


def _vectors(points: Any) -> _Floats:
    out = np.asarray(points, np.float64)
    if out.ndim != 2 or not np.isfinite(out).all():
        raise InputError(f"points: expected n x t finite numbers, got an array of shape {out.shape} with others.")
    return out


def _keys(n: int, keys: NDArray[np.uint64] | None) -> NDArray[np.uint64]:
    return np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1) if keys is None else keys


@njit(nogil=True, cache=True)
def _reduce(points, weight, keep):  # type: ignore[no-untyped-def]
    """Move weight among rows (the last column of `points` is 1) until `keep` have any; the others get 0."""
    n, width = points.shape
    queue, head, left = np.arange(n), 0, n  # a ring of those with weight
    count = n
    window = np.empty(width + 1, np.int64)
    matrix, moved = np.empty((width, width + 1)), np.empty(width + 1)
    place = np.empty(width + 1, np.int64)
    tiny = _TINY * weight.sum()
    while left > keep:
        for j in range(width + 1):
            window[j] = queue[(head + j) % count]
            for i in range(width):
                matrix[i, j] = points[window[j], i]
        _dependence(matrix, moved, place)
        forth, back, first, last = np.inf, np.inf, 0, 0
        for j in range(width + 1):
            if moved[j] > 0.0 and weight[window[j]] < forth * moved[j]:
                forth, first = weight[window[j]] / moved[j], j
            elif moved[j] < 0.0 and weight[window[j]] < -back * moved[j]:
                back, last = -weight[window[j]] / moved[j], j
        step, gone = (forth, first) if forth <= back else (-back, last)
        for j in range(width + 1):
            weight[window[j]] = max(weight[window[j]] - step * moved[j], tiny)
        weight[window[gone]] = 0.0
        tail = head + left
        head = (head + width + 1) % count
        left -= 1
        at = 0
        for j in range(width + 1):
            if j != gone:  # to the end of the line
                queue[(tail + at) % count] = window[j]
                at += 1


@njit(nogil=True, cache=True)
def _dependence(a, out, place):  # type: ignore[no-untyped-def]
    """Write numbers, not all 0, with which the columns of `a` (`m x m + 1`, overwritten) add up to 0."""
    m, columns = a.shape
    for j in range(columns):
        place[j] = j
    rank = 0
    for step in range(m):
        best, row, column = 0.0, step, step
        for i in range(step, m):
            for j in range(step, columns):
                if abs(a[i, j]) > best:
                    best, row, column = abs(a[i, j]), i, j
        if best <= 1e-13:
            break
        rank += 1
        place[step], place[column] = place[column], place[step]
        for i in range(m):
            a[i, step], a[i, column] = a[i, column], a[i, step]
        for j in range(columns):
            a[step, j], a[row, j] = a[row, j], a[step, j]
        for i in range(step + 1, m):
            factor = a[i, step] / a[step, step]
            for j in range(step + 1, columns):
                a[i, j] -= factor * a[step, j]
    out[:] = 0.0
    out[place[rank]] = 1.0
    for i in range(rank - 1, -1, -1):
        total = a[i, rank]
        for j in range(i + 1, rank):
            total += a[i, j] * out[place[j]]
        out[place[i]] = -total / a[i, i]
