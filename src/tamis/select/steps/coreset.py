"""The loop of AutoCoreset on arrays: fit, ask for all losses, summarise them, fit again (`autocoreset`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Parameter, check_amount
from tamis.select.given.parameters import resolve
from tamis.select.steps.summaries import best_mean, by_norm, caratheodory

__all__ = ["PARAMETERS", "Coreset", "autocoreset"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

PARAMETERS = (
    Parameter("summary", str, "caratheodory", "how losses are summarised", ("caratheodory", "norm", "mean")),
    Parameter("start", int, 3, "uniform samples to begin with", low=1),
    Parameter("patience", int, 5, "rounds without a lower cost, after which it ends", low=1),
    Parameter("draws", int, 100, "for summary=mean: uniform samples, of which the best is taken", low=1),
)
"""Options of the loop."""


@dataclass(frozen=True, eq=False)
class Coreset:
    """A weighted set of `k` of `n` rows.

    Attributes
    ----------
    rows : int64 array of shape (k,), ascending
    weights : float64 array of shape (k,)
        Above 0; they add up to `n`.
    model : Any
        What `fit` made of them.
    cost : float
        The sum of that model's losses over all rows.
    costs : tuple of float
        The same for every set tried, in order; the first ones are uniform samples.
    losses : float64 array of shape (n, t)
        The columns, each divided by its mean.
    """

    rows: _Ints
    weights: _Floats
    model: Any
    cost: float
    costs: tuple[float, ...]
    losses: _Floats


def autocoreset(
    n: int,
    k: int,
    fit: Callable[[_Ints, _Floats], Any],
    loss: Callable[[Any], Any],
    *,
    summary: str = "caratheodory",
    start: int = 3,
    patience: int = 5,
    draws: int = 100,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Coreset:
    """Return a weighted set of `min(k, n)` of `n` rows for the model that `fit` and `loss` make.

    Parameters
    ----------
    n, k : int
        Rows there are, and rows wanted.
    fit : function
        Of rows (`k`) and weights (`k`): returns a model, of any kind.
    loss : function
        Of a model: returns the loss of each of the `n` rows.
    summary : str
        "caratheodory" (ends when there are as many columns as rows wanted), "norm" or "mean".
    start : int
        Uniform samples to begin with.
    patience : int
        Rounds without a lower cost, after which it ends.
    draws : int
        Of "mean": uniform samples among which the best is taken.
    seed : int
        Another seed, another set.
    keys : uint64 array of shape (n, 2), optional
        Names of the rows, in ascending order, from which random numbers are counted; default their places.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No rows; losses that are not `n` finite numbers; not one key a row.
    OptionError
        An option that does not exist or does not fit.
    """
    given = {"summary": summary, "start": start, "patience": patience, "draws": draws}
    options = resolve("autocoreset", PARAMETERS, given)
    k = min(check_amount(k), n)
    if n < 1:
        raise InputError(f"autocoreset: expected at least 1 row, got {n}.")
    if keys is None:
        keys = np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)
    if len(keys) != n:
        raise InputError(f"keys: expected {n}, one a row, got {len(keys)}.")
    columns: list[_Floats] = []
    costs: list[float] = []
    best: tuple[_Ints, _Floats, Any] | None = None
    idle = 0
    while len(columns) < options["start"] or idle < options["patience"]:
        if len(columns) < options["start"]:
            places = uniforms(keys, salt(seed, f"autocoreset: start {len(columns)}"))
            rows, weights = np.argsort(places, kind="stable")[:k], np.full(k, n / k)
        elif k == n or (summary == "caratheodory" and len(columns) + 1 > k):
            break
        else:
            rows, weights = _summarised(np.stack(columns, axis=1), k, options, seed + len(columns), keys)
        up = np.argsort(rows)
        rows, weights = rows[up].astype(np.int64), weights[up]
        model = fit(rows, weights)
        column = _checked(loss(model), n, len(columns))
        idle = 0 if not costs or float(column.sum()) < min(costs) else idle + 1
        costs.append(float(column.sum()))
        size = float(np.abs(column).mean())
        columns.append(column / size if size > 0 else column)
        if best is None or idle == 0:
            best = rows, weights, model
    rows, weights, model = best  # type: ignore[misc]
    return Coreset(rows, weights, model, min(costs), tuple(costs), np.stack(columns, axis=1))


def _summarised(
    losses: _Floats, k: int, options: dict[str, Any], seed: int, keys: NDArray[np.uint64]
) -> tuple[_Ints, _Floats]:
    """Return a summary of the rows of `losses` (`n x t`), weights adding up to `n`; another seed, another one."""
    if options["summary"] == "norm":
        rows, weights = by_norm(losses, k, keys=keys, seed=seed)
    elif options["summary"] == "mean":
        rows, weights = best_mean(losses, k, draws=options["draws"], keys=keys, seed=seed)
    else:
        turned = np.argsort(uniforms(keys, salt(seed, "autocoreset: order")), kind="stable")
        rows, weights = caratheodory(losses[turned], None, k)
        rows = turned[rows]
    return rows, weights * (len(losses) / weights.sum())


def _checked(losses: Any, n: int, count: int) -> _Floats:
    out = np.asarray(losses, np.float64)
    if out.shape != (n,):
        raise InputError(f"loss of model {count}: expected {n} numbers, one a row, got an array of shape {out.shape}.")
    wrong = np.flatnonzero(~np.isfinite(out))
    if len(wrong):
        raise InputError(f"loss of model {count}: expected finite numbers, got {out[wrong[0]]:g} at row {wrong[0]}.")
    return out
