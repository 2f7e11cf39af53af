"""Every level of difficulty covered: strata of a score, as evenly filled as they can be.

Source: CCS, "Coverage-centric Coreset Selection for High Pruning Rates" (Zheng et al. 2023): the hardest
share `beta` of the pool is left out; what is left is cut into 50 strata of equal width of the score; strata
are visited from the smallest, each gives min(its size, what is wanted / strata left), drawn at random.

Ours: one order that gives these numbers for every budget. Strata take turns: in round j, each that has a
j-th record gives it, the last visited stratum first. So a budget that ends within a round leaves out the
stratum that the published loop gives one less. What was cut off comes last, the easiest first, in case the
rest is not enough. `clip`, for scores with outliers, is that of Adapt-infinity (2024).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.given.direction import directed
from tamis.select.top import ranked
from tamis.vectors.tiles import in_order

__all__ = ["Ccs", "ccs", "strata_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def ccs(
    difficulty: Any,
    k: int,
    *,
    beta: float = 0.0,
    strata: int = 50,
    clip: float = 0.0,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows that cover the range of `difficulty` (`n`, the hardest highest).

    Rows without difficulty (NaN) are never drawn. Without `keys` (`n x 2`) a row is named by its place.
    Options as those of `Ccs`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n` numbers, an infinite one, not one key a row.
    OptionError
        An option that does not exist or does not fit.
    """
    k, score = check_amount(k), np.asarray(difficulty)
    if score.ndim != 1 or score.dtype.kind not in "iufb":
        raise InputError(f"difficulty: expected n numbers, got {score.dtype} of shape {score.shape}.")
    if keys is None:
        keys = np.stack([np.zeros(len(score), np.uint64), np.arange(len(score), dtype=np.uint64)], axis=1)
    column, keys, order = in_order(score[:, None], keys)
    method = Ccs(by="difficulty", beta=beta, strata=strata, clip=clip)
    rows: _Ints = method.rank(Pool(keys, {"difficulty": column[:, 0]}), seed).order[:k]
    return rows if order is None else np.asarray(order[rows], np.int64)


def strata_of(score: _Floats, strata: int, clip: float = 0.0) -> _Ints:
    """Return the stratum (from 0) of each of `n` finite scores: equal widths from the least to the largest.

    With `clip`, from that quantile to the one as far from the top; what lies outside is in the outermost.
    """
    if not len(score):
        return np.empty(0, np.int64)
    # Halves: the range of doubles may exceed the largest double.
    half = score / 2
    low, high = np.quantile(half, [clip, 1 - clip], method="nearest").tolist()
    if not high > low:
        return np.zeros(len(score), np.int64)
    place = (np.clip((half - low) / (high - low), 0, 1) * strata).astype(np.int64)
    return np.asarray(np.minimum(place, strata - 1), np.int64)


