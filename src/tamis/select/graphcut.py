"""Graph cut: records that are like many others, and unlike one another.

Maximises the sum of the similarities of chosen records to all records, less `penalty` times the sum of those among the
chosen (all ordered pairs, each with itself too):

    f(S) = sum_{i in V, j in S} s_ij - penalty * sum_{i, j in S} s_ij

With similarities of at least 0 it is submodular, and for a penalty of at most 0.5 no record lowers it, so greedy choice
reaches at least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978; the function: Lin and Bilmes 2009 and 2010).

Ours: no matrix is held. The first sum is known from the start, and for `signed` and `euclidean` it is one product with
the sum of all vectors; the second is brought up to date only for records that may be chosen next
(`tamis.select.gain.cutting`). `relative`: the second sum counts n / k times, without which it hardly counts for a small
share of a large pool. Two forms besides (`tamis.select.gain.cut_forms`): among samples, and in parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.cut import Cut
from tamis.select.gain.cut_forms import deal, in_parts, sampled
from tamis.select.gain.cut_of import graph_cut_of
from tamis.select.gain.cutting import Cutting
from tamis.select.gain.likeness import Likeness
from tamis.select.gain.submodular import Grown
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import Space

__all__ = ["Graphcut", "graph_cut", "graph_cut_of"]

_EXACT = 100_000  # records up to which all cosines are added up
_SAMPLE = 20_000  # records that stand for more
_PART = 10_000  # records of a part, at most


def graph_cut(
    x: Any,
    k: int,
    *,
    metric: str = "cosine",
    penalty: float = 0.4,
    relative: bool = False,
    algorithm: str = "auto",
    sample: int | None = None,
    eps: float = 0.1,
    parts: int | None = None,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`); rows of zeros are never chosen.

    Options as those of `Graphcut`; the same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        An option that does not exist or does not fit.
    """
    how: dict[str, Any] = {"algorithm": algorithm, "sample": sample, "eps": eps, "parts": parts}
    method = Graphcut(metric=metric, penalty=penalty, relative=relative, **how)
    rows, chosen = choose(method, k, x, keys=keys, seed=seed)
    return Grown(rows, chosen.score[chosen.rows], float(chosen.facts.get("objective", 0.0)), dict(chosen.facts))


class Graphcut(Greedy):
    """Like many, and unlike one another."""

    name = "graphcut"
    title = "Graph cut"
    source = "Lin and Bilmes 2010; no matrix, bounds brought up to date on demand, and `relative`: ours"
    cost = "cosine O(n^2 d / 2), from `sample` on O(n d sample), else O(n d); then at most O(n d k); O(n) memory"
    promises = "at least 1 - 1/e = 63 % of the best objective (cosine or euclidean, penalty up to 0.5, not relative)"
    use_when = "typical records are wanted, with few that say the same; cheap where cosines count as they are"
    fails_when = "few of many are wanted: the penalty hardly counts, and all come from the densest place (see relative)"
    later = "no comparison of trained models with random selection known"
    flags = Flags(needs_all=True)
    parted_by_memory = False
    growth = 2.0
    parameters = (
        Parameter("penalty", float, 0.4, "lambda: what likeness among the chosen costs; monotone up to 0.5", low=0),
        Parameter("relative", bool, False, "the penalty counts n / k times, so as much as likeness to the pool"),
        Parameter(
            "metric", str, "cosine", "how alike two vectors are; cosine: 0 where negative; signed: as it is",
            ("cosine", "signed", "euclidean"),
        ),
        Parameter(
            "sample", int, None, "cosine: records that stand for the pool; default all, beyond 100,000 20,000", low=1
        ),
        Parameter(
            "algorithm", str, "auto", "all by bounds, parts, or sampled candidates; auto: lazy, for any size",
            ("auto", "lazy", "parts", "stochastic"),
        ),
        Parameter("parts", int, None, "parts: how many; default as many as have 10,000 records or less", low=1),
        Parameter("eps", float, 0.1, "stochastic: log(1 / eps) n / k candidates a step", low=1e-6, high=0.999),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )  # fmt: skip

    penalty: float
    relative: bool
    metric: str
    sample: int | None
    algorithm: str
    parts: int | None
    eps: float
    per_token: bool
    _cut: Cut | None = None
    _looked = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The seed draws the sample and the candidates, and deals the parts.
        if (self.sample is not None and self.metric == "cosine") or self.algorithm in ("parts", "stochastic"):
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, of a few columns, and of the vectors that all are compared with."""
        compared = 0 if self.metric != "cosine" else n if n <= _EXACT else _SAMPLE
        return 100 * n + min(256 * n, 1 << 27) + 1024 * min(compared, self.sample or compared)

    def operations(self) -> int:
        """Return how many similarities the last choice looked at."""
        return self._looked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        found = Embedded(pool, self.name)
        rows, score = found.rows, found.score
        self._looked, self._cut = 0, None
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        space = Space(found.x, "euclidean" if self.metric == "euclidean" else "cosine")
        size = self.sample or (_SAMPLE if len(rows) > _EXACT else len(rows))
        likeness = Likeness(space, linear=self.metric != "cosine", sample=size, keys=found.keys, seed=seed)
        kept, price = found.among(filling.kept), prices(filling, self.per_token)[rows]
        times = max(1.0, len(rows) / max(1, len(kept) + filling.rows)) if self.relative else 1.0
        parts = deal(found.keys, self.parts or -(-len(rows) // _PART), seed) if self.algorithm == "parts" else []
        sums = likeness.in_parts(parts, kept) if parts else likeness.of_all()
        cut = Cut(space, sums, self.penalty * times, signed=self.metric == "signed")
        work = Cutting(cut, filling, rows, price)
        work.begin(kept)
        facts = {"penalty": cut.penalty}
        if parts:
            facts |= in_parts(work, parts, likeness)
        elif self.algorithm == "stochastic":
            facts |= sampled(work, found.keys, self.eps, seed)
        else:
            work.lazily()
        score[rows] = work.gains()
        if likeness.size < len(rows):
            facts["judged_on"] = likeness.size
        self._cut, self._looked = cut, likeness.looked + cut.looked
        facts["similarities"] = self._looked
        left = rows[np.argsort(-score[rows] / price, kind="stable")]
        return found.ranking(filling.order(left), "graphcut: adds most to what is there", facts)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the objective; where a sample stood for the pool, the one by that sample."""
        if self._cut is None:
            return chosen
        found = Embedded(pool, self.name).among(chosen.rows)
        value, self._cut = self._cut.value(np.sort(found)), None
        return replace(chosen, facts={**chosen.facts, "objective": value})
