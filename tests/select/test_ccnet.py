"""Perplexity buckets: by hand, against percentiles, per language, the published cut-offs, what follows a bucket."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import Chosen, Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.ccnet import Ccnet, ccnet


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def choose(values: object, k: int, seed: int = 0, **options: object) -> Chosen:
    array = np.asarray(values, np.float64)
    return Ccnet(**options).select(Pool(keys(len(array)), {"perplexity": array}), Constraints(Budget("rows", k)), seed)


def test_by_hand() -> None:
    """Perplexities 10, 20, ..., 110: the 30th percentile is 40, the 60th 70. Below: 10, 20, 30; then 40, 50, 60."""
    values = np.arange(10, 120, 10)
    assert ccnet(values).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    chosen = choose(values, 2, order="highest")
    assert chosen.rows.tolist() == [2, 1]
    assert chosen.reasons[chosen.reason[2]] == "ccnet: head by perplexity"
    assert chosen.facts == {
        "cutoffs": {"all": [40.0, 70.0]},
        "head": {"records": 3, "chosen": 2},
        "middle": {"records": 3, "chosen": 0},
        "tail": {"records": 5, "chosen": 0},
    }


def test_the_published_cutoffs() -> None:
    """English 340 and 520: what lies below is in, what is equal is not."""
    values = [339.9, 340, 519, 520, 5000, np.nan, np.inf]
    assert ccnet(values, cutoffs=(340, 520)).tolist() == [0, 1, 1, 2, 2, -1, 2]
    chosen = choose(values, 3, cutoffs="340,520", keep="middle", order="lowest")
    assert chosen.rows.tolist() == [1, 2, 0]  # the head follows, as near as the tail and lower


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 120), st.integers(0, 100), st.integers(0, 100))
def test_what_lies_below_a_percentile(seed: int, n: int, one: int, other: int) -> None:
    """The same records as below NumPy's percentiles, ties included."""
    low, high = sorted((one, other))
    values = np.random.default_rng(seed).integers(0, n, n).astype(np.float64)
    edges = np.percentile(values, [low, high])
    # Between two records the percentile is rounded: what is as good as equal to it does not lie below.
    expected = (values[:, None] >= edges - 1e-9 * n).sum(axis=1)
    assert ccnet(values, percentiles=(low, high)).tolist() == expected.tolist()


def test_each_language_has_its_own() -> None:
    values = np.concatenate([np.arange(1.0, 12), 100 * np.arange(1.0, 12)])
    languages = np.repeat(["de", "en"], 11).astype(object)
    assert ccnet(values, language=languages).tolist() == 2 * [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    pool = Pool(keys(22), {"perplexity": values, "language": Groups.of(languages)})
    method = Ccnet(language="language")
    assert method.group_needs() == ("language",)
    chosen = method.select(pool, Constraints(Budget("rows", 6)))
    assert sorted(chosen.rows.tolist()) == [0, 1, 2, 11, 12, 13]
    assert chosen.facts["cutoffs"] == {"de": [4.0, 7.0], "en": [400.0, 700.0]}
    assert (ccnet([5.0], language=["xx"]) == 2).all()  # nothing lies below the one there is


def test_what_is_kept_comes_first_and_what_is_nearest_follows() -> None:
    values = np.arange(1.0, 12)
    buckets = ccnet(values)
    for keep, order in (("head", [0, 1, 2]), ("middle", [1, 0, 2]), ("tail", [2, 1, 0])):
        found = buckets[choose(values, 11, keep=keep).rows]
        assert list(dict.fromkeys(found.tolist())) == order
    assert set(buckets[choose(values, 6, keep="middle,head").rows].tolist()) == {0, 1}
    strict = choose(values, 11, keep="head", strict=True)
    assert sorted(strict.rows.tolist()) == [0, 1, 2]
    assert strict.reasons[strict.reason[10]] == "ccnet: tail"
    assert Ccnet(strict=True).flags.at_most
    assert not Ccnet().flags.at_most


def test_the_lowest_come_last() -> None:
    """A floor of 20 %: 1 and 2 of 11 are below the third; they follow all others, and strictly never."""
    values = np.arange(1.0, 12)
    rows = choose(values, 11, floor=20, order="lowest").rows
    assert rows.tolist() == [*range(2, 11), 0, 1]
    chosen = choose(values, 11, floor=20, strict=True)
    assert chosen.rows.tolist() == [2]
    assert chosen.reasons[chosen.reason[0]] == "ccnet: below the floor"
    assert choose(values, 10, floor=20).facts["head"] == {"records": 1, "chosen": 1}


def test_inside_a_bucket_draws_are_even() -> None:
    values = np.arange(100.0)
    counts = np.zeros(100)
    for seed in range(300):
        counts[choose(values, 10, seed).rows] += 1
    assert counts[30:].sum() == 0
    assert abs(counts[:30] - 100).max() < 45  # standard deviation 8
    assert choose(values, 3, order="lowest").rows.tolist() == [0, 1, 2]


def test_bad_input() -> None:
    with pytest.raises(OptionError, match="expected some of head, middle, tail, separated by commas, got 'best'"):
        Ccnet(keep="best")
    with pytest.raises(OptionError, match="got 'head,head'"):
        Ccnet(keep="head,head")
    with pytest.raises(OptionError, match="option 'percentiles': expected two rising numbers from 0 to 100"):
        Ccnet(percentiles="60,30")
    with pytest.raises(OptionError, match="option 'cutoffs': expected two numbers such as 340,520, got '340'"):
        Ccnet(cutoffs="340")
    with pytest.raises(OptionError, match="option 'cutoffs': expected two rising numbers of at least 0"):
        ccnet([1.0], cutoffs=(5, 4))
    with pytest.raises(InputError, match="expected n numbers"):
        ccnet(["a"])
    with pytest.raises(InputError, match="expected 2, one a record, got 1"):
        ccnet([1.0, 2], language=["en"])
    assert ccnet([]).tolist() == []
    assert choose([np.nan, np.nan], 2).rows.tolist() == []
