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
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain import cutting
from tamis.select.gain.cut import Cut
from tamis.select.gain.cut_forms import deal
from tamis.select.graphcut import Graphcut, graph_cut, graph_cut_of
from tamis.vectors.similarity import UNIT, Space, square
from tamis.vectors.totals import linear_totals, sampled_totals, totals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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


@pytest.mark.parametrize("least", [0, 8, 1000])
@pytest.mark.parametrize("options", [{}, {"relative": True}, {"metric": "signed"}, {"metric": "signed", "penalty": 5}])
def test_a_narrow_front_changes_nothing(options: dict[str, Any], least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few asked at a time of a few looked at, or all at once: the same picks and gains, copies among them.

    With `least` 0 every round goes by bounds, with 1000 every round after the first goes without them.
    """
    x = points(300, 8, 5)
    x[100:130] = x[:30]
    wide = graph_cut(x, 80, **options)
    monkeypatch.setattr(cutting, "_FRONT", 7)
    monkeypatch.setattr(cutting, "_COMPARED", 2)
    monkeypatch.setattr(cutting, "_LEAST", least)
    monkeypatch.setattr(cutting, "_LIKELY", 20)
    narrow = graph_cut(x, 80, **options)
    assert wide.rows.tolist() == narrow.rows.tolist()
    assert wide.gains.tolist() == narrow.gains.tolist()


def units(x: NDArray[np.float32], metric: str) -> tuple[Floats, Ints]:
    """Return all sums and all similarities, in whole units."""
    space, every = Space(x, "euclidean" if metric == "euclidean" else "cosine"), np.arange(len(x), dtype=np.int64)
    found = Cut(space, np.zeros(len(x)), 0.0, signed=metric == "signed").columns(every, every).astype(np.int64)
    return (found.sum(axis=0).astype(float) if metric == "cosine" else linear_totals(space, Local())), found


def plain(
    sums: Floats, s: NDArray[np.int64], k: int, penalty: float, among: NDArray[np.int64] | None = None
) -> list[int]:
    """Plain greedy, gains of all at every step, ties to the first; of all, or of those `among` them."""
    near, picks, open_ = np.zeros(len(s), np.int64), [], np.zeros(len(s), bool)
    open_[slice(None) if among is None else among] = True
    for _ in range(k):
        worth = (sums - penalty * (2.0 * near + UNIT)) / UNIT
        picks.append(int(np.argmax(np.where(open_, worth, -np.inf))))
        open_[picks[-1]] = False
        near += s[picks[-1]]
    return picks


def clusters(n: int, d: int, count: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(count, d))
    return (centres[random.integers(0, count, n)] + 0.8 * random.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "signed", "euclidean"])
@pytest.mark.parametrize("penalty", [0.5, 8.0])
def test_many_records_are_chosen_as_by_plain_greedy(metric: str, penalty: float) -> None:
    """More than are compared at once, so that fronts, and rounds without bounds, follow one another."""
    x = clusters(2600, 12, 9, 11)
    found = graph_cut(x, 300, metric=metric, penalty=penalty, keys=numbered(2600))
    assert found.rows.tolist() == plain(*units(x, metric), 300, penalty)
    assert found.facts["similarities"] == 2600 * (300 + (2600 if metric == "cosine" else 1))


@pytest.mark.parametrize("metric", ["cosine", "signed", "euclidean"])
def test_parts_propose_and_the_choice_is_made_among_the_proposals(metric: str) -> None:
    """By the definition: each part chooses by estimated sums, of which it has its share; then plain greedy."""
    x, keys, penalty, count, k = clusters(240, 8, 5, 2), numbered(240), 3.0, 3, 20
    sums, s = units(x, metric)
    proposed = []
    for part in deal(keys, count, 7):
        inside = s[np.ix_(part, part)]
        own = (inside.sum(axis=0) - UNIT) * (239 / (len(part) - 1)) + UNIT if metric == "cosine" else sums[part]
        gains = (own - penalty * UNIT) / UNIT  # of an empty set, and from them the sums again
        share = UNIT * (gains + penalty) / count
        proposed += part[plain(share, inside, 27, penalty)].tolist()  # four times 20 by three parts
    found = graph_cut(x, k, metric=metric, penalty=penalty, algorithm="parts", parts=count, seed=7, keys=keys)
    assert found.rows.tolist() == plain(sums, s, k, penalty, np.sort(proposed))
    assert (found.facts["parts"], found.facts["proposals"]) == (3, 81)
    assert found.objective == pytest.approx(
        (sums[found.rows].sum() - penalty * s[np.ix_(found.rows, found.rows)].sum()) / UNIT, rel=1e-6
    )


def test_samples_are_those_of_their_keys_and_steps() -> None:
    x, keys = clusters(150, 8, 5, 3), numbered(150)
    sums, s = units(x, "cosine")
    found = graph_cut(x, 30, penalty=2.0, algorithm="stochastic", eps=0.1, seed=4, keys=keys)
    assert found.facts["candidates_a_step"] == 12  # 150 / 30 * log(10) = 11.5
    picks: list[int] = []
    for step in range(30):
        waiting = np.setdiff1d(np.arange(150), picks)
        few = np.sort(waiting[np.argsort(uniforms(keys[waiting], salt(4, f"graphcut {step}")))[:12]])
        near = s[picks].sum(axis=0)
        picks.append(int(few[np.argmax((sums - 2.0 * (2.0 * near + UNIT))[few])]))
    assert found.rows.tolist() == picks


@pytest.mark.parametrize("metric", ["cosine", "signed", "euclidean"])
def test_a_sample_of_all_and_one_part_are_plain_greedy(metric: str) -> None:
    x = clusters(120, 8, 5, 4)
    plainly = graph_cut(x, 12, metric=metric, penalty=2.0).rows.tolist()
    whole = {"algorithm": "stochastic", "eps": 1e-6}
    one = {"algorithm": "parts", "parts": 1, "seed": 9}
    for options in (whole, one, {"algorithm": "lazy"}):
        assert graph_cut(x, 12, metric=metric, penalty=2.0, **options).rows.tolist() == plainly


@pytest.mark.parametrize("options", [{}, {"relative": True}, {"relative": True, "metric": "euclidean"}])
def test_parts_and_samples_come_close_to_the_whole(options: dict[str, Any]) -> None:
    x = clusters(3000, 16, 40, 5)
    whole = graph_cut(x, 100, **options).objective
    parts = graph_cut(x, 100, algorithm="parts", parts=10, **options).objective
    sampled = graph_cut(x, 100, algorithm="stochastic", **options).objective
    assert parts > 0.98 * whole
    assert sampled > 0.9 * whole


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["parts", "stochastic"]), st.sampled_from([None, 50]))
def test_the_order_of_the_rows_does_not_matter(seed: int, algorithm: str, sample: int | None) -> None:
    x = points(200, 4, seed)
    turned = np.random.default_rng(seed).permutation(200)
    one, other = (graph_cut(rows, 20, algorithm=algorithm, parts=4, sample=sample, seed=3) for rows in (x, x[turned]))
    assert turned[other.rows].tolist() == one.rows.tolist()
    assert one.gains.tolist() == other.gains.tolist()


def test_parts_go_on_when_the_proposals_do_not_fill_the_budget() -> None:
    """Short records are worth most a token: more fit than the mean cost promised."""
    x = np.abs(points(400, 6, 8))
    cost = np.where(np.arange(400) % 2, 1, 999)
    method = Graphcut(algorithm="parts", parts=8)
    chosen = method.select(Pool(numbered(400), {"vectors": x}), Constraints(Budget("tokens", 1000), cost))
    assert chosen.facts["not_proposed"] > 100
    assert sorted(chosen.rows.tolist()) == list(range(1, 400, 2))
    assert np.isfinite(chosen.score).all()
    s = kernel(x, "cosine")
    assert chosen.facts["objective"] == pytest.approx(value(s, chosen.rows.tolist(), 0.4), rel=1e-6)


@pytest.mark.parametrize("algorithm", ["parts", "stochastic"])
def test_what_must_be_in_counts_for_parts_and_samples(algorithm: str) -> None:
    """A record must be in whose copies are many: none of the copies is chosen besides, as alone they would be."""
    x = np.abs(clusters(300, 10, 20, 6))
    x[:80] = x[0]
    keep = np.zeros(300, bool)
    keep[0] = True
    pool = Pool(numbered(300), {"vectors": x})
    method = Graphcut(algorithm=algorithm, parts=3, relative=True, penalty=1.0)
    chosen = method.select(pool, Constraints(Budget("rows", 10), keep=keep))
    assert chosen.rows.tolist()[0] == 0
    assert (chosen.rows < 80).sum() <= 2


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
