"""D3: UPD, the picks of k-center with equal worth, a plain reference, clusters that are worth less, rounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.engine import local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.d3 import D3, d3, upd
from tamis.select.gain import columns
from tamis.select.kcenter import kcenter


def in_place(n: int) -> np.ndarray:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def line(*places: float) -> np.ndarray:
    return np.array([[place, 0.0] for place in places], np.float32)


def reference(x: np.ndarray, worth: np.ndarray, k: int) -> list[int]:
    """Euclidean, in plain NumPy, for worth that differs."""
    picks = [int(np.argmax(worth))]
    while len(picks) < k:
        near = np.sqrt(((x[:, None] - x[picks].astype(np.float64)) ** 2).sum(axis=2)).min(axis=1)
        near[picks] = -1
        picks.append(int(np.argmax(worth * near)))
    return picks


def test_upd_by_hand() -> None:
    """Loss 0 and no entropy: 0.5. Entropy log(V) / 2: half of it; with beta 2, 3/4. At log V and above it: 0."""
    half = np.log(100) / 2
    assert np.allclose(upd([0, 0, 0, 0], [0, half, 2 * half, 3 * half], 100), [0.5, 0.25, 0, 0])
    assert upd([0.0], [half], 100, beta=2)[0] == pytest.approx(0.375)
    hard = upd([5, 1, 5, 1], [0.1, 0.1, 2, 2], 50)  # by loss where it is sure, and less where it is not
    assert np.argsort(-hard).tolist() == [0, 1, 2, 3]
    assert upd(np.array([1.0, 9]), np.zeros(2), 50).min() >= 0.5
    assert upd(np.array([1.0, 9]), np.zeros(2), 50, standard=True)[0] == pytest.approx(1 / (1 + np.e))
    assert np.isnan(upd([np.nan, 1], [0, 0], 9, standard=True)).tolist() == [True, False]


def test_by_hand() -> None:
    """Points at 1, 2, 5 and 11, worth 1, 3, 2, 0.5. First 2, worth most. Then 1, 6 and 4.5: the one at 5.

    Then 1 at 1 and 3 at 11, which is 6 away and worth half: the one at 11.
    """
    worth = [1, 3, 2, 0.5]
    assert d3(line(1, 2, 5, 11), 4, worth, metric="euclidean", keys=in_place(4)).tolist() == [1, 2, 3, 0]
    pool = Pool(in_place(4), {"vectors": line(1, 2, 5, 11), "w": np.array(worth)})
    chosen = D3(dependability="w", metric="euclidean").select(pool, Constraints(Budget("rows", 3)))
    assert chosen.rows.tolist() == [1, 2, 3]
    assert np.allclose(chosen.score, [1, np.nan, 6, 3], equal_nan=True)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("worth", [None, 0.3])
def test_with_equal_worth_the_picks_are_those_of_k_center(metric: str, worth: float | None) -> None:
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=(300, 5)).astype(np.float16)
        x[7:11] = x[3]
        given = None if worth is None else np.full(300, worth)
        assert d3(x, 299, given, metric=metric).tolist() == kcenter(x, 299, metric=metric)[0].tolist()


@given(st.integers(3, 40), st.integers(0, 200))
@settings(max_examples=40)
def test_agrees_with_a_plain_reference_in_any_order(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(-50, 50, (n, 3)).astype(np.float32) + np.float32(0.25)
    x = np.unique(x, axis=0)
    worth, order = random.uniform(0.1, 1, len(x)), random.permutation(len(x))
    k = len(x) // 2 + 1
    rows = d3(x, k, worth, metric="euclidean", keys=in_place(len(x)))
    assert rows.tolist() == reference(x, worth, k)
    again = d3(x[order], k, worth[order], metric="euclidean", keys=in_place(len(x))[order])
    assert order[again].tolist() == rows.tolist()


def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Return 3 x 100 vectors about three axes, alike in spread, and the cluster of each."""
    x = np.repeat(3 * np.eye(3, 8), 100, axis=0) + np.random.default_rng(0).normal(0, 0.5, (300, 8))
    return x.astype(np.float32), np.repeat([0, 1, 2], 100)


def test_unsure_and_undependable_clusters_fall_below_their_share() -> None:
    """One clean cluster, one of high entropy, one with low ratings: of 60 picks the last two get less than 20 each."""
    x, cluster = clusters()
    random = np.random.default_rng(1)
    given = {
        "vectors": x,
        "loss": random.uniform(1, 3, 300),
        "entropy": np.where(cluster == 1, 7.0, 1.0) + random.uniform(-0.5, 0.5, 300),
        "rating": np.where(cluster == 2, 0.2, 0.9) + random.uniform(-0.1, 0.1, 300),
    }
    method = D3(loss="loss", entropy="entropy", vocabulary=32_000, dependability="rating")
    share = np.bincount(cluster[method.select(Pool(in_place(300), given), Constraints(Budget("rows", 60))).rows])
    plain = np.bincount(cluster[d3(x, 60, keys=in_place(300))])
    assert max(share[1:]) < 20
    assert share[0] > 40
    assert plain.min() >= 15


