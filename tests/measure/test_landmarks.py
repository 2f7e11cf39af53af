"""Vendi scores of all records by landmarks: beside the exact ones, at several sizes and widths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tamis.engine import Local
from tamis.errors import InputError
from tamis.measure.diversity import vendi, vendi_of_kernel
from tamis.measure.landmarks import vendi_landmarks
from tamis.measure.linear import dots
from tamis.measure.similarities import gaussian, gaussian_between

ORDERS = [0.1, 0.5, 1.0, 2.0, math.inf]


def clustered(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Points around 12 centres."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(12, d))[np.arange(n) % 12] + 0.3 * rng.normal(size=(n, d))


def like(width: float):
    return lambda a, b: gaussian_between(a, b, width)


def test_by_hand() -> None:
    """Six items of three kinds, at most five landmarks: three of them are new, and the score is 3 at any order."""

    def same(a: list[int], b: list[int]) -> np.ndarray:
        return np.equal.outer(a, b)

    found = vendi_landmarks([0, 0, 1, 1, 2, 2], same, ORDERS, landmarks=5)
    assert found.scores == pytest.approx([3.0] * 5)
    assert (found.landmarks, found.records) == (3, 6)
    assert found.missed == pytest.approx(0, abs=1e-12)
    assert found.low == pytest.approx(3)
    assert found.high == pytest.approx(3)


def test_missed_kinds_are_told() -> None:
    """Four kinds of equal size and one landmark: 3/4 are missed; what is left is one kind. Bounds hold 4."""
    found = vendi_landmarks(list(range(4)), lambda a, b: np.equal.outer(a, b), [1.0], landmarks=1)
    assert found.missed == pytest.approx(0.75)
    assert found.scores[0] == pytest.approx(1)
    assert found.low == pytest.approx(1)
    assert found.high == pytest.approx(4)
    assert "75.00%" in found.told


def test_all_landmarks_are_exact() -> None:
    x = clustered(120, 5)
    found = vendi_landmarks(x, like(1.0), ORDERS, landmarks=120)
    exact = [vendi_of_kernel(gaussian(x, 1.0), q) for q in ORDERS]
    assert found.scores[1:] == pytest.approx(exact[1:], rel=1e-3)


@pytest.mark.parametrize(("n", "d", "width"), [(1_000, 4, 1.0), (2_000, 8, 2.0)])
def test_near_the_exact_score(n: int, d: int, width: float) -> None:
    """256 landmarks: within 6 % (5 % measured at 8 dimensions), closer than 32; the bounds hold the exact score."""
    x = clustered(n, d)
    shares = np.linalg.eigvalsh(gaussian(x, width) / n)  # the library's: ours takes long at 2,000
    kept = shares[shares > 1e-12]
    exact = {1.0: np.exp(-(kept * np.log(kept)).sum()), 2.0: 1 / (kept**2).sum(), math.inf: 1 / kept.max()}
    few, many = (vendi_landmarks(x, like(width), list(exact), landmarks=m) for m in (32, 256))
    assert many.scores == pytest.approx(list(exact.values()), rel=0.06)
    for found in (few, many):
        assert found.low * (1 - 1e-9) <= exact[1.0] <= found.high * (1 + 1e-9)
    assert many.missed < few.missed
    assert abs(many.scores[0] - exact[1.0]) < abs(few.scores[0] - exact[1.0])


def test_the_cosine_needs_as_many_landmarks_as_dimensions() -> None:
    x = clustered(500, 6)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = vendi_landmarks(unit, dots, [1.0, 0.5], landmarks=40)
    assert found.landmarks == 6
    assert found.scores == pytest.approx([vendi(x), vendi(x, 0.5)])


def test_threads_and_order_of_rows_change_nothing() -> None:
    x = clustered(1_500, 4)
    one, two = (vendi_landmarks(x, like(1.0), landmarks=64, engine=Local(threads)) for threads in (1, 2))
    assert one == two
    assert vendi_landmarks(x[::-1].copy(), like(1.0), landmarks=64).scores == pytest.approx(one.scores, rel=1e-6)
    assert vendi_landmarks(x, like(1.0), landmarks=64, seed=1).scores != one.scores


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (lambda a, b: np.ones((len(a), 1)), "similarities"),
        (lambda a, b: np.full((len(a), len(b)), np.nan), "similarities"),
        (lambda a, b: 2.0 * np.equal.outer(a[:, 0], b[:, 0]), "1 of an item with itself"),
        (lambda a, b: np.where(np.equal.outer(a[:, 0], b[:, 0]), 1.0, -1.0), "positive semidefinite"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vendi_landmarks(np.arange(8.0).reshape(8, 1), kernel, landmarks=8)  # type: ignore[arg-type]


def test_nothing_to_measure_is_refused() -> None:
    for items, landmarks in (([], 3), ([1], 0)):
        with pytest.raises(InputError, match="at least 1 landmark"):
            vendi_landmarks(items, lambda a, b: np.equal.outer(a, b), landmarks=landmarks)
    with pytest.raises(InputError, match="keys"):
        vendi_landmarks([1, 2], lambda a, b: np.equal.outer(a, b), keys=np.zeros((3, 2), np.uint64))
