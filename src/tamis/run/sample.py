"""What deduplication missed, measured on the user's own records.

A plain sample of a large pool holds next to none of its similar pairs. This one takes records by
their mark, the least shingle hash under a permutation that the signatures know nothing of: two
texts of similarity `s` share a mark with probability `s`, so a sample of a share `f` of the marks
holds a share of about ``f s`` of the pairs instead of `f` squared. Among the sampled records all
similar pairs are found exactly, without bands, and each weighs ``1 / s`` to make up for that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.identity import Ids
from tamis.kernels.clusters import exact_pairs
from tamis.kernels.hashing import salt, uniforms
from tamis.kernels.minhash import jaccard
from tamis.run.banding import Hashes, Sets

__all__ = ["confirmed", "interval", "measure", "sampled"]

_Z = 1.959963984540054


def sampled(mark: NDArray[np.uint32], ids: Ids, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return positions in `rows` of at most `count` records, mark by mark, whatever the order of the input.

    `mark` and `ids` are of all `n` records.
    """
    words = np.zeros((len(rows), 2), np.uint64)
    words[:, 0] = mark[rows]
    keys = ids.keys[rows]
    order = np.lexsort((keys[:, 1], keys[:, 0], uniforms(words, salt(0, "duplicates sampled by mark"))))
    return np.asarray(order[:count], np.int64)


def measure(
    picked: NDArray[np.int64],
    sets: Sets,
    hashes: Hashes,
    mark: NDArray[np.uint32],
    threshold: float,
    removed: NDArray[np.bool_],
) -> dict[str, Any] | None:
    """Return how many similar pairs of the sample became candidates, and how many stay.

    Parameters
    ----------
    picked : int64 array of shape (k,)
        Positions of the sampled records.
    sets, hashes : Sets, Hashes
        Shingles and band hashes by position.
    mark, removed : arrays of shape (m,)
        By position.
    threshold : float
        Similarity from which pairs count.

    Returns
    -------
    dict or None
        `records`, `pairs` at or above the threshold, `recall` (None without pairs) with `low` and
        `high` (95 %), and `both_stay` (pairs of which neither goes). None without a sample.
    """
    pairs, similarity, complete = np.empty((0, 2), np.int32), np.empty(0), False
    while len(picked):
        pairs, similarity, complete = exact_pairs(*sets.take(picked), threshold)
        if complete:
            break
        picked = picked[: len(picked) // 2]  # so many pairs that half the records tell enough
    if not len(picked):
        return None
    first, second = picked[pairs[:, 0]], picked[pairs[:, 1]]
    told: dict[str, Any] = {"records": len(picked), "pairs": len(pairs), "recall": None, "low": None, "high": None}
    told["both_stay"] = int((~removed[first] & ~removed[second]).sum())
    if len(pairs):
        bands = hashes.at(picked)
        found = np.zeros(len(pairs), np.bool_)
        for band in bands:
            found |= band[pairs[:, 0]] == band[pairs[:, 1]]
        told["recall"], told["low"], told["high"] = interval(found, 1.0 / similarity, mark[first])
    return told


def confirmed(sets: Sets, first: NDArray[np.int64], second: NDArray[np.int64], threshold: float) -> float | None:
    """Return the share of pairs of positions whose sets are at or above the threshold; None without pairs."""
    spans = sets.spans
    held = [
        jaccard(sets.values, *spans[a].tolist(), *spans[b].tolist(), threshold, 0) >= 0
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return sum(held) / len(held) if held else None


def interval(
    found: NDArray[np.bool_], weight: NDArray[np.float64], group: NDArray[np.uint32]
) -> tuple[float, float, float]:
    """Return the weighted share of `found` among `k` pairs, and the ends of its 95 % interval.

    Pairs of one group are no independent witnesses. The variance of the share over the groups says
    how many there are in effect (at least where it is not 0; else every group is one), and with
    that number the interval is Wilson's.
    """
    _, number = np.unique(group, return_inverse=True)
    total = np.bincount(number, weight)
    hit = np.bincount(number, weight * found)
    share = float(hit.sum() / total.sum())
    variance = float(((hit - share * total) ** 2).sum() / total.sum() ** 2)
    groups = float(total.sum() ** 2 / (total**2).sum())
    count = min(share * (1.0 - share) / variance, float(len(found))) if variance > 0 else groups
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return share, max(0.0, middle - half), min(1.0, middle + half)
