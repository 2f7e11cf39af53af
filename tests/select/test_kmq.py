"""kMQ: quotas that add up, draws in proportion, clusters that keep their share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import mix64
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.shares import quotas
from tamis.select.kmq import Kmq, kmq


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.arange(n)], axis=1).astype(np.uint64)


def pool_of(x: np.ndarray, **columns: np.ndarray) -> Pool:
    return Pool(keys_of(len(x)), {"vectors": x, **columns})


def corners(*sizes: int) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, 0.1, x.shape)).astype(np.float32)


def test_quotas_worked_by_hand() -> None:
    """Of sizes 5, 3, 2 four in proportion: 2, 1.2 and 0.8, so 2, 1, 0 and the last to the largest remainder.

    Seven equal parts: 2.33 is more than the last has; 5 are left for two, 2.5 each, the odd one to the first.
    """
    sizes = np.array([5, 3, 2])
    assert quotas(sizes, sizes.astype(float), 4).tolist() == [2, 1, 1]
    assert quotas(sizes, np.ones(3), 7).tolist() == [3, 2, 2]
    assert quotas(sizes, np.ones(3), 99).tolist() == [5, 3, 2]
    assert quotas(np.array([0, 4]), np.ones(2), 3).tolist() == [0, 3]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 200), st.booleans())
def test_quotas_add_up(sizes: list[int], budget: int, equal: bool) -> None:
    array = np.array(sizes)
    found = quotas(array, np.ones(len(sizes)) if equal else array.astype(float), budget)
    assert found.sum() == min(budget, array.sum())
    assert (found >= 0).all()
    assert (found <= array).all()
    if equal:
        short = found[found < array]
        assert not len(short) or found.max() <= short.min() + 1
    else:
        assert (np.abs(found - min(budget, array.sum()) * array / max(1, array.sum())) < 1).all()


def test_clusters_keep_their_share() -> None:
    """60, 30 and 10 records in three corners: 20 rows are 12, 6 and 2; equal quotas 7, 7, 6 (the last has 10)."""
    x = corners(60, 30, 10)
    corner = np.repeat([0, 1, 2], [60, 30, 10])
    assert np.bincount(corner[kmq(x, 20, clusters=3)]).tolist() == [12, 6, 2]
    assert sorted(np.bincount(corner[kmq(x, 20, clusters=3, sizes="equal")]).tolist()) == [6, 7, 7]
    assert np.bincount(corner[kmq(x, 50, clusters=3, sizes="equal")]).tolist() == [20, 20, 10]


def test_draws_are_in_proportion_to_quality() -> None:
    """Two of qualities 0.5, 0.3, 0.2 in one cluster: in with probability .8393, .6750 and .4857.

    P(first) = .5 + .3 x .5/.7 + .2 x .5/.8, and so on: drawn one after the other without replacement.
    """
    x = corners(3)
    rows = [kmq(x, 2, np.array([0.5, 0.3, 0.2]), clusters=1, seed=s, keys=keys_of(3)) for s in range(4000)]
    share = np.bincount(np.concatenate(rows)) / 4000
    assert np.allclose(share, [0.8393, 0.6750, 0.4857], atol=0.03)
    softmax = [
        kmq(x, 2, np.log([0.5, 0.3, 0.2]), clusters=1, seed=s, keys=keys_of(3), weights="softmax") for s in range(99)
    ]
    assert [row.tolist() for row in softmax] == [row.tolist() for row in rows[:99]]


def test_no_quality_comes_last_and_zeros_never() -> None:
    x = corners(6, 6)
    x[2] = 0
    quality = np.array([0, 1, 1, 2, 0, np.nan, 1, 1, 1, 1, 1, 1.0])
    rows = kmq(x, 12, quality, clusters=2, keys=keys_of(12)).tolist()
    assert sorted(rows) == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    first = [row for row in rows if row < 6]
    assert set(first[:2]) == {1, 3}
    chosen = Kmq(quality="q", clusters=2).select(pool_of(x, q=quality), Constraints(Budget("rows", 12)))
    assert chosen.reasons[chosen.reason[2]] == "kmq: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[5]] == "kmq: no quality (NaN)"
    nothing = Kmq().select(pool_of(np.zeros((3, 2), np.float32)), Constraints(Budget("rows", 2)))
    assert len(nothing) == 0


@given(st.integers(2, 60), st.integers(0, 50), st.sampled_from(["proportional", "equal"]))
@settings(max_examples=30)
def test_order_does_not_matter(n: int, seed: int, sizes: str) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4)).astype(np.float16)
    quality, order = random.random(n), random.permutation(n)
    rows = kmq(x, n // 2 + 1, quality, sizes=sizes)
    assert len(set(rows.tolist())) == n // 2 + 1
    assert order[kmq(x[order], n // 2 + 1, quality[order], sizes=sizes)].tolist() == rows.tolist()


def test_budget_in_tokens_keeps_shares_too() -> None:
    x, cost = corners(60, 30, 10), np.full(100, 7, np.int64)
    chosen = Kmq(clusters=3).select(pool_of(x), Constraints(Budget("tokens", 140), cost))
    assert np.bincount(np.repeat([0, 1, 2], [60, 30, 10])[chosen.rows]).tolist() == [12, 6, 2]
    assert chosen.facts["clusters"] == 3
    assert chosen.facts["quotas"] == {"least": 2, "most": 12}


def test_pins_count_in_their_quota() -> None:
    """Corners of 60 and 20 records; 30 of the first must go, so ten of 30 and 20 are 6 and 4, the kept among them."""
    corner = np.repeat([0, 1], [60, 20])
    keep, drop = np.isin(np.arange(80), [40, 41, 42, 79]), np.arange(80) < 30
    chosen = Kmq(clusters=2).select(pool_of(corners(60, 20)), Constraints(Budget("rows", 10), keep=keep, drop=drop))
    assert np.bincount(corner[chosen.rows]).tolist() == [6, 4]
    assert {40, 41, 42, 79} <= set(chosen.rows.tolist())


def test_bad_input_is_answered() -> None:
    x = corners(3)
    with pytest.raises(BudgetError, match="expected a whole number of at least 1, got 0"):
        kmq(x, 0)
    with pytest.raises(InputError, match=r"expected numbers of at least 0 to draw by, got -1 at record"):
        kmq(x, 1, [1, -1, 1])
    with pytest.raises(InputError, match=r"quality: expected 3 numbers, one a row, got an array of shape \(2,\)"):
        kmq(x, 1, [1, 1])
    with pytest.raises(OptionError, match="expected one of proportional, equal, got 'some'"):
        kmq(x, 1, sizes="some")
    with pytest.raises(OptionError, match="expected vectors, 3 x d, got float64 of shape"):
        Kmq().select(pool_of(np.zeros(3)), Constraints(Budget("rows", 1)))


def test_keys_may_be_any() -> None:
    """Keys in any order: the same records as the pool in canonical order has."""
    x = corners(20, 20)
    keys = np.stack([[int(mix64(np.uint64(i))) for i in range(40)], np.arange(40)], axis=1).astype(np.uint64)
    pool, order = Pool.build(keys, {"vectors": x})
    chosen = Kmq(clusters=2).select(pool, Constraints(Budget("rows", 9)), seed=4)
    assert sorted(order[chosen.rows].tolist()) == sorted(kmq(x, 9, clusters=2, seed=4, keys=keys).tolist())
