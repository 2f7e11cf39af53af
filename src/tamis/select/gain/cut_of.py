"""Graph cut by a matrix of similarities that is given, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.base import check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain.submodular import Grown, take
from tamis.vectors.tiles import TILE

__all__ = ["CutOf", "graph_cut_of"]


def graph_cut_of(similarity: Any, k: int, *, penalty: float = 0.4) -> Grown:
    """Choose `min(k, n)` rows by a matrix of similarities that is given (`n x n`, symmetric).

    In double precision; ties fall to the first row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        The matrix is not square, or a number is not finite.
    OptionError
        A penalty below 0.
    """
    k = check_amount(k)
    if not penalty >= 0:
        raise OptionError(f"penalty: expected at least 0, got {penalty}.")
    state = CutOf(similarity, penalty)
    n = len(state.gains)
    rows, gains = take(state, Constraints(Budget("rows", k)).open(n), np.arange(n, dtype=np.int64), np.ones(n))
    return Grown(rows, gains, float(gains.sum()), {})


class CutOf:
    """What each of `n` records would add, by a matrix of similarities (`n x n`) that is given.

    Raises InputError when it is not square, or a number is not finite.
    """

    unit = 1

    def __init__(self, given: Any, penalty: float) -> None:
        self.given, self.penalty = np.asarray(given), penalty
        if self.given.ndim != 2 or len(set(self.given.shape)) != 1 or self.given.dtype.kind not in "fiu":
            got = f"{self.given.dtype} of shape {self.given.shape}"
            raise InputError(f"similarity: expected n x n numbers, got {got}.")
        sums = np.empty(len(self.given))

        def one(start: int) -> None:
            part = slice(start, start + TILE)
            np.sum(self.given[part], axis=1, dtype=np.float64, out=sums[part])

        for _ in Local().map(one, range(0, len(sums), TILE)):
            pass
        if not np.isfinite(sums).all():
            raise InputError("similarity: expected finite numbers, got others.")
        self.gains = sums - penalty * np.diagonal(self.given)

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        self.gains -= 2 * self.penalty * self.given[candidate]
