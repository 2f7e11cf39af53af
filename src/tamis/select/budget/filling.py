"""A budget filled record by record, for methods whose next choice depends on those before.

The method offers records; each is taken or refused at once, by the same compiled walk that fills a
budget from an order. What is refused stays refused: room only shrinks. So the order of the offers,
given to `Constraints.fill` afterwards, leads to the same choice, with a reason for every record,
and a method never counts rows, tokens or quotas itself.

(Two cases are settled by `fill` alone, from that order: what a token budget held back for floors
and releases at the end, and several quota fields at odds with one another.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.select.budget.feasibility import Task, start
from tamis.select.budget.filler import CHOSEN, FULL, Limits, walk

__all__ = ["Filling"]


class Filling:
    """What is left of a budget over `n` records, changed by `offer`.

    Attributes
    ----------
    kept : int64 array
        Positions of the must-keep records: in already, and paid for.
    open : bool array of shape (n,)
        Records that may still be taken: neither in, nor pinned out, nor refused, nor of a group
        that is full, nor too dear for what is left.
    cost : int64 array of shape (n,)
        In the budget's unit: 1 for rows.
    offers : list of int
        Positions offered, in that order.
    """

    def __init__(self, task: Task, dropped: NDArray[np.bool_]) -> None:
        bounds = task.bounds
        self._task, self._state = task, start(task)
        self._limits = Limits(bounds.cap, bounds.floor, bounds.row_cap, np.empty(0, np.int32), np.empty(0, np.int64))
        self._status = np.zeros(len(task.cost), np.int32)
        self._one = np.empty(1, np.int64)
        self._dear = bool((task.cost != 1).any())
        self.kept, self.cost = task.kept, task.cost
        self.open = ~dropped
        self.open[task.kept] = False
        self.offers: list[int] = []
        self._close()

    @property
    def left(self) -> int:
        """Return the units of the budget that are not used."""
        return int(self._state.total[1] - self._state.total[0])

    @property
    def rows(self) -> int:
        """Return about how many more records the budget takes: exact for rows, by the mean cost for tokens."""
        if self._task.unit == "rows":
            return self.left
        waiting = self.cost[self.open]
        return min(len(waiting), int(self.left / max(1.0, float(waiting.mean()))) + 1) if len(waiting) else 0

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken."""
        return self.left <= 0 or not self.open.any()

    def offer(self, row: int) -> bool:
        """Take record `row` if the constraints allow it; say whether. It is not `open` afterwards."""
        self._one[0] = row
        self.offers.append(int(row))
        self.open[row] = False
        walk(self._one, 0, 1, self.cost, self._task.group, self._limits, self._state, self._status)
        code = int(self._status[row])
        if code == CHOSEN:
            self._close()
        elif code >= FULL:  # its group has no room: nor has it for the others, if they cost as much
            same = (self._task.group == code - FULL).any(axis=0)
            self.open &= ~(same & (self.cost >= self.cost[row]))
        return code == CHOSEN

    def _close(self) -> None:
        if self._dear:
            self.open &= self.cost <= self.left
        elif self.left <= 0:
            self.open[:] = False

    def order(self, rest: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the must-keep records, the offers in their order, and then those of `rest` not among them."""
        first = np.concatenate([self.kept, np.asarray(self.offers, np.int64)])
        seen = np.zeros(len(self.cost), np.bool_)
        seen[first] = True
        return np.concatenate([first, rest[~seen[rest]]])
