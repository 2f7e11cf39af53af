"""What records would add to a graph cut: their likeness to all, less what likeness to the chosen costs.

    f(S) = sum_{i in V, j in S} s_ij - penalty * sum_{i, j in S} s_ij

`Cut` has the first sum from the start, and no matrix: likeness to the chosen is brought up to date for records that
are asked about, one product for each chosen one since they were asked about last. It is a sum of whole multiples of
1/65,535, so that it is the same however it is added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.vectors.products import LANES, products
from tamis.vectors.similarity import UNIT, Space

__all__ = ["Cut"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_AT_ONCE = 64  # panels of chosen records: scores of a block stay small
_BLOCK = 504  # records that a thread brings up to date at a time


class Cut:
    """What each of a space's records would add, brought up to date when asked.

    Attributes
    ----------
    sums : float64 array of shape (n,)
        The likeness of each to all, in units of 1/65,535.
    rise : float
        The most that a gain may rise with a record that is taken: 0 unless `signed`, where likeness may be negative.
    looked : int
        How many similarities were looked at.
    """

    def __init__(self, space: Space, sums: _Floats, penalty: float, *, signed: bool) -> None:
        self.space, self.sums, self.penalty, self.signed = space, sums, penalty, signed
        self.engine = Local()
        self.rise = 0.0
        if signed:  # by a cosine of -1, and what rounding may add
            self.rise = 2 * penalty * (1 + 1e-9) + 1e-14 * float(np.abs(sums).max(initial=0)) / UNIT
        self.looked = 0
        self._near = np.zeros(len(space), np.int64)  # likeness to the chosen ones that were looked at
        self._seen = np.zeros(len(space), np.int64)  # how many these are
        self._count = 0
        self._panels = np.empty((4, space.tiles.width, LANES), np.float32)  # the chosen ones, for `products`
        self._right = np.empty(4 * LANES, np.float32)  # their squared lengths

    def add(self, chosen: _Ints) -> None:
        """Take records, in this order."""
        count = self._count + len(chosen)
        while count > len(self._right):
            self._panels = np.concatenate([self._panels, np.empty_like(self._panels)])
            self._right = np.concatenate([self._right, np.empty_like(self._right)])
        rows, right = self.space.some(chosen)
        _packed(rows[: len(chosen)], self._count, self._panels)
        self._right[self._count : count] = right
        self._count = count

    def known(self, records: _Ints) -> _Floats:
        """Return what records added when they were asked about last (whole similarities are 1), or nothing was in."""
        return self.worth(records, self._near[records])

    def most(self, records: _Ints) -> _Floats:
        """Return what records would add at most: what they are known to, and what that may have risen since."""
        return self.known(records) + self.rise * (self._count - self._seen[records])

    def worth(self, records: _Ints, near: _Ints) -> _Floats:
        """Return what records would add whose likeness to the chosen is `near`, in units."""
        return np.asarray((self.sums[records] - self.penalty * (2.0 * near + UNIT)) / UNIT)

    def gains(self, records: _Ints) -> _Floats:
        """Return what records would add now."""
        return self.worth(records, self.near(records))

    def near(self, records: _Ints) -> _Ints:
        """Return the likeness of records to those chosen, in units, all added up."""
        behind = self._count - self._seen[records]
        self.looked += int(behind.sum())
        # Those that were looked at as lately go together: they need the same products.
        late = records[np.argsort(behind, kind="stable")][int((behind == 0).sum()) :]
        blocks = [late[at : at + _BLOCK] for at in range(0, len(late), _BLOCK)]
        if int(behind.sum()) < 100_000:  # too little for threads
            for block in blocks:
                self._forward(block)
        else:
            for _ in self.engine.map(self._forward, blocks):
                pass
        return self._near[records]

    def among(self, records: _Ints) -> NDArray[Any]:
        """Return the likeness of records to one another, in units (`r x r`)."""
        return self._alike(records, *self.space.packed(records))

    def columns(self, records: _Ints, others: _Ints) -> NDArray[Any]:
        """Return the likeness of each of a few records to others, in units (`r x o`)."""
        packed, right = self.space.packed(records)
        out = np.empty((len(records), len(others)), np.int32 if self.signed else np.uint16)

        def one(start: int) -> None:
            part = slice(start, start + _BLOCK)
            out[:, part] = self._alike(others[part], packed, right).T

        for _ in self.engine.map(one, range(0, len(others), _BLOCK)):
            pass
        return out

    def settle(self, records: _Ints, near: _Ints) -> None:
        """Note that records are as like to all that were chosen as `near` says, in units."""
        self.looked += int((self._count - self._seen[records]).sum())
        self._near[records] = near
        self._seen[records] = self._count

    def value(self, chosen: _Ints) -> float:
        """Return the objective of a set."""
        other = Cut(self.space, self.sums, self.penalty, signed=self.signed)
        other.add(chosen)
        among = float(other.near(chosen).sum())
        return (float(np.sum(self.sums[chosen])) - self.penalty * among) / UNIT

    def _forward(self, block: _Ints) -> None:
        """Add the likeness of some records to what was chosen since they were looked at."""
        seen = self._seen[block]
        first, last = int(seen.min()) // LANES, -(-self._count // LANES)
        rows, left = self.space.some(block)
        for at in range(first, last, _AT_ONCE):
            panels = self._panels[at : min(last, at + _AT_ONCE)]
            start, stop = at * LANES, min(self._count, (at + len(panels)) * LANES)
            scores = np.empty((len(rows), len(panels) * LANES), np.float32)
            products(rows, panels, scores)
            _add(self._units(scores, left, self._right[start:stop]), seen - start, block, self._near)
        self._seen[block] = self._count

    def _alike(self, records: _Ints, packed: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[Any]:
        rows, left = self.space.some(records)
        scores = np.empty((len(rows), len(packed) * LANES), np.float32)
        products(rows, packed, scores)
        return self._units(scores, left, right)

    def _units(
        self, scores: NDArray[np.float32], left: NDArray[np.float32], right: NDArray[np.float32]
    ) -> NDArray[Any]:
        """Return products of rows as similarities, in units."""
        if self.signed:
            whole = np.empty((len(left), len(right)), np.int32)
            _signed(scores, whole)
            return whole
        found = np.empty((len(left), len(right)), np.uint16)
        self.space.write(scores, left, right, found)
        return found


@njit(nogil=True, cache=True)
def _packed(rows, start, panels):  # type: ignore[no-untyped-def]
    """Write rows behind the `start` that panels hold; what is behind them in their last panel is 0."""
    for i in range(len(rows)):
        panel, lane = (start + i) // LANES, (start + i) % LANES
        if lane == 0:
            panels[panel] = 0.0
        for k in range(rows.shape[1]):
            panels[panel, k, lane] = rows[i, k]


@njit(nogil=True, cache=True)
def _add(found, first, rows, near):  # type: ignore[no-untyped-def]
    """Add to `near` each row's similarities from its `first` on."""
    for i in range(len(rows)):
        total = np.int64(0)
        for j in range(max(first[i], np.int64(0)), found.shape[1]):
            total += np.int64(found[i, j])
        near[rows[i]] += total


@njit(nogil=True, cache=True)
def _signed(scores, out):  # type: ignore[no-untyped-def]
    """Write cosines as whole multiples of 1 / UNIT."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.int32(np.floor(scores[i, j] * np.float32(UNIT) + np.float32(0.5)))
