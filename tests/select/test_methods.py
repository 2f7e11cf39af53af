"""random, stratified, top and length: their functions on arrays, their options, cases by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.length import Length, length
from tamis.select.random import Random, random
from tamis.select.stratified import Stratified, stratified
from tamis.select.top import Top, top


def keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, (n, 2), np.uint64)


def choose(method: Selector, k: int, **columns: Any) -> tuple[list[int], list[str]]:
    """Return the chosen rows and every record's reason, of records in canonical order."""
    n = len(next(iter(columns.values())))
    ordered = np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)
    pool = Pool(ordered, {name: np.asarray(values) for name, values in columns.items()})
    chosen = method.select(pool, Constraints(Budget("rows", k)))
    return chosen.rows.tolist(), [chosen.reasons[code] for code in chosen.reason]


# random


def test_random_is_nested_and_follows_the_keys() -> None:
    k = keys(50)
    assert random(k, 10).tolist() == random(k, 30)[:10].tolist()
    assert sorted(random(k, 50).tolist()) == list(range(50))
    back = random(k[::-1].copy(), 10)
    assert (49 - back).tolist() == random(k, 10).tolist()
    assert random(k, 10, seed=1).tolist() != random(k, 10).tolist()


def test_random_is_uniform() -> None:
    """20 records, 5 chosen, 2,000 seeds: each is in about 500 times (4 standard deviations are 78)."""
    k = keys(20)
    count = sum(np.bincount(random(k, 5, seed), minlength=20) for seed in range(2000))
    assert np.abs(count - 500).max() < 78


# stratified


@given(st.lists(st.sampled_from("aaaaaabbcd"), min_size=1, max_size=60), st.integers(0, 5))
def test_every_prefix_is_proportional_to_within_one_record_a_stratum(values: list[str], seed: int) -> None:
    """There is a t with |count - t n_s| < 1 for all strata: max (count - 1)/n_s < min (count + 1)/n_s."""
    n = len(values)
    strata, size = np.array(values), {v: values.count(v) for v in values}
    order = stratified(strata, keys(n), n, seed)
    assert sorted(order.tolist()) == list(range(n))
    for k in range(n + 1):
        count = {v: int((strata[order[:k]] == v).sum()) for v in size}
        above = max(Fraction(count[v] - 1, size[v]) for v in size)
        below = min(Fraction(count[v] + 1, size[v]) for v in size)
        assert above < below


def test_stratified_rounds_small_strata_fairly() -> None:
    """99 of a, 1 of b, 10 chosen: b is in one time in ten (2,000 seeds; 4 deviations are 54)."""
    strata, k = np.array(["a"] * 99 + ["b"]), keys(100)
    seen = sum(99 in stratified(strata, k, 10, seed) for seed in range(2000))
    assert abs(seen - 200) < 54


def test_stratified_is_random_inside_a_stratum() -> None:
    strata, k = np.array(["a"] * 10 + ["b"] * 10), keys(20)
    count = sum(np.bincount(stratified(strata, k, 4, seed), minlength=20) for seed in range(2000))
    assert np.abs(count - 400).max() < 75


def test_stratified_depends_on_no_other_stratum_and_no_row_order() -> None:
    values, k = np.array(["a", "b", "c"] * 20), keys(60)
    order = stratified(values, k, 60)
    only = np.flatnonzero(values != "c")
    without = only[stratified(values[only], k[only], 40)]
    assert without.tolist() == [i for i in order if values[i] != "c"]
    assert (59 - stratified(values[::-1], k[::-1].copy(), 60)).tolist() == order.tolist()


def test_stratified_takes_null_as_a_stratum() -> None:
    order = stratified([None, "a"] * 10, keys(20), 10)
    assert 4 <= sum(i % 2 == 0 for i in order) <= 6


# top


def test_top_by_hand() -> None:
    scores = np.array([1.0, np.nan, 3.0, np.inf, 3.0, -np.inf])
    assert top(scores, 3).tolist() == [3, 2, 4]
    assert top(scores, 9).tolist() == [3, 2, 4, 0, 5]
    assert top(scores, 3, ascending=True).tolist() == [5, 0, 2]
    lowest = np.iinfo(np.int64).min
    assert top(np.array([5, lowest, 7]), 3).tolist() == [2, 0, 1]


@given(st.lists(st.floats(allow_nan=True), max_size=30), st.booleans())
def test_top_is_a_stable_sort(values: list[float], ascending: bool) -> None:
    scores = np.array(values, np.float64)
    known = [i for i in range(len(values)) if not np.isnan(values[i])]
    expected = sorted(known, key=lambda i: values[i] if ascending else -values[i])
    assert top(scores, max(1, len(values)), ascending).tolist() == expected


