"""Few records, weighted, on which a loss is what it is on all: sensitivity sampling for a family of models.

The sensitivity of a record is the largest part of the whole loss that it can be, whatever the parameters. Drawn in
proportion to a bound on it and weighted by 1 / (k p), a sample has nearly the loss of all for all parameters at once
(Langberg and Schulman 2010; Feldman and Langberg 2011). The bounds:

- least squares: leverage, which is the sensitivity itself (Drineas, Mahoney and Muthukrishnan 2006);
- logistic regression: the root of leverage plus 1/n, times a number of the data (Munteanu et al. 2018), or the l1 Lewis
  weight plus 1/n (Mai, Musco and Rao 2021). Labels, as -1 and 1, change neither;
- k-means: the squared distance to the mean, half, and half equal shares (the lightweight coreset of Bachem, Lucic and
  Krause 2018), or that to the nearest of some centres, with the means and sizes of their clusters (the same, 2017).

`sensitivity` draws with repeats, as published, or without. The method takes no record twice, by `fair`: that is ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import Flags, Parameter, Pool, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.fair import Proportional, repeated
from tamis.select.steps.determinantal import Rows, leverage, spectrum
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import in_order, matrix, zero_rows

__all__ = ["Sensitivity", "sensitivity"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("sensitivity: no vector (all zeros)", "sensitivity: no label (NaN)")
_STEPS = 30  # of the fixed point of Lewis weights; each halves the error


def sensitivity(
    x: Any,
    k: int,
    *,
    loss: str = "squares",
    labels: Any = None,
    bound: str = "root",
    clusters: int | None = None,
    intercept: bool = True,
    mix: float | None = None,
    repeats: bool = True,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> tuple[_Ints, _Floats]:
    """Draw `k` rows of `x` (`n x d`) by their sensitivities and return them with their weights (`k`).

    A weighted sum over them has the sum over all rows as its mean. With `repeats` the draws are independent and weigh
    1 / (k p); without, they are `min(k, n)` different rows. `labels` (`n` numbers) for least squares. Options as those
    of `Sensitivity`; rows of zeros are never drawn; the same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row or label that is not finite, not one label a row, nothing but zeros.
    OptionError
        An option that does not exist or does not fit.
    """
    k, x = check_amount(k), matrix(x)
    label = None if labels is None else "labels"
    method = Sensitivity(loss=loss, label=label, bound=bound, clusters=clusters, intercept=intercept, mix=mix)
    zero_rows(x)
    x, keys, order = in_order(x, keys)
    columns = {"vectors": x}
    if labels is not None:
        numbers = np.asarray(labels, np.float64)
        if numbers.shape != (len(x),) or not np.isfinite(numbers).all():
            raise InputError(f"labels: expected {len(x)} finite numbers, one a row, got an array of {numbers.shape}.")
        columns["labels"] = numbers if order is None else numbers[order]
    pool = Pool(keys, columns)
    if repeats:
        share = method.shares(pool, seed)[0]
        if not share.any():
            raise InputError(
                f"sensitivity: expected vectors that are not all zeros, got {len(x)} rows of nothing else."
            )
        rows, weight = repeated(share, k, seed, "sensitivity: repeats")
    else:
        chosen = method.select(pool, Constraints(Budget("rows", k)), seed)
        rows, weight = chosen.rows, chosen.weight[chosen.rows]
    return (rows if order is None else order[rows]), weight


class Sensitivity(Proportional):
    """In proportion to how much of a loss a record can be, weighted."""

    name = "sensitivity"
    title = "A weighted sample on which a loss is that of all"
    source = (
        "Drineas et al. 2006; Munteanu et al. 2018; Mai et al. 2021; Bachem et al. 2017, 2018; without repeats: ours"
    )
    cost = "O(n d^2 + d^3) time, 30 times that for bound=lewis; O(n d) for k-means; 4 n d bytes of memory"
    promises = (
        "weighted losses are those of the pool in the mean; for enough records (page) within a part eps of it for all"
        " parameters at once"
    )
    use_when = "a linear model, a classifier or k-means on the vectors is fitted to few records, with their weights"
    fails_when = "the weights are not used, the model is another, or no record stands out: then it is uniform sampling"
    later = (
        "Mai, Musco and Rao 2021 prove smaller samples for logistic regression by Lewis weights (bound=lewis) than by"
        " roots of leverage"
    )
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("loss", str, "squares", "the loss that is kept", ("squares", "logistic", "kmeans")),
        Parameter("label", str, None, "for squares: the signal or field of numbers that is fitted; default unknown"),
        Parameter("bound", str, "root", "for logistic: root of leverage, or l1 Lewis weight", ("root", "lewis")),
        Parameter("clusters", int, None, "for kmeans: centres to measure from; default the mean alone", low=1),
        Parameter("intercept", bool, True, "for squares and logistic: the model has a constant term"),
        Parameter("mix", float, None, "part shared out equally; default 0.5 for kmeans by the mean, else 0", (), 0, 1),
    )  # fmt: skip

    loss: str
    label: str | None
    bound: str
    clusters: int | None
    intercept: bool
    mix: float | None
    _products = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for option, loss, given in (
            ("label", "squares", self.label is not None),
            ("bound", "logistic", self.bound != "root"),
            ("clusters", "kmeans", self.clusters is not None),
        ):
            if given and self.loss != loss:
                raise OptionError(
                    f"method 'sensitivity', option '{option}': expected loss={loss}, got loss={self.loss}."
                )

    def needs(self) -> tuple[str, ...]:
        """Return the vectors, and the label if there is one."""
        return ("vectors",) if self.label is None else ("vectors", self.label)

    def holds(self, n: int) -> int:
        """Return the bytes of the vectors as float32, with the label, and of the numbers a record."""
        return (1100 + 100) * n

    def operations(self) -> int:
        """Return how many products of a record with a direction the last choice computed."""
        return self._products

    def shares(self, pool: Pool, seed: int) -> tuple[_Floats, NDArray[np.int8], tuple[str, ...]]:
        """Return the probabilities; vectors of zeros and records without a label are set aside."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        label = None if self.label is None else pool.numbers(self.label, self.name).astype(np.float64)
        there = ~zero if label is None else ~zero & np.isfinite(label)
        out, rows = np.zeros(len(pool)), np.flatnonzero(there)
        if len(rows):
            mix = self.mix if self.mix is not None else 0.5 if self.loss == "kmeans" and self.clusters is None else 0.0
            bounds = self._bounds(x[rows], None if label is None else label[rows], pool.keys[rows], seed)
            total = float(np.cumsum(bounds)[-1])
            equal = 1 / len(rows)
            out[rows] = (1 - mix) * bounds / total + mix * equal if total > 0 else equal
        return out, np.where(zero, 0, 1).astype(np.int8), _ASIDES

    def _bounds(self, x: NDArray[Any], label: _Floats | None, keys: NDArray[np.uint64], seed: int) -> _Floats:
        """Return a bound on each row's sensitivity, up to a common factor."""
        n = len(x)
        if self.loss == "kmeans" and self.clusters is not None:
            return _by_clusters(x, self.clusters, keys, seed)
        rows = Rows(_design(x, label, self.intercept or self.loss == "kmeans", self.loss != "kmeans"), "linear")
        self._products = n * rows.width
        if self.loss == "kmeans":
            return rows.square
        if self.loss == "squares":
            return _leverage(rows)
        if self.bound == "lewis":
            return _lewis(rows) + 1 / n
        return np.asarray(np.sqrt(_leverage(rows)) + 1 / n)


