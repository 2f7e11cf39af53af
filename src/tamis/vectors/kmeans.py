"""k-means: `k` centroids, each the mean of the rows nearest to it.

Starts are k-means++ (Arthur and Vassilvitskii 2007) with the greedy choice among 2 + log k
candidates that scikit-learn makes too; iterations are Lloyd's. A centroid that loses all its rows
takes the row farthest from its own. Spherical: rows and centroids have length 1, nearest is by
cosine (Dhillon and Modha 2001). Above `train` rows a centroid, a random part is trained on, as
faiss does. Random numbers are counted, sums run in canonical order: the result depends on the
rows and the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import TILE, Tiles, in_order, matrix, zero_rows

__all__ = ["KMeans", "assign", "kmeans"]

_MOST = 1 << 18  # rows trained on, unless `k` needs more
_CHUNK = 64  # panels of centroids multiplied at a time: 1,024 centroids, 4 MB of products
_GREEDY = 1024  # centroids up to which starts are chosen among several candidates


@dataclass(frozen=True, eq=False)
class KMeans:
    """What k-means found in `n` rows.

    Attributes
    ----------
    centroids : float32 array of shape (k, d)
    labels : int32 array of shape (n,)
        The nearest centroid of each row; the lower of two equally near.
    squared : float32 array of shape (n,)
        Squared distance to it (of rows of length 1, if spherical: twice 1 - cosine).
    objective : float
        The sum of those, in float64.
    iterations : int
        Lloyd's, done.
    history : tuple of float
        The objective on the rows trained on, before each of them.
    """

    centroids: NDArray[np.float32]
    labels: NDArray[np.int32]
    squared: NDArray[np.float32]
    objective: float
    iterations: int
    history: tuple[float, ...]


def kmeans(
    x: Any,
    k: int,
    *,
    seed: int = 0,
    spherical: bool = False,
    start: str = "++",
    iterations: int = 25,
    tolerance: float = 1e-4,
    train: int = 256,
    keys: NDArray[np.uint64] | None = None,
    engine: Local | None = None,
) -> KMeans:
    """Cluster `n x d` rows into `min(k, n)` clusters.

    Parameters
    ----------
    x : array of shape (n, d)
        float16 or float32, may be memory-mapped.
    k : int
        Clusters.
    seed : int
        Decides the part trained on and the starts.
    spherical : bool
        By cosine: rows are scaled to length 1.
    start : str
        "++" or "random" (rows drawn uniformly: quicker, worse).
    iterations : int
        At most so many.
    tolerance : float
        Ends when the objective falls by less than this part of it.
    train : int
        Rows a centroid that are trained on, at most (and 262,144 in all, or 8 a centroid).
    keys : uint64 array of shape (n, 2), optional
        The records' keys; by default a hash of each row.
    engine : Local, optional
        Whose threads work; the result does not depend on it.

    Raises
    ------
    InputError
        `x` is no array of numbers, has no rows or a row that is not finite.
    BudgetError, OptionError
        `k` below 1, another `start`.
    """
    x = matrix(x)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise BudgetError(f"k-means, k: expected a whole number of at least 1, got {k!r}.")
    if start not in ("++", "random"):
        raise OptionError(f"k-means, start: expected '++' or 'random', got {start!r}.")
    if not len(x):
        raise InputError("k-means: expected at least one row, got none.")
    zero_rows(x)
    engine = engine or Local()
    k = min(int(k), len(x))
    x, keys, order = in_order(x, keys)
    draw = np.argsort(uniforms(keys, salt(seed, "k-means rows")), kind="stable")
    rows = np.sort(draw[: max(8 * k, min(train * k, _MOST))])
    sample = Tiles(x, unit=spherical).take(rows, multiple=TILE)
    n = len(rows)
    if start == "random":
        starts = np.flatnonzero(np.isin(rows, draw[:k]))
    else:
        among = np.flatnonzero(np.isin(rows, draw[: max(4096, 16 * k)]))
        starts = among[_plus_plus(sample[among], k, seed)]
    centroids, history = _lloyd(sample, n, sample[starts], spherical, iterations, tolerance, engine)
    labels, squared, objective = assign(x, centroids, unit=spherical, engine=engine)
    if order is not None:
        labels[order], squared[order] = labels.copy(), squared.copy()
    return KMeans(centroids, labels, squared, objective, len(history), tuple(history))


def assign(
    x: NDArray[Any], centroids: NDArray[np.float32], *, unit: bool = False, engine: Local | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32], float]:
    """Return the nearest centroid of each of `n` rows, the squared distances, and their sum."""
    tiles = Tiles(x, unit=unit)
    labels, squared = np.empty(len(x), np.int32), np.empty(len(x), np.float32)
    nearest = _nearest_of(centroids, unit)
    objective = 0.0

    def one(i: int) -> tuple[int, NDArray[np.int32], NDArray[np.float64]]:
        block = tiles.tile(i)
        found = nearest(block)
        return i, found, _squared(block, found, centroids)

    for i, found, distances in (engine or Local()).map(one, range(len(tiles))):
        begin, end = tiles.span(i)
        labels[begin:end], squared[begin:end] = found[: end - begin], distances[: end - begin]
        objective += float(distances[: end - begin].sum())
    return labels, squared, objective


def _nearest_of(centroids: NDArray[np.float32], spherical: bool) -> Callable[[NDArray[np.float32]], NDArray[np.int32]]:
    """Return the function from a tile to the nearest centroid of each of its rows.

    |x - c|^2 is least where x . c - |c|^2 / 2 is largest.
    """
    panels = pack(centroids)
    half = np.full(len(panels) * LANES, np.inf)  # what fills up the last panel is never nearest
    half[: len(centroids)] = 0.0 if spherical else (centroids.astype(np.float64) ** 2).sum(axis=1) / 2
    half = half.astype(np.float32)

    def nearest(block: NDArray[np.float32]) -> NDArray[np.int32]:
        labels, best = np.zeros(len(block), np.int32), np.full(len(block), -np.inf, np.float32)
        for first in range(0, len(panels), _CHUNK):
            part = panels[first : first + _CHUNK]
            scores = np.empty((len(block), len(part) * LANES), np.float32)
            products(block, part, scores)
            _keep_best(scores, half[first * LANES :], first * LANES, labels, best)
        return labels

    return nearest


@njit(nogil=True, cache=True)
def _keep_best(
    scores: NDArray[np.float32],
    half: NDArray[np.float32],
    first: int,
    labels: NDArray[np.int32],
    best: NDArray[np.float32],
) -> None:
    """Keep the largest of `scores - half` of each row, the first of several."""
    for i in range(len(scores)):
        for j in range(scores.shape[1]):
            score = scores[i, j] - half[j]
            if score > best[i]:
                best[i], labels[i] = score, first + j


@njit(nogil=True, cache=True)
def _squared(
    block: NDArray[np.float32], labels: NDArray[np.int32], centroids: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the squared distance of each row to its centroid."""
    out = np.zeros(len(block))
    for i in range(len(block)):
        total = 0.0
        for j in range(block.shape[1]):
            apart = np.float64(block[i, j]) - np.float64(centroids[labels[i], j])
            total += apart * apart
        out[i] = total
    return out


