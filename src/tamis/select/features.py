"""Feature-based choice: much of every feature, the more of one there is the less another bit of it counts.

Maximises sum over features u of phi(sum over chosen j of x_ju), phi concave: sqrt(c), log(1 + c), or c / (1 + c)
(Kirchhoff and Bilmes 2014; Stobbe and Krause 2010). Greedy choice reaches at least 1 - 1/e of the optimum (Nemhauser,
Wolsey and Fisher 1978). Of a text the features are its hashed n-grams and x their counts; of vectors their numbers.

No record is compared with another, so memory is that of the features. Gains are computed when asked for, by bounds of
earlier steps (`gain.submodular.lazily`). Ours: a number of a vector that is below 0 is a feature of its own, of
the opposite sign; and where the features take more than `memory`, the pool is dealt into parts at random, each part
proposes, and the choice is made among the proposals by the same objective (after GreeDi, Mirzasoleiman et al. 2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy, prices
from tamis.select.gain.submodular import Grown, lazily
from tamis.signals.ngrams import Ngrams
from tamis.vectors.tiles import canonical, zero_rows

__all__ = ["Features", "feature_based"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("features: nothing in it",)
_PHI = ("sqrt", "log", "saturating")
_BYTES = {"ngrams": 8, "vectors": 32}  # of a feature of a record, while they are made
_LEAST = 1 << 15
_PROPOSED = 4  # proposals of all parts, in multiples of the budget
_SHARE = 256  # records that a thread works on


@dataclass(frozen=True, eq=False)
class _Rows:
    """Features of some records: of record `i` `at[offsets[i]:offsets[i + 1]]`, each once, and how much of each."""

    at: NDArray[Any]
    amount: NDArray[np.float32]
    offsets: _Ints


def feature_based(
    x: Any,
    k: int,
    *,
    phi: str = "sqrt",
    memory: str | int = "1GB",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`); rows of zeros are never chosen.

    A column is a feature, and its negative numbers are another. The same rows whatever the order of `x`.

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
    method = Features(of="vectors", phi=phi, memory=str(memory))
    chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    facts = dict(chosen.facts)
    return Grown(rows if order is None else order[rows], gains, float(facts["objective"]), facts)


class Features(Greedy):
    """Much of every feature."""

    name = "features"
    title = "Feature-based choice"
    source = "Kirchhoff and Bilmes 2014; negative numbers as features, fronts of bounds and parts: ours"
    cost = "O(features of all records) a few times, and of those looked at for each choice; 8 bytes a feature"
    promises = "at least 1 - 1/e = 63 % of the best objective, up to `memory` and a budget in rows"
    use_when = "the chosen texts should hold as many different words and phrases as they can, with a budget in tokens"
    fails_when = "the budget is in rows: long texts hold most features. Or noise: rare strings are features too"
    later = "no comparison of trained language models with random selection known"
    flags = Flags(needs_all=True)
    growth = 1.3
    parameters = (
        Parameter("of", str, "ngrams", "whose features: hashed n-grams of the text, or vectors", ("ngrams", "vectors")),
        Parameter("phi", str, "sqrt", "how much a feature counts: sqrt(c), log(1 + c), or c / (1 + c)", _PHI),
        Parameter("ngrams", int, 2, "longest n-gram, in words", low=1, high=8),
        Parameter("buckets", int, 65_536, "buckets the n-grams are hashed into", low=1, high=65_536),
        Parameter("memory", str, "1GB", "the most that features may take at a time; beyond, the pool is divided"),
        Parameter("parts", int, None, "parts the pool is divided into; default as many as `memory` needs", low=1),
        Parameter("per_token", bool, True, "with a token budget, compare gains a token"),
    )

    of: str
    phi: str
    ngrams: int
    buckets: int
    memory: str
    parts: int | None
    per_token: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)
        if self._bytes < _LEAST:
            raise OptionError(f"method 'features', option 'memory': expected at least 32KB, got '{self.memory}'.")
        if (self.parts or 1) > 1:  # the seed deals the parts
            self.flags = replace(type(self).flags, random=True)  # type: ignore[misc]
        self._looked = 0

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
        if self.holds(n) <= room or self.memory != default:
            return self
        return Features(**{**self.options, "memory": str(max(room - 100 * n, _LEAST))})

    def operations(self) -> int:
        """Return how many gains were computed by the last choice."""
        return self._looked

    def _source(self, pool: Pool) -> tuple[Callable[[_Ints], _Rows], _Ints, int]:
        """Return what gives the features of some records, how many each has at most, and how many there are."""
        if self.of == "ngrams":
            lists, buckets = pool.lists("ngrams", self.name), self.buckets
            return lambda rows: _counted(*lists[rows].gathered(), buckets), lists.sizes(), buckets
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        return lambda rows: _numbers(x[rows]), np.where(zero, 0, x.shape[1]), 2 * x.shape[1]

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        source, sizes, count = self._source(pool)
        rows = np.flatnonzero(sizes > 0)
        score = np.full(len(pool), np.nan)
        aside = np.where(sizes > 0, -1, 0).astype(np.int8)
        self._looked = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDE)
        price = prices(filling, self.per_token)
        sums = np.zeros(count)
        for row in filling.kept[sizes[filling.kept] > 0].tolist():
            one = _State(source(np.array([row])), sums, self.phi)
            score[row] = one.gains(np.zeros(1, np.int64))[0]
            one.add(0)
        parts = min(len(rows), self.parts or math.ceil(_BYTES[self.of] * int(sizes.sum()) / self._bytes))
        work = _Work(source, sums, self.phi, filling, price, score)
        facts: dict[str, Any] = {"parts": parts}
        if parts <= 1:
            work.choose(rows, rows)
        else:
            dealt = rows[np.argsort(uniforms(pool.keys[rows], salt(seed, "features")), kind="stable")]
            facts |= work.in_parts([np.sort(part) for part in np.array_split(dealt, parts)])
        self._looked = work.looked
        left = rows[np.argsort(-score[rows] / price[rows], kind="stable")]
        told = {"gains": self._looked, **facts}
        return Ranking(filling.order(left), score, "features: adds most to what is there", aside, _ASIDE, facts=told)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the objective, and how many features the chosen records have."""
        source, _, count = self._source(pool)
        sums = np.zeros(count)
        state = _State(source(np.sort(chosen.rows)), sums, self.phi)
        for row in range(len(chosen.rows)):
            state.add(row)
        told = {"objective": math.fsum(_concave(sums, _PHI.index(self.phi))), "features": int((sums > 0).sum())}
        return replace(chosen, facts={**chosen.facts, **told})


