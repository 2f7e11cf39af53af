"""Which of each two rows goes left and which right, so that both sides stay alike to a kernel: one pass, compiled.

The pairs are rows 0 and 1, 2 and 3, and so on. With `f` the difference of the two in the kernel's space and `psi` that
of the sides before, the first goes left with a probability that falls with `<f, psi>`; the rule is told in `halving`.
For a Gaussian kernel each pair is compared with all before it, in their order, so that the sums have the same bits
whether one thread decides on all pairs or several compare and one decides.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from tamis.select.steps.gaussian import gaussian
from tamis.vectors.dots import dot, dots

__all__ = ["PAIRS", "compare", "decide", "decide_flat", "within"]

PAIRS: Final = 32
"""Pairs compared with so many at a time: what they have to do with each other stays in the nearest cache."""


@njit(nogil=True, cache=True)
def _along(found, pair, sign, first, last, total):  # type: ignore[no-untyped-def]
    """Return `total` and what a pair has along the signed differences of those from `first` to `last`."""
    a, b = found[2 * pair], found[2 * pair + 1]
    for one in range(last - first):
        total += sign[first + one] * (a[2 * one] - a[2 * one + 1] - b[2 * one] + b[2 * one + 1])
    return total


@njit(nogil=True, cache=True)
def compare(x, square, gamma, sign, along, start, stop, low, high):  # type: ignore[no-untyped-def]
    """Add to `along` of the pairs from `low` to `high` (at most `PAIRS`) what those from `start` to `stop` give.

    That is `<f, psi>`, pair by pair in their order; `sign` is 1 where a pair's first went left, -1 where it went right.
    """
    mine, own = x[2 * low : 2 * high], square[2 * low : 2 * high]
    found = np.empty((2 * PAIRS, 2 * PAIRS))
    for first in range(start, stop, PAIRS):
        last = min(stop, first + PAIRS)
        dots(mine, x[2 * first : 2 * last], found)
        gaussian(found, own, square[2 * first : 2 * last], gamma)
        for pair in range(high - low):
            along[low + pair] = _along(found, pair, sign, first, last, along[low + pair])


@njit(nogil=True, cache=True)
def decide(x, square, gamma, draws, delta, start, stop, along, sign, state):  # type: ignore[no-untyped-def]
    """Write the signs of the pairs from `start` to `stop`; `along` holds what those before `start` give.

    `state` holds the square of the adaptive scale, sigma.
    """
    found = np.empty((2 * PAIRS, 2 * PAIRS))
    for low in range(start, stop, PAIRS):
        high = min(stop, low + PAIRS)
        compare(x, square, gamma, sign, along, start, low, low, high)
        mine, own = x[2 * low : 2 * high], square[2 * low : 2 * high]
        dots(mine, mine, found)
        gaussian(found, own, own, gamma)
        for pair in range(high - low):
            a, b = 2 * pair, 2 * pair + 1
            alpha = _along(found, pair, sign, low, low + pair, along[low + pair])
            apart = found[a, a] + found[b, b] - 2.0 * found[a, b]
            sign[low + pair] = _side(apart, alpha, draws[2 * (low + pair)], delta, state)


@njit(nogil=True, cache=True)
def _side(apart, alpha, draw, delta, state):  # type: ignore[no-untyped-def]
    """Return 1 where the first of a pair goes left, else -1; `apart` is |f|^2, `alpha` is `<f, psi>`."""
    apart, spread = max(apart, 0.0), state[0]
    threshold = max(np.sqrt(apart * spread * 2.0 * np.log(2.0 / delta)), apart)
    chance = 0.5
    if threshold > 0.0:
        chance = min(1.0, 0.5 * max(1.0 - alpha / threshold, 0.0))
        state[0] = spread + apart * max(1.0 + (apart - 2.0 * threshold) * spread / threshold**2, 0.0)
    return 1.0 if draw < chance else -1.0


@njit(nogil=True, cache=True)
def decide_flat(x, factor, draws, delta, sign):  # type: ignore[no-untyped-def]
    """Write the signs of all pairs for products of features, where psi is a vector."""
    width = x.shape[1]
    psi, state = np.zeros(width), np.zeros(1)
    for pair in range(len(sign)):
        a, b = 2 * pair, 2 * pair + 1
        own = factor[a] * factor[a] * dot(x[a], x[a], width) + factor[b] * factor[b] * dot(x[b], x[b], width)
        apart = own - 2.0 * (factor[a] * factor[b] * dot(x[a], x[b], width))
        alpha = factor[a] * dot(x[a], psi, width) - factor[b] * dot(x[b], psi, width)
        sign[pair] = _side(apart, alpha, draws[a], delta, state)
        for j in range(width):
            psi[j] += sign[pair] * (factor[a] * np.float64(x[a, j]) - factor[b] * np.float64(x[b, j]))


@njit(nogil=True, cache=True)
def within(x, square, factor, gamma):  # type: ignore[no-untyped-def]
    """Return the sum of the kernel over all pairs of rows, each with itself among them."""
    n, total = len(x), 0.0
    if gamma > 0.0:
        found = np.empty((2 * PAIRS, 2 * PAIRS))
        for low in range(0, n, 2 * PAIRS):
            high = min(n, low + 2 * PAIRS)
            for first in range(0, high, 2 * PAIRS):
                last = min(n, first + 2 * PAIRS)
                dots(x[low:high], x[first:last], found)
                gaussian(found, square[low:high], square[first:last], gamma)
                for i in range(low, high):
                    for j in range(first, min(last, i)):
                        total += 2.0 * found[i - low, j - first]
        return total + n
    added = np.zeros(x.shape[1])
    for i in range(n):
        for j in range(len(added)):
            added[j] += factor[i] * np.float64(x[i, j])
    for j in range(len(added)):
        total += added[j] * added[j]
    return total
