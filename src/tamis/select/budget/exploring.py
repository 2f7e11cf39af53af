"""A budget filled by asking about few records: a bandit over clusters says where to look next.

Source: QuaD (2024): each round the clusters of the highest upper confidence bound are drawn from, what was drawn is
asked about, and what is above a threshold is taken. Ours: width and threshold are set by the first round, and by the
first rounds together while all answers are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.budget.filling import Filling
from tamis.select.steps.bandit import Bandit

__all__ = ["Exploring"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Exploring:
    """The bandit at work on the clusters of `m` rows: queues of what may be drawn, and what came out.

    Parameters
    ----------
    rows : int64 array of shape (m,)
        Positions in the pool.
    labels : int32 array of shape (m,)
        The cluster of each.
    chance : float64 array of shape (m,)
        Within a cluster the least is drawn first.
    seed : int
        Of the ties between clusters.
    picked, gamma : int
        Clusters that are drawn from in a round, and records of each.
    alpha : float
        Width of the bounds, in standard deviations of the first round's answers.
    tau : float
        Quantile of those answers that must be exceeded.
    most : float
        Share of the rows that may be asked about.
    """

    def __init__(
        self,
        rows: _Ints,
        labels: NDArray[np.int32],
        chance: _Floats,
        seed: int,
        *,
        picked: int,
        gamma: int,
        alpha: float,
        tau: float,
        most: float,
    ) -> None:
        order = np.lexsort((chance, labels))
        arms = int(labels.max()) + 1
        self._queues = np.split(rows[order], np.searchsorted(labels[order], np.arange(1, arms)))
        self._dry = np.array([not len(queue) for queue in self._queues])
        self._bandit = Bandit(arms, seed=seed, width=0.0)
        self._picked, self._gamma, self._alpha, self._quantile = picked, gamma, alpha, tau
        self._left = round(most * len(rows))
        self._tau, self._first, self._settled = np.nan, np.empty(0), False
        self._rounds = list[_Ints]()

    @property
    def looked(self) -> _Ints:
        """Return the rows that were asked about, in that order."""
        return np.concatenate([np.empty(0, np.int64), *self._rounds])

    def run(self, filling: Filling, asks: Callable[[_Ints], _Floats], found: _Floats) -> None:
        """Ask round by round, offering what is above the threshold, until it is full or nothing may be asked."""
        while not filling.full and self._left > 0 and not self._dry.all():
            drawn, arms = self._draw(filling)
            if not len(drawn):
                continue
            found[drawn] = asks(drawn)
            self._rounds.append(drawn)
            self._left -= len(drawn)
            self._learn(found[drawn], arms)
            above = drawn[found[drawn] > self._tau]
            for row in above[np.lexsort((above, -found[above]))].tolist():
                if filling.open[row]:
                    filling.offer(row)

    def _draw(self, filling: Filling) -> tuple[_Ints, _Ints]:
        """Return the next records of the arms that are picked, and the arm of each; closed records are passed over."""
        rows, arms = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        room = self._left
        for arm in self._bandit.pick(~self._dry, self._picked).tolist():
            queue = self._queues[arm][filling.open[self._queues[arm]]]
            new = queue[: min(self._gamma, room)]
            self._queues[arm] = queue[len(new) :]
            self._dry[arm] = not len(self._queues[arm])
            room -= len(new)
            rows.append(new)
            arms.append(np.full(len(new), arm))
        return np.concatenate(rows), np.concatenate(arms)

    def _learn(self, values: _Floats, arms: _Ints) -> None:
        """Tell the bandit the mean of each arm; the first round sets mean, width and threshold.

        The first rounds together, where all influences of the first are alike.
        """
        known = ~np.isnan(values)
        values, arms = values[known], arms[known]
        if not len(values):
            return
        if not self._settled:  # rounds in which all are alike tell nothing of width and threshold
            self._first = np.append(self._first, values)
            self._settled = bool(self._first.min() < self._first.max())
            self._bandit.start = float(self._first.mean())
            self._bandit.width = self._alpha * float(self._first.std()) if self._settled else 0.0
            self._tau = float(np.quantile(self._first, self._quantile))
        which, place = np.unique(arms, return_inverse=True)
        self._bandit.pulled(which, np.bincount(place, values) / np.bincount(place))

    def told(self) -> dict[str, Any]:
        """Return what is told of the search."""
        return {
            "clusters": len(self._queues),
            "rounds": len(self._rounds),
            "visited": int((self._bandit.pulls > 0).sum()),
            "tau": None if np.isnan(self._tau) else float(f"{self._tau:.6g}"),
        }
