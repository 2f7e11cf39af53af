"""Methods whose order depends on how many are wanted, such as those that give every cluster its share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints

__all__ = ["Aware"]

_Mask = NDArray[np.bool_]


class Aware(Selector):
    """A method that ranks for a budget: told how many records that takes, and which must be in."""

    @abstractmethod
    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Return the order of `pool` when `wanted` records are chosen (at least 1).

        Those to `keep` (`n`) count among them, those to `drop` (`n`) cannot be chosen.
        """

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order for a budget that takes the whole pool."""
        none = np.zeros(len(pool), np.bool_)
        return self.ranked(pool, seed, max(1, len(pool)), none, none)

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` for this budget (of tokens: for as many records as it holds on average), and fill it.

        Raises
        ------
        BudgetError
            The constraints cannot hold.

        """
        n = len(pool)
        constraints.validate(n)
        keep, drop = constraints.pins(n)
        ranking = self.ranked(pool, seed, max(1, constraints.wanted(n)), keep, drop)
        return self.finished(pool, self.filled(ranking, constraints, n), ranking)

    def finished(self, pool: Pool, chosen: Chosen, ranking: Ranking) -> Chosen:  # noqa: ARG002
        """Return the choice; a method may add facts about it, such as what each `part` of the ranking gave."""
        return chosen
