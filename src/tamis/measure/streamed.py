"""The Vendi score of millions of records, in one pass over vectors that may lie on disk.

Under the cosine it needs only ``X^T X`` (`d x d`) of the unit rows, added up tile by tile: exact.
For the Gaussian kernel the rows are random Fourier features (Rahimi and Recht 2007): an estimate,
whose error falls with the number of features. For any other kernel there is a counted sample. Every
result says which of these it is. Source of the streamed form: Friedman and Dieng 2022
(arXiv 2210.02410), where it is for one batch; the passes, the features and the sample are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.measure.diversity import ORDERS, vendi_of_kernel, vendi_of_second_moment
from tamis.measure.linear import dots, gram
from tamis.vectors.tiles import TILE, matrix

__all__ = ["Moment", "Streamed", "counted_rows", "vendi_sampled", "vendi_streamed"]


@dataclass(frozen=True, slots=True)
class Streamed:
    """Vendi scores of several orders: `scores[i]` is that of `orders[i]`.

    `records` were looked at, `zeros` of the set left out as they are no direction; `exact` says
    whether it is the score itself, `told` in words how it was found.
    """

    orders: tuple[float, ...]
    scores: tuple[float, ...]
    records: int
    zeros: int
    exact: bool
    told: str


class Moment:
    """Adds up ``sum of p_i x_i x_i^T`` of unit rows; `add` takes the rows of a set in parts of any size."""

    def __init__(self, d: int) -> None:
        self.total = np.zeros((d, d))
        self.weight = 0.0
        self.records = self.zeros = 0

    def add(self, rows: ArrayLike, p: ArrayLike | None = None) -> None:
        """Add some rows (`m x d`) with their weights; rows of zeros are only counted.

        Raises
        ------
        InputError
            Rows of another width or not finite, weights below 0.
        """
        self._add(_part(np.asarray(rows, np.float64), None if p is None else np.asarray(p, np.float64)))

    def _add(self, part: tuple[NDArray[np.float64], float, int, int]) -> None:
        if part[0].shape != self.total.shape:
            raise InputError(f"vendi: expected rows {len(self.total)} wide, got {len(part[0])}.")
        self.total += part[0]
        self.weight += part[1]
        self.records += part[2]
        self.zeros += part[3]

    def vendi(self, q: float = 1.0) -> float:
        """Return the Vendi score of what was added.

        Raises
        ------
        InputError
            Nothing was, or an order below 0.
        """
        if not self.weight > 0:
            raise InputError("vendi: expected records that are not all zeros, got none.")
        return vendi_of_second_moment(self.total / self.weight, q)


def vendi_streamed(
    vectors: Any,
    orders: Sequence[float] = ORDERS,
    *,
    p: ArrayLike | None = None,
    kernel: str = "cosine",
    width: float = 1.0,
    features: int = 512,
    seed: int = 0,
    engine: Local | None = None,
) -> Streamed:
    """Return the Vendi scores of `n x d` vectors in one pass: O(n d^2) time, a few tiles of memory.

    Parameters
    ----------
    vectors : array of shape (n, d)
        May be memory-mapped. Rows of zeros are left out and counted.
    orders : sequence of float
        As `vendi` has them.
    p : array of shape (n,), optional
        Weights.
    kernel : "cosine" or "gaussian"
        "gaussian" is exp(-|a - b|^2 / (2 width^2)) of the vectors as they are.
    width : float
        Of the Gaussian, in the unit of the vectors.
    features : int
        Pairs of random features of the Gaussian; the score is at most twice their number.
    seed : int
        Of the features.
    engine : Local, optional
        Whose threads work; the result does not depend on it.

    Raises
    ------
    InputError
        No `n x d` numbers, not finite, weights of another length.
    OptionError
        Another kernel, a width or a number of features not above 0.
    """
    x = matrix(vectors)
    if kernel not in ("cosine", "gaussian"):
        raise OptionError(f"vendi, kernel: expected cosine or gaussian, got {kernel!r}; see vendi_sampled for others.")
    if not (width > 0 and features >= 1):
        raise OptionError(f"vendi: expected a width and features above 0, got {width} and {features}.")
    weights = None if p is None else np.asarray(p, np.float64)
    if weights is not None and weights.shape != (len(x),):
        raise InputError(f"vendi: expected {len(x):,} weights, one a record, got shape {weights.shape}.")
    gaussian = kernel == "gaussian"
    directions = _normals(features, x.shape[1], seed) / width if gaussian else None

    def one(start: int) -> tuple[NDArray[np.float64], float, int, int]:
        rows = np.asarray(x[start : start + TILE], np.float64)
        if directions is not None:
            if not np.isfinite(rows).all():
                raise InputError(f"vendi: expected finite vectors, got others from record {start} on.")
            angle = dots(rows, directions)
            rows = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        return _part(rows, None if weights is None else weights[start : start + TILE], start)

    moment = Moment(2 * features if gaussian else x.shape[1])
    for part in (engine or Local()).map(one, range(0, len(x), TILE)):
        moment._add(part)
    told = f"all {moment.records:,} records, in one pass"
    if gaussian:
        told += f"; Gaussian kernel of width {width:g} by {features:,} pairs of random features (an estimate)"
    scores = tuple(moment.vendi(q) for q in orders)
    return Streamed(tuple(orders), scores, moment.records, moment.zeros, not gaussian, told)


def vendi_sampled(
    items: Sequence[Any] | NDArray[Any],
    kernel: Callable[[Any], ArrayLike],
    orders: Sequence[float] = ORDERS,
    *,
    records: int = 1_000,
    keys: NDArray[np.uint64] | None = None,
    seed: int = 0,
) -> Streamed:
    """Return the Vendi scores of a counted sample of `n` items under any kernel of a list of items.

    Parameters
    ----------
    items : sequence or array
        Of any kind.
    kernel : callable
        Takes the sampled items, as a list or an array, and returns their matrix with a diagonal of ones.
    orders : sequence of float
        As `vendi` has them.
    records : int
        Size of the sample. The score depends on it: compare samples of one size.
    keys : uint64 array of shape (n, 2), optional
        Which items are sampled depends on them and the seed; default their positions.
    seed : int
        Of the sample.

    Raises
    ------
    InputError
        No items, or as `vendi_of_kernel`.
    """
    n = len(items)
    if not n or records < 1:
        raise InputError(f"vendi: expected items and a sample of at least 1, got {n} and {records}.")
    rows = counted_rows(n, records, seed, "vendi: sample", keys)
    some = items[rows] if isinstance(items, np.ndarray) else [items[i] for i in rows.tolist()]
    found = np.asarray(kernel(some), np.float64)
    told = f"a counted {len(rows):,} of {n:,} records" if len(rows) < n else f"all {n:,} records"
    return Streamed(tuple(orders), tuple(vendi_of_kernel(found, q) for q in orders), len(rows), 0, len(rows) == n, told)


def counted_rows(
    n: int, count: int, seed: int, purpose: str, keys: NDArray[np.uint64] | None = None
) -> NDArray[np.int64]:
    """Return at most `count` of `n` rows, ascending, by numbers counted from the seed and the keys (or positions)."""
    if count >= n:
        return np.arange(n, dtype=np.int64)
    if keys is None:
        keys = np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)
    order = np.argsort(uniforms(np.ascontiguousarray(keys, np.uint64), salt(seed, purpose)), kind="stable")
    return np.sort(order[:count]).astype(np.int64)


def _part(
    rows: NDArray[np.float64], p: NDArray[np.float64] | None, first: int = 0
) -> tuple[NDArray[np.float64], float, int, int]:
    """Return the weighted second moment of the unit rows, the weight, how many rows took part, how many are zero."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(length).all():
        at = int((~np.isfinite(length)).argmax())
        raise InputError(f"vendi: expected finite vectors, got others at record {first + at}.")
    told = length > 0
    weights = np.ones(len(rows)) if p is None else p
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError("vendi: expected finite weights of at least 0, got others.")
    scale = np.where(told, np.sqrt(weights) / np.where(told, length, 1.0), 0.0)
    return gram(rows * scale[:, None]), float(weights[told].sum()), int(told.sum()), int((~told).sum())


def _normals(m: int, d: int, seed: int) -> NDArray[np.float64]:
    """Return `m x d` normal numbers, each counted from the seed and its place (Box and Muller 1958)."""
    keys = np.zeros((m * d, 2), np.uint64)
    keys[:, 1] = np.arange(m * d)
    u, v = (uniforms(keys, salt(seed, f"vendi: features {part}")) for part in (1, 2))
    return np.asarray(np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * math.pi * v)).reshape(m, d)
