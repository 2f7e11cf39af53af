"""The best by complexity times quality, none of them nearly the same as one that is in already.

Source: DEITA, "What Makes Good Data for Alignment?" (Liu et al. 2023): records are visited from the highest
score, complexity times quality, and one goes in if its largest cosine to those that are in is at most 0.9.
The authors' scorers are language models; here the two scores are signals or fields that are there.

Ours: must-keep records are in from the start; what a quota or the budget refuses is not in, and so keeps
nothing else out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.base import Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.apart import BLOCK, Apart
from tamis.select.given.arrays import choose
from tamis.select.given.usable import check_usable
from tamis.select.top import ranked
from tamis.vectors.tiles import zero_rows

__all__ = ["Deita", "deita"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("deita: no vector (all zeros)", "deita: no score (NaN)")


def deita(
    x: Any,
    k: int,
    score: Any,
    *,
    tau: float = 0.9,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return at most `k` rows of `x` (`n x d`), the highest `score` (`n`) first, no two with a cosine above `tau`.

    Rows of zeros and rows without a score (NaN) are never chosen. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one score a row.
    OptionError
        `tau` outside -1 to 1.
    """
    return choose(Deita(quality="score", tau=tau), k, x, keys=keys, score=score)[0]


class Deita(Greedy):
    """Highest complexity times quality, without near copies."""

    name = "deita"
    title = "Complexity times quality, no near copies"
    source = "DEITA (2023); its scorers are models, here any two signals"
    cost = "O(k d) for each record looked at: about k of them where few are alike, n at most"
    promises = "no two that are chosen have a cosine above tau"
    use_when = "you have scores of complexity and quality, and the best by them repeat each other"
    fails_when = "the scores follow length, or a tau for other vectors is used: 0.9 thins little with static ones"
    later = "52.8, random 51.8, MIG 55.3, everything 53.6 in the table of MIG (Tulu3 to 50,000, Llama-3.1-8B)"
    flags = Flags(needs_all=True, at_most=True)
    parameters = (
        Parameter("complexity", str, None, "the signal of complexity, at least 0; without it quality alone counts"),
        Parameter("quality", str, None, "the signal of quality, at least 0; without it complexity alone counts"),
        Parameter(
            "tau", float, 0.9, "largest cosine of two that are chosen; 1 switches the filter off", low=-1, high=1
        ),
    )

    complexity: str | None
    quality: str | None
    tau: float
    _computed = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scores = tuple(name for name in (self.complexity, self.quality) if name)
        if not self.scores:
            raise OptionError(
                "method 'deita' needs the option 'complexity', 'quality' or both: expected the names of"
                " signals, got nothing."
            )
        if self.tau >= 1:  # nothing is kept out
            self.flags = replace(type(self).flags, at_most=False)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        return ("vectors", *dict.fromkeys(self.scores))

    def holds(self, n: int) -> int:
        """Return the bytes of scores and order."""
        return 60 * n

    def operations(self) -> int:
        """Return how many cosines the last choice computed."""
        return self._computed

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the highest scores that are unlike those that are in; near copies are set aside."""
        x = pool.vectors("vectors", self.name)
        zero, score = zero_rows(x), self._score(pool)
        missing = np.isnan(score)
        rows = np.flatnonzero(~zero & ~missing)
        visit = rows[ranked(score[rows], False)]
        walk = Apart(x, 1.0 if self.tau >= 1 else self.tau)
        walk.add(filling.kept[~zero[filling.kept]])
        at = 0
        while at < len(visit) and not filling.full:
            part = visit[at : at + min(max(filling.rows, 96), BLOCK)]  # no more than may be needed
            walk.block(part[filling.open[part]], filling)
            at += len(part)
        self._computed = walk.computed
        alike = walk.neighbour >= 0
        asides = (*_ASIDES, f"deita: cosine above {self.tau:g} to a chosen record")
        return Ranking(
            filling.order(visit[~alike[visit]]),
            score,
            f"deita: highest {' x '.join(self.scores)}",
            np.where(alike, 2, np.where(zero, 0, 1)).astype(np.int8),
            asides,
            walk.neighbour,
            np.where(alike, walk.cosine, np.nan),
            {"alike": int(alike.sum())},
        )

    def _score(self, pool: Pool) -> _Floats:
        """Return the product of the signals; it is theirs where there is but one."""
        score = np.ones(len(pool))
        for name in self.scores:
            values = pool.numbers(name, self.name).astype(np.float64)
            if len(self.scores) > 1:
                wrong, expected = (values < 0) | np.isinf(values), "finite numbers of at least 0 to multiply"
                check_usable(values, wrong, f"method 'deita', signal '{name}'", expected)
            score = score * values
        return score
