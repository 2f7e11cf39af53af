"""The best by complexity times quality, none of them nearly the same as one that is in already.

Source: DEITA, "What Makes Good Data for Alignment?" (Liu et al. 2023): records are visited from the highest
score, complexity times quality, and one goes in if its largest cosine to those that are in is at most 0.9.
The authors' scorers are language models; here the two scores are signals or fields that are there.

Ours: must-keep records are in from the start; what a quota or the budget refuses is not in, and so keeps
nothing else out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.base import Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.top import ranked
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles, in_order, matrix, zero_rows

__all__ = ["Deita", "deita"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("deita: no vector (all zeros)", "deita: no score (NaN)")
_BLOCK = TILE // 2


def deita(
    x: Any,
    k: int,
    score: Any,
    *,
    tau: float = 0.9,
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return at most `k` rows of `x` (`n x d`), the highest `score` (`n`) first, no two with a cosine above `tau`.

    Rows of zeros and rows without a score (NaN) are never chosen. The same rows whatever the order of `x`.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one score a row.
    OptionError
        `tau` outside -1 to 1.
    """
    k = check_amount(k)
    x, worth = matrix(x), np.asarray(score, np.float64)
    zero_rows(x)
    if worth.shape != (len(x),):
        raise InputError(f"score: expected {len(x)} numbers, one a row, got an array of shape {worth.shape}.")
    x, keys, order = in_order(x, keys)
    columns = {"vectors": x, "score": worth if order is None else worth[order]}
    rows = Deita(quality="score", tau=tau).select(Pool(keys, columns), Constraints(Budget("rows", k))).rows
    return rows if order is None else order[rows]


