"""Ways to a greedy choice by similarities, for pools of any size: the whole matrix, its rows anew, parts, a sample.

They are those of facility location, and of objectives that keep count of records otherwise (`Work` says what those
replace). In parts: the pool is dealt at random into parts whose matrices fit, each part proposes, and the choice is
made among the proposals by a sample of the pool (after GreeDi, Mirzasoleiman et al. 2013, and its random form, Barbosa
et al. 2015). Ours: for a budget so large that proposals cannot be judged together, each part gives its share, knowing
what was given before. With sampled candidates: the best of a counted sample at each step (Mirzasoleiman et al. 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.hashing import salt, uniforms
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.gain.anew import Anew
from tamis.select.gain.represent import Represented, State
from tamis.select.gain.submodular import take
from tamis.vectors.similarity import UNIT, Space, closest, rectangle, square

__all__ = ["PROPOSED", "Window", "Work", "share"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
PROPOSED: Final = 4
"""Proposals of all parts, in multiples of the budget."""

_GROUND = 10  # records of the sample that judges the proposals, for each one chosen


@dataclass(frozen=True, eq=False)
class Window:
    """What of each row's similarity to the set counts: from `low` to `high`, float64 arrays of shape (m,), 0 to 1."""

    low: _Floats
    high: _Floats

    def units(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Return both as whole multiples of 1/65,535."""
        low, high = (np.rint(UNIT * edge).astype(np.uint16) for edge in (self.low, self.high))
        return low, high

    def inside(self, best: _Floats) -> _Floats:
        """Return what of similarities counts."""
        return np.maximum(np.minimum(best, self.high) - self.low, 0.0)


class Work:
    """The records with a vector (`m` of the pool's), and where choosing among them stands.

    What is kept count of is each record's `standing`: here its similarity to the set, in a window. Another objective
    replaces `standing`, `held` and `moved`, and where parts see less than the whole, `proposing` and `in_turn`.

    Attributes
    ----------
    score : float64 array of shape (n,)
        Of the pool's records: what each added, or would add.
    price : float64 array of shape (m,)
        What gains are divided by.
    purpose : str
        Names what is random.
    looked : int
        Similarities that were looked at.
    """

    def __init__(
        self,
        space: Space,
        rows: _Ints,
        keys: NDArray[np.uint64],
        filling: Filling,
        score: _Floats,
        window: Window | None = None,
        *,
        price: _Floats | None = None,
        purpose: str = "facility",
    ) -> None:
        """Take the records' vectors, where they are in the pool, their keys (`m x 2`), the budget and the scores."""
        self.low: NDArray[np.uint16] | None = None
        self.high: NDArray[np.uint16] | None = None
        if window is not None:
            self.low, self.high = window.units()
        self.space, self.rows, self.keys, self.filling, self.score = space, rows, keys, filling, score
        self.price = np.ones(len(rows)) if price is None else price
        self.purpose = purpose
        self.engine = Local()
        self.kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        self.looked = 0

    def standing(self, rows: _Ints | None = None, chosen: _Ints | None = None) -> NDArray[Any]:
        """Return where rows (None: all) stand with the must-keep records in, or those `chosen`."""
        best = closest(self.space, rows, self.kept if chosen is None else chosen, self.engine)
        if self.low is None or self.high is None:
            return best
        every = slice(None) if rows is None else rows
        return np.asarray(np.maximum(np.minimum(best, self.high[every]), self.low[every]))

    def held(
        self,
        matrix: NDArray[np.uint16],
        standing: NDArray[Any],
        rows: _Ints | None = None,
        *,
        symmetric: bool = False,  # noqa: ARG002
    ) -> State:
        """Return the state of a choice by the similarities of rows (None: all) to candidates, which may be changed.

        `symmetric`: the candidates are those rows.
        """
        if self.high is not None:
            np.minimum(matrix, self.high[slice(None) if rows is None else rows, None], out=matrix)
        return Represented(matrix, standing, self.engine.threads)

    def moved(self, standing: NDArray[Any], column: NDArray[np.uint16]) -> None:
        """Change where all rows stand by a record that was taken, of these similarities to them."""
        if self.high is not None:
            column = np.minimum(column, self.high)
        np.maximum(standing, column, out=standing)

    def proposing(self, part: _Ints, matrix: NDArray[np.uint16]) -> NDArray[Any]:  # noqa: ARG002
        """Return where the rows of a part stand when it proposes, of the similarities among them."""
        return self.standing(part)

    def in_turn(self, part: _Ints, chosen: _Ints, first: int, reached: float) -> NDArray[Any]:  # noqa: ARG002
        """Return where the rows of a part stand when it gives its share.

        All but the `first` of those `chosen` were given in turn; with its share in, `reached` of all shares are.
        """
        return self.standing(part, chosen)

    def whole(self) -> dict[str, Any]:
        """Choose with the similarities of all to all."""
        with self.held(square(self.space, self.engine), self.standing(), symmetric=True) as state:
            return self._exactly(state)

    def anew(self) -> dict[str, Any]:
        """Choose as `whole` does, but compute similarities whenever they are needed."""
        with Anew(self.space, self.standing(), self.engine, most=self.high) as state:
            return self._exactly(state)

    def _exactly(self, state: State) -> dict[str, Any]:
        taken, _ = take(state, self.filling, self.rows, self.price, self.score)
        self.looked += state.updates
        return {} if (self.filling.cost != 1).any() else {"share_of_bound": share(state, len(taken), self.least())}

    def least(self) -> int:
        """Return what states begin with that does not count."""
        return 0 if self.low is None else int(self.low.sum(dtype=np.int64))

    def in_parts(self, memory: int, seed: int) -> dict[str, Any]:
        """Deal the records into parts whose matrices fit, and choose among what the parts propose.

        Where so many proposals cannot be judged, the parts give their shares in turn.
        """
        m, wanted = len(self.rows), max(1, self.filling.rows)
        count = math.ceil(m / max(1, math.isqrt(memory // 2)))
        dealt = np.argsort(uniforms(self.keys, salt(seed, self.purpose)), kind="stable")
        parts = [np.sort(part) for part in np.array_split(dealt, count)]
        each = math.ceil(PROPOSED * wanted / count)
        ground = min(m, memory // (2 * each * count))
        if ground < min(m, _GROUND * wanted):
            return {"parts": count, "in_turn": self._by_turns(parts, self.kept)}
        proposed = [self._proposed(part, each, count) for part in parts]
        candidates = np.sort(np.concatenate(proposed))
        sample = None if ground == m else np.sort(dealt[:: max(1, m // ground)][:ground])
        found = rectangle(self.space, sample, candidates, self.engine)
        with self.held(found, self.standing(sample), sample) as state:
            many = np.full(len(candidates), np.nan)
            taken, _ = take(state, self.filling, self.rows[candidates], self.price[candidates], many, every=False)
            self.score[self.rows[candidates]] = many * (m / len(found))
            self.looked += state.updates
        told = {"parts": count, "proposals": len(candidates), "judged_on": len(found)}
        if not self.filling.full:  # quotas or short records took more than was proposed
            told["in_turn"] = self._by_turns(parts, np.concatenate([self.kept, candidates[taken]]))
        return told

    def _proposed(self, part: _Ints, each: int, count: int) -> _Ints:
        """Return what one part would choose; scores are scaled up to the pool."""
        own = Constraints(Budget("rows", each), drop=~self.filling.open[self.rows[part]]).open(len(part))
        score = np.empty(len(part))
        matrix = square(self.space.part(part), self.engine)
        with self.held(matrix, self.proposing(part, matrix), part, symmetric=True) as state:
            taken, _ = take(state, own, np.arange(len(part)), self.price[part], score)
            self.looked += state.updates
        self.score[self.rows[part]] = score * count
        return part[taken]

    def _by_turns(self, parts: list[_Ints], chosen: _Ints) -> int:
        """Let each part give its share, knowing what those before it gave; return how many were given."""
        first = len(chosen)
        for number, part in enumerate(parts, 1):
            standing = self.in_turn(part, chosen, first, number / len(parts))
            most = None if number == len(parts) else math.ceil(self.filling.rows / (len(parts) - number + 1))
            given, score = self._given(part, standing, most)
            out = ~np.isin(part, chosen)  # what is in already keeps what it added
            self.score[self.rows[part[out]]] = score[out] * len(parts)
            chosen = np.concatenate([chosen, given])
        return len(chosen) - first

    def _given(self, part: _Ints, standing: NDArray[Any], most: int | None) -> tuple[_Ints, _Floats]:
        """Return what one part gives of its own, and what each of it added to the part, or would."""
        score = np.empty(len(part))
        with self.held(square(self.space.part(part), self.engine), standing, part, symmetric=True) as state:
            taken, _ = take(state, self.filling, self.rows[part], self.price[part], score, every=False, most=most)
            self.looked += state.updates
        return part[taken], score

    def sampled(self, eps: float, memory: int, seed: int) -> dict[str, Any]:
        """Take the best of a counted sample of candidates at each step."""
        standing, step = self.standing(), 0
        size = max(1, math.ceil(len(self.rows) / max(1, self.filling.rows) * math.log(1 / eps)))
        at_once = max(1, memory // (2 * len(self.rows)))
        while not self.filling.full:
            waiting = np.flatnonzero(self.filling.open[self.rows])
            if not len(waiting):
                break
            number = uniforms(self.keys[waiting], salt(seed, f"{self.purpose} {step}"))
            few = np.sort(waiting[np.argpartition(number, size - 1)[:size]] if len(waiting) > size else waiting)
            row, column = self._best_of([few[at : at + at_once] for at in range(0, len(few), at_once)], standing)
            if self.filling.offer(int(self.rows[row])):
                self.moved(standing, column)
            step += 1
        return {"candidates_a_step": size}

    def _best_of(self, groups: list[_Ints], standing: NDArray[Any]) -> tuple[int, NDArray[np.uint16]]:
        """Return the candidate that adds most, the first of several, and its similarities to all."""
        most, row, column = -1.0, -1, np.empty(0, np.uint16)
        for few in groups:
            found = rectangle(self.space, None, few, self.engine)
            with self.held(found, standing) as state:
                gains = state.gains / UNIT
                self.looked += state.updates
            self.score[self.rows[few]] = gains
            at = int(np.argmax(gains / self.price[few]))
            if gains[at] / self.price[few[at]] > most:
                most, row, column = float(gains[at] / self.price[few[at]]), int(few[at]), found[:, at].copy()
        return row, column


def share(state: State, more: int, least: int = 0) -> float:
    """Return what was reached as a share of a bound on the best that `more` records could have reached.

    The best set adds to this one no more than its records would one by one (Minoux 1978). `least`: what the sum of
    `best` is before anything is chosen.
    """
    reached = float(state.best.sum(dtype=np.int64) - least)
    left = float(np.sort(state.gains)[len(state.gains) - more :].sum())
    return reached / max(reached + left, 1.0)
