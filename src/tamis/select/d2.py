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
from numba import njit
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.errors import InputError
from tamis.select.base import REQUIRED, Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.highest import highest, maxima, put
from tamis.select.given.direction import directed
from tamis.select.steps.graph import Graph, joined
from tamis.vectors.tiles import in_order, matrix, subset, zero_rows

__all__ = ["D2", "d2"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("d2: no vector (all zeros)", "d2: no score (NaN)")
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
    k = check_amount(k)
    x, hard = matrix(x), np.asarray(difficulty, np.float64)
    zero_rows(x)
    if hard.shape != (len(x),):
        raise InputError(f"difficulty: expected {len(x)} numbers, one a row, got an array of shape {hard.shape}.")
    x, keys, order = in_order(x, keys)
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
    columns = {"vectors": x, "difficulty": hard if order is None else hard[order]}
    rows = method.select(Pool(keys, columns), Constraints(Budget("rows", k))).rows
    return rows if order is None else order[rows]


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
        x = pool.vectors("vectors", self.name)
        zero, hard = zero_rows(x), pool.numbers(self.signal, self.name).astype(np.float64)
        rows = np.flatnonzero(~zero & ~np.isnan(hard))
        score, aside = np.full(len(pool), np.nan), np.where(zero, 0, 1).astype(np.int8)
        self._computed = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDES)
        recall = self.recall or (1.0 if len(rows) <= _EXACT else 0.95)
        graph = joined(subset(x, rows), self.neighbours, self.metric, recall)
        value = self._forward(self._difficulty(hard[rows], rows), graph)
        fades = self._weights(graph, self.gamma_r)
        for at in np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)]).tolist():
            score[rows[at]] = value[at]
            _take(np.empty(0), value, at, True, graph.starts, graph.others, fades)
        tree, messages = maxima(np.where(filling.open[rows], value, -np.inf)), len(graph.others)
        while not filling.full:
            at = highest(tree)
            if at < 0:
                break
            row = int(rows[at])
            taken = bool(filling.open[row]) and filling.offer(row)
            if taken:
                score[row] = value[at]
                messages += int(graph.starts[at + 1] - graph.starts[at])
            _take(tree, value, at, taken, graph.starts, graph.others, fades)
        self._computed = graph.operations + messages
        left = rows[np.isnan(score[rows])]
        score[left] = value[np.searchsorted(rows, left)]
        facts = {"edges": len(graph.others) // 2, "recall": round(graph.recall, 4)}
        order = rows[np.argsort(-value, kind="stable")]
        reason = f"d2: {self.signal}, passed between neighbours"
        return Ranking(filling.order(order), score, reason, aside, _ASIDES, facts=facts)

    def _difficulty(self, hard: _Floats, rows: _Ints) -> _Floats:
        """Return what is passed on, at least 0, the hardest highest."""
        if self.scale == "ranks":
            placed = (rankdata(hard) - 1) / max(len(hard) - 1, 1)
            return np.asarray(1 - placed if self.ascending else placed, np.float64)
        wrong = np.isinf(hard) | ((hard < 0) & (not self.ascending))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(
                f"method 'd2', signal '{self.signal}': expected finite numbers of at least 0 to pass on, got"
                f" {hard[at]:g} at record {rows[at]}. scale=ranks takes any numbers."
            )
        return np.asarray(hard.max() - hard if self.ascending else hard, np.float64)

    def _forward(self, hard: _Floats, graph: Graph) -> _Floats:
        told = np.empty(len(hard))
        _gather(hard, graph.starts, graph.others, self._weights(graph, self.gamma_f), told)
        return hard + told if self.forward == "sum" else hard * told

    def _weights(self, graph: Graph, gamma: float) -> _Floats:
        return np.asarray(np.exp(-gamma * (graph.apart**2 if self.squared else graph.apart)), np.float64)


@njit(nogil=True, cache=True)
def _gather(hard, starts, others, weights, told):  # type: ignore[no-untyped-def]
    """Write for each row the weighted sum of its neighbours' difficulty."""
    for i in range(len(hard)):
        total = 0.0
        for e in range(starts[i], starts[i + 1]):
            total += weights[e] * hard[others[e]]
        told[i] = total


@njit(nogil=True, cache=True)
def _take(tree, value, row, taken, starts, others, weights):  # type: ignore[no-untyped-def]
    """Close a row; if it was taken, its neighbours lose. Without a tree the values alone change."""
    size = len(tree) // 2
    if size:
        put(tree, row, -np.inf)
    if taken:
        for e in range(starts[row], starts[row + 1]):
            j = others[e]
            value[j] -= weights[e] * value[row]
            if size and tree[size + j] > -np.inf:
                put(tree, j, value[j])
