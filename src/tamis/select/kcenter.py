"""k-center: each next record is the one farthest from all that are chosen.

Farthest-first traversal (Gonzalez 1985): the largest distance of a record to its nearest chosen one is
at most twice the least possible. That is so of Euclidean distances, among vectors of length 1 too; 1 - cosine is
half the square of these, and so at most four times the least. Here it starts from the record nearest to the
mean, or from the must-keep records, so nothing is random. Ours: `outliers`, a share of the records that may
stay far. The next record is the farthest of the others: where Ding, Yu and Wang (2019) draw one at random from
the farthest, to be spared outliers, we take the one just below them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.columns import HELD, Columns, farthest
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import Space

__all__ = ["Kcenter", "kcenter"]


def kcenter(
    x: Any,
    k: int,
    *,
    metric: str = "cosine",
    outliers: float = 0.0,
    keys: NDArray[np.uint64] | None = None,
) -> tuple[NDArray[np.int64], float]:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice, and the covering radius.

    The radius is 1 - cosine, or the Euclidean distance. Rows of zeros are never chosen and not covered.
    Options as those of `Kcenter`; the same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        An option that does not exist or does not fit.
    """
    rows, chosen = choose(Kcenter(metric=metric, outliers=outliers), k, x, keys=keys)
    return rows, chosen.facts.get("radius", 0.0)


class Kcenter(Greedy):
    """The record farthest from all that are chosen, again and again."""

    name = "kcenter"
    title = "k-center, farthest first"
    source = "Gonzalez 1985; `outliers`: ours, after Ding, Yu and Wang 2019"
    cost = "O(n d k) time, 16 columns at a time; O(n) memory besides the vectors"
    promises = "at most twice the smallest possible radius in Euclidean distance, four times in 1 - cosine (outliers=0)"
    use_when = "no record may be far from what is chosen: rare kinds count as much as common ones"
    fails_when = "the pool holds noise: what is farthest from everything is often broken, and is chosen first"
    later = "42.7, random 43.8 in the table of Yu et al. 2024 (WizardLM to 10,000, Llama-2-7B)"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("metric", str, "cosine", "how far apart two vectors are", ("cosine", "euclidean")),
        Parameter("outliers", float, 0.0, "share of the records that may stay far from all", low=0, high=0.5),
    )

    metric: str
    outliers: float
    _asked = 0
    _held = HELD

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the columns and distances."""
        return 80 * n + min(self._held, 1024 * n)

    def within(self, room: int, n: int) -> Kcenter:
        """Return the method holding vectors as float32 only where `room` has it; the choice is the same."""
        other = type(self)(**self.options)
        other._held = min(self._held, max(0, room - 80 * n))
        return other

    def operations(self) -> int:
        """Return how many distances the last choice asked for: a column for each record offered, pinned or the mean.

        Columns come sixteen at a time, so that up to sixteen times as many are computed.
        """
        return self._asked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the farthest; the score is the distance to those chosen, when it was taken or at the end.

        The first record and the must-keep ones have none.
        """
        found = Embedded(pool, self.name)
        rows, score = found.rows, found.score
        self._asked = 0
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        columns = Columns(Space(found.x, self.metric), Local(), self._held)
        apart = np.full(len(rows), np.inf, np.float32)
        kept = found.among(filling.kept)
        for at, row in enumerate(kept.tolist()):
            np.minimum(apart, columns.of(row, lambda at=at: kept[at + 1 :]), out=apart)  # type: ignore[misc]
        spared = int(self.outliers * len(rows))
        waiting = filling.open[rows]
        first = columns.to_mean() if not len(kept) else None
        while not filling.full and waiting.any():
            value = _worth(apart, waiting, spared) if first is None else np.where(waiting, -first, -np.inf)
            best = int(np.argmax(value))
            score[rows[best]] = self._unit(apart[best]) if first is None else np.nan
            if filling.offer(int(rows[best])):
                np.minimum(apart, columns.of(best, farthest(value, waiting)), out=apart)
                first = None
            waiting = filling.open[rows]
        self._asked = columns.asked * len(rows)
        left = np.isfinite(apart)
        left[kept] = False
        left[np.searchsorted(rows, filling.offers)] = False
        score[rows[left]] = self._unit(apart[left])
        order = rows[np.argsort(-apart, kind="stable")]
        facts: dict[str, Any] = {"columns": columns.computed}
        if self.outliers:
            facts["outliers"] = spared
        return found.ranking(filling.order(order), "kcenter: farthest from those before", facts)

    def _unit(self, apart: Any) -> Any:
        return apart if self.metric == "cosine" else np.sqrt(apart)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the covering radius of the choice over the whole pool, with and without the outliers."""
        found = Embedded(pool, self.name)
        some = found.among(chosen.rows)
        if not len(some):
            return chosen
        columns = Columns(Space(found.x, self.metric), Local(), self._held)
        told = np.sort(self._unit(columns.to_nearest(some)))
        self._asked += columns.asked * len(found)
        facts = {"radius": float(told[-1]), "mean_distance": float(told.mean())}
        if self.outliers:
            facts["radius_without_outliers"] = float(told[len(told) - 1 - int(self.outliers * len(told))])
        return replace(chosen, facts={**chosen.facts, **facts})


def _worth(apart: NDArray[np.float32], waiting: NDArray[np.bool_], spared: int) -> NDArray[np.float32]:
    """Return how far each waiting record is; -1 for the others, and for the `spared` farthest if others wait."""
    value = np.where(waiting, apart, np.float32(-1))
    if spared:
        line = np.partition(apart, len(apart) - 1 - spared)[len(apart) - 1 - spared]
        near = np.where(apart <= line, value, np.float32(-1))
        if near.max() >= 0:
            return near
    return value