@njit(nogil=True, cache=True)
def _add_up(
    block: NDArray[np.float32], n: int, labels: NDArray[np.int32], sums: NDArray[np.float64], counts: NDArray[np.int64]
) -> None:
    """Add the first `n` rows to the sums of their clusters."""
    for i in range(n):
        counts[labels[i]] += 1
        for j in range(block.shape[1]):
            sums[labels[i], j] += block[i, j]


def _lloyd(
    sample: NDArray[np.float32],
    n: int,
    centroids: NDArray[np.float32],
    spherical: bool,
    iterations: int,
    tolerance: float,
    engine: Local,
) -> tuple[NDArray[np.float32], list[float]]:
    """Return the centroids after at most `iterations`, and the objective before each.

    `sample` holds `n` rows and is filled up to whole tiles.
    """
    history: list[float] = []
    for _ in range(iterations):
        nearest = _nearest_of(centroids, spherical)
        sums, counts = np.zeros(centroids.shape, np.float64), np.zeros(len(centroids), np.int64)
        labels, squared = np.empty(len(sample), np.int32), np.empty(len(sample))

        def one(start: int, nearest: Any = nearest, c: Any = centroids) -> tuple[int, Any, Any]:
            block = sample[start : start + TILE]
            found = nearest(block)
            return start, found, _squared(block, found, c)

        for start, found, distances in engine.map(one, range(0, len(sample), TILE)):
            labels[start : start + TILE], squared[start : start + TILE] = found, distances
            _add_up(sample[start : start + TILE], min(TILE, n - start), found, sums, counts)
        history.append(float(squared[:n].sum()))
        _refill(sample, labels[:n], squared[:n], sums, counts)
        means = sums / np.maximum(counts, 1)[:, None]
        if spherical:
            lengths = np.sqrt((means**2).sum(axis=1, keepdims=True))
            means = np.divide(means, lengths, out=means, where=lengths > 0)
        kept = counts > 0
        centroids = np.where(kept[:, None], means, centroids).astype(np.float32)
        if len(history) > 1 and history[-2] - history[-1] <= tolerance * history[-1]:
            break
    return centroids, history


