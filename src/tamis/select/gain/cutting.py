"""Three ways to choose greedily by a graph cut (`tamis.select.gain.cut`): lazily, among samples, in parts.

Lazily (Minoux 1978): what a record added when it was asked about last is a bound on what it would add now, so only a
front of records with the highest bounds is asked. Ours: those of the front that may be next, before any record outside
of it, are compared with one another at once; from then on each choice among them is a sum, and no product.

Stochastic (Mirzasoleiman et al. 2015): the best of a sample of the records at each step. In parts (after GreeDi,
Mirzasoleiman et al. 2013, and its random form, Barbosa et al. 2015): records are dealt into parts at random, each part
proposes by the likeness within it, and the choice is made among the proposals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.gain.cut import Cut
from tamis.select.gain.likeness import Likeness
from tamis.vectors.products import LANES
from tamis.vectors.similarity import UNIT

__all__ = ["Cutting", "deal"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_FRONT: Final = 1024  # records that are asked at a time, at first
_WIDEST: Final = 16_384  # and at most, unless nothing can be chosen otherwise
_COMPARED: Final = 512  # of those, how many are compared with one another
_PROPOSED: Final = 4  # proposals of all parts, in multiples of the budget
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
            waiting = self._waiting() if some is None else some[self.filling.open[self.rows[some]]]
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

    def _waiting(self) -> _Ints:
        return np.flatnonzero(self.filling.open[self.rows])

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
            if self._offer(int(ripe[best]), float(gain[best])):
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
            if self._offer(int(waiting[best]), float(gain[best])):
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

    def _offer(self, record: int, gain: float) -> bool:
        taken = self.filling.offer(int(self.rows[record]))
        if taken:
            self.taken.append(record)
            self.added.append(gain)
        return taken

    def sampled(self, keys: NDArray[np.uint64], eps: float, seed: int) -> dict[str, Any]:
        """Offer the best of a counted sample, `log(1 / eps) n / k`, at each step; `keys` (`n x 2`) name the records."""
        size, step = max(1, math.ceil(len(self.rows) / max(1, self.filling.rows) * math.log(1 / eps))), 0
        while not self.filling.full:
            few = self._waiting()
            if not len(few):
                break
            if len(few) > size:
                number = uniforms(keys[few], salt(seed, f"graphcut {step}"))
                few = np.sort(few[np.argpartition(number, size - 1)[:size]])
            gain = self.cut.gains(few)
            best = int(np.argmax(gain / self.price[few]))
            if self._offer(int(few[best]), float(gain[best])):
                self.cut.add(few[best : best + 1])
            step += 1
        return {"candidates_a_step": size}

    def in_parts(self, parts: Sequence[_Ints], likeness: Likeness) -> dict[str, Any]:
        """Offer what adds most of what the parts propose, and then, if there is room, of all.

        The sums of `cut` are estimates (`Likeness.in_parts`), and become what they are for those proposed.
        """
        cut, each = self.cut, math.ceil(_PROPOSED * max(1, self.filling.rows) / len(parts))
        worth = cut.gains(np.arange(len(self.rows)))  # must-keep ones are in
        proposed = []
        for part in parts:
            # A part is a small copy of the pool: of its records and of those chosen it has one share.
            sums = UNIT * (worth[part] + cut.penalty) / len(parts)
            own = Cut(cut.space.part(part), sums, cut.penalty, signed=cut.signed)
            room = Constraints(Budget("rows", each), drop=~self.filling.open[self.rows[part]]).open(len(part))
            inside = Cutting(own, room, np.arange(len(part)), self.price[part])
            inside.lazily()
            proposed.append(part[inside.taken])
            cut.looked += own.looked
        candidates = np.sort(np.concatenate(proposed))
        self._judge(candidates, likeness)
        self.lazily(candidates)
        told = {"parts": len(parts), "proposals": len(candidates)}
        if not self.filling.full:  # quotas or short records took more than was proposed
            before = len(self.taken)
            self.lazily()
            self._judge(np.asarray(self.taken[before:], np.int64), likeness)
            told["in_turn"] = len(self.taken) - before
        return told

    def _judge(self, records: _Ints, likeness: Likeness) -> None:
        if not likeness.linear:
            self.cut.sums[records] = likeness.of_some(records)


def deal(keys: NDArray[np.uint64], count: int, seed: int) -> list[_Ints]:
    """Return the records in `count` parts, at random by `seed`, each ascending; `keys` (`n x 2`) name them."""
    dealt = np.argsort(uniforms(keys, salt(seed, "graphcut: parts")), kind="stable")
    return [np.sort(part) for part in np.array_split(dealt, min(count, len(keys)))]


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