def test_top_sets_records_without_score_aside() -> None:
    rows, reasons = choose(Top(by="quality"), 3, quality=[0.5, np.nan, 0.9, 0.1, 0.7])
    assert rows == [2, 4, 0]
    assert reasons[1] == "top: no score (NaN)"
    assert reasons[2] == "top: highest quality"
    assert reasons[3] == "ranked below the budget"
    assert choose(Top(by="q:asc"), 1, q=[2, 1])[0] == [1]


def test_top_reads_signals_with_a_colon() -> None:
    assert Top(by="ratio:0:desc").needs() == ("ratio:0",)
    with pytest.raises(OptionError, match="expected SIGNAL, SIGNAL:asc or SIGNAL:desc, got 'ratio:up'"):
        Top(by="ratio:up")


def test_top_refuses_texts() -> None:
    with pytest.raises(OptionError, match="column 'source': expected numbers, got texts"):
        choose(Top(by="source"), 1, source=np.array(["a", "b"]))
    with pytest.raises(InputError, match="expected n numbers"):
        top(np.array(["a"]), 1)


# length


def test_length_by_hand() -> None:
    tokens = np.array([5, 80, 30, 30, 200])
    assert length(tokens, 3).tolist() == [4, 1, 2]
    assert length(tokens, 2, "shortest").tolist() == [0, 2]
    assert length(tokens, 5, low=30, high=80).tolist() == [1, 2, 3]


def test_length_sets_records_outside_the_bounds_aside() -> None:
    rows, reasons = choose(Length(min=30, max="80"), 2, tokens=[5, 80, 30, 30, 200])
    assert rows == [1, 2]
    assert reasons == [
        "length: below 30 tokens",
        "length: longest in tokens",
        "length: longest in tokens",
        "ranked below the budget",
        "length: above 80 tokens",
    ]
    assert choose(Length(unit="bytes", order="shortest"), 1, bytes=[5, 2])[0] == [1]


@pytest.mark.parametrize(
    ("lengths", "words"), [([1, -2], "got -2 at record 1"), ([np.nan, 2.0], "got nan at record 0")]
)
def test_length_refuses(lengths: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        length(np.array(lengths), 1)


# all


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_k_must_be_a_positive_whole_number(k: Any) -> None:
    calls = (
        lambda: random(keys(3), k),
        lambda: stratified(list("abc"), keys(3), k),
        lambda: top(np.ones(3), k),
        lambda: length(np.ones(3), k),
    )
    for call in calls:
        with pytest.raises(BudgetError, match="k: expected a whole number of at least 1, got"):
            call()


def test_unequal_lengths_are_named() -> None:
    with pytest.raises(InputError, match="strata: expected 3 values, one a record, got 2"):
        stratified(["a", "b"], keys(3), 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Random(k=3), "method 'random' takes no options, got 'k'"),
        (lambda: Length(ordre="longest"), "unknown option of method 'length' 'ordre'. Did you mean 'order'?"),
        (lambda: Length(order="long"), "option 'order': expected one of longest, shortest, got 'long'"),
        (lambda: Length(min="ten"), "option 'min': expected a whole number >= 0, got 'ten'"),
        (lambda: Length(min=-1), "option 'min': expected a whole number >= 0, got -1"),
        (lambda: Length(min=1.5), "option 'min': expected a whole number >= 0, got 1.5"),
        (lambda: Length(min=True), "option 'min': expected a whole number >= 0, got True"),
        (lambda: Length(min=9, max=3), "expected min <= max, got min 9 and max 3"),
        (lambda: Stratified(), "method 'stratified' needs the option 'strata': expected a text"),
        (lambda: Top(by=" "), "option 'by': expected a text, got ' '"),
    ],
)
def test_options_are_refused_in_the_same_words(make: Any, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        make()
    assert words in str(caught.value)


def test_options_come_as_text_or_typed() -> None:
    assert Length(min="10").options == Length(min=10).options == Length(min=np.int64(10)).options
    assert Length().options == {"unit": "tokens", "order": "longest", "min": None, "max": None}
    assert repr(Top(by="score")) == "Top(by='score')"


def test_a_pool_must_be_in_canonical_order() -> None:
    with pytest.raises(InputError, match="expected ascending keys, got a smaller one at record 1"):
        Pool(np.array([[2, 0], [1, 9]], np.uint64))
    with pytest.raises(InputError, match="expected uint64 n x 2"):
        Pool(np.array([1, 2], np.uint64))
    pool, order = Pool.build(np.array([[2, 0], [1, 9]], np.uint64), {"x": np.array([5, 6])})
    assert order.tolist() == [1, 0]
    assert np.asarray(pool.columns["x"]).tolist() == [6, 5]
