"""The one constraint object: budget, costs, quotas, pins - one check, one filler.

**Rows.** The filler takes exactly `min(k, eligible)` records: of all sets that hold the quotas
and pins, the first in the order of the ranking (a record is in unless taking it, on top of the
better ones taken, would make completion impossible). That greedy set is the lexicographically
first: any feasible set that agrees with it up to some record and takes that record would have
let the greedy take it too; and the greedy ends feasible, as each step keeps a completion.

**Tokens.** Never above, and no record left out would still fit. Floors are reserved while
walking; what stays of the reserve is then released down the order. A floor's record is refused
only when it costs more than what is unmet, so floors hold to within one record (one quota
field; with several, or with caps and floors of different units on one group, the result is
checked, and an error says what is short).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError, TamisError
from tamis.select.base import Groups, Ranking, check_amount
from tamis.select.budget.feasibility import Task, check_floors, missed_floor, start
from tamis.select.budget.filler import CHOSEN, FULL, NO_ROOM, RESERVED, Limits, State, walk
from tamis.select.budget.filling import Filling
from tamis.select.budget.quotas import NO_CAP, Bounds, Quota, bounds_of

__all__ = ["Budget", "Constraints", "Filled", "Quota"]

PINNED, DROPPED, BELOW, ASIDE = 1, 2, 3, 6
_REASONS: Final = (
    "chosen in the order of the ranking",
    "pinned: must keep",
    "pinned: must drop",
    "ranked below the budget",
    "does not fit the token budget",
    "left out so that the quotas can be met",
    "set aside by the method",
)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to choose: `kind` is "rows", "tokens" or "fraction" (of the eligible rows).

    Raises
    ------
    BudgetError
        Another kind; rows or tokens that are no whole number of at least 1; a fraction
        outside (0, 1].

    """

    kind: str
    amount: int | float

    def __post_init__(self) -> None:
        if self.kind in ("rows", "tokens"):
            check_amount(self.amount, f"budget in {self.kind}")
        elif self.kind != "fraction":
            raise BudgetError(f"budget: expected rows, tokens or fraction, got '{self.kind}'.")
        elif isinstance(self.amount, bool) or not 0 < self.amount <= 1:
            raise BudgetError(f"budget: expected a fraction above 0 and at most 1, got {self.amount!r}.")

    @property
    def unit(self) -> str:
        """What the budget counts: "rows" or "tokens"."""
        return "tokens" if self.kind == "tokens" else "rows"

    def rows(self, eligible: int) -> int:
        """Return the rows asked for; a fraction of `eligible` rounds half up, to at least 1."""
        if self.kind == "tokens":
            raise TamisError("budget in tokens: expected rows or a fraction to count rows.")
        if self.kind == "rows":
            return int(self.amount)
        return max(1, int(Fraction(str(self.amount)) * eligible + Fraction(1, 2)))


