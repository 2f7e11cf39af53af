"""Facility location: the set in which every record of the pool finds one much like itself.

Maximises the sum over all records of the similarity to the most similar chosen one. Greedy choice
reaches at least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978); the stochastic one samples the
candidates of a step (Mirzasoleiman et al. 2015: 1 - 1/e - eps on average).

Ours: gains are lowered where a pick changed something instead of being evaluated again
(`tamis.select.gain.represent`): the picks of lazy greedy, in less time. Where the matrix of similarities would
be larger than `memory`, its rows are computed when they are needed (`tamis.select.gain.anew`). Where that would
take too long, the pool is dealt into parts at random, each part proposes, and the choice is made among
the proposals (after GreeDi, Mirzasoleiman et al. 2013, and its random form, Barbosa et al. 2015); for a budget so
large that proposals cannot be judged together, each part gives its share, knowing what was given before.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.anew import Anew
from tamis.select.gain.represent import STEPS, Represented, State, bounds, in_steps
from tamis.select.gain.submodular import Grown, take
from tamis.vectors.similarity import UNIT, Space, closest, nearness, rectangle, square
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Facility", "Window", "Work", "facility_location", "facility_location_of", "share"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ANEW = 40_000  # records up to which rows of the matrix are computed when needed, where it cannot be held
_LEAST = 1 << 15  # bytes: a matrix of 128 records
_PROPOSED = 4  # proposals of all parts, in multiples of the budget
_GROUND = 10  # records of the sample that judges the proposals, for each one chosen


def facility_location(
    x: Any,
    k: int,
    *,
    metric: str = "cosine",
    algorithm: str = "auto",
    memory: str | int = "1GB",
    eps: float = 0.1,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`) that represent all of them; rows of zeros are never chosen.

    Options as those of `Facility`; the same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    method = Facility(metric=metric, algorithm=algorithm, memory=str(memory), eps=eps)
    chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    return Grown(rows if order is None else order[rows], gains, chosen.facts["objective"], dict(chosen.facts))


def facility_location_of(similarity: Any, k: int) -> Grown:
    """Choose `min(k, n)` rows by a matrix of similarities that is given (`n x n`, symmetric, none below 0).

    Kept as whole multiples of 1/4,194,304 of its range; ties fall to the first row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        The matrix is not square, or a number is negative or not finite.
    """
    k = check_amount(k)
    given = np.asarray(similarity)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or given.dtype.kind not in "fiu":
        raise InputError(f"similarity: expected n x n numbers, got {given.dtype} of shape {given.shape}.")
    n = len(given)
    if not n:
        return Grown(np.empty(0, np.int64), np.empty(0), 0.0, {"algorithm": "whole"})
    low, high = bounds(given)
    if not (low >= 0 and math.isfinite(high)):
        raise InputError("similarity: expected finite numbers of at least 0, got others. Shift or clip them first.")
    step = (high - low) / STEPS or 1.0
    filling = Constraints(Budget("rows", k)).open(n)
    with Represented(in_steps(given, low, step), threads=Local().threads) as state:
        rows, gains = take(state, filling, np.arange(n, dtype=np.int64), np.ones(n))
        value = low * n + step * float(state.best.sum(dtype=np.int64))
    gains *= step
    gains[:1] += low * n  # what all have in common is gained by the first
    return Grown(rows, gains, value, {"algorithm": "whole"})


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


class Facility(Greedy):
    """The records that represent the pool best."""

    name = "facility"
    title = "Facility location"
    source = "greedy: Nemhauser et al. 1978; parts: GreeDi (2013); gains lowered instead of evaluated: ours"
    cost = "O(n^2 d / 2 + n^2 log k) time and 2 n^2 bytes up to `memory`; beyond, parts of that size, linear in n"
    promises = "at least 1 - 1/e = 63 % of the best objective, and the share of a bound on it is reported"
    use_when = "a small set has to stand for a large one, and every kind of record should be near one that is in"
    fails_when = "much of the pool is noise, as noise wants to be represented too; or what is rare matters most"
    later = "with quality (QDIT) 45.2, random 43.8, kMQ 46.2 (Yu et al. 2024); alone, no comparison known"
    flags = Flags(needs_all=True)
    growth = 2.0
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("metric", str, "cosine", "how alike two vectors are", ("cosine", "euclidean")),
        Parameter(
            "algorithm", str, "auto", "whole matrix, its rows anew, parts, or sampled candidates; auto: by size",
            ("auto", "whole", "anew", "parts", "stochastic"),
        ),
        Parameter("memory", str, "1GB", "the most that a matrix of similarities may take, such as 500MB"),
        Parameter("eps", float, 0.1, "stochastic: log(1 / eps) n / k candidates a step", low=1e-6, high=0.999),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )  # fmt: skip

    metric: str
    algorithm: str
    memory: str
    eps: float
    per_token: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)
        if self._bytes < _LEAST:
            raise OptionError(f"method '{self.name}', option 'memory': expected at least 32KB, got '{self.memory}'.")
        if self.algorithm in ("parts", "stochastic"):  # the seed deals the parts, and draws the candidates
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]
        self._looked = 0

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix: no more than `memory` allows."""
        return min(self._bytes, 2 * n * n)

    def within(self, room: int, n: int) -> Facility:
        """Return the method with a matrix no larger than `room`, unless `memory` was given."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        if self.holds(n) <= room or self.memory != default or self.algorithm == "whole":
            return self
        other = copy.copy(self)  # with what it was told
        type(self).__init__(other, **{**self.options, "memory": str(max(room, _LEAST))})
        return other

    def window(self, space: Space) -> Window | None:  # noqa: ARG002
        """Return what of each row's similarity counts; None where all does."""
        return None

    def operations(self) -> int:
        """Return how many similarities were looked at by the last choice."""
        return self._looked

    def _plan(self, n: int) -> str:
        if self.algorithm == "auto":
            return "whole" if 2 * n * n <= self._bytes else "anew" if n <= _ANEW else "parts"
        if self.algorithm == "whole" and 2 * n * n > self._bytes:
            raise OptionError(
                f"method '{self.name}', algorithm 'whole': {n:,} records need {2 * n * n >> 20:,} MB for similarities, "
                f"memory is {self.memory}. Raise it (-O memory=...), or let algorithm=parts divide the pool."
            )
        return self.algorithm

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        score = np.full(len(pool), np.nan)
        aside = np.where(zero, 0, -1).astype(np.int8)
        self._looked = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, self.asides())
        space = Space(subset(x, rows), self.metric)
        work = Work(space, rows, pool.keys[rows], filling, score, self.window(space))
        work.price = prices(filling, self.per_token)[rows]
        plan = self._plan(len(rows))
        if plan == "stochastic":
            facts = work.sampled(self.eps, self._bytes, seed)
        elif plan == "parts":
            facts = work.in_parts(self._bytes, seed)
        else:
            facts = work.whole() if plan == "whole" else work.anew()
        self._looked = work.looked
        left = rows[np.argsort(-score[rows] / work.price, kind="stable")]
        told = {"algorithm": plan, **facts, "similarities": work.looked}
        words = f"{self.name}: adds most to what is there"
        return Ranking(filling.order(left), score, words, aside, self.asides(), facts=told)

    def asides(self) -> tuple[str, ...]:
        """Return why records are set aside."""
        return (f"{self.name}: no vector (all zeros)",)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective over the whole pool."""
        x = pool.vectors("vectors", self.name)
        rows = np.flatnonzero(~zero_rows(x))
        found = np.searchsorted(rows, np.sort(chosen.rows[np.isin(chosen.rows, rows)]))
        value = self.objective(Space(subset(x, rows), self.metric), found) if len(rows) else 0.0
        told = {"objective": value, "mean_similarity": value / max(len(rows), 1)}
        return replace(chosen, facts={**chosen.facts, **told})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows, exactly."""
        best, window = nearness(space, chosen, Local()), self.window(space)
        return math.fsum(best if window is None else window.inside(best))


