"""A few points that stand for many: those that lower the discrepancy between subset and set.

The discrepancy is looked at on counted boxes: below corners at counted quantiles of the set. Points are
taken greedily, each time the one (of counted candidates) that leaves the least sum of squared
differences; then counted swaps are made where they lower the largest difference, or at the same
largest one the sum. Idea: subsets of low star discrepancy, bettered one point at a time (Clement, Doerr
and Paquete 2024, "Heuristic Approaches to Obtain Low-discrepancy Point Sets via Subset Selection",
arXiv 2306.15276); there against volumes, with the exact measure. The boxes and the greedy start are ours.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tamis.errors import BudgetError, InputError
from tamis.kernels.hashing import mix64, salt, uniforms

__all__ = ["representative"]


def representative(
    points: ArrayLike, k: int, *, boxes: int = 256, candidates: int = 256, swaps: int = 5_000, seed: int = 0
) -> tuple[NDArray[np.int64], float]:
    """Return `k` of `n` points (`n x d`), ascending, and the largest difference of shares on the counted boxes.

    No promise on boxes that were not counted: see `discrepancy.between_sets` for all of them. O(n
    boxes d + (k candidates + swaps) boxes).

    Parameters
    ----------
    points : array of shape (n, d)
        Of any scale; only the order within each coordinate counts.
    k : int
        From 1 to n.
    boxes : int
        Counted corners. Their quantiles are spread so that boxes hold any share of the set.
    candidates : int
        Points looked at for each pick.
    swaps : int
        Swaps tried in the end.
    seed : int
        Of the boxes, the candidates and the swaps.

    Raises
    ------
    InputError
        No `n x d` finite numbers.
    BudgetError
        `k` out of range, or boxes or candidates below 1.
    """
    x = np.asarray(points, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise InputError(f"representative: expected n x d finite numbers, got an array of shape {x.shape}.")
    n, d = x.shape
    if not 1 <= k <= n or boxes < 1 or candidates < 1 or swaps < 0:
        raise BudgetError(
            f"representative: expected k from 1 to {n:,} and boxes and candidates of at least 1, got {k}."
        )
    keys = np.zeros((boxes * d, 2), np.uint64)
    keys[:, 1] = np.arange(boxes * d)
    # The d-th root: of d independent coordinates a box then holds any share alike.
    level = uniforms(keys, salt(seed, "representative: corners")).reshape(boxes, d) ** (1.0 / d)
    order = np.sort(x, axis=0)
    corners = np.stack([order[np.minimum((level[:, j] * n).astype(np.int64), n - 1), j] for j in range(d)], axis=1)
    inside = _inside(np.ascontiguousarray(x), corners)
    share = inside.mean(axis=0, dtype=np.float64)
    chosen, largest = _choose(inside, share, k, min(candidates, n), swaps, salt(seed, "representative: candidates"))
    return np.sort(chosen), float(largest)


@njit(nogil=True, cache=True)
def _inside(x: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    out = np.ones((len(x), len(corners)), np.bool_)
    for i in range(len(x)):
        for b in range(len(corners)):
            for j in range(x.shape[1]):
                if x[i, j] > corners[b, j]:
                    out[i, b] = False
                    break
    return out


@njit(nogil=True, cache=True)
def _choose(
    inside: NDArray[np.bool_], share: NDArray[np.float64], k: int, candidates: int, swaps: int, salted: np.uint64
) -> tuple[NDArray[np.int64], float]:
    n, boxes = inside.shape
    rows = np.arange(n)  # the first `size` are chosen
    off = np.zeros(boxes)  # what the boxes of the chosen hold, less what they should
    number = salted
    for size in range(k):
        best, pick = np.inf, size
        tried = min(candidates, n - size)
        for c in range(tried):
            at = size + c
            if tried < n - size:
                number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
                at = size + int(number % np.uint64(n - size))
            found = 0.0
            for b in range(boxes):
                apart = off[b] + (1.0 if inside[rows[at], b] else 0.0) - share[b]
                found += apart * apart
            if found < best or (found == best and rows[at] < rows[pick]):
                best, pick = found, at
        rows[size], rows[pick] = rows[pick], rows[size]
        for b in range(boxes):
            off[b] += (1.0 if inside[rows[size], b] else 0.0) - share[b]
    largest, squares = np.abs(off).max(), (off * off).sum()
    for _ in range(swaps if k < n else 0):
        number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
        out = int(number % np.uint64(k))
        number = mix64(number + np.uint64(0x9E3779B97F4A7C15))
        come = k + int(number % np.uint64(n - k))
        top, total = 0.0, 0.0
        for b in range(boxes):
            apart = off[b] + np.float64(inside[rows[come], b]) - np.float64(inside[rows[out], b])
            top = max(top, abs(apart))
            total += apart * apart
        if top < largest - 1e-9 or (top <= largest + 1e-9 and total < squares - 1e-9):
            for b in range(boxes):
                off[b] += np.float64(inside[rows[come], b]) - np.float64(inside[rows[out], b])
            rows[out], rows[come] = rows[come], rows[out]
            largest, squares = top, total
    return rows[:k].copy(), largest / k
