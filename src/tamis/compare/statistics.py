"""Where a figure stands among those of random selections: rank, probability, interval, and in words.

Were the selection random too, all orders of its figure and the `m` random ones would be as likely.
So the chance that it is at least as high as it is, is at most (r + 1) / (m + 1) with `r` random ones
at or above it: a permutation test, exact for every measure (Phipson and Smyth 2010, "Permutation
P-values Should Never Be Zero", arXiv 1603.05766). Nothing is assumed of how a figure is spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tamis.errors import InputError
from tamis.measure.chance import Place, place

__all__ = ["Direction", "Standing", "interval", "standing", "verdict"]

#: Which way a measure is better: up, down, or neither.
Direction = Literal["higher", "lower", "neither"]

#: The share of random selections that an interval holds.
_HELD = 0.9


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure of a selection among those of `m` random ones.

    Attributes
    ----------
    chosen : float
        Of the selection.
    random : tuple of float
        Of each random selection.
    direction : str
        Which way is better: "higher", "lower" or "neither".
    place : Place
        How many random ones are below, and how many above; the others are equal.
    """

    chosen: float
    random: tuple[float, ...]
    direction: Direction
    place: Place

    @property
    def p_higher(self) -> float:
        """The chance that a random selection is at least as high among the others."""
        return (self.place.of - self.place.below + 1) / (self.place.of + 1)

    @property
    def p_lower(self) -> float:
        """The chance that a random selection is at least as low among the others."""
        return (self.place.of - self.place.above + 1) / (self.place.of + 1)

    @property
    def p_two_sided(self) -> float:
        """The chance that a random selection is at least as far out, to whichever side."""
        return min(1.0, 2 * min(self.p_higher, self.p_lower))

    @property
    def outside(self) -> bool:
        """Whether it lies outside the range of all random ones."""
        return self.place.outside

    @property
    def better(self) -> bool | None:
        """Whether it lies outside on the better side; None within chance, and where no side is better."""
        if not self.outside or self.direction == "neither":
            return None
        return (self.place.below == self.place.of) == (self.direction == "higher")

    @property
    def median(self) -> float:
        """The median of the random ones."""
        return float(np.median(self.random))

    @property
    def low_high(self) -> tuple[float, float]:
        """The interval in which 9 of 10 random selections lie."""
        return interval(self.random)

    @property
    def difference(self) -> float:
        """The selection's figure less the median of the random ones."""
        return self.chosen - self.median

    @property
    def difference_interval(self) -> tuple[float, float]:
        """From where to where the difference to a random selection lies, for 9 of 10 of them."""
        low, high = self.low_high
        return self.chosen - high, self.chosen - low

    @property
    def words(self) -> str:
        """The place in words, such as "lower than all 20 random ones: better"."""
        below, above, of = self.place.below, self.place.above, self.place.of
        if self.outside:
            told = f"{'higher' if below == of else 'lower'} than all {of} random ones"
            return told if self.better is None else f"{told}: {'better' if self.better else 'worse'}"
        if not below and not above:
            return f"as in all {of} random ones"
        return f"within chance: higher than {below} of {of}"


def standing(chosen: float, random: Sequence[float], direction: Direction = "neither") -> Standing:
    """Return where a figure stands among those of random selections.

    Raises
    ------
    InputError
        No random figures, or a figure that is not finite.
    """
    found = (float(chosen), *map(float, random))
    if len(found) < 2 or not np.isfinite(found).all():
        raise InputError(f"comparison: expected a finite figure and at least one random one, got {found[:3]}.")
    return Standing(found[0], found[1:], direction, place(found[0], found[1:]))


def interval(random: Sequence[float], held: float = _HELD) -> tuple[float, float]:
    """Return the interval in which a further random figure lies with probability `held`.

    Between order statistics at (1 - held) / 2 and (1 + held) / 2 of `m + 1`, which holds for any
    distribution; of fewer than 19 figures it is their range, which holds less than 0.9.
    """
    ends = np.quantile(np.asarray(random, np.float64), [(1 - held) / 2, (1 + held) / 2], method="weibull")
    return float(ends[0]), float(ends[1])


def verdict(found: Sequence[Standing]) -> str:
    """Return one plain sentence on all measures together, and what chance alone would give."""
    if not found:
        return "Nothing could be measured."
    m = found[0].place.of
    outside = sum(one.outside for one in found)
    told = (
        f"{outside} of {len(found)} measures {'is' if outside == 1 else 'are'} outside what chance gives; "
        f"with {m} random selections a random one lands outside on each with probability 2/{m + 1}, so on about "
        f"{2 * len(found) / (m + 1):.1f} of them."
    )
    sides = [one.better for one in found if one.better is not None]
    if sides:
        told += f" Better: {sum(sides)}; worse: {len(sides) - sum(sides)}."
    return told
