"""Kernel thinning: a set as near to the pool as a random one of many times its size.

The pool, in random order, is halved again and again so that both halves stay alike (KT-SPLIT); of the sets that this
leaves, and a random one, the nearest to the pool is taken; then each of its records in turn is exchanged for that of
the pool which brings the set nearest (KT-SWAP). Source: Dwivedi and Mackey 2021; large pools: Compress++ (Shetty,
Dwivedi and Mackey 2022; see `halving`). Ours: no record twice; where k is no n / 2^m, the next smaller set is filled
greedily before the exchange; must-keep records are part of the set from the start; budgets that refuse a record
(quotas, tokens) are filled greedily.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.steps.embedding import KERNELS, REFERENCE, Embedding
from tamis.select.steps.halving import BLOCK, Halver
from tamis.vectors.tiles import in_order, matrix, subset, zero_rows

__all__ = ["Thinning", "thinning"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("thinning: no vector (all zeros)",)


def thinning(
    x: Any,
    k: int,
    seed: int = 0,
    *,
    kernel: str = "rbf",
    gamma: float | None = None,
    reference: int = REFERENCE,
    block: int = BLOCK,
    swap: bool = True,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`), in a random order.

    Rows of zeros are never chosen. The same rows whatever the order of `x`. Options as those of `Thinning`.

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
    method = Thinning(kernel=kernel, gamma=gamma, reference=reference, block=block, swap=swap)
    x = matrix(x)
    zero = zero_rows(x)
    x, keys, order = in_order(x, keys)
    count = min(k, int((~zero).sum()))
    if not count:
        return np.empty(0, np.int64)
    rows = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", count)), seed).rows
    return rows if order is None else order[rows]


class Thinning(Greedy):
    """A set as near to the pool as can be."""

    name = "thinning"
    title = "Kernel thinning"
    source = "Dwivedi and Mackey 2021 and 2022, Compress++ 2022; without repeats, filling up and pins: ours"
    cost = (
        "rbf O(n d (min(n, reference) + min(n, block) + k)) time, others O(n d (log n + k)); O(n) memory besides the"
        " vectors"
    )
    promises = (
        "each halved set, k = n / 2^m, n within block: the average of any one function is off by an order of"
        " sqrt(log n) / k with probability 1/2 at least (random: 1 / sqrt(k)); the nearest is taken, and the exchange"
        " never makes the discrepancy larger"
    )
    use_when = "a small set must have the averages of the pool, and each seed may have another one"
    fails_when = "you want other than what the pool has: rare kinds stay rare, and bad records keep their share"
    later = "no later comparison known for training data; no figure of a trained model"
    flags = Flags(needs_all=True, random=True)
    growth = 2.0
    parameters = (
        Parameter("kernel", str, "rbf", "how alike two vectors are", KERNELS),
        Parameter("gamma", float, None, "rbf: exp(-gamma d^2); default 1 / the mean d^2 of two records", low=1e-30),
        Parameter("reference", int, REFERENCE, "rbf: the mean is over all records, or over so many drawn ones", low=1),
        Parameter("block", int, BLOCK, "rbf: records that are halved together, at most", low=2),
        Parameter("swap", bool, True, "exchange records at the end (KT-SWAP), not only halve"),
    )

    kernel: str
    gamma: float | None
    reference: int
    block: int
    swap: bool
    _evaluated = 0
    _found: tuple[Embedding, _Ints, _Floats, list[int]] | None = None

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, of the vectors, and of those that are halved."""
        return 150 * n + min(1 << 30, 1024 * n) + 1024 * n + (1024 * min(n, self.reference))

    def operations(self) -> int:
        """Return how many kernel values the last choice computed."""
        return self._evaluated

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer the thinned set, then greedily; the score is how much less a record is represented than in the pool."""
        x = pool.vectors("vectors", self.name)
        rows = np.flatnonzero(~zero_rows(x))
        score, aside = np.full(len(pool), np.nan), np.zeros(len(pool), np.int8)
        self._evaluated, self._found = 0, None
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDE)
        keys = pool.keys[rows]
        found = Embedding(subset(x, rows), self.kernel, self.gamma, keys, self.reference)
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        total = found.total(kept)
        count = min(filling.rows, len(rows))
        thinned, with_all = self._thinned(found, keys, filling.open[rows], count, seed, kept, total)
        inside = [int(row) for row in thinned if filling.offer(int(rows[row]))]
        total = with_all if len(inside) == len(thinned) else total + found.total(np.asarray(inside, np.int64))
        taken = [*kept.tolist(), *inside]
        while not filling.full and filling.open[rows].any():
            best = _next(found, total, len(taken) + 1, filling.open[rows])
            if filling.offer(int(rows[best])):
                total += found.column(best)
                taken.append(best)
        score[rows] = found.mean - total / max(len(taken), 1)
        self._evaluated += found.evaluated
        self._found = found, rows, total, taken
        order = rows[np.argsort(-score[rows], kind="stable")]
        return Ranking(filling.order(order), score, "thinning: of the set nearest to the pool", aside, _ASIDE)

    def _thinned(
        self,
        found: Embedding,
        keys: NDArray[np.uint64],
        open_: NDArray[np.bool_],
        k: int,
        seed: int,
        kept: _Ints,
        beside: _Floats,
    ) -> tuple[_Ints, _Floats]:
        """Return `k` of the open rows: halved, filled up, exchanged; and the kernel's sum with them and `kept`.

        `beside` is that sum with `kept` alone.
        """
        rows = np.flatnonzero(open_)
        rows = rows[np.argsort(uniforms(keys[rows], salt(seed, "thinning: order")), kind="stable")]
        if k >= len(rows):
            return rows, beside + found.total(rows)
        rounds = 0
        while len(rows) >> rounds > k:
            rounds += 1
        halver = Halver(found, keys, seed, self.block)
        sets = [one[:k] for one in halver.split(rows, rounds) if len(one)] if k > 0 else []
        size = max((len(one) for one in sets), default=0)
        sets = [*(one for one in sets if len(one) == size), rows[:size]]
        apart = [halver.discrepancy(one, beside, kept) for one in sets]
        best = sets[int(np.argmin(apart))]
        self._evaluated += halver.evaluated
        free = open_.copy()
        free[best] = False
        total = beside + found.total(best)
        out = best.tolist()
        while len(out) < k:
            row = _next(found, total, len(kept) + len(out) + 1, free)
            out.append(row)
            free[row] = False
            total += found.column(row)
        for i, row in enumerate(out if self.swap else ()):
            total -= found.column(row)
            free[row] = True
            value = _worth(found, total, len(kept) + k)
            other = int(np.argmax(np.where(free, value, -np.inf)))
            out[i] = other if value[other] > value[row] else row
            free[out[i]] = False
            total += found.column(out[i])
        return np.asarray(out, np.int64), total

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:  # noqa: ARG002
        """Tell the discrepancy from the pool, and what as many records at random have on average."""
        if self._found is None:
            return chosen
        found, rows, total, taken = self._found
        self._found = None
        inside = np.flatnonzero(np.isin(rows, chosen.rows))
        same = len(inside) == len(taken) and np.isin(inside, taken).all()
        return replace(chosen, facts=found.facts(inside, total if same else None))


def _worth(found: Embedding, total: _Floats, size: int) -> _Floats:
    """Return what orders records by the MMD of the set with each of them, the least first to last: larger is nearer."""
    return np.asarray(found.mean - (total + found.diagonal / 2) / size)


def _next(found: Embedding, total: _Floats, size: int, free: NDArray[np.bool_]) -> int:
    return int(np.argmax(np.where(free, _worth(found, total, size), -np.inf)))
