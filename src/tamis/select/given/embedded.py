"""The records of a pool that a method on vectors chooses among: those with a vector, and with its signals."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Pool, Ranking
from tamis.vectors.tiles import subset, zero_rows

__all__ = ["Embedded"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Embedded:
    """The `m` of a pool's `n` records that have a vector that is not zero, and a value of each signal.

    Attributes
    ----------
    rows : int64 array of shape (m,)
        Where they are in the pool, ascending.
    score : float64 array of shape (n,)
        For the method to fill; NaN.
    aside : int8 array of shape (n,)
        Which of `asides` keeps a record out; -1 for those in `rows`.
    asides : tuple of str
        No vector first, then the signals, then what else.
    """

    def __init__(
        self,
        pool: Pool,
        method: str,
        signals: dict[str, str] | None = None,
        *,
        lacking: dict[str, NDArray[np.bool_]] | None = None,
        besides: _Ints | None = None,
    ) -> None:
        """Read the vectors, and signals by what they are to the method (`{"quality": "edu"}`); NaN keeps a record out.

        `lacking`: what else keeps records (`n`) out, by its reason (`{"no score (NaN)": np.isnan(score)}`).
        `besides`: records that are in without their signals, such as must-keep ones; their values are NaN.

        Raises OptionError for a column that is missing or of another kind, InputError for a vector that is not finite.
        """
        self.pool, self.method = pool, method
        self._x = pool.vectors("vectors", method)
        self._values = {what: pool.numbers(name, method).astype(np.float64) for what, name in (signals or {}).items()}
        lacks = [np.isnan(values) for values in self._values.values()]
        for missing in lacks:
            missing[besides if besides is not None else []] = False
        out = [zero_rows(self._x), *lacks, *(lacking or {}).values()]
        self.asides: tuple[str, ...] = (f"{method}: no vector (all zeros)",)
        self.asides += tuple(f"{method}: no {what} (NaN)" for what in self._values)
        self.asides += tuple(f"{method}: {why}" for why in lacking or {})
        self.aside: NDArray[np.int8] = np.select(out, range(len(out)), -1).astype(np.int8)
        self.rows: _Ints = np.flatnonzero(self.aside < 0)
        self.score: _Floats = np.full(len(pool), np.nan)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def x(self) -> NDArray[Any]:
        """Their vectors (`m x d`), as the pool has them."""
        return subset(self._x, self.rows)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Their keys (`m x 2`)."""
        return np.asarray(subset(self.pool.keys, self.rows))

    def values(self, what: str) -> _Floats:
        """Return their values of a signal (`m`)."""
        return np.asarray(subset(self._values[what], self.rows))

    def among(self, records: _Ints) -> _Ints:
        """Return which of them some of the pool's records are, in that order; others are left out."""
        return np.searchsorted(self.rows, records[np.isin(records, self.rows)])

    def ranking(self, order: _Ints, reason: str, facts: dict[str, Any] | None = None) -> Ranking:
        """Return the ranking in which the pool's records stand in an order, with `score` as it was filled."""
        return Ranking(order, self.score, reason, self.aside, self.asides, facts=facts or {})
