"""Kernel herding: records whose mean stays as near as it can to the mean of the pool, one after the other.

The next record is argmax of (mean likeness to the pool) - (sum of the likeness to those chosen) / (t + 1), after `t`
of them (Chen, Welling and Smola 2010). What is typical comes first, then what those before left out; so the set's
averages are near the pool's with fewer records than random ones need. Published, a record may come again; the method
takes none twice, which is ours, and so is what stands for the mean of a large pool under `rbf` (see `embedding`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Flags, check_amount
from tamis.select.budget.filling import Filling
from tamis.select.given.arrays import choose, given
from tamis.select.given.embedded import Embedded
from tamis.select.steps.embedding import REFERENCE
from tamis.select.steps.matching import Matched, Matching, options
from tamis.vectors.tiles import subset

__all__ = ["Herding", "herding"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


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
    method = Herding(kernel=kernel, gamma=gamma, reference=reference)
    if not repeats:
        return choose(method, k, x, keys=keys)[0]
    k, found = check_amount(k), given(x, keys)
    among = Embedded(found.pool, method.name)
    if not len(among):
        return among.rows
    those, free = Matched(method.embedded(among.x, among.keys), np.empty(0, np.int64)), np.ones(len(among), np.bool_)
    for size in range(1, k + 1):
        those.add(those.best(free, size, 0.0))
    return found.back(among.rows[those.rows])


class Herding(Matching):
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
    parameters = options("cosine")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.kernel == "rbf":
            self.growth = 2.0  # type: ignore[misc]  # as long as the pool is within the reference

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record and of the vectors."""
        return 170 * n + min(1 << 30, 1024 * n) + (1024 * min(n, self.reference) if self.kernel == "rbf" else 0)

    def matched(self, found: Embedded, those: Matched, filling: Filling, seed: int) -> tuple[_Floats, str]:  # noqa: ARG002 - nothing is random
        """Offer what the rule puts first; the score is its value when the record was taken, or at the end."""
        rows, score = found.rows, found.score
        while not filling.full:
            best = those.best(subset(filling.open, rows), len(those.rows) + 1, 0.0)
            if best < 0:
                break
            score[rows[best]] = those.value(best)
            if filling.offer(int(rows[best])):
                those.add(best)
        value = those.value()
        left = np.isnan(score[rows])
        score[rows[left]] = value[left]
        return value, "herding: brings the mean nearest to the pool's"
