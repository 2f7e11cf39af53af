"""Records to label for a regression, with the weights that make its estimate fair: volume-rescaled sampling.

Least squares on a few records is unbiased, and near the best that all would give, when the set is drawn with
probability in proportion to its volume times that of independent draws by leverage: one record for each of `m`
directions by a projection DPP, and the others independently in proportion to leverage, each with the weight
`m / leverage`. Sources: "Weighted least-squares approximation with determinantal point processes and generalized volume
sampling" (2023); Derezinski, Warmuth and Hsu 2018 (leveraged volume sampling, and why it is unbiased).

`volume` is that sample, records that come twice included. The method takes no record twice: the independent draws go
on until there are enough different ones, and weights are those that leave sums without bias. That is ours.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.given.arrays import given
from tamis.select.given.embedded import Embedded
from tamis.select.steps.determinantal import Rows, counted, leverage, spectrum
from tamis.select.steps.drawn import drawn, scaled

__all__ = ["Volume", "volume"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def volume(
    x: Any,
    k: int,
    seed: int = 0,
    *,
    directions: int | None = None,
    kernel: str = "linear",
    keys: NDArray[np.uint64] | None = None,
) -> tuple[_Ints, _Floats]:
    """Draw `k` rows of `x` (`n x d`), some maybe more than once, and return them with their weights (`k`).

    With these weights least squares on the drawn rows (the square of each residual times the weight) has the
    solution of all rows as its mean, and a weighted sum has the sum over all rows as its mean. Rows come in the order
    of drawing, first those of the projection DPP. The same whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1, or below the number of directions.
    InputError
        No `n x d` numbers, a row that is not finite, nothing but zeros.
    OptionError
        An option that does not exist or does not fit.
    """
    method = Volume(directions=directions, kernel=kernel)
    told = given(x, keys)
    rows = Rows(told.pool.vectors("vectors", "volume"), method.kernel)
    basis = method._basis(rows, None)
    if not len(basis):
        raise InputError(f"volume: expected vectors that are not all zeros, got {len(rows)} rows of nothing else.")
    if check_amount(k) < len(basis):
        raise BudgetError(
            f"volume: expected k of at least {len(basis)}, the number of directions, got {k}. Ask for more, or for the"
            " leading ones (directions=...)."
        )
    share = leverage(rows, basis)
    first = drawn(rows, basis, seed, "volume: rows")
    reached = np.cumsum(share)
    others = np.searchsorted(reached, counted(k - len(first), seed, "volume: others") * reached[-1], side="right")
    found = np.concatenate([first, np.minimum(others, len(rows) - 1)])
    return told.back(found), len(basis) / share[found] / k


class Volume(Selector):
    """Records to label for a regression on their vectors, with weights."""

    name = "volume"
    title = "Volume-rescaled sampling, with weights"
    source = "generalised volume sampling (2023), Derezinski, Warmuth and Hsu 2018; without repeats: ours"
    cost = "O(n d^2 + d^3 + n d m) time for m directions; O(n) memory besides the vectors"
    promises = "a weighted sum over the chosen has the sum over the pool as its mean (quotas and tokens aside)"
    use_when = "labels are dear and a linear model on the vectors will be fitted: few records, weighted, stand for all"
    fails_when = "the weights are not used, or fewer records are wanted than the model has coefficients"
    later = "no comparison of trained models known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter(
            "directions", int, None, "leading directions of the pool that count; default as many as the budget takes",
            low=1,
        ),
        Parameter("kernel", str, "linear", "vectors as they are, or of length 1", ("linear", "cosine")),
    )  # fmt: skip

    directions: int | None
    kernel: str
    _budget: int | None = None
    _pinned: NDArray[np.bool_] | None = None
    _products = 0

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record and of the vectors."""
        return 60 * n + min(1 << 30, 1024 * n)

    def operations(self) -> int:
        """Return how many products of a record with a direction the last choice computed."""
        return self._products

    def _basis(self, rows: Rows, most: int | None) -> _Floats:
        """Return the directions that count, scaled so that the features' products with them are orthonormal."""
        values, directions = spectrum(rows)
        count = min(x for x in (len(values), self.directions, most) if x is not None)
        self._products = len(rows) * (rows.width + 2 * count)
        return scaled(values, directions, np.arange(count))

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order: the sample of the projection DPP, then independent draws by leverage; the score is the leverage."""
        return self._ranked(pool, seed)[0]

    def _ranked(self, pool: Pool, seed: int) -> tuple[Ranking, _Ints, _Floats]:
        """Return the ranking, the sample of the projection DPP and the time at which each other record comes up."""
        found = Embedded(pool, self.name)
        rows = Rows(pool.vectors("vectors", self.name), self.kernel)
        if self._pinned is not None:
            rows.factor[self._pinned] = 0.0
        basis = self._basis(rows, self._budget)
        found.score = share = leverage(rows, basis)
        first = drawn(rows, basis, seed, "volume: rows")
        # Independent draws in proportion to leverage: each record comes up first after an exponential time.
        with np.errstate(divide="ignore"):
            time = -np.log(uniforms(pool.keys, salt(seed, "volume: others"))) / share
        others = found.rows[np.argsort(time[found.rows], kind="stable")]
        order = np.concatenate([first, others[~np.isin(others, first)]])
        return found.ranking(order, "volume: drawn by volume, then leverage", {"directions": len(basis)}), first, time

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Draw as many as the budget takes, the must-keep records aside, and weigh them.

        A weighted sum over the chosen has the sum over the pool as its mean; must-keep records weigh 1 and stand for
        themselves alone. Quotas and tokens change probabilities in ways that weights do not know.
        """
        n = len(pool)
        constraints.validate(n)
        aware = copy.copy(self)
        keep, drop = constraints.pins(n)
        aware._pinned = keep | drop
        aware._budget = max(0, constraints.wanted(n) - int(keep.sum()))
        ranking, first, time = aware._ranked(pool, seed)
        self._products = aware._products
        chosen = aware.filled(ranking, constraints, n)
        taken = chosen.rows[~keep[chosen.rows]]
        weight = chosen.weight.copy()
        order = ranking.order[~aware._pinned[ranking.order]]
        if len(taken):
            weight[taken] = _weights(ranking.score, time, first, order, taken)
        return replace(chosen, weight=weight)


def _weights(share: _Floats, time: _Floats, first: _Ints, order: _Ints, taken: _Ints) -> _Floats:
    """Return weights of the records taken, with which a weighted sum over them is fair.

    Two sums are: that over the sample, each record over its leverage; and the sample as it is plus the others, each
    over the probability to come up before the first that was not reached (bottom-k sampling, Cohen and Kaplan 2007).
    So is their mean, the first one counting less the more others there are, and not at all when all are taken.
    """
    drawn_first = np.isin(taken, first)
    others = taken[~drawn_first]
    place = np.flatnonzero(np.isin(order, others))
    following = int(place[-1]) + 1 if len(place) else len(first)
    m, k, n = int(drawn_first.sum()), len(taken), len(order)
    part = m / k * (n - k) / (n - m) if k < n and m < n else 0.0
    reached = float(time[order[following]]) if following < n else np.inf
    chance = -np.expm1(-share[others] * reached) if np.isfinite(reached) else np.ones(len(others))
    out = np.empty(k)
    out[drawn_first] = part / share[taken[drawn_first]] + (1 - part)
    out[~drawn_first] = (1 - part) / np.maximum(chance, 1e-12)
    return out
