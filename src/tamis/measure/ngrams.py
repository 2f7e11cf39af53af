"""How much of a set's wording is new: different n-grams over all n-grams, among equally many.

Source: distinct-n of Li et al. 2016, "A Diversity-Promoting Objective Function" (arXiv 1510.03055).
The share falls as texts grow, because words recur; so sets are compared on their first `limit`
n-grams, which is ours. Words are those of `kernels.shingles`: case and punctuation do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import mix64
from tamis.kernels.shingles import window_hashes, word_hashes

__all__ = ["Runs", "distinct_share", "word_runs"]


@dataclass(frozen=True, eq=False)
class Runs:
    """The hashes of the n-grams of `n` texts, in order: text `i` has ``values[offsets[i]:offsets[i + 1]]``."""

    values: NDArray[np.uint64]
    offsets: NDArray[np.int64]

    def count(self, rows: NDArray[np.int64]) -> int:
        """Return how many n-grams the given texts have."""
        return int((self.offsets[rows + 1] - self.offsets[rows]).sum())


def word_runs(data: NDArray[np.uint8], offsets: NDArray[np.int64], n: int) -> Runs:
    """Return a hash for every run of `n` words of texts in Arrow's layout; a text of fewer words is one run.

    Raises
    ------
    InputError
        `n` below 1.
    """
    if n < 1:
        raise InputError(f"n-grams: expected n of at least 1, got {n}.")
    return Runs(*_runs(data, offsets, n))


def distinct_share(runs: Runs, rows: NDArray[np.int64], limit: int | None = None) -> float:
    """Return different n-grams over n-grams, among the first `limit` of the texts `rows` (in that order).

    1 where no n-gram recurs; NaN without any. Sets compare when all have `limit` n-grams.

    Raises
    ------
    InputError
        A limit below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"n-grams: expected a limit of at least 1, got {limit}.")
    rows = np.asarray(rows, np.int64)
    total = min(runs.count(rows), limit if limit is not None else runs.count(rows))
    if not total:
        return float("nan")
    return int(_distinct(runs.values, runs.offsets, rows, total)) / total


@njit(nogil=True, cache=True)
def _runs(data: NDArray[np.uint8], offsets: NDArray[np.int64], n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    texts = len(offsets) - 1
    longest = 1
    for i in range(texts):
        longest = max(longest, offsets[i + 1] - offsets[i])
    hashes, windows = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    none = np.empty(0, np.int64)
    values = np.empty((offsets[texts] - offsets[0]) // 4 + 64, np.uint64)
    ends = np.zeros(texts + 1, np.int64)
    filled = 0
    for i in range(texts):
        words = word_hashes(data, offsets[i], offsets[i + 1], hashes, none)
        count = window_hashes(hashes, words, n, windows)
        if filled + count > len(values):
            larger = np.empty(max(filled + count, len(values) + (len(values) >> 1)), np.uint64)
            larger[:filled] = values[:filled]
            values = larger
        values[filled : filled + count] = windows[:count]
        filled += count
        ends[i + 1] = filled
    return values[:filled].copy(), ends


@njit(nogil=True, cache=True)
def _distinct(values: NDArray[np.uint64], offsets: NDArray[np.int64], rows: NDArray[np.int64], limit: int) -> int:
    """Count different values among the first `limit` of the given texts, in a table of open addresses."""
    room = 16
    while room < 2 * limit:
        room *= 2
    table = np.zeros(room, np.uint64)
    mask = np.uint64(room - 1)
    seen, found, zero = 0, 0, 0
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            if seen == limit:
                return found + zero
            seen += 1
            value = values[i]
            if value == np.uint64(0):  # what marks a free place
                zero = 1
                continue
            at = mix64(value) & mask
            while table[at] != np.uint64(0) and table[at] != value:
                at = (at + np.uint64(1)) & mask
            if table[at] == np.uint64(0):
                table[at] = value
                found += 1
    return found + zero
