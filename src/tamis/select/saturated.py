"""Saturated coverage: every record of the pool covered by several chosen ones, up to a share of what all would give.

Maximises sum_{i in V} min(sum_{j in S} s_ij, alpha sum_{j in V} s_ij) (Lin and Bilmes 2011). Greedy choice reaches at
least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978); the stochastic one samples the candidates of a step
(Mirzasoleiman et al. 2015: 1 - 1/e - eps on average).

Ours: a pick changes only the gains from records that are covered up to less than one similarity before their limit is
reached, so gains are lowered by those rows of the matrix and never evaluated again (`gain.represent.lower`).
`alpha` is by default the share of the pool that is chosen, with which a record is covered as much as the average set
covers it. Where the matrix is larger than `memory`, the pool is dealt into parts at random and each gives its share.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.represent import MOST, STEPS, in_steps, lower
from tamis.select.gain.submodular import Grown, take
from tamis.vectors.similarity import UNIT, Space, square
from tamis.vectors.tiles import TILE, canonical, subset, zero_rows

__all__ = ["Saturated", "saturated_coverage", "saturated_coverage_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("saturated: no vector (all zeros)",)
_LEAST = 1 << 15  # bytes: a matrix of 128 records


def saturated_coverage(
    x: Any,
    k: int,
    *,
    alpha: float | None = None,
    metric: str = "cosine",
    memory: str | int = "1GB",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`); rows of zeros are never chosen.

    Options as those of `Saturated`; the same rows whatever the order of `x`.

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
    method = Saturated(alpha=alpha, metric=metric, memory=str(memory))
    chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    facts = dict(chosen.facts)
    return Grown(rows if order is None else order[rows], gains, float(facts.get("objective", 0.0)), facts)


def saturated_coverage_of(similarity: Any, k: int, *, alpha: float | None = None) -> Grown:
    """Choose `min(k, n)` rows by a matrix of similarities that is given (`n x n`, symmetric, none below 0).

    Kept as whole multiples of 1/4,194,304 of the largest; `alpha` is by default k / n; ties fall to the first row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        The matrix is not square, or a number is negative or not finite.
    OptionError
        `alpha` outside 0 to 1.
    """
    k = check_amount(k)
    given = np.asarray(similarity)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or given.dtype.kind not in "fiu":
        raise InputError(f"similarity: expected n x n numbers, got {given.dtype} of shape {given.shape}.")
    n = len(given)
    low, high = (float(given.min()), float(given.max())) if n else (0.0, 0.0)
    if not (low >= 0 and math.isfinite(high)):
        raise InputError("similarity: expected finite numbers of at least 0, got others. Shift or clip them first.")
    alpha = min(1.0, k / max(n, 1)) if alpha is None else alpha
    if not 0 < alpha <= 1:
        raise OptionError(f"alpha: expected above 0 and at most 1, got {alpha}.")
    step = high / STEPS or 1.0
    state = _Covered(in_steps(given, 0.0, step), alpha, 1)
    filling = Constraints(Budget("rows", k)).open(n)
    rows, gains = take(state, filling, np.arange(n, dtype=np.int64), np.ones(n))
    return Grown(rows, gains * step, state.value() * step, {"alpha": alpha})


class Saturated(Greedy):
    """Every record covered, several times, up to a limit."""

    name = "saturated"
    title = "Saturated coverage"
    source = "Lin and Bilmes 2011; gains lowered instead of evaluated, alpha from the budget, parts by share: ours"
    cost = "O(n^2 d / 2) and about O(n^2) more, 2 n^2 bytes up to `memory`; beyond, parts of that size, linear in n"
    promises = "at least 1 - 1/e = 63 % of the best objective where the matrix fits (whole), with a budget in rows"
    use_when = "each kind of record should be covered in proportion to how many like it there are, not once alone"
    fails_when = "all records are somewhat alike: any large set covers them, a random one too; or alpha far above k/n"
    later = "no comparison of trained models with random selection known"
    flags = Flags(needs_all=True)
    growth = 2.0
    parameters = (
        Parameter("alpha", float, None, "limit, as a share of all likeness; default k / n", low=1e-9, high=1.0),
        Parameter("metric", str, "cosine", "how alike two vectors are", ("cosine", "euclidean")),
        Parameter(
            "algorithm", str, "auto", "whole matrix, parts, or sampled candidates; auto: whole if it fits in memory",
            ("auto", "whole", "parts", "stochastic"),
        ),
        Parameter("memory", str, "1GB", "the most that a matrix of similarities may take, such as 500MB"),
        Parameter("eps", float, 0.1, "stochastic: log(1 / eps) n / k candidates a step", low=1e-6, high=0.999),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )  # fmt: skip

    alpha: float | None
    metric: str
    algorithm: str
    memory: str
    eps: float
    per_token: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)
        if self._bytes < _LEAST:
            raise OptionError(f"method 'saturated', option 'memory': expected at least 32KB, got '{self.memory}'.")
        if self.algorithm in ("parts", "stochastic"):  # the seed deals the parts, and draws the candidates
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]
        self._looked = 0

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix: no more than `memory` allows."""
        return min(self._bytes, 2 * n * n)

    def within(self, room: int, n: int) -> Saturated:
        """Return the method with a matrix no larger than `room`, unless `memory` was given."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        if self.holds(n) <= room or self.memory != default or self.algorithm == "whole":
            return self
        return Saturated(**{**self.options, "memory": str(max(room, _LEAST))})

    def operations(self) -> int:
        """Return how many similarities were looked at by the last choice."""
        return self._looked

    def _parts(self, n: int) -> int:
        """Return into how many parts the records are dealt."""
        fits = 2 * n * n <= self._bytes
        if self.algorithm == "whole" and not fits:
            raise OptionError(
                f"method 'saturated', algorithm 'whole': {n:,} records need {2 * n * n >> 20:,} MB for similarities, "
                f"memory is {self.memory}. Raise it (-O memory=...), or let algorithm=parts divide the pool."
            )
        needed = math.ceil(n / math.isqrt(self._bytes // 2))
        return max(needed, 2 if self.algorithm == "parts" and n > 1 else 1)

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        score = np.full(len(pool), np.nan)
        aside = np.where(zero, 0, -1).astype(np.int8)
        self._looked = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDE)
        space = Space(subset(x, rows), self.metric)
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        alpha = self.alpha or min(1.0, max(1, len(kept) + filling.rows) / len(rows))
        price = prices(filling, self.per_token)
        count = self._parts(len(rows))
        dealt = np.argsort(uniforms(pool.keys[rows], salt(seed, "saturated")), kind="stable")
        value = 0.0
        for number, part in enumerate(np.sort(some) for some in np.array_split(dealt, count)):
            share = math.ceil(filling.rows / (count - number))
            state = _Covered(square(space.part(part) if count > 1 else space, Local()), alpha, UNIT)
            mine = np.flatnonzero(np.isin(part, kept))
            for row in mine.tolist():
                score[rows[part[row]]] = state.gains[row] / UNIT * count
                state.add(row)
            most = share if number + 1 < count else None
            here, found = rows[part], np.empty(len(part))
            if self.algorithm == "stochastic":
                found[:] = self._sampled(state, filling, here, price[here], pool.keys[here], most, seed)
            else:
                take(state, filling, here, price[here], found, every=False, most=most)
            free = ~np.isin(part, kept)
            score[here[free]] = found[free] * count
            value += state.value() / UNIT
            self._looked += state.updates
        left = rows[np.argsort(-score[rows] / price[rows], kind="stable")]
        told: dict[str, Any] = {"alpha": alpha, "parts": count, "objective": value, "similarities": self._looked}
        return Ranking(filling.order(left), score, "saturated: adds most to what is there", aside, _ASIDE, facts=told)

    def _sampled(
        self,
        state: _Covered,
        filling: Filling,
        rows: _Ints,
        price: _Floats,
        keys: NDArray[np.uint64],
        most: int | None,
        seed: int,
    ) -> _Floats:
        """Take the best of a counted sample at each step; return what was added, or would still be."""
        wanted = max(1, filling.rows if most is None else most)
        size = max(1, math.ceil(len(rows) / wanted * math.log(1 / self.eps)))
        step = 0
        added: dict[int, float] = {}
        while len(added) != most and not filling.full:
            waiting = np.flatnonzero(filling.open[rows])
            if not len(waiting):
                break
            number = uniforms(keys[waiting], salt(seed, f"saturated {step}"))
            few = np.sort(waiting[np.argpartition(number, size - 1)[:size]] if len(waiting) > size else waiting)
            best = int(few[np.argmax(state.gains[few] / price[few])])
            gain = float(state.gains[best]) / UNIT
            if filling.offer(int(rows[best])):
                added[best] = gain
                state.add(best)
            step += 1
        out = state.gains / UNIT
        out[list(added)] = list(added.values())
        return np.asarray(out, np.float64)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Return the choice as it is: its objective was added up where the matrices were."""
        return chosen