def test_rounds_score_anew_and_only_through_the_caller() -> None:
    """Three rounds of two: what is chosen is told after 2 and 4 picks; worth moves to where it is said to be."""
    x, cluster = clusters()
    calls: list[list[int]] = []

    def rescore(rows: np.ndarray) -> np.ndarray:
        calls.append(rows.tolist())
        return np.where(cluster == len(calls), 1.0, 0.01)

    order = np.random.default_rng(2).permutation(300)
    rows = d3(x, 6, np.where(cluster == 0, 1.0, 0.01), rounds=3, rescore=rescore, keys=in_place(300))
    assert cluster[rows].tolist() == [0, 0, 1, 1, 2, 2]
    assert calls == [rows[:2].tolist(), rows[:4].tolist()]
    calls.clear()
    cluster = cluster[order]
    again = d3(x[order], 6, np.where(cluster == 0, 1, 0.01), rounds=3, rescore=rescore, keys=in_place(300)[order])
    assert order[again].tolist() == rows.tolist()
    with pytest.raises(OptionError, match="expected a function rescore for 3 rounds, got none"):
        d3(x, 6, rounds=3)


def test_what_is_worth_nothing_comes_last_and_pins_count() -> None:
    """Copies have no distance and zeros no worth: the budget is still exact, worth first."""
    x = line(1, 1, 5, 9)
    worth = [1, 1, 1, 0]
    assert d3(x, 4, worth, metric="euclidean", keys=in_place(4)).tolist() == [2, 0, 1, 3]
    pool = Pool(in_place(4), {"vectors": x, "w": np.array([1, np.nan, 1, 1.0])})
    keep = np.array([False, True, False, False])  # pinned, though it lacks its signal: what is near it is covered
    chosen = D3(difficulty="w", metric="euclidean").select(pool, Constraints(Budget("rows", 3), keep=keep))
    assert chosen.rows.tolist() == [1, 3, 2]
    free = D3(difficulty="w", metric="euclidean").select(pool, Constraints(Budget("rows", 4)))
    assert sorted(free.rows.tolist()) == [0, 2, 3]
    assert free.reasons[free.reason[1]] == "d3: lacks a signal (NaN)"


@pytest.mark.parametrize("held", [0, columns.HELD])
def test_neither_threads_nor_memory_change_a_bit(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    random = np.random.default_rng(7)
    x = random.normal(size=(2500, 20)).astype(np.float16)
    pool, budget = Pool(in_place(2500), {"vectors": x, "w": random.random(2500)}), Constraints(Budget("rows", 40))
    one = D3(difficulty="w").select(pool, budget)
    monkeypatch.setattr(local, "_granted", 3)
    other = D3(difficulty="w").within(180 * 2500 + held, 2500).select(pool, budget)
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one.score.tobytes() == other.score.tobytes()


def test_ranks_take_any_numbers() -> None:
    x = line(1, 2, 5, 11)
    pool = Pool(in_place(4), {"vectors": x, "ppl": np.array([-5.0, 900, 3, 7])})
    up = D3(difficulty="ppl", scale="ranks", metric="euclidean").select(pool, Constraints(Budget("rows", 2)))
    assert up.rows.tolist() == [1, 3]
    down = D3(difficulty="ppl:asc", scale="ranks", metric="euclidean").select(pool, Constraints(Budget("rows", 2)))
    assert down.rows.tolist() == [0, 3]  # worth 1 at 1; then 0.75 x 4 at 5 and 0.5 x 10 at 11


def test_bad_input_is_answered() -> None:
    x = line(1, 2, 3)
    with pytest.raises(BudgetError):
        d3(x, 0)
    with pytest.raises(InputError, match="expected finite numbers of at least 0, got -1 at record 1"):
        d3(x, 1, [1, -1, 1], keys=in_place(3))
    with pytest.raises(InputError, match="worth: expected 3 numbers, one a row"):
        d3(x, 1, [1, 1])
    with pytest.raises(OptionError, match="loss, entropy and vocabulary together, got loss"):
        D3(loss="l")
    with pytest.raises(OptionError, match="expected scale=ranks"):
        D3(difficulty="l:asc")
    with pytest.raises(OptionError, match="metric"):
        d3(x, 1, metric="city")
    with pytest.raises(InputError, match="upd, entropy: expected numbers of at least 0, got -1 at record 0"):
        upd([1.0], [-1.0], 9)
    with pytest.raises(InputError, match="n losses and n entropies"):
        upd([1.0, 2], [1.0], 9)
    with pytest.raises(OptionError, match="vocabulary of at least 2"):
        upd([1.0], [1.0], 1)
    assert len(D3().select(Pool(in_place(3), {"vectors": 0 * x}), Constraints(Budget("rows", 2)))) == 0
