"""Adapt-infinity: shares like water, the score that tells most, whatever its unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import InputError, OptionError
from tamis.select.adapt import Adapt, adapt
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.shares import quotas, shared
from tamis.select.steps.histogram import entropy, standard


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.zeros(n), np.arange(n)], axis=1).astype(np.uint64)


def corners(*sizes: int) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, 0.1, x.shape)).astype(np.float32)


SIZES = (5, 50, 100)
CORNER = np.repeat(np.arange(3), SIZES)


def test_water_filling_by_hand() -> None:
    """Sizes 5, 50, 100 and a budget of 60: 20 each is more than the first has; 55 are left for two: 28 and 27."""
    assert quotas(np.array(SIZES), np.ones(3), 60).tolist() == [5, 28, 27]
    score = np.random.default_rng(1).normal(size=155)
    rows = adapt(corners(*SIZES), 60, {"loss": score}, clusters=3)
    assert sorted(np.bincount(CORNER[rows]).tolist()) == [5, 27, 28]
    assert np.bincount(CORNER[rows])[0] == 5


def test_shares_by_weight_and_of_nothing() -> None:
    """Weights 0 get nothing while others have some left, then go by size; 10 by (1, 2, 7) is 1, 2, 7."""
    assert quotas(np.array([50, 50, 50]), np.array([1.0, 2.0, 7.0]), 10).tolist() == [1, 2, 7]
    assert quotas(np.array([2, 6, 3]), np.array([1.0, 0.0, 0.0]), 5).tolist() == [2, 2, 1]
    assert quotas(np.array([2, 6]), np.zeros(2), 4).tolist() == [1, 3]
    mixed = shared(np.array([4, 9, 2, 7]), np.array([0, 0, 1, 0], np.int32), np.array([2, 0]))
    assert mixed.tolist() == [4, 9, 7, 2]


def test_entropy_by_hand() -> None:
    """Two values, half and half: log 2. All alike: 0. One in a hundred apart: as for shares 0.01 and 0.99."""
    assert entropy(np.array([3.0, 5.0, 3.0, 5.0])) == pytest.approx(np.log(2))
    assert entropy(np.full(7, 2.5)) == entropy(np.empty(0)) == 0.0
    one = np.zeros(100)
    one[3] = 1e300
    assert entropy(one) == pytest.approx(-0.99 * np.log(0.99) - 0.01 * np.log(0.01))
    assert (
        0 < entropy(np.random.default_rng(0).normal(size=1000)) < entropy(np.linspace(0, 1, 1000)) + 1 < np.log(50) + 1
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.booleans())
def test_the_unit_of_a_score_does_not_matter(seed: int, unit: float, zero: float, negative: bool) -> None:
    """The released code bins standardised scores over four *raw* standard deviations, and so depends on the unit."""
    random = np.random.default_rng(seed)
    scores = [random.normal(size=300), random.gamma(0.3, size=300), random.uniform(size=300)]
    factor = -unit if negative else unit
    for one in scores:
        assert entropy(factor * one + zero) == pytest.approx(entropy(one), abs=0.05)  # a record on the edge of a bin
    before, after = ([entropy(f * one + z) for one in scores] for f, z in ((1, 0), (factor, zero)))
    assert np.argmax(before) == np.argmax(after) or np.ptp(np.sort(before)[-2:]) < 0.05

    def released(one: np.ndarray) -> float:
        z = (one - one.mean()) / one.std()
        share = np.histogram(z, 50, (-4 * one.std(), 4 * one.std()))[0] / len(z)
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())

    assert released(scores[0]) - released(100 * scores[0]) > 1  # the same numbers, in hundredths


def test_each_skill_has_its_own_score() -> None:
    """Where one score is all alike and the other spread, the spread one is taken; its levels are in equal numbers."""
    x, random = corners(100, 100), np.random.default_rng(2)
    flat, wide = np.full(100, 3.0), np.concatenate([np.linspace(0, 1, 90), np.linspace(1, 9, 10)])
    random.shuffle(wide)
    pool = Pool(keys_of(200), {"vectors": x, "a": np.concatenate([flat, wide]), "b": np.concatenate([wide, flat])})
    chosen = Adapt(signals="a,b", clusters=2, bins=5).select(pool, Constraints(Budget("rows", 20)))
    skills = chosen.facts["skills"]
    assert {(one["signal"], one["size"], one["share"]) for one in skills} == {("a", 100, 10), ("b", 100, 10)}
    levels = chosen.score[chosen.rows[chosen.rows < 100]]
    assert (levels > standard(wide)[np.argsort(wide)[89]]).sum() >= 4  # of the highest tenth nearly half
    low = Adapt(signals="a,b", clusters=2, inside="lowest").select(pool, Constraints(Budget("rows", 20)))
    assert sorted(wide[low.rows[low.rows < 100]]) == sorted(wide)[:10]
    middle = Adapt(signals="a,b", clusters=2, inside="middle").select(pool, Constraints(Budget("rows", 20)))
    assert sorted(wide[middle.rows[middle.rows < 100]]) == sorted(wide)[45:55]


def test_budgets_by_spread_do_not_depend_on_units() -> None:
    """The second skill's score is spread three times as wide: it gets three times as many, in whatever unit."""
    score = np.concatenate([np.linspace(-1, 1, 100), np.linspace(-3, 3, 100)])
    for unit in (1.0, 1e-3, 1e200):
        rows = adapt(corners(100, 100), 40, {"loss": unit * score}, clusters=2, budgets="spread")
        assert np.bincount(rows // 100).tolist() == [10, 30]


def test_pins_count_in_their_share() -> None:
    """Two kept in the first corner are two of its ten; what must go is not of the share."""
    pool = Pool(keys_of(155), {"vectors": corners(*SIZES), "loss": np.arange(155.0)})
    keep, drop = np.isin(np.arange(155), [10, 11]), np.arange(155) < 3
    chosen = Adapt(signals="loss", clusters=3).select(pool, Constraints(Budget("rows", 30), keep=keep, drop=drop))
    assert np.sort(np.bincount(CORNER[chosen.rows])).tolist() == [2, 14, 14]
    assert {10, 11} <= set(chosen.rows.tolist())


def test_logarithms_and_directions() -> None:
    """Perplexities go by their logarithm, unless told otherwise; `:asc` turns a score."""
    x, values = corners(60, 60), np.exp(np.random.default_rng(4).normal(0, 3, 120))
    pool = Pool(keys_of(120), {"vectors": x, "perplexity": values})
    z = Adapt(signals="perplexity", clusters=1).rank(pool, 0).score
    assert np.allclose(z, standard(np.log(values)))
    assert np.allclose(Adapt(signals="perplexity:asc", clusters=1, logs="none").rank(pool, 0).score, standard(-values))


def test_the_order_of_rows_does_not_matter() -> None:
    x, random = corners(*SIZES), np.random.default_rng(3)
    keys, score, turned = keys_of(155), random.normal(size=155), random.permutation(155)
    first = adapt(x, 40, {"loss": score}, keys=keys)
    assert turned[adapt(x[turned], 40, {"loss": score[turned]}, keys=keys[turned])].tolist() == first.tolist()


def test_what_is_missing_is_set_aside_and_bad_input_is_named() -> None:
    x = corners(4, 4)
    x[1] = 0
    pool = Pool(keys_of(8), {"vectors": x, "loss": np.array([0, 1, np.nan, 3, 4, 5, 6, 7.0])})
    chosen = Adapt(signals="loss").select(pool, Constraints(Budget("rows", 8)))
    assert [chosen.reasons[chosen.reason[i]] for i in (1, 2)] == [
        "adapt: no vector (all zeros)",
        "adapt: no score (NaN)",
    ]
    assert len(chosen) == 6

    def refused(kind: type[Exception], match: str, **columns: Any) -> None:
        with pytest.raises(kind, match=match):
            adapt(x, 2, columns)

    refused(InputError, "signal 'loss': expected finite numbers, got inf at record 0", loss=np.full(8, np.inf))
    refused(InputError, "numbers above 0 to take the logarithm of, got -1 at record 0", perplexity=-np.ones(8))
    refused(InputError, "score 'loss': expected 8 numbers, one a row", loss=np.ones(3))
    with pytest.raises(OptionError, match="expected different signals, SIGNAL,SIGNAL:asc, got 'a,a:asc'"):
        Adapt(signals="a,a:asc")
    nothing = Pool(keys_of(2), {"vectors": np.zeros((2, 3), np.float32), "loss": np.ones(2)})
    assert len(Adapt(signals="loss").select(nothing, Constraints(Budget("rows", 1)))) == 0
