"""Feature-based choice: much of every feature, the more of one there is the less another bit of it counts.

Maximises sum over features u of w_u phi(sum over chosen j of x_ju), phi concave: sqrt(c), log(1 + c), or c / (1 + c)
(Kirchhoff and Bilmes 2014; Stobbe and Krause 2010). Greedy choice reaches at least 1 - 1/e of the optimum (Nemhauser,
Wolsey and Fisher 1978). Of a text the features are its hashed n-grams and x their counts; of vectors their numbers.

No record is compared with another, so memory is that of the features. Gains are computed when asked for, by bounds of
earlier steps (`gain.concave`). Ours: a number of a vector that is below 0 is a feature of its own, of the opposite
sign; and where the features take more than `memory`, the pool is dealt into parts at random (`gain.portions`).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.amounts import Source
from tamis.select.gain.concave import PHI, Sums
from tamis.select.gain.portions import Portions
from tamis.select.gain.submodular import Grown
from tamis.select.given.arrays import choose
from tamis.signals.ngrams import Ngrams

__all__ = ["Features", "feature_based"]

_ASIDE = ("features: nothing in it",)
_BYTES = {"ngrams": 8, "vectors": 2}  # of a feature of a record
_LEAST = 1 << 15


def feature_based(
    x: Any,
    k: int,
    *,
    phi: str = "sqrt",
    weights: Any = None,
    algorithm: str = "auto",
    eps: float = 0.1,
    memory: str | int = "1GB",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`); rows of zeros are never chosen.

    A column is a feature, and its negative numbers are another. `weights` (`d`, default 1 each) say what a column
    counts. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one finite weight of at least 0 a column.
    OptionError
        An option that does not exist or does not fit.
    """
    method = Features(of="vectors", phi=phi, algorithm=algorithm, eps=eps, memory=str(memory))
    rows, chosen = choose(method.weighted(weights), k, x, keys=keys, seed=seed)
    return Grown(rows, chosen.score[chosen.rows], float(chosen.facts["objective"]), dict(chosen.facts))