@dataclass(frozen=True, eq=False)
class Filled:
    """A filled budget: `rows` (`k` positions, pinned first, then as ranked) and a reason for each of `n`.

    `reason` (`n`, int32) is into `reasons`; the chosen have code 0, the pinned 1.
    """

    rows: NDArray[np.int64]
    reason: NDArray[np.int32]
    reasons: tuple[str, ...]

    def explain(self, ranking: Ranking) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return the reasons with the ranking's own words for the chosen and those it set aside."""
        reasons = (ranking.reason, *self.reasons[1:])
        aside = self.reason == ASIDE
        if not aside.any():
            return self.reason, reasons
        which = np.zeros(len(aside), np.int32) if ranking.aside is None else ranking.aside.astype(np.int32)
        return np.where(aside, len(reasons) + which, self.reason).astype(np.int32), (
            *reasons,
            *ranking.asides,
        )


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a choice out of `n` records must obey.

    Attributes
    ----------
    budget : Budget
    cost : array of shape (n,) or None
        Tokens of each record; needed by a token budget alone.
    quotas : sequence of Quota
        Percentages are of the budget, or of all there is where the budget exceeds that.
    groups : mapping of field to Groups
        Of each field that a quota names (`Groups.of` makes them from values).
    keep, drop : bool arrays of shape (n,) or None
        Must be in, must be out.

    """

    budget: Budget
    cost: NDArray[Any] | None = None
    quotas: Sequence[Quota] = ()
    groups: Mapping[str, Groups] = field(default_factory=dict)
    keep: NDArray[np.bool_] | None = None
    drop: NDArray[np.bool_] | None = None

    def unmatched(self) -> tuple[Quota, ...]:
        """Return the quotas on a value that no record has (a cap on it holds; it may be a slip)."""
        return tuple(q for q in self.quotas if q.value is not None and q.value not in self.groups[q.field].names)

    def wanted(self, n: int) -> int:
        """Return how many of `n` records the budget takes; one of tokens, at the mean cost."""
        if self.budget.unit == "tokens":
            mean = max(1.0, float(np.mean(self.cost))) if self.cost is not None and n else 1.0
            return max(1, min(n, int(self.budget.amount / mean)))
        return min(n, self.budget.rows(n - (0 if self.drop is None else int(self.drop.sum()))))

    def validate(self, n: int) -> None:
        """Raise BudgetError when costs, groups or pins do not fit `n` records or are out of range."""
        self._costs(n)
        self._check_groups(n)
        self.pins(n)

    def check(self, n: int) -> None:
        """Raise BudgetError, naming group and gap, when no choice out of `n` records can obey."""
        self.fill(np.arange(n, dtype=np.int64), n)

    def fill(self, order: NDArray[np.int64], n: int | None = None) -> Filled:
        """Fill the budget down `order` (positions, best first; those missing are set aside).

        Must-keep records come first, in the order of the ranking, also when `order` lacks them.

        Raises
        ------
        BudgetError
            Costs, groups or pins that do not fit `n` or are out of range; constraints that
            cannot hold.

        """
        order = np.ascontiguousarray(order, np.int64)
        n = self._size(order) if n is None else n
        _check_order(order, n)
        cost = self._costs(n)
        keep, drop = self.pins(n)
        kept = np.r_[order[keep[order]], np.flatnonzero(keep & ~_members(order, n))]
        task = self._task(n, kept, order[~(keep | drop)[order]], cost, int(drop.sum()))
        status = np.full(n, ASIDE, np.int32)
        status[drop] = DROPPED
        status[kept] = PINNED
        state = start(task)
        if task.unit == "rows" and not self.quotas:
            cut = task.limit - len(kept)
            status[task.rest[:cut]] = CHOSEN
            status[task.rest[cut:]] = BELOW
        else:
            _fill(task, state, status)
        rows = np.r_[kept, task.rest[status[task.rest] == CHOSEN]].astype(np.int64)
        return _with_reasons(rows, status, task.bounds)

    def open(self, n: int) -> Filling:
        """Return an unfilled budget over `n` records, for a method that fills it record by record.

        Raises
        ------
        BudgetError
            As `fill`.

        """
        cost = self._costs(n)
        keep, drop = self.pins(n)
        free = np.flatnonzero(~(keep | drop))
        return Filling(self._task(n, np.flatnonzero(keep), free, cost, int(drop.sum())), drop)

    def _size(self, order: NDArray[np.int64]) -> int:
        known = [self.cost, self.keep, self.drop, *self.groups.values()]
        return next((len(a) for a in known if a is not None), len(order))

    def _task(
        self, n: int, kept: NDArray[np.int64], rest: NDArray[np.int64], cost: NDArray[np.int64], dropped: int
    ) -> Task:
        unit = self.budget.unit
        limit = int(self.budget.amount) if unit == "tokens" else self.budget.rows(n - dropped)
        pinned = int(cost[kept].sum())
        if pinned > limit:
            raise BudgetError(
                f"must-keep records need {pinned} {unit}: expected at most the budget of {limit}, "
                f"{pinned - limit} too many. Raise the budget or keep fewer."
            )
        limit = min(limit, pinned + int(cost[rest].sum()))
        self._check_groups(n)
        bounds = bounds_of(self.quotas, self.groups, limit, unit)
        group = np.empty((len(bounds.fields), n), np.int32)
        for f, name in enumerate(bounds.fields):
            group[f] = self.groups[name].codes + bounds.start[f]
        return Task(kept, rest, cost, group, bounds, limit)

    def _check_groups(self, n: int) -> None:
        for name, groups in self.groups.items():
            codes, top = groups.codes, len(groups.names)
            if len(codes) != n:
                raise BudgetError(f"groups of '{name}': expected {n} values, one a record, got {len(codes)}.")
            if n and (codes.min() < 0 or codes.max() >= top):
                raise BudgetError(
                    f"groups of '{name}': expected codes from 0 below {top}, got {codes.min()} to {codes.max()}."
                )

    def _costs(self, n: int) -> NDArray[np.int64]:
        if self.cost is not None and len(self.cost) != n:
            raise BudgetError(f"costs: expected {n} values, one a record, got {len(self.cost)}.")
        if self.budget.unit == "rows":
            return np.ones(n, np.int64)
        if self.cost is None:
            raise BudgetError("budget in tokens: expected the tokens of each record as costs, got none.")
        cost = np.asarray(self.cost)
        if cost.dtype.kind not in "iuf":
            raise BudgetError(f"costs: expected whole numbers, got {cost.dtype}.")
        bad = ~(cost >= 0) | (cost > NO_CAP)
        if cost.dtype.kind == "f":
            bad |= cost != np.floor(cost)
        if bad.any():
            at = int(bad.argmax())
            raise BudgetError(f"costs: expected a whole number of at least 0, got {cost[at]} at record {at}.")
        if float(cost.sum(dtype=np.float64)) > NO_CAP:
            raise BudgetError(f"costs: expected a sum below 2^61, got {cost.sum(dtype=np.float64):.3g}.")
        return np.ascontiguousarray(cost, np.int64)

    def pins(self, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which of `n` records must be kept, and which dropped; BudgetError when pins do not fit them."""
        pins = []
        for name, given in (("must-keep", self.keep), ("must-drop", self.drop)):
            pin = np.zeros(n, np.bool_) if given is None else np.asarray(given)
            if len(pin) != n or pin.dtype != np.bool_:
                raise BudgetError(f"{name}: expected {n} truth values, one a record, got {len(pin)} of {pin.dtype}.")
            pins.append(pin)
        both = pins[0] & pins[1]
        if both.any():
            raise BudgetError(
                f"record {int(both.argmax())} is both must-keep and must-drop ({int(both.sum())} in all): "
                "expected at most one."
            )
        return pins[0], pins[1]


