"""DEITA: by hand, the plain definition, its promise, what quotas and pins do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.deita import Deita, deita


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def at_angles(*degrees: float) -> NDArray[np.float32]:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def cosines(x: NDArray[np.float32]) -> NDArray[np.float64]:
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return unit @ unit.T


def reference(x: NDArray[np.float32], k: int, score: NDArray[np.float64], tau: float) -> list[int]:
    """The definition: from the highest score, in if no cosine to those that are in is above tau."""
    near, picks = cosines(x), []
    for row in np.argsort(-score, kind="stable").tolist():
        if len(picks) < k and (not picks or near[row, picks].max() <= tau):
            picks.append(row)
    return picks


def test_by_hand() -> None:
    """Vectors at 0, 20, 40, 41 and 90 degrees, tau 0.9 (25.8 degrees); complexity 5, 4, 3, 2, 2, quality 2, 2, 2, 4, 1.

    Products 10, 8, 6, 8, 2. 0 is in; 20 is too near; 41 is in; 40 is too near to 41; 90 is in.
    """
    pool = Pool(
        keys(5),
        {"vectors": at_angles(0, 20, 40, 41, 90), "c": np.array([5, 4, 3, 2, 2]), "q": np.array([2, 2, 2, 4, 1])},
    )
    chosen = Deita(complexity="c", quality="q").select(pool, Constraints(Budget("rows", 5)))
    assert chosen.rows.tolist() == [0, 3, 4]
    assert chosen.score.tolist() == [10, 8, 6, 8, 2]
    assert [chosen.reasons[code] for code in chosen.reason[:3]] == [
        "deita: highest c x q",
        "deita: cosine above 0.9 to a chosen record",
        "deita: cosine above 0.9 to a chosen record",
    ]
    assert chosen.neighbour is not None
    assert chosen.similarity is not None
    assert chosen.neighbour.tolist() == [-1, 0, 3, -1, -1]
    assert chosen.similarity[1] == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    assert np.isnan(chosen.similarity[0])
    assert chosen.facts == {"alike": 2}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 150), st.sampled_from([-0.5, 0.0, 0.5, 0.9, 1.0]), st.integers(2, 4))
def test_the_picks_are_those_of_the_definition(seed: int, n: int, tau: float, width: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, width)).astype(np.float32)
    score = random.integers(0, n, n).astype(np.float64)  # with ties
    k = int(random.integers(1, n + 1))
    assert deita(x, k, score, tau=tau, keys=keys(n)).tolist() == reference(x, k, score, tau)


def test_many_blocks_keep_the_promise() -> None:
    """More rows than a block holds, most of them alike: no pair above tau, and nothing that is out would fit."""
    random = np.random.default_rng(1)
    x = (random.normal(size=(40, 12))[random.integers(0, 40, 1800)] + 0.25 * random.normal(size=(1800, 12))).astype(
        np.float32
    )
    score = random.normal(size=1800)
    near = cosines(x)
    rows = deita(x, 1800, score, tau=0.9, keys=keys(1800))
    assert 40 < len(rows) < 1200
    assert (near[np.ix_(rows, rows)] - 2 * np.eye(len(rows))).max() <= 0.9 + 1e-6
    out = np.setdiff1d(np.arange(1800), rows)
    blocking = (near[np.ix_(out, rows)] > 0.9 - 1e-6) & (score[rows] > score[out][:, None])
    assert blocking.any(axis=1).all()
    fewer = deita(x, 30, score, tau=0.9, keys=keys(1800))
    assert fewer.tolist() == rows[:30].tolist()
    turned = random.permutation(1800)
    assert turned[deita(x[turned], 30, score[turned])].tolist() == deita(x, 30, score).tolist()


def test_a_tau_of_one_is_the_highest() -> None:
    x = np.ones((6, 3), np.float32)
    assert deita(x, 4, [1, 5, 3, 5, 2, 0], tau=1, keys=keys(6)).tolist() == [1, 3, 2, 4]
    assert deita(x, 4, [1, 5, 3, 5, 2, 0], keys=keys(6)).tolist() == [1]
    assert not Deita(quality="q", tau=1).flags.at_most
    assert Deita(quality="q").flags.at_most


def test_pins_and_quotas_decide_who_is_in() -> None:
    """A must-keep record keeps its like out; one that a quota refuses, or that is pinned out, keeps none out."""
    x, quality = at_angles(0, 5, 60, 90), np.array([4.0, 3, 2, 1])
    pool, source = Pool(keys(4), {"vectors": x, "q": quality}), Groups.of(np.array(["a", "b", "b", "b"], object))
    chosen = Deita(quality="q").select(pool, Constraints(Budget("rows", 2), keep=np.arange(4) == 1))
    assert chosen.rows.tolist() == [1, 2]
    assert chosen.neighbour is not None
    assert chosen.neighbour[0] == 1
    chosen = Deita(quality="q").select(pool, Constraints(Budget("rows", 2), drop=np.arange(4) == 0))
    assert chosen.rows.tolist() == [1, 2]
    quotas = [Quota.parse("s=a<=0")]
    chosen = Deita(quality="q").select(pool, Constraints(Budget("rows", 2), None, quotas, {"s": source}))
    assert chosen.rows.tolist() == [1, 2]


def test_what_is_set_aside_and_bad_input() -> None:
    x, quality = at_angles(0, 30, 60, 90), np.array([1.0, np.nan, 3, 4])
    x[2] = 0
    pool = Pool(keys(4), {"vectors": x, "q": quality, "c": np.array([1.0, 1, 1, -2])})
    chosen = Deita(quality="q").select(pool, Constraints(Budget("rows", 4)))
    assert chosen.rows.tolist() == [3, 0]
    assert chosen.reasons[chosen.reason[1]] == "deita: no score (NaN)"
    assert chosen.reasons[chosen.reason[2]] == "deita: no vector (all zeros)"
    assert chosen.neighbour is not None
    assert (chosen.neighbour == -1).all()
    with pytest.raises(InputError, match="expected finite numbers of at least 0 to multiply, got -2 at record 3"):
        Deita(quality="q", complexity="c").select(pool, Constraints(Budget("rows", 4)))
    assert deita(x, 4, [-1, -2, -3, -4], keys=keys(4)).tolist() == [0, 1, 3]  # one signal may be anything
    with pytest.raises(OptionError, match="needs the option 'complexity', 'quality' or both"):
        Deita()
    with pytest.raises(OptionError, match="tau"):
        Deita(quality="q", tau=1.5)
    with pytest.raises(InputError, match="one a row"):
        deita(x, 2, [1, 2])
    with pytest.raises(BudgetError, match="got 0"):
        deita(x, 0, quality)
