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
from numpy.typing import NDArray

from tamis.kernels.hashing import salt, uniforms
from tamis.select.steps.embedding import Embedding
from tamis.select.steps.pairs import PAIRS, compare, decide, decide_flat, within

__all__ = ["BLOCK", "Halver"]

BLOCK = 8192
"""Records that are compared pair by pair, at most."""

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
            decide_flat(x, factor, draws, delta, sign)
            return sign > 0.0
        along, gamma = np.zeros(len(sign)), self.found.gamma
        for start in range(0, len(sign), share):
            stop = min(len(sign), start + share)
            if start:
                parts = [(at, min(stop, at + PAIRS)) for at in range(start, stop, PAIRS)]
                before = partial(compare, x, square, gamma, sign, along, 0, start)
                for _ in self.found.rows.engine.map(lambda part, to=before: to(*part), parts):  # type: ignore[misc]
                    pass
            decide(x, square, gamma, draws, delta, start, stop, along, sign, state)
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
        inside = float(within(*found.some(rows), found.gamma))
        self.evaluated += len(rows) ** 2 // 2 if found.gamma > 0.0 else len(rows)
        pairs = inside + 2 * float(beside[rows].sum()) + float(beside[also].sum())
        return pairs / size**2 - 2 * float(found.mean[rows].sum() + found.mean[also].sum()) / size


def _parts(rows: _Ints, block: int) -> list[_Ints]:
    """Return runs of at most `block` rows, all but the last of an even number."""
    count = max(1, -(-len(rows) // block))
    size = -(-len(rows) // count)
    size += size % 2
    return [rows[at : at + size] for at in range(0, max(len(rows), 1), size)] if len(rows) else [rows]
