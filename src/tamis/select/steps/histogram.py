"""How much a score tells records apart: the entropy of its histogram, without regard to its unit.

Source: Adapt-infinity (2024) for entropies of 50 bins; standardising first, and the reach of four standard deviations
on either side, is what its code means to do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["entropy", "spread", "standard"]

_REACH = 4.0  # standard deviations on either side of the mean that the histogram covers

_Floats = NDArray[np.float64]


def entropy(scores: _Floats, bins: int = 50) -> float:
    """Return the entropy in nats of the histogram of `m` finite scores, 0 to log(`bins`); 0 where all are alike.

    Bins of equal width cover four standard deviations on either side of the mean; what lies outside is in the
    outermost. So the unit and the zero of the scores do not matter, nor their sign.
    """
    z = standard(scores)
    if not z.any():
        return 0.0
    place = np.clip((z + _REACH) / (2 * _REACH) * bins, 0, bins - 1).astype(np.int64)
    share = np.bincount(place) / len(z)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def standard(scores: _Floats) -> _Floats:
    """Return `m` finite scores with mean 0 and standard deviation 1; zeros where all are alike."""
    if not len(scores) or scores.min() == scores.max():
        return np.zeros(len(scores))
    half = scores / 2 - np.mean(scores / 2)  # halves: the range of doubles may exceed the largest double
    half /= np.abs(half).max()
    return np.asarray(half / np.sqrt(np.mean(half * half)))


def spread(values: _Floats) -> float:
    """Return the standard deviation of finite values: in units of their largest, so that squares stay finite."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(np.std(values / largest)) * largest if largest else 0.0
