"""Difficult, dependable and different: farthest first, each distance times what the record is worth.

Source: D3, "Diversity, Difficulty, and Dependability-Aware Data Selection" (2025): a weighted coreset. Its difficulty
(UPD) counts a high loss only where the model was sure of itself; its dependability is a teacher's rating. The next
record is the one with the largest weight times distance to the nearest chosen one, the weight being difficulty times
dependability; after each round the weights may be those of the model trained on what was chosen. The paper's
selection step is known from summaries alone: farthest first, the first record of the largest weight, and the place
of the exponent in UPD are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.base import Flags, Parameter, Pool, Ranking, check_amount
from tamis.select.columns import HELD, Columns, farthest
from tamis.select.constraints import Budget, Constraints
from tamis.select.determinantal import SCALES, one_each
from tamis.select.filling import Filling
from tamis.select.greedy import Greedy
from tamis.vectors.similarity import Space
from tamis.vectors.tiles import canonical, subset, zero_rows

__all__ = ["D3", "d3", "upd"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_ASIDES = ("d3: no vector (all zeros)", "d3: no weight (NaN)")


def upd(loss: Any, entropy: Any, vocabulary: float, beta: float = 1.0) -> _Floats:
    """Return how difficult each record is (`n`, from 0 to 1): sigmoid(loss) max(0, 1 - (entropy / log V)^beta).

    `loss` and `entropy` are means over the answer's tokens, in nats; a high loss counts only where the prediction was
    sure. A loss of 0 or more gives at least half of the second factor: rankings, not sizes, say something.

    Raises
    ------
    InputError
        Not one entropy a loss, an entropy below 0, a vocabulary below 2, or `beta` of 0 or less.
    """
    losses, spread = np.asarray(loss, np.float64), np.asarray(entropy, np.float64)
    if losses.shape != spread.shape or losses.ndim != 1:
        raise InputError(f"upd: expected a loss and an entropy each, got shapes {losses.shape} and {spread.shape}.")
    if not vocabulary >= 2 or not beta > 0:
        raise InputError(f"upd: expected a vocabulary of at least 2 and beta above 0, got {vocabulary:g} and {beta:g}.")
    if (spread < 0).any():
        raise InputError(
            f"upd: expected entropies of at least 0, got one below 0 at record {int((spread < 0).argmax())}."
        )
    sure = np.maximum(1.0 - (spread / np.log(vocabulary)) ** beta, 0.0)
    with np.errstate(over="ignore"):
        return np.asarray(sure / (1.0 + np.exp(-losses)))


def d3(
    x: Any,
    k: int,
    weight: Any,
    *,
    rounds: int = 1,
    rescore: Callable[[_Ints], Any] | None = None,
    metric: str = "cosine",
    keys: NDArray[np.uint64] | None = None,
) -> _Ints:
    """Return `min(k, n)` rows of `x` (`n x d`) in the order of choice.

    Parameters
    ----------
    x : array of shape (n, d)
        Vectors.
    k : int
        Rows to choose.
    weight : array of shape (n,)
        What each record is worth, at least 0; NaN: never chosen.
    rounds : int
        The rows are chosen in that many rounds, as equal as can be.
    rescore : function, optional
        Called between rounds with the rows chosen so far; returns the weights (`n`) from then on, such as those of a
        model trained on them.
    metric : str
        "cosine": the distance of vectors of length 1; or "euclidean".
    keys : uint64 array of shape (n, 2), optional
        The records' keys; by default hashes of the vectors, so that the order of `x` does not matter.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        No `n x d` numbers, a row that is not finite, not one weight a row, one below 0 or infinite.
    OptionError
        `rounds` below 1, an unknown metric.
    """
    k = check_amount(k)
    if rounds < 1:
        raise OptionError(f"d3: expected at least 1 round, got {rounds}.")
    x, keys, order = canonical(x, keys)
    method, n = D3(difficulty="weight", scale="raw", metric=metric), len(x)
    taken, chosen, now = np.zeros(n, np.bool_), np.empty(0, np.int64), weight
    for stop in np.cumsum([len(part) for part in np.array_split(np.arange(k), min(rounds, k))]).tolist():
        if rescore is not None and len(chosen):
            now = rescore(chosen if order is None else order[chosen])
        pool = Pool(keys, {"vectors": x, "weight": one_each(now, order, n, "weight")})
        found = method.select(pool, Constraints(Budget("rows", stop), keep=taken.copy())).rows
        chosen = np.concatenate([chosen, found[~taken[found]]])
        taken[found] = True
    return chosen if order is None else order[chosen]


class D3(Greedy):
    """The largest weight times distance to what is chosen, again and again."""

    name = "d3"
    title = "Difficult, dependable and different"
    source = "D3 (2025); its selection step is reconstructed: weighted farthest first is ours"
    cost = "O(n d k) time, 16 columns at a time; O(n) memory besides the vectors"
    promises = "nothing"
    use_when = "signals tell how difficult and how dependable a record is, and the best are too much alike"
    fails_when = "difficult means wrong: farthest first likes outliers, and a weight makes them worse"
    later = "no independent comparison known"
    flags = Flags(needs_all=True)
    parameters = (
        Parameter("difficulty", str, None, "the signal that says how difficult a record is"),
        Parameter("loss", str, None, "instead: the mean loss of the answer's tokens, with `entropy`"),
        Parameter("entropy", str, None, "the mean entropy of the predictions, in nats"),
        Parameter("vocabulary", int, 32_000, "tokens that the model knows, for `entropy`", low=2),
        Parameter("beta", float, 1.0, "how fast difficulty falls with entropy", low=1e-6),
        Parameter("dependability", str, None, "the signal that says how far to trust a record; default all alike"),
        Parameter("scale", str, "ranks", "difficulty and dependability as ranks up to 1, or as they are", SCALES),
        Parameter("metric", str, "cosine", "how far apart two vectors are", ("cosine", "euclidean")),
    )

    difficulty: str | None
    loss: str | None
    entropy: str | None
    vocabulary: int
    beta: float
    dependability: str | None
    scale: str
    metric: str
    _asked = 0
    _held = HELD

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        pair = (self.loss is None) == (self.entropy is None)
        if not pair or (self.difficulty is None) == (self.loss is None):
            raise OptionError("method 'd3': expected 'difficulty', or 'loss' and 'entropy' in its place.")

    def needs(self) -> tuple[str, ...]:
        """Return the vectors and the signals."""
        named = (self.difficulty, self.loss, self.entropy, self.dependability)
        return ("vectors", *dict.fromkeys(name for name in named if name))

    def holds(self, n: int) -> int:
        """Return the bytes of the columns, distances and weights."""
        return 100 * n + min(self._held, 1024 * n)

    def within(self, room: int, n: int) -> D3:
        """Return the method holding vectors as float32 only where `room` has it; the choice is the same."""
        other = type(self)(**self.options)
        other._held = min(self._held, max(0, room - 100 * n))
        return other

    def operations(self) -> int:
        """Return how many distances the last choice asked for: a column for each record offered or pinned."""
        return self._asked

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the largest weight times distance; the score is that, when it was taken or at the end.

        That of the first is its weight; must-keep records have none.
        """
        x = pool.vectors("vectors", self.name)
        zero, weight = zero_rows(x), self._weights(pool)
        missing = np.isnan(weight)
        missing[filling.kept] = False  # it is chosen, so others are compared with it
        rows = np.flatnonzero(~zero & ~missing)
        score, aside = np.full(len(pool), np.nan), np.where(zero, 0, 1).astype(np.int8)
        self._asked = 0
        if not len(rows):
            return Ranking(filling.order(rows), score, self.name, aside, _ASIDES)
        columns = Columns(Space(subset(x, rows), self.metric), Local(), self._held)
        worth, apart = np.nan_to_num(weight[rows]), np.full(len(rows), np.inf, np.float32)
        kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
        for at, row in enumerate(kept.tolist()):
            np.minimum(apart, columns.of(row, lambda at=at: kept[at + 1 :]), out=apart)  # type: ignore[misc]
        value, waiting = self._value(worth, apart), filling.open[rows]
        while not filling.full and waiting.any():
            best = int(np.argmax(np.where(waiting, value, -np.inf)))
            score[rows[best]] = value[best]
            if filling.offer(int(rows[best])):
                np.minimum(apart, columns.of(best, farthest(value.astype(np.float32), waiting)), out=apart)
                value = self._value(worth, apart)
            waiting = filling.open[rows]
        self._asked = columns.asked * len(rows)
        left = np.isnan(score[rows])
        left[kept] = False
        score[rows[left]] = value[left]
        order = rows[np.argsort(-value, kind="stable")]
        return Ranking(filling.order(order), score, "d3: heavy, and far from those before", aside, _ASIDES)

    def _value(self, worth: _Floats, apart: NDArray[np.float32]) -> _Floats:
        """Return the weights times the distances; the weights alone where nothing is chosen yet."""
        if not np.isfinite(apart[0]):
            return worth
        distance = np.sqrt(apart.astype(np.float64) * (2.0 if self.metric == "cosine" else 1.0))
        return np.asarray(worth * distance)

    def _weights(self, pool: Pool) -> _Floats:
        """Return what each record is worth; NaN where a signal lacks a value."""
        if self.loss and self.entropy:
            loss, entropy = (pool.numbers(name, self.name).astype(np.float64) for name in (self.loss, self.entropy))
            out = upd(loss, entropy, self.vocabulary, self.beta)
        else:
            out = self._scaled(pool, str(self.difficulty))
        return out * self._scaled(pool, self.dependability) if self.dependability else out

    def _scaled(self, pool: Pool, signal: str) -> _Floats:
        """Return a signal as it is, or as ranks from 1 / n to 1, ties sharing the mean of theirs."""
        value = pool.numbers(signal, self.name).astype(np.float64)
        rated = ~np.isnan(value)
        if self.scale == "ranks":
            value[rated] = rankdata(value[rated]) / max(int(rated.sum()), 1)
        wrong = np.flatnonzero(rated & ~((value >= 0) & np.isfinite(value)))
        if len(wrong):
            raise InputError(
                f"method 'd3', signal '{signal}': expected finite numbers of at least 0 to weigh by, got"
                f" {value[wrong[0]]:g} at record {wrong[0]}. scale=ranks takes any numbers."
            )
        return value
