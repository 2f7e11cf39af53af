"""Uniform random choice: the arm that every other method has to beat.

Each record's place is a number in (0, 1) hashed from (seed, record key), so the choice does not
depend on the order of the input, and a larger budget keeps all that a smaller one chose.

Source: the control arm of Xia et al. 2025, "Rethinking Data Selection at Scale: Random Selection
is Almost All You Need" (arXiv 2410.09335). The counted numbers are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Flags, Pool, Ranking, Selector, check_amount

__all__ = ["Random", "random"]


def random(keys: NDArray[np.uint64], k: int, seed: int = 0) -> NDArray[np.int64]:
    """Return `min(k, n)` rows chosen uniformly without replacement, in random order.

    Parameters
    ----------
    keys : uint64 array of shape (n, 2)
        High and low word of each record's key.
    k : int
        Rows.
    seed : int
        Another seed, another choice.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.

    """
    k = check_amount(k)
    return np.argsort(_places(keys, seed), kind="stable")[:k].astype(np.int64)


def _places(keys: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    return np.asarray(uniforms(keys, salt(seed, "random")), np.float64)


class Random(Selector):
    """Uniform random choice."""

    name = "random"
    title = "Uniform random"
    source = "the control arm of arXiv 2410.09335; counted random numbers are ours"
    cost = "O(n log n) time, 16 bytes a record"
    promises = "every record has the same chance; smaller budgets are prefixes of larger ones"
    use_when = "as the baseline of any comparison, or when the pool is already what you want"
    fails_when = "rare groups matter: they get their share and no more (see `stratified`, `--quota`)"
    later = "on large instruction pools almost no self-scoring selector clearly beat it (arXiv 2410.09335)"
    flags = Flags(needs_all=True, random=True)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by counted uniforms, lowest first; ties by canonical order."""
        places = _places(pool.keys, seed)
        return Ranking(np.argsort(places, kind="stable").astype(np.int64), places, "random: lowest random numbers")
