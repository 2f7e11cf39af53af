"""Hard records, and different ones: difficulty passed along the graph of nearest neighbours.

Source: D2 Pruning, "Message Passing for Balancing Diversity and Difficulty" (Maharana et al. 2023). Each record
is joined to its nearest neighbours. Forward: its difficulty grows by that of its neighbours, times
exp(-gamma_f d), so that a hard region counts as one. Then greedily: the highest is taken, and takes from each
neighbour its own value times exp(-gamma_r d), so that what is near to it waits.

The released code offers a product instead of the sum, here `forward=product`; its mode "absolute" is
`gamma_r=0`. Its default gamma_r of -1 takes the more from a neighbour the farther it is: not offered.

Ours: an edge counts both ways, whoever is whose neighbour; difficulty can be taken by rank; above 20,000
records the neighbours are found approximately, with the recall measured. A tree of the values answers which
is the highest, so that a choice costs the logarithm of the pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.messages import Messages
from tamis.select.given.arrays import choose
from tamis.select.given.direction import directed
from tamis.select.given.embedded import Embedded
from tamis.select.given.usable import check_usable
from tamis.select.steps.graph import joined

__all__ = ["D2", "d2"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_EXACT = 20_000  # records up to which neighbours are found exactly


def d2(
    x: Any,
    k: int,
    difficulty: Any,
    *,
    neighbours: int = 10,
    gamma_f: float = 1.0,
    gamma_r: float = 1.0,
    forward: str = "sum",
    squared: bool = False,
    metric: str = "cosine",
    scale: str = "values",
    recall: float | None = None,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice, by `difficulty` (`n`, the hardest highest).

    Rows of zeros and rows without difficulty (NaN) are never chosen. Options as those of `D2`; the same rows
    whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one difficulty a row, one below 0 that is to be passed on.
    OptionError
        An option that does not exist or does not fit.
    """
    method = D2(
        by="difficulty",
        neighbours=neighbours,
        gamma_f=gamma_f,
        gamma_r=gamma_r,
        forward=forward,
        squared=squared,
        metric=metric,
        scale=scale,
        recall=recall,
    )
    return choose(method, k, x, keys=keys, difficulty=difficulty)[0]


class D2(Greedy):
    """Difficulty, passed between neighbours."""

    name = "d2"
    title = "Difficulty and diversity by message passing"
    source = "D2 Pruning (2023); edges both ways, ranks and approximate neighbours are ours"
    cost = "O(n^2 d) for the neighbours up to 20,000 records, then about O(n^1.5 d); O(neighbours log n) a choice"
    promises = "nothing"
    use_when = "a signal tells how hard or good a record is, and the highest lie close together"
    fails_when = "difficulty is noise: a wrong label is hard too (cut the hardest with --where); or everything is near"
    later = "no independent comparison on language models known"
    flags = Flags(needs_all=True)
    growth = 2.0
    parameters = (
        Parameter("by", str, REQUIRED, "the signal of difficulty, the hardest highest; SIGNAL:asc the hardest lowest"),
        Parameter("neighbours", int, 10, "nearest neighbours of each record", low=1),
        Parameter("gamma_f", float, 1.0, "how fast what is passed forward fades with distance", low=0),
        Parameter("gamma_r", float, 1.0, "how fast what a choice takes away fades with distance", low=0),
        Parameter("forward", str, "sum", "own difficulty plus, or times, the neighbours' sum", ("sum", "product")),
        Parameter("squared", bool, False, "the square of the distance in both exponents"),
        Parameter("metric", str, "cosine", "distance between vectors of length 1, or as is", ("cosine", "euclidean")),
        Parameter("scale", str, "values", "difficulty as it is, or its rank from 0 to 1", ("values", "ranks")),
        Parameter(
            "recall", float, None, "share of true neighbours; default 1 to 20,000 records, then 0.95", low=0.01, high=1
        ),
    )

    by: str
    neighbours: int
    gamma_f: float
    gamma_r: float
    forward: str
    squared: bool
    metric: str
    scale: str
    recall: float | None
    _computed = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.signal, self.ascending = directed(self.by, self.name, "by")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signal."""
        return ("vectors", self.signal)

    def holds(self, n: int) -> int:
        """Return the bytes of the graph while it is built."""
        return (130 * self.neighbours + 100) * n

    def operations(self) -> int:
        """Return how many distances the last choice looked at (approximate search: about), and messages."""
        return self._computed

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the highest, again and again; the score is the value when it was taken, or at the end."""
        hard = pool.numbers(self.signal, self.name).astype(np.float64)
        found = Embedded(pool, self.name, lacking={"no score (NaN)": np.isnan(hard)})
        rows, score = found.rows, found.score
        self._computed = 0
        if not len(rows):
            return found.ranking(filling.order(rows), self.name)
        passed = self._difficulty(hard, rows)
        recall = self.recall or (1.0 if len(rows) <= _EXACT else 0.95)
        graph = joined(found.x, self.neighbours, self.metric, recall)
        gammas = (self.gamma_f, self.gamma_r)
        messages = Messages(graph, passed, gammas, product=self.forward == "product", squared=self.squared)
        value = messages.value
        for at in found.among(filling.kept).tolist():
            score[rows[at]] = value[at]
            messages.take(at)
        messages.race(filling.open[rows])
        while not filling.full:
            at = messages.highest()
            if at < 0:
                break
            row, before = int(rows[at]), value[at]
            taken = bool(filling.open[row]) and filling.offer(row)
            if taken:
                score[row] = before
            messages.close(at, taken)
        self._computed = graph.operations + messages.sent
        left = np.flatnonzero(np.isnan(score[rows]))
        score[rows[left]] = value[left]
        facts = {"edges": len(graph.others) // 2, "recall": round(graph.recall, 4)}
        order = rows[np.argsort(-value, kind="stable")]
        return found.ranking(filling.order(order), f"d2: {self.signal}, passed between neighbours", facts)

    def _difficulty(self, hard: _Floats, rows: _Ints) -> _Floats:
        """Return what the records in `rows` pass on, at least 0, the hardest highest."""
        inside = hard[rows]
        if self.scale == "ranks":
            placed = (rankdata(inside) - 1) / max(len(rows) - 1, 1)
            return np.asarray(1 - placed if self.ascending else placed, np.float64)
        wrong = np.zeros(len(hard), np.bool_)
        wrong[rows] = np.isinf(inside) | ((inside < 0) & (not self.ascending))
        what, expected = f"method 'd2', signal '{self.signal}'", "finite numbers of at least 0 to pass on"
        check_usable(hard, wrong, what, expected, "scale=ranks takes any numbers.")
        return np.asarray(inside.max() - inside if self.ascending else inside, np.float64)
