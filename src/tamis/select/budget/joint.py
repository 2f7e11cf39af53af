"""Quotas on several fields at once: the same greedy order, with a solver asked now and then.

Records that share their group in every field are one *cell*. Whether a partial choice can still
be completed depends only on what is left in the cells, so it is a small integer programme
(rows: a count per cell) or linear programme (tokens: an amount per cell).

The choice is the greedy one: a record is taken exactly when the records taken so far and it can
be completed, so for rows it is the first feasible choice in the order of the ranking. Taking
more only ever shrinks what can be completed; hence the longest stretch of the order that can be
taken whole is found by bisection, and a cell that refused a record refuses all that follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds as Box
from scipy.optimize import LinearConstraint, milp

from tamis.errors import BudgetError, TamisError
from tamis.select.budget.feasibility import Task
from tamis.select.budget.filler import CHOSEN, RESERVED, Limits, State, walk
from tamis.select.budget.quotas import NO_CAP

__all__ = ["Joint"]

_CLASSES = 4  # cost classes a cell is split into where rows and tokens are both bounded
_SLACK = 1e-6


class Joint:
    """The cells of `task` and the programme over them.

    Attributes
    ----------
    cell : int32 array of shape (n,)
        The cell of each record of `task.rest` (0 for others).
    capacity : int64 array
        What each cell holds, in units.

    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.cell, first = _cells(task)
        self.capacity = np.zeros(len(first), np.int64)
        np.add.at(self.capacity, self.cell[task.rest], task.cost[task.rest])
        rows = np.bincount(self.cell[task.rest], minlength=len(first))
        self._per_row = rows / np.maximum(self.capacity, 1)
        self._matrix, self._sides = self._programme(task.group[:, first])
        self._plan: NDArray[np.float64] | None = None  # a completion, and what was taken when it was found
        self._plan_at = np.zeros(len(first), np.int64)

    def _programme(self, groups: NDArray[np.int32]) -> tuple[sparse.csr_array, list[tuple[int, str]]]:
        """Return the constraint matrix (bounded groups, then the total) and what each line bounds."""
        bounds, total = self.task.bounds, len(self.task.bounds.names)
        lines = np.arange(groups.shape[1])
        incidence = sparse.csr_array((total, len(lines)))
        for codes in groups:
            incidence = incidence + sparse.csr_array((np.ones(len(lines)), (codes, lines)), (total, len(lines)))
        parts, sides = [], []
        for kind, scale in (("", np.ones(len(lines))), ("row_", self._per_row)):
            floor, cap = getattr(bounds, f"{kind}floor"), getattr(bounds, f"{kind}cap")
            bounded = np.flatnonzero((floor > 0) | (cap < NO_CAP))
            sides += [(int(g), kind) for g in bounded]
            parts.append(incidence[bounded] * scale[None, :])
        parts.append(sparse.csr_array(np.ones((1, len(lines)))))
        return sparse.csr_array(sparse.vstack(parts, format="csr")), sides

    def _edges(self, state: State) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the lines of the programme must lie between, given what is used."""
        bounds = self.task.bounds
        low, high = [], []
        for g, kind in self._sides:
            used = state.used_rows[g] if kind else state.used[g]
            floor, cap = getattr(bounds, f"{kind}floor")[g], getattr(bounds, f"{kind}cap")[g]
            low.append(max(0, int(floor - used)))
            high.append(np.inf if cap >= NO_CAP else int(cap - used))
        left = int(state.total[1] - state.total[0])
        return np.array([*low, left if self.task.unit == "rows" else 0.0], float), np.array([*high, left], float)

    def _solve(
        self, state: State, taken: NDArray[np.int64], objective: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        low, high = self._edges(state)
        found = milp(
            objective,
            integrality=np.full(len(objective), int(self.task.unit == "rows")),
            bounds=Box(np.zeros(len(objective)), (self.capacity - taken).astype(float)),
            constraints=LinearConstraint(self._matrix, low, high),
        )
        if found.status == 2:
            return None
        if found.x is None:
            raise TamisError(f"quotas: expected an answer from the solver, got: {found.message}")
        return np.asarray(found.x)

    def feasible(self, state: State, taken: NDArray[np.int64]) -> bool:
        """Say whether what is taken (`taken` units of each cell, `state`) can be completed."""
        if self._plan is not None and (taken - self._plan_at <= self._plan + _SLACK).all():
            return True  # the last completion still goes on from here
        plan = self._solve(state, taken, np.zeros(len(taken)))
        if plan is None:
            return False
        self._plan, self._plan_at = plan, taken
        return True

    def check(self, state: State) -> None:
        """Raise BudgetError naming the quota that is furthest from holding, if they cannot all hold."""
        if not self.feasible(state, np.zeros_like(self.capacity)):
            g, kind, gap = self._blame(state)
            bound = f"{kind}floor" if gap > 0 else f"{kind}cap"
            unit = "rows" if kind else self.task.unit
            raise BudgetError(
                f"{self.task.bounds.label(g, bound)} cannot hold together with the other quotas: "
                f"{abs(gap)} {unit} {'short' if gap > 0 else 'too many'}. Loosen it or one on another field."
            )

    def _blame(self, state: State) -> tuple[int, str, int]:
        """Return the largest violation when the sum of violations is least: (group, kind, gap).

        The gap is positive for a floor and negative for a cap.
        """
        low, high = self._edges(state)
        cells, lines = len(self.capacity), len(self._sides)
        give = sparse.vstack([sparse.eye_array(lines), sparse.csr_array((1, lines))])
        size = cells + 2 * lines
        found = milp(
            np.r_[np.zeros(cells), np.ones(2 * lines)],
            integrality=np.full(size, int(self.task.unit == "rows")),
            bounds=Box(np.zeros(size), np.r_[self.capacity.astype(float), np.full(2 * lines, np.inf)]),
            constraints=LinearConstraint(sparse.hstack([self._matrix, give, -give], format="csr"), low, high),
        )
        if found.x is None:
            raise TamisError(f"quotas: expected an answer from the solver, got: {found.message}")
        gap = found.x[cells : cells + lines] - found.x[cells + lines :]
        worst = int(np.abs(gap).argmax())
        g, kind = self._sides[worst]
        return g, kind, int(np.sign(gap[worst]) * np.ceil(abs(gap[worst]) - _SLACK))

    def _close(self, record: int, state: State, taken: NDArray[np.int64]) -> int:
        """Return the highest cost the cell of the refused `record` can still take (-1: none)."""
        cost = int(self.task.cost[record])
        if self.task.unit == "rows":
            return 0
        objective = np.zeros(len(taken))
        objective[self.cell[record]] = -1.0
        plan = self._solve(state, taken, objective)
        widest = 0.0 if plan is None else float(plan[self.cell[record]])
        return min(cost - 1, int(np.floor(widest + _SLACK)))

    def fill(self, limits: Limits, state: State, status: NDArray[np.int32]) -> State:
        """Walk the task's order, keeping it completable; return the last state, write `status`.

        `state` must be feasible.
        """
        task, stop = self.task, len(self.task.rest)
        taken = np.zeros_like(self.capacity)
        closing = np.full(len(self.capacity), NO_CAP, np.int64)
        limits = limits._replace(cell=self.cell, cell_limit=closing)
        none = stop + 2  # further than the place after the last
        at, step, refused = 0, 1, none
        while at < stop:
            upto = min(at + step, stop) if refused == none else (at + refused) // 2
            trial = state.copy()
            walk(task.rest, at, upto, task.cost, task.group, limits, trial, status)
            walked = task.rest[at:upto]
            walked = walked[status[walked] == CHOSEN]
            new = taken.copy()
            np.add.at(new, self.cell[walked], task.cost[walked])
            if self.feasible(trial, new):
                at, state, taken, step = upto, trial, new, step * 2
            else:
                refused = upto
            if refused == at + 1:
                record = int(task.rest[at])
                status[record] = RESERVED
                closing[self.cell[record]] = self._close(record, state, taken)
                at, step, refused = refused, 1, none
        return state


def _cells(task: Task) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the cell of each record (0 outside `task.rest`) and one record of each cell.

    Groups without a bound count as one; where rows and tokens are both bounded, a cell is
    split by cost, so that rows and tokens stand in a near fixed proportion inside it.
    """
    bounds = task.bounds
    code = np.zeros(len(task.rest), np.int64)
    for f, codes in enumerate(task.group):
        span = slice(bounds.start[f], bounds.start[f + 1])
        bounded = np.zeros(len(bounds.names), np.bool_)
        for name, none in (("cap", NO_CAP), ("row_cap", NO_CAP), ("floor", 0), ("row_floor", 0)):
            bounded[span] |= getattr(bounds, name)[span] != none
        group = np.where(bounded, np.arange(len(bounded)), len(bounded))[codes[task.rest]]
        _, code = np.unique(code * (len(bounded) + 1) + group, return_inverse=True)
    if (bounds.row_floor > 0).any() or (bounds.row_cap < NO_CAP).any():
        cost = task.cost[task.rest]
        edges = np.quantile(cost, np.linspace(0, 1, _CLASSES + 1)[1:-1])
        _, code = np.unique(code * _CLASSES + np.searchsorted(edges, cost), return_inverse=True)
    cell = np.zeros(len(task.cost), np.int32)
    cell[task.rest] = code
    _, first = np.unique(code, return_index=True)
    return cell, task.rest[first]
