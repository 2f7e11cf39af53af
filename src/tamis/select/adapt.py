"""Every skill its share, and in each the levels of the score that tells its records apart best.

Source: Adapt-infinity, "Scalable Lifelong Multimodal Instruction Tuning via Dynamic Data Selection" (2024): clusters
are pseudo-skills; in each, of several scores, the one whose histogram of 50 bins has the largest entropy; budgets by
water-filling; inside, all levels of that score in equal numbers, as in CCS. Its permanent pruning is `semdedup`.

Ours: the histogram is over four standard deviations of the score *in the cluster* on either side of its mean. The
released code takes raw standard deviations after standardising, so that its choice depends on a score's unit. Budgets
by spread compare the standard deviation in the cluster with that of all. Levels are visited as in CCS.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.budget.shares import apportioned
from tamis.select.ccs import Ccs
from tamis.select.given.arrays import one_each
from tamis.select.given.direction import directed
from tamis.select.steps.histogram import entropy, spread, standard
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Adapt", "adapt"]

_INSIDE = ("levels", "middle", "lowest")

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def adapt(
    x: Any,
    k: int,
    scores: Any,
    *,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
    **options: Any,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`), each cluster's by the one of `scores` that tells most there.

    `scores` maps names to `n` numbers each, the hardest highest. Options as those of `Adapt`, without `signals`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row or a score that is not finite, a score to take the logarithm of that is not above 0.
    OptionError
        No scores, an option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    columns = {name: one_each(values, order, len(x), f"score '{name}'") for name, values in scores.items()}
    method = Adapt(signals=",".join(columns), **options)
    method._budget = k
    rows = method.rank(Pool(keys, {"vectors": x, **columns}), seed).order[:k]
    return rows if order is None else order[rows]


@dataclass(frozen=True, eq=False)
class _Skill:
    """A cluster: its rows best first, their standardised scores, and what was found out."""

    rows: _Ints
    z: _Floats
    scorer: int
    entropy: float
    spread: float


class Adapt(Selector):
    """Clusters as skills, a score of its own for each, and every level of it."""

    name = "adapt"
    title = "Skills with their own score, every level of it"
    source = "Adapt-infinity (2024); the histogram's reach, the unit of spreads and the order of levels are ours"
    cost = "k-means, then O(n (m + log n)) time for m signals; 60 + 8 m bytes a record"
    promises = (
        "with `budgets=even` any two skills get numbers that differ by one at most, unless the smaller is used up; the"
        " scorer of a skill does not depend on the scores' units; nothing about a model"
    )
    use_when = "skills are mixed, several scores say how hard a record is, and none is right for all skills"
    fails_when = "a score is noise spread evenly: its histogram has the largest entropy, and it is picked"
    later = "no later comparison known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("signals", str, REQUIRED, "the scores to pick from, the hardest highest: SIGNAL[:asc],SIGNAL[:asc]"),
        Parameter("clusters", int, 10, "pseudo-skills: clusters of k-means", low=1),
        Parameter("budgets", str, "even", "the same for all skills, or by their score's spread", ("even", "spread")),
        Parameter("inside", str, "levels", "of a skill: all levels, the middle, the lowest", _INSIDE),
        Parameter("bins", int, 50, "of the histograms, and levels inside a skill", low=2),
        Parameter("logs", str, "perplexity", "those of the signals whose logarithm is taken, by commas"),
    )  # fmt: skip

    signals: str
    clusters: int
    budgets: str
    inside: str
    bins: int
    logs: str
    _budget: int | None = None
    _pins: tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None] = (None, None)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        told = [one.strip() for one in self.signals.split(",")]
        self.scorers = [directed(one, self.name, "signals") for one in told]
        names = [name for name, _ in self.scorers]
        if "" in told or len(set(names)) < len(names):
            raise OptionError(
                f"method 'adapt', option 'signals': expected different signals, SIGNAL,SIGNAL:asc, got"
                f" '{self.signals}'."
            )

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        return ("vectors", *(name for name, _ in self.scorers))

    def holds(self, n: int) -> int:
        """Return the bytes of the scores and what goes with each record."""
        return n * (60 + 8 * len(self.scorers))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with shares for this budget (of tokens: for what so many hold on average), and fill it.

        Must-keep records count in their skill's share, must-drop ones are of none.
        """
        constraints.validate(len(pool))
        aware = copy.copy(self)
        aware._budget = constraints.wanted(len(pool))
        aware._pins = (constraints.keep, constraints.drop)
        return super(Adapt, aware).select(pool, constraints, seed)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order so that the first records hold the shares; the score is that of the skill, standardised in it."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        scores = np.stack([self._scores(pool, name, ascending) for name, ascending in self.scorers])
        rows = np.flatnonzero(~zero & ~np.isnan(scores).any(axis=0))
        score = np.full(len(pool), np.nan)
        facts: dict[str, Any] = {}
        order = rows
        if len(rows):
            part = subset(x, rows)
            found = kmeans(part, self.clusters, seed=seed, spherical=True, keys=pool.keys[rows])
            every = np.array([spread(one[rows]) for one in scores])
            skills = [self._skill(pool, rows[found.labels == c], scores, every, seed) for c in np.unique(found.labels)]
            for skill in skills:
                score[skill.rows] = skill.z
            order, shares = self._shared(skills)
            facts = {"skills": [self._told(skill, share) for skill, share in zip(skills, shares, strict=True)]}
        aside = np.where(zero, 0, 1).astype(np.int8)
        asides = ("adapt: no vector (all zeros)", "adapt: no score (NaN)")
        return Ranking(order, score, "adapt: in its skill's share", aside, asides, facts=facts)

    def _shared(self, skills: list[_Skill]) -> tuple[_Ints, list[int]]:
        """Return the records that are not pinned out, those in their skill's share first, and the shares."""
        labels = np.repeat(np.arange(len(skills), dtype=np.int32), [len(skill.rows) for skill in skills])
        best = np.concatenate([skill.rows for skill in skills])
        weights = np.array([skill.spread if self.budgets == "spread" else 1.0 for skill in skills])
        order, taken = apportioned(best, labels, weights, self._budget or len(best), *self._pins)
        return order, taken.tolist()

    def _scores(self, pool: Pool, name: str, ascending: bool) -> _Floats:
        """Return a signal, the hardest highest, NaN where it is missing."""
        values = pool.numbers(name, self.name).astype(np.float64)
        if np.isinf(values).any():
            raise InputError(
                f"method 'adapt', signal '{name}': expected finite numbers, {_first(np.isinf(values), values)}"
            )
        if name in (one.strip() for one in self.logs.split(",")):
            if (values <= 0).any():
                raise InputError(
                    f"method 'adapt', signal '{name}': expected numbers above 0 to take the logarithm of,"
                    f" {_first(values <= 0, values)} Name others in 'logs'."
                )
            values = np.log(values)
        return -values if ascending else values

    def _skill(self, pool: Pool, rows: _Ints, scores: _Floats, every: _Floats, seed: int) -> _Skill:
        """Return a cluster of `rows` with the scorer of the largest entropy (the first of equals)."""
        found = [entropy(one[rows], self.bins) for one in scores]
        scorer = int(np.argmax(found))
        values = scores[scorer][rows]
        z = standard(values)
        if self.inside == "levels":
            # The levels of the values themselves: those of z differ where rounding does.
            inner = Ccs(by="z", strata=self.bins, clip=0.05)
            order = inner.rank(Pool(pool.keys[rows], {"z": values}), seed).order
        else:
            order = np.argsort(values, kind="stable")
            if self.inside == "middle":
                order = order[np.argsort(np.abs(2 * np.arange(len(rows)) - (len(rows) - 1)), kind="stable")]
        wide = spread(values) / every[scorer] if every[scorer] else 1.0
        return _Skill(rows[order], z[order], scorer, found[scorer], wide)

    def _told(self, skill: _Skill, share: int) -> dict[str, Any]:
        """Return what is told of a skill."""
        name = self.scorers[skill.scorer][0]
        return {"size": len(skill.rows), "share": share, "signal": name, "entropy": round(skill.entropy, 4)}


def _first(wrong: NDArray[np.bool_], values: _Floats) -> str:
    at = int(np.argmax(wrong))
    return f"got {values[at]:g} at record {at}."
