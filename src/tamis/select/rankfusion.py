"""One ranking out of several: the records that judges together put first.

Three rules. "borda": the mean share of the other records that a record beats (Borda 1781), which is to average ranks.
"rrf": the sum of 1 / (60 + rank), rank 1 the best (reciprocal rank fusion, Cormack, Clarke and Buettcher 2009): being
first with one judge counts for more than being middling with all. "convex": a weighted mean of the signals, each first
brought to one scale, from 0 to 1 or to mean 0 and variance 1; so distances count and not ranks alone (Bruch, Gai and
Ingber 2023). Ours: weights for all three, tied records share the mean of their ranks, and one that lacks a signal is
set aside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.given.judges import agreement, points, ranks, rated, signs, table, weighed

__all__ = ["Rankfusion", "fused", "rankfusion"]

_Floats = NDArray[np.float64]

RULES = ("borda", "rrf", "convex")
SCALES = ("range", "spread")


def rankfusion(
    scores: Any, k: int, *, rule: str = "borda", weights: Any = None, constant: float = 60.0, scale: str = "range"
) -> NDArray[np.int64]:
    """Return the `min(k, n)` rows of `scores` (`n x m`, more is better) that `rule` puts first, best first.

    `weights` are `m` numbers, or none for equal ones; other options as those of `Rankfusion`. Ties go to the
    lower row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x m` numbers.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x = table(scores, "rankfusion")
    text = None if weights is None else ",".join(repr(float(weight)) for weight in weights)
    names = ",".join(f"judge{j}" for j in range(x.shape[1]))
    method = Rankfusion(signals=names, rule=rule, weights=text, constant=constant, scale=scale)
    return np.argsort(-method.fuse(x), kind="stable")[:k].astype(np.int64)


def fused(
    scores: _Floats, weights: _Floats, *, rule: str = "borda", constant: float = 60.0, scale: str = "range"
) -> _Floats:
    """Return what `rule` makes of `n x m` scores with `m` weights that add up to 1 (`n`), more is better.

    "borda" and "convex" with `scale` "range" are from 0 to 1. Raises InputError for "convex" of infinities.
    """
    if rule == "borda":
        each = points(scores) / max(2 * (len(scores) - 1), 1)
    elif rule == "rrf":
        each = 1.0 / (constant + ranks(scores)) * scores.shape[1]  # equal weights give the published sum
    else:
        each = np.stack([_scaled(column, scale) for column in scores.T], axis=1)
    total = np.zeros(len(scores))
    for j, weight in enumerate(weights.tolist()):
        total += weight * each[:, j]
    return total


def _scaled(column: _Floats, scale: str) -> _Floats:
    """Return a signal from 0 to 1, or with mean 0 and variance 1; a constant is 0 throughout."""
    if not np.isfinite(column).all():
        at = int((~np.isfinite(column)).argmax())
        raise InputError(f"rankfusion, rule 'convex': expected finite numbers, got {column[at]} at record {at}.")
    if not len(column):
        return column
    low = float(column.mean()) if scale == "spread" else float(column.min())
    apart = column - low
    width = float(np.sqrt((apart * apart).mean())) if scale == "spread" else float(apart.max())
    # What is left of a constant is rounding: it must not be blown up.
    return apart / width if width > 1e-12 * max(1.0, float(np.abs(column).max())) else np.zeros_like(column)


class Rankfusion(Selector):
    """The records that several signals together put first."""

    name = "rankfusion"
    title = "Best by several signals together"
    source = "Borda 1781; reciprocal rank fusion: Cormack et al. 2009; convex combination: Bruch et al. 2023"
    cost = "O(m n log n) time for m signals, 40 m bytes a record"
    promises = (
        "borda and rrf do not change when a signal is stretched, shifted or passed through any rising function;"
        " a record that beats another with every judge stands before it"
    )
    use_when = "several signals of quality, on different scales, and no reason to trust one alone"
    fails_when = "the signals measure one thing several times: that one then outvotes the others"
    later = (
        "Bruch et al. 2023, on search results: convex beats rrf, and rrf depends on its constant;"
        " no figure of a trained model known"
    )
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("signals", str, REQUIRED, "the signals, separated by commas; SIGNAL:asc where less is better"),
        Parameter("rule", str, "borda", "mean of ranks, reciprocal ranks, or mean of the scaled signals", RULES),
        Parameter("weights", str, None, "a number for each signal, separated by commas; default equal ones"),
        Parameter("constant", float, 60.0, "of rrf: how little the first place counts above the next", low=0),
        Parameter("scale", str, "range", "of convex: from 0 to 1, or mean 0 and variance 1", SCALES),
    )

    signals: str
    rule: str
    weights: str | None
    constant: float
    scale: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wanted = signs(self.signals, self.name)
        self.shares = weighed(self.weights, len(self.wanted), self.name)

    def needs(self) -> tuple[str, ...]:
        """Return the signals."""
        return tuple(self.wanted)

    def holds(self, n: int) -> int:
        """Return the bytes of scores, ranks and what they become."""
        return 40 * n * len(self.wanted)

    def fuse(self, scores: _Floats) -> _Floats:
        """Return the fused score of `n x m` scores (`n`), more is better."""
        return fused(scores, self.shares, rule=self.rule, constant=self.constant, scale=self.scale)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - nothing here is random
        """Order by the fused score; a record that lacks a signal (NaN) is set aside."""
        scores, rows = rated(pool, self.wanted, self.name)
        found = self.fuse(scores)
        score = np.full(len(pool), np.nan)
        score[rows] = found
        alike = agreement(scores)
        facts = {"agreement": None if np.isnan(alike) else round(alike, 6)}
        why = ("rankfusion: lacks a signal (NaN)",)
        order = rows[np.argsort(-found, kind="stable")]
        return Ranking(order, score, f"rankfusion: best by {self.rule}", np.zeros(len(pool), np.int8), why, facts=facts)