def _design(x: NDArray[Any], label: _Floats | None, centred: bool, constant: bool) -> NDArray[np.float32]:
    """Return the vectors less their mean, if `centred`; beside them the label and a constant, if so wanted.

    Both are of about the size of a number of the vectors: leverage does not change with that, but rounding does.
    """
    out = np.zeros((len(x), x.shape[1] + (label is not None) + (centred and constant)), np.float32)
    out[:, : x.shape[1]] = x
    if centred:
        out[:, : x.shape[1]] -= (np.add.reduce(out[:, : x.shape[1]], axis=0, dtype=np.float64) / len(x)).astype(
            np.float32
        )
    size = math.sqrt(float(np.mean(np.mean(out[:, : x.shape[1]] ** 2, axis=1, dtype=np.float64)))) or 1.0
    if label is not None:
        scaled = label / (float(np.abs(label).max()) or 1.0)  # or squares of large numbers are infinite
        scaled = scaled - scaled.mean() if centred else scaled
        out[:, x.shape[1]] = scaled * size / (math.sqrt(float(np.mean(scaled**2))) or 1.0)
    if centred and constant:
        out[:, -1] = size
    return out


def _leverage(rows: Rows) -> _Floats:
    values, directions = spectrum(rows)
    return np.minimum(leverage(rows, directions / np.sqrt(values)[:, None]), 1.0)


def _lewis(rows: Rows) -> _Floats:
    """Return the l1 Lewis weights: those with which each row's leverage, weighted by their inverse, is the weight.

    By the fixed point of Cohen and Peng 2015, which comes nearer by half with every step.
    """
    weight, factor = np.ones(len(rows)), rows.factor.copy()
    for _ in range(_STEPS):
        rows.factor[:] = factor / np.sqrt(np.maximum(weight, 1e-30))
        last, weight = weight, np.sqrt(weight * _leverage(rows))
        if np.abs(weight - last).max() <= 1e-4 * weight.max():
            break
    return weight


def _by_clusters(x: NDArray[Any], clusters: int, keys: NDArray[np.uint64], seed: int) -> _Floats:
    """Return the bounds by distance to the nearest of some centres (Bachem, Lucic and Krause 2017, algorithm 2)."""
    found = kmeans(x, clusters, seed=seed, keys=keys)
    square, size = found.squared.astype(np.float64), np.bincount(found.labels)
    mean = float(np.cumsum(square)[-1]) / len(x)
    inside = np.bincount(found.labels, square) / np.maximum(size, 1)
    alpha = 16 * (math.log2(len(found.centroids)) + 2)
    far = alpha * (square + 2 * inside[found.labels]) / mean if mean > 0 else np.zeros(len(x))
    return np.asarray(far + 4 * len(x) / size[found.labels])
