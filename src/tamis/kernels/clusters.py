"""From equal band hashes to groups of near-duplicates: buckets, the greedy pass, union-find.

Everything here numbers records by their place in the visiting order, so "first" means first
visited and results do not depend on how rows came in. Nothing is quadratic in a group of alike
records: the greedy pass compares a record with those before it that *stay*, and `connect` skips
what is connected already and looks back `BACK` records in a bucket at most.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.minhash import jaccard

__all__ = ["BACK", "FIXED", "FREE", "PROBE", "buckets", "components", "connect", "exact_pairs", "settle", "unite"]

FREE, FIXED, PROBE = 0, 1, 2
"""What may become of a record: decided by the pass; stays whatever it is like; is only looked up."""

BACK = 64
"""How many of the records of a bucket that went before it `connect` compares one with: the last ones."""


def buckets(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int32], int]:
    """Return for each of `m` hashes of one band the number of its bucket, -1 for one that is alone.

    Also returned: how many buckets there are. They are numbered in the order of their hashes.
    """
    order = np.argsort(hashes)
    ordered = hashes[order]
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    alone = fresh.copy()
    alone[:-1] &= fresh[1:]
    number = np.cumsum(fresh & ~alone) - 1
    found = np.empty(len(hashes), np.int32)
    found[order] = np.where(alone, -1, number)
    return found, int(number[-1]) + 1 if len(number) else 0


@njit(nogil=True, cache=True)
def _find(parent: NDArray[np.int32], x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(nogil=True, cache=True)
def unite(parent: NDArray[np.int32], x: int, y: int) -> bool:
    """Join the groups of `x` and `y` under the lesser root; tell whether they were apart.

    `parent` starts as 0, 1, 2, ...; the root of a group is always its least member.
    """
    x, y = _find(parent, x), _find(parent, y)
    if x == y:
        return False
    parent[max(x, y)] = min(x, y)
    return True


@njit(nogil=True, cache=True)
def components(parent: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the least member of the group of each of `m` members."""
    out = np.empty(len(parent), np.int32)
    for x in range(len(parent)):
        out[x] = _find(parent, x)
    return out


