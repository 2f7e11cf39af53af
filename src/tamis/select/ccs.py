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

from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints
from tamis.select.given.arrays import choose
from tamis.select.given.direction import directed
from tamis.select.given.usable import check_usable
from tamis.select.steps.strata import in_turn, strata_of
from tamis.select.top import ranked

__all__ = ["Ccs", "ccs", "strata_of"]

_Ints = NDArray[np.int64]


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
    method = Ccs(by="difficulty", beta=beta, strata=strata, clip=clip)
    return choose(method, k, None, keys=keys, seed=seed, difficulty=difficulty)[0]


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
        """Order by turns of the strata; the score is the signal, the part the stratum: -1 where cut off."""
        values = pool.numbers(self.signal, self.name).astype(np.float64)
        harder = pool.numbers(self.cutting, self.name)
        known = ~np.isnan(values) & ~np.isnan(harder.astype(np.float64))
        what = f"method 'ccs', signal '{self.signal}'"
        check_usable(values, known & np.isinf(values), what, "finite numbers to cut into strata")
        rows = np.flatnonzero(known)
        easiest_first = rows[ranked(harder[rows], not self.cut_ascending)]
        count = len(rows) - int(Fraction(str(self.beta)) * len(rows))
        cut, left = easiest_first[count:], np.sort(easiest_first[:count])
        stratum = np.full(len(pool), -2, np.int64)
        stratum[cut] = -1
        stratum[left] = strata_of(values[left], self.strata, self.clip)
        turns = in_turn(stratum[left], uniforms(pool.keys[left], salt(seed, "ccs")))
        order, reason = np.concatenate([left[turns], cut]), f"ccs: drawn within its stratum of {self.signal}"
        aside, why = np.zeros(len(pool), np.int8), ("ccs: no score (NaN)",)
        return Ranking(order, values, reason, aside, why, part=stratum)

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` and fill the budget from the top; what was cut off says so.

        The facts tell the size of each stratum and how many it gave.
        """
        constraints.validate(len(pool))
        ranking = self.rank(pool, seed)
        chosen = self.filled(ranking, constraints, len(pool))
        stratum: _Ints = np.asarray(ranking.part)
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
