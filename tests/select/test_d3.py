"""d3: UPD by its formula, weighted farthest first by hand and by a plain loop, rounds, the planted clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.constraints import Budget, Constraints
from tamis.select.d3 import D3, d3, upd
from tamis.select.kcenter import Kcenter


def in_place(n: int) -> np.ndarray:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def line(*places: float) -> np.ndarray:
    return np.array([[place, 1.0] for place in places], np.float32)


def test_upd_by_hand() -> None:
    """sigmoid(0) = 1/2; entropy of half of log V leaves 1/2, of all of it nothing; beta = 2 leaves 3/4 of half."""
    v = math.log(100)
    assert upd([0, 0, 0], [0, v / 2, v], 100) == pytest.approx([0.5, 0.25, 0])
    assert upd([0], [v / 2], 100, beta=2) == pytest.approx([0.375])
    assert upd([1000, -1000], [0, 0], 100) == pytest.approx([1, 0])
    loss = np.random.default_rng(0).random(99)
    assert (np.argsort(upd(loss, np.full(99, 0.3), 50)) == np.argsort(loss)).all()


def test_by_hand() -> None:
    """Places 0, 1, 3, 10 on a line, weights 1, 5, 2, 1: 1 is first; then 10 has 1 x 9, 3 has 2 x 2, 0 has 1 x 1."""
    rows = d3(line(0, 1, 3, 10), 4, [1, 5, 2, 1], metric="euclidean")
    assert rows.tolist() == [1, 3, 2, 0]
    assert d3(line(0, 1, 3, 10), 3, [1, 5, 6, 0.1], metric="euclidean").tolist() == [2, 1, 0]


def plain(x: np.ndarray, k: int, weight: np.ndarray, cosine: bool) -> list[int]:
    y = x.astype(np.float64)
    if cosine:
        y /= np.linalg.norm(y, axis=1, keepdims=True)
    picks = [int(np.argmax(weight))]
    while len(picks) < k:
        apart = np.sqrt(((y[:, None] - y[picks][None]) ** 2).sum(axis=2)).min(axis=1)
        value = weight * apart
        value[picks] = -1
        picks.append(int(np.argmax(value)))
    return picks


@given(st.integers(0, 999), st.sampled_from(["cosine", "euclidean"]))
@settings(max_examples=30, deadline=None)
def test_agrees_with_a_plain_loop(seed: int, metric: str) -> None:
    random = np.random.default_rng(seed)
    x, weight = random.normal(size=(50, 4)).astype(np.float32), random.random(50)
    rows = d3(x, 12, weight, metric=metric, keys=in_place(50))
    assert rows.tolist() == plain(x, 12, weight, metric == "cosine")


def test_with_equal_weights_it_is_kcenter() -> None:
    """From the same first record, kept, the same records in the same order."""
    x = np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    keep = np.arange(300) == 17
    constraints = Constraints(Budget("rows", 40), keep=keep)
    pool = Pool(in_place(300), {"vectors": x, "w": np.ones(300)})
    assert (
        D3(difficulty="w").select(pool, constraints).rows.tolist() == Kcenter().select(pool, constraints).rows.tolist()
    )


def test_planted_clusters_that_are_unsure_or_untrusted_lose_their_share() -> None:
    """Three clusters of 200: the second has answers of high entropy, the third low ratings: below a third each."""
    random = np.random.default_rng(2)
    kind = np.repeat([0, 1, 2], 200)
    x = (3 * np.eye(8)[kind] + 0.5 * random.normal(size=(600, 8))).astype(np.float32)
    loss = random.gamma(4, 0.5, 600)
    entropy = np.where(kind == 1, 4.0, 1.0) + 0.1 * random.random(600)
    rating = np.where(kind == 2, 0.2, 0.9)
    weight = upd(loss, entropy, 100) * rating
    share = np.bincount(kind[d3(x, 90, weight)], minlength=3) / 90
    even = np.bincount(kind[d3(x, 90, np.ones(600))], minlength=3) / 90
    assert share[0] > 0.6
    assert share[1] < 0.8 * even[1]
    assert share[2] < 0.8 * even[2]
    pool = Pool(in_place(600), {"vectors": x, "loss": loss, "entropy": entropy, "rating": rating})
    method = D3(loss="loss", entropy="entropy", vocabulary=100, dependability="rating", scale="raw")
    by_signals = method.select(pool, Constraints(Budget("rows", 90))).rows
    assert sorted(by_signals.tolist()) == sorted(d3(x, 90, weight, keys=in_place(600)).tolist())


def test_rounds_ask_with_what_was_chosen() -> None:
    """Three rounds of 10 rows: asked twice, with 4 and 7; what gets weight 0 is not chosen again."""
    random = np.random.default_rng(3)
    x, weight = random.normal(size=(60, 4)).astype(np.float32), random.random(60)
    asked: list[list[int]] = []

    def rescore(rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return np.where(np.arange(60) < 30, 0.0, weight)

    rows = d3(x, 10, weight, rounds=3, rescore=rescore)
    assert [len(one) for one in asked] == [4, 7]
    assert rows[:4].tolist() == asked[0]
    assert rows[:7].tolist() == asked[1]
    assert len(set(rows.tolist())) == 10
    assert (rows[4:] >= 30).all()
    same = d3(x, 10, weight, rounds=3, rescore=lambda rows: weight)
    assert same.tolist() == d3(x, 10, weight).tolist()


def test_order_and_records_without_weight() -> None:
    random = np.random.default_rng(4)
    x, weight = random.normal(size=(70, 5)).astype(np.float32), random.random(70)
    turned = random.permutation(70)
    rows = d3(x, 20, weight)
    assert turned[d3(x[turned], 20, weight[turned])].tolist() == rows.tolist()
    weight[5], x[6] = np.nan, 0
    pool = Pool(in_place(70), {"vectors": x, "w": weight})
    chosen = D3(difficulty="w").select(pool, Constraints(Budget("rows", 70)))
    assert len(chosen) == 68
    assert chosen.reasons[chosen.reason[5]] == "d3: no weight (NaN)"
    assert chosen.reasons[chosen.reason[6]] == "d3: no vector (all zeros)"
    weight[:] = 0
    weight[8] = 1
    assert d3(x, 3, weight)[0] == 8


def test_bad_input() -> None:
    x = np.ones((4, 2))
    with pytest.raises(InputError, match="at least 0 to weigh by, got -1"):
        d3(x, 2, [1, -1, 1, 1])
    with pytest.raises(InputError, match="one a row"):
        d3(x, 2, [1])
    with pytest.raises(OptionError, match="at least 1 round"):
        d3(x, 2, np.ones(4), rounds=0)
    with pytest.raises(OptionError, match="'loss' and 'entropy'"):
        D3(loss="loss")
    with pytest.raises(OptionError, match="'difficulty'"):
        D3()
    with pytest.raises(InputError, match="vocabulary"):
        upd([1], [1], 1)
    with pytest.raises(InputError, match="below 0 at record 1"):
        upd([1, 1], [0, -1], 9)
