"""The set of largest volume: good records whose vectors point in different directions.

Greedy maximisation of the determinant of a kernel, `log det L` of the chosen records (MAP inference of a
determinantal point process), where `L = diag(w) (S + ridge) diag(w)`, `S` says how alike two records are and
`w = exp(theta quality)`. Source: Chen, Zhang and Zhou 2018, "Fast Greedy MAP Inference for Determinantal
Point Process": what a record still adds is kept and lowered after each choice.

Ours: for products of vectors, what a choice takes from a record is its square along one direction, so that nothing is
held but one number a record, where the paper holds a row of `k`; what a record adds only falls, so that it is brought
up to date when it may be the largest, and not before. Both leave the choice as it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.select.base import Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.proposals import PROPOSED, dealt, inside
from tamis.select.gain.residual import Residual, spread, voluminous
from tamis.select.given.arrays import one_each
from tamis.select.steps.determinantal import SCALES, Rows, log_quality
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Dpp", "dpp_map"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("dpp: no vector (all zeros)", "dpp: no quality (NaN)")


def dpp_map(
    x: Any,
    k: int,
    quality: Any = None,
    *,
    kernel: str = "cosine",
    ridge: float = 0.01,
    gamma: float | None = None,
    theta: float = 1.0,
    scale: str = "ranks",
    memory: str | int = "2GB",
    keys: NDArray[np.uint64] | None = None,
) -> tuple[_Ints, _Floats]:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice, and what each added to `log det L`.

    Rows of zeros and rows without quality (NaN) are never chosen. Rows that would add nothing (their vectors
    depend on those chosen, without a `ridge`) come last, by quality. Options as those of `Dpp`; the same rows
    whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one quality a row.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    columns: dict[str, Any] = {"vectors": x}
    if quality is not None:
        columns["quality"] = one_each(quality, order, len(x), "quality")
    method = Dpp(
        kernel=kernel, ridge=ridge, gamma=gamma, quality=None if quality is None else "quality",
        theta=theta, scale=scale, memory=str(memory),
    )  # fmt: skip
    chosen = method.select(Pool(keys, columns), Constraints(Budget("rows", k)))
    return (chosen.rows if order is None else order[chosen.rows]), chosen.score[chosen.rows]


class Dpp(Greedy):
    """The set of largest volume, one record after the other."""

    name = "dpp"
    title = "Determinantal point process, its likeliest set"
    source = "greedy MAP: Chen, Zhang and Zhou 2018; directions instead of a factor, and updates on demand: ours"
    cost = "at most O(n d k) time and O(n) memory besides the vectors; kernel=rbf O(n k (d + k)), 8 n k bytes, or parts"
    promises = "each pick adds the most volume; no constant share of the best holds in general"
    use_when = "a small set has to be good and varied at once, and its records are judged together, not pair by pair"
    fails_when = (
        "many more are wanted than the vectors have dimensions: all directions are taken then, and what is new is noise"
    )
    later = "no comparison of trained models known"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("kernel", str, "cosine", "how alike two vectors are", ("cosine", "linear", "rbf")),
        Parameter("ridge", float, 0.01, "added to the diagonal, where a record alike itself is 1", low=0, high=100),
        Parameter("gamma", float, None, "rbf: exp(-gamma d^2); default 1 / the mean d^2 of two records", low=1e-30),
        Parameter("quality", str, None, "the signal that says how good a record is; default all alike"),
        Parameter("theta", float, 1.0, "how much quality counts: weights are exp(theta quality)", low=0, high=1e6),
        Parameter("scale", str, "ranks", "quality as ranks from 0 to 1, or as it is", SCALES),
        Parameter("memory", str, "2GB", "rbf: the most that a factor may take, such as 500MB; beyond, parts"),
    )

    kernel: str
    ridge: float
    gamma: float | None
    quality: str | None
    theta: float
    scale: str
    memory: str
    _looked = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of quality."""
        return ("vectors", self.quality) if self.quality else ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, of the vectors and, for rbf, of the factor."""
        return 60 * n + min(1 << 30, 1024 * n) + (min(self._bytes, 8 * n * n) if self.kernel == "rbf" else 0)

    def within(self, room: int, n: int) -> Dpp:
        """Return the method with a factor no larger than `room`, unless `memory` was given; rbf alone has one."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        left = room - self.holds(n) + min(self._bytes, 8 * n * n)
        if self.kernel != "rbf" or self.holds(n) <= room or self.memory != default or left < 1:
            return self
        return Dpp(**{**self.options, "memory": str(left)})

    def operations(self) -> int:
        """Return how many products of a record with a choice the last selection computed."""
        return self._looked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer what adds the most volume; the score is the logarithm of the square of what it multiplied it by.

        For a record that was not taken, it is at most that.
        """
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        worth = np.zeros(len(pool))
        if self.quality:
            worth = 2 * log_quality(pool.numbers(self.quality, self.name).astype(np.float64), self.theta, self.scale)
        missing = np.isnan(worth)
        # A must-keep record without quality is chosen, so its direction is taken.
        missing[filling.kept] = False
        rows = np.flatnonzero(~zero & ~missing)
        score = np.full(len(pool), np.nan)
        aside = np.where(zero, 0, 1).astype(np.int8)
        self._looked = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDES)
        most = len(filling.kept) + filling.rows
        gamma, usable, facts = self._gamma(x, rows), rows, {}
        if gamma and (count := self._parts(len(rows), most)) > 1:
            rows = self._proposed(x, rows, worth, gamma, count, most, pool.keys, filling, score)
            facts = {"parts": count, "proposals": len(rows)}
        volume = Residual(Rows(subset(x, rows), self.kernel), worth[rows], self.ridge, gamma, most, self._bytes)
        taken = voluminous(volume, filling, rows, score)
        self._looked += volume.looked
        order = usable[np.argsort(-score[usable], kind="stable")]
        facts |= {"taken_by_volume": taken, "comparisons": self._looked}
        return Ranking(filling.order(order), score, "dpp: adds the most volume", aside, _ASIDES, facts=facts)

    def _gamma(self, x: NDArray[Any], rows: _Ints) -> float:
        """Return the width of the Gaussian kernel over all usable records; 0 for the products."""
        if self.kernel != "rbf":
            return 0.0
        return self.gamma or 1.0 / max(spread(Rows(subset(x, rows), self.kernel)), 1e-30)

    def _parts(self, m: int, most: int) -> int:
        """Return into how many parts `m` records are dealt so that no factor is larger than `memory`."""
        if 8 * m * min(m, most) <= self._bytes or PROPOSED * most >= m:
            return 1
        return math.ceil(math.sqrt(8 * m * PROPOSED * most / self._bytes))

    def _proposed(
        self, x: NDArray[Any], rows: _Ints, worth: _Floats, gamma: float, count: int, most: int,
        keys: NDArray[np.uint64], filling: Filling, score: _Floats,
    ) -> _Ints:  # fmt: skip
        """Return the must-keep records and what the parts would choose, ascending; the others get their score."""
        each, found = math.ceil(PROPOSED * most / count), [filling.kept[np.isin(filling.kept, rows)]]
        for part in dealt(rows, keys, count, self.name):
            volume = Residual(Rows(x[part], self.kernel), worth[part], self.ridge, gamma, each, self._bytes)
            told, few = np.empty(len(part)), inside(filling, part, each)
            voluminous(volume, few, np.arange(len(part)), told)
            score[part] = told
            found.append(part[few.offers])
            self._looked += volume.looked
        return np.unique(np.concatenate(found))
