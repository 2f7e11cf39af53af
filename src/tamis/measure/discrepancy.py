"""Star discrepancy: how far shares of records in boxes at the origin are from where they should be.

The largest difference, over all boxes [0, y), between the share of points in the box and its volume;
between two sets: between their shares in the box (in one dimension: Kolmogorov and Smirnov).

Three forms, for three sizes. *Exact*: all boxes with a corner on the grid of the points' coordinates
(Niederreiter 1972), O(n^d d). *Lower bound*: threshold accepting over that grid (after Winker and
Fang 1997), any n and d; the truth may be larger. *Sliced*: along counted random directions, in any
number of dimensions, which is another measure. The counted steps and the sliced form are ours.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import mix64, salt, uniforms
from tamis.measure.linear import dots

__all__ = ["between_sets", "sliced_discrepancy", "star_discrepancy", "star_discrepancy_bound"]

#: Boxes times points up to which the exact form starts: about a minute.
_MOST = 4e9


def star_discrepancy(points: ArrayLike) -> float:
    """Return the star discrepancy of `n` points in the unit cube (`n x d`): exact, from 1/(2n) or so to 1.

    Raises
    ------
    InputError
        No points, another shape, a coordinate outside 0 to 1.
    BudgetError
        More than 4e9 steps (n^d d): `star_discrepancy_bound` and `sliced_discrepancy` go further.
    """
    x = _cube(points)
    grid, sizes = _grid([np.append(x[:, j], 1.0) for j in range(x.shape[1])])
    return float(_exact(x[np.argsort(x[:, -1], kind="stable")], np.full(len(x), 1.0 / len(x)), grid, sizes, 1.0))


def between_sets(first: ArrayLike, second: ArrayLike) -> float:
    """Return the largest difference of the shares of two sets (`n x d`, `m x d`) in any box below a corner: exact.

    0 where both are spread alike, 1 where they can be told apart by a corner. Coordinates of any scale.

    Raises
    ------
    InputError
        No points, widths that differ, numbers not finite.
    BudgetError
        As `star_discrepancy`.
    """
    a, b = _points(first), _points(second)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"discrepancy: expected sets of one width, got {a.shape[1]} and {b.shape[1]}.")
    x = np.concatenate([a, b])
    weight = np.concatenate([np.full(len(a), 1.0 / len(a)), np.full(len(b), -1.0 / len(b))])
    order = np.argsort(x[:, -1], kind="stable")
    grid, sizes = _grid(list(x.T))
    return float(_exact(x[order], weight[order], grid, sizes, 0.0))


def star_discrepancy_bound(points: ArrayLike, steps: int = 20_000, seed: int = 0) -> float:
    """Return a lower bound of the star discrepancy of `n x d` points in the unit cube: O(steps n d).

    Threshold accepting: a corner of the grid moves in some coordinates, and stays where the box is
    not worse by more than a threshold that falls to 0. The more steps the nearer to the truth.

    Raises
    ------
    InputError
        As `star_discrepancy`.
    OptionError
        Fewer than one step.
    """
    x = _cube(points)
    if steps < 1:
        raise OptionError(f"discrepancy: expected at least one step, got {steps}.")
    grid, sizes = _grid([np.append(x[:, j], 1.0) for j in range(x.shape[1])])
    return float(_accepting(x, grid, sizes, steps, salt(seed, "discrepancy")))


def sliced_discrepancy(first: ArrayLike, second: ArrayLike, directions: int = 64, seed: int = 0) -> tuple[float, float]:
    """Return mean and largest difference of the distributions of two sets along counted random directions.

    Along each, the largest difference of the shares below a value. O(directions (n + m) (d + log n)).
    Of two random samples of n and m of one population it is about sqrt(1/n + 1/m), not 0.

    Raises
    ------
    InputError
        As `between_sets`.
    OptionError
        Fewer than one direction.
    """
    a, b = _points(first), _points(second)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"discrepancy: expected sets of one width, got {a.shape[1]} and {b.shape[1]}.")
    if directions < 1:
        raise OptionError(f"discrepancy: expected at least one direction, got {directions}.")
    keys = np.zeros((directions * a.shape[1], 2), np.uint64)
    keys[:, 1] = np.arange(len(keys))
    u, v = (uniforms(keys, salt(seed, f"discrepancy: direction {part}")) for part in (1, 2))
    along = (np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * math.pi * v)).reshape(directions, -1)
    left, right = np.sort(dots(along, a), axis=1), np.sort(dots(along, b), axis=1)
    found = np.empty(directions)
    for i in range(directions):
        values = np.concatenate([left[i], right[i]])
        below = [np.searchsorted(side[i], values, side="right") / side.shape[1] for side in (left, right)]
        found[i] = np.abs(below[0] - below[1]).max()
    return float(found.mean()), float(found.max())


def _points(points: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(points, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise InputError(f"discrepancy: expected n x d finite numbers, got an array of shape {x.shape}.")
    return x


def _cube(points: ArrayLike) -> NDArray[np.float64]:
    x = _points(points)
    if x.min() < 0 or x.max() > 1:
        raise InputError(f"discrepancy: expected coordinates from 0 to 1, got {x.min():g} to {x.max():g}.")
    return x


def _grid(columns: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the different values of each column, ascending, in rows of one length, and how many there are."""
    values = [np.unique(column) for column in columns]
    sizes = np.array([len(value) for value in values], np.int64)
    grid = np.zeros((len(values), int(sizes.max())))
    for row, value in zip(grid, values, strict=True):
        row[: len(value)] = value
    return grid, sizes


