"""Numbers that a method cannot use: named with their value and record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import RecordError

__all__ = ["check_usable"]


def check_usable(values: NDArray[Any], wrong: NDArray[np.bool_], what: str, expected: str, then: str = "") -> None:
    """Raise RecordError for the first of `n` values that is `wrong` (`n`).

    `what` they are ("method 'd2', signal 'loss'"), what was `expected` of them, and `then` what to do.
    """
    if wrong.any():
        at = int(np.argmax(wrong))
        raise RecordError(f"{what}: expected {expected}, got {values[at]:g}", at, then)
