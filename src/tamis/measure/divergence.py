"""How far a set's words are from a target's: KL divergence of hashed n-gram distributions.

Source: Xie et al. 2023, "Data Selection for Language Models via Importance Resampling" (arXiv
2302.03169): distributions over hashed n-grams, a small constant inside the logarithms (that of the
package `data-selection`), and the KL reduction of a selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError

__all__ = ["SMOOTHING", "add_counts", "counts_in", "kl_divergence", "kl_reduction"]

SMOOTHING = 1e-8
"""What is added to every probability inside the logarithm."""


def kl_divergence(target: ArrayLike, counts: ArrayLike) -> float:
    """Return KL(target || set) in nats from the bucket counts of both (`buckets` each).

    0 where both are in the same proportions. A bucket that the target has and the set lacks costs
    its share times log(share / `SMOOTHING`): small sets are far away for their size alone.

    Raises
    ------
    InputError
        Counts of different lengths, below 0, or without any n-gram.
    """
    p, q = _shares(target, "target"), _shares(counts, "set")
    if len(p) != len(q):
        raise InputError(f"KL divergence: expected counts of one length, got {len(p)} and {len(q)} buckets.")
    return float((p * (np.log(p + SMOOTHING) - np.log(q + SMOOTHING))).sum())


def kl_reduction(target: ArrayLike, pool: ArrayLike, chosen: ArrayLike) -> float:
    """Return KL(target || pool) - KL(target || chosen) in nats: above 0 where choosing came closer.

    Raises
    ------
    InputError
        As `kl_divergence`.
    """
    return kl_divergence(target, pool) - kl_divergence(target, chosen)


@njit(nogil=True, cache=True)
def add_counts(
    values: NDArray[np.uint16], offsets: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add the buckets of the given records, ``values[offsets[row]:offsets[row + 1]]``, to `counts`."""
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            counts[values[i]] += 1


def counts_in(
    parts: Iterable[tuple[int, NDArray[np.uint16], NDArray[np.int64]]],
    sets: Sequence[NDArray[np.int64]],
    buckets: int,
) -> NDArray[np.int64]:
    """Return how often each bucket occurs in each set of records, `sets x buckets`.

    Parameters
    ----------
    parts : iterable of (int, uint16 array, int64 array)
        Runs of records: the row of the first, their buckets, and their offsets as in `add_counts`.
    sets : sequence of int64 arrays
        Rows of each set, ascending.
    buckets : int
        How many there are.
    """
    counts = np.zeros((len(sets), buckets), np.int64)
    for first, values, offsets in parts:
        for rows, count in zip(sets, counts, strict=True):
            ends = np.searchsorted(rows, (first, first + len(offsets) - 1))
            add_counts(values, offsets, rows[ends[0] : ends[1]] - first, count)
    return counts


def _shares(counts: ArrayLike, what: str) -> NDArray[np.float64]:
    found = np.asarray(counts, np.float64)
    if found.ndim != 1 or not (found >= 0).all() or not 0 < found.sum() < np.inf:
        raise InputError(f"KL divergence, {what}: expected counts of at least 0, not all 0, got others.")
    return np.asarray(found / found.sum(), np.float64)
