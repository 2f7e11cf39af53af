"""A pool too large to be judged at once: dealt into parts, of which each proposes what it would choose.

The choice is then made among the proposals (after GreeDi, Mirzasoleiman et al. 2013). Parts are dealt by key, so that
nothing is random and the order of the pool does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling

__all__ = ["PROPOSED", "dealt", "inside"]

PROPOSED = 2
"""Proposals of all parts, in multiples of the budget."""

_Ints = NDArray[np.int64]


def dealt(rows: _Ints, keys: NDArray[np.uint64], count: int, method: str) -> list[_Ints]:
    """Return `count` parts of `rows` of the pool, ascending, by the keys (`n x 2`) of its records."""
    order = rows[np.argsort(uniforms(keys[rows], salt(0, method)), kind="stable")]
    return [np.sort(part) for part in np.array_split(order, count)]


def inside(filling: Filling, part: _Ints, each: int) -> Filling:
    """Return a budget of `each` of those records of a part that may still be taken."""
    drop = ~filling.open[part]
    return Constraints(Budget("rows", each), drop=drop).open(len(part))