class Deita(Greedy):
    """Highest complexity times quality, without near copies."""

    name = "deita"
    title = "Complexity times quality, no near copies"
    source = "DEITA (2023); its scorers are models, here any two signals"
    cost = "O(k d) for each record looked at: about k of them where few are alike, n at most"
    promises = "no two that are chosen have a cosine above tau"
    use_when = "you have scores of complexity and quality, and the best by them repeat each other"
    fails_when = "the scores follow length, or a tau for other vectors is used: 0.9 thins little with static ones"
    later = "52.8, random 51.8, MIG 55.3, everything 53.6 in the table of MIG (Tulu3 to 50,000, Llama-3.1-8B)"
    flags = Flags(needs_all=True, at_most=True)
    parameters = (
        Parameter("complexity", str, None, "the signal of complexity, at least 0; without it quality alone counts"),
        Parameter("quality", str, None, "the signal of quality, at least 0; without it complexity alone counts"),
        Parameter(
            "tau", float, 0.9, "largest cosine of two that are chosen; 1 switches the filter off", low=-1, high=1
        ),
    )

    complexity: str | None
    quality: str | None
    tau: float
    _computed = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scores = tuple(name for name in (self.complexity, self.quality) if name)
        if not self.scores:
            raise OptionError(
                "method 'deita' needs the option 'complexity', 'quality' or both: expected the names of"
                " signals, got nothing."
            )
        if self.tau >= 1:  # nothing is kept out
            self.flags = replace(type(self).flags, at_most=False)  # type: ignore[misc]

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        return ("vectors", *dict.fromkeys(self.scores))

    def holds(self, n: int) -> int:
        """Return the bytes of scores and order."""
        return 60 * n

    def operations(self) -> int:
        """Return how many cosines the last choice computed."""
        return self._computed

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the highest scores that are unlike those that are in; near copies are set aside."""
        x = pool.vectors("vectors", self.name)
        zero, score = zero_rows(x), self._score(pool)
        missing = np.isnan(score)
        rows = np.flatnonzero(~zero & ~missing)
        visit = rows[ranked(score[rows], False)]
        walk = _Walk(x, 1.0 if self.tau >= 1 else self.tau)
        walk.add(filling.kept[~zero[filling.kept]])
        at = 0
        while at < len(visit) and not filling.full:
            part = visit[at : at + min(max(filling.rows, 96), _BLOCK)]  # no more than may be needed
            walk.block(part[filling.open[part]], filling)
            at += len(part)
        self._computed = walk.computed
        alike = walk.neighbour >= 0
        asides = (*_ASIDES, f"deita: cosine above {self.tau:g} to a chosen record")
        return Ranking(
            filling.order(visit[~alike[visit]]),
            score,
            f"deita: highest {' x '.join(self.scores)}",
            np.where(alike, 2, np.where(zero, 0, 1)).astype(np.int8),
            asides,
            walk.neighbour,
            np.where(alike, walk.cosine, np.nan),
            {"alike": int(alike.sum())},
        )

    def _score(self, pool: Pool) -> _Floats:
        """Return the product of the signals; it is theirs where there is but one."""
        score = np.ones(len(pool))
        for name in self.scores:
            values = pool.numbers(name, self.name).astype(np.float64)
            wrong = (values < 0) | np.isinf(values)
            if len(self.scores) > 1 and wrong.any():
                at = int(np.argmax(wrong))
                raise InputError(
                    f"method 'deita', signal '{name}': expected finite numbers of at least 0 to multiply, got"
                    f" {values[at]:g} at record {at}."
                )
            score = score * values
        return score


class _Walk:
    """Records visited block by block: those that are in, and for each that is kept out its neighbour.

    Attributes
    ----------
    neighbour : int64 array of shape (n,)
        The most similar record that is in, of one that is kept out; else -1.
    cosine : float64 array of shape (n,)
        To it.
    computed : int
        Cosines computed.
    """

    def __init__(self, x: NDArray[Any], tau: float) -> None:
        self.tiles, self.tau, self.filters = Tiles(x, unit=True), np.float32(tau), tau < 1
        self.neighbour, self.cosine = np.full(len(x), -1, np.int64), np.full(len(x), np.nan)
        self.computed = 0
        self._in: list[tuple[_Ints, NDArray[np.float32]]] = []
        self._engine = Local()

    def add(self, rows: _Ints) -> None:
        """Put rows in, whatever they are like."""
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            if self._in and len(self._in[-1][0]) + len(part) <= _BLOCK:
                part = np.concatenate([self._in.pop()[0], part])
            self._in.append((part, pack(self.tiles.take(part, LANES))))

    def block(self, rows: _Ints, filling: Filling) -> None:
        """Offer the rows that are unlike all that are in, in their order, until the budget is full."""
        if not self.filters:
            for row in rows.tolist():
                if filling.open[row]:
                    filling.offer(row)
            return
        if not len(rows):
            return
        near, cosine = np.full(len(rows), -1, np.int64), np.full(len(rows), -1.0, np.float32)
        part = self.tiles.take(rows, 6 * LANES)
        for found, best in self._engine.map(lambda one: _most_alike(part, len(rows), *one), self._in):
            better = best > cosine
            near[better], cosine[better] = found[better], best[better]
        scores = np.empty((len(part), len(part)), np.float32)
        products(part, pack(part), scores)
        self.computed += len(rows) * (sum(len(names) for names, _ in self._in) + len(rows))
        taken, at = [], _next(cosine, self.tau, 0)
        while at < len(rows) and not filling.full:
            row = int(rows[at])
            if filling.open[row] and filling.offer(row):
                taken.append(row)
                _raise(scores, at, row, near, cosine)
            at = _next(cosine, self.tau, at + 1)
        out = np.flatnonzero((cosine > self.tau) & (np.arange(len(rows)) < at))
        self.neighbour[rows[out]], self.cosine[rows[out]] = near[out], cosine[out]
        self.add(np.array(taken, np.int64))


def _most_alike(
    part: NDArray[np.float32], count: int, names: _Ints, panels: NDArray[np.float32]
) -> tuple[_Ints, NDArray[np.float32]]:
    """Return for the first `count` rows of `part` the most similar of those packed, and the cosine."""
    scores = np.empty((len(part), len(panels) * LANES), np.float32)
    products(part, panels, scores)
    inside = scores[:count, : len(names)]
    best = inside.argmax(axis=1)
    return names[best], inside[np.arange(count), best]


@njit(nogil=True, cache=True)
def _next(cosine, tau, start):  # type: ignore[no-untyped-def]
    """Return the first row from `start` on that is not above `tau`; the number of rows if none is."""
    at = start
    while at < len(cosine) and cosine[at] > tau:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _raise(scores, at, row, near, cosine):  # type: ignore[no-untyped-def]
    """Let the rows after `at` know of it, called `row`."""
    for j in range(at + 1, len(cosine)):
        if scores[j, at] > cosine[j]:
            cosine[j], near[j] = scores[j, at], row
