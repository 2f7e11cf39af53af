"""k-center: by hand, its factor of two, parity with a plain reference, outliers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine import local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.gain import columns
from tamis.select.kcenter import Kcenter, kcenter


def line(*places: float) -> NDArray[np.float32]:
    return np.array([[place, 0.0] for place in places], np.float32)


def in_place(n: int) -> NDArray[np.uint64]:
    """Return keys that keep the rows as they are."""
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def apart(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sqrt(((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2))


def reference(x: NDArray[np.float32], k: int) -> list[int]:
    """Farthest first in plain NumPy, from the row nearest to the mean."""
    x = x.astype(np.float64)
    picks = [int(np.argmin(((x - x.mean(axis=0)) ** 2).sum(axis=1)))]
    near = ((x - x[picks[0]]) ** 2).sum(axis=1)
    while len(picks) < k:
        picks.append(int(np.argmax(near)))
        near = np.minimum(near, ((x - x[picks[-1]]) ** 2).sum(axis=1))
    return picks


def test_by_hand() -> None:
    """Points at 1, 2, 4, 5.5 and 11 of a line; the mean is 4.7.

    4 is nearest to it; 11 is farthest from 4 (7); then 1 (3). What is left, 2 and 5.5, is 1 and 1.5 away: radius 1.5.
    """
    rows, radius = kcenter(line(1, 2, 4, 5.5, 11), 3, metric="euclidean", keys=in_place(5))
    assert rows.tolist() == [2, 4, 0]
    assert radius == pytest.approx(1.5, abs=1e-6)
    pool = Pool(in_place(5), {"vectors": line(1, 2, 4, 5.5, 11)})
    chosen = Kcenter(metric="euclidean").select(pool, Constraints(Budget("rows", 3)))
    assert chosen.score == pytest.approx([3, 1, np.nan, 1.5, 7], abs=1e-5, nan_ok=True)
    assert chosen.facts["mean_distance"] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 120), st.integers(2, 6))
def test_the_picks_are_those_of_a_plain_reference(seed: int, n: int, d: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    k = max(1, n // 3)
    rows, radius = kcenter(x, k, metric="euclidean", keys=in_place(n))
    assert rows.tolist() == reference(x, k)
    assert radius == pytest.approx(apart(x)[:, rows].min(axis=1).max(), abs=1e-3)


def test_the_cosine_is_the_distance_of_unit_vectors() -> None:
    x = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows, radius = kcenter(
        x * np.random.default_rng(2).uniform(0.1, 9, (300, 1)).astype(np.float32), 30, keys=in_place(300)
    )
    first = rows[0]
    near = 1 - unit @ unit[first]
    for row in rows[1:]:
        assert near[row] == pytest.approx(near.max(), abs=1e-6)
        near = np.minimum(near, 1 - unit @ unit[row])
    assert radius == pytest.approx(near.max(), abs=1e-5)


def test_the_radius_is_at_most_twice_the_least_and_falls_with_k() -> None:
    for seed in range(10):
        x = np.random.default_rng(seed).normal(size=(12, 2)).astype(np.float32)
        distance = apart(x)
        best = min(distance[:, rows].min(axis=1).max() for rows in itertools.combinations(range(12), 3))
        radii = [kcenter(x, k, metric="euclidean")[1] for k in range(1, 13)]
        assert radii[2] <= 2 * best + 1e-6
        assert all(later <= before + 1e-6 for before, later in itertools.pairwise(radii))
        assert radii[-1] == 0


def test_one_minus_cosine_is_at_most_four_times_the_least() -> None:
    """Half the square of a distance that is at most twice the least; twice does not hold for it."""
    worst = 0.0
    for seed in range(40):
        x = np.random.default_rng(seed).normal(size=(12, 2)).astype(np.float32)
        unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        distance = 1 - unit @ unit.T
        best = min(distance[:, rows].min(axis=1).max() for rows in itertools.combinations(range(12), 3))
        worst = max(worst, kcenter(x, 3)[1] / best)
    assert 2 < worst <= 4 + 1e-6


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_radius_is_exact_where_it_is_small(metric: str) -> None:
    random = np.random.default_rng(6)
    x = random.normal(size=(100, 64)).astype(np.float32)
    assert kcenter(np.concatenate([x, x]), 100, metric=metric)[1] == 0
    near = np.concatenate([x, x + random.normal(0, 1e-4, x.shape).astype(np.float32)]).astype(np.float64)
    rows, radius = kcenter(near.astype(np.float32), 100, metric=metric, keys=in_place(200))
    if metric == "cosine":
        near /= np.linalg.norm(near, axis=1, keepdims=True)
    squared = ((near[:, None] - near[rows]) ** 2).sum(axis=2).min(axis=1).max()
    assert radius == pytest.approx(squared / 2 if metric == "cosine" else np.sqrt(squared), rel=1e-2)


@pytest.mark.parametrize("held", [0, columns.HELD])
def test_neither_threads_nor_memory_change_a_bit(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    x = np.random.default_rng(7).normal(size=(2500, 20)).astype(np.float16)
    pool, constraints = Pool(in_place(2500), {"vectors": x}), Constraints(Budget("rows", 40))
    one = Kcenter(outliers=0.01).select(pool, constraints)
    monkeypatch.setattr(columns, "HELD", held)
    monkeypatch.setattr(local, "_granted", 3)
    other = Kcenter(outliers=0.01).select(pool, constraints)
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one.score.tobytes() == other.score.tobytes()
    assert one.facts == other.facts


def test_copies_change_nothing_but_who_stands_for_them() -> None:
    x = np.random.default_rng(3).normal(size=(60, 3)).astype(np.float32)
    once = kcenter(x, 9, metric="euclidean", keys=in_place(60))
    twice = kcenter(np.concatenate([x, x]), 9, metric="euclidean", keys=in_place(120))
    assert twice[0].tolist() == once[0].tolist()
    assert twice[1] == once[1]


def test_outliers_are_spared() -> None:
    """Three far points of 200 take the first places; told that 2 % may stay far, none of them does."""
    random = np.random.default_rng(4)
    x = random.normal(size=(200, 2)).astype(np.float32)
    x[:3] += np.array([[900, 0], [0, 900], [-900, 0]], np.float32)
    plain = Kcenter(metric="euclidean").select(Pool(in_place(200), {"vectors": x}), Constraints(Budget("rows", 10)))
    assert {0, 1, 2} <= set(plain.rows.tolist())
    method = Kcenter(metric="euclidean", outliers=0.02)
    spared = method.select(Pool(in_place(200), {"vectors": x}), Constraints(Budget("rows", 10)))
    assert not {0, 1, 2} & set(spared.rows.tolist())
    assert spared.facts["outliers"] == 4
    assert spared.facts["radius"] > 800
    assert spared.facts["radius_without_outliers"] < 2
    everyone = method.select(Pool(in_place(200), {"vectors": x}), Constraints(Budget("rows", 200)))
    assert len(everyone) == 200


def test_pins_are_covered_from_the_start_and_a_full_group_is_passed_over() -> None:
    x = line(0, 1, 2, 3, 9, 10)
    keep = np.array([False, False, False, False, False, True])
    groups = Groups.of(np.array(["a", "b", "b", "b", "a", "a"], object))
    quotas = [Quota.parse("g=a<=1")]
    chosen = Kcenter(metric="euclidean").select(
        Pool(in_place(6), {"vectors": x}),
        Constraints(Budget("rows", 3), quotas=quotas, groups={"g": groups}, keep=keep),
    )
    assert chosen.rows.tolist() == [5, 1, 3]  # 0 is farthest from 10, but its group is full; then 1, then 3
    assert chosen.score[1] == pytest.approx(9, abs=1e-4)


def test_zero_vectors_and_bad_input() -> None:
    x = np.random.default_rng(5).normal(size=(30, 3)).astype(np.float32)
    x[4] = 0
    chosen = Kcenter().select(Pool(in_place(30), {"vectors": x}), Constraints(Budget("rows", 30)))
    assert len(chosen) == 29
    assert chosen.reasons[chosen.reason[4]] == "kcenter: no vector (all zeros)"
    x[9, 1] = np.inf
    with pytest.raises(InputError, match="got inf at record 9"):
        kcenter(x, 3)
    with pytest.raises(BudgetError):
        kcenter(x, 0)
    with pytest.raises(OptionError, match="outliers"):
        Kcenter(outliers=0.9)
