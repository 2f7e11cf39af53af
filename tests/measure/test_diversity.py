"""Vendi score and Hill numbers: worked by hand, and what must hold."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.measure.diversity import effective_number, unit_rows, vendi, vendi_of_kernel

ORDERS = [0.1, 0.5, 1.0, 2.0, math.inf]


@pytest.mark.parametrize(("q", "expected"), list(zip(ORDERS, [2.8455, 2.4203, 2.1573, 1.9481, 1.5789], strict=True)))
def test_vendi_by_hand(q: float, expected: float) -> None:
    """K = [[1, .9, 0], [.9, 1, 0], [0, 0, 1]]: the eigenvalues of K / 3 are 1.9/3, 1/3, 0.1/3.

    So order infinity is 3 / 1.9 = 1.5789, order 2 is 9 / (3.61 + 1 + .01) = 1.9481.
    """
    kernel = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])
    assert vendi_of_kernel(kernel, q) == pytest.approx(expected, abs=5e-5)


def test_vendi_of_three_pairs() -> None:
    """Points 0, 0, 10, 10, 20, 20 under exp(-|a - b|): three kinds, and next to nothing between them."""
    at = np.array([0, 0, 10, 10, 20, 20])
    assert vendi_of_kernel(np.exp(-np.abs(at[:, None] - at))) == pytest.approx(3.0, abs=5e-4)


def vectors(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from(ORDERS))
def test_both_forms_are_one(n: int, d: int, seed: int, q: float) -> None:
    """The smaller matrix gives what the kernel gives."""
    x = vectors(n, d, seed)
    unit = unit_rows(x)
    assert vendi(x, q) == pytest.approx(vendi_of_kernel(unit @ unit.T, q), rel=1e-6)


@given(st.integers(1, 10), st.integers(2, 10), st.integers(0, 2**32 - 1))
def test_vendi_properties(n: int, d: int, seed: int) -> None:
    """From 1 to min(n, d); larger orders never more; neither doubling, order nor lengths matter."""
    x = vectors(n, d, seed)
    scores = [vendi(x, q) for q in ORDERS]
    assert all(a >= b - 1e-9 for a, b in pairwise(scores))
    assert 1 - 1e-9 <= scores[2] <= min(n, d) + 1e-9
    assert vendi(np.r_[x, x]) == pytest.approx(scores[2])
    assert vendi(x[::-1] * 3) == pytest.approx(scores[2])


def test_vendi_at_its_ends() -> None:
    assert vendi(np.ones((5, 3))) == pytest.approx(1)
    assert vendi(np.eye(6)) == pytest.approx(6)
    assert vendi(np.float32([[1, 0], [0, 2], [3, 0]]), 0) == pytest.approx(2)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.empty((0, 3)), "at least 1"),
        (np.ones(3), "n x d"),
        ([[1.0, 0], [0, 0]], "row 1"),
        ([[np.nan, 0], [1, 0]], "row 0"),
    ],
)
def test_vectors_that_have_no_direction(x: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vendi(x)


def test_kernels_and_orders_are_checked() -> None:
    with pytest.raises(InputError, match="n x n"):
        vendi_of_kernel(np.ones((2, 3)))
    with pytest.raises(InputError, match="diagonal"):
        vendi_of_kernel(2 * np.eye(2))
    for bad in (-1, math.nan):
        with pytest.raises(InputError, match="order"):
            vendi(np.eye(2), bad)


def test_effective_number_by_hand() -> None:
    """Groups of 20, 4 and 1 of 25: entropy .8 log 1.25 + .16 log 6.25 + .04 log 25 = .60046, exp = 1.8230."""
    assert effective_number([20, 4, 1]) == pytest.approx(1.8230, abs=5e-5)
    assert effective_number([20, 0, 4, 1], 0) == 3
    assert effective_number([20, 4, 1], 2) == pytest.approx(625 / 417)
    assert effective_number([20, 4, 1], math.inf) == pytest.approx(1.25)
    assert effective_number([7, 7, 7]) == pytest.approx(3)
    assert effective_number([]) == effective_number([0, 0]) == 0


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_effective_number_is_a_vendi_score(sizes: list[int]) -> None:
    """Of a kernel of ones within groups and zeros between them."""
    sizes = [1 + size % 5 for size in sizes]
    group = np.repeat(np.arange(len(sizes)), sizes)
    assert effective_number(sizes) == pytest.approx(vendi(np.eye(len(sizes))[group]), rel=1e-9)


def test_group_sizes_are_checked() -> None:
    for bad in ([-1, 2], [np.nan]):
        with pytest.raises(InputError, match="sizes"):
            effective_number(bad)
