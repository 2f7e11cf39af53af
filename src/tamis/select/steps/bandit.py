"""Which of many arms to pull next, when each pull is dear: upper confidence bounds.

Source: UCB1 (Auer, Cesa-Bianchi and Fischer 2002), as QuaD (2024) uses it on clusters: the mean so far plus
`width * sqrt(2 log(all pulls) / its pulls)`. Ours: every arm starts with one virtual pull at the common mean, so that
more arms than pulls are no trouble, and ties fall by a counted draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.select.steps.determinantal import counted

__all__ = ["Bandit"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Bandit:
    """The state of `c` arms.

    Attributes
    ----------
    pulls : int64 array of shape (c,)
        Real ones; the virtual pull comes on top.
    total : float64 array of shape (c,)
        Sum of the rewards of those pulls.
    start : float
        The reward of each virtual pull.
    width : float
        What the confidence is multiplied by, in the unit of rewards; 0 is greedy.
    """

    def __init__(self, arms: int, *, seed: int = 0, width: float = 1.0, start: float = 0.0) -> None:
        self.pulls = np.zeros(arms, np.int64)
        self.total = np.zeros(arms)
        self.start, self.width = start, width
        self._tie = counted(arms, seed, "bandit: ties")

    def means(self) -> _Floats:
        """Return the mean reward of each arm, its virtual pull included."""
        return np.asarray((self.start + self.total) / (1 + self.pulls))

    def bounds(self) -> _Floats:
        """Return the upper confidence bound of each arm."""
        pulls = 1.0 + self.pulls
        return np.asarray(self.means() + self.width * np.sqrt(2.0 * np.log(pulls.sum()) / pulls))

    def pick(self, open_: NDArray[np.bool_], count: int = 1) -> _Ints:
        """Return up to `count` of the arms that are open, of the highest bound first; of equals the least pulled."""
        arms = np.flatnonzero(open_)
        order = np.lexsort((self._tie[arms], self.pulls[arms], -self.bounds()[arms]))
        return np.asarray(arms[order[:count]], np.int64)

    def pulled(self, arms: _Ints, rewards: _Floats) -> None:
        """Take the rewards of one pull of each of some arms."""
        np.add.at(self.pulls, arms, 1)
        np.add.at(self.total, arms, rewards)
