"""Kernel thinning: a set as near to the pool as a random one of many times its size.

The pool, in random order, is halved again and again so that both halves stay alike (KT-SPLIT); of the sets that this
leaves, and a random one, the nearest to the pool is taken; then each of its records in turn is exchanged for that of
the pool which brings the set nearest (KT-SWAP). Source: Dwivedi and Mackey 2021; large pools: Compress++ (Shetty,
Dwivedi and Mackey 2022; see `halving`). Ours: no record twice; where k is no n / 2^m, the next smaller set is filled
greedily before the exchange; must-keep records are part of the set from the start; budgets that refuse a record
(quotas, tokens) are filled greedily.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Flags, Parameter
from tamis.select.budget.filling import Filling
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.steps.embedding import REFERENCE
from tamis.select.steps.halving import BLOCK, Halver
from tamis.select.steps.matching import Matched, Matching, options
from tamis.vectors.tiles import subset

__all__ = ["Thinning", "thinning"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


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
    method = Thinning(kernel=kernel, gamma=gamma, reference=reference, block=block, swap=swap)
    return choose(method, k, x, keys=keys, seed=seed)[0]


class Thinning(Matching):
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
        *options("rbf"),
        Parameter("block", int, BLOCK, "rbf: records that are halved together, at most", low=2),
        Parameter("swap", bool, True, "exchange records at the end (KT-SWAP), not only halve"),
    )

    block: int
    swap: bool

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, of the vectors, and of those that are halved."""
        return 220 * n + min(1 << 30, 1024 * n) + 1024 * n + (1024 * min(n, self.reference))

    def matched(self, found: Embedded, those: Matched, filling: Filling, seed: int) -> tuple[_Floats, str]:
        """Offer the thinned set, then greedily; the score is how much less a record is represented than in the pool."""
        rows, pins = found.rows, len(those.rows)
        wanted = self._thinned(found, those, subset(filling.open, rows), min(filling.rows, len(rows)), seed)
        thinned = np.asarray(wanted.rows[pins:], np.int64)
        inside = np.array([row for row in thinned.tolist() if filling.offer(int(rows[row]))], np.int64)
        if len(inside) < len(thinned):
            those.extend(inside)
        else:
            those.rows, those.total = wanted.rows, wanted.total
        while not filling.full:
            best = those.best(subset(filling.open, rows), len(those.rows) + 1, 0.5)
            if best < 0:
                break
            if filling.offer(int(rows[best])):
                those.add(best)
        value = those.found.mean - those.total / max(len(those.rows), 1)
        found.score[rows] = value
        return value, "thinning: of the set nearest to the pool"

    def _thinned(self, found: Embedded, those: Matched, open_: NDArray[np.bool_], k: int, seed: int) -> Matched:
        """Return the set with `k` of the open rows more: halved, filled up, exchanged."""
        keys, kept = found.keys, np.asarray(those.rows, np.int64)
        rows = np.flatnonzero(open_)
        rows = rows[np.argsort(uniforms(keys[rows], salt(seed, "thinning: order")), kind="stable")]
        halver = Halver(those.found, keys, seed, self.block)
        best = rows if k >= len(rows) else halver.nearest(rows, k, those.total, kept)
        self._evaluated += halver.evaluated
        out = those.copy()
        out.extend(best)
        if k >= len(rows):
            return out
        free = open_.copy()
        free[best] = False
        while len(out.rows) < len(kept) + k:
            row = out.best(free, len(out.rows) + 1, 0.5)
            out.add(row)
            free[row] = False
        if self.swap:
            out.exchange(len(kept), free)
        return out
