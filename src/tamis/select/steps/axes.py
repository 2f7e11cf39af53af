"""Principal axes of several scores, what is best along each, and how far the best of the axes are the same records.

Source: ODiS, "Learning from the Best, Differently" (2025). Ours, where the paper is silent: columns are standardised,
and an axis points where its loadings add up to more than 0.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.budget.interleave import interleave

__all__ = ["Axes", "axes", "in_turn", "orders", "overlap"]

_Floats = NDArray[np.float64]
_FLAT = 1e-10  # part of the variance below which an axis is rounding
_EVEN = 1e-9  # sum of loadings below which it has no sign


@dataclass(frozen=True, eq=False)
class Axes:
    """The principal axes of `n` records' scores in `m` signals.

    Attributes
    ----------
    loadings : float64 array of shape (m, c)
        Columns of length 1: what each standardised signal adds to each axis.
    explained : float64 array of shape (c,)
        Part of the variance along each axis, descending.
    points : float64 array of shape (n, c)
        The records along the axes, of mean 0 and variance 1.
    """

    loadings: _Floats
    explained: _Floats
    points: _Floats


def axes(scores: Any, components: int = 4) -> Axes:
    """Return up to `components` principal axes of `n x m` scores.

    Axes without variance are left out; of constants alone there is one, along which all are 0. Sums
    run down the rows as given: sort them for results that do not depend on their order to the last bit.

    Raises
    ------
    InputError
        `scores` is no `n x m` array of finite numbers.
    """
    x = np.asarray(scores, np.float64)
    if x.ndim != 2 or not x.size:
        raise InputError(f"odis, scores: expected n x m numbers, got an array of shape {x.shape}.")
    if not np.isfinite(x).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"odis, scores: expected finite numbers, got {x[row, column]} at record {row}.")
    columns = [_standardised(x[:, j]) for j in range(x.shape[1])]
    # Sums of NumPy are the same on any number of threads; a library's matrix product is not.
    correlation = np.array([[float((a * b).sum()) / len(x) for b in columns] for a in columns])
    variance, vectors = np.linalg.eigh(correlation)
    order = np.argsort(-variance, kind="stable")[: max(1, int(components))]
    order = order[variance[order] > _FLAT * len(columns)]
    if not len(order):
        m = len(columns)
        return Axes(np.full((m, 1), m**-0.5), np.zeros(1), np.zeros((len(x), 1)))
    loadings = np.stack([_signed(vectors[:, j]) for j in order], axis=1)
    points = np.stack([_along(columns, loadings[:, c]) for c in range(len(order))], axis=1)
    return Axes(loadings, variance[order] / variance.sum(), points / np.sqrt(variance[order]))


def overlap(found: Axes, k: int) -> tuple[float, float]:
    """Return which part of the `k` best along one axis is among those along another, on average; and by chance.

    The mean over all pairs of axes, 0 for a single one; by chance it is `k / n`.
    """
    n, count = found.points.shape
    k = min(k, n)
    best = [set(order[:k].tolist()) for order in orders(found)]
    shared = [len(a & b) / k for a, b in itertools.combinations(best, 2)]
    return (float(np.mean(shared)) if count > 1 else 0.0), k / n


def _standardised(column: _Floats) -> _Floats:
    apart = column - column.mean()
    spread = float(np.sqrt((apart * apart).sum() / len(column)))
    # What is left of a constant column is rounding: it must not be blown up.
    flat = spread <= 1e-12 * max(1.0, float(np.abs(column).max()))
    return np.zeros_like(column) if flat else apart / spread


def _signed(vector: _Floats) -> _Floats:
    """Return an axis that points up: its loadings add up to more than 0, or else its largest is positive."""
    total = float(vector.sum())
    if abs(total) < _EVEN:
        total = float(vector[np.argmax(np.abs(vector) > np.abs(vector).max() - _EVEN)])
    return -vector if total < 0 else vector


def _along(columns: list[_Floats], loading: _Floats) -> _Floats:
    total = np.zeros_like(columns[0])
    for column, part in zip(columns, loading.tolist(), strict=True):
        total += part * column
    return total


def orders(found: Axes) -> list[NDArray[np.int64]]:
    """Return for each axis the records, the best first, ties by position."""
    return [np.argsort(-found.points[:, c], kind="stable") for c in range(found.points.shape[1])]


def in_turn(found: Axes, cost: _Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all rows, each axis's best in turn, and the axis each was taken from."""
    each = orders(found)
    return interleave(each, np.full(len(each), 1.0 / len(each)), cost)
