"""Places, probabilities and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.compare.statistics import interval, standing, verdict
from tamis.errors import InputError

FIGURES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=25)


def test_by_hand() -> None:
    """Above 3 of 4, as high as none: 2 of 5 orders put it as high."""
    one = standing(3.5, [1, 2, 3, 4], "higher")
    assert (one.place.below, one.place.above) == (3, 1)
    assert one.p_higher == pytest.approx(2 / 5)
    assert one.p_lower == pytest.approx(4 / 5)
    assert one.p_two_sided == pytest.approx(4 / 5)
    assert one.better is None
    assert one.median == 2.5
    assert one.difference == 1.0
    assert one.words == "within chance: higher than 3 of 4"


@pytest.mark.parametrize(
    ("chosen", "direction", "better", "words"),
    [
        (9.0, "higher", True, "higher than all 3 random ones: better"),
        (9.0, "lower", False, "higher than all 3 random ones: worse"),
        (0.0, "lower", True, "lower than all 3 random ones: better"),
        (0.0, "neither", None, "lower than all 3 random ones"),
        (2.0, "higher", None, "within chance: higher than 1 of 3"),
    ],
)
def test_words_judge_only_where_a_side_is_better(
    chosen: float, direction: str, better: bool | None, words: str
) -> None:
    one = standing(chosen, [1, 2, 3], direction)
    assert one.better is better
    assert one.words == words


def test_equal_figures_are_no_difference() -> None:
    one = standing(1.0, [1.0] * 20, "higher")
    assert one.words == "as in all 20 random ones"
    assert (one.p_higher, one.p_lower, one.p_two_sided) == (1.0, 1.0, 1.0)
    assert not one.outside


@given(FIGURES, st.integers(-5, 5).map(float))
def test_probabilities_count_the_figure_itself(random: list[float], chosen: float) -> None:
    """As counted over all m + 1 figures; never 0; a mirror image swaps the sides."""
    one, mirror = standing(chosen, random), standing(-chosen, [-x for x in random])
    everyone = np.array([chosen, *random])
    assert one.p_higher == pytest.approx((everyone >= chosen).mean())
    assert one.p_lower == pytest.approx((everyone <= chosen).mean())
    assert one.p_higher == mirror.p_lower
    assert one.outside == ((everyone >= chosen).sum() == 1 or (everyone <= chosen).sum() == 1)
    low, high = one.difference_interval
    assert low <= one.difference <= high
    assert (one.p_two_sided <= 2 / (len(random) + 1) + 1e-12) == (one.outside or len(random) == 1)


@given(FIGURES)
def test_interval_lies_in_the_range(random: list[float]) -> None:
    low, high = interval(random)
    assert min(random) <= low <= high <= max(random)


@pytest.mark.parametrize("spread", ["normal", "exponential", "uniform"])
def test_interval_holds_nine_of_ten(spread: str) -> None:
    """A further figure lies in the interval of 20 with probability 0.9, whatever the distribution."""
    drawn = getattr(np.random.default_rng(5), spread)(size=(4000, 21))
    held = np.mean([low <= row[0] <= high for row in drawn for low, high in [interval(row[1:])]])
    assert held == pytest.approx(0.9, abs=0.025)


def test_verdict_counts() -> None:
    found = [standing(9, range(20), "higher"), standing(99, range(20), "higher"), standing(99, range(20), "lower")]
    told = verdict([*found, standing(99, range(20))])
    assert told.startswith("3 of 4 measures are outside what chance gives; with 20 random selections a random one")
    assert "2/21" in told
    assert told.endswith("Better: 1; worse: 1.")
    assert verdict(found[:1]).startswith("0 of 1 measures are outside")
    assert verdict([]) == "Nothing could be measured."


@pytest.mark.parametrize(("chosen", "random"), [(1.0, []), (float("nan"), [1.0]), (1.0, [float("inf")])])
def test_figures_must_be_there(chosen: float, random: list[float]) -> None:
    with pytest.raises(InputError, match="finite figure"):
        standing(chosen, random)
