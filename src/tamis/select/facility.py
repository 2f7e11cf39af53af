"""Facility location: the set in which every record of the pool finds one much like itself.

Maximises the sum over all records of the similarity to the most similar chosen one. Greedy choice
reaches at least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978); the stochastic one samples the
candidates of a step (Mirzasoleiman et al. 2015: 1 - 1/e - eps on average).

Ours: gains are lowered where a pick changed something instead of being evaluated again
(`tamis.select.gain.represent`): the picks of lazy greedy, in less time. Where the matrix of similarities would
be larger than `memory`, its rows are computed when they are needed (`tamis.select.gain.anew`); where that would
take too long, the pool is dealt into parts that propose (`tamis.select.gain.plans`).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.plans import Window, Work, share
from tamis.select.gain.represent import STEPS, Represented, in_steps, similarities
from tamis.select.gain.submodular import Grown, take
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import Space, nearness

__all__ = ["Facility", "Window", "Work", "facility_location", "facility_location_of", "share"]

_Ints = NDArray[np.int64]
_LEAST = 1 << 15  # bytes: a matrix of 128 records


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
    method = Facility(metric=metric, algorithm=algorithm, memory=str(memory), eps=eps)
    return Grown.of(*choose(method, k, x, keys=keys, seed=seed))


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
    given, low, high = similarities(similarity)
    n = len(given)
    if not n:
        return Grown(np.empty(0, np.int64), np.empty(0), 0.0, {"algorithm": "whole"})
    step = (high - low) / STEPS or 1.0
    filling = Constraints(Budget("rows", k)).open(n)
    with Represented(in_steps(given, low, step), threads=Local().threads) as state:
        rows, gains = take(state, filling, np.arange(n, dtype=np.int64), np.ones(n))
        value = low * n + step * float(state.best.sum(dtype=np.int64))
    gains *= step
    gains[:1] += low * n  # what all have in common is gained by the first
    return Grown(rows, gains, value, {"algorithm": "whole"})


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

    anew_up_to: ClassVar[int] = 40_000
    """Records up to which rows of the matrix are computed when needed, where it cannot be held."""

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
            return "whole" if 2 * n * n <= self._bytes else "anew" if n <= self.anew_up_to else "parts"
        if self.algorithm == "whole" and 2 * n * n > self._bytes:
            raise OptionError(
                f"method '{self.name}', algorithm 'whole': {n:,} records need {2 * n * n >> 20:,} MB for similarities, "
                f"memory is {self.memory}. Raise it (-O memory=...), or let algorithm=parts divide the pool."
            )
        return self.algorithm

    def work(self, space: Space, found: Embedded, filling: Filling, seed: int) -> Work:  # noqa: ARG002
        """Return the records that are to be chosen from, for the ways to choose."""
        price = prices(filling, self.per_token)[found.rows]
        return Work(space, found.rows, found.keys, filling, found.score, self.window(space), price=price)

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        found = Embedded(pool, self.name)
        rows = found.rows
        self._looked = 0
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        plan = self._plan(len(rows))
        work = self.work(Space(found.x, self.metric), found, filling, seed)
        if plan == "stochastic":
            facts = work.sampled(self.eps, self._bytes, seed)
        elif plan == "parts":
            facts = work.in_parts(self._bytes, seed)
        else:
            facts = work.whole() if plan == "whole" else work.anew()
        self._looked = work.looked
        left = rows[np.argsort(-found.score[rows] / work.price, kind="stable")]
        told = {"algorithm": plan, **facts, "similarities": work.looked}
        return found.ranking(filling.order(left), f"{self.name}: adds most to what is there", told)

    def asides(self) -> tuple[str, ...]:
        """Return why records are set aside."""
        return (f"{self.name}: no vector (all zeros)",)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective over the whole pool."""
        found = Embedded(pool, self.name)
        rows = np.sort(found.among(chosen.rows))
        value = self.objective(Space(found.x, self.metric), rows) if len(found) else 0.0
        told = {"objective": value, "mean_similarity": value / max(len(found), 1)}
        return replace(chosen, facts={**chosen.facts, **told})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows, exactly."""
        best, window = nearness(space, chosen, Local()), self.window(space)
        return math.fsum(best if window is None else window.inside(best))
