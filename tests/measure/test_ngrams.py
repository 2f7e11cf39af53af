"""Shares of different n-grams."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.errors import InputError
from tamis.measure.ngrams import Runs, distinct_share, word_runs


def runs(texts: list[str], n: int) -> Runs:
    text = Text.of(pa.array(texts, pa.large_string()))
    return word_runs(text.data, text.offsets, n)


def test_by_hand() -> None:
    """ "A rose is a rose is a rose.": 8 words, 3 different; 6 runs of three words, 3 different."""
    found = runs(["A rose is a rose is a rose."], 1)
    assert found.count(np.array([0])) == 8
    assert distinct_share(found, np.array([0])) == 3 / 8
    assert distinct_share(runs(["A rose is a rose is a rose."], 3), np.array([0])) == 3 / 6


def test_limit_counts_in_the_order_given() -> None:
    found = runs(["a a a a", "b c d e"], 1)
    assert distinct_share(found, np.array([0, 1]), 4) == 1 / 4
    assert distinct_share(found, np.array([1, 0]), 4) == 1
    assert distinct_share(found, np.array([0, 1]), 100) == 5 / 8


def test_nothing_to_count() -> None:
    assert math.isnan(distinct_share(runs(["", "..."], 2), np.array([0, 1])))
    assert distinct_share(runs(["one"], 3), np.array([0])) == 1
    with pytest.raises(InputError, match="at least 1"):
        runs(["a"], 0)
    with pytest.raises(InputError, match="limit"):
        distinct_share(runs(["a"], 1), np.array([0]), 0)


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "deltadeltadelta", "ünï"]), max_size=30)


@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 60))
def test_like_a_set(texts: list[list[str]], n: int, limit: int) -> None:
    """The hashes count what the words themselves count."""
    found = runs([" ".join(words) for words in texts], n)
    grams: list[tuple[str, ...]] = []
    for words in texts:
        size = min(n, len(words))
        grams += [tuple(words[i : i + size]) for i in range(len(words) - size + 1) if size]
    rows = np.arange(len(texts))
    assert found.count(rows) == len(grams)
    kept = grams[:limit]
    share = distinct_share(found, rows, limit)
    assert (math.isnan(share) and not kept) or share == len(set(kept)) / len(kept)


def test_the_hash_that_marks_a_free_place() -> None:
    values = np.array([0, 5, 0, 5, 7], np.uint64)
    assert distinct_share(Runs(values, np.array([0, 3, 5])), np.array([0, 1])) == 3 / 5
