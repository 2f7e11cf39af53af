"""A map of vectors: the two directions in which they differ most, and the words that tell their ends.

The directions are the first two principal components (Pearson 1901). The words are ours: of those
that are neither rare nor everywhere, the ones whose records lie furthest out, in standard errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError
from tamis.measure.linear import dots, leading

__all__ = ["Plane", "plane", "telling_words"]

_WORD = re.compile(r"[^\W\d_]{3,20}")
_RAREST, _COMMONEST = 5, 0.3  # records a word must be in; share of the records it may be in


@dataclass(frozen=True, eq=False)
class Plane:
    """Two directions in a space of `d` numbers.

    Attributes
    ----------
    centre : float64 array of shape (d,)
    axes : float64 array of shape (d, 2)
        Unit columns; the largest number of each is positive, so that a map is never mirrored.
    explained : tuple of two floats
        Share of the variance in each direction.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    explained: tuple[float, float]

    def __call__(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Return the places of `n x d` vectors on the plane, `n x 2`."""
        return np.asarray((np.asarray(vectors, np.float64) - self.centre) @ self.axes)


def plane(vectors: ArrayLike) -> Plane:
    """Return the plane of the first two principal components of `n x d` vectors.

    Raises
    ------
    InputError
        No records, fewer than two numbers a record, or numbers that are not finite.
    """
    x = np.array(vectors, np.float64)
    if x.ndim != 2 or len(x) < 1 or x.shape[1] < 2 or not np.isfinite(x).all():
        raise InputError(f"plane: expected n x d finite numbers with d of at least 2, got shape {x.shape}.")
    centre = x.mean(axis=0)
    x -= centre
    spread, axes = leading(dots(x.T, x.T), 2)
    total = float((x * x).sum())
    share = (float(spread[0]) / total, float(spread[1]) / total) if total > 0 else (0.0, 0.0)
    return Plane(centre, axes, share)


def telling_words(texts: Sequence[str], places: ArrayLike, count: int = 4) -> tuple[tuple[str, ...], ...]:
    """Return up to `count` words for each end of two axes: left, right, bottom, top.

    Parameters
    ----------
    texts : sequence of str
        `n` texts.
    places : array of shape (n, 2)
        Where they lie, right and up being greater.
    count : int
        Words an end.

    Returns
    -------
    tuple of four tuples of str
        Most telling first; empty where nothing is (texts without words of letters and spaces).
    """
    at = np.asarray(places, np.float64)
    records: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for word in set(_WORD.findall(text.lower())):
            records.setdefault(word, []).append(i)
    spread = at.std(axis=0) if len(at) else np.zeros(2)
    most = _COMMONEST * len(at)
    known = sorted(word for word, rows in records.items() if _RAREST <= len(rows) <= most)
    if not known or not (spread > 0).all():
        return ((), (), (), ())
    pull = np.array([(at[records[w]] - at.mean(axis=0)).mean(axis=0) * math.sqrt(len(records[w])) for w in known])
    pull /= spread
    ends = []
    for axis in (0, 1):
        # A word that pulls along the other axis more tells that one.
        mine = np.abs(pull[:, axis]) >= np.abs(pull[:, 1 - axis])
        order = np.argsort(np.where(mine, pull[:, axis], 0.0), kind="stable")
        low = tuple(known[i] for i in order[:count] if mine[i] and pull[i, axis] < -2)
        high = tuple(known[i] for i in order[::-1][:count] if mine[i] and pull[i, axis] > 2)
        ends += [low, high]
    return tuple(ends)
