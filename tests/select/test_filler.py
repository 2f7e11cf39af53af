"""The filler against brute force: every set of a small pool is looked at."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError
from tamis.select.base import Groups
from tamis.select.budget import constraints
from tamis.select.budget.constraints import Budget, Constraints, Filled, Quota
from tamis.select.budget.quotas import bounds_of

Case = tuple[Constraints, list[int], int]
"""Constraints, an order, the number of records."""

FIELDS = {"a": "xyz", "b": "pq", "c": "uv"}


def holds(c: Constraints, rows: tuple[int, ...], amount: int) -> bool:
    """Say whether `rows` obeys every quota, one by one, straight from its definition."""
    for quota in c.quotas:
        groups = c.groups[quota.field]
        for value in groups.names if quota.value is None else (quota.value,):
            inside = [i for i in rows if groups.names[groups.codes[i]] == value]
            tokens = quota.percent and c.budget.unit == "tokens"
            have = sum(int(c.cost[i]) for i in inside) if tokens else len(inside)
            bound = int(quota.amount * amount // 100) if quota.percent else int(quota.amount)
            if have > bound if quota.op == "<=" else have < bound:
                return False
    return True


def candidates(c: Constraints, order: list[int], n: int) -> tuple[list[int], list[int]]:
    """Return the kept and the other records that may be chosen, each in rank order."""
    keep = [] if c.keep is None else np.flatnonzero(c.keep).tolist()
    drop = set() if c.drop is None else set(np.flatnonzero(c.drop).tolist())
    kept = [i for i in order if i in keep] + [i for i in keep if i not in order]
    return kept, [i for i in order if i not in keep and i not in drop]


def brute(c: Constraints, order: list[int], n: int) -> tuple[int, ...] | None:
    """Return the first feasible set of rows in the order of `order`, by looking at all of them."""
    kept, rest = candidates(c, order, n)
    eligible = n - (0 if c.drop is None else int(c.drop.sum()))
    asked = c.budget.rows(eligible)
    k = min(asked, len(kept) + len(rest))
    if len(kept) > asked:
        return None
    for more in itertools.combinations(rest, k - len(kept)):  # in lexicographic order of rank
        if holds(c, (*kept, *more), k):
            return (*kept, *more)
    return None


def some_quotas(fields: str, percent: bool = True, rows: bool = True) -> st.SearchStrategy[Quota]:
    kinds = ([True] if percent else []) + ([False] if rows else [])

    def build(field: str, index: int, op: str, amount: int, is_percent: bool) -> Quota:
        values = (None, *FIELDS[field])
        amount = amount * 10 if is_percent else amount
        return Quota(field, values[index % len(values)], op, amount, is_percent)

    return st.builds(
        build,
        st.sampled_from(fields),
        st.integers(0, 3),
        st.sampled_from(["<=", ">="]),
        st.integers(0, 6),
        st.sampled_from(kinds),
    )


@st.composite
def cases(draw: st.DrawFn, fields: str, tokens: bool = False, **kinds: bool) -> Case:
    n = draw(st.integers(1, 9))
    groups = {
        f: Groups.of(np.array(draw(st.lists(st.sampled_from(FIELDS[f]), min_size=n, max_size=n)), object))
        for f in fields
    }
    pins = draw(st.lists(st.sampled_from("----kd"), min_size=n, max_size=n))
    order = draw(st.permutations(range(n)))[: draw(st.integers(max(0, n - 2), n))]
    cost = np.array(draw(st.lists(st.integers(0, 12), min_size=n, max_size=n)), np.int64)
    amount = draw(st.integers(1, 60 if tokens else n + 1))
    budget = Budget("tokens" if tokens else "rows", amount)
    wanted = draw(st.lists(some_quotas(fields, **kinds), min_size=1, max_size=4))
    keep = np.array([p == "k" for p in pins])
    drop = np.array([p == "d" for p in pins])
    return Constraints(budget, cost, wanted, groups, keep, drop), list(order), n


@st.composite
def tight_cases(draw: st.DrawFn, fields: str, tokens: bool = False) -> Case:
    """Quotas drawn around a choice that holds them, so that fields are at odds but feasible together."""
    n = draw(st.integers(4, 10))
    groups = {
        f: Groups.of(np.array(draw(st.lists(st.sampled_from(FIELDS[f]), min_size=n, max_size=n)), object))
        for f in fields
    }
    cost = np.array(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)), np.int64)
    inside = sorted(draw(st.sets(st.integers(0, n - 1), min_size=2, max_size=n - 1)))
    wanted = []
    for f in fields:
        for value, count in zip(*np.unique(groups[f].codes[inside], return_counts=True), strict=True):
            op, slack = draw(st.sampled_from(["<=", ">=", "<=", ">=", ""])), draw(st.sampled_from([0, 0, 1]))
            amount = max(0, int(count) + (slack if op == "<=" else -slack))
            wanted += [Quota(f, groups[f].names[value], op, amount)] if op else []
    spent = int(cost[inside].sum())
    budget = Budget("tokens", spent) if tokens else Budget("rows", len(inside))
    return Constraints(budget, cost, wanted, groups), list(draw(st.permutations(range(n)))), n


def check_reasons(c: Constraints, filled: Filled, n: int) -> None:
    chosen = np.isin(np.arange(n), filled.rows)
    texts = [filled.reasons[code] for code in filled.reason]
    for i in range(n):
        assert chosen[i] == (texts[i].startswith("chosen") or texts[i] == "pinned: must keep")
        if c.keep is not None and c.keep[i]:
            assert texts[i] == "pinned: must keep"
        if c.drop is not None and c.drop[i]:
            assert texts[i] == "pinned: must drop"
        if "is full" in texts[i]:
            groups = {f"quota {f}={g.names[g.codes[i]]} is full" for f, g in c.groups.items()}
            assert texts[i] in groups


def check_rows(case: Case) -> None:
    c, order, n = case
    expected = brute(c, order, n)
    if expected is None:
        with pytest.raises(BudgetError, match=r"cannot hold|leave room|must-keep"):
            c.fill(np.array(order, np.int64), n)
        return
    filled = c.fill(np.array(order, np.int64), n)
    assert tuple(filled.rows) == expected
    check_reasons(c, filled, n)


@given(cases("a"))
def test_rows_one_field_is_the_first_feasible_set(case: Case) -> None:
    check_rows(case)


@settings(max_examples=150)
@given(cases("ab"))
def test_rows_two_fields_is_the_first_feasible_set(case: Case) -> None:
    check_rows(case)


@settings(max_examples=60)
@given(cases("abc"))
def test_rows_three_fields_is_the_first_feasible_set(case: Case) -> None:
    check_rows(case)


@settings(max_examples=150)
@given(tight_cases("ab"))
def test_rows_two_fields_at_odds(case: Case) -> None:
    check_rows(case)


@settings(max_examples=100)
@given(tight_cases("abc"))
def test_rows_three_fields_at_odds(case: Case) -> None:
    check_rows(case)


@pytest.fixture
def always_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the solver fill also what the plain walk alone would fill."""
    plain, seen = constraints._finish, []

    def finish(task: Any, *args: Any) -> bool:
        done = plain(task, *args)
        several = len(task.rest) > 0 and len(task.bounds.fields) > 1
        first = several and (not seen or seen[-1] is not task)
        seen.append(task)
        return done and not first

    monkeypatch.setattr(constraints, "_finish", finish)


