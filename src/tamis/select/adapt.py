"""Every skill its share, and in each the levels of the score that tells its records apart best.

Source: Adapt-infinity, "Scalable Lifelong Multimodal Instruction Tuning via Dynamic Data Selection" (2024): clusters
are pseudo-skills; in each, of several scores, the one whose histogram of 50 bins has the largest entropy; budgets by
water-filling; inside, all levels of that score in equal numbers, as in CCS. Its permanent pruning is `semdedup`.

Ours: the histogram is over four standard deviations of the score *in the cluster* on either side of its mean. The
released code takes raw standard deviations after standardising, so that its choice depends on a score's unit. Budgets
by spread compare the standard deviation in the cluster with that of all. Levels are visited as in CCS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.aware import Aware
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.shares import apportioned
from tamis.select.given.arrays import given, one_each
from tamis.select.given.direction import directed
from tamis.select.given.embedded import Embedded
from tamis.select.given.usable import check_usable
from tamis.select.steps.histogram import entropy, spread, standard
from tamis.select.steps.strata import in_turn, strata_of
from tamis.vectors.kmeans import kmeans

__all__ = ["Adapt", "adapt"]

_INSIDE = ("levels", "middle", "lowest")

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


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
    k, found = check_amount(k), given(x, keys)
    n = len(found.pool)
    columns = {name: one_each(values, found.order, n, f"score '{name}'") for name, values in scores.items()}
    pool = Pool(found.pool.keys, {**found.pool.columns, **columns})
    method = Adapt(signals=",".join(columns), **options)
    return found.back(method.select(pool, Constraints(Budget("rows", k)), seed).rows)


@dataclass(frozen=True, eq=False)
class _Skill:
    """A cluster: its rows best first, their standardised scores, and what was found out."""

    rows: _Ints
    z: _Floats
    scorer: int
    entropy: float
    spread: float


class Adapt(Aware):
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

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Order so that the first records hold the shares; the score is that of the skill, standardised in it.

        Records to keep count in their skill's share, those to drop are of none.
        """
        scores = np.stack([self._scores(pool, name, ascending) for name, ascending in self.scorers])
        found = Embedded(pool, self.name, lacking={"no score (NaN)": np.asarray(np.isnan(scores).any(axis=0))})
        facts: dict[str, Any] = {}
        order = found.rows
        if len(found):
            clustered = kmeans(found.x, self.clusters, seed=seed, spherical=True, keys=found.keys).labels
            every = np.array([spread(one[found.rows]) for one in scores])
            inside = [found.rows[clustered == c] for c in np.unique(clustered)]
            skills = [self._skill(pool, rows, scores, every, seed) for rows in inside]
            labels = np.repeat(np.arange(len(skills), dtype=np.int32), [len(skill.rows) for skill in skills])
            best = np.concatenate([skill.rows for skill in skills])
            found.score[best] = np.concatenate([skill.z for skill in skills])
            weights = np.array([skill.spread if self.budgets == "spread" else 1.0 for skill in skills])
            order, shares = apportioned(best, labels, weights, wanted, keep, drop)
            facts = {"skills": [self._told(*one) for one in zip(skills, shares.tolist(), strict=True)]}
        return found.ranking(order, "adapt: in its skill's share", facts)

    def _scores(self, pool: Pool, name: str, ascending: bool) -> _Floats:
        """Return a signal, the hardest highest, NaN where it is missing."""
        values = pool.numbers(name, self.name).astype(np.float64)
        what = f"method 'adapt', signal '{name}'"
        check_usable(values, np.isinf(values), what, "finite numbers")
        if name in (one.strip() for one in self.logs.split(",")):
            expected = "numbers above 0 to take the logarithm of"
            check_usable(values, values <= 0, what, expected, "Name others in 'logs'.")
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
            chance = uniforms(pool.keys[rows], salt(seed, "ccs"))
            order = in_turn(strata_of(values, self.bins, 0.05), chance)
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
