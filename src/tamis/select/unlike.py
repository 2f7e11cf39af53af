"""Records that stand for the pool, but not for the examples to keep away from: submodular conditional gain.

Iyer et al. 2021 (submodular information measures), Kothawade et al. 2021 (PRISM). With s the similarity, P the
examples to be unlike and V the pool, S is chosen greedily for

    flcg  sum over i in V of max(max over j in S of s(i, j) - nu * max over p in P of s(i, p), 0)
    gccg  sum over i in V, j in S of s(i, j) - lambda * sum over i, j in S of s(i, j)
          - 2 lambda nu * sum over j in S, p in P of s(j, p)

Ours: flcg is facility location in which each record counts from what the examples represent of it
(`facility.Window`), so the set starts as if it held them, nu times; gccg's sums over the pool are whole numbers, and
nu is by default the pool's records for each example, without which few examples weigh nothing beside a large pool.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import prices
from tamis.select.facility import Facility, Window
from tamis.select.gain.columns import Columns, farthest
from tamis.select.gain.submodular import Grown
from tamis.select.given.aimed import Aimed, near_examples
from tamis.vectors.similarity import UNIT, Space, totals
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Unlike", "unlike"]

_Ints = NDArray[np.int64]


def unlike(
    x: Any,
    examples: Any,
    k: int,
    *,
    form: str = "flcg",
    nu: float | None = None,
    balance: float = 0.4,
    metric: str = "cosine",
    algorithm: str = "auto",
    memory: str | int = "1GB",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`) that stand for it where the rows of `examples` (`p x d`) do not.

    Options as those of `Unlike`. Rows of zeros are never chosen; the same rows whatever the order of `x` and of the
    examples.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, examples of another width.
    OptionError
        An option that does not exist or does not fit.
    """
    k = check_amount(k)
    x, keys, order = canonical(x, keys)
    method = Unlike(form=form, nu=nu, balance=balance, metric=metric, algorithm=algorithm, memory=str(memory))
    chosen = method.told(unlike=[examples]).select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    return Grown(rows if order is None else order[rows], gains, chosen.facts["objective"], dict(chosen.facts))


class Unlike(Aimed, Facility):
    """Records that stand for the pool, away from the examples."""

    name = "unlike"
    title = "Unlike examples: submodular conditional gain of vectors"
    source = "Iyer et al. 2021, Kothawade et al. 2021 (PRISM); windows and default nu of gccg: ours"
    cost = "flcg as facility; gccg O(n^2 d) time, O(n d k) more, O(n d) memory"
    promises = "flcg: at least 1 - 1/e = 63 % of the best objective (not in parts); gccg: nothing"
    use_when = "what you have already, or must not have, is known by examples, and the rest is to be covered"
    fails_when = "nearness to an example is not what must be avoided (exact text: --against; copies: --dedup)"
    later = "images, on gradients: 5 to 10 % over other active learning with foreign data in the pool (SIMILAR, 2021)"
    flags = Flags(needs_all=True, needs_unlike=True)
    reads = ("unlike",)
    parameters = (
        Parameter("form", str, "flcg", "facility location's conditional gain, or graph cut's", ("flcg", "gccg")),
        Parameter("nu", float, None, "weight of the examples; default 1, gccg the pool's records an example", low=0),
        Parameter("balance", float, 0.4, "gccg: lambda, weight of difference; below .5 more is better", low=0),
        *Facility.parameters,
    )

    form: str
    nu: float | None
    balance: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.form == "gccg" and self.algorithm != "auto":
            raise OptionError(f"method 'unlike', algorithm '{self.algorithm}': expected with form=flcg, got form=gccg.")

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix, or of columns and sums, and of the examples."""
        return (super().holds(n) if self.form == "flcg" else 200 * n) + self.held()

    def within(self, room: int, n: int) -> Facility:
        """Return the method with a matrix that leaves room for the examples, unless `memory` was given."""
        return self if self.holds(n) <= room else super().within(room - self.held(), n)

    def window(self, space: Space) -> Window | None:
        """Return what counts of each row's similarity: what is above nu times that to the nearest example."""
        nu = 1.0 if self.nu is None else self.nu
        return Window(np.minimum(nu * near_examples(space, self.unlike), 1.0), np.ones(len(space)))

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        examples = self.examples("unlike", pool)
        if self.form == "flcg":
            return super().greedily(pool, filling, seed)
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        score = np.full(len(pool), np.nan)
        space = Space(subset(x, rows), self.metric)
        price = prices(filling, self.per_token)[rows]
        columns = Columns(space, Local())
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        alike = np.zeros(len(rows), np.int64)  # to those chosen
        for at, row in enumerate(kept.tolist()):
            alike += _column(columns, row, space, kept[at + 1 :])
        own = self._own(space, space, space.other(examples), len(rows))
        value = _worth(own, alike, self.balance, price)
        waiting = filling.open[rows]
        while not filling.full and waiting.any():
            best = int(np.argmax(np.where(waiting, value, -np.inf)))
            gain = (own[best] - 2 * self.balance * float(alike[best])) / UNIT
            if filling.offer(int(rows[best])):
                alike += _column(columns, best, space, farthest(value.astype(np.float32), waiting)())
                value = _worth(own, alike, self.balance, price)
            score[rows[best]] = gain
            waiting = filling.open[rows]
        self._looked = len(rows) * (len(rows) + len(examples) + columns.asked)
        left = np.isnan(score[rows])
        score[rows[left]] = (own - 2 * self.balance * alike)[left] / UNIT
        aside = np.where(zero, 0, -1).astype(np.int8)
        order = rows[np.argsort(-value, kind="stable")]
        return Ranking(filling.order(order), score, "unlike: adds most, away from the examples", aside, self.asides())

    def _own(self, part: Space, space: Space, examples: Space, n: int) -> NDArray[np.float64]:
        """Return what each row of `part` would add to the empty set (gccg), in units."""
        nu = n / max(len(examples), 1) if self.nu is None else self.nu
        near = totals(part, Local(), examples).astype(np.float64)
        return totals(part, Local(), space) - self.balance * UNIT - (2 * self.balance * nu) * near

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective, and how near the chosen and the pool are to the examples, in the mean."""
        found = super().finished(pool, chosen)
        near = near_examples(Space(pool.vectors("vectors", self.name), self.metric), self.unlike)
        facts = {name: value for name, value in found.facts.items() if name != "mean_similarity"}
        facts["near_examples"] = float(near[chosen.rows].mean()) if len(chosen) else 0.0
        return replace(found, facts={**facts, "pool_near_examples": float(near.mean())})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows."""
        if self.form == "flcg" or self.unlike is None or not len(chosen):
            return super().objective(space, chosen) if self.form == "flcg" else 0.0
        part = space.part(chosen)
        own = self._own(part, space, space.other(self.unlike), len(space))
        pairs = int(totals(part, Local()).sum()) - len(chosen) * UNIT
        return float(own.sum() - self.balance * pairs) / UNIT


def _column(columns: Columns, row: int, space: Space, likely: _Ints) -> _Ints:
    """Return the similarities of all rows to one, in units."""
    apart = columns.of(row, lambda: likely)
    return np.rint(np.clip(1 - apart.astype(np.float64) * float(space.scale), 0, 1) * UNIT).astype(np.int64)


def _worth(own: NDArray[np.float64], alike: _Ints, balance: float, price: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return gains by price: a loss counts whole, whatever it costs."""
    gain = own - 2 * balance * alike
    return np.where(gain > 0, gain / price, gain)
