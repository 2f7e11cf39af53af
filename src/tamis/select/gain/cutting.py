"""Lazy greedy choice by a graph cut (`tamis.select.gain.cut`).

What a record added when it was asked about last is a bound on what it would add now, so only a front of records with
the highest bounds is asked (lazy evaluation, Minoux 1978). Ours: those of the front that may be next, before any record
outside of it, are compared with one another at once; from then on each choice among them is a sum, and no product.
Where bounds say little, as with a large penalty, a round goes without them: those that are likely to be chosen are
compared with all records that wait, and are taken as long as they are the best of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.select.budget.filling import Filling
from tamis.select.gain.cut import Cut
from tamis.vectors.products import LANES

__all__ = ["Cutting"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_FRONT: Final = 1024  # records that are asked at a time, at first
_WIDEST: Final = 16_384  # and at most, unless nothing can be chosen otherwise
_COMPARED: Final = 512  # of those, how many are compared with one another
_FEW: Final = 64  # records chosen from a front, below which the next is wider
_LEAST: Final = 8  # and below which the next round goes without bounds
_LIKELY: Final = 64  # records whose likeness to all is computed at a time, at most
_HELD: Final = 1 << 25  # numbers of these


@dataclass(eq=False)
class Cutting:
    """A choice by a graph cut, and where it stands.

    Attributes
    ----------
    cut : Cut
        What each of `n` records would add.
    filling : Filling
        The budget of the pool, of which they are the `rows` (int64 array of shape (n,), ascending).
    price : float64 array of shape (n,)
        What a gain is divided by.
    taken, added : list
        The records that are in, in their order, and what each added.
    """

    cut: Cut
    filling: Filling
    rows: _Ints
    price: _Floats
    taken: list[int] = field(default_factory=list)
    added: list[float] = field(default_factory=list)

    def gains(self) -> _Floats:
        """Return what each record added, or would add now (`n`)."""
        found = self.cut.gains(np.arange(len(self.rows)))
        found[self.taken] = self.added
        return found

    def waiting(self) -> _Ints:
        """Return the records that may still be taken."""
        return np.flatnonzero(self.filling.open[self.rows])

    def offer(self, record: int, gain: float) -> bool:
        """Offer a record and what it adds; say whether it was taken. To `cut` it is yet to be added."""
        taken = self.filling.offer(int(self.rows[record]))
        if taken:
            self.taken.append(record)
            self.added.append(gain)
        return taken

    def begin(self, kept: _Ints) -> None:
        """Take the must-keep records."""
        for at in range(len(kept)):
            one = kept[at : at + 1]
            self.added.append(float(self.cut.gains(one)[0]))
            self.taken += one.tolist()
            self.cut.add(one)

    def lazily(self, some: _Ints | None = None) -> None:
        """Offer the records that add most, ties to the first, until the budget is full; only `some` (ascending)."""
        size, whole, again = _FRONT, 0, 1
        while not self.filling.full:
            waiting = self.waiting() if some is None else some[self.filling.open[self.rows[some]]]
            if not len(waiting):
                break
            before = len(self.taken)
            if whole:
                self._whole(waiting)
                whole -= 1
                continue
            self._front(waiting, size)
            found = len(self.taken) - before
            size = max(size, min(_WIDEST, 2 * size)) if found < _FEW else size
            # Where bounds say little, a few rounds go without them, and more the next time.
            whole, again = (again, 2 * again) if found < _LEAST else (0, 1)

    def _front(self, waiting: _Ints, size: int) -> None:
        """Offer the best of those waiting, as long as they are in a front of `size` whose gains are known."""
        cut, price = self.cut, self.price
        front, out, edge = _best(waiting, cut.most(waiting) / price[waiting], size)
        ripe, left, mark = _best(front, cut.gains(front) / price[front], _COMPARED)
        limit, first = (edge, out) if (edge, -out) > (mark, -left) else (mark, left)  # of those not in the front
        ripe = ripe[cut.known(ripe) / price[ripe] >= limit]
        if not len(ripe):
            return
        rise = cut.rise / float(price[waiting].min())
        near, likeness = cut.near(ripe), cut.among(ripe)
        moved: list[int] = []
        open_ = np.ones(len(ripe), np.bool_)
        while open_.any():
            gain = cut.worth(ripe, near)
            worth = np.where(open_, gain / price[ripe], -np.inf)
            best = int(np.argmax(worth))
            now = limit + len(moved) * rise
            if worth[best] < now or (worth[best] == now and ripe[best] > first):
                break
            if self.offer(int(ripe[best]), float(gain[best])):
                moved.append(int(ripe[best]))
                near += likeness[best]
            open_ = self.filling.open[self.rows[ripe]]
        cut.add(np.asarray(moved, np.int64))
        cut.settle(ripe, near)

    def _whole(self, waiting: _Ints) -> None:
        """Offer the best of those waiting, as long as they are among a few whose likeness to all of them is known."""
        cut, rows, price = self.cut, self.rows[waiting], self.price[waiting]
        near = cut.near(waiting)
        likely = self._foreseen(waiting, near, min(_LIKELY, max(LANES, _HELD // len(waiting))))
        columns = cut.columns(waiting[likely], waiting)
        place = {at: i for i, at in enumerate(likely.tolist())}
        moved = []
        open_ = np.ones(len(waiting), np.bool_)
        while open_.any():
            gain = cut.worth(waiting, near)
            best = int(np.argmax(np.where(open_, gain / price, -np.inf)))
            if best not in place:
                break
            if self.offer(int(waiting[best]), float(gain[best])):
                moved.append(best)
                near += columns[place[best]]
            open_ = self.filling.open[rows]
        cut.add(waiting[moved])
        cut.settle(waiting, near)

    def _foreseen(self, waiting: _Ints, near: _Ints, count: int) -> _Ints:
        """Return which of those waiting would be chosen next, if all others were not there than those worth most."""
        few, _, _ = _best(np.arange(len(waiting)), self.cut.worth(waiting, near) / self.price[waiting], _COMPARED)
        records, near = waiting[few], near[few]
        likeness, open_, found = self.cut.among(records), np.ones(len(few), np.bool_), []
        for _ in range(min(count, len(few))):
            found.append(int(np.argmax(np.where(open_, self.cut.worth(records, near) / self.price[records], -np.inf))))
            open_[found[-1]] = False
            near += likeness[found[-1]]
        return few[found]


def _best(records: _Ints, worth: _Floats, size: int) -> tuple[_Ints, int, float]:
    """Return the `size` records worth most, ties to the first; of the others the first of the best, and its worth."""
    if len(records) <= size:
        return records, -1, -np.inf
    least = np.partition(worth, len(worth) - size)[len(worth) - size]
    inside = worth > least
    equal = np.flatnonzero(worth == least)
    inside[equal[: size - int(inside.sum())]] = True
    others = np.flatnonzero(~inside)
    at = others[np.argmax(worth[others])]
    return records[inside], int(records[at]), float(worth[at])
