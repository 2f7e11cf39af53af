"""Graph cut: by hand, against plain greedy and the best of all sets, beside apricot and submodlib."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain import cutting
from tamis.select.graphcut import Graphcut, graph_cut, graph_cut_of
from tamis.vectors.similarity import UNIT, Space, square
from tamis.vectors.totals import linear_totals, sampled_totals, totals

Floats = NDArray[np.float64]


def points(n: int, d: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def numbered(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def value(s: Floats, rows: list[int], penalty: float) -> float:
    return float(s[:, rows].sum() - penalty * s[np.ix_(rows, rows)].sum())


def naive(s: Floats, k: int, penalty: float) -> tuple[list[int], list[float]]:
    """Plain greedy by the definition: the objective of every larger set, ties to the first."""
    picks: list[int] = []
    gains = []
    for _ in range(k):
        before = value(s, picks, penalty) if picks else 0.0
        found = [-np.inf if j in picks else value(s, [*picks, j], penalty) - before for j in range(len(s))]
        picks.append(int(np.argmax(np.round(found, 9))))
        gains.append(found[picks[-1]])
    return picks, gains


def test_by_hand() -> None:
    """Unit vectors at 0, 60 and 90 degrees and one at 180, cosines with negative ones as 0, penalty 0.4.

    Sums: 0 degrees 1.5, 60 has .5 + 1 + .866 = 2.366, 90 has 1.866, 180 has 1. Each costs .4 for itself: 60 is first,
    with 1.966. Then 0 has 1.5 - .4 - .8 * .5 = .7, 90 has 1.866 - .4 - .8 * .866 = .773, 180 has 1 - .4 = .6: 90.
    Then 0 still has .7 (90 degrees from it), 180 has .6: 0. Of all: 1.966 + .773 + .7 + .6 = 4.039.
    """
    angle = np.deg2rad([0, 60, 90, 180])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    found = graph_cut(x, 4, keys=numbered(4))
    assert found.rows.tolist() == [1, 2, 0, 3]
    assert found.gains == pytest.approx([1.966, 0.773, 0.7, 0.6], abs=1e-3)
    assert found.objective == pytest.approx(4.039, abs=1e-3)


def test_signed_by_hand() -> None:
    """At 0, 60, 90 and 170 degrees, cosines as they are: a chosen record raises one that is opposite.

    Sums: 0 has 1 + .5 + 0 - .985 = .515, 60 has .5 + 1 + .866 - .342 = 2.024, 90 has 2.040, 170 has -.153. 90 is first
    with 1.640. Then 60 has 2.024 - .4 - .8 * .866 = .931, 0 has .115, 170 has -.692. Then 0 has .115 - .4 = -.285,
    170 has -.692 + .8 * .342 = -.418.
    """
    angle = np.deg2rad([0, 60, 90, 170])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    found = graph_cut(x, 4, metric="signed", keys=numbered(4))
    assert found.rows.tolist() == [2, 1, 0, 3]
    assert found.gains[:3] == pytest.approx([1.640, 0.931, -0.285], abs=1e-3)


def kernel(x: NDArray[np.float32], metric: str) -> Floats:
    if metric == "signed":
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        return np.asarray(unit @ unit.T, np.float64)
    return square(Space(x, metric), Local()).astype(np.float64) / UNIT


@pytest.mark.parametrize("metric", ["cosine", "signed", "euclidean"])
@pytest.mark.parametrize("penalty", [0.0, 0.4, 3.0])
def test_the_picks_are_those_of_plain_greedy(metric: str, penalty: float) -> None:
    x = points(50, 6, 3)
    s = kernel(x, metric)
    picks, gains = naive(s, 20, penalty)
    found = graph_cut(x, 20, metric=metric, penalty=penalty, keys=numbered(50))
    assert found.rows.tolist() == picks
    assert found.gains == pytest.approx(gains, abs=1e-2)
    assert found.objective == pytest.approx(value(s, picks, penalty), rel=1e-4, abs=1e-2)
    given_ = graph_cut_of(s, 20, penalty=penalty)
    assert given_.rows.tolist() == picks
    assert given_.objective == pytest.approx(value(s, picks, penalty))


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.2, 0.4, 0.5]))
@settings(max_examples=25, deadline=None)
def test_greedy_reaches_its_share_of_the_optimum(seed: int, k: int, penalty: float) -> None:
    """At least 1 - 1/e, by all sets of 12; gains do not rise."""
    s = np.random.default_rng(seed).random((12, 12))
    s = (s + s.T) / 2
    np.fill_diagonal(s, 1.0)
    best = max(value(s, list(rows), penalty) for rows in itertools.combinations(range(12), k))
    found = graph_cut_of(s, k, penalty=penalty)
    assert found.objective >= (1 - 1 / np.e) * best
    assert (np.diff(found.gains) <= 1e-12).all()
    assert found.objective == pytest.approx(value(s, found.rows.tolist(), penalty))


@pytest.mark.parametrize("options", [{}, {"relative": True}, {"metric": "signed"}, {"metric": "signed", "penalty": 5}])
def test_a_narrow_front_changes_nothing(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Few asked at a time of a few looked at, or all at once: the same picks and gains, copies among them."""
    x = points(300, 8, 5)
    x[100:130] = x[:30]
    wide = graph_cut(x, 80, **options)
    monkeypatch.setattr(cutting, "_FRONT", 7)
    monkeypatch.setattr(cutting, "_COMPARED", 2)
    narrow = graph_cut(x, 80, **options)
    assert wide.rows.tolist() == narrow.rows.tolist()
    assert wide.gains.tolist() == narrow.gains.tolist()


