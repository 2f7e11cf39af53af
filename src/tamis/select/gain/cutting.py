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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.gain.cut import Cut
from tamis.select.gain.likeness import Likeness
from tamis.vectors.similarity import UNIT

__all__ = ["deal", "in_parts", "lazily", "sampled"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_FRONT: Final = 1024  # records that are asked at a time, at first
_WIDEST: Final = 16_384  # and at most, unless nothing can be chosen otherwise
_COMPARED: Final = 512  # of those, how many are compared with one another
_PROPOSED: Final = 4  # proposals of all parts, in multiples of the budget
_FEW: Final = 64  # records chosen from a front, below which the next is wider


def lazily(cut: Cut, filling: Filling, rows: _Ints, price: _Floats, some: _Ints | None = None) -> tuple[_Ints, _Floats]:
    """Offer the records that add most, over their price, ties to the first, until the budget is full.

    The records of `cut`, in which must-keep ones are already, are the `rows` of the pool and have a `price` each; with
    `some` (ascending) only these are offered. Returns those that were taken, and what each added.
    """
    taken: list[int] = []
    added: list[float] = []
    size = _FRONT
    while not filling.full:
        waiting = np.flatnonzero(filling.open[rows]) if some is None else some[filling.open[rows[some]]]
        if not len(waiting):
            break
        before = len(taken)
        _front(cut, filling, rows, price, waiting, size, taken, added)
        if len(taken) == before:
            size *= 2
        elif len(taken) - before < _FEW:
            size = min(max(size, _WIDEST), 2 * size)
    return np.asarray(taken, np.int64), np.asarray(added, np.float64)


def _front(
    cut: Cut,
    filling: Filling,
    rows: _Ints,
    price: _Floats,
    waiting: _Ints,
    size: int,
    taken: list[int],
    added: list[float],
) -> None:
    """Offer the best of those waiting, as long as they are in a front of `size` whose gains are known."""
    front, out, edge = _best(waiting, cut.most(waiting) / price[waiting], size)
    ripe, left, mark = _best(front, cut.gains(front) / price[front], _COMPARED)
    limit, first = (edge, out) if (edge, -out) > (mark, -left) else (mark, left)  # of those not in the front
    worth = cut.known(ripe) / price[ripe]
    ripe = ripe[worth >= limit]
    if not len(ripe):
        return
    cheapest = float(price[waiting].min()) if cut.rise else 1.0
    near, likeness = cut.near(ripe), cut.among(ripe)
    moved: list[int] = []
    open_ = np.ones(len(ripe), np.bool_)
    while open_.any():
        gain = cut.worth(ripe, near)
        worth = np.where(open_, gain / price[ripe], -np.inf)
        best = int(np.argmax(worth))
        now = limit + len(moved) * cut.rise / cheapest
        if worth[best] < now or (worth[best] == now and ripe[best] > first):
            break
        if filling.offer(int(rows[ripe[best]])):
            moved.append(int(ripe[best]))
            added.append(float(gain[best]))
            near += likeness[best]
        open_ = filling.open[rows[ripe]]
    taken += moved
    cut.add(np.asarray(moved, np.int64))
    cut.settle(ripe, near)


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


def sampled(
    cut: Cut, filling: Filling, rows: _Ints, price: _Floats, keys: NDArray[np.uint64], eps: float, seed: int
) -> tuple[_Ints, _Floats, int]:
    """Offer the best of a counted sample at each step; return also how many a sample has.

    As `lazily`; `keys` (`n x 2`) name the records, `log(1 / eps) n / k` make a sample.
    """
    size, step = max(1, math.ceil(len(rows) / max(1, filling.rows) * math.log(1 / eps))), 0
    taken: list[int] = []
    added: list[float] = []
    while not filling.full:
        waiting = np.flatnonzero(filling.open[rows])
        if not len(waiting):
            break
        few = waiting
        if len(waiting) > size:
            number = uniforms(keys[waiting], salt(seed, f"graphcut {step}"))
            few = np.sort(waiting[np.argpartition(number, size - 1)[:size]])
        gain = cut.gains(few)
        best = int(np.argmax(gain / price[few]))
        if filling.offer(int(rows[few[best]])):
            taken.append(int(few[best]))
            added.append(float(gain[best]))
            cut.add(few[best : best + 1])
        step += 1
    return np.asarray(taken, np.int64), np.asarray(added, np.float64), size


def deal(keys: NDArray[np.uint64], count: int, seed: int) -> list[_Ints]:
    """Return the records in `count` parts, at random by `seed`, each ascending; `keys` (`n x 2`) name them."""
    dealt = np.argsort(uniforms(keys, salt(seed, "graphcut: parts")), kind="stable")
    return [np.sort(part) for part in np.array_split(dealt, count)]


def in_parts(
    cut: Cut, filling: Filling, rows: _Ints, price: _Floats, parts: Sequence[_Ints], likeness: Likeness
) -> tuple[_Ints, _Floats, int]:
    """Offer what adds most of what the parts propose, and then of all; return also how many were proposed.

    As `lazily`; the sums of `cut` are estimates (`Likeness.in_parts`), and become what they are for those proposed.
    """
    each = math.ceil(_PROPOSED * max(1, filling.rows) / len(parts))
    shares = cut.gains(np.arange(len(rows)))  # what each would add, must-keep ones are in
    proposed = []
    for part in parts:
        # A part is a small copy of the pool: of its records and of those chosen it has one share.
        sums = (UNIT * shares[part] + cut.penalty * UNIT) / len(parts)
        own = Cut(cut.space.part(part), sums, cut.penalty, signed=cut.signed)
        room = Constraints(Budget("rows", each), drop=~filling.open[rows[part]]).open(len(part))
        proposed.append(part[lazily(own, room, np.arange(len(part)), price[part])[0]])
        cut.looked += own.looked
    candidates = np.sort(np.concatenate(proposed))
    if not likeness.linear:
        cut.sums[candidates] = likeness.of_some(candidates)
    taken, added = lazily(cut, filling, rows, price, candidates)
    if not filling.full:  # quotas or short records took more than was proposed
        more, gains = lazily(cut, filling, rows, price)
        if not likeness.linear:
            cut.sums[more] = likeness.of_some(more)
        taken, added = np.concatenate([taken, more]), np.concatenate([added, gains])
    return taken, added, len(candidates)
