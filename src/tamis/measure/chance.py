"""Chance beside every figure: random selections of the same budget, and a figure's place among theirs.

A random selection takes records in the order of counted random numbers (`kernels.hashing`), which
is the order of the method `random` under the same seed, until the budget is used up. If choosing
did nothing, the figure of a selection would be as likely in any place among those of `m` random
ones: outside their range with probability 2 / (m + 1). That holds for any measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms

__all__ = ["Place", "draw", "place"]

_BINS, _BLOCK = 4096, 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure stands among `of` random ones: how many are `below` it, and how many `above`."""

    below: int
    above: int
    of: int

    @property
    def outside(self) -> bool:
        """Whether it lies outside the range of all random ones."""
        return bool(self.of) and self.of in (self.below, self.above)


def place(figure: float, random: ArrayLike) -> Place:
    """Return the place of a figure among random ones; differences by rounding alone (1e-9) are none."""
    found = np.asarray(random, np.float64)
    near = 1e-9 * max(abs(figure), 1e-300)
    return Place(int((found < figure - near).sum()), int((found > figure + near).sum()), len(found))


def draw(
    keys: NDArray[np.uint64], budget: float, seed: int, cost: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the rows (ascending) of a random selection of `n` records that fits the budget.

    O(n), and memory for what is taken: numbers are sorted only around the line.

    Parameters
    ----------
    keys : uint64 array of shape (n, 2)
        High and low word of each record's key.
    budget : float
        Records; or the most that the `cost` of the records may add up to.
    seed : int
        As of the method `random`, which with a budget of records chooses the same.
    cost : int64 array of shape (n,), optional
        What each record takes of the budget. Records are taken in order up to the first that does
        not fit.

    Raises
    ------
    InputError
        Costs of another length.
    """
    if cost is not None and len(cost) != len(keys):
        raise InputError(f"random selection: expected {len(keys)} costs, one a record, got {len(cost)}.")
    salted = salt(seed, "random")
    used = np.zeros(_BINS)
    for start in range(0, len(keys), _BLOCK):
        bins = _bins(uniforms(keys[start : start + _BLOCK], salted))
        used += np.bincount(bins, None if cost is None else cost[start : start + _BLOCK], _BINS)
    used = np.cumsum(used)
    line = int(np.searchsorted(used, budget, side="right"))  # the first bin that does not fit whole
    taken, inside, places = [], [], []
    for start in range(0, len(keys), _BLOCK):  # numbers are counted: to hash them again is to have kept them
        numbers = uniforms(keys[start : start + _BLOCK], salted)
        bins = _bins(numbers)
        taken.append(np.flatnonzero(bins < line) + start)
        at = np.flatnonzero(bins == line)
        inside.append(at + start)
        places.append(numbers[at])
    rows = np.concatenate(inside) if inside else np.empty(0, np.int64)
    rows = rows[np.argsort(np.concatenate(places), kind="stable")] if len(rows) else rows
    each = np.ones(len(rows)) if cost is None else cost[rows]
    before = used[line - 1] if line else 0.0
    more = rows[: int(np.searchsorted(np.cumsum(each) + before, budget, side="right"))]
    return np.sort(np.concatenate([*taken, more])).astype(np.int64)


def _bins(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    return (numbers * _BINS).astype(np.int64)