@njit(nogil=True, cache=True)
def _starts(bucket: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return where the members of each bucket start, in a list of all of them (`count + 1`)."""
    starts = np.zeros(count + 1, np.int64)
    for j in range(bucket.shape[0]):
        for v in range(bucket.shape[1]):
            if bucket[j, v] >= 0:
                starts[bucket[j, v] + 1] += 1
    return np.cumsum(starts)


@njit(nogil=True, cache=True)
def settle(
    bucket: NDArray[np.int32],
    count: int,
    role: NDArray[np.uint8],
    values: NDArray[np.uint64],
    spans: NDArray[np.int64],
    least: float,
    places: int,
    limit: int,
    parent: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Decide which of `m` records stay, in visiting order.

    A record goes when its similarity to one that was visited before it, stays, and shares a
    bucket with it is at least `least`; of several it names the most similar, of those the first.

    Parameters
    ----------
    bucket : int32 array of shape (bands, m)
        Bucket of each record in each band, numbered over all bands; -1 for none.
    count : int
        Buckets in all.
    role : uint8 array of shape (m,)
        `FREE`, `FIXED` (stays) or `PROBE` (compared with others, never they with it).
    values, spans : arrays of shape (any,) and (m, 2)
        Set (or signature) of record `v`: ``values[spans[v, 0]:spans[v, 1]]``, ascending.
    least, places : float, int
        As in `jaccard`.
    limit : int
        A record is compared with this many others at most, those of its smallest buckets first:
        texts that are alike share rare buckets too, texts of one template only the crowded ones.
    parent : int32 array of shape (m,)
        Groups, to which the similar pairs found are added.

    Returns
    -------
    neighbour : int32 array of shape (m,)
        The record because of which each one goes; -1 for those that stay.
    similarity : float64 array of shape (m,)
        To the neighbour; NaN where there is none.
    told : int64 array of shape (3,)
        Pairs compared, pairs at or above `least`, records that met the limit.
    """
    bands, m = bucket.shape
    starts = _starts(bucket, count)
    members = np.empty(starts[count], np.int32)
    filled = np.zeros(count, np.int32)
    seen = np.full(m, -1, np.int32)
    mine = np.empty(bands, np.int32)
    neighbour = np.full(m, -1, np.int32)
    similarity = np.full(m, np.nan, np.float64)
    told = np.zeros(3, np.int64)
    for v in range(m):
        near, best, left = -1, -1.0, limit
        for g in mine[: _smallest_first(bucket, v, filled, mine) if role[v] != FIXED else 0]:
            for q in range(starts[g], starts[g] + filled[g]):
                u = members[q]
                if seen[u] == v:
                    continue
                if left == 0:
                    break
                left -= 1
                seen[u] = v
                s = jaccard(values, spans[u, 0], spans[u, 1], spans[v, 0], spans[v, 1], least, places)
                if s < 0.0:
                    continue
                told[1] += 1
                unite(parent, u, v)
                if s > best or (s == best and u < near):
                    near, best = u, s
        told[0] += limit - left
        told[2] += left == 0
        if near >= 0:
            neighbour[v] = near
            similarity[v] = best
        elif role[v] != PROBE:
            for j in range(bands):
                g = bucket[j, v]
                if g >= 0:
                    members[starts[g] + filled[g]] = v
                    filled[g] += 1
    return neighbour, similarity, told


@njit(nogil=True, cache=True)
def _smallest_first(bucket: NDArray[np.int32], v: int, filled: NDArray[np.int32], mine: NDArray[np.int32]) -> int:
    """Fill `mine` with the buckets of `v` that hold something, the least filled first; return how many."""
    k = 0
    for j in range(bucket.shape[0]):
        g = bucket[j, v]
        if g < 0 or filled[g] == 0:
            continue
        at = k
        while at > 0 and filled[mine[at - 1]] > filled[g]:
            mine[at] = mine[at - 1]
            at -= 1
        mine[at] = g
        k += 1
    return k


@njit(nogil=True, cache=True)
def connect(
    bucket: NDArray[np.int32],
    count: int,
    values: NDArray[np.uint64],
    spans: NDArray[np.int64],
    least: float,
    places: int,
    neighbour: NDArray[np.int32],
    parent: NDArray[np.int32],
) -> int:
    """Join in `parent` what `settle` left apart though it is similar and shares a bucket; return the pairs compared.

    Parameters as in `settle`, `neighbour` as it returned it. It compared each record with those
    before it that stay; left are those before it that go. Pairs connected already are not compared.
    """
    starts = _starts(bucket, count)
    members = np.empty(starts[count], np.int32)
    filled = np.zeros(count, np.int32)
    compared = 0
    for j in range(bucket.shape[0]):
        for v in range(bucket.shape[1]):
            g = bucket[j, v]
            if g < 0:
                continue
            end = starts[g] + filled[g]
            root = _find(parent, v)
            for q in range(max(starts[g], end - BACK), end):
                u = members[q]
                if _find(parent, u) == root:
                    continue
                compared += 1
                if jaccard(values, spans[u, 0], spans[u, 1], spans[v, 0], spans[v, 1], least, places) >= 0.0:
                    unite(parent, u, v)
                    root = _find(parent, v)
            if neighbour[v] >= 0:
                members[end] = v
                filled[g] += 1
    return compared


@njit(nogil=True, cache=True)
def _joined(
    tokens: NDArray[np.uint64], offsets: NDArray[np.int64], kinds: int, least: float, limit: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], bool]:
    """Return the pairs of `exact_pairs` for sets of ascending size whose tokens are numbered rare first."""
    m = len(offsets) - 1
    head = np.full(kinds, -1, np.int64)  # of a list of the sets with a token in their prefix, last first
    behind = np.empty(offsets[m], np.int64)
    owner = np.empty(offsets[m], np.int32)
    seen = np.full(m, -1, np.int32)
    pairs = np.empty((limit, 2), np.int32)
    similarity = np.empty(limit, np.float64)
    k, entries, work = 0, 0, 0
    for v in range(m):
        size = offsets[v + 1] - offsets[v]
        if size == 0:
            continue
        smallest = least * size - 1e-9
        prefix = size - np.int64(np.ceil(smallest)) + 1
        for q in range(offsets[v], offsets[v] + min(prefix, size)):
            entry = head[tokens[q]]
            while entry >= 0:
                u = owner[entry]
                if offsets[u + 1] - offsets[u] < smallest:
                    break
                entry = behind[entry]
                work += 1
                if seen[u] == v:
                    continue
                seen[u] = v
                s = jaccard(tokens, offsets[u], offsets[u + 1], offsets[v], offsets[v + 1], least, 0)
                if s >= 0.0:
                    if k == limit:
                        return pairs[:k], similarity[:k], False
                    pairs[k, 0], pairs[k, 1] = u, v
                    similarity[k] = s
                    k += 1
            if work > 100 * limit:
                return pairs[:k], similarity[:k], False
            behind[entries] = head[tokens[q]]
            owner[entries] = v
            head[tokens[q]] = entries
            entries += 1
    return pairs[:k], similarity[:k], True


def exact_pairs(
    values: NDArray[np.uint64], offsets: NDArray[np.int64], least: float, limit: int = 200_000
) -> tuple[NDArray[np.int32], NDArray[np.float64], bool]:
    """Return all pairs of `m` sets whose Jaccard similarity is at least `least` > 0, without any hashing to bands.

    Set `v` is ``values[offsets[v]:offsets[v + 1]]``, ascending. Sets as similar as that share one of
    the first ``size - ceil(least size) + 1`` values of either, whatever the order of all values;
    with rare values first few pairs share one, and each of those is compared. (All-Pairs: Bayardo,
    Ma, Srikant 2007.)

    Returns
    -------
    pairs : int32 array of shape (k, 2)
        Lesser number first, ascending.
    similarity : float64 array of shape (k,)
        Of each pair.
    complete : bool
        False where there were more than `limit` pairs (or a hundred times as many to look at).
    """
    m = len(offsets) - 1
    _, kind, often = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.empty(len(often), np.uint64)
    rank[np.argsort(often, kind="stable")] = np.arange(len(often), dtype=np.uint64)
    sizes = np.diff(offsets)
    by_size = np.argsort(sizes, kind="stable")
    bounds = np.zeros(m + 1, np.int64)
    np.cumsum(sizes[by_size], out=bounds[1:])
    tokens = _gathered(rank[kind.reshape(-1)], offsets, by_size, bounds)
    found, similarity, complete = _joined(tokens, bounds, len(often), least, limit)
    pairs = np.sort(by_size[found].astype(np.int32), axis=1) if len(found) else found
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], similarity[order], bool(complete)


@njit(nogil=True, cache=True)
def _gathered(
    values: NDArray[np.uint64], offsets: NDArray[np.int64], rows: NDArray[np.int64], bounds: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return the sets of `rows` one after the other, each ascending."""
    out = np.empty(bounds[-1], np.uint64)
    for i in range(len(rows)):
        out[bounds[i] : bounds[i + 1]] = np.sort(values[offsets[rows[i]] : offsets[rows[i] + 1]])
    return out
