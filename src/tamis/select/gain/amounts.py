"""Features of records, for choice by concave sums (`gain.concave`): all numbers of vectors, or counts of few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.given.lists import Lists
from tamis.vectors.tiles import subset, zero_rows

__all__ = ["Amounts", "Source", "counts", "numbers"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_NONE = np.zeros(0, np.int64)
_AT_ONCE = 4096  # records whose features are read at a time, to see how many have each


class Amounts(NamedTuple):
    """How much of each feature `m` records have; either `x`, or the others.

    Attributes
    ----------
    x : array of shape (m, d)
        Numbers of vectors: float32, or the bits of float16.
    at, amount : uint16 and float32 arrays
        Features of all records, each once a record, those of amount 1 first; and how much of each.
    offsets : int64 array of shape (m + 1,)
        Record `i` has those from ``offsets[i]`` to ``offsets[i + 1]``.
    more : int64 array of shape (m,)
        Where its amounts other than 1 begin.
    """

    x: NDArray[Any]
    at: NDArray[np.uint16]
    amount: NDArray[np.float32]
    offsets: _Ints
    more: _Ints


@dataclass(frozen=True, eq=False)
class Source:
    """Where the features of `n` records come from.

    Attributes
    ----------
    read : callable
        Returns the `Amounts` of some records (int64 array, ascending).
    sizes : int64 array of shape (n,)
        The most features each may have; 0 for a record without any.
    weights : float64 array of shape (1 or 2, d)
        What each feature counts: one row for counts, two for numbers, by their sign.
    each : int
        Bytes of a feature of a record, while they are there.
    """

    read: Callable[[_Ints], Amounts]
    sizes: _Ints
    weights: _Floats
    each: int

    @staticmethod
    def of_lists(lists: Lists, buckets: int, *, rare: bool = False) -> Source:
        """Return the counts of buckets in lists; with `rare`, one counts log(n / records that have it).

        `n` are the records that have any. Reading raises InputError for a number that is no bucket.
        """
        found = Source(lambda rows: counts(*lists[rows].gathered(), buckets), lists.sizes(), np.ones((1, buckets)), 8)
        if not rare:
            return found
        rows, have = np.flatnonzero(found.sizes > 0), np.zeros(buckets, np.int64)
        for start in range(0, len(rows), _AT_ONCE):
            have += np.bincount(found.read(rows[start : start + _AT_ONCE]).at, minlength=buckets)
        weights = np.where(have > 0, np.log(max(1, len(rows)) / np.maximum(have, 1)), 0.0)
        return replace(found, weights=weights[None])

    @staticmethod
    def of_vectors(x: NDArray[Any], weights: Any = None) -> Source:
        """Return the numbers of vectors (`n x d`), which count `weights` (`d`, default 1), whatever their sign.

        Raises InputError for a vector that is not finite, or not one finite weight of at least 0 a column.
        """
        d = x.shape[1]
        given = np.ones(d) if weights is None else np.asarray(weights, np.float64)
        if given.shape != (d,) or not (np.isfinite(given) & (given >= 0)).all():
            raise InputError(f"weights: expected {d} finite numbers of at least 0, one a column, got {weights!r:.60}.")
        sizes, each = np.where(zero_rows(x), 0, d), min(4, x.itemsize)
        return Source(lambda rows: numbers(subset(x, rows)), sizes, np.tile(given, (2, 1)), each)


def numbers(x: NDArray[Any]) -> Amounts:
    """Return the features of vectors (`m x d`): float16 as it lies, all others as float32."""
    x = np.ascontiguousarray(x, None if x.dtype == np.float16 else np.float32)
    x = x.view(np.uint16) if x.dtype == np.float16 else x
    return Amounts(x, np.zeros(0, np.uint16), np.zeros(0, np.float32), _NONE, _NONE)


def counts(values: NDArray[np.uint16], offsets: _Ints, buckets: int) -> Amounts:
    """Return the buckets of lists, each once, and how often they occur.

    Raises InputError for a value that is no bucket.
    """
    if len(values) and int(values.max()) >= buckets:
        raise InputError(f"ngrams: expected buckets below {buckets:,}, got {int(values.max()):,}.")
    return Amounts(np.zeros((0, 0), np.float32), *_count(values, offsets, buckets))


@njit(nogil=True, cache=True)
def _count(values, offsets, buckets):  # type: ignore[no-untyped-def]
    at, amount = np.empty(len(values), np.uint16), np.empty(len(values), np.float32)
    starts, more = np.empty(len(offsets), np.int64), np.empty(len(offsets) - 1, np.int64)
    found = np.zeros(buckets, np.int64)
    filled = 0
    for i in range(len(offsets) - 1):
        starts[i] = filled
        for j in range(offsets[i], offsets[i + 1]):
            found[values[j]] += 1
        for single in (True, False):
            if not single:
                more[i] = filled
            for j in range(offsets[i], offsets[i + 1]):
                u = values[j]
                if found[u] and (found[u] == 1) == single:
                    at[filled], amount[filled] = u, np.float32(found[u])
                    filled += 1
                    if not single:
                        found[u] = 0
        for j in range(starts[i], more[i]):
            found[at[j]] = 0
    starts[len(offsets) - 1] = filled
    return at[:filled].copy(), amount[:filled].copy(), starts, more
