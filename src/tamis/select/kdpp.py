"""A random set of given size, drawn with probability in proportion to its squared volume.

Sources: k-DPP, Kulesza and Taskar 2011 (which eigenvectors, by elementary symmetric polynomials); Hough, Krishnapur,
Peres and Virag 2006 (drawing from those); Kulesza and Taskar 2012, 3.3 (the dual form: the eigenvalues of a kernel
of products are those of a matrix of `d x d`). Exact: no chain, no approximation.

Ours: polynomials in logarithms, so that none overflows; rows drawn through directions of the features, so that
nothing of `n x k` is held; must-keep records as a condition; where more are wanted than the vectors have dimensions,
further samples of what is left.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.given.arrays import one_each
from tamis.select.steps.determinantal import SCALES, Rows, across, counted, drawn, leverage, log_quality, spectrum
from tamis.vectors.tiles import canonical, zero_rows

__all__ = ["Kdpp", "inclusion", "kdpp", "projection_dpp"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("kdpp: no vector (all zeros)", "kdpp: no quality (NaN)")


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
    rows, order = _given(x, quality, Kdpp(kernel=kernel, theta=theta, scale=scale), keys)
    values, directions = spectrum(rows)
    taken = _which(values, _within(k, len(values)), seed, "kdpp 0")
    found = drawn(rows, _basis(values, directions, taken), seed, "kdpp 0: rows")
    return found if order is None else order[found]


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
    rows, order = _given(x, None, Kdpp(kernel=kernel), keys)
    values, directions = spectrum(rows)
    taken = np.arange(len(values) if k is None else _within(k, len(values)))
    found = drawn(rows, _basis(values, directions, taken), seed, "kdpp 0: rows")
    return found if order is None else order[found]


def inclusion(
    x: Any, k: int, *, quality: Any = None, kernel: str = "cosine", theta: float = 1.0, scale: str = "ranks"
) -> _Floats:
    """Return the exact probability with which `kdpp` draws each row (`n`, adding up to `k`). Options as there.

    Raises
    ------
    BudgetError, InputError, OptionError
        As `kdpp`.
    """
    rows, order = _given(x, quality, Kdpp(kernel=kernel, theta=theta, scale=scale), None)
    values, directions = spectrum(rows)
    share = _shares(values, _within(k, len(values)))
    found = leverage(rows, directions * np.sqrt(share / values)[:, None])
    if order is None:
        return found
    out = np.empty(len(found))
    out[order] = found
    return out


def _given(x: Any, quality: Any, method: Kdpp, keys: NDArray[np.uint64] | None) -> tuple[Rows, _Ints | None]:
    """Return the features of rows in canonical order, and that order."""
    x, keys, order = canonical(x, keys)
    rows = Rows(x, method.kernel)
    if quality is not None:
        _weigh(rows, log_quality(one_each(quality, order, len(x), "quality"), method.theta, method.scale))
    return rows, order


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


def _basis(values: _Floats, directions: _Floats, taken: _Ints) -> _Floats:
    return np.ascontiguousarray(directions[taken] / np.sqrt(values[taken])[:, None])


def _polynomials(values: _Floats, k: int) -> _Floats:
    """Return logarithms of the elementary symmetric polynomials, `r + 1 x k + 1`: `[m, l]` of the first `m` values."""
    out = np.full((len(values) + 1, k + 1), -np.inf)
    out[:, 0] = 0.0
    for m, value in enumerate(np.log(values).tolist()):
        out[m + 1, 1:] = np.logaddexp(out[m, 1:], value + out[m, :-1])
    return out


def _which(values: _Floats, k: int, seed: int, purpose: str) -> _Ints:
    """Draw `k` of the eigenvalues, a set in proportion to their product."""
    table, left, taken = _polynomials(values, k), k, []
    chance = counted(len(values), seed, f"{purpose}: directions")
    for m in range(len(values) - 1, -1, -1):
        if not left:
            break
        if m < left or np.log(chance[m]) < np.log(values[m]) + table[m, left - 1] - table[m + 1, left]:
            taken.append(m)
            left -= 1
    return np.array(taken[::-1], np.int64)


def _shares(values: _Floats, k: int) -> _Floats:
    """Return the probability with which `_which` draws each eigenvalue, adding up to `k`."""
    before, after = _polynomials(values, k), _polynomials(values[::-1], k)[::-1]
    others = before[:-1, :k] + after[1:, :k][:, ::-1]  # k - 1 of the others: some before, the rest after
    return np.asarray(np.exp(np.log(values) + np.logaddexp.reduce(others, axis=1) - before[-1, k]))


class Kdpp(Selector):
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
    _budget: int | None = None
    _pinned: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
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

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Draw as many as the budget takes, given the must-keep records, and fill it from the sample.

        A record that a quota refuses is replaced by one at random.
        """
        n = len(pool)
        constraints.validate(n)
        aware = copy.copy(self)
        aware._budget = constraints.wanted(n)
        keep, drop = (np.zeros(n, np.bool_) if pins is None else pins for pins in (constraints.keep, constraints.drop))
        aware._pinned = (keep, drop)
        chosen = super(Kdpp, aware).select(pool, constraints, seed)
        self._products = aware._products
        return chosen

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order: the sample as it was drawn, then the others at random; the score is the probability to be drawn.

        Must-keep records have none. Without a budget the sample is as large as it can be.
        """
        x = pool.vectors("vectors", self.name)
        zero, worth = zero_rows(x), np.zeros(len(pool))
        if self.quality:
            worth = log_quality(pool.numbers(self.quality, self.name).astype(np.float64), self.theta, self.scale)
        usable = np.flatnonzero(~zero & ~np.isnan(worth))
        keep, drop = self._pinned or (zero & False, zero & False)
        rows = Rows(x, self.kernel)
        pinned = np.array([rows.feature(i) for i in np.flatnonzero(keep).tolist()]).reshape(-1, rows.width)
        _weigh(rows, worth)
        rows.factor[keep | drop] = 0.0
        left = len(usable) if self._budget is None else max(0, self._budget - int(keep.sum()))
        samples, score, facts = self._samples(rows, across(pinned), left, seed)
        others = usable[np.argsort(uniforms(pool.keys[usable], salt(seed, "kdpp: others")), kind="stable")]
        order = np.concatenate([samples, others[~np.isin(others, samples)]])
        aside = np.where(zero, 0, 1).astype(np.int8)
        return Ranking(order, score, "kdpp: drawn by volume, then at random", aside, _ASIDES, facts=facts)

    def _samples(self, rows: Rows, beside: _Floats, left: int, seed: int) -> tuple[_Ints, _Floats, dict[str, int]]:
        """Return `left` rows in one sample or several, and the probability to be in the first (or its own) one.

        Features of those drawn become 0.
        """
        samples: list[_Ints] = []
        score, rank = np.full(len(rows), np.nan), 0
        self._products = 0
        while left and rows.factor.any():
            values, directions = spectrum(rows, None if samples else beside)
            k = min(left, len(values))
            if not k:
                break
            found, share = self._sample(rows, values, directions, k, seed, len(samples))
            which = found if samples else rows.factor > 0
            score[which] = share[which]
            rank = rank or len(values)
            samples.append(found)
            rows.factor[found] = 0.0
            left = 0 if self._budget is None else left - len(found)
        joined = np.concatenate([np.empty(0, np.int64), *samples])
        return joined, score, {"rank": rank, "samples": len(samples), "drawn": len(joined)}

    def _sample(
        self, rows: Rows, values: _Floats, directions: _Floats, k: int, seed: int, turn: int
    ) -> tuple[_Ints, _Floats]:
        """Return one sample, and the probability of each record to be in it."""
        leading = self.directions == "leading"
        taken = np.arange(k) if leading else _which(values, k, seed, f"kdpp {turn}")
        share = np.where(np.arange(len(values)) < k, 1.0, 0.0) if leading else _shares(values, k)
        real = share > 0
        told = leverage(rows, directions[real] * np.sqrt(share[real] / values[real])[:, None])
        self._products += len(rows) * (len(values) + int(real.sum()) + 2 * k)
        return drawn(rows, _basis(values, directions, taken), seed, f"kdpp {turn}: rows"), told
