"""Halving: of each two records one goes left and one right, so that both halves stay alike to a kernel.

Kernel halving and KT-SPLIT (Dwivedi and Mackey 2021): with `f` the difference of the two records in the kernel's
space, and `psi` that of the halves before, the pair is put so that `<f, psi>` is made smaller, with a probability
that keeps both halves fair; how likely depends on a threshold that adapts to what was seen. Rounds of it leave 2^m
sets of n / 2^m records. For "cosine" and "linear" a pair costs O(d); for "rbf" it is compared with all before, so a
set of more than `block` records is compressed first: cut into four, each compressed, the four put together and halved
(Compress++; Shetty, Dwivedi and Mackey 2022). Ours: sets larger than `block` are halved block by block.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.steps.dots import dot, dots
from tamis.select.steps.embedding import Embedding
from tamis.select.steps.gaussian import gaussian

__all__ = ["BLOCK", "Halver"]

BLOCK = 8192
"""Records that are compared pair by pair, at most."""

_PAIRS = 32  # compared with so many at a time: what they have to do with each other stays in the nearest cache
_SHARED = 256  # pairs after which threads share the comparison with those before

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Halver:
    """Halves sets of the rows of an `Embedding`; the coins are counted by `seed`, round and key (`keys`, `n x 2`)."""

    def __init__(self, found: Embedding, keys: NDArray[np.uint64], seed: int, block: int = BLOCK) -> None:
        self.found, self.keys, self.seed = found, keys, seed
        self.block = block if found.gamma > 0.0 else max(len(keys), 2)
        self.round = 0
        self.evaluated = 0

    def split(self, rows: _Ints, rounds: int) -> list[_Ints]:
        """Return sets of about `len(rows) / 2^rounds` of the rows, in their order; all of a size but for a few.

        Up to `2^rounds` sets; a single one of each where the rows had to be compressed first.
        """
        delta = 0.5 / max(len(rows), 1)
        levels = 0
        while levels < rounds and len(rows) > max(self.block << levels, 4 ** (levels + 1)):
            levels += 1
        sets = [rows]
        if levels:
            sets = np.array_split(rows, 4 ** (levels - 1))
            for level in range(levels):
                sets = [pair[self._side(pair)] for pair in self._halved(sets, delta)]
                if level < levels - 1:
                    sets = [np.concatenate(sets[i : i + 4]) for i in range(0, len(sets), 4)]
        for _ in range(rounds - levels):
            sets = [half for pair in self._halved(sets, delta) for half in pair]
        return sets

    def _side(self, pair: tuple[_Ints, _Ints]) -> int:
        """Return which half goes on: by a coin, so that none is preferred."""
        if not len(pair[0]):
            return 0
        coin = uniforms(self.keys[pair[0][:1]], salt(self.seed, f"thinning: side {self.round}"))
        return int(coin[0] < 0.5)

    def _halved(self, sets: list[_Ints], delta: float) -> list[tuple[_Ints, _Ints]]:
        """Return both halves of each set; of an odd number the last record is left out."""
        self.round += 1
        salted = salt(self.seed, f"thinning: round {self.round}")
        blocks = [(i, part) for i, one in enumerate(sets) for part in _parts(one, self.block)]
        engine = self.found.rows.engine
        few = len(blocks) < engine.threads  # then threads share a block, not the blocks

        def halve(task: tuple[int, _Ints]) -> tuple[_Ints, _Ints]:
            rows = task[1]
            first = self._first(rows, uniforms(self.keys[rows], salted), delta, _SHARED if few else len(rows))
            left = rows[0 : 2 * len(first) : 2], rows[1 : 2 * len(first) : 2]
            return np.where(first, *left), np.where(first, *left[::-1])

        out: list[tuple[list[_Ints], list[_Ints]]] = [([], []) for _ in sets]
        done = map(halve, blocks) if few else engine.map(halve, blocks)
        for (i, part), halves in zip(blocks, done, strict=True):
            self.evaluated += len(part) ** 2 // 2 if self.found.gamma > 0.0 else len(part)
            out[i][0].append(halves[0])
            out[i][1].append(halves[1])
        return [(np.concatenate(left), np.concatenate(right)) for left, right in out]

    def _first(self, rows: _Ints, draws: _Floats, delta: float, share: int) -> NDArray[np.bool_]:
        """Return which pairs' first goes left; threads share what is more than `share` pairs."""
        x, square, factor = self.found.some(rows)
        sign, state = np.zeros(len(rows) // 2), np.zeros(1)
        if self.found.gamma <= 0.0:
            _decide_flat(x, factor, draws, delta, sign)
            return sign > 0.0
        along, gamma = np.zeros(len(sign)), self.found.gamma
        for start in range(0, len(sign), share):
            stop = min(len(sign), start + share)
            if start:
                parts = [(at, min(stop, at + _PAIRS)) for at in range(start, stop, _PAIRS)]
                before = partial(_compare, x, square, gamma, sign, along, 0, start)
                for _ in self.found.rows.engine.map(lambda part, to=before: to(*part), parts):  # type: ignore[misc]
                    pass
            _decide(x, square, gamma, draws, delta, start, stop, along, sign, state)
        return sign > 0.0

    def nearest(self, rows: _Ints, k: int, beside: _Floats, also: _Ints) -> _Ints:
        """Return at most `k` of the rows, more than k: the nearest of the sets that halving leaves and of the first.

        `beside` and `also` as those of `discrepancy`.
        """
        rounds = 0
        while len(rows) >> rounds > k:
            rounds += 1
        sets = [one[:k] for one in self.split(rows, rounds) if len(one)] if k > 0 else []
        size = max((len(one) for one in sets), default=0)
        sets = [*(one for one in sets if len(one) == size), rows[:size]]
        apart = [self.discrepancy(one, beside, also) for one in sets]
        return sets[int(np.argmin(apart))]

    def discrepancy(self, rows: _Ints, beside: _Floats, also: _Ints) -> float:
        """Return a number that orders sets of one size as their squared MMD does.

        The set is `rows` and `also`, which are in anyhow; `beside` is the sum of the kernel of each row with these.
        """
        found, size = self.found, len(rows) + len(also)
        within = float(_within(*found.some(rows), found.gamma))
        self.evaluated += len(rows) ** 2 // 2 if found.gamma > 0.0 else len(rows)
        pairs = within + 2 * float(beside[rows].sum()) + float(beside[also].sum())
        return pairs / size**2 - 2 * float(found.mean[rows].sum() + found.mean[also].sum()) / size


def _parts(rows: _Ints, block: int) -> list[_Ints]:
    """Return runs of at most `block` rows, all but the last of an even number."""
    count = max(1, -(-len(rows) // block))
    size = -(-len(rows) // count)
    size += size % 2
    return [rows[at : at + size] for at in range(0, max(len(rows), 1), size)] if len(rows) else [rows]


@njit(nogil=True, cache=True)
def _along(found, pair, sign, first, last, total):  # type: ignore[no-untyped-def]
    """Return `total` and what a pair has along the signed differences of those from `first` to `last`."""
    a, b = found[2 * pair], found[2 * pair + 1]
    for one in range(last - first):
        total += sign[first + one] * (a[2 * one] - a[2 * one + 1] - b[2 * one] + b[2 * one + 1])
    return total


@njit(nogil=True, cache=True)
def _compare(x, square, gamma, sign, along, start, stop, low, high):  # type: ignore[no-untyped-def]
    """Add to `along` of the pairs from `low` to `high` (at most `_PAIRS`) what those from `start` to `stop` give.

    That is `<f, psi>`, pair by pair in their order; `sign` is 1 where a pair's first went left, -1 where it went right.
    """
    mine, own = x[2 * low : 2 * high], square[2 * low : 2 * high]
    found = np.empty((2 * _PAIRS, 2 * _PAIRS))
    for first in range(start, stop, _PAIRS):
        last = min(stop, first + _PAIRS)
        dots(mine, x[2 * first : 2 * last], found)
        gaussian(found, own, square[2 * first : 2 * last], gamma)
        for pair in range(high - low):
            along[low + pair] = _along(found, pair, sign, first, last, along[low + pair])


@njit(nogil=True, cache=True)
def _decide(x, square, gamma, draws, delta, start, stop, along, sign, state):  # type: ignore[no-untyped-def]
    """Write the signs of the pairs from `start` to `stop`; `along` holds what those before `start` give.

    `state` holds the square of the adaptive scale, sigma.
    """
    found = np.empty((2 * _PAIRS, 2 * _PAIRS))
    for low in range(start, stop, _PAIRS):
        high = min(stop, low + _PAIRS)
        _compare(x, square, gamma, sign, along, start, low, low, high)
        mine, own = x[2 * low : 2 * high], square[2 * low : 2 * high]
        dots(mine, mine, found)
        gaussian(found, own, own, gamma)
        for pair in range(high - low):
            a, b = 2 * pair, 2 * pair + 1
            alpha = _along(found, pair, sign, low, low + pair, along[low + pair])
            apart = found[a, a] + found[b, b] - 2.0 * found[a, b]
            sign[low + pair] = _side(apart, alpha, draws[2 * (low + pair)], delta, state)


@njit(nogil=True, cache=True)
def _side(apart, alpha, draw, delta, state):  # type: ignore[no-untyped-def]
    """Return 1 where the first of a pair goes left, else -1; `apart` is |f|^2, `alpha` is `<f, psi>`."""
    apart, spread = max(apart, 0.0), state[0]
    threshold = max(np.sqrt(apart * spread * 2.0 * np.log(2.0 / delta)), apart)
    chance = 0.5
    if threshold > 0.0:
        chance = min(1.0, 0.5 * max(1.0 - alpha / threshold, 0.0))
        state[0] = spread + apart * max(1.0 + (apart - 2.0 * threshold) * spread / threshold**2, 0.0)
    return 1.0 if draw < chance else -1.0


@njit(nogil=True, cache=True)
def _decide_flat(x, factor, draws, delta, sign):  # type: ignore[no-untyped-def]
    """Write the signs of all pairs for products of features, where psi is a vector."""
    width = x.shape[1]
    psi, state = np.zeros(width), np.zeros(1)
    for pair in range(len(sign)):
        a, b = 2 * pair, 2 * pair + 1
        own = factor[a] * factor[a] * dot(x[a], x[a], width) + factor[b] * factor[b] * dot(x[b], x[b], width)
        apart = own - 2.0 * (factor[a] * factor[b] * dot(x[a], x[b], width))
        alpha = factor[a] * dot(x[a], psi, width) - factor[b] * dot(x[b], psi, width)
        sign[pair] = _side(apart, alpha, draws[a], delta, state)
        for j in range(width):
            psi[j] += sign[pair] * (factor[a] * np.float64(x[a, j]) - factor[b] * np.float64(x[b, j]))


@njit(nogil=True, cache=True)
def _within(x, square, factor, gamma):  # type: ignore[no-untyped-def]
    """Return the sum of the kernel over all pairs of rows, each with itself among them."""
    n, total = len(x), 0.0
    if gamma > 0.0:
        found = np.empty((2 * _PAIRS, 2 * _PAIRS))
        for low in range(0, n, 2 * _PAIRS):
            high = min(n, low + 2 * _PAIRS)
            for first in range(0, high, 2 * _PAIRS):
                last = min(n, first + 2 * _PAIRS)
                dots(x[low:high], x[first:last], found)
                gaussian(found, square[low:high], square[first:last], gamma)
                for i in range(low, high):
                    for j in range(first, min(last, i)):
                        total += 2.0 * found[i - low, j - first]
        return total + n
    added = np.zeros(x.shape[1])
    for i in range(n):
        for j in range(len(added)):
            added[j] += factor[i] * np.float64(x[i, j])
    for j in range(len(added)):
        total += added[j] * added[j]
    return total
