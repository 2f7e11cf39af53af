"""Log-determinant mutual information and conditional gain: by hand, by determinants, in parts, beside submodlib."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_like import circle, numbered, points

from tamis.errors import OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.dpp import dpp_map
from tamis.select.gain import mutual
from tamis.select.gain.proposals import dealt, inside
from tamis.select.gain.submodular import Grown
from tamis.select.like import Like, like
from tamis.select.steps.volumes import covered, log_volume, metric, units
from tamis.select.unlike import Unlike, unlike

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def kernels(
    x: NDArray[np.float32], examples: NDArray[np.float32], weight: float, ridge: float
) -> tuple[Floats, Floats]:
    """Return the kernel of the rows, and what is left of it beside the examples, both written out."""
    one, other = units(x), units(examples)
    alike = one @ one.T + ridge * np.eye(len(x))
    across = weight * one @ other.T
    return alike, alike - across @ np.linalg.inv(other @ other.T + ridge * np.eye(len(other))) @ across.T


def value(form: str, rows: list[int], alike: Floats, left: Floats) -> float:
    """Return the objective by determinants."""
    some = np.ix_(rows, rows)
    conditional = float(np.linalg.slogdet(left[some])[1])
    return conditional if form == "logdetcg" else float(np.linalg.slogdet(alike[some])[1]) - conditional


def naive(form: str, k: int, alike: Floats, left: Floats) -> list[int]:
    """Evaluate every set at every step; ties to the first."""
    picks: list[int] = []
    for _ in range(k):
        others = (j for j in range(len(alike)) if j not in picks)
        picks.append(max(others, key=lambda j: (round(value(form, [*picks, j], alike, left), 9), -j)))
    return picks


def found(
    form: str, x: NDArray[np.float32], examples: NDArray[np.float32], k: int, weight: float, ridge: float
) -> Grown:
    keys = numbered(len(x))
    if form == "logdetmi":
        return like(x, examples, k, form=form, eta=weight, ridge=ridge, keys=keys)
    return unlike(x, examples, k, form=form, nu=weight, ridge=ridge, keys=keys)


def test_mutual_information_by_hand() -> None:
    """Unit vectors at 0, 60 and 90 degrees, the example at 0, ridge 1: the diagonal is 2, cosines are 1, .5 and 0.

    Alone they tell log(2 / (2 - 1/2)) = .2877, log(2 / (2 - 1/8)) = .0645 and nothing. Beside 0, 60 tells
    log(3.75 / 2.75) - .2877 = .0225: the determinants are 2 * 2 - .5^2 and 1.5 * 1.875 - .25^2. 90 comes last.
    """
    both = like(circle(0, 60, 90), circle(0), 2, form="logdetmi", ridge=1, keys=numbered(3))
    assert both.rows.tolist() == [0, 1]
    assert both.gains == pytest.approx([0.28768, 0.02247], abs=1e-5)
    assert both.objective == pytest.approx(np.log(3.75 / 2.75), abs=1e-6)


def test_what_a_record_tells_may_rise() -> None:
    """Vectors at 45 and 90, the example at 0, ridge 1: 90 alone tells nothing; beside 45 what 45 shares with 0.

    45 tells log(2 / 1.75) = .1335, both log(3.5 / 3) = .1542.
    """
    both = like(circle(45, 90), circle(0), 2, form="logdetmi", ridge=1, keys=numbered(2))
    assert both.rows.tolist() == [0, 1]
    assert both.gains == pytest.approx([0.13353, 0.02062], abs=1e-5)
    assert like(circle(90), circle(0), 1, form="logdetmi", ridge=1).objective == pytest.approx(0, abs=1e-12)


def test_conditional_gain_by_hand() -> None:
    """Unit vectors at 0, 60 and 90 degrees, the example at 0, ridge 1, nu 1/2.

    Left of the diagonal: 2 - 1/8, 2 - 1/32, 2. So 90 first. Of 60 it leaves 1.96875 - .75 / 2 = 1.59375, of 0
    everything: 0 is next, with 1.875. The two are alike by .5 - .25 / 4 = .4375, so 60 keeps 1.59375 - .4375^2 / 1.875.
    """
    three = unlike(circle(0, 60, 90), circle(0), 3, form="logdetcg", nu=0.5, ridge=1, keys=numbered(3))
    assert three.rows.tolist() == [2, 0, 1]
    assert three.gains == pytest.approx(np.log([2, 1.875, 1.49167]), abs=1e-5)
    assert three.objective == pytest.approx(np.log([2, 1.875, 1.49167]).sum(), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.sampled_from(["logdetmi", "logdetcg"]),
    st.sampled_from([0.3, 0.9, 1.0]),
    st.sampled_from([0.01, 0.3, 2.0]),
)
def test_picks_are_those_of_determinants(seed: int, q: int, form: str, weight: float, ridge: float) -> None:
    """With fewer and more examples and choices than dimensions; gains and the objective too, and none below 0."""
    x, examples = points(16, 5, seed), points(q, 5, seed + 1)
    alike, left = kernels(x, examples, weight, ridge)
    grown = found(form, x, examples, 8, weight, ridge)
    picks = naive(form, 8, alike, left)
    assert grown.rows.tolist() == picks
    assert grown.objective == pytest.approx(value(form, picks, alike, left), abs=1e-6)
    assert np.cumsum(grown.gains) == pytest.approx(
        [value(form, picks[: t + 1], alike, left) for t in range(8)], abs=1e-6
    )
    assert form == "logdetcg" or (grown.gains >= 0).all()


def test_without_weight_conditional_gain_is_the_choice_by_volume() -> None:
    x, examples = points(300, 6, 1), points(9, 6, 2)
    assert unlike(x, examples, 40, form="logdetcg", nu=0).rows.tolist() == dpp_map(x, 40)[0].tolist()
    one, two = (unlike(x, examples[:2], 3, form="logdetcg", nu=nu).rows for nu in (0, 1))
    far = [np.abs(units(x[rows]) @ units(examples[:2]).T).mean() for rows in (one, two)]
    assert far[1] < 0.1 < far[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([0.0, 0.1, 1.0]))
def test_directions_cover_what_examples_cover(seed: int, q: int, ridge: float) -> None:
    """The sum of their products is the matrix it is for; volumes beside them are those of both over the examples'."""
    examples, some = units(points(q, 6, seed)), units(points(3, 6, seed + 1))
    directions = covered(examples, ridge)
    inverse = np.linalg.pinv(examples @ examples.T + ridge * np.eye(q), rcond=1e-9, hermitian=True)
    assert len(directions) <= min(q, 6)
    assert directions.T @ directions == pytest.approx(examples.T @ inverse @ examples, abs=1e-7)
    assert metric(directions, 6) == pytest.approx(np.eye(6) - directions.T @ directions, abs=1e-12)
    if ridge:
        both = np.concatenate([examples, some])
        whole, part = (np.linalg.slogdet(rows @ rows.T + ridge * np.eye(len(rows)))[1] for rows in (both, examples))
        assert log_volume(some, ridge, directions) == pytest.approx(whole - part, abs=1e-6)


