"""A column whose value is a list of small numbers a record, such as its hashed n-grams; read where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Lists"]

_Ints = NDArray[np.int64]


class Lists:
    """Lists of `n` records, over parts that may be mapped from disk: only what is asked for is copied.

    Parameters
    ----------
    parts : sequence of (values, offsets)
        List `i` of a part is ``values[offsets[i]:offsets[i + 1]]``; `values` are uint16, `offsets` int64.
    where : int64 array of shape (n,), optional
        Which list each record has, counted over all parts; default all, in their order.
    """

    def __init__(self, parts: Sequence[tuple[NDArray[np.uint16], _Ints]], where: _Ints | None = None) -> None:
        self.parts = list(parts)
        self._starts = np.cumsum([0, *(len(offsets) - 1 for _, offsets in self.parts)])
        self.where = np.arange(self._starts[-1], dtype=np.int64) if where is None else where

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.where)

    def __getitem__(self, rows: _Ints) -> Lists:
        """Return the lists of some records."""
        return Lists(self.parts, self.where[rows])

    def sizes(self) -> _Ints:
        """Return the length of each list."""
        out = np.zeros(len(self.where), np.int64)
        for mine, at, (_, offsets) in self._split():
            out[mine] = offsets[at + 1] - offsets[at]
        return out

    def gathered(self) -> tuple[NDArray[np.uint16], _Ints]:
        """Return all lists one behind another, as (values, offsets)."""
        out = np.concatenate([[0], np.cumsum(self.sizes())]).astype(np.int64)
        values = np.empty(int(out[-1]), np.uint16)
        for mine, at, (found, offsets) in self._split():
            _gather(found, offsets[at], mine, out, values)
        return values, out

    def _split(self) -> Iterator[tuple[_Ints, _Ints, tuple[NDArray[np.uint16], _Ints]]]:
        """Yield for each part which records have a list of it, which list that is, and the part."""
        part = np.searchsorted(self._starts, self.where, side="right") - 1
        for i, lists in enumerate(self.parts):
            mine = np.flatnonzero(part == i)
            if len(mine):
                yield mine, self.where[mine] - self._starts[i], lists


@njit(nogil=True, cache=True)
def _gather(found, starts, rows, out, values):  # type: ignore[no-untyped-def]
    for i in range(len(rows)):
        first, last = out[rows[i]], out[rows[i] + 1]
        for j in range(last - first):
            values[first + j] = found[starts[i] + j]
