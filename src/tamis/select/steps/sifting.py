"""A sieve for streams: many sets, one for each guess of the best value, and what each takes as records come by.

The algorithm is told in `sieve`. A set keeps the similarity of each record of the reference to its nearest chosen
one, so what a record adds is one pass over the reference, in whole numbers. Sets whose guess has become too low make
room for those of higher guesses, so there are never more than log(2 k) / log(1 + eps) + 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.base import check_amount
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.similarity import UNIT, Space
from tamis.vectors.tiles import TILE, Tiles, matrix, zero_rows

__all__ = ["Sieve", "Sifted"]

_Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sifted:
    """What a sieve holds.

    Attributes
    ----------
    ids : int64 array of shape (s,)
        The records of the best set in the order in which they were taken, `s` at most `k`.
    gains : float64 array of shape (s,)
        What each added to the mean similarity of the reference when it was taken.
    value : float
        The mean similarity of the reference to the nearest chosen record.
    seen : int
        Records that came by.
    """

    ids: _Ints
    gains: NDArray[np.float64]
    value: float
    seen: int


class Sieve:
    """A sieve for a stream of vectors: `push` batches, ask for the `result` whenever you like.

    Parameters
    ----------
    k : int
        The most records to choose.
    reference : int or array of shape (r, d)
        What has to be represented; a number: the first so many records of the stream, which wait until then.
    eps : float
        Above 0 and below 1/2: the smaller, the more sets are tried.
    chosen : array of shape (c, d), optional
        Vectors of records that are chosen anyhow.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        A reference without rows that are not zeros, or of another width.
    OptionError
        `eps` out of range.
    """

    def __init__(self, k: int, reference: Any = 1000, *, eps: float = 0.1, chosen: Any = None) -> None:
        self.k = check_amount(k)
        if not 0 < eps < 0.5:
            raise OptionError(f"sieve, option 'eps': expected a number above 0 and below 0.5, got {eps!r}.")
        self.eps = float(eps)
        self.seen = 0
        self._chosen, self._panels = chosen, np.empty((0, 0, LANES), np.float32)
        self._waiting: list[tuple[NDArray[Any], _Ints]] = []
        self._wait = check_amount(reference, "sieve, reference") if np.ndim(reference) == 0 else 0
        if not self._wait:
            self._start(matrix(reference, "sieve, reference"))

    def _start(self, reference: NDArray[Any]) -> None:
        rows = reference[~zero_rows(reference, "sieve, reference")]
        if not len(rows):
            raise InputError(f"sieve, reference: expected vectors that are not zeros, got {len(reference)} of them.")
        self._panels, self._count = pack(Tiles(rows, unit=True).take(np.arange(len(rows)), LANES)), len(rows)
        sets = int(np.floor(np.log(2 * self.k) / np.log1p(self.eps))) + 2
        base = np.zeros(self._count, np.uint16)
        if self._chosen is not None and len(self._chosen):
            for _, alike in self._blocks(matrix(self._chosen, "sieve, chosen")):
                np.maximum(base, alike.max(axis=0), out=base)
        self._base = base
        self._best = np.zeros((sets, self._count), np.uint16)
        self._ids, self._gains = np.empty((sets, self.k), np.int64), np.empty((sets, self.k), np.int64)
        self._size, self._value = np.zeros(sets, np.int64), np.zeros(sets, np.int64)
        self._power = np.full(sets, np.iinfo(np.int64).min)
        self._most = np.zeros(1, np.int64)
        self._looked = 0

    @property
    def nbytes(self) -> int:
        """Return the bytes held: the reference and the sets, whatever came by; or the records that wait."""
        held = [*(x.nbytes + ids.nbytes for x, ids in self._waiting), self._panels.nbytes]
        if self._panels.size:
            held += [a.nbytes for a in (self._base, self._best, self._ids, self._gains, self._size, self._value)]
        return sum(held)

    def push(self, batch: Any, ids: Any = None) -> NDArray[np.float64]:
        """Let records come by (`n x d`) and return what each alone would add to the chosen-anyhow (`n`).

        `ids` are whole numbers to know them by, else they are numbered from 0; rows of zeros are never taken. While
        records wait for a reference the answer is NaN.

        Raises
        ------
        InputError
            No `n x d` numbers, a row that is not finite, another width than before, not one id a row.
        """
        x = matrix(batch, "sieve")
        names = np.arange(self.seen, self.seen + len(x)) if ids is None else np.asarray(ids, np.int64)
        if names.shape != (len(x),):
            raise InputError(f"sieve, ids: expected {len(x)}, one a row, got an array of shape {names.shape}.")
        width = self._waiting[0][0].shape[1] if self._waiting else self._panels.shape[1]
        if width and x.shape[1] != width:
            raise InputError(f"sieve: expected vectors of {width} numbers as before, got {x.shape[1]}.")
        zero = zero_rows(x, "sieve")
        self.seen += len(x)
        if not self._wait:
            return self._pass(x, names)
        self._waiting.append((x[~zero].copy(), names[~zero].astype(np.int64)))
        if sum(len(part) for part, _ in self._waiting) >= self._wait:
            self._leave()
        return np.full(len(x), np.nan)

    def _leave(self) -> None:
        """Take the first of what waits as the reference, and let all of it come by."""
        parts, self._waiting = self._waiting, []
        self._start(np.concatenate([part for part, _ in parts])[: self._wait])
        self._wait = 0
        for part, names in parts:
            self._pass(part, names)

    def _pass(self, x: NDArray[Any], names: _Ints) -> NDArray[np.float64]:
        alone, at = np.empty(len(x), np.int64), 0
        for size, alike in self._blocks(x):
            part = slice(at, at + size)
            self._looked += _sift(
                alike, names[part].astype(np.int64), self._base, np.log1p(self.eps), self.k, self._best, self._ids,
                self._gains, self._size, self._value, self._power, self._most, alone[part],
            )  # fmt: skip
            at += size
        return alone / (UNIT * self._count)

    def _blocks(self, x: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.uint16]]]:
        """Yield the similarities of a tile of rows to the reference, in steps, with how many they are."""
        space = Space(x, "cosine")
        for i in range(len(space.tiles)):
            tile, left = space.tile(i)
            scores = np.empty((TILE, len(self._panels) * LANES), np.float32)
            products(tile, self._panels, scores)
            out = np.empty((len(left), self._count), np.uint16)
            space.write(scores, left, left, out)
            yield len(left), out

    def result(self) -> Sifted:
        """Return the best set up to now; more may be pushed afterwards."""
        if self._wait:
            if not any(len(part) for part, _ in self._waiting):
                return Sifted(np.empty(0, np.int64), np.empty(0), 0.0, self.seen)
            now = Sieve(self.k, np.concatenate([part for part, _ in self._waiting]), eps=self.eps, chosen=self._chosen)
            for part, names in self._waiting:
                now.push(part, names)
            return replace(now.result(), seen=self.seen)
        scale = UNIT * self._count
        # Of sets of equal value the smaller, then that of the lower guess.
        best = int(np.lexsort((self._power, self._size, -self._value))[0])
        taken = slice(0, int(self._size[best]))
        value = (float(self._base.sum(dtype=np.int64)) + float(self._value[best])) / scale
        return Sifted(self._ids[best, taken].copy(), self._gains[best, taken] / scale, value, self.seen)


@njit(nogil=True, cache=True)
def _sift(  # type: ignore[no-untyped-def]
    alike, names, base, step, k, best, ids, gains, size, value, power, most, alone
):
    """Let records come by; return how many gains were looked at.

    Set `j` belongs to the powers that are `j` mod sets.
    """
    sets, looked = len(best), 0
    for i in range(len(alike)):
        row = alike[i]
        single = np.int64(0)
        for r in range(len(row)):
            single += max(np.int32(row[r]) - np.int32(base[r]), np.int32(0))
        alone[i] = single
        if single == 0:
            continue
        if single > most[0]:
            most[0] = single
            low = np.int64(np.ceil(np.log(single) / step - 1e-9))
            high = np.int64(np.floor(np.log(2.0 * k * single) / step + 1e-9))
            for guess in range(low, high + 1):
                j = guess % sets
                if power[j] != guess:  # a guess that is too low by now makes room for one that was too high
                    power[j], size[j], value[j] = guess, 0, 0
                    best[j] = base
        for j in range(sets):
            if power[j] * step < np.log(most[0]) - 1e-9 or size[j] == k:
                continue
            gain = np.int64(0)
            for r in range(len(row)):
                gain += max(np.int32(row[r]) - np.int32(best[j, r]), np.int32(0))
            looked += 1
            if gain > 0 and gain * (k - size[j]) >= np.exp(power[j] * step) / 2 - value[j]:
                ids[j, size[j]], gains[j, size[j]] = names[i], gain
                size[j] += 1
                value[j] += gain
                for r in range(len(row)):
                    best[j, r] = max(best[j, r], row[r])
    return looked
