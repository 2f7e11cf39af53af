"""How well a few records stand for many: the distance of each record to its nearest chosen one.

Sources: coverage within a radius as in Zheng et al. 2023, "Coverage-centric Coreset Selection"
(arXiv 2210.15809); covering radius as in k-centre (Gonzalez 1985). Distances are 1 - cosine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.engine.local import Local
from tamis.errors import InputError
from tamis.vectors.neighbours import exact

__all__ = ["coverage", "covering_radius", "to_nearest"]

_ROUNDING = 1e-6  # of a cosine of equal vectors in float32


def to_nearest(asked: Any, chosen: Any = None, engine: Local | None = None) -> NDArray[np.float64]:
    """Return the distance (1 - cosine, 0 to 2) of each of `m` vectors to its nearest of `k`; O(m k d).

    Parameters
    ----------
    asked : array of shape (m, d)
        A vector of zeros is at distance 1 from all.
    chosen : array of shape (k, d), optional
        Default: the asked ones themselves, each without itself.
    engine : Local, optional
        Whose threads work; the result does not depend on it.

    Raises
    ------
    InputError
        Nothing asked or chosen (of one set: fewer than two), widths that differ, numbers not finite.
    """
    least = len(asked) - 1 if chosen is None else len(chosen)
    if not len(asked) or least < 1:
        raise InputError(f"coverage: expected records and something to be near to, got {len(asked)} and {least}.")
    near = exact(asked, 1, engine=engine) if chosen is None else exact(chosen, 1, queries=asked, engine=engine)
    apart = 1.0 - near.similarity[:, 0].astype(np.float64)
    return np.where(apart < _ROUNDING, 0.0, apart)


def coverage(apart: ArrayLike, radius: float) -> float:
    """Return the share of records whose distance to the nearest chosen one is at most `radius`.

    Raises
    ------
    InputError
        No distances, or a radius below 0.
    """
    found = _distances(apart)
    if not radius >= 0:
        raise InputError(f"coverage: expected a radius of at least 0, got {radius}.")
    return float((found <= radius).mean())


def covering_radius(apart: ArrayLike, share: float = 1.0) -> float:
    """Return the least radius that covers a `share` of the records; 1: all of them. Errors as `coverage`."""
    found = np.sort(_distances(apart))
    if not 0 < share <= 1:
        raise InputError(f"covering radius: expected a share above 0 and at most 1, got {share}.")
    return float(found[int(np.ceil(share * len(found) - 1e-9)) - 1])


def _distances(apart: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(apart, np.float64).reshape(-1)
    if not len(found) or not (found >= 0).all():
        raise InputError("coverage: expected at least one distance, none below 0, got others.")
    return found
