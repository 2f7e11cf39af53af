"""Star discrepancy: worked by hand, against all boxes, its bound; and subsets that lower it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.measure.discrepancy import between_sets, sliced_discrepancy, star_discrepancy, star_discrepancy_bound
from tamis.measure.representative import representative


def points(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, d))


def all_boxes(x: np.ndarray) -> float:
    """The definition: every corner of the grid, open and closed."""
    best = 0.0
    for corner in itertools.product(*(np.append(x[:, j], 1.0) for j in range(x.shape[1]))):
        size = np.prod(corner)
        best = max(best, size - (x < corner).all(axis=1).mean(), (x <= corner).all(axis=1).mean() - size)
    return float(best)


def test_by_hand() -> None:
    """The middles of n equal parts have 1/(2n), the least there is; one point at (1/2, 1/2) has 3/4.

    That point: the closed box of volume 1/4 holds all, 1 - 1/4.
    """
    assert star_discrepancy((np.arange(8)[:, None] + 0.5) / 8) == pytest.approx(1 / 16)
    assert star_discrepancy([[0.5, 0.5]]) == pytest.approx(0.75)
    assert star_discrepancy([[0.0]]) == pytest.approx(1)
    assert star_discrepancy([[1.0, 1.0]]) == pytest.approx(1)


@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 999))
def test_is_the_largest_over_all_boxes(n: int, d: int, seed: int) -> None:
    x = np.round(points(n, d, seed), 1)  # ties and ends too
    assert star_discrepancy(x) == pytest.approx(all_boxes(x))


@given(st.integers(2, 30), st.integers(1, 3), st.integers(0, 99))
def test_the_bound_is_below(n: int, d: int, seed: int) -> None:
    x = points(n, d, seed)
    assert star_discrepancy_bound(x, 400, seed) <= star_discrepancy(x) + 1e-12


def test_the_bound_is_near() -> None:
    """100 points in 3 dimensions: at least 95 % of the truth in 20,000 steps."""
    x = points(100, 3, 1)
    assert star_discrepancy_bound(x) >= 0.95 * star_discrepancy(x)


def test_two_sets_by_hand() -> None:
    """0, 1, 2 and 1, 2, 3 differ by 1/3 below every value; sets apart by 1; a set and itself by 0."""
    assert between_sets([[0], [1], [2]], [[1], [2], [3]]) == pytest.approx(1 / 3)
    assert between_sets([[0, 0]], [[5, 5]]) == pytest.approx(1)
    assert between_sets(points(9, 2, 0), points(9, 2, 0)) == pytest.approx(0)
    assert sliced_discrepancy(points(50, 4, 0), points(50, 4, 0)) == (0, 0)
    mean, most = sliced_discrepancy(points(50, 4, 0), points(50, 4, 0) + 9)
    assert most == pytest.approx(1)
    assert 0.5 < mean <= 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BudgetError, match="bound or the sliced"):
        star_discrepancy(points(500, 6, 0))
    with pytest.raises(InputError, match="from 0 to 1"):
        star_discrepancy([[2.0]])
    with pytest.raises(InputError, match="one width"):
        between_sets([[1.0]], [[1.0, 2]])
    with pytest.raises(OptionError, match="one direction"):
        sliced_discrepancy([[1.0]], [[1.0]], 0)
    with pytest.raises(BudgetError, match="k from 1 to 3"):
        representative(points(3, 2, 0), 4)


def test_a_representative_subset_beats_random_ones() -> None:
    """40 of 600 points in 3 dimensions: closer than each of 20 random subsets, over all boxes; the same each time."""
    x = points(600, 3, 3) ** 2
    rows, largest = representative(x, 40)
    assert len(set(rows.tolist())) == 40
    assert largest < 0.05
    ours = sliced_discrepancy(x[rows], x)[0]
    random = np.random.default_rng(0)
    assert ours < min(sliced_discrepancy(x[random.choice(600, 40, False)], x)[0] for _ in range(20))
    assert (rows == representative(x, 40)[0]).all()


def test_all_points_represent_themselves() -> None:
    rows, largest = representative(points(12, 2, 0), 12)
    assert rows.tolist() == list(range(12))
    assert largest == pytest.approx(0, abs=1e-12)
