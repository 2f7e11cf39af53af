"""Machine operations that Numba has no name for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.simd import widened


@njit
def _all(x: NDArray[Any], out: NDArray[np.float32]) -> None:
    for i in range(len(x)):
        out[i] = widened(x[i])


def test_every_float16_is_widened_exactly() -> None:
    """Subnormal numbers, zeros of both signs and the largest; to the bit."""
    bits = np.arange(2**16, dtype=np.uint16)
    halves = bits.view(np.float16)
    bits = bits[np.isfinite(halves)]
    out = np.empty(len(bits), np.float32)
    _all(bits, out)
    assert (out.view(np.uint32) == bits.view(np.float16).astype(np.float32).view(np.uint32)).all()
    again = np.empty_like(out)
    _all(out, again)
    assert (again.view(np.uint32) == out.view(np.uint32)).all()
