"""Halving: of each two records one goes left and one right, so that both halves stay alike to a kernel.

Kernel halving and KT-SPLIT (Dwivedi and Mackey 2021): with `f` the difference of the two records in the kernel's
space, and `psi` that of the halves before, the pair is put so that `<f, psi>` is made smaller, with a probability
that keeps both halves fair; how likely depends on a threshold that adapts to what was seen. Rounds of it leave 2^m
sets of n / 2^m records. For "cosine" and "linear" a pair costs O(d); for "rbf" it is compared with all before, so a
set of more than `block` records is compressed first: cut into four, each compressed, the four put together and halved
(Compress++; Shetty, Dwivedi and Mackey 2022). Ours: sets larger than `block` are halved block by block.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.steps.dots import dot
from tamis.select.steps.embedding import Embedding

__all__ = ["BLOCK", "Halver"]

BLOCK = 8192
"""Records that are compared pair by pair, at most."""

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

        def halve(task: tuple[int, _Ints]) -> tuple[_Ints, _Ints]:
            rows = task[1]
            first = np.zeros(len(rows) // 2, np.bool_)
            _halve(*self.found.some(rows), self.found.gamma, uniforms(self.keys[rows], salted), delta, first)
            left = rows[0 : 2 * len(first) : 2], rows[1 : 2 * len(first) : 2]
            return np.where(first, *left), np.where(first, *left[::-1])

        out: list[tuple[list[_Ints], list[_Ints]]] = [([], []) for _ in sets]
        for (i, part), halves in zip(blocks, self.found.rows.engine.map(halve, blocks), strict=True):
            self.evaluated += len(part) ** 2 // 2 if self.found.gamma > 0.0 else len(part)
            out[i][0].append(halves[0])
            out[i][1].append(halves[1])
        return [(np.concatenate(left), np.concatenate(right)) for left, right in out]

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
def _kernel(x, square, factor, gamma, i, j):  # type: ignore[no-untyped-def]
    found = dot(x[i], x[j], x.shape[1])
    if gamma > 0.0:
        return np.exp(-gamma * max(square[i] + square[j] - 2.0 * found, 0.0))
    return factor[i] * factor[j] * found


@njit(nogil=True, cache=True)
def _halve(x, square, factor, gamma, draws, delta, first):  # type: ignore[no-untyped-def]
    """Write for each pair of rows whether the first goes left."""
    width = x.shape[1]
    psi = np.zeros(width)
    spread = 0.0  # the square of the adaptive scale, sigma
    for pair in range(len(first)):
        a, b = 2 * pair, 2 * pair + 1
        own = _kernel(x, square, factor, gamma, a, a) + _kernel(x, square, factor, gamma, b, b)
        apart = max(own - 2.0 * _kernel(x, square, factor, gamma, a, b), 0.0)
        alpha = 0.0
        if gamma > 0.0:
            for before in range(pair):
                one, other = 2 * before, 2 * before + 1
                along = (
                    _kernel(x, square, factor, gamma, a, one)
                    - _kernel(x, square, factor, gamma, a, other)
                    - _kernel(x, square, factor, gamma, b, one)
                    + _kernel(x, square, factor, gamma, b, other)
                )
                alpha += along if first[before] else -along
        else:
            alpha = factor[a] * dot(x[a], psi, width) - factor[b] * dot(x[b], psi, width)
        threshold = max(np.sqrt(apart * spread * 2.0 * np.log(2.0 / delta)), apart)
        chance = 0.5
        if threshold > 0.0:
            chance = min(1.0, 0.5 * max(1.0 - alpha / threshold, 0.0))
            spread += apart * max(1.0 + (apart - 2.0 * threshold) * spread / threshold**2, 0.0)
        first[pair] = draws[a] < chance
        if gamma <= 0.0:
            sign = 1.0 if first[pair] else -1.0
            for j in range(width):
                psi[j] += sign * (factor[a] * np.float64(x[a, j]) - factor[b] * np.float64(x[b, j]))


@njit(nogil=True, cache=True)
def _within(x, square, factor, gamma):  # type: ignore[no-untyped-def]
    """Return the sum of the kernel over all pairs of rows, each with itself among them."""
    total = 0.0
    if gamma > 0.0:
        for i in range(len(x)):
            for j in range(i):
                total += 2.0 * _kernel(x, square, factor, gamma, i, j)
        return total + len(x)
    added = np.zeros(x.shape[1])
    for i in range(len(x)):
        for j in range(len(added)):
            added[j] += factor[i] * np.float64(x[i, j])
    for j in range(len(added)):
        total += added[j] * added[j]
    return total
