"""Saturated coverage: every record of the pool covered by several chosen ones, up to a share of what all would give.

Maximises sum_{i in V} min(sum_{j in S} s_ij, alpha sum_{j in V} s_ij) (Lin and Bilmes 2011). Greedy choice reaches at
least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978); the stochastic one samples the candidates of a step
(Mirzasoleiman et al. 2015: 1 - 1/e - eps on average).

Ours: gains are lowered by the records that near their limit and never evaluated again (`gain.limits`); `alpha` is by
default the share of the pool that is chosen, with which a record is covered as much as the average set covers it.
Parts and sampled candidates are those of `facility`, with limits by the whole pool.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.select.base import Chosen, Parameter, Pool, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import prices
from tamis.select.facility import Facility
from tamis.select.gain.limits import Covered, Covering, row_sums
from tamis.select.gain.represent import STEPS, in_steps, similarities
from tamis.select.gain.submodular import Grown, take
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import UNIT, Space, totals

__all__ = ["Saturated", "saturated_coverage", "saturated_coverage_of"]


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
    method = Saturated(alpha=alpha, metric=metric, memory=str(memory))
    return Grown.of(*choose(method, k, x, keys=keys, seed=seed))


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
    given, _, high = similarities(similarity)
    n = len(given)
    alpha = min(1.0, k / max(n, 1)) if alpha is None else alpha
    if not 0 < alpha <= 1:
        raise OptionError(f"alpha: expected above 0 and at most 1, got {alpha}.")
    step = high / STEPS or 1.0
    matrix, engine = in_steps(given, 0.0, step), Local()
    limit = np.floor(alpha * row_sums(matrix, engine)).astype(np.int64)
    filling = Constraints(Budget("rows", k)).open(n)
    with Covered(matrix, limit, engine.threads, symmetric=True) as state:
        rows, gains = take(state, filling, np.arange(n, dtype=np.int64), np.ones(n))
        value = float(state.best.sum())
    return Grown(rows, gains * step, value * step, {"alpha": alpha})


class Saturated(Facility):
    """Every record covered, several times, up to a limit."""

    name = "saturated"
    title = "Saturated coverage"
    source = "Lin and Bilmes 2011; parts: GreeDi (2013); gains lowered not evaluated, alpha from the budget: ours"
    cost = "O(n^2 d / 2) and about O(n^2) more, 2 n^2 bytes up to `memory`; beyond, parts; above 100,000 linear in n"
    promises = "at least 1 - 1/e = 63 % of the best objective where the matrix fits (whole), with a budget in rows"
    use_when = "every record should be covered by several like it, not once alone, and none much more than its limit"
    fails_when = "all records are somewhat alike: any large set covers them, a random one too; or alpha far above k/n"
    later = "no comparison of trained models with random selection known"
    parameters = (
        Parameter("alpha", float, None, "limit, as a share of all likeness; default k / n", low=1e-9, high=1.0),
        Parameter("metric", str, "cosine", "how alike two vectors are", ("cosine", "euclidean")),
        Parameter(
            "algorithm", str, "auto", "whole matrix, parts, or sampled candidates; auto: whole if it fits in memory",
            ("auto", "whole", "parts", "stochastic"),
        ),
        *Facility.parameters[2:],
    )  # fmt: skip
    anew_up_to = 0

    alpha: float | None
    _work: Covering | None = None

    def work(self, space: Space, found: Embedded, filling: Filling, seed: int) -> Covering:
        """Return the records that are to be chosen from, with their limits."""
        wanted = len(found.among(filling.kept)) + filling.rows
        alpha = self.alpha or min(1.0, max(1, wanted) / len(found))
        price = prices(filling, self.per_token)[found.rows]
        self._work = Covering(space, found.rows, found.keys, filling, found.score, alpha=alpha, seed=seed, price=price)
        return self._work

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the objective over the whole pool, and which share of all limits it is."""
        found = super().finished(pool, chosen)
        work, self._work = self._work, None
        if work is None:
            return chosen
        facts = {name: value for name, value in found.facts.items() if name != "mean_similarity"}
        covered = facts["objective"] / max(float(work.limit.sum()) / UNIT, 1e-30)
        return replace(found, facts={**facts, **work.told, "alpha": work.alpha, "covered": covered})

    def objective(self, space: Space, chosen: NDArray[np.int64]) -> float:
        """Return the objective of the `chosen` of a space's rows, by the limits of the last choice."""
        if self._work is None:
            return 0.0
        return float(np.minimum(totals(space, Local(), space.part(chosen)), self._work.limit).sum()) / UNIT
