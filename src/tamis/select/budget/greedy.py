"""Methods whose next choice depends on those before: one way to budgets, quotas and pins for all of them.

A greedy method is given an open budget (`Filling`) with the must-keep records already in, offers one
record after the other, and hands back the ranking those offers make. With a token budget, gains are
compared per token: an option that every such method has, `per_token`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen, Pool, Ranking, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling

__all__ = ["Greedy", "prices"]


class Greedy(Selector):
    """A method that fills the budget itself, record by record."""

    @abstractmethod
    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer records to `filling` until it is full, and return the ranking (`Filling.order`)."""

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order in which a budget without end takes the whole pool."""
        return self.greedily(pool, Constraints(Budget("rows", max(1, len(pool)))).open(len(pool)), seed)

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Fill the budget greedily.

        Raises
        ------
        BudgetError
            The constraints cannot hold.

        """
        constraints.validate(len(pool))
        ranking = self.greedily(pool, constraints.open(len(pool)), seed)
        return self.finished(pool, self.filled(ranking, constraints, len(pool)))

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Return the choice; a method may add facts about it, such as its objective."""
        return chosen


def prices(filling: Filling, per_token: bool) -> NDArray[np.float64]:
    """Return what gains are divided by (`n`): the cost in tokens, at least 1; or 1 throughout."""
    cost: NDArray[Any] = np.maximum(filling.cost, 1) if per_token else np.ones(len(filling.cost))
    return np.asarray(cost, np.float64)
