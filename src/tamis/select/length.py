"""The longest (or shortest) records, within bounds if wanted.

Length in tokens is the selection that held up best when self-scoring methods were run again on
large pools (gains mostly for weaker base models).

Source: Xia et al. 2025, "Rethinking Data Selection at Scale" (arXiv 2410.09335), where it is the
token length of the answer; ours measures the whole rendered text, and bounds are ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.top import ranked

__all__ = ["Length", "length"]

_ORDERS = ("longest", "shortest")


def length(
    lengths: NDArray[Any], k: int, order: str = "longest", low: int | None = None, high: int | None = None
) -> NDArray[np.int64]:
    """Return up to `k` rows by `lengths` (`n`), those within `low` and `high` (inclusive), best first.

    Ties go by position.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        A length that is negative or NaN; an `order` other than longest or shortest.

    """
    k, lengths = check_amount(k), np.asarray(lengths)
    if order not in _ORDERS:
        raise InputError(f"order: expected longest or shortest, got {order!r}.")
    rows = ranked(_checked(lengths), order == "shortest")
    inside: NDArray[np.int64] = rows[_within(lengths, low, high)[rows] == 0]
    return inside[:k]


def _checked(lengths: NDArray[Any]) -> NDArray[Any]:
    if lengths.ndim != 1 or lengths.dtype.kind not in "iuf":
        raise InputError(f"lengths: expected n numbers, got {lengths.dtype} of shape {lengths.shape}.")
    bad = ~(lengths >= 0)
    if bad.any():
        at = int(bad.argmax())
        raise InputError(f"lengths: expected 0 or more, got {lengths[at]} at record {at}.")
    return lengths


def _within(lengths: NDArray[Any], low: int | None, high: int | None) -> NDArray[np.int8]:
    """Return 0 inside the bounds, 1 below `low`, 2 above `high`."""
    verdict = np.zeros(len(lengths), np.int8)
    if low is not None:
        verdict[lengths < low] = 1
    if high is not None:
        verdict[lengths > high] = 2
    return verdict


class Length(Selector):
    """The longest or shortest records."""

    name = "length"
    title = "Longest or shortest"
    source = "arXiv 2410.09335 (longest, in tokens); shortest and bounds are ours"
    cost = "O(n log n) time, 16 bytes a record"
    promises = "no record left out is longer (shorter)"
    use_when = "fine-tuning a small base model: a strong and free baseline; always report tokens as well as rows"
    fails_when = "long means padded: lists, logs, boilerplate; at equal rows it also spends more tokens than others"
    later = "the one stable gain of arXiv 2410.09335, mostly for weaker base models"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("unit", str, "tokens", "what length counts", choices=("tokens", "bytes")),
        Parameter("order", str, "longest", "which end comes first", choices=_ORDERS),
        Parameter("min", int, None, "shorter records are set aside (in the unit, inclusive)", low=0),
        Parameter("max", int, None, "longer records are set aside (in the unit, inclusive)", low=0),
    )

    unit: str
    order: str
    min: int | None
    max: int | None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise OptionError(f"method 'length': expected min <= max, got min {self.min} and max {self.max}.")

    def needs(self) -> tuple[str, ...]:
        """Return the signal of the unit: tokens or bytes."""
        return (self.unit,)

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - nothing here is random
        """Order by length; ties by canonical order; records outside the bounds set aside."""
        lengths = _checked(pool.numbers(self.unit, self.name))
        verdict = _within(lengths, self.min, self.max)
        rows = ranked(lengths, self.order == "shortest")
        return Ranking(
            rows[verdict[rows] == 0],
            lengths.astype(np.float64),
            f"length: {self.order} in {self.unit}",
            np.maximum(verdict - 1, 0).astype(np.int8),
            (f"length: below {self.min} {self.unit}", f"length: above {self.max} {self.unit}"),
        )
