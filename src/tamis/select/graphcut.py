"""Graph cut: records that are like many others, and unlike one another.

Maximises the sum of the similarities of chosen records to all records, less `penalty` times the sum of those among the
chosen (all ordered pairs, each with itself too):

    f(S) = sum_{i in V, j in S} s_ij - penalty * sum_{i, j in S} s_ij

With similarities of at least 0 it is submodular, and for a penalty of at most 0.5 no record lowers it, so greedy choice
reaches at least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978; the function: Lin and Bilmes 2009 and 2010).

Ours: no matrix is held. The first sum is known from the start, and for `signed` and `euclidean` it is one product with
the sum of all vectors; the second is brought up to date only for records that may be chosen next. `relative`: the
second sum counts n / k times, without which it hardly counts for a small share of a large pool.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.submodular import Grown, lazily, take
from tamis.vectors.products import LANES, products
from tamis.vectors.similarity import UNIT, Space
from tamis.vectors.tiles import TILE, canonical, subset, zero_rows
from tamis.vectors.totals import linear_totals, sampled_totals, totals

__all__ = ["Graphcut", "graph_cut", "graph_cut_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("graphcut: no vector (all zeros)",)
_EXACT = 100_000  # records up to which all cosines are added up
_SAMPLE = 20_000  # records that stand for more
_LATE = 64  # records chosen since, up to which one was looked at lately
_AT_ONCE = 64  # panels of chosen records: scores of a block stay small


def graph_cut(
    x: Any,
    k: int,
    *,
    metric: str = "cosine",
    penalty: float = 0.4,
    relative: bool = False,
    sample: int | None = None,
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
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    method = Graphcut(metric=metric, penalty=penalty, relative=relative, sample=sample)
    chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    value = float(chosen.facts.get("objective", 0.0))
    return Grown(rows if order is None else order[rows], gains, value, dict(chosen.facts))


def graph_cut_of(similarity: Any, k: int, *, penalty: float = 0.4) -> Grown:
    """Choose `min(k, n)` rows by a matrix of similarities that is given (`n x n`, symmetric).

    In double precision; ties fall to the first row.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        The matrix is not square, or a number is not finite.
    OptionError
        A penalty below 0.
    """
    k = check_amount(k)
    given = np.asarray(similarity)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or given.dtype.kind not in "fiu":
        raise InputError(f"similarity: expected n x n numbers, got {given.dtype} of shape {given.shape}.")
    if not penalty >= 0:
        raise OptionError(f"penalty: expected at least 0, got {penalty}.")
    sums = np.empty(len(given))

    def one(start: int) -> None:
        np.sum(given[start : start + TILE], axis=1, dtype=np.float64, out=sums[start : start + TILE])

    for _ in Local().map(one, range(0, len(given), TILE)):
        pass
    if not np.isfinite(sums).all():
        raise InputError("similarity: expected finite numbers, got others.")
    state = _Given(given, sums, penalty)
    filling = Constraints(Budget("rows", k)).open(len(given))
    rows, gains = take(state, filling, np.arange(len(given), dtype=np.int64), np.ones(len(given)))
    return Grown(rows, gains, float(gains.sum()), {})


class _Given:
    """What each row would add, by a matrix."""

    unit = 1

    def __init__(self, given: NDArray[Any], sums: _Floats, penalty: float) -> None:
        self.given, self.penalty = given, penalty
        self.gains = sums - penalty * np.diagonal(given)

    def add(self, candidate: int) -> None:
        self.gains -= 2 * self.penalty * self.given[candidate]


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
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )  # fmt: skip

    penalty: float
    relative: bool
    metric: str
    sample: int | None
    per_token: bool
    _cut: _Cut | None = None
    _looked = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.sample is not None and self.metric == "cosine":  # the seed draws the sample
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, and of the vectors that all are compared with."""
        compared = 0 if self.metric != "cosine" else n if n <= _EXACT else _SAMPLE
        return 100 * n + 1024 * min(compared, self.sample or compared)

    def operations(self) -> int:
        """Return how many similarities the last choice looked at."""
        return self._looked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        score = np.full(len(pool), np.nan)
        aside = np.where(zero, 0, -1).astype(np.int8)
        self._looked, self._cut = 0, None
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDE)
        space = Space(subset(x, rows), "euclidean" if self.metric == "euclidean" else "cosine")
        sums, told = self._sums(space, pool.keys[rows], seed)
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        wanted = max(1, len(kept) + filling.rows)
        penalty = self.penalty * (max(1.0, len(rows) / wanted) if self.relative else 1.0)
        cut = _Cut(space, sums, penalty, signed=self.metric == "signed")
        for row in kept.tolist():
            score[rows[row]] = cut.gains(np.array([row]))[0]
            cut.add(row)
        price = prices(filling, self.per_token)[rows]
        _, _, found = lazily(cut, filling, rows, price)
        free = np.ones(len(rows), np.bool_)
        free[kept] = False
        score[rows[free]] = found[free]
        self._looked += cut.looked
        self._cut = cut
        left = rows[np.argsort(-score[rows] / price, kind="stable")]
        facts = {"penalty": penalty, **told, "similarities": self._looked}
        return Ranking(filling.order(left), score, "graphcut: adds most to what is there", aside, _ASIDE, facts=facts)

    def _sums(self, space: Space, keys: NDArray[np.uint64], seed: int) -> tuple[_Floats, dict[str, Any]]:
        """Return the similarities of each record to all, added up, and what there is to tell about it."""
        n, engine = len(space), Local()
        if self.metric != "cosine":
            self._looked += n
            return linear_totals(space, engine), {}
        size = min(n, self.sample or (n if n <= _EXACT else _SAMPLE))
        self._looked += n * size
        if size == n:
            return totals(space, engine).astype(np.float64), {}
        number = uniforms(keys, salt(seed, "graphcut: sample"))
        some = np.sort(np.argsort(number, kind="stable")[:size])
        return np.asarray(sampled_totals(space, some, engine) * (n / size), np.float64), {"judged_on": size}

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the objective; where a sample stood for the pool, the one by that sample."""
        if self._cut is None:
            return chosen
        rows = np.flatnonzero(~zero_rows(pool.vectors("vectors", self.name)))
        found = np.searchsorted(rows, np.sort(chosen.rows[np.isin(chosen.rows, rows)]))
        value, self._cut = self._cut.value(found), None
        return replace(chosen, facts={**chosen.facts, "objective": value})


class _Cut:
    """What records would add: their sums less what likeness to the chosen costs, brought up to date when asked."""

    def __init__(self, space: Space, sums: _Floats, penalty: float, *, signed: bool) -> None:
        self.space, self.sums, self.penalty, self.signed = space, sums, penalty, signed
        self.engine = Local()
        # A negative cosine with a chosen record raises a gain, by at most this.
        self.rise, self.slack = (2 * penalty if signed else 0.0), 0.0
        self.looked = 0
        self._near = np.zeros(len(space), np.int64)  # likeness to the chosen ones that were looked at
        self._seen = np.zeros(len(space), np.int64)  # how many these are
        self._count = 0
        self._panels = np.empty((4, space.tiles.width, LANES), np.float32)  # the chosen ones, for `products`
        self._right = np.empty(4 * LANES, np.float32)  # their squared lengths

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        if self._count == len(self._right):
            self._panels = np.concatenate([self._panels, np.empty_like(self._panels)])
            self._right = np.concatenate([self._right, np.empty_like(self._right)])
        row, right = self.space.some(np.array([candidate]))
        panel, lane = divmod(self._count, LANES)
        if not lane:
            self._panels[panel] = 0.0
        self._panels[panel, :, lane] = row[0]
        self._right[self._count] = right[0]
        self._count += 1

    def gains(self, candidates: _Ints) -> _Floats:
        """Return what candidates would add (whole similarities are 1)."""
        self.looked += int((self._count - self._seen[candidates]).sum())
        # Those that were looked at lately need few products, so they go together.
        late = self._seen[candidates] >= self._count - _LATE
        some = [group for group in (candidates[late], candidates[~late]) if len(group)]
        blocks = [group[at : at + TILE] for group in some for at in range(0, len(group), TILE)]
        if len(blocks) <= 2:
            for block in blocks:
                self._forward(block)
        else:
            for _ in self.engine.map(self._forward, blocks):
                pass
        return np.asarray((self.sums[candidates] - self.penalty * (2.0 * self._near[candidates] + UNIT)) / UNIT)

    def _forward(self, block: _Ints) -> None:
        """Add the likeness of some records to what was chosen since they were looked at."""
        seen = self._seen[block]
        first, last = int(seen.min()) // LANES, -(-self._count // LANES)
        a, left = self.space.some(block) if first < last else (self._panels[0], self._right)
        for at in range(first, last, _AT_ONCE):
            panels = self._panels[at : min(last, at + _AT_ONCE)]
            start, stop = at * LANES, min(self._count, (at + len(panels)) * LANES)
            scores = np.empty((len(a), len(panels) * LANES), np.float32)
            products(a, panels, scores)
            if self.signed:
                _add_signed(scores, seen - start, stop - start, block, self._near)
            else:
                found = np.empty((len(left), stop - start), np.uint16)
                self.space.write(scores, left, self._right[start:stop], found)
                _add(found, seen - start, block, self._near)
        self._seen[block] = self._count

    def value(self, chosen: _Ints) -> float:
        """Return the objective of a set."""
        other = _Cut(self.space, self.sums, self.penalty, signed=self.signed)
        for row in chosen.tolist():
            other.add(row)
        other.gains(chosen)
        among = float(other._near[chosen].sum())
        return (float(np.sum(self.sums[chosen])) - self.penalty * among) / UNIT


@njit(nogil=True, cache=True)
def _add(found, first, rows, near):  # type: ignore[no-untyped-def]
    """Add to `near` each row's similarities from its `first` on."""
    for i in range(len(rows)):
        total = np.int64(0)
        for j in range(max(first[i], np.int64(0)), found.shape[1]):
            total += found[i, j]
        near[rows[i]] += total


@njit(nogil=True, cache=True)
def _add_signed(scores, first, stop, rows, near):  # type: ignore[no-untyped-def]
    """Add to `near` each row's cosines from its `first` on, as whole multiples of 1 / UNIT."""
    for i in range(len(rows)):
        total = np.int64(0)
        for j in range(max(first[i], np.int64(0)), stop):
            total += np.int64(np.floor(scores[i, j] * np.float32(UNIT) + np.float32(0.5)))
        near[rows[i]] += total
