"""Whether quotas can hold, field by field, and the words for it when they cannot.

For one quota field these tests are exact for rows: floors that the groups can fill and the
budget can hold, caps that leave room for the whole budget. Several fields can still be at odds
with one another; `tamis.select.budget.joint` decides that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError
from tamis.select.budget.filler import CHOSEN, State, reserve
from tamis.select.budget.quotas import Bounds

__all__ = ["Task", "check_floors", "missed_floor", "start"]


@dataclass(frozen=True, eq=False)
class Task:
    """A budget to fill: `rest` (positions, best first) after `kept`, in a pool of `n` records.

    `cost` (`n`) is in units (1 for rows), `group` (`F x n`) holds each record's group in each
    quota field, `limit` is the budget in units, no larger than what there is.
    """

    kept: NDArray[np.int64]
    rest: NDArray[np.int64]
    cost: NDArray[np.int64]
    group: NDArray[np.int32]
    bounds: Bounds
    limit: int

    @property
    def unit(self) -> str:
        """The budget's unit: rows or tokens."""
        return self.bounds.unit


def _check_kept(task: Task, used: NDArray[np.int64], used_rows: NDArray[np.int64]) -> None:
    """Raise BudgetError when the must-keep records alone break a cap."""
    bounds = task.bounds
    for bound, have in (("cap", used), ("row_cap", used_rows)):
        over = have - getattr(bounds, bound)
        if len(over) and over.max() > 0:
            g = int(over.argmax())
            unit = bounds.unit if bound == "cap" else "rows"
            raise BudgetError(
                f"{bounds.label(g, bound)} cannot hold: the must-keep records of the group are {have[g]} "
                f"{unit}, {over[g]} too many. Raise the cap or keep fewer."
            )


def start(task: Task) -> State:
    """Return the state after the kept records, with what the floors need held back.

    Raises
    ------
    BudgetError
        A quota that cannot hold, or quotas of one field that cannot hold together.

    """
    bounds, total = task.bounds, len(task.bounds.names)
    used, used_rows = np.zeros(total, np.int64), np.zeros(total, np.int64)
    for codes in task.group:
        np.add.at(used, codes[task.kept], task.cost[task.kept])
        np.add.at(used_rows, codes[task.kept], 1)
    _check_kept(task, used, used_rows)
    left = task.limit - int(task.cost[task.kept].sum())
    waiting = np.zeros(len(task.cost), np.bool_)
    waiting[task.rest] = True
    have, have_rows = np.zeros(total, np.int64), np.zeros(total, np.int64)
    for codes in task.group:
        fits = waiting & (task.cost <= np.minimum(left, bounds.cap - used)[codes])
        np.add.at(have, codes[fits], task.cost[fits])
        have_rows += np.bincount(codes[fits], minlength=total)
    _check_groups(bounds, used + have, used_rows + have_rows)
    short = np.maximum(bounds.row_floor - used_rows, 0)
    held, top, mark, stack = reserve(task.rest, task.cost, task.group, short)
    unmet = np.maximum(np.maximum(bounds.floor - used, 0), held)
    spans = [slice(bounds.start[f], bounds.start[f + 1]) for f in range(len(bounds.fields))]
    need = np.array([unmet[span].sum() for span in spans], np.int64)
    over = used + held - bounds.cap
    if total and over.max() > 0:
        g = int(over.argmax())
        raise BudgetError(
            f"{bounds.label(g, 'row_floor')} cannot hold with {bounds.label(g, 'cap')}: the cheapest such "
            f"rows are {over[g]} tokens too many."
        )
    for f, span in enumerate(spans):
        room = np.minimum(have, bounds.cap - used)
        _check_field(task, f, left, span, unmet, room)
    least = int(task.cost[task.rest].min()) if len(task.rest) else 0
    return State(
        used,
        used_rows,
        need,
        np.array([task.limit - left, task.limit, least], np.int64),
        short,
        held,
        top,
        mark,
        stack,
    )


