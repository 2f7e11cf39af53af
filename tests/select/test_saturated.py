"""Saturated coverage: by hand, against plain greedy and the best of all sets, parts, beside apricot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain import limits
from tamis.select.gain.limits import Covered, row_sums
from tamis.select.saturated import Saturated, saturated_coverage, saturated_coverage_of
from tamis.vectors.similarity import UNIT, Space, square

Floats = NDArray[np.float64]


def points(n: int, d: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def numbered(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def kernel(x: NDArray[np.float32], metric: str = "cosine") -> Floats:
    return square(Space(x, metric), Local()).astype(np.float64) / UNIT


def value(s: Floats, rows: list[int], alpha: float) -> float:
    return float(np.minimum(s[:, rows].sum(axis=1), alpha * s.sum(axis=1)).sum())


def naive(s: Floats, k: int, alpha: float, picks: list[int] | None = None) -> list[int]:
    """Plain greedy by the definition, ties to the first."""
    picks = list(picks or [])
    for _ in range(k):
        found = [-1.0 if j in picks else value(s, [*picks, j], alpha) for j in range(len(s))]
        picks.append(int(np.argmax(np.round(found, 6))))
    return picks


def test_by_hand() -> None:
    """Two pairs of the same and one alone, alpha a half: similarities 1 in a pair, 0 else.

    Limits are half of the sums: 1 for those of a pair, .5 for the one alone. The first of a pair covers both: 2. So
    does the first of the other. Then those of the pairs add nothing, being at their limit, and the one alone .5.
    """
    s = np.zeros((5, 5))
    s[:2, :2] = s[2:4, 2:4] = s[4, 4] = 1
    found = saturated_coverage_of(s, 3, alpha=0.5)
    assert found.rows.tolist() == [0, 2, 4]
    assert found.gains == pytest.approx([2, 2, 0.5])
    assert found.objective == pytest.approx(4.5)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("alpha", [None, 0.05, 0.3, 1.0])
def test_the_picks_are_those_of_plain_greedy(metric: str, alpha: float | None) -> None:
    """Limits are whole multiples, so sets may differ by as much as rounding: what each pick reaches is compared."""
    x = points(60, 6, 3)
    s = kernel(x, metric)
    found = saturated_coverage(x, 20, alpha=alpha, metric=metric, keys=numbered(60))
    limit = 20 / 60 if alpha is None else alpha
    best = 0.0
    for at, row in enumerate(found.rows.tolist()):
        before = found.rows[:at].tolist()
        best = max(value(s, [*before, j], limit) for j in range(60) if j not in before)
        assert value(s, [*before, row], limit) == pytest.approx(best, abs=0.01)
    assert found.objective == pytest.approx(best, abs=0.01)
    given_ = saturated_coverage_of(s, 20, alpha=alpha)
    assert given_.rows.tolist()[:12] == naive(s, 12, limit)


@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(0.05, 1))
@settings(max_examples=25, deadline=None)
def test_greedy_reaches_its_share_of_the_optimum(seed: int, k: int, alpha: float) -> None:
    """At least 1 - 1/e, by all sets of 12; gains do not rise, and add up to the objective."""
    s = np.random.default_rng(seed).random((12, 12))
    s = (s + s.T) / 2
    best = max(value(s, list(rows), alpha) for rows in itertools.combinations(range(12), k))
    found = saturated_coverage_of(s, k, alpha=alpha)
    assert found.objective >= (1 - 1 / np.e) * best - 1e-4
    assert (np.diff(found.gains) <= 0).all()
    assert found.objective == pytest.approx(found.gains.sum())
    assert found.objective == pytest.approx(value(s, found.rows.tolist(), alpha), abs=1e-4)


def test_must_keep_records_cover_from_the_start() -> None:
    x = points(60, 5, 4)
    keep = np.zeros(60, bool)
    keep[[3, 9]] = True
    chosen = Saturated(alpha=0.2).select(Pool(numbered(60), {"vectors": x}), Constraints(Budget("rows", 10), keep=keep))
    assert chosen.rows.tolist() == naive(kernel(x), 8, 0.2, [3, 9])


PARTS = [
    {"algorithm": "parts", "memory": "140KB"},  # proposals, judged by all
    {"algorithm": "parts", "memory": "32KB"},  # shares in turn
    {"algorithm": "stochastic"},
]


@pytest.mark.parametrize("options", PARTS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_parts_and_samples_lose_little_and_tell_the_objective_over_the_pool(
    options: dict[str, str], metric: str
) -> None:
    x = points(400, 6, 6)
    s, pool = kernel(x, metric), Pool(numbered(400), {"vectors": x})
    keep = np.zeros(400, bool)
    keep[[3, 9]] = True
    constraints = Constraints(Budget("rows", 40), keep=keep)
    whole = Saturated(metric=metric).select(pool, constraints)
    other = Saturated(metric=metric, **options).select(pool, constraints)
    assert len(other) == 40
    assert ("in_turn" in other.facts) == (options.get("memory") == "32KB")
    assert ("proposals" in other.facts) == (options.get("memory") == "140KB")
    reached = value(s, other.rows.tolist(), 0.1)
    assert reached >= 0.97 * value(s, whole.rows.tolist(), 0.1)
    for found in (whole, other):
        assert found.facts["objective"] == pytest.approx(value(s, found.rows.tolist(), 0.1), abs=0.01)
        assert found.facts["covered"] == pytest.approx(found.facts["objective"] / (0.1 * s.sum()), abs=1e-4)
    assert other.score[[3, 9]].tolist() == whole.score[[3, 9]].tolist()  # what they cover, one after the other
    assert other.score[3] == pytest.approx(value(s, [3], 0.1), abs=0.01)


def test_parts_are_better_than_random_by_far() -> None:
    """Groups of very unequal sizes: parts reach what the whole does, within a hundredth; random selection does not."""
    random = np.random.default_rng(0)
    weight = random.zipf(1.5, 30).clip(1, 100)
    centres = random.normal(size=(30, 24))[random.choice(30, 3000, p=weight / weight.sum())]
    x = (centres + 0.8 * random.normal(size=(3000, 24))).astype(np.float32)
    chance = random.choice(3000, 60, replace=False).tolist()
    s = kernel(x)
    whole = saturated_coverage(x, 60, keys=numbered(3000)).objective
    for memory in ("1MB", "100KB"):
        parts = saturated_coverage(x, 60, memory=memory, keys=numbered(3000))
        assert parts.facts["algorithm"] == "parts"
        assert parts.objective > 0.99 * whole
    assert value(s, chance, 60 / 3000) < 0.95 * whole


def test_the_share_of_a_bound_never_promises_too_much() -> None:
    for seed in range(6):
        x = points(12, 3, seed)
        s = kernel(x)
        best = max(value(s, list(rows), 0.3) for rows in itertools.combinations(range(12), 3))
        found = saturated_coverage(x, 3, alpha=0.3)
        assert 1 - 1 / np.e <= found.facts["share_of_bound"] <= found.objective / best + 1e-3


def test_limits_of_a_large_pool_are_set_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    x, pool = points(600, 4, 2), Constraints(Budget("rows", 30))
    method = Saturated(algorithm="stochastic")
    exact = method.select(Pool(numbered(600), {"vectors": x}), pool)
    monkeypatch.setattr(limits, "EXACT", 500)
    monkeypatch.setattr(limits, "SAMPLE", 400)
    sampled = method.select(Pool(numbered(600), {"vectors": x}), pool)
    assert sampled.facts["limits_by"] == 400
    assert "limits_by" not in exact.facts
    assert sampled.facts["objective"] == pytest.approx(exact.facts["objective"], rel=0.03)


def test_gains_are_exact_on_any_number_of_threads() -> None:
    """Of the whole matrix, and of some rows by other candidates; whatever the limits, picks taken twice among them."""
    x = points(2500, 6, 1)
    matrix = square(Space(x, "cosine"), Local())
    room = (0.002 * row_sums(matrix, Local())).astype(np.int64)
    with Covered(matrix, room, 1) as one, Covered(matrix, room, 2, symmetric=True) as two:
        for candidate in (7, 2400, 7, 31, 900, 12):
            one.add(candidate)
            two.add(candidate)
        by = matrix[:, [7, 2400, 7, 31, 900, 12]].sum(axis=1, dtype=np.int64)
        assert (one.room == np.maximum(room - by, 0)).all()
        assert (one.best == np.minimum(by, room)).all()
        assert (one.gains == np.minimum(matrix, one.room[:, None]).sum(axis=0)).all()
        assert (one.gains == two.gains).all()
    with Covered(matrix[100:160, :9].copy(), room[100:160]) as some:
        some.add(4)
        left = np.maximum(room[100:160] - matrix[100:160, 4], 0)
        assert (some.gains == np.minimum(matrix[100:160, :9], left[:, None]).sum(axis=0)).all()


def test_zeros_are_set_aside() -> None:
    x = points(5, 3, 0)
    x[2] = 0
    chosen = Saturated().select(Pool(numbered(5), {"vectors": x}), Constraints(Budget("rows", 5)))
    assert sorted(chosen.rows.tolist()) == [0, 1, 3, 4]
    assert chosen.reasons[chosen.reason[2]] == "saturated: no vector (all zeros)"


def test_memory_is_kept() -> None:
    method = Saturated()
    assert method.holds(1_000_000) == 1 << 30
    assert method.within(10**8, 1_000_000).holds(1_000_000) == 10**8
    with pytest.raises(OptionError, match="memory is 32KB"):
        Saturated(memory="32KB", algorithm="whole").select(
            Pool(numbered(200), {"vectors": points(200, 3, 0)}), Constraints(Budget("rows", 5))
        )


def test_wrong_input_is_answered() -> None:
    with pytest.raises(BudgetError, match="got 0"):
        saturated_coverage(points(3, 2, 0), 0)
    with pytest.raises(InputError, match="expected n x n numbers"):
        saturated_coverage_of(np.zeros((3, 2)), 1)
    with pytest.raises(InputError, match="at least 0"):
        saturated_coverage_of(-np.ones((3, 3)), 1)
    with pytest.raises(OptionError, match="alpha"):
        saturated_coverage_of(np.ones((3, 3)), 1, alpha=2.0)


@pytest.mark.peers
def test_apricot_agrees() -> None:
    apricot = pytest.importorskip("apricot")
    s = kernel(points(150, 6, 8))
    for alpha in (0.1, 0.3):
        theirs = apricot.SaturatedCoverageSelection(15, metric="precomputed", alpha=alpha, optimizer="naive").fit(s)
        ours = saturated_coverage_of(s, 15, alpha=alpha)
        assert theirs.ranking.tolist() == ours.rows.tolist()
        assert np.array(theirs.gains) == pytest.approx(ours.gains, abs=1e-3)
