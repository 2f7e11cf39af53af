"""The compiled walk that fills a budget: one pass down an order, a verdict for every record.

A record is taken when it fits the budget and the caps and, for every quota field on its own,
what its floors still need fits into what would be left. Each test is O(1): the walk keeps, per
group, what is used and what is unmet, and per field the sum of what is unmet.

Where a token budget meets a floor in rows, what a group still needs is the cost of its cheapest
undecided records. These are marked beforehand; a marked record is taken when it comes by, and a
record taken out of turn frees the dearest marked one. So that, too, is O(1), amortised.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["CHOSEN", "FULL", "NO_ROOM", "RESERVED", "Limits", "State", "reserve", "walk"]

CHOSEN, NO_ROOM, RESERVED, FULL = 0, 4, 5, 16
"""Verdicts; `FULL + g`: group `g` has no room. 1 to 3 and 6 belong to the constraints."""

_Ints = NDArray[np.int64]


class Limits(NamedTuple):
    """What the walk may not break: bounds per group (`G`), and per cell (empty when there are none).

    `cell` (`n` or 0, int32) is each record's cell; a record is refused when it costs more than
    its cell's `cell_limit`.
    """

    cap: _Ints
    floor: _Ints
    row_cap: _Ints
    cell: NDArray[np.int32]
    cell_limit: _Ints


class State(NamedTuple):
    """Where the walk stands; changed in place.

    `used`, `used_rows`, `short` (rows a floor still lacks), `held` (cost of the marked records)
    and `top` are per group; `need` is per field, in units; `total` holds what is spent, the
    budget and the least cost of any record. `mark` (`F x n`, or `F x 0` without such floors)
    says which records are held; `stack` lists them per group by cost, dearest last, `top`
    being each group's last.
    """

    used: _Ints
    used_rows: _Ints
    need: _Ints
    total: _Ints
    short: _Ints
    held: _Ints
    top: _Ints
    mark: NDArray[np.bool_]
    stack: _Ints

    def copy(self) -> State:
        """Return a state that can be changed without changing this one."""
        parts = {name: part.copy() for name, part in self._asdict().items()}
        return State(**parts)


@njit(nogil=True, cache=True)
def walk(order, start, stop, cost, group, limits, state, status):  # type: ignore[no-untyped-def]
    """Walk `order[start:stop]`, taking what can be taken.

    Parameters
    ----------
    order : int64 array
        Positions in the pool.
    start, stop : int
        The stretch of `order` to walk.
    cost : int64 array of shape (n,)
        In the budget's unit (1 for rows).
    group : int32 array of shape (F, n)
        The group of each record in each quota field.
    limits : Limits
        What may not be broken.
    state : State
        Changed in place.
    status : int32 array of shape (n,)
        Changed in place: the verdict on every record walked.
    """
    # Arrays taken out of the tuples once: inside the loop each access would count references.
    cap, floor, row_cap, cell, cell_limit = limits
    used, used_rows, need, total, short, held, top, mark, stack = state
    fields = group.shape[0]
    held_after = np.zeros(fields, np.int64)
    need_after = np.zeros(fields, np.int64)
    spent, limit, least = total[0], total[1], total[2]
    for p in range(start, stop):
        i = order[p]
        if limit - spent < least:
            status[i] = NO_ROOM
            continue
        c = cost[i]
        left = limit - spent - c
        if left < 0:
            status[i] = NO_ROOM
            continue
        code = CHOSEN
        for f in range(fields):
            g = group[f, i]
            stays = held[g]
            if short[g] > 0:
                while not mark[f, stack[top[g]]]:
                    top[g] -= 1
                stays -= c if mark[f, i] else cost[stack[top[g]]]
            if used[g] + c + stays > cap[g] or used_rows[g] >= row_cap[g]:
                code = FULL + g
                break
            unmet = max(0, floor[g] - used[g])
            held_after[f] = stays
            need_after[f] = need[f] - max(unmet, held[g]) + max(unmet - c, stays)
            if need_after[f] > left:
                code = RESERVED
                break
        if code == CHOSEN and cell.size > 0 and c > cell_limit[cell[i]]:
            code = RESERVED
        status[i] = code
        if code != CHOSEN:
            continue
        spent += c
        for f in range(fields):
            g = group[f, i]
            if short[g] > 0:
                mark[f, i if mark[f, i] else stack[top[g]]] = False
                short[g] -= 1
                held[g] = held_after[f]
            need[f] = need_after[f]
            used[g] += c
            used_rows[g] += 1
    total[0] = spent


def reserve(
    order: _Ints, cost: _Ints, group: NDArray[np.int32], short: _Ints
) -> tuple[_Ints, _Ints, NDArray[np.bool_], _Ints]:
    """Return `held`, `top`, `mark`, `stack`: the `short[g]` cheapest records of each group, held back.

    Groups have at least that many records in `order`. Equal costs go by place in `order`.
    """
    held, top = np.zeros_like(short), np.zeros_like(short)
    if not short.any():
        return held, top, np.zeros((len(group), 0), np.bool_), np.empty(0, np.int64)
    mark = np.zeros(group.shape, np.bool_)
    by_cost = order[np.argsort(cost[order], kind="stable")]
    parts, size = [], 0
    for f in range(len(group)):
        wanted = by_cost[short[group[f, by_cost]] > 0]
        wanted = wanted[np.argsort(group[f, wanted], kind="stable")]
        groups, first = np.unique(group[f, wanted], return_index=True)
        for g, at in zip(groups.tolist(), first.tolist(), strict=True):
            cheapest = wanted[at : at + short[g]]
            parts.append(cheapest)
            size += len(cheapest)
            mark[f, cheapest] = True
            held[g], top[g] = cost[cheapest].sum(), size - 1
    return held, top, mark, np.concatenate([np.empty(0, np.int64), *parts])