@njit(nogil=True, cache=True)
def _largest(
    x: NDArray[np.float64], weight: NDArray[np.float64], grid: NDArray[np.float64], sizes: NDArray[np.int64],
    volume: float,
) -> float:  # fmt: skip
    """Go through all corners: those of all but the last coordinate in turn, the last by a sweep over sorted points."""
    n, d = x.shape
    total = 1
    for j in range(d - 1):
        total *= sizes[j]
    best = 0.0
    at = np.empty(d)
    for code in range(total):
        rest, size = code, volume
        for j in range(d - 1):
            at[j] = grid[j, rest % sizes[j]]
            rest //= sizes[j]
            size *= at[j]
        inside, closed, i = 0.0, 0.0, 0
        for g in range(sizes[d - 1]):
            end = grid[d - 1, g]
            if volume > 0.0:
                best = max(best, size * end - inside)
            opened = inside
            while i < n and x[i, d - 1] <= end:
                touches, within = True, True
                for j in range(d - 1):
                    touches = touches and x[i, j] <= at[j]
                    within = within and x[i, j] < at[j]
                closed += weight[i] if touches else 0.0
                opened += weight[i] if within else 0.0
                i += 1
            best = max(best, closed - size * end if volume > 0.0 else abs(closed))
            inside = opened
    return best


def _exact(
    x: NDArray[np.float64], weight: NDArray[np.float64], grid: NDArray[np.float64], sizes: NDArray[np.int64],
    volume: float,
) -> float:  # fmt: skip
    steps = float(np.prod(sizes[:-1].astype(np.float64))) * len(x) * x.shape[1]
    if steps > _MOST:
        raise BudgetError(
            f"discrepancy: {len(x):,} points in {x.shape[1]} dimensions take {steps:.2g} steps, the exact form does "
            f"at most {_MOST:.0e}. Take fewer points or dimensions, or the bound or the sliced form."
        )
    return float(_largest(np.ascontiguousarray(x), weight, grid, sizes, volume))


@njit(nogil=True, cache=True)
def _worth(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the difference at one corner: the larger of the open box's lack and the closed box's excess."""
    n, d = x.shape
    inside, closed, size = 0, 0, 1.0
    for j in range(d):
        size *= y[j]
    for i in range(n):
        touches, within = True, True
        for j in range(d):
            touches = touches and x[i, j] <= y[j]
            within = within and x[i, j] < y[j]
            if not touches:
                break
        closed += touches
        inside += within and touches
    lack, excess = size - inside / n, closed / n - size
    return float(lack if lack > excess else excess)


@njit(nogil=True, cache=True)
def _accepting(
    x: NDArray[np.float64], grid: NDArray[np.float64], sizes: NDArray[np.int64], steps: int, salted: np.uint64
) -> float:
    d = x.shape[1]
    place = np.empty(d, np.int64)
    y, trial, moved = np.empty(d), np.empty(d), np.empty(d, np.int64)
    number = salted
    best = 0.0
    runs = 4
    for _ in range(runs):
        for j in range(d):
            number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
            place[j] = sizes[j] - 1 - np.int64(number % np.uint64(max(1, sizes[j] // (d if d > 1 else 1))))
            y[j] = grid[j, place[j]]
        here = _worth(x, y)
        best = max(best, here)
        for step in range(steps // runs):
            left = 1.0 - step / max(1, steps // runs)
            for j in range(d):
                moved[j], trial[j] = place[j], y[j]
            for _ in range(1 + int(left * (min(d, 4) - 1))):
                number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
                j = int(number % np.uint64(d))
                width = 1 + int(left * sizes[j] / 4)
                number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
                to = place[j] - width + int(number % np.uint64(2 * width + 1))
                moved[j] = min(max(to, 0), sizes[j] - 1)
                trial[j] = grid[j, moved[j]]
            found = _worth(x, trial)
            best = max(best, found)
            if found >= here - 0.1 * left * best:
                here = found
                for j in range(d):
                    place[j], y[j] = moved[j], trial[j]
    return best
