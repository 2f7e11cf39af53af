"""The plane of a map, and the words that tell its ends."""

from __future__ import annotations

import numpy as np
import pytest

from tamis.errors import InputError
from tamis.measure.plane import plane, telling_words


def test_by_hand() -> None:
    """Four points on a cross, its long arm along (0, 1, 0) and its short one along (1, 0, 0)."""
    x = np.array([[1.0, 5, 2], [-1, 5, 2], [0, 8, 2], [0, 2, 2]])
    found = plane(x)
    np.testing.assert_allclose(found.axes.T, [[0, 1, 0], [1, 0, 0]], atol=1e-9)
    assert found.explained == pytest.approx((0.9, 0.1))
    np.testing.assert_allclose(found(x), [[0, 1], [0, -1], [3, 0], [-3, 0]], atol=1e-9)
    np.testing.assert_allclose(found([[7.0, 5, 9]]), [[0, 7]], atol=1e-9)


def test_rows_in_any_order() -> None:
    x = np.random.default_rng(3).normal(size=(50, 8))
    np.testing.assert_allclose(plane(x).axes, plane(x[::-1]).axes, atol=1e-7)


def test_records_without_any_difference() -> None:
    found = plane(np.ones((5, 3)))
    assert found.explained == (0, 0)
    assert np.isfinite(found(np.ones((5, 3)))).all()


def test_shapes_are_checked() -> None:
    for bad in (np.ones((3, 1)), np.ones(3), np.full((2, 2), np.nan)):
        with pytest.raises(InputError, match="plane"):
            plane(bad)


def test_telling_words() -> None:
    """Records on the left speak of cats, on the right of boats, those at the top of rain."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, size=(400, 2))
    texts = [
        f"the same {'cat' if x < -0.5 else 'boat' if x > 0.5 else 'of'} thing {'Rain' if y > 0.5 else ''} x1 {i % 7}"
        for i, (x, y) in enumerate(places)
    ]
    assert telling_words(texts, places) == (("cat",), ("boat",), (), ("rain",))
    assert telling_words(["", ""], np.zeros((2, 2))) == ((), (), (), ())
    assert telling_words([], np.zeros((0, 2))) == ((), (), (), ())
