"""Maximal marginal relevance: by hand, its two ends, parity with the published formula."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.mmr import Mmr, mmr


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def unit(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


def follows(picks: NDArray[np.int64], x: NDArray[np.float32], good: NDArray[np.float64], balance: float) -> bool:
    """Whether each pick is the best of the published formula, evaluated anew, up to the rounding of float32."""
    cosines = unit(x) @ unit(x).T
    alike = np.zeros(len(x))
    for at, pick in enumerate(picks.tolist()):
        value = balance * good - (1 - balance) * alike
        value[picks[:at]] = -np.inf
        if value[pick] < value.max() - 1e-6:
            return False
        alike = cosines[:, picks[: at + 1]].max(axis=1)
    return len(set(picks.tolist())) == len(picks)


def test_by_hand() -> None:
    """Vectors at 0, 5, 60 and 90 degrees, quality 4, 3, 2, 1: ranks 1, 2/3, 1/3, 0.

    First 0 degrees. Then, halves left out: 5 has 2/3 - .996 = -.330, 60 has 1/3 - .5 = -.167, 90 has 0 - 0 = 0:
    90 degrees. Then 60 has 1/3 - .866 = -.533 and 5 still -.330: 5 degrees.
    """
    angle = np.deg2rad([0, 5, 60, 90])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    assert mmr(x, 4, [4, 3, 2, 1], keys=in_place(4)).tolist() == [0, 3, 1, 2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 100), st.sampled_from([0.1, 0.5, 0.9]))
def test_the_picks_are_those_of_the_formula(seed: int, n: int, balance: float) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5)).astype(np.float32)
    quality = random.permutation(n)
    k = max(1, n // 2)
    rows = mmr(x, k, quality, balance=balance, keys=in_place(n))
    assert len(rows) == k
    assert follows(rows, x, quality / max(n - 1, 1), balance)
    mean = unit(x).mean(axis=0)
    near = unit(x) @ (mean / np.linalg.norm(mean))
    assert follows(mmr(x, k, balance=balance, keys=in_place(n)), x, near, balance)


def test_the_euclidean_similarity_is_that_of_facility() -> None:
    random = np.random.default_rng(7)
    x, quality = random.normal(size=(60, 3)).astype(np.float32), random.permutation(60)
    apart = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)
    scale = 4 * ((x - x.mean(axis=0)) ** 2).sum(axis=1).max()
    picks: list[int] = []
    while len(picks) < 12:
        alike = (1 - apart[:, picks] / scale).max(axis=1) if picks else np.zeros(60)
        value = 0.5 * quality / 59 - 0.5 * alike
        value[picks] = -np.inf
        picks.append(int(np.argmax(value)))
    assert mmr(x, 12, quality, metric="euclidean", keys=in_place(60)).tolist() == picks
    pool = Pool(in_place(60), {"vectors": x, "q": quality})
    chosen = Mmr(quality="q", metric="euclidean").select(pool, Constraints(Budget("rows", 12)))
    assert chosen.facts["mean_relevance"] == pytest.approx(quality[picks].mean() / 59, abs=1e-6)
    assert chosen.facts["mean_marginal_relevance"] == pytest.approx(chosen.score[picks].mean(), abs=1e-6)


def test_the_ends() -> None:
    random = np.random.default_rng(1)
    x, quality = random.normal(size=(50, 4)).astype(np.float32), random.permutation(50)
    assert mmr(x, 10, quality, balance=1, keys=in_place(50)).tolist() == np.argsort(-quality)[:10].tolist()
    rows = mmr(x, 2, quality, balance=0, keys=in_place(50))
    cosines = unit(x) @ unit(x).T
    assert rows[0] == 0  # all are alike as long as nothing is chosen: the first
    assert rows[1] == np.argmin(cosines[0])


def test_copies_do_not_follow_each_other() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(20, 6)).astype(np.float32)
    both = np.concatenate([x, x])
    rows = mmr(both, 20, np.concatenate([np.arange(20), np.arange(20)]), balance=0.5, keys=in_place(40))
    assert all(a % 20 != b % 20 for a, b in itertools.pairwise(rows))


def test_a_pinned_record_without_quality_is_compared_with() -> None:
    """0 degrees is pinned and unrated; of 5 (quality 3), 60 (2) and 90 (1) degrees the one at 5 is nearly it.

    Ranks 1, 1/2, 0. With balance 0.3: 5 has .3 - .7 * .996 = -.397, 60 has .15 - .7 / 2 = -.2, 90 has 0.
    """
    angle = np.deg2rad([0, 5, 60, 90])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    pool = Pool(in_place(4), {"vectors": x, "q": np.array([np.nan, 3, 2, 1])})
    keep = np.array([True, False, False, False])
    chosen = Mmr(quality="q", balance=0.3).select(pool, Constraints(Budget("rows", 2), keep=keep))
    assert chosen.rows.tolist() == [0, 3]
    assert chosen.score[3] == pytest.approx(0, abs=1e-6)
    assert np.isnan(chosen.score[0])


def test_order_pins_and_bad_input() -> None:
    random = np.random.default_rng(3)
    x, quality = random.normal(size=(90, 4)).astype(np.float32), random.normal(size=90)
    turned = random.permutation(90)
    assert turned[mmr(x[turned], 20, quality[turned])].tolist() == mmr(x, 20, quality).tolist()
    keep = np.zeros(90, bool)
    keep[7] = True
    pool = Pool(in_place(90), {"vectors": x, "q": quality})
    chosen = Mmr(quality="q").select(pool, Constraints(Budget("rows", 5), keep=keep))
    assert chosen.rows[0] == 7
    x[4], quality[5] = 0, np.nan
    pool = Pool(in_place(90), {"vectors": x, "q": quality})
    chosen = Mmr(quality="q").select(pool, Constraints(Budget("rows", 90)))
    assert len(chosen) == 88
    assert chosen.reasons[chosen.reason[4]] == "mmr: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[5]] == "mmr: no quality (NaN)"
    with pytest.raises(InputError, match="one a row"):
        mmr(x, 3, [1, 2])
    with pytest.raises(OptionError, match="balance"):
        Mmr(balance=2)
