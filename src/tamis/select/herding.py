"""Kernel herding: records whose mean stays as near as it can to the mean of the pool, one after the other.

The next record is argmax of (mean likeness to the pool) - (sum of the likeness to those chosen) / (t + 1), after `t`
of them (Chen, Welling and Smola 2010). What is typical comes first, then what those before left out; so the set's
averages are near the pool's with fewer records than random ones need. Published, a record may come again; the method
takes none twice, which is ours, and so is what stands for the mean of a large pool under `rbf` (see `embedding`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.steps.embedding import KERNELS, REFERENCE, Embedding
from tamis.vectors.tiles import in_order, matrix, subset, zero_rows

__all__ = ["Herding", "herding"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("herding: no vector (all zeros)",)


def herding(
    x: Any,
    k: int,
    *,
    kernel: str = "cosine",
    gamma: float | None = None,
    reference: int = REFERENCE,
    repeats: bool = False,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `k` rows of `x` (`n x d`) in the order of choice.

    With `repeats` as published, else each once, at most `n`. Rows of zeros are never chosen. The same rows whatever the
    order of `x`. Options as those of `Herding`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, or a row that is not finite.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    method = Herding(kernel=kernel, gamma=gamma, reference=reference)
    x = matrix(x)
    zero = zero_rows(x)
    x, keys, order = in_order(x, keys)
    rows = np.flatnonzero(~(zero if order is None else zero[order]))
    if not len(rows):
        return rows
    found = method._embedded(x[rows], keys[rows])
    total, free = np.zeros(len(found)), np.ones(len(found), np.bool_)
    taken: list[int] = []
    while len(taken) < (k if repeats else min(k, len(rows))):
        best = int(np.argmax(np.where(free, found.mean - total / (len(taken) + 1), -np.inf)))
        taken.append(best)
        total += found.column(best)
        free[best] = repeats
    chosen = rows[np.asarray(taken, np.int64)]
    return chosen if order is None else order[chosen]


class Herding(Greedy):
    """Records whose mean stays near the mean of the pool."""

    name = "herding"
    title = "Kernel herding"
    source = "Chen, Welling and Smola 2010; without repeats, and the reference of rbf: ours"
    cost = "O(n d k) time; rbf O(n d min(n, reference)) besides; O(n) memory besides the vectors"
    promises = (
        "with repeats (in Python): a discrepancy of at most 2 / sqrt(k) + 2 / k for kernels that are 1 on the diagonal;"
        " without repeats: nothing"
    )
    use_when = "the set shall have the averages of the pool, with fewer records than random ones need: a small stand-in"
    fails_when = "you want other than what the pool has: rare kinds stay rare, and bad records keep their share"
    later = (
        "DeepCore (Guo et al. 2022, images, herding among its methods): random is still a strong baseline;"
        " no figure of a language model known"
    )
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("kernel", str, "cosine", "how alike two vectors are", KERNELS),
        Parameter("gamma", float, None, "rbf: exp(-gamma d^2); default 1 / the mean d^2 of two records", low=1e-30),
        Parameter("reference", int, REFERENCE, "rbf: the mean is over all records, or over so many drawn ones", low=1),
    )

    kernel: str
    gamma: float | None
    reference: int
    _evaluated = 0
    _found: tuple[Embedding, _Ints, _Floats, list[int]] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.kernel == "rbf":
            self.growth = 2.0  # type: ignore[misc]  # as long as the pool is within the reference

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record and of the vectors."""
        return 100 * n + min(1 << 30, 1024 * n) + (1024 * min(n, self.reference) if self.kernel == "rbf" else 0)

    def operations(self) -> int:
        """Return how many kernel values the last choice computed."""
        return self._evaluated

    def _embedded(self, x: NDArray[Any], keys: NDArray[np.uint64]) -> Embedding:
        return Embedding(x, self.kernel, self.gamma, keys, self.reference)

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002 - nothing is random
        """Offer what the rule puts first; the score is its value when the record was taken, or at the end."""
        x = pool.vectors("vectors", self.name)
        rows = np.flatnonzero(~zero_rows(x))
        score, aside = np.full(len(pool), np.nan), np.zeros(len(pool), np.int8)
        self._evaluated, self._found = 0, None
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDE)
        found = self._embedded(subset(x, rows), pool.keys[rows])
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        total, taken = found.total(kept), kept.tolist()
        value = found.mean - total / (len(taken) + 1)
        while not filling.full:
            waiting = filling.open[rows]
            if not waiting.any():
                break
            best = int(np.argmax(np.where(waiting, value, -np.inf)))
            score[rows[best]] = value[best]
            if filling.offer(int(rows[best])):
                total += found.column(best)
                taken.append(best)
                value = found.mean - total / (len(taken) + 1)
        left = np.isnan(score[rows])
        score[rows[left]] = value[left]
        self._evaluated = found.evaluated
        self._found = found, rows, total, taken
        order = rows[np.argsort(-value, kind="stable")]
        return Ranking(filling.order(order), score, "herding: brings the mean nearest to the pool's", aside, _ASIDE)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Tell the discrepancy from the pool, and what as many records at random have on average."""
        if self._found is None:
            return chosen
        found, rows, total, taken = self._found
        self._found = None
        inside = np.flatnonzero(np.isin(rows, chosen.rows))
        same = len(inside) == len(taken) and np.isin(inside, taken).all()
        return replace(chosen, facts=found.facts(inside, total if same else None))
