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

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.budget.shares import apportioned
from tamis.select.given.arrays import one_each
from tamis.select.steps.spectral import spectral
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Paser", "efficiency", "jsd", "paser"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDE = ("paser: no vector (all zeros)", "paser: no damage or length (NaN)")


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
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    given = {"damage": damage, "tokens": tokens, "bytes": characters}
    columns = {name: one_each(values, order, len(x), name) for name, values in given.items()}
    method = Paser(damage="damage", **options)
    method._budget = k
    rows = method.rank(Pool(keys, {"vectors": x, **columns}), seed).order[:k]
    return rows if order is None else order[rows]


class Paser(Selector):
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
    _budget: int | None = None
    _pins: tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None] = (None, None)

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        return tuple(dict.fromkeys(("vectors", self.damage, self.tokens, self.characters)))

    def holds(self, n: int) -> int:
        """Return the bytes of what goes with each record, and of the sample's similarities."""
        return 80 * n + 4 * min(n, self.sample) ** 2

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` with shares for this budget (of tokens: for what so many hold on average), and fill it.

        Must-keep records count in their cluster's share, must-drop ones are of none.
        """
        constraints.validate(len(pool))
        aware = copy.copy(self)
        aware._budget = constraints.wanted(len(pool))
        aware._pins = (constraints.keep, constraints.drop)
        return super(Paser, aware).select(pool, constraints, seed)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order so that the first records hold the shares; the score is damage for length."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        damage, tokens, characters = (self._lengths(pool, name) for name in (self.damage, self.tokens, self.characters))
        score = efficiency(damage, tokens, characters)
        rows = np.flatnonzero(~zero & ~np.isnan(score))
        facts: dict[str, Any] = {}
        order = rows
        if len(rows):
            part = subset(x, rows)
            how = {"neighbours": self.neighbours, "sample": self.sample, "seed": seed}
            labels = spectral(part, self.clusters, keys=pool.keys[rows], **how)
            sizes = np.bincount(labels, minlength=self.clusters)
            largest = float(damage[rows].max()) or 1.0  # so that sums stay finite
            mean = np.bincount(labels, damage[rows] / largest, minlength=self.clusters) / np.maximum(sizes, 1)
            best = np.argsort(-score[rows], kind="stable")
            amount = self._budget or len(rows)
            order, taken = apportioned(rows[best], labels[best], mean, amount, *self._pins)
            told = zip(sizes.tolist(), (mean * largest).tolist(), taken.tolist(), strict=True)
            facts = {
                "clusters": [{"size": s, "damage": float(f"{m:.6g}"), "share": t} for s, m, t in told if s],
                "sampled": min(len(rows), self.sample),
            }
        aside = np.where(zero, 0, 1).astype(np.int8)
        return Ranking(order, score, "paser: in its cluster's share, by damage for length", aside, _ASIDE, facts=facts)

    def _lengths(self, pool: Pool, name: str) -> _Floats:
        values = pool.numbers(name, self.name).astype(np.float64)
        wrong = (values < 0) | np.isinf(values)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(
                f"method 'paser', signal '{name}': expected finite numbers of at least 0, got {values[at]:g} at record"
                f" {at}."
            )
        return values
