"""The measures: what can be said of sets of records without training a model on them.

Each function takes arrays of the pool and sets of rows, and returns one figure a set. All sets are
treated alike; where something is fixed first (a radius, texts held out), it is fixed without
looking at any of the sets. NaN stands where a set has nothing to measure.

Sources: KL divergence and its reduction of DSIR (Xie et al. 2023, arXiv 2302.03169); Vendi score
(Friedman and Dieng 2022, arXiv 2210.02410); coverage within a radius as in Zheng et al. 2023,
"Coverage-centric Coreset Selection" (arXiv 2210.15809); near-duplicates by the Jaccard similarity of
shingles (Broder 1997). The radius, and what is held out of training, are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.kernels.hashing import hash_spans
from tamis.kernels.minhash import jaccard
from tamis.measure.divergence import counts_in, kl_divergence
from tamis.measure.diversity import vendi
from tamis.signals.language_model import train
from tamis.vectors.products import LANES, pack, products
from tamis.vectors.tiles import Tiles, zero_rows

__all__ = ["coverage", "imbalance", "median_of", "near_duplicates", "nearest", "surprise", "target_distance", "variety"]

Sets = Sequence[NDArray[np.int64]]
Each = Callable[..., Iterable[Any]]
_NAN = float("nan")


def target_distance(
    aim: NDArray[np.int64], parts: Iterable[tuple[int, NDArray[np.uint16], NDArray[np.int64]]], sets: Sets
) -> list[float]:
    """Return KL(target || set) in nats of each set (ascending rows), on hashed n-grams as DSIR defines it.

    `aim` holds the target's count of each bucket, `parts` the pool's buckets as in `measure.divergence.counts_in`.
    """
    counts = counts_in(parts, sets, len(aim))
    return [kl_divergence(aim, count) if aim.any() and count.any() else _NAN for count in counts]


def surprise(texts: Text, sets: Sets, asked: Text, each: Each = map) -> list[float]:
    """Return the bits per byte of the `asked` texts under an n-gram model trained on each set of `texts`.

    Out of fold: a text that is, byte for byte, among the asked ones is left out of every training.
    """
    known = np.isin(_marks(texts), _marks(asked)) | (np.diff(texts.offsets) == 0)
    size = int(asked.offsets[-1] - asked.offsets[0])

    def one(rows: NDArray[np.int64]) -> float:
        learned = np.sort(rows[~known[rows]])
        if not len(learned) or not size:
            return _NAN
        return float(train([(texts, learned)]).score(asked).bits.sum()) / size

    return list(each(one, sets))


def coverage(
    vectors: NDArray[Any], pool: NDArray[np.int64], sets: Sets, reference: NDArray[np.int64], engine: Local
) -> tuple[dict[str, list[float]], float]:
    """Return how near each set comes to the records of the pool.

    Parameters
    ----------
    vectors : array of shape (n, d)
        Rows of zeros take no part.
    pool : int64 array
        Rows that are to be covered.
    sets : sequence of int64 arrays
        Rows of each set.
    reference : int64 array
        A random selection that is not among the sets: the radius is the median distance of the pool to it.
    engine : Local
        Whose threads work; the result does not depend on it.

    Returns
    -------
    figures : dict
        `coverage` (share of the pool within the radius of a record of the set), `nearest` (mean distance, 1 -
        cosine), `radius_95` and `radius` (its 95 % quantile, and the largest).
    radius : float
    """
    told = ~zero_rows(vectors)
    asked = vectors[pool[told[pool]]]
    apart = [nearest(asked, vectors[rows[told[rows]]], engine) for rows in (reference, *sets)]
    if not len(asked) or not all(map(len, apart)):
        return {}, _NAN
    radius = float(np.median(apart[0]))
    found = apart[1:]
    figures = {
        "coverage": [float((one <= radius).mean()) for one in found],
        "nearest": [float(one.mean(dtype=np.float64)) for one in found],
        "radius_95": [float(np.quantile(one, 0.95)) for one in found],
        "radius": [float(one.max()) for one in found],
    }
    return figures, radius


def nearest(asked: NDArray[Any], chosen: NDArray[Any], engine: Local) -> NDArray[np.float32]:
    """Return the distance (1 - cosine) of each of `m` vectors to its nearest of `k`; none for `k` = 0."""
    if not len(chosen):
        return np.empty(0, np.float32)
    panels = [pack(tiles) for tiles in _unit_tiles(chosen)]
    queries, k = Tiles(asked, unit=True), len(chosen)

    def one(i: int) -> NDArray[np.float32]:
        start, stop = queries.span(i)
        block = queries.take(np.arange(start, stop))
        best = np.full(stop - start, -np.inf, np.float32)
        left = k
        for some in panels:
            scores = np.empty((len(block), len(some) * LANES), np.float32)
            products(block, some, scores)
            best = np.maximum(best, scores[: stop - start, : min(left, scores.shape[1])].max(axis=1))
            left -= scores.shape[1]
        return best

    found = list(engine.map(one, range(len(queries))))
    near = np.concatenate(found) if found else np.empty(0, np.float32)
    apart = np.float32(1) - near
    return np.where(apart < 1e-6, np.float32(0), apart)  # what rounding leaves between equal vectors


def _unit_tiles(x: NDArray[Any]) -> Iterable[NDArray[np.float32]]:
    """Yield rows of length 1, a tile at a time; the last tile is as long as it has rows, in whole panels."""
    tiles = Tiles(x, unit=True)
    for i in range(len(tiles)):
        yield tiles.take(np.arange(*tiles.span(i)), LANES)


def variety(vectors: NDArray[Any], sets: Sets, each: Each = map) -> list[float]:
    """Return the Vendi score of each set's vectors (`n x d`; rows of zeros take no part)."""
    told = ~zero_rows(vectors)

    def one(rows: NDArray[np.int64]) -> float:
        mine = rows[told[rows]]
        return vendi(vectors[mine]) if len(mine) else _NAN

    return list(each(one, sets))