class Features(Greedy):
    """Much of every feature."""

    name = "features"
    title = "Feature-based choice"
    source = "Kirchhoff and Bilmes 2014; negative numbers as features, and parts: ours"
    cost = "O(features of all records) a few times, and of those looked at for each choice; 8 bytes a feature"
    promises = "at least 1 - 1/e = 63 % of the best objective, up to `memory` and a budget in rows"
    use_when = "the chosen texts should hold as many different words and phrases as they can, with a budget in tokens"
    fails_when = "the budget is in rows: long texts hold most features. Or noise: rare strings are features too"
    later = "no comparison of trained language models with random selection known"
    flags = Flags(needs_all=True)
    growth = 1.3
    parameters = (
        Parameter("of", str, "ngrams", "whose features: hashed n-grams of the text, or vectors", ("ngrams", "vectors")),
        Parameter("phi", str, "sqrt", "how much a feature counts: sqrt(c), log(1 + c), or c / (1 + c)", PHI),
        Parameter("weights", str, "equal", "of n-grams; idf: log(n / records that have it)", ("equal", "idf")),
        Parameter("ngrams", int, 2, "longest n-gram, in words", low=1, high=8),
        Parameter("buckets", int, 65_536, "buckets the n-grams are hashed into", low=1, high=65_536),
        Parameter(
            "algorithm", str, "auto", "all by bounds, parts, or sampled candidates; auto: by size",
            ("auto", "lazy", "parts", "stochastic"),
        ),
        Parameter("eps", float, 0.1, "stochastic: log(1 / eps) n / k candidates a step", low=1e-6, high=0.999),
        Parameter("memory", str, "1GB", "the most that features may take at a time; beyond, the pool is divided"),
        Parameter("parts", int, None, "parts the pool is divided into; default as many as `memory` needs", low=1),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )  # fmt: skip

    of: str
    phi: str
    weights: str
    ngrams: int
    buckets: int
    algorithm: str
    eps: float
    memory: str
    parts: int | None
    per_token: bool
    _given: Any = None
    _computed = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)
        if self._bytes < _LEAST:
            raise OptionError(f"method 'features', option 'memory': expected at least 32KB, got '{self.memory}'.")
        if self.weights == "idf" and self.of == "vectors":
            raise OptionError("method 'features', option 'weights': idf is of n-grams, got it with of=vectors.")
        divided = (self.parts or 1) > 1
        self.parted_by_memory = self.parts is None
        if divided and self.algorithm in ("lazy", "stochastic"):
            raise OptionError(
                f"method 'features', option 'parts': algorithm={self.algorithm} does not divide the pool."
            )
        if divided or self.algorithm in ("parts", "stochastic"):  # the seed deals the parts, and draws the candidates
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]

    def weighted(self, weights: Any) -> Features:
        """Return the method where column `u` of the vectors counts ``weights[u]`` (`d`), whatever its sign.

        Choosing raises InputError where they are not one finite number of at least 0 a column.
        """
        other = copy.copy(self)
        other._given = weights
        return other

    def features(self) -> Ngrams:
        """Return the signal whose columns it reads."""
        return Ngrams(n=self.ngrams, buckets=self.buckets)

    def needs(self) -> tuple[str, ...]:
        """Return the n-grams or the vectors."""
        return (self.of,)

    def holds(self, n: int) -> int:
        """Return the bytes of the features, taken as 400 a record, and of some numbers a record."""
        return 100 * n + min(self._bytes, 400 * _BYTES[self.of] * n)

    def within(self, room: int, n: int) -> Features:
        """Return the method with features of no more than `room`, unless `memory` was given."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        if self.holds(n) <= room or self.memory != default or self.algorithm == "lazy":
            return self
        other = copy.copy(self)  # with the weights it was given
        type(self).__init__(other, **{**self.options, "memory": str(max(room - 100 * n, _LEAST))})
        return other

    def operations(self) -> int:
        """Return how many gains were computed by the last choice."""
        return self._computed

    def _source(self, pool: Pool) -> Source:
        if self.of == "ngrams":
            return Source.of_lists(pool.lists("ngrams", self.name), self.buckets, rare=self.weights == "idf")
        return Source.of_vectors(pool.vectors("vectors", self.name), self._given)

    def _parts(self, source: Source) -> int:
        """Return how many parts the records are dealt into; 1: all are looked at together."""
        held, there = source.each * int(source.sizes.sum()), int((source.sizes > 0).sum())
        needed = math.ceil(held / self._bytes)
        if self.algorithm == "lazy" and needed > 1:
            raise OptionError(
                f"method 'features', algorithm 'lazy': {there:,} records need {held >> 20:,} MB for features, "
                f"memory is {self.memory}. Raise it (-O memory=...), or let algorithm=parts divide the pool."
            )
        return max(1, min(there, self.parts or needed))

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        source = self._source(pool)
        rows = np.flatnonzero(source.sizes > 0)
        aside = np.where(source.sizes > 0, -1, 0).astype(np.int8)
        price = prices(filling, self.per_token)
        work = Portions(source, self.phi, filling, price)
        if self.algorithm == "stochastic":
            facts = work.sampled(rows, self.eps, seed)
        else:
            facts = work.in_parts(rows, pool.keys[rows], self._parts(source), seed)
        self._computed = work.computed
        left = rows[np.argsort(-work.score[rows] / price[rows], kind="stable")]
        words = "features: adds most to what is there"
        told = {"gains": work.computed, **facts}
        return Ranking(filling.order(left), work.score, words, aside, _ASIDE, facts=told)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the objective, and how many features the chosen records have."""
        source = self._source(pool)
        sums = Sums.of(source.weights, self.phi)
        sums.take(source.read(np.sort(chosen.rows)))
        told = {"objective": sums.objective(), "features": int((sums.sums > 0).sum())}
        return replace(chosen, facts={**chosen.facts, **told})
