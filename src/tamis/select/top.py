"""The records with the highest (or lowest) value of a signal.

Source: plain ranking, as any quality filter does. Ties go to the lower record key; a record
without a score (NaN) is set aside with that reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking, Selector, check_amount

__all__ = ["Top", "ranked", "top"]


def top(scores: NDArray[Any], k: int, ascending: bool = False) -> NDArray[np.int64]:
    """Return up to `k` rows with the highest `scores` (`n`), best first, NaN never, ties by position.

    With `ascending`, the lowest. Infinite scores are scores.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        `scores` are not numbers in one dimension.

    """
    k, scores = check_amount(k), np.asarray(scores)
    if scores.ndim != 1 or scores.dtype.kind not in "iufb":
        raise InputError(f"scores: expected n numbers, got {scores.dtype} of shape {scores.shape}.")
    return ranked(scores, ascending)[:k]


def ranked(scores: NDArray[Any], ascending: bool) -> NDArray[np.int64]:
    """Return all positions that have a score, best first, ties by position."""
    if ascending:
        order = np.argsort(scores, kind="stable")
    else:
        # Not the order of -scores, which the lowest integer does not have.
        order = len(scores) - 1 - np.argsort(scores[::-1], kind="stable")[::-1]
    if scores.dtype.kind == "f":
        order = order[~np.isnan(scores[order])]
    return order.astype(np.int64)


class Top(Selector):
    """The highest or lowest of a signal."""

    name = "top"
    title = "Highest of a signal"
    source = "ranking by a score"
    cost = "O(n log n) time, 16 bytes a record"
    promises = "no record left out has a higher value"
    use_when = "a signal says what you want: a quality score, a ratio, a count"
    fails_when = "the best by the signal are alike: nothing keeps near copies or one source from filling the budget"
    later = "almost never clearly better than random on large instruction pools (arXiv 2410.09335)"
    flags = Flags(needs_all=True)
    parameters = (Parameter("by", str, REQUIRED, "the signal; SIGNAL:asc takes the lowest first"),)

    by: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        signal, _, way = self.by.rpartition(":")
        if signal in ("", "field"):  # `field:NAME` is a field that has a signal's name
            signal, way = self.by, "desc"
        if way not in ("asc", "desc"):
            raise OptionError(
                f"method 'top', option 'by': expected SIGNAL, SIGNAL:asc or SIGNAL:desc, got '{self.by}'."
            )
        self.signal, self.ascending = signal, way == "asc"

    def needs(self) -> tuple[str, ...]:
        """Return the signal."""
        return (self.signal,)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - nothing here is random
        """Order by the signal; ties by canonical order; NaN set aside."""
        scores = pool.numbers(self.signal, self.name)
        return Ranking(
            ranked(scores, self.ascending),
            scores.astype(np.float64),
            f"top: {'lowest' if self.ascending else 'highest'} {self.signal}",
            np.zeros(len(pool), np.int8),
            ("top: no score (NaN)",),
        )
