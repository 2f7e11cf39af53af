"""Gumbel top-k: records drawn without replacement in proportion to their weights, for one target after the other.

Log weights plus Gumbel noise, the largest first, are such a draw. A target takes of what those before it left.
Source: DSIR (2023), and its package `data-selection` where noise is drawn `sequence`; noise counted by record is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.hashing import gumbels, salt

__all__ = ["Draw", "largest", "taken_first"]

_Rows = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Draw:
    """The Gumbel noise of one ranking: counted by record, or drawn in sequence as the reference package does.

    `keys` (`n x 2`) name the records. Without `noise` it is 0.
    """

    def __init__(self, keys: NDArray[np.uint64], seed: int, *, noise: bool = True, sequence: bool = False) -> None:
        self.keys, self.seed, self.noise = keys, seed, noise
        self.sequence = np.random.RandomState(seed % 2**32) if sequence else None

    def __call__(self, target: int, rows: _Rows) -> _Floats:
        """Return the noise of some records for a target."""
        if not self.noise:
            return np.zeros(len(rows))
        if self.sequence is not None:
            return np.asarray(self.sequence.gumbel(size=len(rows)))
        noise: _Floats = gumbels(self.keys[rows], salt(self.seed, f"dsir:{target}"))
        return noise


def taken_first(
    weights: _Floats, draw: Draw, each: Sequence[int | None], *, skip: bool = False
) -> tuple[_Floats, list[_Rows], _Rows]:
    """Return noisy weights (`t x m`), what each target takes first, and what is left.

    Parameters
    ----------
    weights : float64 array of shape (t, m)
        Log weights of `m` records for `t` targets.
    draw : Draw
        Their noise.
    each : sequence of length t
        How many each target takes of what is left; None or 0 for none, but noise is drawn.
    skip : bool
        A target that takes 0 draws no noise either.
    """
    free = np.ones(weights.shape[1], np.bool_)
    keys = weights.copy()
    heads = []
    for j, k in enumerate(each):
        left = np.flatnonzero(free)
        if k == 0 and skip:
            heads.append(left[:0])  # the reference package skips it, and draws nothing for it
            continue
        keys[j, left] += draw(j, left)
        best = largest(keys[j, left], k or 0)
        heads.append(left[best])
        free[left[best]] = False
    return keys, heads, np.flatnonzero(free)


def largest(keys: _Floats, k: int) -> _Rows:
    """Return the positions of the `k` largest, largest first; ties as `argpartition` has them."""
    if k >= len(keys):
        return np.argsort(-keys, kind="stable")
    chosen = np.sort(np.argpartition(-keys, k)[:k])
    return np.asarray(chosen[np.argsort(-keys[chosen], kind="stable")], np.int64)
