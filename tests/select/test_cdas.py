"""CDAS: by hand, nothing at the limit, shares that add up, pins and tokens, any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.cdas import Cdas, cdas
from tamis.vectors.kmeans import kmeans


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.arange(n)], axis=1).astype(np.uint64)


def pool_of(x: np.ndarray, ifd: np.ndarray) -> Pool:
    return Pool(keys_of(len(x)), {"vectors": x, "ifd": ifd})


def corners(*sizes: int) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, 0.1, x.shape)).astype(np.float32)


def test_by_hand() -> None:
    """Corners of 5, 4 and 3 records; one of the first is at 1 and one above, so 3, 4 and 3 are left.

    Six of ten are 1.8, 2.4 and 1.8: one, two and one, and one more for each of the two largest remainders. Rounded
    down in each, as published, two would be lost.
    """
    ifd = np.array([0.5, 1.0, 0.7, 1.7, 0.6, 0.1, 0.4, 0.3, 0.2, 0.9, 0.99, 0.8])
    chosen = Cdas(by="ifd", clusters=3).select(pool_of(corners(5, 4, 3), ifd), Constraints(Budget("rows", 6)))
    assert sorted(chosen.rows.tolist()) == [2, 4, 6, 7, 9, 10]
    assert sorted(chosen.facts["sizes"]) == [3, 4, 5]
    assert sorted(chosen.facts["below_the_limit"]) == [3, 3, 4]
    assert chosen.facts["chosen"] == [2, 2, 2]
    assert chosen.facts["at_the_limit"] == 2
    assert {chosen.reasons[chosen.reason[i]] for i in (1, 3)} == {"cdas: at the limit of difficulty or above"}
    assert np.floor(0.6 * np.array([3, 4, 3])).sum() == 4


def test_a_uniform_model_keeps_nothing() -> None:
    """Its perplexities do not depend on the question: IFD is 1 for all, and nothing is kept."""
    chosen = Cdas(by="ifd").select(pool_of(corners(5, 5), np.ones(10)), Constraints(Budget("rows", 4)))
    assert len(chosen) == 0
    assert chosen.facts == {"at_the_limit": 10}
    assert len(cdas(corners(5, 5), np.ones(10), 4)) == 0
    assert len(cdas(corners(5, 5), np.ones(10), 4, limit=1.1)) == 4


def reference(x: np.ndarray, ifd: np.ndarray, k: int, clusters: int) -> set[int]:
    """Cluster by cluster, in plain Python; remainders by hand."""
    labels = kmeans(x, clusters, spherical=True, keys=keys_of(len(x))).labels
    inside = [[i for i in range(len(x)) if labels[i] == c and ifd[i] < 1] for c in range(clusters)]
    n = sum(map(len, inside))
    k = min(k, n)
    ideal = [k * len(rows) / n for rows in inside]
    count = [int(part) for part in ideal]
    for c in sorted(range(clusters), key=lambda c: (-round(ideal[c] - count[c], 9), c))[: k - sum(count)]:
        count[c] += 1
    best = [sorted(rows, key=lambda i: (-ifd[i], i))[:much] for rows, much in zip(inside, count, strict=True)]
    return {i for rows in best for i in rows}


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_plain_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, ifd = random.normal(size=(157, 6)).astype(np.float32), random.uniform(0.2, 1.3, 157).round(2)
    for k in (1, 13, 40, 80):
        assert set(cdas(x, ifd, k, clusters=7, keys=keys_of(157)).tolist()) == reference(x, ifd, k, 7)


@given(st.integers(2, 50), st.integers(0, 99), st.integers(1, 6))
@settings(max_examples=30)
def test_shares_are_within_one_and_the_order_of_rows_does_not_matter(n: int, seed: int, clusters: int) -> None:
    random = np.random.default_rng(seed)
    x, ifd = random.normal(size=(n, 4)).astype(np.float16), random.uniform(0, 1.2, n)
    k, order = n // 3 + 1, random.permutation(n)
    rows = cdas(x, ifd, k, clusters=clusters)
    assert len(set(rows.tolist())) == min(k, int((ifd < 1).sum()))
    assert (ifd[rows] < 1).all()
    assert order[cdas(x[order], ifd[order], k, clusters=clusters)].tolist() == rows.tolist()
    chosen = Cdas(by="ifd", clusters=clusters).select(pool_of(x, ifd), Constraints(Budget("rows", k)))
    if len(chosen):
        size, taken = np.array(chosen.facts["below_the_limit"]), np.array(chosen.facts["chosen"])
        assert (np.abs(taken - len(chosen) * size / size.sum()) < 1).all()


def test_ascending_and_tokens() -> None:
    x, cost = corners(60, 30, 10), np.full(100, 7, np.int64)
    score = np.random.default_rng(1).uniform(0, 2, 100)
    rows = Cdas(by="ifd:asc", clusters=3, limit=0).select(pool_of(x, score), Constraints(Budget("rows", 20))).rows
    assert np.bincount(np.repeat([0, 1, 2], [60, 30, 10])[rows]).tolist() == [12, 6, 2]
    assert score[rows[rows < 60]].max() < np.sort(score[:60])[12]
    by_tokens = Cdas(by="ifd", clusters=3, limit=9).select(pool_of(x, score), Constraints(Budget("tokens", 140), cost))
    assert np.bincount(np.repeat([0, 1, 2], [60, 30, 10])[by_tokens.rows]).tolist() == [12, 6, 2]


def test_pins_count_in_their_share() -> None:
    """Corners of 60 and 20 records; 30 of the first must go, so ten of 30 and 20 are 6 and 4, the kept among them."""
    corner, ifd = np.repeat([0, 1], [60, 20]), np.linspace(0.1, 0.9, 80)
    keep, drop = np.isin(np.arange(80), [40, 41, 42, 60]), np.arange(80) < 30
    budget = Constraints(Budget("rows", 10), keep=keep, drop=drop)
    chosen = Cdas(by="ifd", clusters=2).select(pool_of(corners(60, 20), ifd), budget)
    assert sorted(chosen.rows.tolist()) == [40, 41, 42, 57, 58, 59, 60, 77, 78, 79]
    assert np.bincount(corner[chosen.rows]).tolist() == [6, 4]
    assert sorted(chosen.facts["chosen"]) == [4, 6]


def test_bad_input_and_what_is_set_aside() -> None:
    x, ifd = corners(4, 4), np.linspace(0.1, 0.8, 8)
    x[2], ifd[5] = 0, np.nan
    chosen = Cdas(by="ifd", clusters=2).select(pool_of(x, ifd), Constraints(Budget("rows", 8)))
    assert sorted(chosen.rows.tolist()) == [0, 1, 3, 4, 6, 7]
    assert chosen.reasons[chosen.reason[2]] == "cdas: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[5]] == "cdas: no score (NaN)"
    assert len(Cdas(by="ifd").select(pool_of(x * 0, ifd), Constraints(Budget("rows", 3)))) == 0
    with pytest.raises(BudgetError):
        cdas(x, ifd, 0)
    with pytest.raises(InputError, match=r"difficulty: expected 8 numbers, one a row, got an array of shape \(3,\)"):
        cdas(x, ifd[:3], 1)
