"""Several scores merged into one per domain, and from the place in that domain how often a record should be seen.

A record's scores become ranks, their weighted sum its place in its domain; the place, as the share of the domain's
tokens that are as good or better, becomes a sampling value S: near 2^eta for the best, 1 + epsilon at the share
`omega`, and epsilon behind it. A record is seen floor(S) times, and once more with the probability of the rest.

Source: QuaDMix, "Quality-Diversity Balanced Data Selection for Efficient LLM Pretraining" (2025): merging, share, S and
copies. Ours: ranks as the normaliser (the paper leaves it open); signals count upwards unless told otherwise (in the
paper less is better); and the budget. A selection holds a record once and is full exactly, so records that are drawn at
least once come first, in random order; then the others by weighted draws without replacement; copies are weights.
`quadmix_search` looks for the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError, unknown
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import REQUIRED, Chosen, Flags, Groups, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints
from tamis.select.given.arrays import places
from tamis.select.given.direction import directed
from tamis.select.given.usable import check_usable
from tamis.select.steps.quadmix_curve import Shape, copies, in_turn, shapes_of, standing, values, weights_of
from tamis.vectors.tiles import in_order

__all__ = ["Quadmix", "quadmix"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def quadmix(
    scores: Any,
    k: int,
    *,
    domains: Any = None,
    tokens: Any = None,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
    **options: Any,
) -> tuple[_Ints, _Ints]:
    """Return `min(k, n)` rows of `n x m` scores (more is better), in the order drawn, and how often each is to be seen.

    Rows that lack a score (NaN) are left out. Without `tokens` (`n`) all count alike; without `domains` (`n` values)
    there is one. Without `keys` (`n x 2`) a row is named by its place. Options as `Quadmix`, but `signals` and `share`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x m` numbers, tokens or domains of another length, tokens below 0.
    OptionError
        An option that does not exist or does not fit.
    """
    k, x = check_amount(k), np.asarray(scores, np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise InputError(f"quadmix, scores: expected n x m numbers, got an array of shape {x.shape}.")
    if keys is None:
        keys = places(len(x))
    names = [f"score{j}" for j in range(x.shape[1])]
    columns: dict[str, Any] = dict(zip(names, x.T, strict=True))
    columns["tokens"] = np.ones(len(x)) if tokens is None else np.asarray(tokens)
    if domains is not None:
        columns["domains"] = Groups.of(domains)
        options["domains"] = "domains"
    for name, column in columns.items():
        if len(column) != len(x):
            raise InputError(f"quadmix, {name}: expected {len(x)} values, one a row, got {len(column)}.")
    _, keys, order = in_order(x[:, :1], keys)
    if order is not None:
        columns = {
            name: Groups(column.codes[order], column.names) if isinstance(column, Groups) else column[order]
            for name, column in columns.items()
        }
    method = Quadmix(signals=",".join(names), **options)
    drawn = method._drawn(Pool(keys, columns), seed)
    rows = drawn.ranking.order[:k]
    return (rows if order is None else np.asarray(order[rows], np.int64)), np.maximum(drawn.copies[rows], 1)


@dataclass(frozen=True, eq=False)
class _Drawn:
    ranking: Ranking
    copies: _Ints  # of each record, 0 where it was not drawn


class Quadmix(Selector):
    """Scores merged per domain; how often a record is drawn follows from its place in its domain."""

    name = "quadmix"
    title = "Merged scores, a sampling curve per domain"
    source = "QuaDMix (2025); ranks as normaliser, the exact budget and copies as weights are ours"
    cost = "O(m n log n) time, 64 (m + 3) bytes a record"
    promises = (
        "while those drawn fill the budget, a record's expected weight is in proportion to S, up to the chance in how"
        " many are drawn; about a model, nothing"
    )
    use_when = "several scores and domains: each gives its best, with a few of the rest, as a small proxy model prefers"
    fails_when = "the parameters were not searched for, or the budget is far from what they draw"
    later = "the paper's own: with more tokens the same mix loses, 39.0 at 30B, 36.8 at 90B, 35.1 at 180B"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("signals", str, REQUIRED, "the scores, separated by commas; SIGNAL:asc where less is better"),
        Parameter("domains", str, None, "the field that holds a record's domain; default one domain"),
        Parameter("weights", str, None, "a weight for each signal, separated by commas; default all alike"),
        Parameter("slope", float, 100.0, "how steeply S falls towards omega", low=0),
        Parameter("omega", float, 0.05, "share of a domain that is drawn for sure", low=0, high=1),
        Parameter("eta", float, 1.0, "power: the best are seen at most 2^eta times", low=0, high=10),
        Parameter("epsilon", float, 0.001, "sampling value of the rest", low=0, high=1),
        Parameter("theta", str, None, "JSON, domain to parameters: those of single domains, in place of these"),
        Parameter("share", str, "tokens", "what a place in a domain is counted in", ("tokens", "records")),
        Parameter("copies", bool, True, "weigh a record by how often it is to be seen; false: all weigh 1"),
    )  # fmt: skip

    signals: str
    domains: str | None
    weights: str | None
    slope: float
    omega: float
    eta: float
    epsilon: float
    theta: str | None
    share: str
    copies: bool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        pairs = [directed(part.strip(), self.name, "signals") for part in self.signals.split(",")]
        self.wanted = dict(pairs)
        if len(self.wanted) != len(pairs):
            raise OptionError(
                "method 'quadmix', option 'signals': expected different names such as 'a,b,c:asc', got"
                f" '{self.signals}'."
            )
        self.shape = Shape(weights_of(self.weights, len(self.wanted)), self.slope, self.omega, self.eta, self.epsilon)
        self.shapes = shapes_of(self.theta, self.shape, self.domains is not None)

    def needs(self) -> tuple[str, ...]:
        """Return the signals, the field of domains, and tokens where places are counted in them."""
        also = [self.domains] if self.domains else []
        return tuple(dict.fromkeys([*self.wanted, *also, *(["tokens"] if self.share == "tokens" else [])]))

    def group_needs(self) -> tuple[str, ...]:
        """Return the field of domains."""
        return (self.domains,) if self.domains else ()

    def holds(self, n: int) -> int:
        """Return the bytes of ranks, shares and values."""
        return 64 * n * (len(self.wanted) + 3)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order: those drawn at least once, in random order, then the others; the score is S."""
        return self._drawn(pool, seed).ranking

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Draw, fill the budget from the top, and weigh each chosen record by its copies, at least 1.

        The facts tell how many copies are expected and drawn, and how many of the chosen were not drawn.
        """
        constraints.validate(len(pool))
        drawn = self._drawn(pool, seed)
        chosen = self.filled(drawn.ranking, constraints, len(pool))
        late = (drawn.copies == 0) & (chosen.rank >= 0) & (chosen.reason == 0)
        weight = chosen.weight * np.maximum(drawn.copies, 1) if self.copies else chosen.weight
        facts = {**chosen.facts, "chosen_but_not_drawn": int(late.sum()), "copies_of_the_chosen": int(weight.sum())}
        told = "quadmix: not drawn, but those drawn did not fill the budget"
        reason = np.where(late, len(chosen.reasons), chosen.reason).astype(np.int32)
        return replace(chosen, weight=weight, reason=reason, reasons=(*chosen.reasons, told), facts=facts)

    def _drawn(self, pool: Pool, seed: int) -> _Drawn:
        columns = {name: pool.numbers(name, self.name).astype(np.float64) for name in self.wanted}
        cost = pool.numbers("tokens", self.name).astype(np.float64) if self.share == "tokens" else np.ones(len(pool))
        lacks = np.isnan(np.stack(list(columns.values()), axis=1)).any(axis=1)
        rows = np.flatnonzero(~lacks & ~np.isnan(cost))
        wrong = ~lacks & ((cost < 0) | np.isinf(cost))
        check_usable(cost, wrong, "method 'quadmix', tokens", "finite numbers of at least 0")
        ranks = [standing(column[rows], self.wanted[name]) for name, column in columns.items()]
        value, count = np.full(len(pool), np.nan), np.zeros(len(pool), np.int64)
        domains = self._domains(pool, rows)
        value[rows] = values(ranks, domains, cost[rows], [self.shapes.get(name, self.shape) for name in domains.names])
        count[rows] = copies(value[rows], uniforms(pool.keys[rows], salt(seed, "quadmix: copies")))
        noise = uniforms(pool.keys[rows], salt(seed, "quadmix: order"))
        order = rows[in_turn(value[rows], count[rows], noise, weighed=self.copies)]
        facts = {
            "copies_expected": round(float(np.sort(value[rows]).sum()), 6),
            "copies_drawn": int(count.sum()),
            "records_drawn": int((count > 0).sum()),
        }
        aside = np.where(lacks, 0, 1).astype(np.int8)
        why = ("quadmix: lacks a signal (NaN)", "quadmix: no tokens (NaN)")
        return _Drawn(
            Ranking(order, value, "quadmix: drawn by its place in its domain", aside, why, facts=facts), count
        )

    def _domains(self, pool: Pool, rows: _Ints) -> Groups:
        if self.domains is None:
            return Groups(np.zeros(len(rows), np.int32), ("",))
        found = pool.groups(self.domains, self.name)
        for domain in self.shapes:
            if domain not in found.names:
                raise unknown(f"domain of '{self.domains}' in option 'theta' of method 'quadmix'", domain, found.names)
        return Groups(found.codes[rows], found.names)
