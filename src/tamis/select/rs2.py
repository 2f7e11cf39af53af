"""A fresh random subset for every epoch: repeated sampling of random subsets.

Source: RS2 (Okanovic et al. 2023). Instead of one subset for all epochs, each round trains on another: with
replacement across rounds, a new uniform draw every time; without, blocks of a permutation, one after the other, and a
new permutation when it is used up. The learning-rate schedule is that of the steps that are really made.

Ours: one rule for every budget. Each record is ordered by how often it was taken so far, and by a random number that
is new each time; a round fills its budget in that order. For rows alone that is blocks of permutations. With tokens,
quotas and pins it is what comes nearest: no record waits while another that might stand in its place comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.kernels.order import canonical_order
from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector, check_amount
from tamis.select.budget.constraints import Constraints

__all__ = ["Rs2", "rounds", "rs2"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Keys = NDArray[np.uint64]


def rounds(records: int | _Keys, k: int, *, replacement: bool = False, seed: int = 0) -> Iterator[_Ints]:
    """Yield the rows (`min(k, n)`) of round 1, 2 and so on, without end.

    `records` is how many there are, or their keys (`n x 2`). After any round no row was in more than one round more
    than another. With `replacement` each round is a draw of its own.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        Keys that are not `n x 2`, fewer records than one.
    """
    k, keys = check_amount(k), _keys(records)
    order = canonical_order(keys)
    return _rounds(keys[order], order, k, replacement, seed)


def rs2(records: int | _Keys, k: int, round: int = 1, *, replacement: bool = False, seed: int = 0) -> _Ints:
    """Return the rows (`min(k, n)`) of one round, from 1 on; raises as `rounds`, and BudgetError for round 0."""
    last = check_amount(round, "round")
    found = rounds(records, k, replacement=replacement, seed=seed)
    for _ in range(last - 1):
        next(found)
    return next(found)


def _rounds(keys: _Keys, order: _Ints, k: int, replacement: bool, seed: int) -> Iterator[_Ints]:
    number, place = 1, _places(keys, seed, replacement, 1)
    while True:
        rows = np.argsort(place, kind="stable")[:k]
        yield order[rows]
        number += 1
        if replacement:
            place = _places(keys, seed, True, number)
        else:
            _taken(place, rows, keys, seed)


def _keys(records: int | _Keys) -> _Keys:
    if isinstance(records, int | np.integer) and not isinstance(records, bool):
        n = int(records)
        keys = np.stack([np.zeros(max(n, 0), np.uint64), np.arange(max(n, 0), dtype=np.uint64)], axis=1)
    else:
        keys = np.asarray(records)
        if keys.ndim != 2 or keys.shape[1] != 2 or keys.dtype != np.uint64:
            raise InputError(f"keys: expected how many records, or uint64 n x 2, got {keys.dtype} {keys.shape}.")
    if not len(keys):
        raise InputError("records: expected at least 1, got none.")
    return keys


def _places(keys: _Keys, seed: int, replacement: bool, number: int) -> _Floats:
    """Return each record's place: in round `number` with replacement, else in the first permutation."""
    return np.asarray(uniforms(keys, salt(seed, f"rs2: round {number}" if replacement else "rs2: pass 0")), np.float64)


def _taken(place: _Floats, rows: _Ints, keys: _Keys, seed: int) -> None:
    """Move rows that were taken to the next permutation; the whole part of a place tells how often that was."""
    times = place[rows].astype(np.int64) + 1
    for count in np.unique(times).tolist():
        those = rows[times == count]
        place[those] = count + uniforms(keys[those], salt(seed, f"rs2: pass {count}"))


class Rs2(Selector):
    """The random subset of one round."""

    name = "rs2"
    title = "A fresh random subset for every epoch"
    source = "RS2, Okanovic et al. 2023; tokens, quotas and pins are ours"
    cost = "O(round n log n) time, 24 bytes a record"
    promises = "after any number of rounds no record was in more than one round more than another (rows, no quotas)"
    use_when = "a model is trained on a part of the pool for each of several epochs: as what any method must beat"
    fails_when = "one fixed subset is wanted (see `random`), or the learning-rate schedule is still that of full epochs"
    later = "no later comparison known; its own: ImageNet, under 10 % an epoch, up to 29 points above fixed subsets"
    flags = Flags(needs_all=True, random=True)
    parameters = (
        Parameter("round", int, 1, "which round, from 1; rounds with one seed and one budget belong together", low=1),
        Parameter("replacement", bool, False, "each round a draw of its own, instead of every record in its turn"),
    )

    round: int
    replacement: bool

    def holds(self, n: int) -> int:
        """Return the bytes of places and order."""
        return 24 * n

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order of the first round, or of any with replacement; the score is the place."""
        return self._ranking(_places(pool.keys, seed, self.replacement, self.round))

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Fill the budget of the round, after those of the rounds before; the facts tell how many records came up."""
        n = len(pool)
        constraints.validate(n)
        if self.replacement:
            return self.filled(self.rank(pool, seed), constraints, n)
        place = _places(pool.keys, seed, False, 1)
        for _ in range(self.round - 1):
            _taken(place, constraints.fill(_order(place), n).rows, pool.keys, seed)
        chosen = self.filled(self._ranking(place), constraints, n)
        seen = (place >= 1) | (chosen.rank >= 0)
        return replace(chosen, facts={"round": self.round, "seen": int(seen.sum())})

    def _ranking(self, place: _Floats) -> Ranking:
        return Ranking(_order(place), place, f"rs2: drawn in round {self.round}")


def _order(place: _Floats) -> _Ints:
    return np.argsort(place, kind="stable").astype(np.int64)