def test_copies_of_examples_take_no_more_than_one() -> None:
    """Without a ridge; with one, two of a kind are surer than one."""
    examples = units(points(4, 6, 0))
    twice = np.concatenate([examples, examples])
    for ridge, same in ((0.0, True), (0.5, False)):
        one, two = covered(examples, ridge), covered(twice, ridge)
        assert np.allclose(one.T @ one, two.T @ two, atol=1e-8) is same


def test_parts_are_dealt_by_key_and_choose_among_what_is_open() -> None:
    """The same records are together in any order; what is closed in the pool is closed in its part."""
    keys = np.stack([np.arange(50, dtype=np.uint64)] * 2, axis=1)
    rows = np.arange(5, 50)
    parts = dealt(rows, keys, 4, "like")
    assert np.sort(np.concatenate(parts)).tolist() == rows.tolist()
    assert {len(part) for part in parts} == {11, 12}
    assert all((np.diff(part) > 0).all() for part in parts)
    filling = Constraints(Budget("rows", 9), keep=np.arange(50) == parts[0][0]).open(50)
    few = inside(filling, parts[0], 3)
    assert few.left == 3
    assert few.open.tolist() == [False] + [True] * (len(parts[0]) - 1)


def test_parts_lose_little(monkeypatch: pytest.MonkeyPatch) -> None:
    x, target = points(3000, 8, 4), points(5, 8, 5)
    whole = like(x, target, 30, form="logdetmi")
    parts = like(x, target, 30, form="logdetmi", algorithm="parts")
    chance = [like(x[some], target, 30, form="logdetmi").objective for some in (range(30), range(30, 60))]
    assert parts.facts["parts"] == 2
    assert whole.objective - parts.objective < 0.1 * (whole.objective - max(chance))
    monkeypatch.setattr(mutual, "_WHOLE", 10_000)
    many = like(x, target, 30, form="logdetmi")
    assert many.facts["algorithm"] == "parts"
    assert many.facts["parts"] == 18
    assert whole.objective - many.objective < 0.1 * (whole.objective - max(chance))
    assert like(x, target, 2000, form="logdetmi", algorithm="parts").facts["proposals"] == 3000


