"""How many bands of how many rows: locality-sensitive hashing for a wanted similarity.

A signature is cut into `b` bands of `r` places; two texts become candidates when all places of
some band agree, which two of similarity `s` do with probability ``P(s) = 1 - (1 - s**r)**b``
(Indyk and Motwani 1998; Leskovec, Rajaraman, Ullman, chapter 3). The best bands for a threshold
minimise the two areas between P and a step at the threshold, weighed against each other. The
areas are those that datasketch weighs; the weight is ours: where candidates are verified, an
alarm costs one comparison and a miss a duplicate that stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError

__all__ = ["MISS_WEIGHT", "Bands", "bands_of", "candidate_probability", "lsh_parameters"]

MISS_WEIGHT = 0.98
"""Share of a miss in the cost, against 0.02 for an alarm: a miss weighs 49 alarms."""

_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Bands:
    """A cut of signatures into bands, and what to expect of it.

    Attributes
    ----------
    bands, rows : int
        Bands, and places in each: `bands * rows` of the permutations are used.
    miss : float
        Expected share of pairs at or above the threshold that become no candidates, were their
        similarities spread evenly from the threshold to 1.
    alarm : float
        Expected share of pairs below the threshold that become candidates, were their similarities
        spread evenly from 0 to the threshold. (Real pairs crowd near 0: there are far fewer.)
    edge : float
        Share of pairs missed exactly at the threshold: the worst of `miss`.
    """

    bands: int
    rows: int
    miss: float
    alarm: float
    edge: float

    def report(self) -> dict[str, Any]:
        """Return the cut and what to expect of it, as JSON-able values."""
        expected = {"miss": self.miss, "alarm": self.alarm, "miss_at_threshold": self.edge}
        return {"bands": self.bands, "rows": self.rows, "expected": expected}


def candidate_probability(similarity: NDArray[np.float64] | float, bands: int, rows: int) -> NDArray[np.float64]:
    """Return the probability that pairs of these similarities become candidates: 1 - (1 - s**r)**b."""
    return np.asarray(1.0 - (1.0 - np.asarray(similarity, np.float64) ** rows) ** bands)


def bands_of(threshold: float, bands: int, rows: int) -> Bands:
    """Return the given cut with its expected misses and alarms (midpoint rule, 1,000 points each side)."""
    middle = (np.arange(_POINTS) + 0.5) / _POINTS
    above = 1.0 - candidate_probability(threshold + middle * (1.0 - threshold), bands, rows)
    below = candidate_probability(middle * threshold, bands, rows)
    edge = 1.0 - float(candidate_probability(threshold, bands, rows))
    return Bands(bands, rows, float(above.mean()), float(below.mean()), edge)


def lsh_parameters(threshold: float, permutations: int = 128, *, miss_weight: float = MISS_WEIGHT) -> Bands:
    """Return the bands that cost least for a threshold.

    Parameters
    ----------
    threshold : float
        The similarity from which pairs are wanted, above 0 and at most 1.
    permutations : int
        Places of a signature; `bands * rows` is at most this.
    miss_weight : float
        Weight of the area of misses, between 0 and 1; alarms weigh the rest. With 0.5 the bands
        are those of datasketch.

    Raises
    ------
    OptionError
        A parameter out of range.
    """
    check_threshold(threshold)
    if permutations < 1:
        raise OptionError(f"permutations: expected at least 1, got {permutations}.")
    if not 0 < miss_weight < 1:
        raise OptionError(f"miss weight: expected between 0 and 1, got {miss_weight:g}.")
    middle = (np.arange(_POINTS) + 0.5) / _POINTS
    above, below = threshold + middle * (1.0 - threshold), middle * threshold
    best = (np.inf, 1, 1)
    for rows in range(1, permutations + 1):
        apart_above, apart_below = 1.0 - above**rows, 1.0 - below**rows
        for bands in range(1, permutations // rows + 1):
            miss = float((apart_above**bands).mean()) * (1.0 - threshold)
            alarm = float((1.0 - apart_below**bands).mean()) * threshold
            best = min(best, (miss_weight * miss + (1.0 - miss_weight) * alarm, bands, rows))
    return bands_of(threshold, best[1], best[2])


def check_threshold(threshold: float) -> None:
    """Raise OptionError for a similarity that is not above 0 and at most 1."""
    if not 0 < threshold <= 1:
        raise OptionError(
            f"similarity threshold: expected above 0 and at most 1, got {threshold:g}. For example --dedup 0.8."
        )