def _members(order: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    inside = np.zeros(n, np.bool_)
    inside[order] = True
    return inside


def _check_order(order: NDArray[np.int64], n: int) -> None:
    if len(order) and (order.min() < 0 or order.max() >= n):
        raise TamisError(f"order: expected positions from 0 below {n}, got {order.min()} to {order.max()}.")
    if int(_members(order, n).sum()) != len(order):
        at = int((np.bincount(order, minlength=n) > 1).argmax())
        raise TamisError(f"order: expected each record at most once, got record {at} again.")


def _fill(task: Task, state: State, status: NDArray[np.int32]) -> None:
    """Walk the order and write the verdict on every record of `task.rest`.

    The walk tests each quota field on its own. What it refuses is impossible; so if it ends
    with everything held, every record it took was possible too, and the choice is the greedy
    one. Otherwise (several fields only) the fields are at odds, and the solver steps in.
    """
    bounds = task.bounds
    limits = Limits(bounds.cap, bounds.floor, bounds.row_cap, np.empty(0, np.int32), np.empty(0, np.int64))
    plain = state.copy()
    walk(task.rest, 0, len(task.rest), task.cost, task.group, limits, plain, status)
    last, done = plain, _finish(task, limits, plain, status)
    if not done and len(bounds.fields) > 1 and len(task.rest):
        from tamis.select.budget.joint import Joint  # only here: it imports a solver

        joint = Joint(task)
        joint.check(state)
        last = joint.fill(limits, state, status)
        done = _finish(task, limits, last, status)
    if task.unit == "tokens":
        check_floors(task, last, status)
        return
    if not done:
        raise TamisError(f"quotas: expected {task.limit} rows with every floor met, got {int(last.total[0])}.")
    left = task.rest[status[task.rest] == NO_ROOM]
    status[left] = BELOW


def _finish(task: Task, limits: Limits, state: State, status: NDArray[np.int32]) -> bool:
    """Release what a token budget still holds back; say whether budget and floors are met."""
    bounds = task.bounds
    if task.unit == "tokens" and ((bounds.floor > 0).any() or (bounds.row_floor > 0).any()):
        unmet = (state.used < bounds.floor) | (state.used_rows < bounds.row_floor)
        free = limits._replace(
            floor=np.zeros_like(bounds.floor), cell=np.empty(0, np.int32), cell_limit=np.empty(0, np.int64)
        )
        open_state = state._replace(
            need=np.zeros_like(state.need), short=np.zeros_like(state.short), held=np.zeros_like(state.held)
        )
        fits = task.cost <= state.total[1] - state.total[0]
        first = np.logical_or.reduce(unmet[task.group], axis=0)
        for wanted in (fits & first, fits & ~first):
            left = task.rest[((status != CHOSEN) & wanted)[task.rest]]
            before = status[left]
            walk(left, 0, len(left), task.cost, task.group, free, open_state, status)
            stays = (before == RESERVED) & (status[left] != CHOSEN)
            status[left[stays]] = RESERVED
    full = task.unit == "tokens" or int(state.total[0]) == task.limit
    return full and missed_floor(task, state, status) is None


def _with_reasons(rows: NDArray[np.int64], status: NDArray[np.int32], bounds: Bounds) -> Filled:
    """Return the verdicts as reasons: the fixed ones, then one for each group that turned a record away."""
    full = status >= FULL
    groups, place = np.unique(status[full], return_inverse=True)
    reason = status.copy()
    reason[full] = len(_REASONS) + place
    return Filled(rows, reason, (*_REASONS, *(bounds.full(int(g) - FULL) for g in groups)))
