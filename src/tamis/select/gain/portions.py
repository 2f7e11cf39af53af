"""Choice by concave sums (`gain.concave`) where features are read when they are needed: of all, in parts, of samples.

In parts, each proposes, and the choice is made among the proposals by the same objective, which needs no other record
(after GreeDi, Mirzasoleiman et al. 2013). Of samples: each step looks at a few (Mirzasoleiman et al. 2015).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.gain.amounts import Source
from tamis.select.gain.concave import Concave, Sums, grow

__all__ = ["Portions", "drawn"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_PROPOSED = 4  # proposals of all parts, in multiples of the budget


class Portions:
    """Where choosing stands: the features there are, the budget, the scores.

    Attributes
    ----------
    sums : Sums
        What the chosen have, must-keep records among them.
    score : float64 array of shape (n,)
        What each record added, or would when it was looked at last; NaN where none was.
    computed : int
        Gains computed.
    """

    def __init__(self, source: Source, phi: str, filling: Filling, price: _Floats) -> None:
        self.source, self.filling, self.price = source, filling, price
        self.sums = Sums.of(source.weights, phi)
        self.score = np.full(len(source.sizes), np.nan)
        self.computed = 0
        kept = filling.kept[source.sizes[filling.kept] > 0]
        state = Concave(source.read(kept), self.sums)
        for at, row in enumerate(kept.tolist()):
            self.score[row] = state.gains(np.array([at]))[0]
            state.add(at)

    def in_parts(self, rows: _Ints, keys: NDArray[np.uint64], count: int, seed: int) -> dict[str, Any]:
        """Choose among some records, named by `keys`: among all, or dealt into parts among what those propose.

        Where proposals would be too many, the parts give in turn.
        """
        if count == 1:
            self._choose(rows)
            return {"algorithm": "lazy", "parts": 1}
        dealt = rows[np.argsort(uniforms(keys, salt(seed, "features")), kind="stable")]
        parts = [np.sort(part) for part in np.array_split(dealt, count)]
        wanted, total = max(1, self.filling.rows), sum(len(part) for part in parts)
        each = math.ceil(_PROPOSED * wanted / len(parts))
        taken = np.empty(0, np.int64)
        told: dict[str, Any] = {"algorithm": "parts", "parts": count}
        if each * len(parts) <= max(len(part) for part in parts) and each * len(parts) < total:
            candidates = np.sort(np.concatenate([self._proposed(part, each) for part in parts]))
            taken = self._choose(candidates)
            told["proposals"] = len(candidates)
        for number, part in enumerate(parts):
            if self.filling.full:
                break
            rest = np.setdiff1d(part, taken)
            share = math.ceil(self.filling.rows / (len(parts) - number))
            given = self._choose(rest, share if number + 1 < len(parts) else None)
            told["in_turn"] = told.get("in_turn", 0) + len(given)
        return told

    def _choose(self, rows: _Ints, most: int | None = None) -> _Ints:
        """Choose among some records, up to `most`, and return what was taken."""
        return self._grown(rows, self.sums, self.filling, rows, most)

    def _proposed(self, part: _Ints, each: int) -> _Ints:
        """Return what one part would choose."""
        own = Constraints(Budget("rows", each), drop=~self.filling.open[part]).open(len(part))
        return self._grown(part, self.sums.copy(), own, np.arange(len(part)))

    def _grown(self, rows: _Ints, sums: Sums, filling: Filling, offered: _Ints, most: int | None = None) -> _Ints:
        state = Concave(self.source.read(rows), sums)
        taken, score = grow(state, filling, offered, self.price[rows], most=most)
        self.computed += state.computed
        new = ~np.isin(rows, self.filling.kept)
        self.score[rows[new]] = score[new]
        return rows[taken]

    def sampled(self, rows: _Ints, eps: float, seed: int) -> dict[str, Any]:
        """Take the best of log(1 / eps) n / k of `rows` at each step, drawn by the seed."""
        size = max(1, math.ceil(len(rows) / max(1, self.filling.rows) * math.log(1 / eps)))
        waiting = rows[self.filling.open[rows]]
        draws, step = np.stack([np.zeros(size, np.uint64), np.arange(size, dtype=np.uint64)], axis=1), 0
        while not self.filling.full and len(waiting):
            few = waiting[: drawn(waiting, uniforms(draws, salt(seed, f"features: step {step}")))]
            few.sort()  # of equal ones the first
            state = Concave(self.source.read(few), self.sums)
            gains = state.gains(np.arange(len(few)))
            self.computed += len(few)
            self.score[few] = gains
            best, there = int(np.argmax(gains / self.price[few])), np.count_nonzero(self.filling.open)
            if self.filling.offer(int(few[best])):
                state.add(best)
            few[best] = waiting[-1]
            waiting = waiting[:-1]
            if np.count_nonzero(self.filling.open) < there - 1:  # others were closed with it
                waiting = waiting[self.filling.open[waiting]]
            step += 1
        return {"algorithm": "stochastic", "candidates_a_step": size}


@njit(nogil=True, cache=True)
def drawn(waiting, number):  # type: ignore[no-untyped-def]
    """Move a sample of those waiting to the front, by numbers from 0 to 1, and return how many they are."""
    size = min(len(number), len(waiting))
    for i in range(size):
        j = min(i + int(number[i] * (len(waiting) - i)), len(waiting) - 1)
        waiting[i], waiting[j] = waiting[j], waiting[i]
    return size
