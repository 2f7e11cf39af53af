"""Concave sums of features: what a record would add to sum over u of w_u phi(sum over chosen j of x_ju).

phi is concave: sqrt(c), log(1 + c), or c / (1 + c); weights w_u are at least 0. So what a record adds only shrinks as
the set grows: what was computed at an earlier step is a bound, kept in a tree of maxima, and gains are computed anew
only for records whose bound is the highest (Minoux 1978). The picks are those of plain greedy, ties to the first: a
gain may lie above its bound by rounding, so all within that of the highest are computed too.

Features of a record are either the `d` numbers of a vector, where one below 0 is an amount of another feature, or
counts of few. Of numbers, terms are computed side by side and added up in halves, as processors do for many at a time;
of counts, most are 1, and what 1 more of a feature adds is kept in a table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.simd import widened
from tamis.select.budget.filling import Filling
from tamis.select.gain.amounts import Amounts
from tamis.select.gain.highest import highest, maxima, put

__all__ = ["PHI", "Concave", "Sums", "grow"]

#: How much a feature counts, by the name of phi.
PHI = ("sqrt", "log", "saturating")

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_SHARE = 1024  # records that a thread works on


class Sums(NamedTuple):
    """How much of each of `d` features the chosen have, in one row for counts; in two for numbers, by their sign.

    Attributes
    ----------
    sums, now, one, weights : float64 arrays of shape (1 or 2, d)
        The sum, phi of it, what 1 more would add, and what the feature counts.
    phi : int
        Place in `PHI`.
    """

    sums: _Floats
    now: _Floats
    one: _Floats
    weights: _Floats
    phi: int

    @staticmethod
    def of(weights: _Floats, phi: str) -> Sums:
        """Return the sums of no record."""
        code = PHI.index(phi)
        return Sums(np.zeros(weights.shape), np.zeros(weights.shape), weights * _phi(1.0, code), weights, code)

    def copy(self) -> Sums:
        """Return sums that grow on their own."""
        return self._replace(sums=self.sums.copy(), now=self.now.copy(), one=self.one.copy())

    def take(self, rows: Amounts) -> None:
        """Take all of some records, in their order."""
        for i in range(len(rows.x) or len(rows.more)):
            _add(rows, i, self)

    def objective(self) -> float:
        """Return what the chosen are worth."""
        return math.fsum((self.weights * self.now).ravel())


class Concave:
    """What `m` records would add to `sums`, which grow.

    Attributes
    ----------
    computed : int
        Gains computed.
    """

    def __init__(self, rows: Amounts, sums: Sums) -> None:
        self.rows, self.sums = rows, sums
        self.computed = 0
        self._engine = Local()
        self._step = 0

    def __len__(self) -> int:
        return len(self.rows.x) or len(self.rows.more)

    def gains(self, candidates: _Ints) -> _Floats:
        """Return what candidates would add: a function of the record and of the sums alone."""
        out = np.empty(len(candidates))
        self.computed += len(candidates)

        def some(start: int) -> None:
            part = slice(start, start + _SHARE)
            _gains(self.rows, candidates[part], self.sums, out[part])

        if len(candidates) <= _SHARE:
            some(0)
        else:
            for _ in self._engine.map(some, range(0, len(candidates), _SHARE)):
                pass
        return out

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        _add(self.rows, candidate, self.sums)
        self._step += 1

    def begin(self, price: _Floats) -> None:
        """Compute all gains, to be compared over `price` (`m`)."""
        self._gain = self.gains(np.arange(len(self)))
        self._fresh = np.full(len(self), self._step, np.int64)
        self._tree = maxima(self._gain / price)
        # Each term is a difference of numbers no larger than `top`; sums of them are rounded at every addition.
        top = _most(self.rows, self.sums)
        self._slack = 8 * 2.0**-52 * top / float(price.min(initial=np.inf))

    def best(self, opened: NDArray[np.bool_], at: _Ints, price: _Floats) -> tuple[int, float]:
        """Return the candidate of the largest gain over price and that gain, the first of several; -1 without any.

        Candidate `i` may be taken where ``opened[at[i]]``; one that may not is never looked at again.
        """
        row, computed = _best(
            self._tree, self._gain, self._fresh, self._step, self._slack, opened, at, price, self.rows, self.sums
        )
        self.computed += computed
        return int(row), float(self._gain[row])


def grow(
    state: Concave, filling: Filling, rows: _Ints, price: _Floats, *, most: int | None = None
) -> tuple[_Ints, _Floats]:
    """Offer the candidates (`rows` of the pool) that add most over `price`, until the budget is full or `most` are in.

    Returns the candidates that were taken, and what each of all added or would still add.
    """
    taken: list[int] = []
    added: list[float] = []
    state.begin(price)
    while len(taken) != most and not filling.full:
        row, gain = state.best(filling.open, rows, price)
        if row < 0:
            break
        if filling.offer(int(rows[row])):
            taken.append(row)
            added.append(gain)
            state.add(row)
    score = state.gains(np.arange(len(rows)))
    score[taken] = added
    return np.asarray(taken, np.int64), score


@njit(nogil=True, cache=True, inline="always")
def _phi(c, phi):  # type: ignore[no-untyped-def]
    if phi == 0:
        return np.sqrt(c)
    if phi == 1:
        return np.log1p(c)
    return c / (1.0 + c)


@njit(nogil=True, cache=True)
def _grown(sign, u, amount, book):  # type: ignore[no-untyped-def]
    c = book.sums[sign, u] + amount
    book.sums[sign, u], book.now[sign, u] = c, _phi(c, book.phi)
    book.one[sign, u] = book.weights[sign, u] * (_phi(c + 1.0, book.phi) - book.now[sign, u])


@njit(nogil=True, cache=True)
def _most(rows, book):  # type: ignore[no-untyped-def]
    """Return the largest that all terms of a gain can come to."""
    total, wide = 0.0, 1
    for i in range(rows.x.shape[0]):
        largest = np.float32(0)
        for u in range(rows.x.shape[1]):
            largest = max(largest, abs(widened(rows.x[i, u])))
        total += np.float64(largest)
        wide = rows.x.shape[1]
    for i in range(len(rows.more)):
        wide = max(wide, rows.offsets[i + 1] - rows.offsets[i])
    for j in range(len(rows.amount)):
        total += np.float64(rows.amount[j])
    return wide * book.weights.max() * _phi(total + book.sums.max(), book.phi)


@njit(nogil=True, cache=True, error_model="numpy")
def _terms(x, i, book, out):  # type: ignore[no-untyped-def]
    """Write what each number of a vector adds. Both signs are read before one is chosen: so loops have no branches."""
    sums, now, weights = book.sums, book.now, book.weights[0]
    if book.phi == 0:
        for u in range(len(out)):
            a, high, low, before, below = widened(x[i, u]), sums[0, u], sums[1, u], now[0, u], now[1, u]
            c = (low if a < 0 else high) + np.float64(abs(a))
            out[u] = weights[u] * (np.sqrt(c) - (below if a < 0 else before))
    elif book.phi == 1:
        for u in range(len(out)):
            a = widened(x[i, u])
            sign = np.int64(a < 0)
            out[u] = weights[u] * (np.log1p(sums[sign, u] + np.float64(abs(a))) - now[sign, u])
    else:
        for u in range(len(out)):
            a, high, low, before, below = widened(x[i, u]), sums[0, u], sums[1, u], now[0, u], now[1, u]
            c = (low if a < 0 else high) + np.float64(abs(a))
            out[u] = weights[u] * (c / (1.0 + c) - (below if a < 0 else before))


@njit(nogil=True, cache=True)
def _halved(terms):  # type: ignore[no-untyped-def]
    """Return the sum of terms, the second half added to the first and so on; they are changed."""
    size = len(terms)
    while size > 1:
        half = size // 2
        for j in range(half):
            terms[j] += terms[half + j]
        if size & 1:
            terms[0] += terms[size - 1]
        size = half
    return terms[0]


@njit(nogil=True, cache=True, forceinline=True)
def _gain(rows, i, book, terms):  # type: ignore[no-untyped-def]
    """Return what record `i` would add; `terms` is scratch as wide as vectors."""
    if len(terms):
        _terms(rows.x, i, book, terms)
        return _halved(terms)
    at, one = rows.at, book.one
    more, last = rows.more[i], rows.offsets[i + 1]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0  # an addition waits for the one before: four at a time
    j = rows.offsets[i]
    while j + 4 <= more:
        a += one[0, at[j]]
        b += one[0, at[j + 1]]
        c += one[0, at[j + 2]]
        d += one[0, at[j + 3]]
        j += 4
    while j < more:
        a += one[0, at[j]]
        j += 1
    for k in range(more, last):
        u = at[k]
        b += book.weights[0, u] * (_phi(book.sums[0, u] + np.float64(rows.amount[k]), book.phi) - book.now[0, u])
    return (a + b) + (c + d)


@njit(nogil=True, cache=True)
def _gains(rows, candidates, book, out):  # type: ignore[no-untyped-def]
    terms = np.empty(rows.x.shape[1])
    for i in range(len(candidates)):
        out[i] = _gain(rows, candidates[i], book, terms)


@njit(nogil=True, cache=True)
def _add(rows, i, book):  # type: ignore[no-untyped-def]
    for u in range(rows.x.shape[1]):
        a = widened(rows.x[i, u])
        if a != 0:
            _grown(int(a < 0), u, np.float64(abs(a)), book)
    if not rows.x.shape[1]:
        for j in range(rows.offsets[i], rows.offsets[i + 1]):
            _grown(0, rows.at[j], np.float64(rows.amount[j]), book)


@njit(nogil=True, cache=True)
def _best(  # type: ignore[no-untyped-def]
    tree, gain, fresh, step, slack, opened, at, price, rows, book
):
    """Return the open candidate of the highest gain over price, and how many gains were computed.

    Those computed are taken from the tree while others may be as good, and put back.
    """
    leaves = len(tree) // 2
    terms = np.empty(rows.x.shape[1])
    held = np.empty(16, np.int64)
    holding, computed = 0, 0
    best, most = -1, -np.inf
    while True:
        row = highest(tree)
        if row < 0 or tree[leaves + row] < most - slack:
            break
        if not opened[at[row]]:
            put(tree, row, -np.inf)
        elif fresh[row] != step:
            gain[row] = _gain(rows, row, book, terms)
            fresh[row] = step
            computed += 1
            put(tree, row, gain[row] / price[row])
        else:
            value = tree[leaves + row]
            if value > most or (value == most and row < best):
                best, most = row, value
            if holding == len(held):
                held = np.concatenate((held, np.empty(holding, np.int64)))
            held[holding] = row
            holding += 1
            put(tree, row, -np.inf)
    for j in range(holding):
        put(tree, held[j], gain[held[j]] / price[held[j]])
    return best, computed
