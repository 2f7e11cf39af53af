"""What targets take first of a pool, one after the other."""

from __future__ import annotations

import numpy as np

from tamis.select.steps.resampling import Draw, largest, taken_first


def test_the_largest_come_first() -> None:
    """Ties go by position; asked for more than there are, all come."""
    keys = np.array([1.0, 3.0, 2.0, 3.0])
    assert largest(keys, 2).tolist() == [1, 3]
    assert largest(keys, 9).tolist() == [1, 3, 2, 0]


def test_a_target_takes_of_what_is_left() -> None:
    """Record 2 is the best of both: the first target has it, and the second takes the next one."""
    weights = np.array([[0.0, 1.0, 5.0, 2.0], [0.0, 3.0, 9.0, 4.0]])
    keys = np.arange(8, dtype=np.uint64).reshape(4, 2)
    noisy, heads, free = taken_first(weights, Draw(keys, 0, noise=False), [1, 1])
    assert [head.tolist() for head in heads] == [[2], [3]]
    assert free.tolist() == [0, 1]
    assert np.array_equal(noisy, weights)
