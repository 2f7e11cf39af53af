"""Semantic near duplicates: of records that mean nearly the same, one stays.

Source: SemDeDup, "Data-efficient learning at web-scale through semantic deduplication" (Abbas et al.
2023): spherical k-means; within a cluster, records are visited farthest from the centroid first
(`keep=hard`), and one goes when its cosine to an earlier one is above 1 - eps.

Ours: a record is compared with those that stay, not with all earlier ones, so that chains of
neighbours do not vanish; with no eps given, the largest one that leaves enough for the budget is
found by bisection; the number of clusters, half the square root of the pool.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints
from tamis.select.given.embedded import Embedded
from tamis.select.steps.duplicates import KEEP, Clusters, Deduplicated
from tamis.vectors.tiles import canonical

__all__ = ["Deduplicated", "Semdedup", "semdedup"]


def semdedup(
    x: Any,
    eps: float,
    *,
    clusters: int | None = None,
    keep: str = "hard",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Deduplicated:
    """Deduplicate `n x d` vectors; rows of zeros are like no other and stay.

    Cosines are good to 1e-6: an `eps` of 1e-5 takes exact copies alone. Options as those of `Semdedup`.

    Raises
    ------
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        `eps` outside 0 to 2, another `keep`.
    """
    if not 0 <= eps <= 2:
        raise OptionError(f"semdedup, eps: expected 0 to 2, got {eps!r}.")
    if keep not in KEEP:
        raise OptionError(f"semdedup, keep: expected one of {', '.join(KEEP)}, got {keep!r}.")
    x, keys, order = canonical(x, keys)
    work = Clusters.of(x, keys, clusters, keep, seed)
    found = work.thin(eps)
    if order is None:
        return found
    kept, neighbour, similarity = np.empty(len(x), np.bool_), np.empty(len(x), np.int64), np.empty(len(x))
    kept[order], similarity[order] = found.kept, found.similarity
    neighbour[order] = np.where(found.neighbour >= 0, order[found.neighbour], -1)
    return Deduplicated(kept, neighbour, similarity, eps)


class Semdedup(Selector):
    """Records that are no near duplicates in meaning, the least redundant first."""

    name = "semdedup"
    title = "Semantic deduplication"
    source = "SemDeDup (2023); comparing only with records that stay, and eps from the budget, are ours"
    cost = "k-means, then O(n d) times the records of a cluster, 2 sqrt(n) on average; up to 20 times without eps"
    promises = "no two of one cluster with a cosine above 1 - eps, which is given or found from the budget"
    use_when = "the pool says the same things again in other words"
    fails_when = "duplicates lie across cluster borders, or vectors blur what matters (numbers, names, negations)"
    later = "no figure of a language model beside random known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("eps", float, None, "1 - cosine below which one of two goes; default by budget", low=0, high=2),
        Parameter("clusters", int, None, "clusters; default half the square root of the pool", low=1),
        Parameter("keep", str, "hard", "of duplicates, the one far from the centroid, near it, or any", KEEP),
    )

    eps: float | None
    clusters: int | None
    keep: str
    _budget: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.eps is not None:  # duplicates stay out whatever the budget
            self.flags = replace(type(self).flags, at_most=True)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by the cosine to the neighbour, least first; the score is 1 - cosine (2 without one).

        With `eps`, duplicates are set aside; without, they come last, and only if the rest is
        not enough.
        """
        found = Embedded(pool, self.name)
        rows, score = found.rows, found.score
        aside = np.where(found.aside < 0, 1, found.aside).astype(np.int8)
        cosine, neighbour = np.full(len(pool), np.nan), np.full(len(pool), -1, np.int64)
        if not len(rows):
            return Ranking(rows, score, "semdedup", aside, _asides(0.0), neighbour, cosine)
        work = Clusters.of(found.x, found.keys, self.clusters, self.keep, seed)
        left = work.thin(self.eps) if self.eps is not None else work.thin_to(self._budget or len(rows))
        score[rows] = 1.0 - left.similarity
        by_novelty = np.lexsort((np.arange(len(rows)), left.similarity, ~left.kept))
        order = by_novelty[: int(left.kept.sum())] if self.eps is not None else by_novelty
        gone = rows[~left.kept]
        neighbour[gone] = rows[left.neighbour[~left.kept]]
        cosine[gone] = left.similarity[~left.kept]
        facts = {"eps": left.eps, "clusters": len(work.edges) - 1, "duplicates": len(gone)}
        return Ranking(
            rows[order], score, "semdedup: unlike those that stay", aside, _asides(left.eps), neighbour, cosine, facts
        )

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool`, with eps from the budget unless it is given, and fill it from the top.

        A duplicate that the budget did not need after all says so, and names its neighbour.
        """
        constraints.validate(len(pool))
        aware = type(self)(**self.options)
        if constraints.budget.unit == "rows":
            dropped = 0 if constraints.drop is None else int(constraints.drop.sum())
            aware._budget = constraints.budget.rows(len(pool) - dropped)
        elif constraints.cost is not None and len(pool):
            aware._budget = max(1, int(constraints.budget.amount / max(1.0, float(np.mean(constraints.cost)))))
        chosen = Selector.select(aware, pool, constraints, seed)
        if chosen.neighbour is None or chosen.similarity is None:
            return chosen
        # Of a chosen record, or one pinned out, nothing is to be explained.
        gone = (chosen.neighbour >= 0) & (chosen.rank < 0)
        if constraints.drop is not None:
            gone &= ~constraints.drop
        why = _asides(float(chosen.facts["eps"]))[1] if chosen.facts else _asides(0.0)[1]
        return replace(
            chosen,
            reason=np.where(gone, len(chosen.reasons), chosen.reason).astype(np.int32),
            reasons=(*chosen.reasons, why),
            neighbour=np.where(gone, chosen.neighbour, -1),
            similarity=np.where(gone, chosen.similarity, np.nan),
        )


def _asides(eps: float) -> tuple[str, str]:
    return "semdedup: no vector (all zeros)", f"semdedup: cosine above {1 - eps:.6f} to a record that stays"
