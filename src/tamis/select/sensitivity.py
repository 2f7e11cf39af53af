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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import Flags, Parameter, Pool, check_amount
from tamis.select.budget.fair import Proportional, repeated
from tamis.select.given.arrays import choose, given
from tamis.select.steps.determinantal import Rows
from tamis.select.steps.leverage import by_clusters, design, lewis, scores
from tamis.vectors.tiles import matrix, zero_rows

__all__ = ["Sensitivity", "sensitivity"]

_ASIDES = ("sensitivity: no vector (all zeros)", "sensitivity: no label (NaN)")

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


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
    method = Sensitivity(
        loss=loss, label=None if labels is None else "labels", bound=bound, clusters=clusters, intercept=intercept,
        mix=mix,
    )  # fmt: skip
    numbers = None if labels is None else np.asarray(labels, np.float64)
    if numbers is not None and (numbers.shape != (len(x),) or not np.isfinite(numbers).all()):
        raise InputError(f"labels: expected {len(x)} finite numbers, one a row, got an array of {numbers.shape}.")
    if not repeats:
        rows, chosen = choose(method, k, x, keys=keys, seed=seed, labels=numbers)
        return rows, chosen.weight[chosen.rows]
    found = given(x, keys, labels=numbers)
    share = method.shares(found.pool, seed)[0]
    if not share.any():
        raise InputError(f"sensitivity: expected vectors that are not all zeros, got {len(x)} rows of nothing else.")
    rows, weight = repeated(share, k, seed, "sensitivity: repeats")
    return found.back(rows), weight


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
        for option, loss, told in (
            ("label", "squares", self.label is not None),
            ("bound", "logistic", self.bound != "root"),
            ("clusters", "kmeans", self.clusters is not None),
        ):
            if told and self.loss != loss:
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
        if self.loss == "kmeans" and self.clusters is not None:
            return by_clusters(x, self.clusters, keys, seed)
        rows = Rows(design(x, label, self.intercept or self.loss == "kmeans", self.loss != "kmeans"), "linear")
        self._products = len(x) * rows.width
        if self.loss == "kmeans":
            return rows.square
        if self.loss == "squares":
            return scores(rows)
        return (lewis(rows) if self.bound == "lewis" else np.sqrt(scores(rows))) + 1 / len(x)