def _refill(
    sample: NDArray[np.float32],
    labels: NDArray[np.int32],
    squared: NDArray[np.float64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Give each empty cluster the row farthest from its centroid, of a cluster that keeps another."""
    empty = np.flatnonzero(counts == 0)
    if not len(empty):
        return
    farthest = iter(np.argsort(-squared, kind="stable").tolist())
    for cluster in empty.tolist():
        row = next((row for row in farthest if squared[row] > 0 and counts[labels[row]] > 1), None)
        if row is None:  # no more distinct rows than clusters
            return
        sums[labels[row]] -= sample[row]
        counts[labels[row]] -= 1
        sums[cluster], counts[cluster] = sample[row], 1


def _plus_plus(rows: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:
    """Return `k` of `n` rows to start from, each far from those before."""
    n = len(rows)
    tries = 2 + int(math.log(k)) if k <= _GREEDY else 1
    numbers = np.stack([np.repeat(np.arange(k), LANES), np.tile(np.arange(LANES), k)], axis=1).astype(np.uint64)
    chance = uniforms(numbers, salt(seed, "k-means starts")).reshape(k, LANES)[:, :tries]
    padded = np.zeros((-(-n // 6) * 6, rows.shape[1]), np.float32)
    padded[:n] = rows
    norms = (padded.astype(np.float64) ** 2).sum(axis=1)[:n]
    chosen = np.empty(k, np.int64)
    chosen[0] = int(chance[0, 0] * n)
    scores = np.empty((len(padded), LANES), np.float32)
    near = _distances(padded, norms, chosen[:1], scores)[:, 0].copy()
    for t in range(1, k):
        reach = np.cumsum(near)
        if reach[-1] > 0:
            found = np.minimum(np.searchsorted(reach, chance[t] * reach[-1], side="right"), n - 1)
        else:  # all rows lie on centroids already
            found = (chance[t] * n).astype(np.int64)
        apart = np.minimum(_distances(padded, norms, found, scores), near[:, None])
        best = int(np.argmin(apart.sum(axis=0)))
        chosen[t], near = found[best], apart[:, best].copy()
    return chosen


def _distances(
    padded: NDArray[np.float32], norms: NDArray[np.float64], to: NDArray[np.int64], scores: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the squared distances of all rows to a few of them, `n x len(to)`; 0 to themselves."""
    products(padded, pack(padded[to]), scores)
    apart = norms[:, None] + norms[to] - 2.0 * scores[: len(norms), : len(to)]
    out: NDArray[np.float64] = np.maximum(apart, 0.0)
    out[to, np.arange(len(to))] = 0.0
    return out
