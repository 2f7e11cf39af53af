"""Greedy choice by a graph cut (`tamis.select.gain.cutting`) that is not lazy alone: among samples, and in parts.

Sampled: the best of a sample of the records at each step (stochastic greedy, Mirzasoleiman et al. 2015). In parts:
records are dealt into parts at random, each part proposes by the likeness within it, and the choice is made among the
proposals (after GreeDi, Mirzasoleiman et al. 2013, and its random form, Barbosa et al. 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain.cut import Cut
from tamis.select.gain.cutting import Cutting
from tamis.select.gain.likeness import Likeness
from tamis.vectors.similarity import UNIT

__all__ = ["deal", "in_parts", "sampled"]

_Ints = NDArray[np.int64]
_PROPOSED: Final = 4  # proposals of all parts, in multiples of the budget


def sampled(work: Cutting, keys: NDArray[np.uint64], eps: float, seed: int) -> dict[str, Any]:
    """Offer the best of a counted sample, `log(1 / eps) n / k`, at each step; `keys` (`n x 2`) name the records.

    Returns what there is to tell about it.
    """
    size, step = max(1, math.ceil(len(work.rows) / max(1, work.filling.rows) * math.log(1 / eps))), 0
    while not work.filling.full:
        few = work.waiting()
        if not len(few):
            break
        if len(few) > size:
            number = uniforms(keys[few], salt(seed, f"graphcut {step}"))
            few = np.sort(few[np.argpartition(number, size - 1)[:size]])
        gain = work.cut.gains(few)
        best = int(np.argmax(gain / work.price[few]))
        if work.offer(int(few[best]), float(gain[best])):
            work.cut.add(few[best : best + 1])
        step += 1
    return {"candidates_a_step": size}


def deal(keys: NDArray[np.uint64], count: int, seed: int) -> list[_Ints]:
    """Return the records in `count` parts, at random by `seed`, each ascending; `keys` (`n x 2`) name them."""
    dealt = np.argsort(uniforms(keys, salt(seed, "graphcut: parts")), kind="stable")
    return [np.sort(part) for part in np.array_split(dealt, min(count, len(keys)))]


def in_parts(work: Cutting, parts: Sequence[_Ints], likeness: Likeness) -> dict[str, Any]:
    """Offer what adds most of what the parts propose, and then, if there is room, of all.

    The sums of the cut are estimates (`Likeness.in_parts`), and become what they are for those proposed. Returns what
    there is to tell about it.
    """
    cut, each = work.cut, math.ceil(_PROPOSED * max(1, work.filling.rows) / len(parts))
    worth = cut.gains(np.arange(len(work.rows)))  # must-keep ones are in
    proposed = []
    for part in parts:
        # A part is a small copy of the pool: of its records and of those chosen it has one share.
        sums = UNIT * (worth[part] + cut.penalty) / len(parts)
        own = Cut(cut.space.part(part), sums, cut.penalty, signed=cut.signed)
        room = Constraints(Budget("rows", each), drop=~work.filling.open[work.rows[part]]).open(len(part))
        inside = Cutting(own, room, np.arange(len(part)), work.price[part])
        inside.lazily()
        proposed.append(part[inside.taken])
        cut.looked += own.looked
    candidates = np.sort(np.concatenate(proposed))
    _judge(cut, candidates, likeness)
    work.lazily(candidates)
    told = {"parts": len(parts), "proposals": len(candidates)}
    if not work.filling.full:  # quotas or short records took more than was proposed
        before = len(work.taken)
        work.lazily()
        _judge(cut, np.asarray(work.taken[before:], np.int64), likeness)
        told["not_proposed"] = len(work.taken) - before
    return told


def _judge(cut: Cut, records: _Ints, likeness: Likeness) -> None:
    if not likeness.linear:
        cut.sums[records] = likeness.of_some(records)
