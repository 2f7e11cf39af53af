"""The Vendi score of millions under any kernel, by the similarities of every record to a few landmarks.

The matrix of all pairs is replaced by ``C W^+ C^T``, where `C` (`n x m`) holds the similarities of
the records to `m` landmarks and `W` those of the landmarks (Nystrom's method). Its eigenvalues are
those of an `r x r` matrix, `r` at most `m`, that is added up tile by tile: nothing of size `n x m`
is held. What the landmarks miss is never negative, and the kernel has ones on its diagonal, so the
missed share of the trace is known exactly: it bounds the score of order 1 from both sides.

Sources: Williams and Seeger 2001, "Using the Nystrom Method to Speed Up Kernel Machines"; the score:
Friedman and Dieng 2022 (arXiv 2210.02410). Counted landmarks, the sum over tiles and the bounds
(from the concavity of the entropy and its grouping) are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tamis.engine.local import Local
from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.measure.diversity import ORDERS, vendi_of_second_moment
from tamis.measure.linear import dots, gram
from tamis.vectors.tiles import TILE, content_keys

__all__ = ["Landmarked", "vendi_landmarks"]

_DEPENDENT = 1e-8  # of a similarity of 1: a landmark of which less is new adds rounding only
_SLACK = 1e-6  # rounding of what a kernel gives


@dataclass(frozen=True, slots=True)
class Landmarked:
    """Vendi scores of several orders: `scores[i]` is that of `orders[i]`.

    `landmarks` were used, those that repeat others left out. `missed` is the share of the kernel's
    trace that they do not hold: near 0 the scores are near the exact ones. The exact score of order 1
    is at least `low` and at most `high`, but for rounding.
    """

    orders: tuple[float, ...]
    scores: tuple[float, ...]
    records: int
    landmarks: int
    missed: float
    low: float
    high: float
    told: str


def vendi_landmarks(
    items: Sequence[Any] | NDArray[Any],
    kernel: Callable[[Any, Any], ArrayLike],
    orders: Sequence[float] = ORDERS,
    *,
    landmarks: int = 512,
    keys: NDArray[np.uint64] | None = None,
    seed: int = 0,
    engine: Local | None = None,
) -> Landmarked:
    """Return the Vendi scores of all `n` items under any kernel: n m similarities, O(n m^2) time, O(m^2) memory.

    Parameters
    ----------
    items : sequence or array
        Of any kind; an array may be memory-mapped.
    kernel : callable
        `kernel(a, b)` returns the similarities of some items (`p`) and others (`q`), `p x q`. It must be
        positive semidefinite and 1 of an item with itself. It is called on several threads.
    orders : sequence of float
        As `vendi` has them.
    landmarks : int
        The most that are taken. With all of the items the scores are exact.
    keys : uint64 array of shape (n, 2), optional
        Which items are landmarks depends on them and the seed; default hashes of the rows of an
        array of numbers, else the positions.
    seed : int
        Of the landmarks.
    engine : Local, optional
        Whose threads work; the result does not depend on it.

    Raises
    ------
    InputError
        No items or landmarks, similarities of another shape or not finite, a kernel that is not 1 of
        an item with itself or not positive semidefinite, as far as seen; keys of another length.
    """
    n = len(items)
    if not n or landmarks < 1:
        raise InputError(f"vendi: expected items and at least 1 landmark, got {n} and {landmarks}.")
    order = _picked(items, min(landmarks, n), keys, seed)
    some = _taken(items, order)
    basis = _basis(_similar(kernel, some, some))

    def one(start: int) -> NDArray[np.float64]:
        part = items[start : start + TILE]
        features = dots(_similar(kernel, part, some), basis)
        if float((features * features).sum(axis=1).max()) > 1.0 + math.sqrt(_SLACK):
            raise InputError(
                f"vendi: expected a positive semidefinite kernel with ones on its diagonal, got another from item "
                f"{start:,} on."
            )
        return gram(features)

    total = np.zeros((len(basis), len(basis)))
    for part in (engine or Local()).map(one, range(0, n, TILE)):
        total += part
    total /= n
    held = min(float(np.trace(total)), 1.0)
    scores = tuple(vendi_of_second_moment(total / np.trace(total), q) for q in orders)
    first = math.log(vendi_of_second_moment(total / np.trace(total), 1.0))
    missed = 1.0 - held
    low = max(1.0, math.exp(held * first))
    high = min(float(n), math.exp(held * first + missed * math.log(n) + _two_sided(missed)))
    told = f"all {n:,} records by {len(basis):,} landmarks, which miss {missed:.2%} of the kernel (an estimate)"
    return Landmarked(tuple(orders), scores, n, len(basis), missed, low, high, told)


def _picked(
    items: Sequence[Any] | NDArray[Any], count: int, keys: NDArray[np.uint64] | None, seed: int
) -> NDArray[np.int64]:
    """Return the landmarks' positions by their counted numbers, so that no order of the input changes theirs."""
    n = len(items)
    if keys is None and isinstance(items, np.ndarray) and items.ndim == 2 and items.dtype.kind == "f":
        keys = content_keys(items)
    if keys is None:
        keys = np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)
    if keys.shape != (n, 2):
        raise InputError(f"vendi: expected {n:,} x 2 keys, one pair an item, got shape {keys.shape}.")
    numbers = uniforms(np.ascontiguousarray(keys, np.uint64), salt(seed, "vendi: landmarks"))
    return np.argsort(numbers, kind="stable")[:count].astype(np.int64)


