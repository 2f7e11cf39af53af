"""What methods that match a distribution share: products, the Gaussian kernel, means, and sets that change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.select.steps.embedding import TOGETHER, Embedding
from tamis.select.steps.gaussian import add_columns, add_rows, gaussian
from tamis.select.steps.halving import Halver
from tamis.select.steps.matching import Matched
from tamis.vectors.dots import dot, dots

_Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


@settings(max_examples=40)
@given(st.integers(0, 20), st.integers(0, 9), st.integers(1, 70), st.sampled_from(["f4", "f8"]), st.integers(0, 99))
def test_products_at_once_have_the_bits_of_each(n: int, m: int, d: int, kind: str, seed: int) -> None:
    """Whatever the shape: edges, few rows and many, numbers beyond the last sixteen."""
    random = np.random.default_rng(seed)
    a, b, out = random.normal(size=(n, d)).astype(kind), random.normal(size=(m, d)).astype("f4"), np.full((n, m), 7.0)
    dots(a, b, out)
    assert out.tolist() == [[dot(one, other, d) for other in b] for one in a]


def test_the_gaussian_kernel_is_the_exponential() -> None:
    """Squared distances from 0 to 800, below and beyond what a double can hold; 1 at a distance of 0, exactly."""
    apart = np.concatenate([[0.0, 1e-300], np.linspace(0, 1, 5000), np.linspace(1, 800, 5000)])
    found = np.zeros((1, len(apart)))
    gaussian(found, np.zeros(1), apart, 1.0)
    assert found[0, 0] == 1.0
    seen = apart < 708
    assert found[0, seen] == pytest.approx(np.exp(-apart[seen]), rel=3e-16)
    assert (found[0, ~seen] < 1e-307).all()
    assert (np.diff(found[0, 2:5002]) <= 0).all()


def test_rows_and_columns_add_up_alike() -> None:
    """A record's sum is the same bits whether its values stand in a row or in a column: twins tie."""
    values = np.random.default_rng(0).random((61, 45), np.float32)
    rows, columns = np.zeros(61), np.zeros(61)
    add_rows(values, rows)
    add_columns(np.ascontiguousarray(values.T), columns)
    assert rows.tolist() == columns.tolist()
    assert rows == pytest.approx(values.sum(axis=1, dtype=np.float64))


@pytest.mark.parametrize("n", [40, 2500])
def test_twins_have_the_same_mean(n: int) -> None:
    """Wherever they stand, in one tile or in two."""
    x = np.random.default_rng(1).normal(size=(n, 5)).astype(np.float32)
    x[[1, n // 2, n - 1]] = x[3]
    mean = Embedding(x, "rbf", None, in_place(n)).mean
    assert len(set(mean[[1, 3, n // 2, n - 1]].tolist())) == 1
    some = np.random.default_rng(2).permutation(n)[:20]
    wide = x.astype(np.float64)
    apart = ((wide[some, None] - wide[None]) ** 2).sum(axis=2)
    gamma = Embedding(x, "rbf", None, in_place(n)).gamma
    assert mean[some] == pytest.approx(np.exp(-gamma * apart).mean(axis=1), abs=1e-6)


@pytest.mark.parametrize("kernel", ["cosine", "linear", "rbf"])
def test_columns_at_once_are_those_one_by_one(kernel: str) -> None:
    x = np.random.default_rng(3).normal(size=(300, 19)).astype(np.float32)
    found = Embedding(x, kernel, None, in_place(300))
    some = np.array([5, 0, 299, 5, 17])
    columns = found.columns(some)
    assert columns.tolist() == [found.column(row).tolist() for row in some.tolist()]
    assert found.total(some) == pytest.approx(columns.sum(axis=0))


def exchanged(k: _Floats, rows: list[int]) -> list[int]:
    """KT-SWAP as published: each in turn for the record with which the set is nearest, found from all its pairs."""
    rows = [*rows]
    for at in range(len(rows)):
        apart = []
        for other in range(len(k)):
            some = [*rows[:at], other, *rows[at + 1 :]]
            apart.append(np.inf if len(set(some)) < len(some) else k[np.ix_(some, some)].mean() - 2 * k[some].mean())
        if min(apart) < apart[rows[at]] - 1e-12:
            rows[at] = int(np.argmin(apart))
    return rows


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 2 * TOGETHER + 1), st.sampled_from(["linear", "rbf"]))
def test_the_exchange_is_the_published_one(seed: int, size: int, kernel: str) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(0.4, 1, (30, 4)).astype(np.float32)
    found = Embedding(x, kernel, None, in_place(30))
    k = found.columns(np.arange(30))
    start = random.permutation(30)[:size]
    those, free = Matched(found, start), np.ones(30, np.bool_)
    free[start] = False
    those.exchange(0, free)
    if kernel == "linear":  # its mean is exact; that of rbf is good to single precision, which may settle a tie
        assert those.rows == exchanged(k, start.tolist())
    assert those.total == pytest.approx(k[those.rows].sum(axis=0))
    assert np.flatnonzero(~free).tolist() == sorted(those.rows)
    assert found.discrepancy(np.array(those.rows)) <= found.discrepancy(start) + 1e-6


def test_threads_that_share_a_block_change_nothing() -> None:
    x = np.random.default_rng(4).normal(size=(1400, 9)).astype(np.float32)
    found = Embedding(x, "rbf", None, in_place(1400))
    sets = []
    for threads in (1, 2, 5):
        found.rows.engine.threads = threads
        sets.append([one.tolist() for one in Halver(found, in_place(1400), 1).split(np.arange(1400), 2)])
    assert sets[0] == sets[1] == sets[2]
