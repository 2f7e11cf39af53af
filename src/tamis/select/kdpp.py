"""A random set of given size, drawn with probability in proportion to its squared volume.

Sources: k-DPP, Kulesza and Taskar 2011 (which eigenvectors, by elementary symmetric polynomials); Hough, Krishnapur,
Peres and Virag 2006 (drawing from those); Kulesza and Taskar 2012, 3.3 (the dual form: the eigenvalues of a kernel
of products are those of a matrix of `d x d`). Exact: no chain, no approximation.

Ours: must-keep records as a condition; where more are wanted than the vectors have dimensions, further samples of what
is left; and how it is computed (`steps.drawn`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.aware import Aware
from tamis.select.given.arrays import Given, given
from tamis.select.given.embedded import Embedded
from tamis.select.given.quality import SCALES, log_quality
from tamis.select.steps.determinantal import Rows, leverage, spectrum
from tamis.select.steps.drawn import chances, drawn, samples, scaled, which
from tamis.select.steps.eigen import across

__all__ = ["Kdpp", "inclusion", "kdpp", "projection_dpp"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def kdpp(
    x: Any,
    k: int,
    seed: int = 0,
    *,
    quality: Any = None,
    kernel: str = "cosine",
    theta: float = 1.0,
    scale: str = "ranks",
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Draw `k` rows of `x` (`n x d`) with probability in proportion to `det L` of them, in the order of drawing.

    `L = diag(w) S diag(w)`, `S` the cosines (or, kernel="linear", the products), `w = exp(theta quality)`. Rows of
    zeros and rows without quality (NaN) are never drawn. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1, or above the rank of `L`.
    InputError
        No `n x d` numbers, a row that is not finite, not one quality a row.
    OptionError
        An option that does not exist or does not fit.
    """
    found, rows = _given(x, quality, Kdpp(kernel=kernel, theta=theta, scale=scale), keys)
    values, directions = spectrum(rows)
    taken = which(values, _within(k, len(values)), seed, "kdpp 0")
    return found.back(drawn(rows, scaled(values, directions, taken), seed, "kdpp 0: rows"))


def projection_dpp(
    x: Any, k: int | None = None, seed: int = 0, *, kernel: str = "linear", keys: NDArray[np.uint64] | None = None
) -> _Ints:
    """Draw `k` rows by the projection on the `k` leading principal directions of `x` (`n x d`), or on all.

    A row is drawn with probability equal to its leverage on those directions. Without `k`, as many rows as `x` has
    rank: volume sampling. The leading directions of vectors of nearly equal spread are told apart by rounding; of all
    directions none has to be.

    Raises
    ------
    BudgetError, InputError, OptionError
        As `kdpp`.
    """
    found, rows = _given(x, None, Kdpp(kernel=kernel), keys)
    values, directions = spectrum(rows)
    taken = np.arange(len(values) if k is None else _within(k, len(values)))
    return found.back(drawn(rows, scaled(values, directions, taken), seed, "kdpp 0: rows"))


def inclusion(
    x: Any, k: int, *, quality: Any = None, kernel: str = "cosine", theta: float = 1.0, scale: str = "ranks"
) -> _Floats:
    """Return the exact probability with which `kdpp` draws each row (`n`, adding up to `k`). Options as there.

    Raises
    ------
    BudgetError, InputError, OptionError
        As `kdpp`.
    """
    found, rows = _given(x, quality, Kdpp(kernel=kernel, theta=theta, scale=scale), None)
    values, directions = spectrum(rows)
    share = chances(values, _within(k, len(values)))
    out = np.empty(len(rows))
    out[found.back(np.arange(len(rows)))] = leverage(rows, directions * np.sqrt(share / values)[:, None])
    return out


def _given(x: Any, quality: Any, method: Kdpp, keys: NDArray[np.uint64] | None) -> tuple[Given, Rows]:
    """Return the pool of some rows, and their features."""
    found = given(x, keys, quality=quality)
    rows = Rows(found.pool.vectors("vectors", "kdpp"), method.kernel)
    if quality is not None:
        _weigh(rows, log_quality(found.pool.numbers("quality", "kdpp"), method.theta, method.scale))
    return found, rows