def _taken(items: Sequence[Any] | NDArray[Any], rows: NDArray[np.int64]) -> Any:
    return items[rows] if isinstance(items, np.ndarray) else [items[i] for i in rows.tolist()]


def _similar(kernel: Callable[[Any, Any], ArrayLike], a: Any, b: Any) -> NDArray[np.float64]:
    """Return what the kernel gives, checked."""
    found = np.asarray(kernel(a, b), np.float64)
    if found.shape != (len(a), len(b)) or not np.isfinite(found).all():
        raise InputError(
            f"vendi: expected {len(a):,} x {len(b):,} finite similarities of the kernel, got others or shape "
            f"{found.shape}."
        )
    return found


def _basis(among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `B` (`r x m`) with ``B W B^T = I`` and ``B^T B = W^+`` on `r` independent landmarks of `W` (`m x m`)."""
    if not np.allclose(np.diag(among), 1.0, atol=_SLACK) or not np.allclose(among, among.T, atol=_SLACK):
        raise InputError("vendi: expected a symmetric kernel that is 1 of an item with itself, got another.")
    basis, held, kept = _cholesky_inverse((among + among.T) / 2.0, _DEPENDENT)
    # Of a semidefinite one nothing larger is left beside the diagonal than on it.
    off = float(np.abs(gram(held[:kept]) - among).max())
    if off > _SLACK:
        raise InputError(f"vendi: expected a positive semidefinite kernel, got one that is off by {off:.2g}.")
    return np.ascontiguousarray(basis[:kept])


def _two_sided(share: float) -> float:
    """Return the entropy of two kinds of which one has this share."""
    return -sum(p * math.log(p) for p in (share, 1.0 - share) if p > 0.0)


@njit(nogil=True, cache=True)
def _cholesky_inverse(w: NDArray[np.float64], dust: float) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Make the landmarks orthonormal, each time the one of which most is new (Cholesky with pivots).

    Returns the rows of coefficients, what each of those directions holds of each landmark, and how many there are.
    """
    m = len(w)
    basis = np.zeros((m, m))
    held = np.zeros((m, m))
    left = np.ones(m)
    kept = 0
    while kept < m:
        at = 0
        for i in range(m):
            if left[i] > left[at]:
                at = i
        if left[at] <= dust:
            break
        size = math.sqrt(left[at])
        new, sees = basis[kept], held[kept]
        new[at] = 1.0
        sees[:] = w[at]
        for r in range(kept):
            factor = held[r, at]
            for i in range(m):
                new[i] -= factor * basis[r, i]
                sees[i] -= factor * held[r, i]
        for i in range(m):
            new[i] /= size
            sees[i] /= size
            left[i] -= sees[i] * sees[i]
        left[at] = 0.0
        kept += 1
    return basis, held, kept