@pytest.mark.usefixtures("always_solve")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tight_cases("ab"))
def test_the_solver_alone_gives_the_same_choice(case: Case) -> None:
    check_rows(case)


def check_tokens(case: Case, may_fail: bool) -> None:
    """Never above; caps hold; floors to within one record; nothing left out would still fit."""
    c, order, n = case
    kept, rest = candidates(c, order, n)
    total = sum(int(c.cost[i]) for i in (*kept, *rest))
    limit = min(int(c.budget.amount), total)
    try:
        filled = c.fill(np.array(order, np.int64), n)
    except BudgetError:
        if not may_fail:
            sets = ((*kept, *more) for size in range(len(rest) + 1) for more in itertools.combinations(rest, size))
            costs = ((s, sum(int(c.cost[i]) for i in s)) for s in sets)
            assert not any(spent <= c.budget.amount and holds(c, s, limit) for s, spent in costs)
        return
    rows = filled.rows.tolist()
    check_reasons(c, filled, n)
    assert rows[: len(kept)] == kept
    assert rows[len(kept) :] == [i for i in rest if i in rows]
    spent = int(c.cost[rows].sum())
    assert spent <= c.budget.amount
    b = bounds_of(c.quotas, c.groups, limit, "tokens")
    member = [(b.start[f] + c.groups[name].codes) for f, name in enumerate(b.fields)]
    tokens, count = np.zeros(len(b.names), int), np.zeros(len(b.names), int)
    for codes in member:
        np.add.at(tokens, codes[rows], c.cost[rows])
        np.add.at(count, codes[rows], 1)
    assert (tokens <= b.cap).all()
    assert (count <= b.row_cap).all()
    left = [i for i in rest if i not in rows]
    for g in range(len(b.names)):
        out = [int(c.cost[i]) for i in left if any(codes[i] == g for codes in member)]
        if tokens[g] < b.floor[g]:
            assert b.floor[g] - tokens[g] <= max(out, default=0)
        if count[g] < b.row_floor[g]:
            assert len(b.fields) > 1
            assert b.row_floor[g] - count[g] <= 1
            assert out
    for i in left:
        own = [codes[i] for codes in member]
        assert (
            spent + c.cost[i] > limit
            or any(tokens[g] + c.cost[i] > b.cap[g] for g in own)
            or any(count[g] + 1 > b.row_cap[g] for g in own)
        )


@settings(max_examples=200)
@given(cases("a", tokens=True, rows=False))
def test_tokens_one_field(case: Case) -> None:
    check_tokens(case, may_fail=False)


@settings(max_examples=200)
@given(cases("a", tokens=True, percent=False))
def test_tokens_with_quotas_in_rows(case: Case) -> None:
    check_tokens(case, may_fail=False)


@settings(max_examples=100)
@given(cases("a", tokens=True))
def test_tokens_with_quotas_of_both_units(case: Case) -> None:
    check_tokens(case, may_fail=True)


@settings(max_examples=100)
@given(cases("ab", tokens=True))
def test_tokens_two_fields(case: Case) -> None:
    check_tokens(case, may_fail=True)
