"""Records like the examples, and unlike each other: submodular mutual information with a target.

Iyer et al. 2021 (submodular information measures), Kothawade et al. 2021 (PRISM). With s the similarity, Q the
examples and V the pool, S is chosen greedily for

    flqmi  sum over q in Q of max over j in S of s(q, j)  +  eta * sum over j in S of max over q in Q of s(q, j)
    flvmi  sum over i in V of min(max over j in S of s(i, j), eta * max over q in Q of s(i, q))
    gcmi   sum over j in S, q in Q of s(j, q)

flvmi with examples P to keep away from (`unlike`) is the conditional form: of the minimum, nu * max over p in P of
s(i, p) is taken off, down to 0.

Ours: flvmi is facility location in which each record's similarity counts within a window (`facility.Window`), so
that lowered gains, rows anew, parts and sampled candidates all serve it; flqmi is facility location of the
examples by the pool, with a sum beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from tamis.select.gain.anew import Anew
from tamis.select.gain.represent import Represented, State
from tamis.select.gain.submodular import Grown, take
from tamis.select.given.aimed import Aimed, near_examples
from tamis.vectors.similarity import UNIT, Space, closest, nearness, rectangle, totals
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["Like", "like"]

_Ints = NDArray[np.int64]


def like(
    x: Any,
    target: Any,
    k: int,
    *,
    form: str = "flqmi",
    eta: float = 1.0,
    unlike: Any = None,
    nu: float = 1.0,
    metric: str = "cosine",
    algorithm: str = "auto",
    memory: str | int = "1GB",
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> Grown:
    """Choose `min(k, n)` rows of `x` (`n x d`) that are like the rows of `target` (`q x d`), and cover them.

    `unlike` (`p x d`, with flvmi): rows to keep away from. Other options as those of `Like`. Rows of zeros are never
    chosen; the same rows whatever the order of `x` and of the examples.

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
    options = {"form": form, "eta": eta, "nu": nu, "metric": metric, "algorithm": algorithm, "memory": str(memory)}
    method = Like(**options).told([target], [] if unlike is None else [unlike])
    chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)), seed)
    rows, gains = chosen.rows, chosen.score[chosen.rows]
    return Grown(rows if order is None else order[rows], gains, chosen.facts["objective"], dict(chosen.facts))


