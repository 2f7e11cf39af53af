"""A committee elected by several judges, with places for groups: multiwinner voting.

Each signal is a judge that ranks the records; a score function says how good a set is. "sntv": how many judges have
it among their `top` best, summed over its records. "borda": how many records each beats with each judge, summed.
"cc" (Chamberlin and Courant 1983): of each judge only its `best` best records in the set count, so that every judge
gets records that it likes. Groups get their places by quotas.

Source: "Subset Selection Based On Multiple Rankings in the Presence of Bias" (2023): where judges undervalue a group,
quotas on groups give back what an unbiased election would have chosen. The functions are textbook ones. Ours: ties
go by Borda, then to the lower key; `top`; `best` (1 is Chamberlin and Courant, as many as are chosen is Borda), which
keeps the function submodular; greedy for it, as in submodular maximisation (Fisher, Nemhauser and Wolsey 1978).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.given.judges import points, rated, signs, table

__all__ = ["Multiwinner", "committee", "multiwinner"]

_Ints = NDArray[np.int64]
RULES = ("borda", "sntv", "cc")


def multiwinner(
    scores: Any, k: int, *, rule: str = "borda", top: int = 1, best: int = 1, constraints: Constraints | None = None
) -> _Ints:
    """Return `min(k, n)` rows of `scores` (`n x m`, more is better): a committee, in the order of election.

    `constraints` are quotas and pins over these rows; its budget is then the one that holds. Ties go to the lower row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1, or the constraints cannot hold.
    InputError
        No `n x m` numbers.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x = table(scores, "multiwinner")
    names = [f"judge{j}" for j in range(x.shape[1])]
    keys = np.stack([np.arange(len(x), dtype=np.uint64)] * 2, axis=1)
    pool = Pool(keys, dict(zip(names, x.T, strict=True)))
    method = Multiwinner(signals=",".join(names), rule=rule, top=top, best=best)
    return method.select(pool, constraints or Constraints(Budget("rows", k))).rows


def committee(each: _Ints, rows: _Ints, *, rule: str = "borda", top: int = 1, best: int = 1) -> int:
    """Return twice the score of a set of records, `rows`, by the points of `judges.points` (`n x m`).

    For "sntv" it is the number of (judge, record) pairs; `top` and `best` as the options.
    """
    if rule == "sntv":
        return int(_among(each, top)[rows].sum())
    chosen = np.sort(each[rows], axis=0)[::-1]
    return int((chosen if rule == "borda" else chosen[:best]).sum())


def _among(each: _Ints, top: int) -> NDArray[np.bool_]:
    """Return which records are among the `top` best of each judge (`n x m`); those tied with the last are too."""
    place = max(0, len(each) - top)
    return each >= np.partition(each, place, axis=0)[place] if len(each) else np.zeros(each.shape, np.bool_)


