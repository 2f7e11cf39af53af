"""Dot products and eigenvalues beside the library's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import TamisError
from tamis.measure.linear import dots, eigenvalues, leading


def gram(n: int, rank: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, rank))
    return x @ x.T


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_eigenvalues_are_those_of_the_library(n: int, rank: int, seed: int) -> None:
    matrix = gram(n, rank, seed)
    found = eigenvalues(matrix)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found, np.linalg.eigvalsh(matrix), atol=1e-10 * max(1.0, np.abs(matrix).max()))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[7.0]], [7]),
        ([[2.0, 1.0], [1.0, 2.0]], [1, 3]),  # the textbook one
        (np.zeros((4, 4)), [0, 0, 0, 0]),
        (np.ones((5, 5)), [0, 0, 0, 0, 5]),
        (np.diag([3.0, 1.0, 2.0]), [1, 2, 3]),
        # A path of three: 2 - sqrt(2), 2, 2 + sqrt(2).
        ([[2.0, -1, 0], [-1, 2, -1], [0, -1, 2]], [2 - 2**0.5, 2, 2 + 2**0.5]),
        (np.full((3, 3), 1e-200), [0, 0, 3e-200]),
        (np.diag([1.0, 1.0, 1.0]) * 1e150, [1e150] * 3),
    ],
)
def test_eigenvalues_by_hand(matrix: object, expected: list[float]) -> None:
    np.testing.assert_allclose(eigenvalues(np.array(matrix, float)), expected, atol=1e-14 * max(expected))


def test_eigenvalues_of_what_is_not_finite() -> None:
    with pytest.raises(TamisError, match="finite"):
        eigenvalues(np.full((3, 3), np.nan))


def test_dots() -> None:
    a, b = np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([[1.0, 0], [1, 1]])
    np.testing.assert_array_equal(dots(a, b), [[1, 3], [3, 7], [5, 11]])
    wide = np.random.default_rng(0).normal(size=(70, 33))
    np.testing.assert_allclose(dots(wide[:, ::-1], wide), wide[:, ::-1] @ wide.T, atol=1e-12)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_leading_directions(n: int, rank: int, seed: int) -> None:
    matrix = gram(n, rank, seed)
    values, axes = leading(matrix, 2)
    assert axes.shape == (n, min(n, 2))
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-9)
    largest = np.linalg.eigvalsh(matrix)[::-1][:2]
    np.testing.assert_allclose(values, largest, rtol=1e-6, atol=1e-9 * np.abs(matrix).max())
    np.testing.assert_allclose(matrix @ axes, axes * values, atol=1e-3 * np.abs(matrix).max())
    assert (axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] > 0).all()


def test_leading_of_nothing() -> None:
    values, axes = leading(np.zeros((4, 4)), 2)
    assert values.tolist() == [0, 0]
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)
