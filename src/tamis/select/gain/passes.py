"""Passes down an order of labelled records: each takes the records that add a label to its set.

A pass begins with an empty set of labels and goes down the order; a record is next if it has a label that is not in
the set. A pass need not look at all records: the next one is the first that is open of some label not yet in the set.
So all passes together cost O(labels of records x log names), not O(passes n). #InsTag (2023) has the passes; ours is
the way without a scan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.gain.highest import highest, maxima, put
from tamis.select.given.labels import Labels

__all__ = ["Passes"]

_Ints = NDArray[np.int64]


class _Table(NamedTuple):
    """Who has which tag: the records of each of `m` tags in the order of visits, and the tags of each record.

    `at` (`m`) is where each tag's list stands: what lies before is closed.
    """

    order: _Ints
    place: _Ints
    starts: _Ints
    at: _Ints
    offsets: _Ints
    codes: NDArray[np.int32]


class Passes:
    """Passes down an order, one record at a time.

    `labels` are those of `n` records, `order` (`n`) the records in the order of visits.

    Attributes
    ----------
    steps : int
        Labels of records looked at.
    """

    def __init__(self, labels: Labels, order: _Ints) -> None:
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        visits = np.repeat(place, labels.sizes())
        by_tag = visits[np.lexsort((visits, labels.codes))]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(labels.counts())])
        self._table = _Table(order, by_tag, starts, starts[:-1].copy(), labels.offsets, labels.codes)
        self._covered = np.zeros(len(labels.names), np.bool_)
        self._active = np.arange(len(labels.names))
        self._tree = maxima(np.empty(0))
        self._started = False
        self.steps = 0

    def begin(self, opened: NDArray[np.bool_]) -> bool:
        """Begin a pass; say whether a record with tags is left. What was added before the first is in it."""
        if self._started:
            self._covered[:] = False
        self._started = True
        first, looked = _begin(self._table, self._active, opened)
        self.steps += looked
        left = first > -np.inf
        uncovered = left & ~self._covered[self._active]
        self._active = self._active[left]
        self._tree = maxima(np.where(uncovered, first, -np.inf)[left])
        return bool(left.any())

    def next(self, opened: NDArray[np.bool_]) -> int:
        """Return the next open record that adds a tag to this pass, -1 if none does."""
        row, looked = _next(self._table, self._active, self._covered, opened, self._tree)
        self.steps += looked
        return int(row)

    def add(self, rows: _Ints) -> None:
        """Put the tags of records into the set of this pass."""
        for row in rows.tolist():
            codes = self._table.codes[self._table.offsets[row] : self._table.offsets[row + 1]]
            self._covered[codes] = True
            self.steps += len(codes)


@njit(nogil=True, cache=True)
def _begin(table, active, opened):  # type: ignore[no-untyped-def]
    """Return for each active tag minus the place of its first open record, -inf without any."""
    order, place, starts, at, _, _ = table
    first = np.full(len(active), -np.inf)
    looked = 0
    for j in range(len(active)):
        tag = active[j]
        while at[tag] < starts[tag + 1] and not opened[order[place[at[tag]]]]:
            at[tag] += 1
            looked += 1
        looked += 1
        if at[tag] < starts[tag + 1]:
            first[j] = -place[at[tag]]
    return first, looked


@njit(nogil=True, cache=True)
def _next(table, active, covered, opened, tree):  # type: ignore[no-untyped-def]
    """Return the first open record of a tag that is not covered (-1 without), and how many were looked at."""
    order, place, starts, at, _, _ = table
    looked = 0
    while True:
        j = highest(tree)
        if j < 0:
            return -1, looked
        tag = active[j]
        if covered[tag]:
            put(tree, j, -np.inf)
            continue
        before = at[tag]
        while at[tag] < starts[tag + 1] and not opened[order[place[at[tag]]]]:
            at[tag] += 1
        looked += 1 + at[tag] - before
        if at[tag] == before:
            return order[place[before]], looked
        put(tree, j, -np.float64(place[at[tag]]) if at[tag] < starts[tag + 1] else -np.inf)
