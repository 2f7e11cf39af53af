"""A budget filled in rounds: what a model made of the last draw decides how the next is shared among the clusters.

Source: the iterative form of kMQ, "Diversify and Conquer" (2024): weights start equal; a round draws its part of the
budget by them, trains, and scores what it drew; each weight is multiplied by the mean score of its cluster.

Ours: shares are rounded by largest remainders, what a cluster is too small for goes to the others; a cluster of which
nothing was drawn keeps its weight beside the others; two ways with scores below 0; and the open budget, so that
only records that are really taken are scored. `released` is what the authors' code does: the exponential of the
mean alone, without the weights before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.budget.filling import Filling
from tamis.select.budget.shares import quotas, shared

__all__ = ["UPDATES", "Rounds", "asked", "updated"]

UPDATES = ("clip", "softmax", "released")
"""What a mean score does to a weight: times it, 0 where below; times its exponential; its exponential instead."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def updated(weights: _Floats, means: _Floats, update: str) -> _Floats:
    """Return the weights of `c` clusters after a round, adding up to 1.

    Parameters
    ----------
    weights : float64 array of shape (c,)
        Before it, not negative, adding up to 1.
    means : float64 array of shape (c,)
        Of the scores in each cluster; NaN where nothing was drawn: then the weight stays, beside the others.
    update : str
        One of `UPDATES`.
    """
    seen = ~np.isnan(means)
    if not seen.any():
        return weights.copy()
    clip = update == "clip"
    factor = np.maximum(means[seen], 0.0) if clip else np.exp(means[seen] - means[seen].max())
    base = np.ones(len(weights)) if update == "released" else weights
    before = float(base[seen].sum())
    out = base.copy()
    out[seen] = base[seen] * (factor / (factor.max() or 1.0))
    # What the drawn ones were multiplied by together, the others are too.
    out[~seen] *= float(out[seen].sum()) / before if before else 1.0
    total = float(out.sum())
    return np.asarray(out / total) if total > 0 else weights.copy()


def asked(score: Callable[[_Ints], Any], places: _Ints, method: str) -> _Floats:
    """Return what the user's function says of records, `m` numbers that may be NaN.

    Raises
    ------
    InputError
        Not one number a record, or an infinite one.
    """
    answer = score(places)
    try:
        found = np.asarray(answer, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"method '{method}', option 'score': expected {len(places)} numbers from the function, got"
            f" {type(answer).__name__}: {error}."
        ) from error
    if found.shape != places.shape:
        raise InputError(
            f"method '{method}', option 'score': expected {len(places)} numbers from the function, one a record, got an"
            f" array of shape {found.shape}."
        )
    if np.isinf(found).any():
        at = int(np.argmax(np.isinf(found)))
        raise InputError(
            f"method '{method}', option 'score': expected finite numbers from the function, got {found[at]} for"
            f" record {places[at]}."
        )
    return found


@dataclass
class Rounds:
    """Draws from `c` clusters in rounds.

    Attributes
    ----------
    rows : int64 array of shape (m,)
        What may be drawn, best first within each cluster.
    labels : int32 array of shape (n,)
        The cluster of each record of the pool, -1 for one that cannot be drawn.
    weights : float64 array of shape (c,)
        Of the clusters, as they are after the last round.
    told : list
        Of each round: records and the mean of their scores.
    """

    rows: _Ints
    labels: NDArray[np.int32]
    weights: _Floats
    told: list[dict[str, Any]] = field(default_factory=list)

    def fill(self, filling: Filling, rounds: int, score: Callable[[_Ints], _Floats], update: str) -> None:
        """Offer records to `filling` until it is full; `score` is asked about each round's but the last.

        Must-keep records are of the first round.
        """
        kept = filling.kept[self.labels[filling.kept] >= 0]
        for number in range(rounds):
            last = number == rounds - 1
            new = self.draw(filling, None if last else -(-filling.rows // (rounds - number)))
            if number == 0:
                new = np.concatenate([kept, new])
            self.told.append({"records": len(new)})
            if last or not len(new):
                continue
            found = score(new)
            labels, clusters = self.labels[new], len(self.weights)
            known = ~np.isnan(found)
            count = np.bincount(labels[known], minlength=clusters)
            total = np.bincount(labels[known], found[known], minlength=clusters)
            with np.errstate(invalid="ignore", divide="ignore"):
                self.weights = updated(self.weights, np.where(count > 0, total / count, np.nan), update)
            self.told[-1]["score"] = float(f"{found[known].mean():.6g}") if known.any() else None

    def draw(self, filling: Filling, count: int | None) -> _Ints:
        """Take `count` records (None: until it is full) by the weights; what is refused is made up for."""
        taken: list[int] = []
        while not filling.full and (count is None or len(taken) < count):
            rows = self.rows[filling.open[self.rows]]
            if not len(rows):
                break
            labels = self.labels[rows]
            left = max(1, filling.rows if count is None else count - len(taken))
            shares = quotas(np.bincount(labels, minlength=len(self.weights)), self.weights, left)
            for row in shared(rows, labels, shares)[: int(shares.sum())].tolist():
                if filling.open[row] and filling.offer(row):
                    taken.append(row)
        return np.asarray(taken, np.int64)
