"""Records that stand for the pool, but not for the examples to keep away from: submodular conditional gain.

Iyer et al. 2021 (submodular information measures), Kothawade et al. 2021 (PRISM). With s the similarity, P the
examples to be unlike and V the pool, S is chosen greedily for

    flcg  sum over i in V of max(max over j in S of s(i, j) - nu * max over p in P of s(i, p), 0)
    gccg  sum over i in V, j in S of s(i, j) - lambda * sum over i, j in S of s(i, j)
          - 2 lambda nu * sum over j in S, p in P of s(j, p)
    logdetcg  log det(K_S - nu^2 K_SP K_P^-1 K_PS),  K the cosines, with a ridge on the diagonal

Ours: flcg is facility location in which each record counts from what the examples represent of it
(`facility.Window`), so the set starts as if it held them, nu times; gccg's sums over the pool are whole numbers, and
nu is by default the pool's records for each example, without which few examples weigh nothing beside a large pool;
logdetcg is the choice of `dpp` in which the directions of the examples are taken already, nu times.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import prices
from tamis.select.facility import Facility, Window
from tamis.select.gain.conditional import alone, cut, cut_of
from tamis.select.gain.submodular import Grown
from tamis.select.gain.volume import Volume
from tamis.select.given.aimed import Aimed, how_near, near_examples
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.select.steps.volumes import covered, log_volume, units
from tamis.vectors.similarity import Space

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
    ridge: float = 0.01,
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
    options = {"form": form, "nu": nu, "balance": balance, "ridge": ridge, "metric": metric}
    method = Unlike(**options, algorithm=algorithm, memory=str(memory)).told(unlike=[examples])
    rows, chosen = choose(method, k, x, keys=keys, seed=seed)
    return Grown(rows, chosen.score[chosen.rows], chosen.facts["objective"], dict(chosen.facts))


class Unlike(Aimed, Facility):
    """Records that stand for the pool, away from the examples."""

    name = "unlike"
    title = "Unlike examples: submodular conditional gain of vectors"
    source = "Iyer et al. 2021, Kothawade et al. 2021 (PRISM); windows and default nu of gccg: ours"
    cost = "flcg as facility; gccg O(n^2 d) time, O(n d k) more, O(n d) memory; logdetcg as dpp, and O(n q d) time"
    promises = "flcg: at least 1 - 1/e = 63 % of the best objective (not in parts); gccg, logdetcg: nothing"
    use_when = "what you have already, or must not have, is known by examples, and the rest is to be covered"
    fails_when = "nearness to an example is not what must be avoided (exact text: --against; copies: --dedup)"
    later = "images, on gradients: 5 to 10 % over other active learning with foreign data in the pool (SIMILAR, 2021)"
    flags = Flags(needs_all=True, needs_unlike=True)
    reads = ("unlike",)
    parameters = (
        Parameter(
            "form", str, "flcg", "conditional gain: facility location's, graph cut's, or of volume",
            ("flcg", "gccg", "logdetcg"),
        ),
        Parameter("nu", float, None, "weight of the examples; default 1, gccg the pool's records an example", low=0),
        Parameter("balance", float, 0.4, "gccg: lambda, weight of difference; below .5 more is better", low=0),
        Parameter("ridge", float, 0.01, "logdetcg: added to the diagonal, which is 1", (), 1e-6, 100),
        *Facility.parameters,
    )  # fmt: skip

    form: str
    nu: float | None
    balance: float
    ridge: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.form != "flcg" and self.algorithm != "auto":
            raise OptionError(
                f"method 'unlike', algorithm '{self.algorithm}': expected with form=flcg, got form={self.form}."
            )
        if self.form == "logdetcg" and (self.metric != "cosine" or (self.nu or 0) > 1):
            raise OptionError(
                "method 'unlike', form 'logdetcg': expected metric=cosine and nu of at most 1, or there may be no"
                f" determinant, got metric={self.metric} and nu={self.nu}. Other forms take more."
            )

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix; or of columns and sums; or of vectors and a few numbers; and the examples."""
        if self.form == "flcg":
            return super().holds(n) + self.held()
        return (200 * n if self.form == "gccg" else 60 * n + min(1 << 30, 1024 * n)) + self.held()

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
        found = Embedded(pool, self.name)
        rows, score = found.rows, found.score
        words, facts = "unlike: adds most, away from the examples", {}
        if self.form == "gccg":
            space, price = Space(found.x, self.metric), prices(filling, self.per_token)[rows]
            own = self._own(space, space, space.other(examples))
            left, columns = cut(space, own, self.balance, rows, price, filling, score)
            self._looked = len(rows) * (len(rows) + len(examples) + columns)
        else:
            volume = Volume("cosine", self.ridge, beside=self._beside(examples))
            facts = volume.choose(found, np.zeros(len(rows)), filling)
            self._looked = facts["comparisons"]
            left = rows[np.argsort(-score[rows], kind="stable")]
        return found.ranking(filling.order(left), words, facts)

    def _own(self, part: Space, space: Space, examples: Space) -> NDArray[np.float64]:
        """Return what each row of `part` would add to the empty set (gccg), in units."""
        return alone(part, space, examples, self.balance, len(space) / len(examples) if self.nu is None else self.nu)

    def _beside(self, examples: NDArray[Any]) -> NDArray[np.float64]:
        """Return the directions that the examples take (logdetcg), nu times."""
        return (1.0 if self.nu is None else self.nu) * covered(units(examples), self.ridge)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective, and how near the chosen and the pool are to the examples, in the mean."""
        found = super().finished(pool, chosen)
        space = Space(pool.vectors("vectors", self.name), self.metric)
        facts = {name: value for name, value in found.facts.items() if name != "mean_similarity"}
        return replace(found, facts={**facts, **how_near(space, self.unlike, chosen.rows, "examples")})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows."""
        if self.form == "flcg" or self.unlike is None or not len(chosen):
            return super().objective(space, chosen) if self.form == "flcg" else 0.0
        part = space.part(chosen)
        if self.form == "logdetcg":
            return log_volume(units(part.tiles.x), self.ridge, self._beside(self.unlike))
        return cut_of(part, self._own(part, space, space.other(self.unlike)), self.balance)
