"""What each record still adds to what a growing set and some examples share: log-determinant mutual information.

With `S` the products of features and a ridge `r`, the set A and the examples Q share

    log det(S_A + r I) - log det(S_A + r I - eta^2 S_AQ (S_Q + r I)^-1 S_QA)

(Iyer et al. 2021): the volume of the set, over that which is left of it beside the examples. What a record adds is the
logarithm of what is left of its square beside the set, over what is left beside the set and the examples. Both fall
with each record that is taken, by the square of one direction; what a record adds may rise: the set may make it tell
more of the examples. So nothing is a bound, and all are brought up to date at each step, in one pass.

At `eta` up to 1 no record adds less than 0: the volume beside the examples is nowhere larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.budget.filling import Filling
from tamis.select.gain.proposals import PROPOSED, dealt, inside
from tamis.select.gain.submodular import take
from tamis.select.given.embedded import Embedded
from tamis.select.steps.determinantal import DUST, Rows, leverage
from tamis.select.steps.volumes import covered, log_volume, metric, units
from tamis.vectors.dots import dot
from tamis.vectors.similarity import Space
from tamis.vectors.tiles import subset

__all__ = ["Mutual", "Told"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_WHOLE = 1 << 30  # records times choices that are judged at once


class Mutual:
    """What `n` records add to what the set shares with the examples.

    Attributes
    ----------
    gains : float64 array of shape (n,)
        What each would add now; at least 0.
    looked : int
        How often a record was compared with one that was taken, or with a direction of the examples.
    """

    unit = 1

    def __init__(self, rows: Rows, beside: _Floats, ridge: float) -> None:
        """Start with an empty set, for examples given by the directions that they cover (`m x d`), times eta."""
        self.rows = rows
        self._left = rows.diagonal + ridge
        self._less = np.maximum(self._left - leverage(rows, beside), 0.0)
        self._dust = DUST * float(self._left.max(initial=0.0))
        self._ridge, self._alone, self._beside = ridge, np.eye(rows.width), metric(beside, rows.width)
        self.looked = len(rows) * len(beside)
        self.gains = np.empty(len(rows))
        self._lower(np.zeros(rows.width), np.zeros(rows.width))

    def add(self, candidate: int) -> None:
        """Take a candidate; of one of which nothing is left, nothing is taken from others."""
        feature = self.rows.feature(candidate)
        alone = _taken(self._alone, feature, float(self._left[candidate]), self._dust)
        beside = _taken(self._beside, feature, float(self._less[candidate]), self._dust)
        self._lower(alone, beside)
        self.looked += len(self.rows)

    def _lower(self, alone: _Floats, beside: _Floats) -> None:
        def one(i: int) -> None:
            part = slice(*self.rows.span(i))
            arrays = (self._left[part], self._less[part], self.gains[part])
            _lowered(self.rows.block(i), self.rows.factor[part], alone, beside, self._dust, *arrays)

        self.rows.each(one)


@dataclass(frozen=True)
class Told:
    """What the set tells of the examples: the choice by `Mutual`, of the whole pool or of what its parts propose.

    "parts", and "auto" where the pool times the budget is above `_WHOLE`: the choice is made among twice as many as are
    wanted.
    """

    metric: str
    eta: float
    ridge: float
    algorithm: str

    def __post_init__(self) -> None:
        """Check the options; OptionError for a kernel that may have no logarithm of its determinant."""
        if self.metric != "cosine" or self.eta > 1 or self.algorithm not in ("auto", "whole", "parts"):
            raise OptionError(
                "method 'like', form 'logdetmi': expected metric=cosine, eta of at most 1 and algorithm auto, whole or"
                f" parts, got metric={self.metric}, eta={self.eta:g} and algorithm={self.algorithm}. Other forms take"
                " more."
            )

    def holds(self, n: int, examples: int) -> int:  # noqa: ARG002
        """Return the bytes of the numbers a record and of the vectors as float32, where they are few."""
        return 60 * n + min(1 << 30, 1024 * n)

    def choose(
        self, found: Embedded, examples: NDArray[Any], price: _Floats, filling: Filling
    ) -> tuple[dict[str, Any], int]:
        """Offer what adds most, and return facts, and how many products of a record with a choice were computed."""
        beside = self.eta * covered(units(examples), self.ridge)
        kept, every = found.among(filling.kept), np.arange(len(found))
        most, looked, facts = len(kept) + filling.rows, 0, {}
        fits = len(found) * most <= _WHOLE or PROPOSED * most >= len(found)
        if self.algorithm == "parts" or (self.algorithm == "auto" and not fits):
            count = max(2, math.ceil(len(found) * PROPOSED * most / _WHOLE))
            proposals = [kept]
            for part in dealt(every, found.keys, count, "like"):
                state, told = Mutual(Rows(found.x[part], "cosine"), beside, self.ridge), np.empty(len(part))
                few = inside(filling, found.rows[part], math.ceil(PROPOSED * most / count))
                taken, _ = take(state, few, np.arange(len(part)), price[part], told)
                found.score[found.rows[part]] = told
                proposals.append(part[taken])
                looked += state.looked
            every = np.unique(np.concatenate(proposals))
            facts = {"parts": count, "proposals": len(every)}
        state = Mutual(Rows(subset(found.x, every), "cosine"), beside, self.ridge)
        for place in np.searchsorted(every, kept).tolist():
            state.add(place)
        take(state, filling, found.rows[every], price[every], found.score)
        looked += state.looked
        return {"algorithm": "parts" if facts else "whole", **facts, "comparisons": looked}, looked

    def value(self, space: Space, chosen: _Ints, examples: NDArray[Any]) -> float:
        """Return what the `chosen` of a space's rows share with the examples. O((k + q) d^2)."""
        features, beside = units(space.tiles.x[chosen]), self.eta * covered(units(examples), self.ridge)
        return log_volume(features, self.ridge) - log_volume(features, self.ridge, beside)


def _taken(matrix: _Floats, feature: _Floats, left: float, dust: float) -> _Floats:
    """Take a feature from the matrix of what is left, and return the direction that it took."""
    if left <= dust:
        return np.zeros(len(feature))
    direction = (matrix * feature).sum(axis=1) / np.sqrt(left)
    matrix -= np.outer(direction, direction)
    return np.asarray(direction)


@njit(nogil=True, cache=True)
def _lowered(block, factor, alone, beside, dust, left, less, gains):  # type: ignore[no-untyped-def]
    """Lower both squares of each record, and write what it adds now."""
    width = len(alone)
    for i in range(len(block)):
        one, other = factor[i] * dot(block[i], alone, width), factor[i] * dot(block[i], beside, width)
        left[i] = max(left[i] - one * one, 0.0)
        less[i] = max(less[i] - other * other, 0.0)
        gains[i] = max(np.log(max(left[i], dust) / max(less[i], dust)), 0.0)