class _Work:
    """Where choosing stands: the features there are, the budget, the scores."""

    def __init__(
        self,
        source: Callable[[_Ints], _Rows],
        sums: _Floats,
        phi: str,
        filling: Filling,
        price: _Floats,
        score: _Floats,
    ) -> None:
        self.source, self.sums, self.phi, self.filling = source, sums, phi, filling
        self.price, self.score = price, score
        self.looked = 0

    def choose(self, rows: _Ints, told: _Ints, most: int | None = None) -> _Ints:
        """Choose among some records, up to `most`; those of `told` get the scores. Return what was taken."""
        state = _State(self.source(rows), self.sums, self.phi)
        taken, _, score = lazily(state, self.filling, rows, self.price[rows], most=most)
        self.looked += state.looked
        new = np.isin(rows, told) & ~np.isin(rows, self.filling.kept)
        self.score[rows[new]] = score[new]
        return rows[taken]

    def in_parts(self, parts: list[_Ints]) -> dict[str, Any]:
        """Choose among what the parts propose, or let them give in turn where proposals would be too many."""
        wanted, total = max(1, self.filling.rows), sum(len(part) for part in parts)
        each = math.ceil(_PROPOSED * wanted / len(parts))
        taken = np.empty(0, np.int64)
        told: dict[str, Any] = {}
        if each * len(parts) <= max(len(part) for part in parts) and each * len(parts) < total:
            candidates = np.sort(np.concatenate([self._proposed(part, each) for part in parts]))
            taken = self.choose(candidates, candidates)
            told["proposals"] = len(candidates)
        for number, part in enumerate(parts):
            if self.filling.full:
                break
            rest = np.setdiff1d(part, taken)
            share = math.ceil(self.filling.rows / (len(parts) - number))
            given = self.choose(rest, rest, share if number + 1 < len(parts) else None)
            told["in_turn"] = told.get("in_turn", 0) + len(given)
        return told

    def _proposed(self, part: _Ints, each: int) -> _Ints:
        """Return what one part would choose."""
        own = Constraints(Budget("rows", each), drop=~self.filling.open[part]).open(len(part))
        state = _State(self.source(part), self.sums.copy(), self.phi)
        taken, _, score = lazily(state, own, np.arange(len(part)), self.price[part])
        self.looked += state.looked
        new = ~np.isin(part, self.filling.kept)
        self.score[part[new]] = score[new]
        return part[taken]


