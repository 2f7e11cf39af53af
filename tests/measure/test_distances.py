"""Distances to the nearest neighbour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.measure import distances
from tamis.measure.distances import mean_nearest, nearest_distances


def test_by_hand() -> None:
    """At 0, 60, 90 and 270 degrees: the nearest are 60, 30, 30 and 90 degrees away, 1 - cosine each."""
    angles = np.radians([0, 60, 90, 270])
    x = np.c_[np.cos(angles), np.sin(angles)] * [[1], [5], [0.1], [2]]
    expected = [0.5, 1 - 3**0.5 / 2, 1 - 3**0.5 / 2, 1.0]
    np.testing.assert_allclose(nearest_distances(x), expected, atol=1e-12)
    assert mean_nearest(x) == pytest.approx(np.mean(expected))


def test_copies_are_at_no_distance() -> None:
    x = np.random.default_rng(0).normal(size=(30, 7))
    assert (nearest_distances(np.r_[x, 3 * x]) == 0).all()


@given(st.integers(2, 40), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_tiles_change_nothing(n: int, d: int, tile: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, d))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "_TILE", tile)
        np.testing.assert_allclose(nearest_distances(x), 1 - cosine.max(axis=1), atol=1e-9)


def test_one_record_has_no_neighbour() -> None:
    with pytest.raises(InputError, match="two records"):
        mean_nearest([[1.0, 2.0]])
