"""Feature-based choice: by hand, against plain greedy and the best of all sets, texts, parts, beside apricot."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.features import Features, feature_based
from tamis.select.gain.portions import drawn
from tamis.select.given.lists import Lists
from tamis.signals.ngrams import Ngrams, lists

Floats = NDArray[np.float64]
PHI = {"sqrt": np.sqrt, "log": np.log1p, "saturating": lambda c: c / (1 + c)}


def numbered(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def naive(x: Floats, k: int, phi: str, weights: Floats | float = 1.0) -> tuple[list[int], list[float]]:
    """Plain greedy by the definition, ties to the first."""
    picks: list[int] = []
    gains = []
    for _ in range(k):
        now = x[picks].sum(axis=0)
        found = (weights * (PHI[phi](now + x) - PHI[phi](now))).sum(axis=1)
        found[picks] = -1
        picks.append(int(np.argmax(np.round(found, 9))))
        gains.append(float(found[picks[-1]]))
    return picks, gains


def test_by_hand() -> None:
    """Three rows of two features: (4, 0), (1, 1), (0, 2), square roots.

    Alone they have 2, 2 and 1.414: the first is taken, as it is first. Then (1, 1) adds sqrt(5) - 2 + 1 = 1.236,
    (0, 2) adds 1.414: that. Then (1, 1) adds .236 + sqrt(3) - sqrt(2) = .554; in all 3.968.
    """
    found = feature_based(np.array([[4, 0], [1, 1], [0, 2]], np.float32), 3, keys=numbered(3))
    assert found.rows.tolist() == [0, 2, 1]
    assert found.gains == pytest.approx([2.0, 1.414, 0.554], abs=1e-3)
    assert found.objective == pytest.approx(3.968, abs=1e-3)


@pytest.mark.parametrize("phi", list(PHI))
def test_lazily_as_plainly(phi: str) -> None:
    x = np.random.default_rng(4).poisson(0.7, (120, 20)).astype(np.float32)
    x[50:60] = x[:10]
    x = x[x.any(axis=1)]
    picks, gains = naive(x.astype(np.float64), 60, phi)
    found = feature_based(x, 60, phi=phi, keys=numbered(len(x)))
    assert found.rows.tolist() == picks
    assert found.gains == pytest.approx(gains, abs=1e-9)
    assert found.objective == pytest.approx(float(PHI[phi](x[picks].sum(axis=0, dtype=np.float64)).sum()))
    assert found.facts["gains"] < 120 * 60


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from(list(PHI)))
@settings(max_examples=25, deadline=None)
def test_greedy_reaches_its_share_of_the_optimum(seed: int, k: int, phi: str) -> None:
    """At least 1 - 1/e, by all sets of 12; gains do not rise."""
    x = np.random.default_rng(seed).gamma(0.5, 1, (12, 5)).astype(np.float32)
    best = max(float(PHI[phi](x[list(rows)].sum(axis=0)).sum()) for rows in itertools.combinations(range(12), k))
    found = feature_based(x, k, phi=phi)
    assert found.objective >= (1 - 1 / np.e) * best
    assert (np.diff(found.gains) <= 1e-9).all()


def test_negative_numbers_are_features_of_their_own() -> None:
    x = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
    split = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1)
    assert feature_based(x, 20, keys=numbered(60)).rows.tolist() == naive(split.astype(np.float64), 20, "sqrt")[0]


@pytest.mark.parametrize("phi", list(PHI))
def test_weights_say_what_a_column_counts(phi: str) -> None:
    """By the definition, negative numbers too; a column of weight 0 might as well not be there."""
    random = np.random.default_rng(3)
    x, weights = random.normal(size=(90, 7)).astype(np.float32), random.gamma(1, 1, 7)
    weights[2] = 0
    split = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1).astype(np.float64)
    picks, gains = naive(split, 30, phi, np.tile(weights, 2))
    found = feature_based(x, 30, phi=phi, weights=weights, keys=numbered(90))
    assert found.rows.tolist() == picks
    assert found.gains == pytest.approx(gains, abs=1e-9)
    assert found.objective == pytest.approx(sum(gains))
    less = feature_based(np.delete(x, 2, axis=1), 30, phi=phi, weights=np.delete(weights, 2), keys=numbered(90))
    assert found.rows.tolist() == less.rows.tolist()
    equal = feature_based(x, 30, phi=phi, weights=np.full(7, 1.0), keys=numbered(90))
    assert equal.rows.tolist() == feature_based(x, 30, phi=phi, keys=numbered(90)).rows.tolist()


@pytest.mark.parametrize("wrong", [[1, 2], [1, -1, 1], [1, np.nan, 1], [[1, 1, 1]]])
def test_wrong_weights_are_answered(wrong: list[Any]) -> None:
    with pytest.raises(InputError, match="weights: expected 3 finite numbers of at least 0, one a column"):
        feature_based(np.ones((4, 3), np.float32), 2, weights=wrong)


def test_halves_are_read_as_they_lie() -> None:
    """float16 as float32: the same rows and gains, subnormal numbers and zeros included."""
    x = np.random.default_rng(5).normal(size=(80, 37)).astype(np.float16)
    x[::3, :9] *= np.float16(1e-6)
    x[1::3, 9:20] = 0
    halves, singles = feature_based(x, 30), feature_based(x.astype(np.float32), 30)
    assert halves.rows.tolist() == singles.rows.tolist()
    assert halves.gains.tolist() == singles.gains.tolist()


def test_a_sample_a_step_reaches_nearly_as_much() -> None:
    """Of log(1 / eps) n / k candidates; the same whatever the order of rows; another seed, another choice."""
    x = np.random.default_rng(8).gamma(0.3, 1, (600, 30)).astype(np.float32)
    whole = feature_based(x, 60)
    found = feature_based(x, 60, algorithm="stochastic", eps=0.1, seed=3)
    assert found.facts["candidates_a_step"] == 24  # 600 / 60 * 2.303, rounded up
    assert found.facts["gains"] == 60 * 24
    assert len(set(found.rows.tolist())) == 60
    random = feature_based(x[np.random.default_rng(0).choice(600, 60, replace=False)], 60).objective
    assert random < found.objective <= whole.objective
    assert found.objective >= 0.97 * whole.objective
    back = feature_based(x[::-1], 60, algorithm="stochastic", eps=0.1, seed=3)
    assert (599 - back.rows).tolist() == found.rows.tolist()
    assert set(feature_based(x, 60, algorithm="stochastic", seed=4).rows) != set(found.rows)


def test_a_sample_of_all_is_plain_greedy() -> None:
    ngrams, counts = column(50)
    found = chosen(Features(buckets=500, algorithm="stochastic", eps=1e-6), ngrams, Constraints(Budget("rows", 12)))
    assert found.facts["candidates_a_step"] >= 50
    assert found.rows.tolist() == naive(counts, 12, "sqrt")[0]


def test_samples_are_drawn_fairly() -> None:
    """Every record comes to stand in front about as often, and none twice."""
    often = np.zeros(20)
    for seed in range(4000):
        waiting = np.arange(20)
        size = drawn(waiting, np.random.default_rng(seed).random(5))
        often[waiting[:size]] += 1
        assert sorted(waiting.tolist()) == list(range(20))
    assert np.abs(often / 1000 - 1).max() < 0.15  # five standard deviations
    assert drawn(np.arange(3), np.array([0.1, 0.9, 1 - 1e-16, 0.5])) == 3


def test_stochastic_choice_with_tokens_and_quotas() -> None:
    """What is closed along with a record is not offered again."""
    ngrams, _ = column(200)
    tokens = ngrams.sizes() + 1
    found = chosen(
        Features(buckets=500, algorithm="stochastic"), ngrams, Constraints(Budget("tokens", 1500), cost=tokens)
    )
    assert 1500 - tokens.min() <= tokens[found.rows].sum() <= 1500


def texts(n: int) -> Text:
    random = np.random.default_rng(2)
    words = [f"w{i}" for i in range(300)]
    told = [" ".join(random.choice(words, random.integers(3, 40))) for _ in range(n)]
    return Text.of(pa.array(told, pa.large_string()))


def column(n: int, parts: int = 1) -> tuple[Lists, Floats]:
    """Return the n-grams of texts, in parts, and as counts."""
    values, offsets = lists(Ngrams(buckets=500).column(texts(n)))
    cuts = np.linspace(0, n, parts + 1).astype(int)
    found = [(values, offsets[a : b + 1]) for a, b in itertools.pairwise(cuts)]
    counts = np.zeros((n, 500))
    np.add.at(counts, (np.repeat(np.arange(n), np.diff(offsets)), values), 1)
    return Lists(found), counts


def chosen(method: Features, ngrams: Lists, constraints: Constraints, seed: int = 0) -> Any:
    return method.select(Pool(numbered(len(ngrams)), {"ngrams": ngrams}), constraints, seed)


def test_texts_are_chosen_by_their_ngrams() -> None:
    ngrams, counts = column(80, parts=3)
    found = chosen(Features(buckets=500), ngrams, Constraints(Budget("rows", 25)))
    assert found.rows.tolist() == naive(counts, 25, "sqrt")[0]
    assert found.facts["features"] == int(counts[found.rows].any(axis=0).sum())


def test_rare_ngrams_count_more() -> None:
    """By the definition: log(n / records that have it), n without the empty record."""
    ngrams, counts = column(80)
    values, offsets = ngrams.parts[0]
    empty = Lists([(values, np.append(offsets, offsets[-1]))])
    have = (counts > 0).sum(axis=0)
    weights = np.where(have > 0, np.log(80 / np.maximum(have, 1)), 0)
    found = chosen(Features(buckets=500, weights="idf"), empty, Constraints(Budget("rows", 25)))
    picks, gains = naive(counts, 25, "sqrt", weights)
    assert found.rows.tolist() == picks
    assert found.facts["objective"] == pytest.approx(sum(gains))


def test_lists_are_read_where_they_lie() -> None:
    ngrams, counts = column(50, parts=4)
    rows = np.array([7, 49, 0, 23])
    values, offsets = ngrams[rows].gathered()
    for i, row in enumerate(rows):
        assert np.bincount(values[offsets[i] : offsets[i + 1]], minlength=500).tolist() == counts[row].tolist()


@pytest.mark.parametrize("k", [8, 60])
def test_parts_lose_little(k: int) -> None:
    """In parts by what they propose, or where that is too much in turn: exact budgets, most of the objective."""
    ngrams, _ = column(400)
    whole = chosen(Features(buckets=500), ngrams, Constraints(Budget("rows", k)))
    parts = chosen(Features(buckets=500, memory="32KB"), ngrams, Constraints(Budget("rows", k)))
    assert parts.facts["parts"] > 1
    assert ("proposals" in parts.facts) == (k == 8)
    assert len(parts.rows) == k
    assert parts.facts["objective"] >= 0.95 * whole.facts["objective"]


def test_must_keep_records_count_from_the_start() -> None:
    ngrams, counts = column(60)
    keep = np.zeros(60, bool)
    keep[[5, 17]] = True
    found = chosen(Features(buckets=500), ngrams, Constraints(Budget("rows", 10), keep=keep))
    picks = [5, 17]
    for _ in range(8):
        now = counts[picks].sum(axis=0)
        gain = np.sqrt(now + counts).sum(axis=1) - np.sqrt(now).sum()
        gain[picks] = -1
        picks.append(int(np.argmax(gain)))
    assert found.rows.tolist() == picks


def test_an_empty_text_is_set_aside() -> None:
    offsets = np.array([0, 2, 2, 3])
    ngrams = Lists([(np.array([1, 2, 1], np.uint16), offsets)])
    found = chosen(Features(buckets=5), ngrams, Constraints(Budget("rows", 3)))
    assert found.rows.tolist() == [0, 2]
    assert found.reasons[found.reason[1]] == "features: nothing in it"


def test_wrong_input_is_answered() -> None:
    with pytest.raises(BudgetError, match="got 0"):
        feature_based(np.ones((3, 2), np.float32), 0)
    with pytest.raises(OptionError, match="32KB"):
        Features(memory="1KB")
    with pytest.raises(OptionError, match="idf is of n-grams"):
        Features(of="vectors", weights="idf")
    with pytest.raises(OptionError, match="algorithm=stochastic does not divide"):
        Features(algorithm="stochastic", parts=2)
    with pytest.raises(OptionError, match="need 0 MB for features, memory is 32KB"):
        feature_based(np.ones((100, 100), np.float32), 2, algorithm="lazy", memory="32KB")
    with pytest.raises(OptionError, match="expected a list a record"):
        Features().select(Pool(numbered(2), {"ngrams": np.ones(2)}), Constraints(Budget("rows", 1)))
    with pytest.raises(InputError, match="expected buckets below 2"):
        chosen(
            Features(buckets=2), Lists([(np.array([7], np.uint16), np.array([0, 1]))]), Constraints(Budget("rows", 1))
        )


@pytest.mark.peers
@pytest.mark.parametrize(("phi", "theirs"), [("sqrt", "sqrt"), ("log", "log"), ("saturating", "sigmoid")])
def test_apricot_agrees(phi: str, theirs: str) -> None:
    apricot = pytest.importorskip("apricot")
    x = np.random.default_rng(7).gamma(0.5, 1, (200, 12)).astype(np.float32)
    found = apricot.FeatureBasedSelection(40, concave_func=theirs, optimizer="naive").fit(x.astype(np.float64))
    ours = feature_based(x, 40, phi=phi, keys=numbered(200))
    assert found.ranking.tolist() == ours.rows.tolist()
    assert np.array(found.gains) == pytest.approx(ours.gains)


@pytest.mark.peers
def test_submodlib_agrees_on_weights() -> None:
    """Features that lie from 0 to 1 already: nothing to undo."""
    submodlib = pytest.importorskip("submodlib")
    from submodlib_cpp import FeatureBased

    random = np.random.default_rng(6)
    x, weights = random.random((120, 9)).astype(np.float32), random.gamma(1, 1, 9).round(2)
    x[0], x[1] = 0.0, 1.0
    function = submodlib.FeatureBasedFunction(
        n=120, features=x.tolist(), numFeatures=9, sparse=False, featureWeights=weights.tolist(),
        mode=FeatureBased.logarithmic,
    )  # fmt: skip
    theirs = [row for row, _ in function.maximize(budget=20, optimizer="NaiveGreedy", show_progress=False)]
    assert theirs == feature_based(x, 20, phi="log", weights=weights, keys=numbered(120)).rows.tolist()


@pytest.mark.peers
def test_submodlib_agrees_on_features_it_has_scaled() -> None:
    """It scales every feature to 0 to 1 first, whatever the weights that amounts mean: other picks, if not undone."""
    submodlib = pytest.importorskip("submodlib")
    from submodlib_cpp import FeatureBased

    x = np.random.default_rng(7).gamma(0.5, 1, (150, 8)) * np.array([50, 1, 1, 1, 1, 1, 1, 1])
    function = submodlib.FeatureBasedFunction(
        n=150, features=x.tolist(), numFeatures=8, sparse=False, mode=FeatureBased.squareRoot
    )
    theirs = [row for row, _ in function.maximize(budget=20, optimizer="NaiveGreedy", show_progress=False)]
    scaled = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    assert theirs == feature_based(scaled.astype(np.float32), 20, keys=numbered(150)).rows.tolist()
    assert theirs != feature_based(x.astype(np.float32), 20, keys=numbered(150)).rows.tolist()