def near_duplicates(
    group: NDArray[np.int64],
    values: NDArray[np.uint64],
    spans: NDArray[np.int64],
    sets: Sets,
    least: float = 0.8,
    each: Each = map,
) -> list[float]:
    """Return the share of each set's records that have another of the set at Jaccard similarity `least` or above.

    Parameters
    ----------
    group : int64 array of shape (n,)
        Records of different groups are not compared; -1: compared with none.
    values, spans : arrays of shape (any,) and (n, 2)
        Shingles of record `i`: ``values[spans[i, 0]:spans[i, 1]]``, ascending; read where a group has two of a set.
    sets : sequence of int64 arrays
        Rows of each set.
    least : float
        Above 0, at most 1.
    each : callable
        `map` of an engine.
    """

    def one(rows: NDArray[np.int64]) -> float:
        if not len(rows):
            return _NAN
        mine = rows[group[rows] >= 0]
        mine = mine[np.lexsort((mine, group[mine]))]
        return int(_with_another(mine, group, values, spans, least)) / len(rows)

    return list(each(one, sets))


@njit(nogil=True, cache=True)
def _with_another(
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    values: NDArray[np.uint64],
    spans: NDArray[np.int64],
    least: float,
) -> int:
    """Count the rows, sorted by group, that have a similar one in their group."""
    found = np.zeros(len(rows), np.bool_)
    first = 0
    for i in range(len(rows)):
        if group[rows[i]] != group[rows[first]]:
            first = i
        for j in range(i - 1, first - 1, -1):
            if found[i] and found[j]:
                continue
            a, b = spans[rows[i]], spans[rows[j]]
            if jaccard(values, a[0], a[1], b[0], b[1], least, 0) >= 0.0:
                found[i] = found[j] = True
    return int(np.count_nonzero(found))


def imbalance(codes: NDArray[np.int32], pool: NDArray[np.int64], sets: Sets) -> list[float]:
    """Return the total variation (0 to 1) between the shares of the pool's groups and those of each set."""
    width = int(codes.max(initial=-1)) + 1
    shares = np.bincount(codes[pool], minlength=width) / max(len(pool), 1)
    return [
        float(np.abs(np.bincount(codes[rows], minlength=width) / len(rows) - shares).sum() / 2) if len(rows) else _NAN
        for rows in sets
    ]


def median_of(values: NDArray[Any], sets: Sets) -> list[float]:
    """Return the median value of each set."""
    return [float(np.median(values[rows])) if len(rows) else _NAN for rows in sets]


def _marks(texts: Text) -> NDArray[np.uint64]:
    """Return a hash of each text."""
    return np.asarray(hash_spans(texts.data, texts.offsets[:-1], texts.offsets[1:], np.uint64(0))[:, 0])
