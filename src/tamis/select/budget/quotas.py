"""Quotas as written (`source=cs<=30%`) and as bounds on every group.

A quota is a cap (`<=`) or a floor (`>=`) on a field's value, or on each value of the field when
none is named. Amounts are rows, or `%` of the budget in the budget's unit; `%` rounds down for
caps and floors alike, so floors hold to within one record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError, nearest
from tamis.select.base import Groups

__all__ = ["NO_CAP", "Bounds", "Quota", "bounds_of"]

NO_CAP: Final = 2**61
"""A cap that never binds, with room to add costs to it in 64 bits."""

_FORM = "expected FIELD[=VALUE]<=AMOUNT or FIELD[=VALUE]>=AMOUNT, AMOUNT in rows or with % (source=cs<=30%)"
_QUOTA = re.compile(r"(?P<left>.*)(?P<op><=|>=)(?P<amount>[^<>=\"']*)", re.DOTALL)
_NAME = r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'"
_LEFT = re.compile(rf"\s*(?P<field>{_NAME}|[^=<>\"']+?)\s*(?:=\s*(?P<value>{_NAME}|.*?)\s*)?", re.DOTALL)
_AMOUNT = re.compile(r"\s*(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<percent>%?)\s*")


@dataclass(frozen=True, slots=True)
class Quota:
    """A cap or a floor on one value of a field, or on each (`value` None).

    `amount` is in rows, or, with `percent`, in percent of the budget (rows or tokens).
    """

    field: str
    value: str | None
    op: str
    amount: Fraction
    percent: bool = False

    def __post_init__(self) -> None:
        if self.op not in ("<=", ">="):
            raise BudgetError(f"quota on '{self.field}': expected <= or >=, got '{self.op}'.")
        object.__setattr__(self, "amount", Fraction(self.amount))
        if self.amount < 0 or (self.percent and self.amount > 100):
            span = "0 to 100 %" if self.percent else "0 rows or more"
            raise BudgetError(f"quota on '{self.field}': expected {span}, got {float(self.amount):g}.")
        if not self.percent and self.amount.denominator != 1:
            raise BudgetError(f"quota on '{self.field}': expected whole rows or a %, got {float(self.amount):g}.")

    @staticmethod
    def parse(text: str) -> Quota:
        """Read `FIELD[=VALUE]<=AMOUNT[%]` (or `>=`).

        Spaces around the parts do not count. A field or value that holds operators, quotes or
        outer spaces is quoted (`'...'` or `"..."`, the quote doubled inside); a bare value may
        hold `=`.

        Raises
        ------
        BudgetError
            The text is none of this, the percentage is above 100, or rows are not whole.

        """
        whole = _QUOTA.fullmatch(text)
        if whole is None:
            raise BudgetError(f"quota '{text}': {_FORM}, got no <= or >=.")
        left, amount = _LEFT.fullmatch(whole["left"]), _AMOUNT.fullmatch(whole["amount"])
        if amount is None:
            raise BudgetError(f"quota '{text}': {_FORM}, got the amount '{whole['amount'].strip()}'.")
        if left is None or left["value"] == "":
            hint = "; an empty value is written FIELD=''" if left is not None else ""
            raise BudgetError(f"quota '{text}': {_FORM}, got '{whole['left'].strip()}' before {whole['op']}{hint}.")
        value = left["value"]
        number = Fraction(amount["number"].replace("_", ""))
        return Quota(
            _unquote(left["field"]),
            None if value is None else _unquote(value),
            whole["op"],
            number,
            bool(amount["percent"]),
        )

    def __str__(self) -> str:
        where = _quote(self.field) if self.value is None else f"{_quote(self.field)}={_quote(self.value)}"
        return f"{where}{self.op}{_decimal(self.amount)}{'%' if self.percent else ''}"

    def units(self, budget: int) -> int:
        """Return the amount in units of `budget` (for `%`, rounded down) or in rows."""
        return int(self.amount * budget // 100) if self.percent else int(self.amount)


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _quote(text: str) -> str:
    plain = text and text == text.strip() and not set(text) & set("=<>\"'")
    return text if plain else "'" + text.replace("'", "''") + "'"


def _decimal(amount: Fraction) -> str:
    return str(int(amount)) if amount.denominator == 1 else format(float(amount), "f").rstrip("0")


@dataclass(frozen=True, eq=False)
class Bounds:
    """Quotas as bounds on `G` groups: those of every quota field, one field after the other.

    Attributes
    ----------
    fields : tuple of str
        The quota fields.
    start : tuple of int
        Where each field's groups start; one more at the end: `G`.
    names : tuple of (str, str)
        Field and value of each group.
    cap, floor : int64 arrays of shape (G,)
        In the budget's unit; `NO_CAP` and 0 where there is none.
    row_cap, row_floor : int64 arrays of shape (G,)
        In rows under a token budget; else `NO_CAP` and 0.
    by : mapping of (group, bound name) to Quota
        Which quota set a bound.

    """

    fields: tuple[str, ...]
    start: tuple[int, ...]
    names: tuple[tuple[str, str], ...]
    cap: NDArray[np.int64]
    floor: NDArray[np.int64]
    row_cap: NDArray[np.int64]
    row_floor: NDArray[np.int64]
    by: Mapping[tuple[int, str], Quota]
    unit: str

    def label(self, group: int, bound: str) -> str:
        """Return how a message names `bound` of `group`: "quota source=cs >= 30% (40 rows)"."""
        quota = self.by[group, bound]
        field, value = self.names[group]
        units = int(getattr(self, bound)[group])
        unit = "rows" if bound.startswith("row_") else self.unit
        amount = f"{_decimal(quota.amount)}% ({units} {unit})" if quota.percent else f"{units} {unit}"
        return f"quota {_quote(field)}={_quote(value)} {quota.op} {amount}"

    def full(self, group: int) -> str:
        """Return the reason of a record that a full group turns away."""
        field, value = self.names[group]
        return f"quota {_quote(field)}={_quote(value)} is full"


def bounds_of(quotas: Sequence[Quota], groups: Mapping[str, Groups], budget: int, unit: str) -> Bounds:
    """Return `quotas` as bounds on the groups of their fields; `budget` is in `unit` (rows, tokens).

    A quota without a value is on every value that a record has. A named value that no record
    has is a group of its own, without records: a floor on it cannot hold, a cap holds.

    Raises
    ------
    BudgetError
        A quota on a field that is not in `groups`.

    """
    fields = tuple(dict.fromkeys(q.field for q in quotas))
    names: list[tuple[str, str]] = []
    start = [0]
    for field in fields:
        if field not in groups:
            have = ", ".join(sorted(groups)) or "none"
            raise BudgetError(f"quota on '{field}': no such field.{nearest(field, groups)} Fields: {have}.")
        asked = (q.value for q in quotas if q.field == field and q.value is not None)
        names += [(field, name) for name in dict.fromkeys((*groups[field].names, *asked))]
        start.append(len(names))
    total = len(names)
    bounds = {
        "cap": np.full(total, NO_CAP, np.int64),
        "floor": np.zeros(total, np.int64),
        "row_cap": np.full(total, NO_CAP, np.int64),
        "row_floor": np.zeros(total, np.int64),
    }
    by: dict[tuple[int, str], Quota] = {}
    counts = (np.bincount(groups[field].codes) for field in fields)
    present = [(np.flatnonzero(count) + start[f]).tolist() for f, count in enumerate(counts)]
    place = {name: g for g, name in enumerate(names)}
    for quota in quotas:
        f = fields.index(quota.field)
        kind = "cap" if quota.op == "<=" else "floor"
        bound = kind if quota.percent or unit == "rows" else f"row_{kind}"
        amount = min(quota.units(budget), NO_CAP)
        for g in present[f] if quota.value is None else (place[quota.field, quota.value],):
            if (amount < bounds[bound][g]) if kind == "cap" else (amount > bounds[bound][g]):
                bounds[bound][g] = amount
                by[g, bound] = quota
    return Bounds(fields, tuple(start), tuple(names), by=by, unit=unit, **bounds)
