"""Coverage, repeats and tables of groups: worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tamis.corpus.chunk import Text
from tamis.errors import InputError
from tamis.measure.coverage import coverage, covering_radius, to_nearest
from tamis.measure.duplicates import repeated_share, shared_share, text_keys
from tamis.measure.tables import group_table, total_variation


def texts(*lines: str) -> Text:
    parts = [line.encode() for line in lines]
    return Text(np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)]).astype(np.int64))


def test_coverage_by_hand() -> None:
    """East, north and north-east before the east: 0, 1 and 1 - cos 45 degrees away."""
    apart = to_nearest([[1.0, 0], [0, 2], [3, 3]], [[5.0, 0]])
    assert apart == pytest.approx([0, 1, 1 - math.sqrt(0.5)], abs=1e-6)
    assert coverage(apart, 0.5) == pytest.approx(2 / 3)
    assert covering_radius(apart) == pytest.approx(1)
    assert covering_radius(apart, 2 / 3) == pytest.approx(1 - math.sqrt(0.5), abs=1e-6)
    assert to_nearest([[1.0, 0], [1, 0], [0, 1]]) == pytest.approx([0, 0, 1])


def test_coverage_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="something to be near"):
        to_nearest(np.ones((1, 2)))
    with pytest.raises(InputError, match="radius"):
        coverage([0.1], -1)
    with pytest.raises(InputError, match="share"):
        covering_radius([0.1], 0)
    with pytest.raises(InputError, match="distance"):
        coverage([], 1)


def test_repeats_by_hand() -> None:
    """a b a: one of three could go. Of these, two stand in (a, c)."""
    ours, others = text_keys(texts("a", "b", "a")), text_keys(texts("a", "c"))
    assert repeated_share(ours) == pytest.approx(1 / 3)
    assert shared_share(ours, others) == pytest.approx(2 / 3)
    assert shared_share(others, ours) == pytest.approx(1 / 2)
    assert math.isnan(repeated_share(ours[:0]))


def test_groups_by_hand() -> None:
    """Groups a and b, 3 to 1 before and 1 to 1 after; at most two of a are wanted."""
    rows = group_table([np.array([1, 0, 0, 0]), np.array([0, 1])], ["a", "b", "c"], {"a": (0, 2)})
    assert [(row.name, row.counts, row.met) for row in rows] == [
        ("a", (3, 1), (False, True)), ("b", (1, 1), None), ("c", (0, 0), None),
    ]  # fmt: skip
    assert rows[0].shares == (0.75, 0.5)
    assert total_variation(rows, 0, 1) == pytest.approx(0.25)
    with pytest.raises(InputError, match="known groups"):
        group_table([np.array([0])], ["a"], {"x": (0, 1)})
    with pytest.raises(InputError, match="codes from"):
        group_table([np.array([3])], ["a"])
