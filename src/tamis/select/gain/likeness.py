"""How like each record is to all of them: its similarities added up, or an estimate of that.

Three ways to know it: by every pair; by a sample that stands for all, drawn by a counted number of each record; by
the part in which a record is. Where similarities are linear in the vectors, all sums are known, and none is estimated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.kernels.hashing import salt, uniforms
from tamis.vectors.similarity import UNIT, Space
from tamis.vectors.similarity import totals as totals_to
from tamis.vectors.totals import linear_totals, sampled_totals, totals

__all__ = ["Likeness"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Likeness:
    """The likeness of a space's `n` records to all of them, in units of 1/65,535.

    Attributes
    ----------
    size : int
        How many records stand for all: `n`, or those of a sample.
    looked : int
        How many similarities were looked at.
    """

    def __init__(self, space: Space, *, linear: bool, sample: int, keys: NDArray[np.uint64], seed: int) -> None:
        """Take the space and how its similarities are: cosines as they are or "euclidean" (`linear`), or others.

        Others are judged on `sample` records, drawn by `keys` (`n x 2`) and `seed`.
        """
        self.space, self.linear, self.engine = space, linear, Local()
        self.size = len(space) if linear else min(len(space), sample)
        self.looked = 0
        self._sample = np.arange(len(space))
        if self.size < len(space):
            number = uniforms(keys, salt(seed, "graphcut: sample"))
            self._sample = np.sort(np.argsort(number, kind="stable")[: self.size])

    def of_all(self) -> _Floats:
        """Return it for all records (`n`)."""
        n = len(self.space)
        self.looked += n if self.linear else n * self.size
        if self.linear:
            return linear_totals(self.space, self.engine)
        if self.size == n:
            return totals(self.space, self.engine).astype(np.float64)
        return np.asarray(sampled_totals(self.space, self._sample, self.engine) * (n / self.size), np.float64)

    def of_some(self, records: _Ints) -> _Floats:
        """Return it for some records, where it is not linear."""
        self.looked += len(records) * self.size
        judges = self.space if self.size == len(self.space) else self.space.part(self._sample)
        found = totals_to(self.space.part(records), self.engine, judges)
        return np.asarray(found * (len(self.space) / self.size), np.float64)

    def in_parts(self, parts: Sequence[_Ints], known: _Ints) -> _Floats:
        """Return an estimate for all records, each by the others of its part; for those `known`, and if linear, it."""
        if self.linear:
            return self.of_all()
        out = np.empty(len(self.space))
        for part in parts:
            found = totals(self.space.part(part), self.engine) - UNIT
            out[part] = UNIT + found * ((len(out) - 1) / max(1, len(part) - 1))
            self.looked += len(part) ** 2
        out[known] = self.of_some(known)
        return out
