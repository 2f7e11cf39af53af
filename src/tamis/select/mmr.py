"""Maximal marginal relevance: good records that are unlike those already chosen.

The next record is argmax of balance * relevance - (1 - balance) * (largest cosine to those chosen)
(Carbonell and Goldstein 1998). Ours: relevance by a signal counts by its rank in the pool, from 0 to 1, so that
it is on the scale of cosines whatever its own; without a signal it is the cosine to the pool's mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.engine.local import Local
from tamis.select.base import Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.columns import HELD, Columns, farthest
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import Space

__all__ = ["Mmr", "mmr"]


def mmr(
    x: Any,
    k: int,
    relevance: Any = None,
    *,
    balance: float = 0.5,
    metric: str = "cosine",
    keys: NDArray[np.uint64] | None = None,
) -> NDArray[np.int64]:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice.

    `relevance` (`n`) counts by its ranks; without it, the similarity to the mean. Rows of zeros and rows
    without relevance (NaN) are never chosen. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one relevance a row.
    OptionError
        `balance` outside 0 to 1.
    """
    method = Mmr(balance=balance, metric=metric, quality=None if relevance is None else "relevance")
    return choose(method, k, x, keys=keys, relevance=relevance)[0]


class Mmr(Greedy):
    """Good, and unlike what is there already."""

    name = "mmr"
    title = "Maximal marginal relevance"
    source = "Carbonell and Goldstein 1998; ranks of the signal: ours"
    cost = "O(n d k) time, 16 columns at a time; O(n) memory besides the vectors"
    promises = "nothing"
    use_when = "a signal says what is good, and the best are too much alike"
    fails_when = (
        "many are wanted: after a few hundred every record is like some chosen one, and the signal decides alone"
    )
    later = "a way of ranking search results; no comparison of trained models known"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("quality", str, None, "the signal that says how good a record is; default nearness to the mean"),
        Parameter("balance", float, 0.5, "1: quality alone; 0: difference alone", low=0, high=1),
        Parameter("metric", str, "cosine", "how alike two vectors are", ("cosine", "euclidean")),
    )

    quality: str | None
    balance: float
    metric: str
    _asked = 0
    _held = HELD

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal."""
        return ("vectors", self.quality) if self.quality else ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the columns and scores."""
        return 100 * n + min(self._held, 1024 * n)

    def within(self, room: int, n: int) -> Mmr:
        """Return the method holding vectors as float32 only where `room` has it; the choice is the same."""
        other = type(self)(**self.options)
        other._held = min(self._held, max(0, room - 100 * n))
        return other

    def operations(self) -> int:
        """Return how many cosines the last choice asked for: a column for each record offered, pinned or the mean.

        Columns come sixteen at a time, so that up to sixteen times as many are computed.
        """
        return self._asked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the best of what waits; the score is the marginal relevance, when it was taken or at the end."""
        # A must-keep record without quality is chosen, so others are compared with it.
        signals = {"quality": self.quality} if self.quality else None
        found = Embedded(pool, self.name, signals, besides=filling.kept)
        rows, score = found.rows, found.score
        self._asked = 0
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        space = Space(found.x, self.metric)
        columns = Columns(space, Local(), self._held)
        good = _ranks(found.values("quality")) if self.quality else np.float32(1) - columns.to_mean() * space.scale
        alike = np.full(len(rows), -np.inf, np.float32)
        kept = found.among(filling.kept)
        for at, row in enumerate(kept.tolist()):
            near = columns.of(row, lambda at=at: kept[at + 1 :])  # type: ignore[misc]
            np.maximum(alike, np.float32(1) - near * space.scale, out=alike)
        value = self._value(good, alike)
        waiting = filling.open[rows]
        while not filling.full and waiting.any():
            best = int(np.argmax(np.where(waiting, value, -np.inf)))
            taken = float(value[best])
            if filling.offer(int(rows[best])):
                near = columns.of(best, farthest(value, waiting))
                np.maximum(alike, np.float32(1) - near * space.scale, out=alike)
                value = self._value(good, alike)
            score[rows[best]] = taken
            waiting = filling.open[rows]
        self._asked = columns.asked * len(rows)
        left = np.isnan(score[rows])
        score[rows[left]] = value[left]
        order = rows[np.argsort(-value, kind="stable")]
        offered = np.searchsorted(rows, np.asarray(filling.offers, np.int64))
        facts = {}
        if len(offered):
            objective = float(score[rows[offered]].astype(np.float64).mean())
            facts = {
                "mean_marginal_relevance": objective,
                "mean_relevance": float(good[offered].mean(dtype=np.float64)),
            }
        return found.ranking(filling.order(order), "mmr: good and unlike those before", facts)

    def _value(self, good: NDArray[np.float32], alike: NDArray[np.float32]) -> NDArray[np.float32]:
        weight = np.float32(self.balance)
        near = alike if np.isfinite(alike[0]) else np.float32(0)  # nothing is chosen yet
        return np.asarray(weight * good - (np.float32(1) - weight) * near, np.float32)


def _ranks(quality: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the share of the other records that are worse, ties counting half; NaN for those without quality."""
    rated = ~np.isnan(quality)
    out = np.full(len(quality), np.nan, np.float32)
    out[rated] = (rankdata(quality[rated]) - 1) / max(int(rated.sum()) - 1, 1)
    return out