class Like(Aimed, Facility):
    """Records that share most with the examples."""

    name = "like"
    title = "Like a target: submodular mutual information of vectors"
    source = "Iyer et al. 2021, Kothawade et al. 2021 (PRISM); lowered gains, windows: ours"
    cost = "flqmi, gcmi O(n q d) for q examples, 2 n q bytes up to `memory`; flvmi as facility"
    promises = "at least 1 - 1/e = 63 % of the best objective (flqmi; flvmi not in parts), the best of all (gcmi)"
    use_when = "you have examples of what you want, and meaning matters more than words"
    fails_when = "the vectors do not see what makes the examples special; or very many are wanted from few examples"
    later = (
        "images, on gradients: ~12 % more accuracy on the target than other methods (arXiv 2105.00043, its authors); "
        "texts, on fixed embeddings: no comparison known"
    )
    flags = Flags(needs_all=True, needs_target=True)
    reads = ("target", "unlike")
    parameters = (
        Parameter(
            "form", str, "flqmi", "what is shared with the examples: flqmi covers them, flvmi their surroundings "
            "in the pool, gcmi adds up similarities", ("flqmi", "flvmi", "gcmi"),
        ),
        Parameter("eta", float, 1.0, "flqmi: weight of nearness beside coverage; flvmi: of the examples", low=0),
        Parameter("nu", float, 1.0, "flvmi with --unlike: weight of the examples to keep away from", low=0),
        *Facility.parameters,
    )  # fmt: skip

    form: str
    eta: float
    nu: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.form != "flvmi" and self.algorithm in ("parts", "stochastic"):
            raise OptionError(
                f"method 'like', algorithm '{self.algorithm}': expected with form=flvmi, got form={self.form}."
            )
        self.growth = 2.0 if self.form == "flvmi" else 1.0  # type: ignore[misc]

    def told(self, target: Sequence[Any] = (), unlike: Sequence[Any] = ()) -> Like:
        """Return the method for these examples; OptionError for some to keep away from, where the form has none."""
        if len(unlike) and self.form != "flvmi":
            raise OptionError(f"method 'like', form '{self.form}' reads no --unlike: -O form=flvmi does.")
        return super().told(target, unlike)

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix, no more than `memory` allows, and of the examples."""
        asked = 0 if self.target is None else len(self.target)
        size = {"flvmi": 2 * n * n, "flqmi": 2 * n * asked, "gcmi": 0}[self.form]
        return min(self._bytes, size) + self.held()

    def within(self, room: int, n: int) -> Facility:
        """Return the method with a matrix that leaves room for the examples, unless `memory` was given."""
        return self if self.holds(n) <= room else super().within(room - self.held(), n)

    def window(self, space: Space) -> Window | None:
        """Return what counts of each row's similarity: up to eta times that to the target, from nu times the others."""
        if self.form != "flvmi":
            return None
        high = np.minimum(self.eta * near_examples(space, self.target), 1.0)
        return Window(np.minimum(self.nu * near_examples(space, self.unlike), 1.0), high)

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:
        """Offer what adds most; the score is what a record added, or would add to those chosen."""
        target = self.examples("target", pool)
        if self.unlike is not None:
            self.examples("unlike", pool)
        if self.form == "flvmi":
            return super().greedily(pool, filling, seed)
        x = pool.vectors("vectors", self.name)
        zero = zero_rows(x)
        rows = np.flatnonzero(~zero)
        score = np.full(len(pool), np.nan)
        space = Space(subset(x, rows), self.metric)
        asked, price = space.other(target), prices(filling, self.per_token)[rows]
        self._looked = len(rows) * len(asked)
        if self.form == "gcmi":
            score[rows] = totals(space, Local(), asked) / UNIT
            facts: dict[str, Any] = {}
        else:
            facts = self._cover(space, asked, rows, price, filling, score)
        left = rows[np.argsort(-score[rows] / price, kind="stable")]
        aside = np.where(zero, 0, -1).astype(np.int8)
        words = "like: shares most with the target"
        return Ranking(filling.order(left), score, words, aside, self.asides(), facts=facts)

    def _cover(
        self, space: Space, asked: Space, rows: _Ints, price: NDArray[np.float64], filling: Filling, score: Any
    ) -> dict[str, Any]:
        """Choose for flqmi; the matrix has a row an example."""
        engine = Local()
        every, chosen = np.arange(len(space)), filling.kept[np.isin(filling.kept, rows)]
        best = closest(asked, None, np.searchsorted(rows, chosen), engine, space)
        size = 2 * len(asked) * len(space)
        fits = size <= self._bytes
        if self.algorithm == "whole" and not fits:
            raise OptionError(
                f"method 'like', algorithm 'whole': {len(asked):,} examples and {len(space):,} records need "
                f"{size >> 20:,} MB for similarities, memory is {self.memory}. Raise it, or leave it to algorithm=auto."
            )
        state: Represented | Anew
        if fits and self.algorithm != "anew":
            state = Represented(rectangle(asked, None, every, engine, space), best, engine.threads)
        else:
            state = Anew(space, best, engine, of=asked)
        near = np.rint(self.eta * UNIT * near_examples(space, self.target)).astype(np.int64)
        with state:
            take(_Beside(state, near), filling, rows, price, score)
            self._looked += state.updates
        return {"algorithm": "anew" if isinstance(state, Anew) else "whole", "similarities": self._looked}

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective, and how near the chosen and the pool are to the target, in the mean."""
        found = super().finished(pool, chosen)
        x = pool.vectors("vectors", self.name)
        near = near_examples(Space(x, self.metric), self.target)
        facts = {name: value for name, value in found.facts.items() if name != "mean_similarity"}
        told = {"near_target": float(near[chosen.rows].mean()) if len(chosen) else 0.0, "pool_near_target": near.mean()}
        return replace(found, facts={**facts, **{name: float(value) for name, value in told.items()}})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows."""
        if self.form == "flvmi":
            return super().objective(space, chosen)
        asked = space.other(np.empty((0, space.tiles.width), np.float32) if self.target is None else self.target)
        part = space.part(chosen)
        if self.form == "gcmi":
            return float(totals(part, Local(), asked).sum()) / UNIT
        return math.fsum(nearness(asked, chosen, Local(), space)) + self.eta * math.fsum(
            near_examples(part, self.target)
        )


class _Beside:
    """A state with a sum beside it: each candidate adds `sums` of its own."""

    def __init__(self, state: State, sums: _Ints) -> None:
        self.state, self.sums, self.unit, self.best = state, sums, state.unit, state.best
        self.gains = state.gains + sums

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        self.state.add(candidate)
        np.add(self.state.gains, self.sums, out=self.gains)
