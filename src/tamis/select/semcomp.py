"""Semantic compression: records that cover the neighbourhood of a target, not only the ones nearest to it.

After "Beyond Nearest Neighbors: Semantic Compression and Graph-Augmented Retrieval for Enhanced Vector Search" (2025):
candidates near the query, chosen greedily for coverage and diversity; relevance may be spread over a graph. The paper's
exact terms were not to be had: what follows is reconstructed. With C the candidates, k the budget, s the similarity
and r the nearness to the target (0 to 1), S maximises, greedily,

    coverage * mean over v in C of max over j in S of s(v, j)
      + relevance * mean over S of r(j)  -  diversity * mean over pairs of S of s(i, j)

Ours: all three are means, so that their weights are on one scale whatever the budget; nearness to a target of several
examples is that to the nearest; the blend r = (1 - spread) * nearness + spread * PageRank (`steps.spread`).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.engine.local import Local
from tamis.select.base import Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.around import Around
from tamis.select.gain.submodular import Grown
from tamis.select.given.aimed import Aimed, near_examples
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.steps.spread import mutual, neighbours_of, pagerank
from tamis.vectors.similarity import UNIT, Space, square

__all__ = ["Semcomp", "semcomp"]

_Floats = NDArray[np.float64]
_LEAST = 1 << 15


def semcomp(
    x: Any, target: Any, k: int, *, keys: NDArray[np.uint64] | None = None, seed: int = 0, **options: Any
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`) that cover the neighbourhood of the rows of `target` (`q x d`).

    `options` are those of `Semcomp`. Rows of zeros are never chosen; the same rows whatever the order of `x` and of
    the examples.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, examples of another width.
    OptionError
        An option that does not exist or does not fit.
    """
    return Grown.of(*choose(Semcomp(**options).told([target]), k, x, keys=keys, seed=seed))


class Semcomp(Aimed, Greedy):
    """Records that cover what lies around the target."""

    name = "semcomp"
    title = "Semantic compression: the neighbourhood of a target, covered"
    source = "Beyond Nearest Neighbors (2025), reconstructed from its abstract; scales, terms and blend are ours"
    cost = "O(n q d + c^2 d + c k) for q examples and c candidates, 2 c^2 bytes; with `spread` O(n^2 d) or less more"
    promises = "nothing with diversity above 0; else at least 63 % of the best objective among the candidates"
    use_when = "the nearest records to what you want say the same thing over and over, and you want its surroundings"
    fails_when = "the target is a mixture of far-apart kinds, or nearly all of the pool is near it"
    later = "no later comparison known; the method itself is known from its abstract alone"
    flags = Flags(needs_all=True, needs_target=True)
    parameters = (
        Parameter("candidates", float, 10.0, "records looked at, nearest first, in multiples of the budget", low=1),
        Parameter("coverage", float, 1.0, "weight of the mean similarity of candidates to the nearest chosen", low=0),
        Parameter("relevance", float, 1.0, "weight of the mean nearness of the chosen to the target", low=0),
        Parameter("diversity", float, 0.5, "weight of the mean similarity of two chosen, taken off", low=0),
        Parameter("spread", float, 0.0, "share of nearness that comes over the graph of neighbours", low=0, high=1),
        Parameter("restart", float, 0.15, "spread: how much stays where it was; 1: all", low=0.001, high=1),
        Parameter("neighbours", int, 10, "spread: nearest of each record; joined where both are", low=1),
        Parameter("metric", str, "cosine", "how alike two vectors are", ("cosine", "euclidean")),
        Parameter("memory", str, "1GB", "the most that similarities of candidates may take, such as 500MB"),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )

    candidates: float
    coverage: float
    relevance: float
    diversity: float
    spread: float
    restart: float
    neighbours: int
    metric: str
    memory: str
    per_token: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = max(parse_size(self.memory), _LEAST)

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the candidates' similarities, no more than `memory`, of the graph and the examples."""
        graph = 40 * n * min(self.neighbours, n) if self.spread else 0
        return min(self._bytes, 2 * n * n) + graph + 60 * n + self.held()

    def within(self, room: int, n: int) -> Semcomp:
        """Return the method with candidates whose similarities take no more than `room`, unless `memory` was given."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        if self.holds(n) <= room or self.memory != default:
            return self
        other = copy.copy(self)
        other._bytes = max(min(self._bytes, room - (self.holds(n) - min(self._bytes, 2 * n * n))), _LEAST)
        return other

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer what adds most of the candidates, then what is nearest; the score is what a record added, or would."""
        target = self.examples("target", pool)
        found = Embedded(pool, self.name)
        rows = found.rows
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        space = Space(found.x, self.metric)
        near, facts = self._near(space, target)
        kept = found.among(filling.kept)
        k = max(1, filling.rows + len(filling.kept))
        wanted = min(len(rows), math.ceil(self.candidates * k))
        most = max(1, min(wanted, math.isqrt(self._bytes // 2)))
        if most < wanted:
            facts["candidates_wanted"] = wanted
        nearest = np.argsort(-near, kind="stable")
        few = np.union1d(nearest[:most], kept)
        own = self.relevance * near / k
        found.score[rows] = own
        engine, price = Local(), prices(filling, self.per_token)[rows[few]]
        apart = 2 * self.diversity / (UNIT * max(1, k * (k - 1)))
        with Around(square(space.part(few), engine), own[few], self.coverage, apart, engine.threads) as state:
            for row in np.searchsorted(few, kept).tolist():
                state.add(row)
            found.score[rows[few]] = state.fill(filling, rows[few], price)
            facts |= {
                "candidates": len(few),
                "objective": state.total,
                "candidates_covered": state.covered(),
                "near_target": float(near[few[state.taken]].mean()) if state.taken else 0.0,
                "alike": state.likeness(),
            }
        inside = few[np.argsort(-found.score[rows[few]], kind="stable")]
        order = rows[np.concatenate([inside, nearest[~np.isin(nearest, few)]])]
        return found.ranking(filling.order(order), "semcomp: covers what is near the target", facts)

    def _near(self, space: Space, target: NDArray[Any]) -> tuple[_Floats, dict[str, Any]]:
        """Return each row's nearness to the target, partly from over the graph, and what was found of the graph."""
        near = near_examples(space, target)
        if not self.spread or len(space) < 2:
            return near, {}
        found = neighbours_of(space, self.neighbours)
        graph = mutual(space, found)
        blend = (1 - self.spread) * near + self.spread * pagerank(graph, near, self.restart)
        return blend, {"edges": int(graph.nnz) // 2, "recall": found.recall}
