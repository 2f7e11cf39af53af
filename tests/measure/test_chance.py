"""Random selections, and places among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.measure.chance import Place, draw, place
from tamis.select.random import random


def keys_of(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, size=(n, 2)).astype(np.uint64)


def test_place_by_hand() -> None:
    assert place(3.0, [1, 2, 3, 4]) == Place(2, 1, 4)
    assert place(0.5, [1, 2]).outside
    assert place(9.0, [1, 2]).outside
    assert not place(1.0, [1, 2]).outside
    assert not place(1.0 + 1e-12, [1.0, 1.0]).outside
    assert not place(1.0, []).outside


@given(st.integers(1, 300), st.integers(0, 400), st.integers(0, 100))
def test_records_are_those_of_the_method_random(n: int, k: int, seed: int) -> None:
    keys = keys_of(n)
    found = draw(keys, k, seed)
    assert (np.diff(found) > 0).all()
    assert set(found.tolist()) == (set(random(keys, k, seed).tolist()) if k else set())


@given(st.integers(1, 200), st.integers(0, 3000), st.integers(0, 100))
def test_costs_fill_the_budget_in_order(n: int, budget: int, seed: int) -> None:
    """As a walk down the order that stops where a record does not fit."""
    keys = keys_of(n)
    cost = np.random.default_rng(n).integers(0, 40, n)
    expected, used = set(), 0
    for row in np.argsort(uniforms(keys, salt(seed, "random")), kind="stable"):
        used += int(cost[row])
        if used > budget:
            break
        expected.add(int(row))
    assert set(draw(keys, budget, seed, cost).tolist()) == expected


def test_chance_is_calibrated() -> None:
    """A random selection's figure lies outside the range of 20 random ones about 2 times in 21."""
    keys = keys_of(500, 7)
    values = np.random.default_rng(1).exponential(size=500)
    figures = [values[draw(keys, 60, seed)].mean() for seed in range(21 * 60)]
    outside = sum(place(figures[i], figures[i + 1 : i + 21]).outside for i in range(0, len(figures), 21))
    assert 1 <= outside <= 14  # expected 5.7 of 60, standard deviation 2.3


def test_costs_are_checked() -> None:
    with pytest.raises(InputError, match="one a record"):
        draw(keys_of(3), 2, 0, np.ones(2, np.int64))
