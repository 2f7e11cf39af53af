"""The set of largest volume: good records whose vectors point in different directions.

Greedy maximisation of the determinant of a kernel, `log det L` of the chosen records (MAP inference of a
determinantal point process), where `L = diag(w) (S + ridge) diag(w)`, `S` says how alike two records are and
`w = exp(theta quality)`. Source: Chen, Zhang and Zhou 2018, "Fast Greedy MAP Inference for Determinantal
Point Process": what a record still adds is kept and lowered after each choice.

Ours: for products of vectors, what a choice takes from a record is its square along one direction, so that nothing is
held but one number a record, where the paper holds a row of `k`; what a record adds only falls, so that it is brought
up to date when it may be the largest, and not before. Both leave the choice as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine import parse_size
from tamis.select.base import Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.volume import Volume
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.given.quality import SCALES, log_quality

__all__ = ["Dpp", "dpp_map"]


def dpp_map(
    x: Any,
    k: int,
    quality: Any = None,
    *,
    kernel: str = "cosine",
    ridge: float = 0.01,
    gamma: float | None = None,
    theta: float = 1.0,
    scale: str = "ranks",
    memory: str | int = "2GB",
    keys: NDArray[np.uint64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice, and what each added to `log det L`.

    Rows of zeros and rows without quality (NaN) are never chosen. Rows that would add nothing (their vectors
    depend on those chosen, without a `ridge`) come last, by quality. Options as those of `Dpp`; the same rows
    whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one quality a row.
    OptionError
        An option that does not exist or does not fit.
    """
    method = Dpp(
        kernel=kernel, ridge=ridge, gamma=gamma, quality=None if quality is None else "quality",
        theta=theta, scale=scale, memory=str(memory),
    )  # fmt: skip
    rows, chosen = choose(method, k, x, keys=keys, quality=quality)
    return rows, chosen.score[chosen.rows]


class Dpp(Greedy):
    """The set of largest volume, one record after the other."""

    name = "dpp"
    title = "Determinantal point process, its likeliest set"
    source = "greedy MAP: Chen, Zhang and Zhou 2018; directions instead of a factor, and updates on demand: ours"
    cost = "at most O(n d k) time and O(n) memory besides the vectors; kernel=rbf O(n k (d + k)), 8 n k bytes, or parts"
    promises = "each pick adds the most volume; no constant share of the best holds in general"
    use_when = "a small set has to be good and varied at once, and its records are judged together, not pair by pair"
    fails_when = (
        "many more are wanted than the vectors have dimensions: all directions are taken then, and what is new is noise"
    )
    later = "no comparison of trained models known"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("kernel", str, "cosine", "how alike two vectors are", ("cosine", "linear", "rbf")),
        Parameter("ridge", float, 0.01, "added to the diagonal, where a record alike itself is 1", low=0, high=100),
        Parameter("gamma", float, None, "rbf: exp(-gamma d^2); default 1 / the mean d^2 of two records", low=1e-30),
        Parameter("quality", str, None, "the signal that says how good a record is; default all alike"),
        Parameter("theta", float, 1.0, "how much quality counts: weights are exp(theta quality)", low=0, high=1e6),
        Parameter("scale", str, "ranks", "quality as ranks from 0 to 1, or as it is", SCALES),
        Parameter("memory", str, "2GB", "rbf: the most that a factor may take, such as 500MB; beyond, parts"),
    )

    kernel: str
    ridge: float
    gamma: float | None
    quality: str | None
    theta: float
    scale: str
    memory: str
    _looked = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bytes = parse_size(self.memory)

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal of quality."""
        return ("vectors", self.quality) if self.quality else ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the numbers a record, of the vectors and, for rbf, of the factor."""
        return 60 * n + min(1 << 30, 1024 * n) + (min(self._bytes, 8 * n * n) if self.kernel == "rbf" else 0)

    def within(self, room: int, n: int) -> Dpp:
        """Return the method with a factor no larger than `room`, unless `memory` was given; rbf alone has one."""
        default = next(parameter.default for parameter in self.parameters if parameter.name == "memory")
        left = room - self.holds(n) + min(self._bytes, 8 * n * n)
        if self.kernel != "rbf" or self.holds(n) <= room or self.memory != default or left < 1:
            return self
        return Dpp(**{**self.options, "memory": str(left)})

    def operations(self) -> int:
        """Return how many products of a record with a choice the last selection computed."""
        return self._looked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer what adds the most volume; the score is the logarithm of the square of what it multiplied it by.

        For a record that was not taken, it is at most that.
        """
        # A must-keep record without quality is chosen, so its direction is taken.
        signals = {"quality": self.quality} if self.quality else None
        found = Embedded(pool, self.name, signals, besides=filling.kept)
        worth = np.zeros(len(pool))
        if self.quality:  # ranks among all records of the pool
            worth = 2 * log_quality(pool.numbers(self.quality, self.name).astype(np.float64), self.theta, self.scale)
        self._looked = 0
        if not len(found):
            return found.ranking(filling.order(found.rows), self.name)
        volume = Volume(self.kernel, self.ridge, self.gamma, self._bytes)
        facts = volume.choose(found, worth[found.rows], filling)
        self._looked = facts["comparisons"]
        order = found.rows[np.argsort(-found.score[found.rows], kind="stable")]
        return found.ranking(filling.order(order), "dpp: adds the most volume", facts)
