"""Coverage-centric coreset: the published loop, by hand, what is cut off, outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.ccs import Ccs, ccs, strata_of


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def published(sizes: list[int], budget: int) -> list[int]:
    """The loop of the paper: strata by size, each gives min(size, what is left / strata left)."""
    given_, left = [0] * len(sizes), budget
    for visited, at in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        given_[at] = min(sizes[at], left // (len(sizes) - visited))
        left -= given_[at]
    return given_


def test_by_hand() -> None:
    """Difficulty 0 to 8; beta 0.12 of nine rows is one; four strata over 0 to 7: 0, 1 | 2, 3 | 4, 5 | 6, 7.

    8 is cut off. One row is of the last stratum, two of the last two. Nine: the one cut off comes last.
    """
    score = np.arange(9.0)
    assert strata_of(score[:8], 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    rows = ccs(score, 9, beta=0.12, strata=4)
    assert (rows[:4] // 2).tolist() == [3, 2, 1, 0]
    assert (rows[4:8] // 2).tolist() == [3, 2, 1, 0]
    assert rows[8] == 8


def test_a_thousand_points_of_two_densities() -> None:
    """900 points on 0 to 0.1 and 100 on 0.1 to 1: of ten strata, ten each."""
    score = np.concatenate([np.linspace(0, 0.1, 900), np.linspace(0.1, 1, 100)])
    sizes = np.bincount(strata_of(score, 10))
    assert sizes[0] >= 899
    assert sizes[1:].min() >= 10
    rows = ccs(score, 100, strata=10)
    assert np.bincount(strata_of(score, 10)[rows]).tolist() == [10] * 10


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.data())
def test_every_budget_gives_the_numbers_of_the_published_loop(sizes: list[int], data: st.DataObject) -> None:
    sizes[0], sizes[-1] = max(1, sizes[0]), max(1, sizes[-1])  # the range goes from the first to the last stratum
    score = np.repeat(np.arange(len(sizes)) + 0.5, sizes)
    if len(sizes) > 1:
        score[0], score[-1] = 0.0, len(sizes)
    budget = data.draw(st.integers(1, sum(sizes)))
    rows = ccs(score, budget, strata=len(sizes), seed=data.draw(st.integers(0, 5)))
    assert len(set(rows.tolist())) == budget
    assert np.bincount(strata_of(score, len(sizes))[rows], minlength=len(sizes)).tolist() == published(sizes, budget)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 200), st.sampled_from([0.0, 0.1, 0.35, 0.9]))
def test_the_hardest_come_last(seed: int, n: int, beta: float) -> None:
    score = np.random.default_rng(seed).normal(size=n).round(1)
    cut = int(round(beta * 100) * n / 100)
    rows = ccs(score, n, beta=beta, seed=seed)
    assert sorted(rows.tolist()) == list(range(n))
    last = score[rows[n - cut :]]
    assert (np.diff(last) >= 0).all()
    if cut:
        assert last[0] >= score[rows[: n - cut]].max(initial=-np.inf)


def test_draws_are_even_and_names_decide() -> None:
    score = np.repeat([0.0, 1.0], [50, 10])
    counts = np.zeros(60)
    for seed in range(400):
        counts[ccs(score, 10, strata=2, seed=seed)] += 1
    assert counts[:50].sum() == counts[50:].sum() == 2000
    assert abs(counts[:50] - 40).max() < 30  # 40 each, standard deviation 6
    assert abs(counts[50:] - 200).max() < 50
    turned = np.random.default_rng(0).permutation(60)
    again = turned[ccs(score[turned], 10, strata=2, keys=keys(60)[turned])]
    assert again.tolist() == ccs(score, 10, strata=2, keys=keys(60)).tolist()


def test_outliers_are_clipped() -> None:
    """One outlier makes all others one stratum; clipped, they spread."""
    score = np.concatenate([np.arange(100.0), [1e6]])
    assert np.bincount(strata_of(score, 10)).tolist() == [100, *[0] * 8, 1]
    assert np.bincount(strata_of(score, 10, 0.05)).min() >= 9
    big = np.array([-1.7e308, 0, 1.7e308])  # their range is no double
    assert strata_of(big, 3).tolist() == [0, 1, 2]
    assert strata_of(np.full(4, 7.0), 5).tolist() == [0] * 4


def test_reasons_facts_and_another_signal_for_the_cut() -> None:
    margin = np.array([0.9, -0.5, 0.8, 0.1, np.nan, 0.2])
    pool = Pool(keys(6), {"margin": margin, "forgets": np.array([0, 1, 2, 3, 4, 9])})
    method = Ccs(by="forgets", cut="margin:asc", beta=0.2, strata=2)
    assert method.needs() == ("forgets", "margin")
    chosen = method.select(pool, Constraints(Budget("rows", 3)))
    reasons = [chosen.reasons[code] for code in chosen.reason]
    assert reasons[1] == "ccs: among the hardest 0.2 of the pool"
    assert reasons[4] == "ccs: no score (NaN)"
    assert reasons[5] == "ccs: drawn within its stratum of forgets"
    assert chosen.facts == {"cut": 1, "sizes": [3, 1], "chosen": [2, 1]}
    everything = method.select(pool, Constraints(Budget("rows", 5)))
    assert everything.reasons[everything.reason[1]].endswith("but the rest was not enough")
    drop = np.arange(6) == 1
    chosen = method.select(pool, Constraints(Budget("rows", 3), drop=drop))
    assert chosen.reasons[chosen.reason[1]] == "pinned: must drop"


def test_bad_input() -> None:
    with pytest.raises(InputError, match="expected finite numbers to cut into strata, got inf at record 2"):
        ccs([0.0, 1.0, np.inf], 2)
    with pytest.raises(InputError, match=r"difficulty: expected 3 numbers, one a row, got an array of shape \(3, 2\)"):
        ccs(np.zeros((3, 2)), 2)
    with pytest.raises(InputError, match="one a row"):
        ccs(np.zeros(3), 2, keys=keys(2))
    with pytest.raises(BudgetError, match="got 0"):
        ccs([1.0], 0)
    with pytest.raises(OptionError, match="beta"):
        ccs([1.0], 1, beta=1)
    with pytest.raises(OptionError, match="option 'cut': expected SIGNAL, SIGNAL:asc or SIGNAL:desc, got 'a:up'"):
        Ccs(by="a", cut="a:up")
    assert ccs([np.nan, np.nan], 1).tolist() == []
