"""Worth times distance: the next record of a weighted farthest-first choice. Source: ours, after D3 (2025)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dearest"]

_Floats = NDArray[np.float64]


def dearest(
    weight: _Floats, apart: Any, waiting: NDArray[np.bool_], middle: NDArray[np.float32] | None
) -> tuple[int, _Floats]:
    """Return the next record, and the value of each: -1 where it does not wait.

    The first (with distances to the `middle`) is worth most, of equal ones the nearest to it. Where nothing has both
    worth and distance left, the one worth most.
    """
    if middle is not None:
        most = waiting & (weight == weight[waiting].max())
        return int(np.argmax(np.where(most, -middle, -np.inf))), np.where(waiting, weight, -1.0)
    value = np.where(waiting, weight * apart, -1.0)
    best = int(np.argmax(value))
    return (best if value[best] > 0 else int(np.argmax(np.where(waiting, weight, -1.0)))), value