class Ccs(Selector):
    """Strata of difficulty, evenly filled."""

    name = "ccs"
    title = "Every level of difficulty covered"
    source = "CCS (2023); one order for every budget is ours; `clip` as Adapt-infinity (2024)"
    cost = "O(n log n) time, 60 bytes a record"
    promises = "strata of difficulty in equal numbers as far as they reach"
    use_when = "a signal tells how hard a record is, few are wanted, and the hardest alone would be noise"
    fails_when = "outliers set the width of the strata (see `clip`), or beta is not tuned to the share that is chosen"
    later = "no comparison on language models known; on images its authors report 7 points above random at 10 %"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("by", str, REQUIRED, "the signal of difficulty, the hardest highest; SIGNAL:asc the hardest lowest"),
        Parameter("beta", float, 0.0, "share of the pool that is cut off, the hardest", low=0, high=0.99),
        Parameter("cut", str, None, "the signal by which the hardest are cut off; default as by"),
        Parameter("strata", int, 50, "strata", low=1),
        Parameter("clip", float, 0.0, "quantile from which scores are in the outermost strata", low=0, high=0.49),
    )

    by: str
    beta: float
    cut: str | None
    strata: int
    clip: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signal, self.ascending = directed(self.by, self.name, "by")
        self.cutting, self.cut_ascending = directed(self.cut or self.by, self.name, "cut" if self.cut else "by")

    def needs(self) -> tuple[str, ...]:
        """Return the signals."""
        return tuple(dict.fromkeys((self.signal, self.cutting)))

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by turns of the strata; the score is the signal."""
        return self._ranked(pool, seed)[0]

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` and fill the budget from the top; what was cut off says so.

        The facts tell the size of each stratum and how many it gave.
        """
        constraints.validate(len(pool))
        ranking, stratum = self._ranked(pool, seed)
        chosen = self.filled(ranking, constraints, len(pool))
        inside, cut = chosen.rank >= 0, stratum == -1
        out = cut & ~inside
        if constraints.drop is not None:
            out &= ~constraints.drop
        late = cut & inside & (chosen.reason == 0)
        codes = np.where(out, len(chosen.reasons), np.where(late, len(chosen.reasons) + 1, chosen.reason))
        told = f"ccs: among the hardest {self.beta:.4g} of the pool"
        facts = {
            "cut": int(cut.sum()),
            "sizes": np.bincount(stratum[stratum >= 0], minlength=self.strata).tolist(),
            "chosen": np.bincount(stratum[(stratum >= 0) & inside], minlength=self.strata).tolist(),
        }
        return replace(
            chosen,
            reason=codes.astype(np.int32),
            reasons=(*chosen.reasons, told, f"{told}, but the rest was not enough"),
            facts=facts,
        )

    def _ranked(self, pool: Pool, seed: int) -> tuple[Ranking, _Ints]:
        """Return the ranking and each record's stratum: -1 where cut off, -2 where set aside."""
        values = pool.numbers(self.signal, self.name).astype(np.float64)
        harder = pool.numbers(self.cutting, self.name)
        rows = np.flatnonzero(~np.isnan(values) & ~np.isnan(harder.astype(np.float64)))
        _finite(values[rows], rows, self.signal)
        easiest_first = rows[ranked(harder[rows], not self.cut_ascending)]
        count = int(Fraction(str(self.beta)) * len(rows))
        cut = easiest_first[len(rows) - count :]
        left = np.sort(easiest_first[: len(rows) - count])
        stratum = np.full(len(pool), -2, np.int64)
        stratum[cut] = -1
        stratum[left] = strata_of(values[left], self.strata, self.clip)
        order = np.concatenate([left[_in_turn(stratum[left], uniforms(pool.keys[left], salt(seed, "ccs")))], cut])
        aside, why = np.zeros(len(pool), np.int8), ("ccs: no score (NaN)",)
        return Ranking(order, values, f"ccs: drawn within its stratum of {self.signal}", aside, why), stratum


def _in_turn(stratum: _Ints, chance: _Floats) -> _Ints:
    """Return all rows: in each round the next of every stratum, the largest first (the later of equally large)."""
    if not len(stratum):
        return np.empty(0, np.int64)
    sizes = np.bincount(stratum)
    visit = np.empty(len(sizes), np.int64)
    visit[np.argsort(sizes, kind="stable")] = np.arange(len(sizes))
    drawn = np.lexsort((chance, stratum))
    ordered = stratum[drawn]
    turn = np.arange(len(stratum)) - (np.cumsum(sizes) - sizes)[ordered]
    return drawn[np.lexsort((-visit[ordered], turn))]


def _finite(values: _Floats, rows: _Ints, signal: str) -> None:
    wrong = np.flatnonzero(np.isinf(values))
    if len(wrong):
        raise InputError(
            f"method 'ccs', signal '{signal}': expected finite numbers to cut into strata, got {values[wrong[0]]:g}"
            f" at record {rows[wrong[0]]}."
        )