def _weigh(rows: Rows, worth: _Floats) -> None:
    """Multiply features by `exp(worth)`, up to a common factor; 0 where that is NaN."""
    if not np.isnan(worth).all():
        rows.factor *= np.exp(np.where(np.isnan(worth), -np.inf, worth) - np.nanmax(worth))


def _within(k: int, rank: int) -> int:
    if check_amount(k) > rank:
        raise BudgetError(
            f"kdpp: expected k of at most {rank}, the rank of the kernel, got {k}: larger sets have no volume. Ask for"
            " fewer, or join several samples."
        )
    return int(k)


class Kdpp(Aware):
    """A random set that is spread out: the larger its volume, the likelier."""

    name = "kdpp"
    title = "Determinantal point process of given size, drawn"
    source = "Kulesza and Taskar 2011 and 2012 (dual form), Hough et al. 2006; samples beyond the rank: ours"
    cost = "O(n d^2 + d^3 + n d k) time for k up to d, and that again for each further d; O(n) besides the vectors"
    promises = "exact: a set in proportion to its squared volume (up to the rank)"
    use_when = "a varied set is wanted at random: with known probabilities, or another one for every seed"
    fails_when = (
        "many more are wanted than the vectors have dimensions: joined samples are hardly more varied than chance"
    )
    later = "no comparison of trained models known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("kernel", str, "cosine", "how alike two vectors are", ("cosine", "linear")),
        Parameter(
            "directions", str, "drawn", "of the pool's directions: drawn (k-DPP), or the leading ones (projection DPP)",
            ("drawn", "leading"),
        ),
        Parameter("quality", str, None, "the signal that says how good a record is; default all alike"),
        Parameter("theta", float, 1.0, "how much quality counts: weights are exp(theta quality)", low=0, high=1e6),
        Parameter("scale", str, "ranks", "quality as ranks from 0 to 1, or as it is", SCALES),
    )  # fmt: skip

    kernel: str
    directions: str
    quality: str | None
    theta: float
    scale: str
    _products = 0

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of quality."""
        return ("vectors", self.quality) if self.quality else ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record and of the vectors."""
        return 60 * n + min(1 << 30, 1024 * n)

    def operations(self) -> int:
        """Return how many products of a record with a direction the last choice computed."""
        return self._products

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order without a budget: one sample, as large as it can be, then the others."""
        none = np.zeros(len(pool), np.bool_)
        return self._ranked(pool, seed, None, none, none)

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Order: the sample as it was drawn, given the must-keep records, then the others at random.

        The score is the probability to be drawn; must-keep records have none. A record that a quota refuses is
        replaced by one at random.
        """
        return self._ranked(pool, seed, max(0, wanted - int(keep.sum())), keep, drop)

    def _ranked(self, pool: Pool, seed: int, left: int | None, keep: _Mask, drop: _Mask) -> Ranking:
        found = Embedded(pool, self.name, {"quality": self.quality} if self.quality else None)
        worth = np.zeros(len(pool))
        if self.quality:  # ranks among all records of the pool
            worth = log_quality(pool.numbers(self.quality, self.name).astype(np.float64), self.theta, self.scale)
        rows = Rows(pool.vectors("vectors", self.name), self.kernel)
        pinned = np.array([rows.feature(i) for i in np.flatnonzero(keep).tolist()]).reshape(-1, rows.width)
        _weigh(rows, worth)
        rows.factor[keep | drop] = 0.0
        leading = self.directions == "leading"
        told = samples(rows, across(pinned), left, leading, seed, self.name)
        found.score, self._products = told.chance, told.products
        others = found.rows[np.argsort(uniforms(found.keys, salt(seed, "kdpp: others")), kind="stable")]
        order = np.concatenate([told.rows, others[~np.isin(others, told.rows)]])
        facts = {"rank": told.rank, "samples": told.count, "drawn": len(told.rows)}
        return found.ranking(order, "kdpp: drawn by volume, then at random", facts)
