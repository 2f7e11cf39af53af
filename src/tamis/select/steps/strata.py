"""Strata of a score: equal widths of its range, and turns in which each gives a record.

Source: CCS (Zheng et al. 2023) for strata from which records are drawn as evenly as their sizes allow; the turns, one
order that gives the published numbers for every budget, are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_turn", "strata_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def strata_of(score: _Floats, strata: int, clip: float = 0.0) -> _Ints:
    """Return the stratum (from 0) of each of `n` finite scores: equal widths from the least to the largest.

    With `clip`, from that quantile to the one as far from the top; what lies outside is in the outermost.
    """
    if not len(score):
        return np.empty(0, np.int64)
    # Halves: the range of doubles may exceed the largest double.
    half = score / 2
    low, high = np.quantile(half, [clip, 1 - clip], method="nearest").tolist()
    if not high > low:
        return np.zeros(len(score), np.int64)
    place = (np.clip((half - low) / (high - low), 0, 1) * strata).astype(np.int64)
    return np.asarray(np.minimum(place, strata - 1), np.int64)


def in_turn(stratum: _Ints, chance: _Floats) -> _Ints:
    """Return all `n` places: in each round the next of every stratum, the largest first (the later of equally large).

    Inside a stratum (`n`, from 0) the least `chance` (`n`) comes first.
    """
    if not len(stratum):
        return np.empty(0, np.int64)
    sizes = np.bincount(stratum)
    visit = np.empty(len(sizes), np.int64)
    visit[np.argsort(sizes, kind="stable")] = np.arange(len(sizes))
    drawn = np.lexsort((chance, stratum))
    ordered = stratum[drawn]
    turn = np.arange(len(stratum)) - (np.cumsum(sizes) - sizes)[ordered]
    return drawn[np.lexsort((-visit[ordered], turn))]
