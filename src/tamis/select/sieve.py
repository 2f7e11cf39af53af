"""Sieve-streaming: a set that represents a reference, chosen in one pass over records that may never end.

The value of a set is how alike the records of a reference are to the chosen one nearest to each (facility location,
cosines, 0 where negative). The best value is unknown, so many guesses are tried at once: for each guess `v`, a power
of 1 + eps between the largest value `m` of one record up to now and 2 k m, a set takes a record when it adds at least
(v / 2 - value) / (places left). The best of these sets has at least 1/2 - eps of what the best `k` of all records
have (Badanidiyuru, Mirzasoleiman, Karbasi and Krause 2014). Memory depends on `k`, eps and the reference alone.

Ours: the reference is given, drawn by keys, or the first records of the stream; values are whole numbers of steps
(1/65,535), so that blocks change nothing; must-keep records count as chosen before the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints
from tamis.select.steps.sifting import Sieve, Sifted
from tamis.vectors.tiles import TILE, zero_rows

__all__ = ["Sieve", "SieveStreaming", "Sifted"]


class SieveStreaming(Selector):
    """A set that represents the pool, in one pass."""

    name = "sieve"
    title = "Sieve-streaming"
    source = "Badanidiyuru, Mirzasoleiman, Karbasi and Krause 2014; the drawn reference: ours"
    cost = (
        "O(n r (d + log(k) / eps)) time for a reference of r records; O((r + k) log(k) / eps) memory, 25 bytes a record"
    )
    promises = "at least 1/2 - eps = 40 % of the best objective against the reference (rows, no quotas), in one pass"
    use_when = "records come by once, or never end, and those kept shall represent what came by"
    fails_when = (
        "the pool fits in memory: facility then comes within 63 % and in practice far nearer; often below the budget"
    )
    later = "SieveStreaming++ (Kazemi et al. 2019): the same bound with less memory; no figure of a trained model known"
    flags = Flags(at_most=True, streams=True)
    parameters = (
        Parameter("eps", float, 0.1, "the smaller, the more sets are tried", low=1e-3, high=0.499),
        Parameter("reference", int, 4000, "records drawn by their keys that the chosen must represent", low=1),
        Parameter("fill", bool, False, "fill the budget with what adds most by itself; else it may stay below"),
    )

    eps: float
    reference: int
    fill: bool
    _looked = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.fill:
            self.flags = replace(type(self).flags, at_most=False)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return the bytes of the sets for a tenth of the pool, of the reference and of a number a record."""
        sets = np.log(2 * max(1, n // 10)) / np.log1p(self.eps) + 2
        return int(25 * n + sets * (2 * self.reference + 1.6 * n) + 1024 * self.reference)

    def operations(self) -> int:
        """Return how many gains the last choice looked at."""
        return self._looked

    def rank(self, pool: Pool, seed: int) -> Ranking:  # noqa: ARG002 - nothing is random
        """Order: the best set for a tenth of the pool, then the others by what they add alone."""
        none = np.zeros(len(pool), np.bool_)
        return self._sifted(pool, max(1, len(pool) // 10), none, none)[0]

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:  # noqa: ARG002
        """Sieve the pool, in the order of its keys, for as many as the budget takes, and fill it from the best set.

        Others are taken where a must-keep or a floor asks for them, or with `fill`.

        Raises
        ------
        BudgetError
            The constraints cannot hold.
        """
        n = len(pool)
        constraints.validate(n)
        keep, drop = constraints.pins(n)
        count = max(1, constraints.wanted(n) - int(keep.sum()))
        ranking, inside = self._sifted(pool, count, keep, drop)
        chosen = self.filled(ranking, constraints, n)
        if self.fill:
            return chosen
        stays = inside | keep
        for quota in constraints.quotas:
            if quota.op == ">=":
                groups = constraints.groups[quota.field]
                named = groups.names if quota.value is None else [quota.value]
                stays |= np.isin(np.asarray(groups.names, object)[groups.codes], named)
        return _without(chosen, ~stays)

    def _sifted(
        self, pool: Pool, k: int, keep: NDArray[np.bool_], drop: NDArray[np.bool_]
    ) -> tuple[Ranking, NDArray[np.bool_]]:
        """Return the ranking, and which records are in the best set."""
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        score, inside = np.full(len(pool), np.nan), np.zeros(len(pool), np.bool_)
        aside, why = np.zeros(len(pool), np.int8), ("sieve: no vector (all zeros)",)
        rows = np.flatnonzero(~zero)
        self._looked = 0
        if not len(rows):
            return Ranking(rows, score, self.name, aside, why), inside
        drawn = np.argsort(uniforms(pool.keys[rows], salt(0, "sieve: reference")), kind="stable")[: self.reference]
        sieve = Sieve(k, x[np.sort(rows[drawn])], eps=self.eps, chosen=x[keep & ~zero])
        free = ~(zero | keep | drop)
        for start in range(0, len(pool), 16 * TILE):
            part = start + np.flatnonzero(free[start : start + 16 * TILE])
            if len(part):
                score[part] = sieve.push(x[part], part)
        found = sieve.result()
        self._looked = sieve._looked
        score[found.ids], inside[found.ids] = found.gains, True
        rest = rows[~inside[rows]]
        alone = np.where(np.isnan(score[rest]), -1.0, score[rest])
        order = np.concatenate([found.ids, rest[np.argsort(-alone, kind="stable")]])
        facts = {"mean_similarity": found.value, "sieved": len(found.ids), "sets": len(sieve._size)}
        return Ranking(order, score, "sieve: added enough as it came by", aside, why, facts=facts), inside


def _without(chosen: Chosen, out: NDArray[np.bool_]) -> Chosen:
    """Return the choice without some records, which then did not add enough."""
    gone = chosen.rows[out[chosen.rows]]
    rows = chosen.rows[~out[chosen.rows]]
    rank, weight, reason = np.full(len(out), -1, np.int32), chosen.weight.copy(), chosen.reason.copy()
    rank[rows] = np.arange(len(rows), dtype=np.int32)
    weight[gone], reason[gone] = 0.0, len(chosen.reasons)
    reasons = (*chosen.reasons, "sieve: did not add enough as it came by")
    return replace(chosen, rows=rows, rank=rank, weight=weight, reason=reason, reasons=reasons)