def test_sums_need_no_matrix() -> None:
    x = points(2500, 5, 1)
    space = Space(x, "cosine")
    s = square(space, Local()).astype(np.int64)
    assert totals(space, Local()).tolist() == s.sum(axis=1).tolist()
    some = np.arange(0, 2500, 7)
    assert sampled_totals(space, some, Local()).tolist() == s[:, some].sum(axis=1).tolist()
    assert linear_totals(space, Local()) / UNIT == pytest.approx(kernel(x, "signed").sum(axis=1), abs=1e-3)
    other = Space(x, "euclidean")
    exact = square(other, Local()).sum(axis=1, dtype=np.int64)
    assert linear_totals(other, Local()) == pytest.approx(exact, rel=1e-5)


def test_the_penalty_is_told_and_relative_to_the_budget() -> None:
    x = points(200, 8, 2)
    assert graph_cut(x, 20, relative=True).facts["penalty"] == pytest.approx(4.0)
    assert graph_cut(x, 20).facts["penalty"] == 0.4


def test_must_keep_records_count_from_the_start() -> None:
    x = points(60, 5, 4)
    s = kernel(x, "cosine")
    keep = np.zeros(60, bool)
    keep[[3, 9]] = True
    chosen = Graphcut(penalty=2.0).select(
        Pool(numbered(60), {"vectors": x}), Constraints(Budget("rows", 12), keep=keep)
    )
    picks = [3, 9]
    for _ in range(10):
        picks.append(max(set(range(60)) - set(picks), key=lambda j: (value(s, [*picks, j], 2.0), -j)))
    assert chosen.rows.tolist() == picks
    assert chosen.facts["objective"] == pytest.approx(value(s, picks, 2.0), abs=1e-2)


def test_gains_a_token_decide_with_a_token_budget() -> None:
    """Two alike: the one of a tenth of the tokens is first, unless gains count whole."""
    x = np.array([[1, 0.1], [1, 0.0], [0, 1]], np.float32)
    cost = np.array([100, 10, 50])
    pool = Pool(numbered(3), {"vectors": x})
    assert Graphcut().select(pool, Constraints(Budget("tokens", 100), cost)).rows.tolist()[0] == 1
    whole = Graphcut(per_token=False).select(pool, Constraints(Budget("tokens", 100), cost))
    assert whole.rows.tolist() == [0]


def test_zeros_are_set_aside() -> None:
    x = points(5, 3, 0)
    x[2] = 0
    chosen = Graphcut().select(Pool(numbered(5), {"vectors": x}), Constraints(Budget("rows", 5)))
    assert sorted(chosen.rows.tolist()) == [0, 1, 3, 4]
    assert chosen.reasons[chosen.reason[2]] == "graphcut: no vector (all zeros)"


def test_wrong_input_is_answered() -> None:
    with pytest.raises(BudgetError, match="got 0"):
        graph_cut(points(3, 2, 0), 0)
    with pytest.raises(InputError, match="expected n x n numbers"):
        graph_cut_of(np.zeros((3, 2)), 1)
    with pytest.raises(InputError, match="finite"):
        graph_cut_of(np.full((3, 3), np.nan), 1)
    with pytest.raises(OptionError, match="penalty"):
        graph_cut(points(3, 2, 0), 1, penalty=-1)


@pytest.mark.peers
def test_apricot_agrees_and_counts_the_other_term() -> None:
    """Its alpha is 1 / penalty. Its metric "cosine" squares, so that opposite vectors count as alike."""
    apricot = pytest.importorskip("apricot")
    s = np.clip(kernel(points(150, 6, 8), "signed"), 0, 1)
    for penalty in (0.4, 1.0, 2.0):
        theirs = apricot.GraphCutSelection(30, metric="precomputed", alpha=1 / penalty).fit(s)
        ours = graph_cut_of(s, 30, penalty=penalty)
        assert theirs.ranking.tolist() == ours.rows.tolist()
        assert np.array(theirs.gains) * penalty == pytest.approx(ours.gains)
    x = np.array([[1, 0], [0.8, 0.6], [-1, 0.05], [-1, 0.2], [0.6, 0.8]])
    squared = kernel(x.astype(np.float32), "signed") ** 2
    theirs = apricot.GraphCutSelection(2, metric="cosine", alpha=2.5).fit(x)
    assert theirs.ranking.tolist() == graph_cut_of(squared, 2).rows.tolist()
    assert theirs.ranking.tolist() != graph_cut(x, 2, keys=numbered(5)).rows.tolist()


@pytest.mark.peers
def test_submodlib_agrees() -> None:
    submodlib = pytest.importorskip("submodlib")
    s = np.clip(kernel(points(150, 6, 9), "signed"), 0, 1)
    function = submodlib.GraphCutFunction(n=150, mode="dense", lambdaVal=0.4, separate_rep=False, ggsijs=s)
    for optimizer in ("NaiveGreedy", "LazyGreedy"):
        theirs = function.maximize(budget=30, optimizer=optimizer, show_progress=False)
        assert [row for row, _ in theirs] == graph_cut_of(s, 30).rows.tolist()
