"""Shares of clusters: whole numbers, so that equal remainders are equal, and one order that holds them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.select.base import Pool, Ranking
from tamis.select.budget.aware import Aware
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.shares import apportioned, quotas


def test_equal_remainders_go_to_the_first() -> None:
    """Of 4, 3 and 8 records three are 0.8, 0.6 and 1.6: as doubles the last remainder is a bit above the second."""
    sizes = np.array([4, 3, 8])
    assert quotas(sizes, sizes.astype(np.float64), 3).tolist() == [1, 1, 1]
    assert quotas(np.array([9, 9, 9]), np.full(3, 1 / 3), 7).tolist() == [3, 2, 2]
    assert quotas(np.array([9, 9, 9]), np.full(3, 1e300), 8).tolist() == [3, 3, 2]
    assert quotas(np.array([9, 9]), np.array([5e-324, 1e300]), 5).tolist() == [0, 5]


def by_fractions(sizes: list[int], weights: list[float], budget: int) -> list[int]:
    """The definition, cluster by cluster, in fractions."""
    taken, left = [0] * len(sizes), min(budget, sum(sizes))
    while left:
        free = [i for i, size in enumerate(sizes) if taken[i] < size]
        share = [Fraction(weights[i]) for i in free]
        if not sum(share):
            weights = [float(size) for size in sizes]
            continue
        wanted = [left * one / sum(share) for one in share]
        full = [i for i, one in zip(free, wanted, strict=True) if one >= sizes[i]]
        for i in full:
            taken[i], left = sizes[i], left - sizes[i]
        if not full:
            for i, one in zip(free, wanted, strict=True):
                taken[i] = int(one)
            rest = sorted(zip([int(one) - one for one in wanted], free, strict=True))
            for _, i in rest[: left - sum(int(one) for one in wanted)]:
                taken[i] += 1
            left = 0
    return taken


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, 2.0, 7.0])), min_size=1, max_size=8
    ),
    st.integers(1, 60),
)
def test_agrees_with_fractions(clusters: list[tuple[int, float]], budget: int) -> None:
    sizes, weights = [size for size, _ in clusters], [weight for _, weight in clusters]
    assert quotas(np.array(sizes), np.array(weights), budget).tolist() == by_fractions(sizes, weights, budget)


def test_what_must_be_in_counts_and_what_must_not_has_no_share() -> None:
    """Of two clusters of four two each; one of the first is kept, two of the second cannot be in."""
    rows, labels = np.arange(8), np.repeat(np.array([0, 1], np.int32), 4)
    keep, drop = rows == 3, np.isin(rows, [4, 6])
    found, taken = apportioned(rows, labels, np.ones(2), 4, keep, drop)
    assert taken.tolist() == [2, 2]
    assert found.tolist() == [3, 5, 0, 7, 1, 2]


class Told(Aware):
    """Says what it was told."""

    name = "told"

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: np.ndarray, drop: np.ndarray) -> Ranking:
        facts = {"seed": seed, "wanted": wanted, "keep": int(keep.sum()), "drop": int(drop.sum())}
        return Ranking(np.arange(len(pool)), np.zeros(len(pool)), "told", facts=facts)


@pytest.mark.parametrize(
    ("budget", "wanted"), [(("rows", 3), 3), (("rows", 30), 10), (("fraction", 0.5), 5), (("tokens", 45), 4)]
)
def test_a_method_is_told_the_budget_in_records(budget: tuple[str, float], wanted: int) -> None:
    """Ten records of 10 tokens: 45 tokens are four of them."""
    pool = Pool(np.stack([np.arange(10, dtype=np.uint64)] * 2, axis=1))
    chosen = Told().select(pool, Constraints(Budget(*budget), np.full(10, 10)), seed=4)
    assert chosen.facts == {"seed": 4, "wanted": wanted, "keep": 0, "drop": 0}
    pins = {"keep": np.arange(10) == 9, "drop": np.arange(10) < 2}
    chosen = Told().select(pool, Constraints(Budget("fraction", 0.5), **pins))
    assert chosen.facts == {"seed": 0, "wanted": 4, "keep": 1, "drop": 2}
    assert chosen.rows.tolist() == [9, 2, 3, 4]
    assert Told().rank(pool, 1).facts["wanted"] == 10