@pytest.mark.parametrize("form", ["logdetmi", "logdetcg"])
def test_order_pins_quotas_and_what_has_no_vector(form: str) -> None:
    x, examples = points(60, 4, 7), points(6, 4, 8)
    x[5] = 0
    random = np.random.default_rng(1)
    turned, other = random.permutation(60), random.permutation(6)
    plain = (lambda *a: like(*a, form=form)) if form == "logdetmi" else (lambda *a: unlike(*a, form=form))
    one, two = plain(x, examples, 20), plain(x[turned], examples[other], 20)
    assert x[one.rows].tolist() == x[turned][two.rows].tolist()
    assert 5 not in plain(x, examples, 60).rows
    assert len(plain(x, examples, 60).rows) == 59
    method = Like(form=form).told([examples]) if form == "logdetmi" else Unlike(form=form).told((), [examples])
    groups = {"kind": Groups(np.arange(60) % 2, ("a", "b"))}
    limits = Constraints(Budget("rows", 10), keep=np.arange(60) == 9, groups=groups, quotas=(Quota.parse("kind=a<=3"),))
    chosen = method.select(Pool(numbered(60), {"vectors": x}), limits)
    assert chosen.rows[0] == 9
    assert (chosen.rows % 2 == 0).sum() <= 3
    assert len(chosen.rows) == 10


def test_what_cannot_be() -> None:
    for options in ({"metric": "euclidean"}, {"eta": 1.5}, {"algorithm": "anew"}):
        with pytest.raises(OptionError, match=r"form 'logdetmi': expected metric=cosine, eta of at most 1 and"):
            Like(form="logdetmi", **options)
    with pytest.raises(OptionError, match=r"algorithm 'stochastic': expected with form=flvmi, got form=logdetmi"):
        Like(form="logdetmi", algorithm="stochastic")
    for options in ({"metric": "euclidean"}, {"nu": 1.5}):
        with pytest.raises(OptionError, match=r"form 'logdetcg': expected metric=cosine and nu of at most 1, or"):
            Unlike(form="logdetcg", **options)
    with pytest.raises(OptionError, match=r"algorithm 'parts': expected with form=flcg, got form=logdetcg"):
        Unlike(form="logdetcg", algorithm="parts")


@pytest.mark.peers
@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize("ridge", [0.01, 1.0])
def test_parity_with_submodlib(weight: float, ridge: float) -> None:
    """The same picks and gains after the same kernels; its ridge is on the examples' diagonal too."""
    submodlib = pytest.importorskip("submodlib")
    x, examples = points(120, 8, 3), points(5, 8, 4)
    one, other = units(x), units(examples)
    s, q, qq = (np.asarray(a @ b.T, np.float32) for a, b in ((one, one), (one, other), (other, other)))
    peers = {
        "logdetmi": submodlib.LogDeterminantMutualInformationFunction(
            120, 5, ridge, data_sijs=s, query_sijs=q, query_query_sijs=qq, magnificationEta=weight
        ),
        "logdetcg": submodlib.LogDeterminantConditionalGainFunction(
            120, 5, ridge, data_sijs=s, private_sijs=q, private_private_sijs=qq, privacyHardness=weight
        ),
    }
    for form, peer in peers.items():
        grown = found(form, x, examples, 12, weight, ridge)
        picks = peer.maximize(
            budget=12, optimizer="NaiveGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
        )
        assert [row for row, _ in picks] == grown.rows.tolist()
        assert [gain for _, gain in picks] == pytest.approx(grown.gains, abs=1e-4)
        assert peer.evaluate(set(grown.rows.tolist())) == pytest.approx(grown.objective, abs=1e-3)
