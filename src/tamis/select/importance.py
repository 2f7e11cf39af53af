"""Records drawn in proportion to a positive signal, each with the weight that takes the proportion out again.

A gradient's mean over a sample varies least when each record is drawn in proportion to the length of its gradient,
and is without bias when each counts 1 / (n p). Source: PA&DA (2023), whose shares are those of the last layer's
gradient lengths, mixed with equal ones, drawn with repeats for the next epoch. Its released code applies no weight, so
that what is trained is biased to the hard records: `weights=false` is that.

`importance` draws with repeats, as published, or without. The method takes no record twice: priority sampling and its
weights (`fair`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.fair import Proportional, repeated
from tamis.select.given.direction import directed
from tamis.select.given.usable import check_usable
from tamis.vectors.tiles import in_order

__all__ = ["Importance", "importance", "recorded", "shares"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("importance: no value (NaN)", "importance: a value of 0 is never drawn")


def importance(
    signal: Any,
    k: int,
    *,
    mix: float = 0.1,
    repeats: bool = False,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> tuple[_Ints, _Floats]:
    """Draw `k` rows in proportion to `signal` (`n`, at least 0) and return them with their weights (`k`).

    A weighted sum over them has the sum over all rows as its mean. With `repeats` the draws are independent and weigh
    1 / (k p), which times k / n is the 1 / (n p) of a mean; without, they are `min(k, n)` different rows. Rows without
    a value (NaN) are never drawn, nor are zeros where `mix` is 0. Without `keys` (`n x 2`) a row is named by its place.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n` numbers, one below 0 or infinite, none to draw from, not one key a row.
    OptionError
        A mix outside 0 to 1.
    """
    k, method, values = check_amount(k), Importance(by="signal", mix=mix), np.asarray(signal)
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise InputError(f"signal: expected n numbers, got {values.dtype} of shape {values.shape}.")
    if keys is None:
        keys = np.stack([np.zeros(len(values), np.uint64), np.arange(len(values), dtype=np.uint64)], axis=1)
    column, keys, order = in_order(values[:, None].astype(np.float64), keys)
    if repeats:
        share = shares(column[:, 0], method.mix)
        if not (share > 0).any():
            raise InputError(f"signal: expected a value above 0 to draw by, got none among {len(share)}.")
        rows, weight = repeated(share, k, seed, "importance: repeats")
    else:
        chosen = method.select(Pool(keys, {"signal": column[:, 0]}), Constraints(Budget("rows", k)), seed)
        rows, weight = chosen.rows, chosen.weight[chosen.rows]
    return (rows if order is None else order[rows]), weight


def shares(values: _Floats, mix: float) -> _Floats:
    """Return the probability of each of `n` values (at least 0): (1 - mix) value / sum + mix / n; 0 for NaN.

    Raises InputError that names a value below 0 or infinite.
    """
    wrong = (values < 0) | np.isinf(values)
    check_usable(values, wrong, "signal to draw by", "finite numbers of at least 0")
    there = ~np.isnan(values)
    part = np.where(there, values, 0.0)
    part /= part.max(initial=0.0) or 1.0  # or the sum of large values is infinite
    total = float(np.cumsum(part)[-1]) if len(part) else 0.0
    if total > 0:
        part *= (1 - mix) / total
    return np.asarray(part + np.where(there, mix / max(int(there.sum()), 1), 0.0))


def recorded(values: Any, rows: Any, seen: Any) -> _Floats:
    """Return the signal (`n`) after an epoch that saw `seen` (`m`) at `rows` (`m`, repeats allowed).

    A row that came up has the mean of what was seen of it; others keep what they had, where the released code
    sets them to 0 and so to the equal part alone.
    """
    out = np.array(values, np.float64)
    at, place, count = np.unique(np.asarray(rows, np.int64), return_inverse=True, return_counts=True)
    out[at] = np.bincount(place.reshape(-1), np.asarray(seen, np.float64), minlength=len(at)) / count
    return out


class Importance(Proportional):
    """In proportion to a signal, weighted."""

    name = "importance"
    title = "In proportion to a signal, with weights"
    source = "PA&DA (2023); without repeats: priority sampling, Duffield, Lund and Thorup 2007; its form here is ours"
    cost = "O(n log n) time, 60 bytes a record"
    promises = "weighted sums over the chosen are those of the pool in the mean: no bias, in rows or in tokens"
    use_when = "a signal tells how much each record moves a model (gradient length, loss), and training uses weights"
    fails_when = "weights are not used: the choice is then biased to high values, and wrong labels have those"
    later = "no later comparison known; without weights, as released, the estimate is biased"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("by", str, REQUIRED, "the signal, at least 0: a record is drawn in proportion to it"),
        Parameter("mix", float, 0.1, "part that is shared out equally; 1 - tau of the paper", low=0, high=1),
        Parameter("weights", bool, True, "weigh each chosen record; false: 1, as the released code"),
    )

    by: str
    mix: float
    weights: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.weigh = self.weights
        self.signal, ascending = directed(self.by, self.name, "by")
        if ascending:
            raise OptionError(
                "method 'importance', option 'by': expected a signal without :asc, to draw in proportion to."
            )

    def needs(self) -> tuple[str, ...]:
        """Return the signal."""
        return (self.signal,)

    def holds(self, n: int) -> int:
        """Return the bytes of shares, times and weights."""
        return 60 * n

    def shares(self, pool: Pool, seed: int) -> tuple[_Floats, NDArray[np.int8], tuple[str, ...]]:  # noqa: ARG002
        """Return the probabilities; NaN and zeros that cannot be drawn are set aside."""
        values = pool.numbers(self.signal, self.name).astype(np.float64)
        return shares(values, self.mix), np.where(np.isnan(values), 0, 1).astype(np.int8), _ASIDES