def _check_groups(bounds: Bounds, have: NDArray[np.int64], have_rows: NDArray[np.int64]) -> None:
    """Raise BudgetError for a floor above its own cap or above what its group has."""
    for kind, there, unit in (("", have, bounds.unit), ("row_", have_rows, "rows")):
        floor, cap = getattr(bounds, f"{kind}floor"), getattr(bounds, f"{kind}cap")
        if len(floor) and (floor - cap).max() > 0:
            g = int((floor - cap).argmax())
            raise BudgetError(
                f"{bounds.label(g, f'{kind}floor')} cannot hold with {bounds.label(g, f'{kind}cap')}: "
                f"{floor[g] - cap[g]} {unit} too many."
            )
        gap = floor - there
        if len(gap) and gap.max() > 0:
            g = int(gap.argmax())
            raise BudgetError(
                f"{bounds.label(g, f'{kind}floor')} cannot hold: {there[g]} eligible "
                f"{'records' if unit == 'rows' else unit} in the group, {gap[g]} short. "
                "Lower the floor or widen the pool."
            )


def _check_field(task: Task, f: int, left: int, span: slice, unmet: NDArray[np.int64], room: NDArray[np.int64]) -> None:
    """Raise BudgetError when the floors of field `f` exceed the budget, or its caps leave it unfilled."""
    bounds, field = task.bounds, task.bounds.fields[f]
    need = int(unmet[span].sum())
    if need > left:
        g = bounds.start[f] + int(unmet[span].argmax())
        bound = "floor" if (g, "floor") in bounds.by else "row_floor"
        raise BudgetError(
            f"the floors on '{field}' cannot hold together: they need {need} {task.unit}, {left} are left "
            f"of the budget, {need - left} short; the largest is {bounds.label(g, bound)}."
        )
    reach = int(room[span].sum())
    if task.unit == "rows" and reach < left:
        capped = [g for g in range(span.start, span.stop) if (g, "cap") in bounds.by]
        g = min(capped, key=lambda g: int(bounds.cap[g]))
        raise BudgetError(
            f"the caps on '{field}' leave room for {task.limit - left + reach} of {task.limit} rows, "
            f"{left - reach} short; the tightest is {bounds.label(g, 'cap')}. "
            "Raise a cap or lower the budget."
        )


def check_floors(task: Task, state: State, status: NDArray[np.int32]) -> None:
    """Raise BudgetError when a floor of a filled token budget is missed by more than one record.

    Knapsacks under floors in several fields, or under caps and floors of different units, have
    no fast exact solution: the filler may fail where a solution exists, and says so.
    """
    missed = missed_floor(task, state, status)
    if missed is not None:
        g, bound, gap = missed
        unit = "rows" if bound == "row_floor" else task.unit
        raise BudgetError(
            f"{task.bounds.label(g, bound)} cannot hold with the budget and the other quotas: {gap} {unit} "
            "short, more than one record. Lower the floor or raise the budget."
        )


def missed_floor(task: Task, state: State, status: NDArray[np.int32]) -> tuple[int, str, int] | None:
    """Return the first floor missed by more than a record: (group, bound, gap), or None."""
    bounds = task.bounds
    gap, gap_rows = bounds.floor - state.used, bounds.row_floor - state.used_rows
    if not len(gap) or (gap.max() <= 0 and gap_rows.max() <= 0):
        return None
    left_out = task.rest[status[task.rest] != CHOSEN]
    largest = np.zeros(len(gap), np.int64)
    for codes in task.group:
        np.maximum.at(largest, codes[left_out], task.cost[left_out])
    allowed = np.zeros(len(gap), np.int64) if task.unit == "rows" else largest
    allowed_rows = np.minimum(largest, 1)
    for bound, missing, room in (("floor", gap, allowed), ("row_floor", gap_rows, allowed_rows)):
        bad = np.flatnonzero((missing > 0) & (missing > room))
        if len(bad):
            return int(bad[0]), bound, int(missing[bad[0]])
    return None