class Multiwinner(Greedy):
    """A committee elected by several signals."""

    name = "multiwinner"
    title = "Committee of several judges, with quotas"
    source = "multiwinner voting under bias (2023); Borda 1781, Chamberlin and Courant 1983; ties, top and best: ours"
    cost = "O(m n log n) time for m signals; cc O(k n m) besides; 60 m bytes a record"
    promises = (
        "borda, sntv: the highest score of all sets that hold the quotas of one field (rows); cc: at least"
        " 1 - 1/e = 63 % of it, with quotas of one field at least half"
    )
    use_when = "several signals judge, each should get its say, and some signals undervalue a group (give it a quota)"
    fails_when = "few judges and cc with best=1: after one record for each judge nothing is left to gain, Borda decides"
    later = "no later comparison known; no figure of a trained model"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("signals", str, REQUIRED, "the signals, separated by commas; SIGNAL:asc where less is better"),
        Parameter("rule", str, "borda", "records beaten, places at the top, or each judge's best chosen", RULES),
        Parameter("top", int, 1, "of sntv: a judge's vote goes to so many of its best", low=1),
        Parameter("best", int, 1, "of cc: so many of the chosen count for a judge, its best", low=1),
    )

    signals: str
    rule: str
    top: int
    best: int
    _evaluated = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wanted = signs(self.signals, self.name)

    def needs(self) -> tuple[str, ...]:
        """Return the signals."""
        return tuple(self.wanted)

    def holds(self, n: int) -> int:
        """Return the bytes of scores, ranks and points."""
        return 60 * n * len(self.wanted)

    def operations(self) -> int:
        """Return how many gains of a record with a judge the last choice computed; 0 for rules that sort."""
        return self._evaluated

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002 - nothing is random
        """Order by the separable rule, or offer greedily; the score is what a record adds, over all it could."""
        scores, rows = rated(pool, self.wanted, self.name)
        each = points(scores)
        total = each.sum(axis=1)
        score = np.full(len(pool), np.nan)
        self._evaluated = 0
        if self.rule == "cc":
            gain = self._elected(each, total, rows, filling)
            worth = gain / max(2 * (len(rows) - 1) * each.shape[1], 1)
        elif self.rule == "sntv":
            gain = _among(each, self.top).sum(axis=1)
            worth = gain / each.shape[1]
        else:
            gain, worth = total, total / max(2 * (len(rows) - 1) * each.shape[1], 1)
        score[rows] = worth
        order = rows[np.lexsort((-total, -gain))]
        aside, why = np.zeros(len(pool), np.int8), ("multiwinner: lacks a signal (NaN)",)
        return Ranking(filling.order(order), score, f"multiwinner: elected by {self.rule}", aside, why)

    def _elected(self, each: _Ints, total: _Ints, rows: _Ints, filling: Filling) -> _Ints:
        """Offer the record that adds most, of equal ones that of most points; return each one's gain at its time."""
        place = np.full(len(filling.cost), -1, np.int64)
        place[rows] = np.arange(len(rows))
        held = np.full((each.shape[1], self.best), 0, np.int64)  # each judge's best in the set, falling
        for row in place[filling.kept]:
            if row >= 0:
                _enter(held, each[row])
        last = np.zeros(len(rows), np.int64)
        gain = np.empty(len(rows), np.int64)
        done = np.zeros(len(rows), np.bool_)
        while not filling.full:
            waiting = filling.open[rows]
            self._evaluated += each.size
            found = int(_best(each, total, held[:, -1].copy(), waiting, gain))
            if found < 0:
                break
            if filling.offer(int(rows[found])):
                _enter(held, each[found])
            last[found], done[found] = gain[found], True
        _best(each, total, held[:, -1].copy(), np.ones(len(rows), np.bool_), gain)
        return np.where(done, last, gain)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Tell the committee's score and what it is to each judge: the mean share of the others that it beats."""
        scores, rows = rated(pool, self.wanted, self.name)
        inside = np.searchsorted(rows, np.sort(chosen.rows[np.isin(chosen.rows, rows)]))
        if not len(inside):
            return chosen
        each = points(scores)
        made = committee(each, inside, rule=self.rule, top=self.top, best=self.best)
        share = each[inside].mean(axis=0) / max(2 * (len(rows) - 1), 1)
        facts = {
            "score": made if self.rule == "sntv" else made / 2,
            "judges": dict(zip(self.wanted, share.round(6).tolist(), strict=True)),
        }
        return replace(chosen, facts=facts)


def _enter(held: _Ints, one: _Ints) -> None:
    """Put a record's points into each judge's falling list, if they are among its highest."""
    held[:] = -np.sort(-np.concatenate([held, one[:, None]], axis=1), axis=1)[:, : held.shape[1]]


@njit(nogil=True, cache=True)
def _best(each, total, least, waiting, gain):  # type: ignore[no-untyped-def]
    """Write what each record would add; return the best that waits, of equal ones that of most points; -1 if none."""
    found = -1
    for i in range(len(each)):
        gain[i] = 0
        for j in range(each.shape[1]):
            gain[i] += max(each[i, j] - least[j], 0)
        if waiting[i] and (found < 0 or gain[i] > gain[found] or (gain[i] == gain[found] and total[i] > total[found])):
            found = i
    return found
