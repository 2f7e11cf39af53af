"""A signal of quality, as determinantal methods read it: the logarithm of a record's weight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["SCALES", "log_quality"]

SCALES = ("ranks", "raw")
"""How a signal of quality is read: as the share of the other records that are worse, or as it is."""

_Floats = NDArray[np.float64]


def log_quality(quality: _Floats, theta: float, scale: str) -> _Floats:
    """Return `theta` times the quality of `n` records, read by one of `SCALES`; NaN where there is none."""
    if scale == "raw":
        return np.asarray(theta * quality)
    rated = ~np.isnan(quality)
    out = np.full(len(quality), np.nan)
    out[rated] = theta * (rankdata(quality[rated]) - 1) / max(int(rated.sum()) - 1, 1)
    return out