class _State:
    """What some records would add to `sums`, the amount of each feature among the chosen, which grows."""

    rise = 0.0

    def __init__(self, rows: _Rows, sums: _Floats, phi: str) -> None:
        self.rows, self.sums, self.phi = rows, sums, _PHI.index(phi)
        self.looked = 0
        self.engine = Local()
        self._now = _concave(sums, self.phi)
        # Each term is a difference of numbers no larger than `top`; sums of them are rounded at every addition.
        top = float(_concave(np.array([rows.amount.sum(dtype=np.float64) + float(sums.sum())]), self.phi)[0])
        self.slack = 8 * 2.0**-52 * top * max(1, int(np.diff(rows.offsets).max(initial=1)))

    def gains(self, candidates: _Ints) -> _Floats:
        """Return what candidates would add: a function of the record and of the sums alone."""
        out = np.empty(len(candidates))
        self.looked += len(candidates)

        def some(start: int) -> None:
            part = slice(start, start + _SHARE)
            rows = self.rows
            _gains(rows.at, rows.amount, rows.offsets, candidates[part], self.sums, self._now, self.phi, out[part])

        if len(candidates) <= _SHARE:
            some(0)
        else:
            for _ in self.engine.map(some, range(0, len(candidates), _SHARE)):
                pass
        return out

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        start, stop = self.rows.offsets[candidate], self.rows.offsets[candidate + 1]
        at = self.rows.at[start:stop]
        self.sums[at] += self.rows.amount[start:stop]
        self._now[at] = _concave(self.sums[at], self.phi)


def _numbers(x: NDArray[Any]) -> _Rows:
    """Return the features of vectors: the columns, and behind them the columns with signs turned."""
    x = np.asarray(x, np.float32)
    row, column = np.nonzero(x)
    found = x[row, column]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(x)))]).astype(np.int64)
    return _Rows((column + np.where(found < 0, x.shape[1], 0)).astype(np.int32), np.abs(found), offsets)


def _counted(values: NDArray[np.uint16], offsets: _Ints, buckets: int) -> _Rows:
    """Return the buckets of lists, each once, and how often they occur."""
    if len(values) and int(values.max()) >= buckets:
        raise InputError(f"ngrams: expected buckets below {buckets:,}, got {int(values.max()):,}.")
    at, amount, starts = _count(values, offsets, buckets)
    return _Rows(at, amount, starts)


@njit(nogil=True, cache=True)
def _count(values, offsets, buckets):  # type: ignore[no-untyped-def]
    at, amount = np.empty(len(values), np.uint16), np.empty(len(values), np.float32)
    starts = np.empty(len(offsets), np.int64)
    last, place = np.full(buckets, -1, np.int64), np.zeros(buckets, np.int64)
    filled = 0
    for i in range(len(offsets) - 1):
        starts[i] = filled
        for j in range(offsets[i], offsets[i + 1]):
            u = values[j]
            if last[u] == i:
                amount[place[u]] += np.float32(1)
            else:
                last[u], place[u] = i, filled
                at[filled], amount[filled] = u, np.float32(1)
                filled += 1
    starts[len(offsets) - 1] = filled
    return at[:filled].copy(), amount[:filled].copy(), starts


@njit(nogil=True, cache=True, inline="always")
def _phi(c, phi):  # type: ignore[no-untyped-def]
    if phi == 0:
        return np.sqrt(c)
    if phi == 1:
        return np.log1p(c)
    return c / (1.0 + c)


@njit(nogil=True, cache=True)
def _concave(sums, phi):  # type: ignore[no-untyped-def]
    out = np.empty(len(sums))
    for u in range(len(sums)):
        out[u] = _phi(sums[u], phi)
    return out


@njit(nogil=True, cache=True)
def _gains(at, amount, offsets, candidates, sums, now, phi, out):  # type: ignore[no-untyped-def]
    for i in range(len(candidates)):
        total = 0.0
        for j in range(offsets[candidates[i]], offsets[candidates[i] + 1]):
            total += _phi(sums[at[j]] + np.float64(amount[j]), phi) - now[at[j]]
        out[i] = total
