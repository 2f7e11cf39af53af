"""What repairs a damaged model: more of the kinds that suffered most, and what repairs most for its length first.

Source: PASER, "Post-Training Data Selection for Efficient Pruned Large Language Model Recovery" (2025): spectral
clusters of instructions; each gets a part of the budget in proportion to the mean damage in it, the divergence between
what the model says before and after pruning; inside, the largest damage for its length, `JSD / log((tokens +
characters)^2)`, first.

Ours: largest remainders (rounding down loses records), what a cluster is too small for goes to the others, shares by
size where nothing is damaged, and at least two tokens and characters, so that no logarithm is 0. The graph of
concepts, whose edges depend on the order of records, is not there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking
from tamis.select.budget.aware import Aware
from tamis.select.budget.shares import apportioned
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.given.usable import check_usable
from tamis.select.steps.spectral import spectral

__all__ = ["Paser", "efficiency", "jsd", "paser"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def jsd(p: Any, q: Any) -> Any:
    """Return the Jensen-Shannon divergence in nats of distributions over the last axis of `p` and `q`: 0 to log 2.

    0 exactly where both are equal, log 2 where no outcome is of both. Add up over the tokens of a text to get its
    damage: `jsd(p, q).sum(axis=-1)` of `tokens x vocabulary`.

    Raises
    ------
    InputError
        Unequal shapes, numbers below 0 or not finite, sums that are not 1 (to one in a thousand).
    """
    a, b = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if a.shape != b.shape or a.ndim < 1:
        raise InputError(f"jsd: expected distributions of one shape, got {a.shape} and {b.shape}.")
    for one in (a, b):
        total = one.sum(axis=-1)
        if not (one >= 0).all() or not (np.abs(total - 1) <= 1e-3).all():
            raise InputError("jsd: expected numbers of at least 0 that add up to 1 over the last axis, got others.")
    a, b = a / a.sum(axis=-1, keepdims=True), b / b.sum(axis=-1, keepdims=True)
    # Of each outcome its part of the whole: log(2 a / (a + b)), which is 0 exactly where a is b.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = [np.where(one > 0, one * np.log(2.0 * one / (a + b)), 0.0) for one in (a, b)]
    found = np.clip((share[0] + share[1]).sum(axis=-1) / 2, 0.0, math.log(2.0))
    return float(found) if not found.ndim else found


def efficiency(damage: Any, tokens: Any, characters: Any) -> _Floats:
    """Return the damage of `n` records for their lengths: `damage / log((tokens + characters)^2)`."""
    length = np.maximum(np.asarray(tokens, np.float64) + np.asarray(characters, np.float64), 2.0)
    return np.asarray(np.asarray(damage, np.float64) / (2.0 * np.log(length)))


def paser(
    x: Any,
    k: int,
    damage: Any,
    tokens: Any,
    characters: Any,
    *,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
    **options: Any,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`), by the damage of their cluster and their own for its length.

    `damage`, `tokens` and `characters` are `n` numbers each. Options as those of `Paser`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, a damage or length below 0 or infinite.
    OptionError
        An option that does not exist or does not fit.
    """
    method = Paser(damage="damage", **options)
    return choose(method, k, x, keys=keys, seed=seed, damage=damage, tokens=tokens, bytes=characters)[0]


class Paser(Aware):
    """Shares by the damage of a cluster, inside by damage for length."""

    name = "paser"
    title = "What a pruned model lost, most for its length first"
    source = "PASER (2025); the symmetric Laplacian on a graph of neighbours, the sample and the rounding are ours"
    cost = "O(s^2 d) for a sample of s = 2,048, then O(n s d) to find the nearest of it; 80 bytes a record"
    promises = "a cluster's share is its mean damage over the sum of those, to less than one record; nothing else"
    use_when = "two models' answers are known, before and after pruning, and few records are to repair the difference"
    fails_when = "all suffered alike: then it takes the damaged and short, and clusters do not matter"
    later = "no later comparison known"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("damage", str, REQUIRED, "the signal of damage: divergence of two models' answers, at least 0"),
        Parameter("clusters", int, 10, "spectral clusters", low=1),
        Parameter("neighbours", int, 15, "of each record in the graph", low=1),
        Parameter("sample", int, 2048, "records that are clustered; the others go with the nearest", low=2, high=20000),
        Parameter("tokens", str, "tokens", "the signal of tokens"),
        Parameter("characters", str, "bytes", "the signal of characters (of the answer, in the paper)"),
    )

    damage: str
    clusters: int
    neighbours: int
    sample: int
    tokens: str
    characters: str

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        return tuple(dict.fromkeys(("vectors", self.damage, self.tokens, self.characters)))

    def holds(self, n: int) -> int:
        """Return the bytes of what goes with each record, and of the sample's similarities."""
        return 80 * n + 4 * min(n, self.sample) ** 2

    def ranked(self, pool: Pool, seed: int, wanted: int, keep: _Mask, drop: _Mask) -> Ranking:
        """Order so that the first records hold the shares; the score is damage for length.

        Records to keep count in their cluster's share, those to drop are of none.
        """
        damage, tokens, characters = (self._lengths(pool, name) for name in (self.damage, self.tokens, self.characters))
        score = efficiency(damage, tokens, characters)
        found = Embedded(pool, self.name, lacking={"no damage or length (NaN)": np.isnan(score)})
        found.score[:], rows = score, found.rows
        facts: dict[str, Any] = {}
        order = rows
        if len(rows):
            how = {"neighbours": self.neighbours, "sample": self.sample, "seed": seed}
            labels = spectral(found.x, self.clusters, keys=found.keys, **how)
            sizes = np.bincount(labels, minlength=self.clusters)
            largest = float(damage[rows].max()) or 1.0  # so that sums stay finite
            mean = np.bincount(labels, damage[rows] / largest, minlength=self.clusters) / np.maximum(sizes, 1)
            best = np.argsort(-score[rows], kind="stable")
            order, taken = apportioned(rows[best], labels[best], mean, wanted, keep, drop)
            told = zip(sizes.tolist(), (mean * largest).tolist(), taken.tolist(), strict=True)
            facts = {
                "clusters": [{"size": s, "damage": float(f"{m:.6g}"), "share": t} for s, m, t in told if s],
                "sampled": min(len(rows), self.sample),
            }
        return found.ranking(order, "paser: in its cluster's share, by damage for length", facts)

    def _lengths(self, pool: Pool, name: str) -> _Floats:
        values = pool.numbers(name, self.name).astype(np.float64)
        wrong = (values < 0) | np.isinf(values)
        check_usable(values, wrong, f"method 'paser', signal '{name}'", "finite numbers of at least 0")
        return values
