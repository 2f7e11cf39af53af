"""QuaDMix: the curve by its published figures, shares, copies, draws in proportion, domains of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.quadmix import Quadmix, quadmix
from tamis.select.steps.quadmix_curve import copies, sampling_value, shares


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.arange(n)], axis=1).astype(np.uint64)


def pool_of(**columns: np.ndarray) -> Pool:
    return Pool(keys_of(len(next(iter(columns.values())))), columns)


def test_the_curve_at_known_places() -> None:
    """slope 100, omega 0.05, eta 1, epsilon 0.001; at 0 it is 2 / (1 + exp(-5)) + 0.001."""
    places = [0, 0.01, 0.03, 0.0499, 0.05, 0.0501, 1]
    known = [1.98761, 1.96503, 1.76259, 1.006, 1.001, 0.001, 0.001]
    assert np.allclose(sampling_value(places), known, atol=5e-6)


@given(st.floats(0, 1000), st.floats(0, 0.1), st.floats(0, 1), st.floats(0, 1e-3))
def test_the_curve_falls_and_jumps_by_one(slope: float, omega: float, eta: float, epsilon: float) -> None:
    places = np.linspace(0, 1, 501)
    value = sampling_value(places, slope, omega, eta, epsilon)
    assert value.max() <= 2**eta + epsilon
    assert (np.diff(value) <= 1e-12).all()
    assert sampling_value(omega, slope, omega, eta, epsilon) == 1 + epsilon
    assert sampling_value(np.nextafter(omega, 1), slope, omega, eta, epsilon) == epsilon


def test_shares_by_hand() -> None:
    """Domain a: scores 1, 2, 2 of 2, 3 and 5 tokens are at 0.2, 1 and 1; domain b: 9, 3 of 1 and 4: 1 and 0.8."""
    found = shares([1, 9, 2, 3, 2], Groups.of(["a", "b", "a", "b", "a"]), [2, 1, 3, 4, 5])
    assert found.tolist() == [0.2, 1, 1, 0.8, 1]
    assert shares([2, 1], Groups.of(["a", "a"]), [0, 0]).tolist() == [1, 0.5]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=30))
def test_shares_agree_with_counting(rows: list[tuple[int, int, int]]) -> None:
    score, domain, cost = (np.array(column) for column in zip(*rows, strict=True))
    found = shares(score, Groups.of(domain), cost)
    for i in range(len(rows)):
        inside = domain == domain[i]
        size = cost if cost[inside].sum() else np.ones(len(rows))
        assert found[i] == pytest.approx(size[inside & (score <= score[i])].sum() / size[inside].sum())


def test_copies_have_the_value_as_their_mean() -> None:
    chance = (np.arange(1000) + 0.5) / 1000
    assert copies([0.2, 1.7, 2.0], [0.19, 0.71, 0.5]).tolist() == [1, 1, 2]
    for value in (0.001, 0.4, 1.0, 1.75, 2.0):
        assert copies(np.full(1000, value), chance).mean() == pytest.approx(value)


def test_by_hand() -> None:
    """Ten records alike in tokens, a from 9 to 0: with omega 0.3 the best three are sure, the rest never drawn.

    slope 0: S is 1 up to omega. The three come first whatever the seed; a fourth is one that was not drawn.
    """
    pool = pool_of(a=np.arange(10)[::-1].astype(float), tokens=np.full(10, 7))
    method = Quadmix(signals="a", slope=0, omega=0.3, epsilon=0)
    for seed in range(9):
        chosen = method.select(pool, Constraints(Budget("rows", 4)), seed)
        assert set(chosen.rows[:3].tolist()) == {0, 1, 2}
        assert chosen.weight[chosen.rows].tolist() == [1, 1, 1, 1]
        assert chosen.facts["records_drawn"] == chosen.facts["copies_drawn"] == chosen.facts["copies_expected"] == 3
        assert chosen.facts["chosen_but_not_drawn"] == 1
        assert "did not fill" in chosen.reasons[chosen.reason[chosen.rows[3]]]
    assert chosen.score.tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_less_is_better_where_it_says_so_and_weights_count() -> None:
    """Ranks of a (0, .5, 1) and, downwards, of b (1, 0, .5): merged evenly the second is first, by a the first."""
    columns = {"a": np.array([3.0, 2, 1]), "b": np.array([9.0, 1, 5]), "tokens": np.ones(3)}
    best = {"slope": 0, "omega": 0.34, "epsilon": 0}
    pool, budget = pool_of(**columns), Constraints(Budget("rows", 1))
    assert Quadmix(signals="a,b:asc", **best).select(pool, budget).rows.tolist() == [1]
    assert Quadmix(signals="a,b:asc", weights="5,1", **best).select(pool, budget).rows.tolist() == [0]
    assert Quadmix(signals="a,b", weights="0,1", **best).select(pool, budget).rows.tolist() == [0]
    assert Quadmix(signals="a:asc", **best).select(pool, budget).rows.tolist() == [2]


def test_a_domain_is_ranked_by_itself_with_parameters_of_its_own() -> None:
    domain = np.array(["a"] * 10 + ["b"] * 10, object)
    pool = pool_of(q=np.arange(20.0), d=domain, tokens=np.ones(20))
    plain = {"signals": "q", "domains": "d", "slope": 0, "epsilon": 0, "omega": 0.2}
    value = Quadmix(**plain).rank(pool, 0).score
    assert np.flatnonzero(value).tolist() == [8, 9, 18, 19]
    value = Quadmix(**plain, theta=json.dumps({"b": {"omega": 0.5}, "a": {"epsilon": 0.25}})).rank(pool, 0).score
    assert np.flatnonzero(value >= 1).tolist() == [8, 9, 15, 16, 17, 18, 19]
    assert value[:8].tolist() == [0.25] * 8
    assert value[10:15].tolist() == [0] * 5


def test_places_are_counted_in_tokens() -> None:
    """The best holds 60 of 100 tokens: with omega 0.5 nothing is sure; counted in records it is."""
    pool = pool_of(q=np.array([9.0, 5, 4]), tokens=np.array([60, 20, 20]))
    assert Quadmix(signals="q", omega=0.5, slope=0, epsilon=0).rank(pool, 0).score.tolist() == [0, 0, 0]
    assert Quadmix(signals="q", omega=0.5, slope=0, epsilon=0, share="records").rank(pool, 0).score.tolist() == [
        1,
        0,
        0,
    ]


def test_expected_weights_are_in_proportion_to_the_value() -> None:
    """40 records of S from 0.2 to nearly 2: over seeds the mean weight of each at 8 chosen is in proportion to S."""
    scores, options = np.arange(40.0)[:, None], {"slope": 4, "omega": 0.6, "epsilon": 0.2}
    place = 1 - np.arange(40) / 40
    value, total = sampling_value(place, 4, 0.6, 1, 0.2), np.zeros(40)
    for seed in range(4000):
        rows, often = quadmix(scores, 8, seed=seed, keys=keys_of(40), **options)
        total[rows] += often
    assert np.abs(total / total.sum() - value / value.sum()).max() < 0.004
    flat = np.zeros(40)
    for seed in range(2000):
        rows, _ = quadmix(scores, 1, seed=seed, keys=keys_of(40), copies=False, **options)
        flat[rows] += 1
    top = value >= 1  # the first draw alone: sure ones in proportion to S, the others as often as they are drawn
    assert flat[top].sum() / 2000 == pytest.approx(value[top].sum() / value.sum(), abs=0.04)


def test_copies_are_weights_unless_switched_off() -> None:
    pool = pool_of(q=np.random.default_rng(0).normal(size=2000), tokens=np.ones(2000))
    method = {"signals": "q", "omega": 0.1, "slope": 1000}
    chosen = Quadmix(**method).select(pool, Constraints(Budget("rows", 300)), 1)
    assert set(chosen.weight[chosen.rows].tolist()) == {1.0, 2.0}
    assert chosen.facts["copies_of_the_chosen"] == chosen.weight.sum()
    assert chosen.facts["copies_drawn"] == pytest.approx(chosen.facts["copies_expected"], rel=0.02)
    assert chosen.facts["chosen_but_not_drawn"] == 300 - chosen.facts["records_drawn"]
    plain = Quadmix(**method, copies=False).select(pool, Constraints(Budget("rows", 300)), 1)
    assert set(plain.weight[plain.rows].tolist()) == {1.0}


@given(st.integers(1, 40), st.integers(0, 99), st.booleans())
@settings(max_examples=40)
def test_order_does_not_matter(n: int, seed: int, divided: bool) -> None:
    random = np.random.default_rng(seed)
    scores, tokens = random.integers(0, 5, (n, 2)).astype(float), random.integers(0, 9, n)
    domains, order = random.integers(0, 3, n), random.permutation(n)
    keys = keys_of(n)
    given = {"domains": domains} if divided else {}
    rows, often = quadmix(scores, n // 2 + 1, tokens=tokens, keys=keys, seed=seed, omega=0.4, **given)
    given = {"domains": domains[order]} if divided else {}
    again, also = quadmix(
        scores[order], n // 2 + 1, tokens=tokens[order], keys=keys[order], seed=seed, omega=0.4, **given
    )
    assert order[again].tolist() == rows.tolist()
    assert also.tolist() == often.tolist()
    assert len(set(rows.tolist())) == n // 2 + 1
    assert (often >= 1).all()


def test_bad_input_is_answered() -> None:
    scores = np.ones((4, 2))
    with pytest.raises(BudgetError):
        quadmix(scores, 0)
    with pytest.raises(InputError, match="expected n x m numbers"):
        quadmix(np.ones(4), 1)
    with pytest.raises(InputError, match="tokens: expected 4 values, one a row, got 3"):
        quadmix(scores, 1, tokens=np.ones(3))
    with pytest.raises(InputError, match="got -1 at record 2"):
        quadmix(scores, 1, tokens=np.array([1, 1, -1, 1]))
    with pytest.raises(OptionError, match="expected 2 numbers such as '2,1', one a signal, got '1'"):
        Quadmix(signals="a,b", weights="1")
    with pytest.raises(OptionError, match="not all 0"):
        Quadmix(signals="a,b", weights="0,0")
    with pytest.raises(OptionError, match="expected different names"):
        Quadmix(signals="a,a:asc")
    for theta in (
        "{",
        "[1]",
        '{"web": 3}',
        '{"web": {"omaga": 1}}',
        '{"web": {"weights": [1]}}',
        '{"web": {"omega": 2}}',
    ):
        with pytest.raises(OptionError, match=r"theta|expected weights of at least 0"):
            Quadmix(signals="a,b", domains="d", theta=theta)
    with pytest.raises(OptionError, match="and the option 'domains'"):
        Quadmix(signals="a", theta='{"web": {}}')
    pool = pool_of(a=np.ones(2), d=np.array(["web", "code"], object), tokens=np.ones(2))
    with pytest.raises(OptionError, match=r"'wab'.*Did you mean 'web'"):
        Quadmix(signals="a", domains="d", theta='{"wab": {}}').rank(pool, 0)
    lacking = pool_of(a=np.array([1, np.nan]), tokens=np.ones(2))
    chosen = Quadmix(signals="a").select(lacking, Constraints(Budget("rows", 2)))
    assert chosen.rows.tolist() == [0]
    assert chosen.reasons[chosen.reason[1]] == "quadmix: lacks a signal (NaN)"
