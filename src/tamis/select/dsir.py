"""DSIR: draw the records that look like a target, by importance resampling over hashed n-grams.

Source: Xie, Santurkar, Ma, Liang 2023, "Data Selection for Language Models via Importance
Resampling", arXiv 2302.03169. A record's log weight is the sum over its n-grams of
log(p_target + 1e-8) - log(p_pool + 1e-8); adding Gumbel noise and keeping the `k` largest draws `k`
records without replacement in proportion to their weights (Gumbel top-k).

Ours: the weight is the mean over chunks of equal length (`tamis.signals.ratio`), so that length
does not decide; the noise is a function of (seed, record), so the order of the pool does not
either; and separate targets share any budget, not only a number of rows. With `compat` none of this
holds: weights, noise and picks are those of the package `data-selection` with one process.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import hash_spans
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.interleave import interleave, rows_of_each, units
from tamis.select.given.judges import parts
from tamis.select.given.usable import check_usable
from tamis.select.steps.resampling import Draw, taken_first
from tamis.signals.base import Signal
from tamis.signals.ngrams import NgramCount, Ngrams
from tamis.signals.ratio import Ratio, count_ngrams

if TYPE_CHECKING:
    from tamis.select.budget.constraints import Constraints

__all__ = ["Dsir", "dsir", "resample"]

_FIT_PER_BUCKET = 100_000
_Rows = NDArray[np.int64]
_Floats = NDArray[np.float64]


def resample(weights: _Floats, keys: NDArray[np.uint64], k: int, *, seed: int = 0, top_k: bool = False) -> _Rows:
    """Return the `k` records drawn in proportion to exp(`weights`) without replacement, first drawn first.

    `weights` (`n`, log scale) and `keys` (`n x 2`, distinct) say everything: rows may come in any
    order. With `top_k` the `k` largest weights. All `n` when `k` is above.

    Raises
    ------
    BudgetError
        `k` below 1.
    InputError
        A weight that is not finite, unequal lengths.
    """
    pool, back = Pool.build(keys, {"ratio": np.asarray(weights, np.float64)})
    return back[Dsir(top_k=top_k).rank(pool, seed).order[: check_amount(k)]]


def dsir(
    texts: Sequence[str] | Text,
    target: Sequence[str] | Text,
    k: int,
    *,
    seed: int = 0,
    n: int = 2,
    buckets: int = 10_000,
    chunk: int = 128,
    top_k: bool = False,
) -> _Rows:
    """Return the positions of `k` of `texts` that match `target`, first drawn first.

    `n`-grams up to `n` words in `buckets` buckets; `chunk` words (0: the plain sum, in which
    length decides). A text's noise depends on its bytes and `seed`: copies stay together.

    Raises
    ------
    BudgetError, InputError, OptionError
        As `resample`, `Ratio` and `Dsir`.
    """
    pool_text, target_text = _text(texts), _text(target)
    method = Dsir(ngrams=n, buckets=buckets, chunk=chunk, top_k=top_k)
    features = method.features()
    method, signals = method.against([method.count([features.column(target_text)])])
    columns = {"ngrams": features.column(pool_text)}
    ratio = signals["ratio"]
    weights = np.asarray(ratio.column(columns, ratio.merge([ratio.summary(columns)])))
    keys = hash_spans(pool_text.data, pool_text.offsets[:-1], pool_text.offsets[1:], np.uint64(0))
    return resample(weights, keys, k, seed=seed, top_k=top_k)


class Dsir(Selector):
    """Importance resampling towards one or several targets.

    It reads the log weights from `ratio` (one target, or several pooled) or `ratio:0`, `ratio:1`,
    ... (separate ones); `against` gives the signals that compute them. Separate targets each get
    their share of the budget. Where the budget is a number of rows `k`, target `i` first takes its
    best int(k * p_i) of what the targets before it left (the last also the remainder), as in the
    reference package. These lists, and whatever is left, are merged so that every prefix holds the
    targets in proportion, measured in the budget's unit (rows or tokens), to about one record:
    wherever the budget or a quota cuts, each target has its share.
    """

    name: ClassVar[str] = "dsir"
    title: ClassVar[str] = "importance resampling towards a target (hashed n-grams)"
    source: ClassVar[str] = "Xie et al. 2023, arXiv 2302.03169"
    cost: ClassVar[str] = "O(bytes) for the weights, O(n log n) for the draw; 24 bytes a record and target"
    promises: ClassVar[str] = "a draw in proportion to the estimated ratio of target to pool, without replacement"
    use_when: ClassVar[str] = "you have a sample of the text you want and a large, mixed pool"
    fails_when: ClassVar[str] = (
        "the target is a few pages (words it lacks count as unwanted), or words are not the matter"
    )
    later: ClassVar[str] = "about at random in QuaDMix's table: 32.7, random 32.3 (arXiv 2504.16511)"
    flags: ClassVar[Flags] = Flags(needs_target=True, random=True)
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("ngrams", int, 2, "longest n-gram, in words", low=1, high=8),
        Parameter("buckets", int, 10_000, "buckets the n-grams are hashed into", low=1, high=65_536),
        Parameter("chunk", int, 128, "words of a chunk; 0: plain sums, in which length decides", low=0),
        Parameter("top_k", bool, False, "take the largest weights, without noise"),
        Parameter("separate", bool, False, "give each target a share of its own instead of pooling them"),
        Parameter("proportions", str, None, "shares of separate targets, as 3,1 (default: by their n-grams)"),
        Parameter("targets", int, 1, "how many separate targets; set from the targets given", low=1),
        Parameter("compat", bool, False, "exactly as the package data-selection; the pool's order matters"),
        Parameter("min_length", int, 100, "compat: tokens below which a record is set aside", low=0),
        Parameter("fit", int, None, "compat: n-grams to fit on (default 100,000 a bucket)", low=1),
    )

    ngrams: int
    buckets: int
    chunk: int
    top_k: bool
    separate: bool
    proportions: str | None
    targets: int
    compat: bool
    min_length: int
    fit: int | None
    _constraints: Constraints | None = None

    def __init__(self, **options: Any) -> None:
        given = options.get("proportions")
        if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str):
            options["proportions"] = ",".join(str(p) for p in given)
        super().__init__(**options)
        if self.proportions is not None and not self.separate:
            raise OptionError("method 'dsir', option 'proportions': expected with separate=true, got without.")
        if self.compat:
            # Of the instance: only this mode depends on the order of the input.
            self.__dict__["flags"] = dataclasses.replace(type(self).flags, order_matters=True)

    def features(self) -> Ngrams:
        """Return the signal whose columns, of pool and targets, the weights are made of."""
        return Ngrams(n=self.ngrams, buckets=self.buckets, compat=self.compat)

    def count(self, columns: Iterable[pa.Array]) -> NDArray[np.int64]:
        """Return the bucket counts (`buckets`, int64) of one target from its `features` columns."""
        # The reference package limits what it reads of a target only when targets are separate.
        return count_ngrams(columns, self.buckets, self._fit_limit() if self.separate else None)

    def against(self, targets: Sequence[NDArray[np.int64]]) -> tuple[Dsir, dict[str, Any]]:
        """Return the method for these targets (counts of each), and its signals by column name.

        Raises
        ------
        InputError
            No target, or one without text.
        OptionError
            Not as many proportions as targets.
        """
        if not targets:
            raise InputError("method 'dsir': expected at least one target, got none. Give --target.")
        bags = list(targets) if self.separate else [np.sum(targets, axis=0)]
        options = dict(self.options) | {"targets": len(bags)}
        if self.separate and self.proportions is None:
            options["proportions"] = [int(bag.sum()) for bag in bags]
        method = type(self)(**options)
        if self.separate:
            method._shares()
        features = self.features()
        chunk = None if self.compat or not self.chunk else self.chunk
        signals: dict[str, Signal] = {
            name: Ratio(bag, ngrams=features, chunk=chunk, fit=self._fit_limit())
            for name, bag in zip(method._ratios(), bags, strict=True)
        }
        if self.compat:
            signals["ngram_count"] = NgramCount(features)
        return method, signals

    def needs(self) -> tuple[str, ...]:
        """Return the columns of log weights; `compat` adds `ngram_count` and `order` (input positions)."""
        return self._ratios() + (("ngram_count", "order") if self.compat else ())

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order in which the records are drawn; the score is log weight plus noise.

        Raises
        ------
        InputError
            A log weight that is not finite.
        OptionError
            A column that the pool lacks.
        """
        weights = np.stack([self._weights(pool, name) for name in self._ratios()])
        rows, aside = self._eligible(pool)
        draw = Draw(pool.keys[rows], seed, noise=not self.top_k, sequence=self.compat)
        shares = self._shares()
        each = rows_of_each(self._constraints, shares, len(pool), len(rows))
        keys, heads, free = taken_first(weights[:, rows], draw, each, skip=self.compat)
        unit = units(self._constraints, len(pool))[rows]
        tails = [free[np.argsort(-key[free], kind="stable")] for key in keys]
        order, target = interleave(heads, shares, unit)
        rest, rest_target = interleave(tails, shares, unit)
        order, target = np.concatenate([order, rest]), np.concatenate([target, rest_target])
        score = weights[0].copy()
        score[rows[order]] = keys[target, order]
        reason = "dsir: log weight" + ("" if self.top_k else " + Gumbel noise")
        return Ranking(rows[order], score, reason, aside, (f"dsir: shorter than {self.min_length} tokens",))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool`, with the budget in sight, and fill it from the top.

        Raises
        ------
        BudgetError
            The constraints cannot hold.
        """
        aware = copy.copy(self)
        aware._constraints = constraints
        return super(Dsir, aware).select(pool, constraints, seed)

    def _eligible(self, pool: Pool) -> tuple[_Rows, NDArray[np.int8] | None]:
        """Return the positions to rank, in the order that settles ties, and why others are set aside."""
        if not self.compat:
            return np.arange(len(pool), dtype=np.int64), None
        # How the reference package gets back from the number of n-grams to that of tokens.
        tokens = (pool.numbers("ngram_count", self.name) + self.ngrams * (self.ngrams - 1) / 2) // self.ngrams
        by_input = np.argsort(pool.numbers("order", self.name), kind="stable")
        return by_input[tokens[by_input] >= self.min_length], np.zeros(len(pool), np.int8)

    def _weights(self, pool: Pool, name: str) -> _Floats:
        weights = pool.numbers(name, self.name).astype(np.float64)
        check_usable(weights, ~np.isfinite(weights), f"column '{name}'", "finite log weights")
        return weights

    def _shares(self) -> _Floats:
        """Return the share of each target; they add up to 1."""
        if not self.separate:
            return np.ones(1)
        return parts(self.proportions, self.targets, self.name)

    def _ratios(self) -> tuple[str, ...]:
        return tuple(f"ratio:{j}" for j in range(self.targets)) if self.separate else ("ratio",)

    def _fit_limit(self) -> int | None:
        return (self.fit or _FIT_PER_BUCKET * self.buckets) if self.compat else None


def _text(texts: Sequence[str] | Text) -> Text:
    return texts if isinstance(texts, Text) else Text.of(pa.array(list(texts), pa.large_string()))
