"""Products: each a chain of fused multiply-adds of its two vectors, and of nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import TypingError

from tamis.vectors.products import pack, products


def all_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the products of all rows, of any numbers of rows."""
    padded = np.zeros((-(-len(a) // 6) * 6, a.shape[1]), np.float32)
    padded[: len(a)] = a
    panels = pack(b)
    out = np.full((len(padded), 16 * len(panels)), np.nan, np.float32)
    products(padded, panels, out)
    return out[: len(a), : len(b)]


def rows(n: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def chain(a: np.ndarray, b: np.ndarray) -> np.float32:
    """Return the product with one rounding to float32 after every multiply-add, in exact arithmetic."""
    total = np.float32(0)
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        exact = Fraction(float(total)) + Fraction(x) * Fraction(y)
        low = np.float32(float(exact))
        nearest = sorted([np.nextafter(low, np.float32(-np.inf)), low, np.nextafter(low, np.float32(np.inf))],
                         key=lambda z: abs(Fraction(float(z)) - exact))  # fmt: skip
        total = nearest[0]
    return total


def test_worked_by_hand() -> None:
    """(1, 2, 3) . (4, 5, 6) = 32; (1, 2, 3) . (1, 0, -1) = -2; (0, 1, 0) picks 5 and 0."""
    a = np.array([[1, 2, 3], [0, 1, 0]], np.float32)
    b = np.array([[4, 5, 6], [1, 0, -1]], np.float32)
    assert all_products(a, b).tolist() == [[32, -2], [5, 0]]


@pytest.mark.parametrize("width", [1, 7, 256, 257, 700])
def test_is_the_chain_of_multiply_adds(width: int) -> None:
    a, b = rows(3, width, 1), rows(2, width, 2)
    assert all_products(a, b).tolist() == [[chain(x, y) for y in b] for x in a]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 300), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_places_do_not_matter(n: int, m: int, width: int, random) -> None:  # type: ignore[no-untyped-def]
    """Permuted, alone or the other way round: the same bits; and near those of NumPy."""
    a, b = rows(n, width, random.randint(0, 99)), rows(m, width, random.randint(0, 99))
    whole = all_products(a, b)
    assert np.allclose(whole, a.astype(np.float64) @ b.T.astype(np.float64), atol=1e-4)
    assert (whole == all_products(b, a).T).all()
    i, j = random.randrange(n), random.randrange(m)
    assert all_products(a[i : i + 1], b[j : j + 1])[0, 0] == whole[i, j]
    shuffled = random.sample(range(n), n)
    assert (all_products(a[shuffled], b) == whole[shuffled]).all()


def test_other_types_are_refused() -> None:
    with pytest.raises(TypingError, match="float32"):
        products(np.zeros((6, 2)), pack(np.zeros((16, 2), np.float32)), np.zeros((6, 16), np.float32))
