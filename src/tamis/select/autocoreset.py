"""A weighted set for any model and loss: the models that were tried have on it the loss that they have on all.

Source: AutoCoreset (Maalouf et al. 2023). Models are fitted to a few uniform samples; each gives a column of losses,
one a record. A summary of the rows of that matrix (`summaries`) is a weighted set on which the sums of all columns are
those of the pool, exactly or nearly. The model fitted to it gives the next column. Of all sets tried, the one whose
model has the least loss on the whole pool is kept.

Ours: columns are divided by their mean, or one bad model would dominate; the uniform samples of the start compete too,
so the result is never worse than they are; as many records as the budget asks for. Left out: budgets for each class.
The released code starts from the largest of the first costs, so that its patience begins late.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import NULL_GROUP, Chosen, Flags, Groups, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints
from tamis.select.steps.coreset import PARAMETERS, Coreset, autocoreset
from tamis.select.steps.models import Clusters, Logistic, Model, Squares
from tamis.vectors.tiles import subset, zero_rows

__all__ = ["Autocoreset", "Coreset", "autocoreset"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("autocoreset: no vector (all zeros)", "autocoreset: no label (NaN or null)")


class Autocoreset(Selector):
    """A weighted set on which the models that were tried have the loss they have on all."""

    name = "autocoreset"
    title = "A weighted set for any model and loss"
    source = "AutoCoreset (2023); columns over their mean, the start competing and every size are ours"
    cost = "for each of about ten rounds a fit to the chosen and a loss for all, O(n d); summary O(n t^3) for t columns"
    promises = (
        "the model fitted to the kept set has on the whole pool no more loss than those of the uniform samples it began"
        " with; caratheodory: on the set, models tried before it have exactly the loss that they have on the pool"
    )
    use_when = "a model is cheap to fit to few records and its loss cheap to compute for all, and no theory is at hand"
    fails_when = (
        "the models wanted are unlike those tried, the weights are not used, or the loss on the pool is not the aim"
    )
    later = "no later comparison known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("loss", str, "kmeans", "the model: linear, logistic, or k-means", ("squares", "logistic", "kmeans")),
        Parameter("label", str, None, "for squares: a signal or field of numbers; for logistic: the field of classes"),
        Parameter("clusters", int, 8, "for kmeans: centres", low=1),
        Parameter("penalty", float, 1e-4, "for squares and logistic: ridge, for vectors of mean length 1", low=0),
        *PARAMETERS,
    )

    loss: str
    label: str | None
    clusters: int
    penalty: float
    summary: str
    start: int
    patience: int
    draws: int

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.label is None and self.loss != "kmeans":
            raise OptionError(f"method 'autocoreset' needs the option 'label': expected a field for loss={self.loss}.")
        if self.label is not None and self.loss == "kmeans":
            raise OptionError(
                "method 'autocoreset', option 'label': expected loss=squares or logistic, got loss=kmeans."
            )

    def needs(self) -> tuple[str, ...]:
        """Return the vectors, and the label of a model that has one."""
        return ("vectors",) if self.label is None else ("vectors", self.label)

    def group_needs(self) -> tuple[str, ...]:
        """Return the field of classes."""
        return (self.label,) if self.loss == "logistic" and self.label else ()

    def holds(self, n: int) -> int:
        """Return the bytes of the losses of about twenty models, and of the vectors as float32 where they are few."""
        return 400 * n + min(1 << 30, 1024 * n)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order: the set of a tenth of the pool by weight, then the others at random; the score is the weight."""
        there, ranking = self._there(pool)
        return self._ranked(pool, there, max(1, len(pool) // 10), seed, ranking)[0]

    def _there(self, pool: Pool) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return which records can be used, and why the others cannot."""
        zero = zero_rows(pool.vectors("vectors", self.name))
        there = ~zero
        if self.label is not None and self.loss == "logistic":
            groups = pool.groups(self.label, self.name)
            there &= ~np.isin(groups.codes, [i for i, name in enumerate(groups.names) if name == NULL_GROUP])
        elif self.label is not None:
            there &= np.isfinite(pool.numbers(self.label, self.name).astype(np.float64))
        return there, np.where(zero, 0, 1).astype(np.int8)

    def _model(self, pool: Pool, rows: _Ints, seed: int) -> Model:
        x = pool.vectors("vectors", self.name)
        x = subset(x, rows)
        if self.label is None:
            return Clusters(x, self.clusters, seed)
        if self.loss == "squares":
            return Squares(x, pool.numbers(self.label, self.name)[rows].astype(np.float64), self.penalty)
        groups = pool.groups(self.label, self.name)
        return Logistic(x, Groups(groups.codes[rows], groups.names), self.penalty)

    def _ranked(
        self, pool: Pool, free: NDArray[np.bool_], k: int, seed: int, aside: NDArray[np.int8]
    ) -> tuple[Ranking, _Floats]:
        """Return the ranking of the records of `free`, and the weights of the set of `k` of them."""
        rows, weight, facts = np.flatnonzero(free), np.zeros(len(pool)), {}
        if len(rows) and k > 0:
            model = self._model(pool, rows, seed)
            options = {parameter.name: self.options[parameter.name] for parameter in PARAMETERS}
            found = autocoreset(len(rows), k, model.fit, model.loss, seed=seed, keys=pool.keys[rows], **options)
            weight[rows[found.rows]] = found.weights
            facts = {"cost": found.cost, "costs": list(found.costs), "start": self.start}
        chance = uniforms(pool.keys[rows], salt(seed, "autocoreset: others"))
        order = rows[np.lexsort((chance, -weight[rows]))]
        return Ranking(order, weight, "autocoreset: in the weighted set", aside, _ASIDES, facts=facts), weight

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Choose a set as large as the budget, the must-keep records aside, and weigh it.

        Weights add up to the number of records that could be chosen; must-keep records weigh 1 and stand for themselves
        alone. Quotas or tokens may add records to the set, or keep some out: then what is added weighs the mean, and
        sums are no longer exact.
        """
        n = len(pool)
        constraints.validate(n)
        there, aside = self._there(pool)
        keep, drop = constraints.pins(n)
        k = min(constraints.wanted(n) - int(keep.sum()), int((there & ~keep & ~drop).sum()))
        ranking, weight = self._ranked(pool, there & ~keep & ~drop, k, seed, aside)
        chosen = self.filled(ranking, constraints, n)
        taken = chosen.rows[~keep[chosen.rows]]
        out = chosen.weight.copy()
        if len(taken):
            inside = weight[taken]
            inside = np.where(inside > 0, inside, inside.sum() / max(int((inside > 0).sum()), 1) or 1.0)
            whole = int((there & ~keep & ~drop).sum())
            out[taken] = inside if inside.sum() == whole else inside * (whole / inside.sum())
        return replace(chosen, weight=out)