class _Covered:
    """A set that grows over the `n` records of a matrix of whole similarities, and what each would add.

    Attributes
    ----------
    room : int64 array of shape (n,)
        What is left of each record's limit.
    gains : int64 array of shape (n,)
        What each record would add, in units of the matrix.
    updates : int
        Similarities that were looked at.
    """

    def __init__(self, matrix: NDArray[Any], alpha: float, unit: int) -> None:
        self.matrix, self.unit = matrix, unit
        small = matrix.dtype == np.uint16
        self._top = UNIT if small else STEPS
        self._most = MOST if small else 500
        self.engine = Local()
        n = len(matrix)
        self.limit = np.empty(n, np.int64)

        def one(start: int) -> None:
            part = slice(start, start + TILE)
            self.limit[part] = np.floor(alpha * matrix[part].sum(axis=1, dtype=np.int64))

        for _ in self.engine.map(one, range(0, n, TILE)):
            pass
        self.room = self.limit.copy()
        self.gains = np.zeros(n, np.int64)
        self.updates = matrix.size
        # The gains of the empty set are what lies between nothing and all the room of each record.
        self._change(np.arange(n), np.zeros(n, np.int64), self.room, -1)

    def value(self) -> float:
        """Return the objective, in units of the matrix."""
        return float((self.limit - self.room).sum())

    def add(self, candidate: int) -> None:
        """Take a candidate: the room of each record falls, and so do gains where it is less than a similarity."""
        rows, low, high = _covered(self.matrix[candidate], self.room, self._top)
        self._change(rows, low, high, 1)
        self.updates += len(rows) * len(self.room)

    def _change(self, rows: _Ints, low: _Ints, high: _Ints, sign: int) -> None:
        """Lower (raise) all gains by what of the similarities to `rows` lies between `low` and `high`."""
        kind = self.matrix.dtype
        low = np.minimum(low, self._top)
        width = (np.minimum(high, self._top) - low).astype(kind)
        low = low.astype(kind)
        n = len(self.room)

        def some(start: int) -> None:
            stop = min(n, start + 2048)
            lower(self.matrix, rows, low, width, start, stop, sign, self._most, self.gains)

        if len(rows) * n < 400_000:
            for start in range(0, n, 2048):
                some(start)
        else:
            for _ in self.engine.map(some, range(0, n, 2048)):
                pass


@njit(nogil=True, cache=True)
def _covered(column, room, top):  # type: ignore[no-untyped-def]
    """Take a column off the room; return the rows with less than `top` left, and their room after and before."""
    rows, low, high = np.empty(len(room), np.int64), np.empty(len(room), np.int64), np.empty(len(room), np.int64)
    count = 0
    for i in range(len(room)):
        before = room[i]
        after = max(before - np.int64(column[i]), np.int64(0))
        room[i] = after
        if after < min(before, np.int64(top)):
            rows[count], low[count], high[count] = i, after, before
            count += 1
    return rows[:count].copy(), low[:count].copy(), high[:count].copy()
