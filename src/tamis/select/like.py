"""Records like the examples, and unlike each other: submodular mutual information with a target.

Iyer et al. 2021 (submodular information measures), Kothawade et al. 2021 (PRISM). With s the similarity, Q the
examples and V the pool, S is chosen greedily for

    flqmi  sum over q in Q of max over j in S of s(q, j)  +  eta * sum over j in S of max over q in Q of s(q, j)
    flvmi  sum over i in V of min(max over j in S of s(i, j), eta * max over q in Q of s(i, q))
    gcmi   sum over j in S, q in Q of s(j, q)
    logdetmi  log det(K_S) - log det(K_S - eta^2 K_SQ K_Q^-1 K_QS),  K the cosines, with a ridge on the diagonal

flvmi with examples P to keep away from (`unlike`) is the conditional form: of the minimum, nu * max over p in P of
s(i, p) is taken off, down to 0.

Ours: flvmi is facility location in which each record's similarity counts within a window (`facility.Window`), so
that lowered gains, rows anew, parts and sampled candidates all serve it; flqmi is facility location of the
examples by the pool, with a sum beside it (`gain.answered`); logdetmi is two volumes that are lowered in the space of
the features (`gain.mutual`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import prices
from tamis.select.facility import Facility, Window
from tamis.select.gain.answered import Answered, Summed
from tamis.select.gain.mutual import Told
from tamis.select.gain.submodular import Grown
from tamis.select.given.aimed import Aimed, how_near, near_examples
from tamis.select.given.arrays import choose
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import Space

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
    ridge: float = 10.0,
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
    method = Like(form=form, eta=eta, nu=nu, ridge=ridge, metric=metric, algorithm=algorithm, memory=str(memory))
    method = method.told([target], [] if unlike is None else [unlike])
    rows, chosen = choose(method, k, x, keys=keys, seed=seed)
    return Grown(rows, chosen.score[chosen.rows], chosen.facts["objective"], dict(chosen.facts))


class Like(Aimed, Facility):
    """Records that share most with the examples."""

    name = "like"
    title = "Like a target: submodular mutual information of vectors"
    source = "Iyer et al. 2021, Kothawade et al. 2021 (PRISM); lowered gains, windows: ours"
    cost = (
        "flqmi, gcmi O(n q d) for q examples, 2 n q bytes up to `memory`; flvmi as facility; logdetmi O(n d (q + k))"
        " and O(n) memory, or parts"
    )
    promises = (
        "at least 1 - 1/e = 63 % of the best objective (flqmi; flvmi not in parts), the best of all (gcmi), nothing"
        " (logdetmi)"
    )
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
            "form", str, "flqmi", "what is shared with the examples: flqmi covers them, flvmi their surroundings in "
            "the pool, gcmi adds up similarities, logdetmi is what the set tells of them",
            ("flqmi", "flvmi", "gcmi", "logdetmi"),
        ),
        Parameter("eta", float, 1.0, "weight: flqmi of nearness, flvmi and logdetmi (up to 1) of the examples", low=0),
        Parameter("nu", float, 1.0, "flvmi with --unlike: weight of the examples to keep away from", low=0),
        Parameter("ridge", float, 10.0, "logdetmi: added to the diagonal, which is 1", (), 1e-6, 1e6),
        *Facility.parameters,
    )  # fmt: skip

    form: str
    eta: float
    nu: float
    ridge: float

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        parts = self.form == "flvmi" or (self.form == "logdetmi" and self.algorithm == "parts")
        if not parts and self.algorithm in ("parts", "stochastic"):
            raise OptionError(
                f"method 'like', algorithm '{self.algorithm}': expected with form=flvmi, got form={self.form}."
            )
        self.growth = 2.0 if self.form == "flvmi" else 1.0  # type: ignore[misc]
        self._form = self._made()
        self.parted_by_memory = self.form == "flvmi"
        if self.form != "flvmi":  # parts are dealt by key there, so the seed decides nothing
            self.flags = type(self).flags  # type: ignore[misc]

    def _made(self) -> Answered | Summed | Told | None:
        """Return how the form chooses; None for flvmi, which is facility location within a window."""
        if self.form == "flqmi":
            return Answered(self.metric, self.eta, self.algorithm, self._bytes, self.memory)
        if self.form == "gcmi":
            return Summed(self.metric)
        return Told(self.metric, self.eta, self.ridge, self.algorithm) if self.form == "logdetmi" else None

    def told(self, target: Sequence[Any] = (), unlike: Sequence[Any] = ()) -> Like:
        """Return the method for these examples; OptionError for some to keep away from, where the form has none."""
        if len(unlike) and self.form != "flvmi":
            raise OptionError(f"method 'like', form '{self.form}' reads no --unlike: -O form=flvmi does.")
        return super().told(target, unlike)

    def holds(self, n: int) -> int:
        """Return the bytes of the matrix, no more than `memory` allows, and of the examples."""
        asked = 0 if self.target is None else len(self.target)
        return (super().holds(n) if self._form is None else self._form.holds(n, asked)) + self.held()

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
        if self._form is None:
            return super().greedily(pool, filling, seed)
        found = Embedded(pool, self.name)
        price = prices(filling, self.per_token)[found.rows]
        facts, self._looked = self._form.choose(found, target, price, filling)
        left = found.rows[np.argsort(-found.score[found.rows] / price, kind="stable")]
        return found.ranking(filling.order(left), "like: shares most with the target", facts)

    def finished(self, pool: Pool, chosen: Chosen) -> Chosen:
        """Add the exact objective, and how near the chosen and the pool are to the target, in the mean."""
        found = super().finished(pool, chosen)
        space = Space(pool.vectors("vectors", self.name), self.metric)
        facts = {name: value for name, value in found.facts.items() if name != "mean_similarity"}
        return replace(found, facts={**facts, **how_near(space, self.target, chosen.rows, "target")})

    def objective(self, space: Space, chosen: _Ints) -> float:
        """Return the objective of the `chosen` of a space's rows."""
        if self._form is None or self.target is None:
            return super().objective(space, chosen)
        return self._form.value(space, chosen, self.target)