class Work:
    """The records with a vector (`m` of the pool's), and where choosing among them stands."""

    price: _Floats

    def __init__(
        self,
        space: Space,
        rows: _Ints,
        keys: NDArray[np.uint64],
        filling: Filling,
        score: _Floats,
        window: Window | None = None,
    ) -> None:
        self.low: NDArray[np.uint16] | None = None
        self.high: NDArray[np.uint16] | None = None
        if window is not None:
            self.low, self.high = window.units()
        self.space, self.rows, self.keys, self.filling, self.score = space, rows, keys, filling, score
        self.engine = Local()
        self.kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        self.looked = 0

    def best(self, rows: _Ints | None = None, chosen: _Ints | None = None) -> NDArray[np.uint16]:
        """Return the similarity of rows (None: of all) to the must-keep records, or to those `chosen`."""
        best = closest(self.space, rows, self.kept if chosen is None else chosen, self.engine)
        if self.low is None or self.high is None:
            return best
        every = slice(None) if rows is None else rows
        return np.asarray(np.maximum(np.minimum(best, self.high[every]), self.low[every]))

    def held(self, matrix: NDArray[np.uint16], rows: _Ints | None = None, chosen: _Ints | None = None) -> Represented:
        """Return the state of a choice by the similarities of rows (None: of all), which may be changed."""
        if self.high is not None:
            np.minimum(matrix, self.high[slice(None) if rows is None else rows, None], out=matrix)
        return Represented(matrix, self.best(rows, chosen), self.engine.threads)

    def whole(self) -> dict[str, Any]:
        """Choose with the similarities of all to all."""
        with self.held(square(self.space, self.engine)) as state:
            facts = self._exactly(state)
            self.looked = state.updates
        return facts

    def anew(self) -> dict[str, Any]:
        """Choose as `whole` does, but compute similarities whenever they are needed."""
        with Anew(self.space, self.best(), self.engine, most=self.high) as state:
            facts = self._exactly(state)
            self.looked = state.updates
        return facts

    def _exactly(self, state: State) -> dict[str, Any]:
        taken, _ = take(state, self.filling, self.rows, self.price, self.score)
        least = 0 if self.low is None else int(self.low.sum(dtype=np.int64))
        return {} if (self.filling.cost != 1).any() else {"share_of_bound": share(state, len(taken), least)}

    def in_parts(self, memory: int, seed: int) -> dict[str, Any]:
        """Deal the records into parts whose matrices fit, and choose among what the parts propose.

        Where so many proposals cannot be judged, the parts give their shares in turn.
        """
        m, wanted = len(self.rows), max(1, self.filling.rows)
        count = math.ceil(m / max(1, math.isqrt(memory // 2)))
        dealt = np.argsort(uniforms(self.keys, salt(seed, "facility")), kind="stable")
        parts = [np.sort(part) for part in np.array_split(dealt, count)]
        each = math.ceil(_PROPOSED * wanted / count)
        ground = min(m, memory // (2 * each * count))
        if ground < min(m, _GROUND * wanted):
            return {"parts": count, "in_turn": self._in_turn(parts, self.kept)}
        proposed = [self._proposed(part, each, count) for part in parts]
        candidates = np.sort(np.concatenate(proposed))
        sample = None if ground == m else np.sort(dealt[:: max(1, m // ground)][:ground])
        found = rectangle(self.space, sample, candidates, self.engine)
        with self.held(found, sample) as state:
            many = np.full(len(candidates), np.nan)
            taken, _ = take(state, self.filling, self.rows[candidates], self.price[candidates], many, every=False)
            self.score[self.rows[candidates]] = many * (m / len(found))
            self.looked += state.updates
        told = {"parts": count, "proposals": len(candidates), "judged_on": len(found)}
        if not self.filling.full:  # quotas or short records took more than was proposed
            told["in_turn"] = self._in_turn(parts, np.sort(np.concatenate([self.kept, candidates[taken]])))
        return told

    def _proposed(self, part: _Ints, each: int, count: int) -> _Ints:
        """Return what one part would choose; scores are scaled up to the pool."""
        own = Constraints(Budget("rows", each), drop=~self.filling.open[self.rows[part]]).open(len(part))
        score = np.empty(len(part))
        with self.held(square(self.space.part(part), self.engine), part) as state:
            taken, _ = take(state, own, np.arange(len(part)), self.price[part], score)
            self.looked += state.updates
        self.score[self.rows[part]] = score * count
        return part[taken]

    def _in_turn(self, parts: list[_Ints], chosen: _Ints) -> int:
        """Let each part give its share, knowing what those before it gave; return how many were given."""
        before = len(chosen)
        for number, part in enumerate(parts):
            share = math.ceil(self.filling.rows / (len(parts) - number))
            given = self._given(part, chosen, share if number + 1 < len(parts) else None, len(parts))
            chosen = np.sort(np.concatenate([chosen, given]))
        return len(chosen) - before

    def _given(self, part: _Ints, chosen: _Ints, most: int | None, count: int) -> _Ints:
        """Return what one part gives of its own; scores are scaled up to the pool."""
        score = np.empty(len(part))
        with self.held(square(self.space.part(part), self.engine), part, chosen) as state:
            taken, _ = take(state, self.filling, self.rows[part], self.price[part], score, every=False, most=most)
            self.looked += state.updates
        out = ~np.isin(part, chosen)  # what is in already keeps what it added
        self.score[self.rows[part[out]]] = score[out] * count
        return part[taken]

    def sampled(self, eps: float, memory: int, seed: int) -> dict[str, Any]:
        """Take the best of a counted sample of candidates at each step."""
        best, step = self.best(), 0
        size = max(1, math.ceil(len(self.rows) / max(1, self.filling.rows) * math.log(1 / eps)))
        at_once = max(1, memory // (2 * len(self.rows)))
        while not self.filling.full:
            waiting = np.flatnonzero(self.filling.open[self.rows])
            if not len(waiting):
                break
            number = uniforms(self.keys[waiting], salt(seed, f"facility {step}"))
            few = np.sort(waiting[np.argpartition(number, size - 1)[:size]] if len(waiting) > size else waiting)
            row, column = self._best_of([few[at : at + at_once] for at in range(0, len(few), at_once)], best)
            if self.filling.offer(int(self.rows[row])):
                np.maximum(best, column, out=best)
            step += 1
        return {"candidates_a_step": size}

    def _best_of(self, groups: list[_Ints], best: NDArray[np.uint16]) -> tuple[int, NDArray[np.uint16]]:
        """Return the candidate that adds most to `best`, the first of several, and its similarities to all."""
        most, row, column = -1.0, -1, best
        for few in groups:
            found = rectangle(self.space, None, few, self.engine)
            if self.high is not None:
                np.minimum(found, self.high[:, None], out=found)
            with Represented(found, best) as state:
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
