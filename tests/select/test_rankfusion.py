"""Rank fusion: the three rules by hand, what they do not depend on, parity with a package for search results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.given.judges import agreement, points, ranks
from tamis.select.rankfusion import Rankfusion, fused, rankfusion

EVEN = np.array([0.5, 0.5])
SCORES = np.array([[9.0, 1.0], [5.0, 4.0], [5.0, 8.0], [1.0, 2.0]])
"""Four records, two judges. Ranks: (1, 4), (2.5, 2), (2.5, 1), (4, 3)."""


def test_ranks_and_points_by_hand() -> None:
    """5 and 5 share ranks 2 and 3. Points, doubled: with judge 1 the first beats 3 (6), each 5 1 and a half (3)."""
    assert ranks(SCORES).tolist() == [[1, 4], [2.5, 2], [2.5, 1], [4, 3]]
    assert points(SCORES).tolist() == [[6, 0], [3, 4], [3, 6], [0, 2]]


def test_borda_by_hand() -> None:
    """Mean points over 3 others: (3 + 0) / 6, (1.5 + 2) / 6, (1.5 + 3) / 6, (0 + 1) / 6."""
    assert fused(SCORES, EVEN) == pytest.approx([3 / 6, 3.5 / 6, 4.5 / 6, 1 / 6])
    assert rankfusion(SCORES, 4).tolist() == [2, 1, 0, 3]


def test_reciprocal_ranks_by_hand() -> None:
    """1/61 + 1/64, 1/62.5 + 1/62, 1/62.5 + 1/61, 1/64 + 1/63. A constant of 0: the first place is all."""
    published = [1 / 61 + 1 / 64, 1 / 62.5 + 1 / 62, 1 / 62.5 + 1 / 61, 1 / 64 + 1 / 63]
    assert fused(SCORES, EVEN, rule="rrf") == pytest.approx(published)
    assert rankfusion(SCORES, 4, rule="rrf").tolist() == [2, 1, 0, 3]
    assert rankfusion(SCORES, 4, rule="rrf", constant=0).tolist() == [2, 0, 1, 3]


def test_convex_by_hand() -> None:
    """Judge 1 over 8 from 1 on: 1, .5, .5, 0. Judge 2 over 7 from 1 on: 0, 3/7, 1, 1/7. Weights 3 and 1."""
    wanted = [0.75, 0.375 + 3 / 28, 0.375 + 1 / 4, 1 / 28]
    assert fused(SCORES, np.array([0.75, 0.25]), rule="convex") == pytest.approx(wanted)
    assert rankfusion(SCORES, 4, rule="convex", weights=[3, 1]).tolist() == [0, 2, 1, 3]


def test_spread_has_mean_0_and_variance_1() -> None:
    found = fused(SCORES, np.array([1.0, 0.0]), rule="convex", scale="spread")
    assert found.mean() == pytest.approx(0)
    assert (found**2).mean() == pytest.approx(1)
    flat = np.full((7, 2), 0.1)
    assert not fused(flat, EVEN, rule="convex", scale="spread").any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 5), st.sampled_from(["borda", "rrf"]))
def test_the_scale_of_a_signal_does_not_matter_nor_the_order_of_records(seed: int, n: int, m: int, rule: str) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 9, (n, m)).astype(float)
    shares = np.full(m, 1 / m)
    found = fused(scores, shares, rule=rule)
    assert fused(np.exp(scores * random.uniform(0.1, 1, m)) - 7, shares, rule=rule).tolist() == found.tolist()
    turned = random.permutation(n)
    assert fused(scores[turned], shares, rule=rule).tolist() == found[turned].tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["borda", "rrf", "convex"]))
def test_who_beats_another_with_every_judge_stands_before_it(seed: int, rule: str) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(15, 3))
    place = np.argsort(rankfusion(scores, 15, rule=rule))
    for a in range(15):
        for b in range(15):
            assert not (scores[a] > scores[b]).all() or place[a] < place[b]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25))
def test_points_are_those_of_counting_pairs(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 5, (n, 2)).astype(float)
    beaten = (scores[:, None] > scores[None]).sum(axis=1) * 2 + (scores[:, None] == scores[None]).sum(axis=1) - 1
    assert points(scores).tolist() == beaten.tolist()


def test_agreement_is_spearman() -> None:
    from scipy.stats import spearmanr

    random = np.random.default_rng(4)
    scores = random.integers(0, 20, (60, 3)).astype(float)
    pairs = [spearmanr(scores[:, a], scores[:, b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert agreement(scores) == pytest.approx(np.mean(pairs))
    assert np.isnan(agreement(scores[:, :1]))


def test_the_best_judge_is_beaten_by_all_of_them() -> None:
    """Ten judges see the truth with as much noise: the best 100 of 1,000 by all are better than by any one."""
    random = np.random.default_rng(0)
    truth = random.normal(size=1000)
    scores = truth[:, None] + random.normal(size=(1000, 10))
    alone = max(truth[np.argsort(-scores[:, j])[:100]].mean() for j in range(10))
    for rule in ("borda", "rrf", "convex"):
        assert truth[rankfusion(scores, 100, rule=rule)].mean() > alone + 0.2


def test_the_method_sets_aside_and_turns_signals() -> None:
    keys = np.stack([np.arange(4, dtype=np.uint64)] * 2, axis=1)
    pool = Pool(keys, {"a": SCORES[:, 0], "b": np.array([-1.0, -4.0, np.nan, -2.0])})
    chosen = Rankfusion(signals="a, b:asc").select(pool, Constraints(Budget("rows", 4)))
    assert chosen.rows.tolist() == [1, 0, 3]  # ranks (2, 1), (1, 3), (3, 2)
    assert chosen.reasons[chosen.reason[2]] == "rankfusion: lacks a signal (NaN)"
    assert chosen.score[1] == pytest.approx(0.75)
    assert chosen.facts["agreement"] == pytest.approx(-0.5)


def test_bad_input_is_answered() -> None:
    for wrong in ("1", "1,x", "-1,2", "0,0", "nan,1", "1,inf"):
        with pytest.raises(OptionError, match="expected 2 numbers of at least 0"):
            Rankfusion(signals="a,b", weights=wrong)
    for wrong in ("a,a", "a:up", ",b"):
        with pytest.raises(OptionError, match="expected different names"):
            Rankfusion(signals=wrong)
    with pytest.raises(InputError, match="got nan at record 1"):
        rankfusion([[1, 2], [np.nan, 3]], 1)
    with pytest.raises(InputError, match="expected finite numbers, got inf at record 0"):
        rankfusion([[np.inf, 2], [2, 3]], 1, rule="convex")
    with pytest.raises(InputError, match="n x m"):
        rankfusion([1, 2], 1)
    with pytest.raises(BudgetError):
        rankfusion(SCORES, 0)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_the_scores_are_those_of_ranx() -> None:
    ranx = pytest.importorskip("ranx")
    random = np.random.default_rng(2)
    scores = np.stack([random.permutation(30) for _ in range(3)], axis=1).astype(float) + 1
    runs = [ranx.Run({"q": {f"d{i:02}": float(v) for i, v in enumerate(column)}}) for column in scores.T]
    told = ranx.fuse(runs, norm=None, method="rrf", params={"k": 60})["q"]
    assert [told[f"d{i:02}"] for i in range(30)] == pytest.approx(fused(scores, np.full(3, 1 / 3), rule="rrf").tolist())
    told = ranx.fuse(runs, norm="min-max", method="sum")["q"]
    assert [told[f"d{i:02}"] / 3 for i in range(30)] == pytest.approx(
        fused(scores, np.full(3, 1 / 3), rule="convex").tolist(), abs=1e-6
    )
