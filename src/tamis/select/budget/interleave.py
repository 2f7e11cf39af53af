"""Several orders of one pool merged into one, each with its share of every prefix.

Ours: a budget that cuts the merged order anywhere, in rows or tokens, gives each order its share
to about one record, and so does a quota that strikes records out of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.budget.constraints import Constraints

__all__ = ["interleave", "rows_of_each", "units"]

_Floats = NDArray[np.float64]


def interleave(
    orders: Sequence[NDArray[np.int64]], shares: NDArray[np.float64], cost: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the records of `orders`, each once, in proportion, and the order each was taken from.

    Parameters
    ----------
    orders : sequence of `t` int64 arrays
        Positions below `n`, best first; they may overlap and be of unequal lengths.
    shares : float64 array of shape (t,)
        Add up to 1. An order of share 0 comes when the others are used up.
    cost : float64 array of shape (n,)
        What each record takes of the budget.
    """
    starts = np.cumsum([0] + [len(order) for order in orders])
    return _walk(np.concatenate(orders), starts, shares, cost)  # type: ignore[no-any-return]


def rows_of_each(constraints: Constraints | None, shares: _Floats, n: int, eligible: int) -> list[int | None]:
    """Return how many of `n` records each of some `shares` takes: floors, the last also the remainder.

    No more than are `eligible` in all. None where the budget is not in rows, or there is none.
    """
    if constraints is None or constraints.budget.unit == "tokens":
        return [None] * len(shares)
    dropped = 0 if constraints.drop is None else int(constraints.drop.sum())
    k = min(constraints.budget.rows(n - dropped), eligible)
    each = [int(k * p) for p in shares]
    each[-1] += k - sum(each)
    return list(each)


def units(constraints: Constraints | None, n: int) -> _Floats:
    """Return what each of `n` records takes of the budget: tokens, or 1 where it is in rows or there is none."""
    if constraints is None or constraints.cost is None or constraints.budget.unit == "rows":
        return np.ones(n)
    return np.asarray(constraints.cost, np.float64)


@njit(nogil=True, cache=True)
def _walk(rows, starts, shares, cost):  # type: ignore[no-untyped-def]
    """Take, again and again, the next record of the order that is furthest behind its share.

    `rows[starts[j]:starts[j + 1]]` is order `j`. Of those equally far behind, the one with the
    larger share, then the first.
    """
    taken = np.zeros(len(cost), np.bool_)
    at = starts[:-1].copy()
    spent = np.zeros(len(shares))
    total = 0.0
    out = np.empty(len(rows), np.int64)
    whose = np.empty(len(rows), np.int64)
    k = 0
    while True:
        best = -1
        lag = 0.0
        for j in range(len(shares)):
            while at[j] < starts[j + 1] and taken[rows[at[j]]]:
                at[j] += 1
            if at[j] == starts[j + 1]:
                continue
            behind = shares[j] * total - spent[j]
            if best >= 0 and (shares[j] == 0 or (shares[best] > 0 and behind < lag)):
                continue
            if best >= 0 and behind == lag and shares[j] <= shares[best]:
                continue
            best, lag = j, behind
        if best < 0:
            return out[:k], whose[:k]
        row = rows[at[best]]
        taken[row] = True
        spent[best] += cost[row]
        total += cost[row]
        out[k] = row
        whose[k] = best
        k += 1
