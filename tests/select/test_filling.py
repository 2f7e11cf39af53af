"""A budget filled record by record is the budget that an order fills."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError
from tamis.select.base import Groups
from tamis.select.budget.constraints import Budget, Constraints, Quota


def _constraints(n: int, random: np.random.Generator, unit: str, floors: bool) -> Constraints:
    cost = random.integers(1, 30, n)
    groups = Groups.of(random.choice(["a", "b", "c"], n).astype(object))
    quotas = [Quota.parse("g=a<=40%")] + ([Quota.parse("g=b>=20%")] if floors else [])
    keep, drop = np.zeros(n, bool), np.zeros(n, bool)
    keep[random.integers(0, n, 2)] = True
    drop[random.integers(0, n, 2)] = True
    drop &= ~keep
    budget = Budget("rows", int(random.integers(4, n + 3))) if unit == "rows" else Budget("tokens", 15 * n // 2)
    return Constraints(budget, cost, quotas, {"g": groups}, keep, drop)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["rows", "tokens"]), st.booleans())
def test_offers_lead_to_the_same_choice_as_the_order_they_make(seed: int, unit: str, floors: bool) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(12, 40))
    constraints = _constraints(n, random, unit, floors and unit == "rows")
    try:
        filling = constraints.open(n)
    except BudgetError:
        return
    kept = set(filling.kept.tolist())
    taken = []
    for row in random.permutation(n):
        if filling.full:
            break
        if filling.open[row] and filling.offer(int(row)):
            taken.append(int(row))
    assert not filling.open[filling.offers].any()
    order = filling.order(np.arange(n))
    assert sorted(order.tolist()) == list(range(n))
    filled = constraints.fill(order, n)
    assert set(filled.rows.tolist()) - kept == set(taken) or unit == "rows"
    if unit == "rows":  # the walk may end early; what was taken on the way is in
        assert set(taken) <= set(filled.rows.tolist())


def test_a_group_that_is_full_closes_and_a_budget_that_is_full_closes_all() -> None:
    groups = Groups.of(np.array(["a", "a", "a", "b", "b"], object))
    filling = Constraints(Budget("rows", 3), quotas=[Quota.parse("g=a<=1")], groups={"g": groups}).open(5)
    assert filling.rows == filling.left == 3
    assert filling.offer(1)
    assert not filling.offer(0)
    assert filling.open.tolist() == [False, False, False, True, True]
    assert filling.offer(4)
    assert filling.offer(3)
    assert filling.full
    assert filling.order(np.arange(5)).tolist() == [1, 0, 4, 3, 2]


def test_tokens_close_what_is_too_dear() -> None:
    filling = Constraints(Budget("tokens", 10), np.array([6, 5, 4, 1])).open(4)
    assert filling.rows == 3  # by the mean cost of 4
    assert filling.offer(0)
    assert filling.open.tolist() == [False, False, True, True]
    assert filling.offer(2)
    assert filling.full
