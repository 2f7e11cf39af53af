"""Weights that make sums over a sample fair, whatever filled the budget.

Each record arrives at a time of its own, a uniform number over its share: the larger the share, the earlier. The
budget is filled in the order of arrival. A chosen record would have been chosen too had it come at any time before
the first record that takes its place when it is left out; over the probability of that, a record's number counts
fairly. Source: priority sampling (Duffield, Lund and Thorup 2007), where the budget is a number of rows. That the same
rule holds for tokens, which may skip a record and take a later one, and for a quota is ours: what is in never makes
room, so a record that has become impossible stays so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.errors import BudgetError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints

__all__ = ["Proportional", "arrivals", "different", "repeated", "weights"]

_TRIALS = 300_000_000  # records looked at in trial fills, for quotas in tokens
_LEVELS = 32

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def arrivals(share: _Floats, keys: NDArray[np.uint64], seed: int, purpose: str) -> tuple[_Floats, _Ints]:
    """Return when each of `n` records arrives, and those of a positive share in that order (ties: lower position)."""
    with np.errstate(divide="ignore", over="ignore"):
        time = uniforms(keys, salt(seed, purpose)) / share
    some = np.flatnonzero(share > 0)
    return time, some[np.argsort(time[some], kind="stable")]


def weights(share: _Floats, time: _Floats, order: _Ints, chosen: Chosen, constraints: Constraints) -> _Floats:
    """Return the weight of each of `n` records, 0 where not chosen.

    A weighted sum over the chosen has the sum over all of `order` as its mean, for rows, for tokens and for rows with
    quotas on one field. With several fields, or quotas in tokens, it is close to that: records of the same groups share
    a trial, and what a budget of tokens holds back for a floor is released in another order. Must-keep records weigh 1
    and stand for themselves alone; must-drop records stand for nothing.
    """
    n, inside = len(share), chosen.rank >= 0
    keep, drop = constraints.pins(n)
    order = order[~(keep | drop)[order]]
    taken = inside[order]
    cost = np.ones(n, np.int64) if constraints.budget.unit == "rows" else np.asarray(constraints.cost).astype(np.int64)
    if constraints.quotas:
        until = _with_quotas(time, order, inside, constraints)
    else:
        free = int(constraints.budget.amount) - int(cost[keep].sum()) if constraints.budget.unit == "tokens" else 0
        room = free - np.cumsum(np.where(taken, cost[order], 0)) if constraints.budget.unit == "tokens" else 0
        over = np.where(taken, np.iinfo(np.int64).max, cost[order] - room)
        until = np.full(n, np.inf)
        _replaced(time[order], cost[order], taken, over, until, order)
    out = np.where(inside, 1.0, 0.0)
    rows = order[taken]
    out[rows] = 1.0 / np.minimum(share[rows] * until[rows], 1.0)
    return out


def repeated(share: _Floats, k: int, seed: int, purpose: str) -> tuple[_Ints, _Floats]:
    """Draw `k` positions in proportion to `share`, some maybe more than once; return them and weights 1 / (k p)."""
    keys = np.zeros((k, 2), np.uint64)
    keys[:, 0] = np.arange(k)
    reached = np.cumsum(share)
    some = np.flatnonzero(share > 0)
    at = np.searchsorted(reached[some], uniforms(keys, salt(seed, purpose)) * reached[-1], side="right")
    rows = some[np.minimum(at, len(some) - 1)]
    return rows, reached[-1] / share[rows] / k


def different(share: _Floats, k: int, keys: NDArray[np.uint64], seed: int, purpose: str) -> tuple[_Ints, _Floats]:
    """Draw at most `k` different positions in proportion to `share`; return them and weights that make sums fair."""
    time, order = arrivals(share, keys, seed, purpose)
    rows = order[:k]
    until = time[order[k]] if k < len(order) else np.inf
    return rows, 1.0 / np.minimum(share[rows] * until, 1.0)


class Proportional(Selector):
    """A method that draws each record in proportion to a share, and weighs it."""

    weigh = True

    def shares(self, pool: Pool, seed: int) -> tuple[_Floats, NDArray[np.int8], tuple[str, ...]]:
        """Return each record's share (`n`, at least 0), why those of share 0 are set aside, and the reasons."""
        raise NotImplementedError

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by arrival; the score is the share over the mean share."""
        return self._ranked(pool, seed)[0]

    def _ranked(self, pool: Pool, seed: int) -> tuple[Ranking, _Floats, _Floats]:
        share, aside, asides = self.shares(pool, seed)
        time, order = arrivals(share, pool.keys, seed, self.name)
        total = float(np.cumsum(share)[-1]) if len(share) else 0.0
        score = share * len(share) / total if total > 0 else np.zeros(len(share))
        return Ranking(order, score, f"{self.name}: drawn in proportion", aside, asides), share, time

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Draw as many as the budget takes, and weigh them so that weighted sums are those of the pool in the mean."""
        constraints.validate(len(pool))
        ranking, share, time = self._ranked(pool, seed)
        chosen = self.filled(ranking, constraints, len(pool))
        if not self.weigh:
            return chosen
        return replace(chosen, weight=weights(share, time, ranking.order, chosen, constraints))


def _with_quotas(time: _Floats, order: _Ints, inside: NDArray[np.bool_], constraints: Constraints) -> _Floats:
    """Return until when each chosen record might have come: trial fills, one a combination of groups (and length)."""
    n = len(time)
    cell = np.zeros(n, np.int64)
    for name in dict.fromkeys(quota.field for quota in constraints.quotas):
        groups = constraints.groups[name]
        cell = np.unique(cell * len(groups.names) + groups.codes, return_inverse=True)[1].reshape(-1)
    until, rows = np.full(n, np.inf), order[inside[order]]
    if constraints.budget.unit == "tokens":  # each by itself; where that is too much work, those of about one length
        alone = len(rows) * n <= _TRIALS
        level = np.arange(len(rows)) if alone else rankdata(np.asarray(constraints.cost)[rows]) * _LEVELS // len(rows)
        cell[rows] = np.unique(np.stack([cell[rows], level]), axis=1, return_inverse=True)[1].reshape(-1)
    for one in np.unique(cell[rows]).tolist():
        alike = rows[cell[rows] == one]
        try:
            found = constraints.fill(order[order != alike[0]], n).rows
        except BudgetError:  # a floor needs it: it was certain to come
            continue
        new = found[~inside[found]]
        until[alike] = float(time[new].min()) if len(new) else np.inf
    return until


@njit(nogil=True, cache=True)
def _replaced(time, cost, taken, over, until, order):  # type: ignore[no-untyped-def]
    """Write when the first record comes that was refused, and would not be without the one taken.

    `over` tells by how much a refused record exceeded the room there was. The last that a budget refused is found
    from the end: a stack of the refused that no earlier one, nearer to fitting, stands before.
    """
    stack = np.empty(len(order), np.int64)
    top = 0
    for at in range(len(order) - 1, -1, -1):
        if not taken[at]:
            while top and over[stack[top - 1]] >= over[at]:
                top -= 1
            stack[top] = at
            top += 1
            continue
        low, high = 0, top  # over falls from the top of the stack to its bottom; the nearest that fits is wanted
        while low < high:
            middle = (low + high) // 2
            if over[stack[middle]] <= cost[at]:
                low = middle + 1
            else:
                high = middle
        if low:
            until[order[at]] = time[stack[low - 1]]
