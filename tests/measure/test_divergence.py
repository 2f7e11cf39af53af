"""KL divergence of n-gram counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.measure.divergence import SMOOTHING, add_counts, kl_divergence, kl_reduction


def test_by_hand() -> None:
    """Target 1/2, 1/2 and set 1/4, 3/4: (log 2 + log 2/3) / 2 = log(4/3) / 2."""
    assert kl_divergence([1, 1], [1, 3]) == pytest.approx(math.log(4 / 3) / 2, abs=1e-7)
    assert kl_divergence([3, 1, 0], [6, 2, 0]) == pytest.approx(0)
    # What the set lacks costs log(1 / 1e-8) = 18.42 nats for each unit of its share.
    assert kl_divergence([1, 1], [1, 0]) == pytest.approx(
        0.5 * math.log(0.5) + 0.5 * math.log(0.5 / SMOOTHING), abs=1e-6
    )
    assert kl_reduction([1, 1], [1, 3], [1, 1]) == pytest.approx(math.log(4 / 3) / 2, abs=1e-7)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.integers(2, 9))
def test_scale_is_no_matter(counts: list[int], times: int) -> None:
    target, other = np.array(counts) + 1, np.arange(len(counts)) + 1
    assert kl_divergence(target, other) == pytest.approx(kl_divergence(target * times, other * times))
    assert kl_divergence(target, other) >= -1e-6


def test_counts_of_some_records() -> None:
    counts = np.zeros(4, np.int64)
    add_counts(np.array([0, 1, 1, 3, 2], np.uint16), np.array([0, 2, 3, 5]), np.array([0, 2]), counts)
    assert counts.tolist() == [1, 1, 1, 1]


def test_counts_are_checked() -> None:
    for target, counts in (([1, 1], [1]), ([1, -1], [1, 1]), ([0, 0], [1, 1]), ([1, 1], [0, 0])):
        with pytest.raises(InputError, match="KL divergence"):
            kl_divergence(target, counts)
