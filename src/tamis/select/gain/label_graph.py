"""A graph over labels, and what of it each record covers.

Source: MIG (2025). Labels whose vectors have a cosine of at least a threshold are joined, by that cosine `W_pq`;
`W_pp` is 1. What a record gives to label `q` reaches `p` by the share A_pq = a W_pq / (W_pp + a sum of W_pk over
others k), and stays at `q` = `p` by 1 / (the same). Each receiver's shares add up to 1.

(For a = 1, the published value, that is the paper's matrix. For others its diagonal is multiplied by a as well, so
that at 0 nothing is left; here labels are then on their own.) All is sparse: a record's row has the labels it
reaches and no others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.given.labels import Labels
from tamis.vectors.kmeans import kmeans
from tamis.vectors.products import pack, products
from tamis.vectors.tiles import Tiles, subset, zero_rows

__all__ = ["Links", "Reach", "alike", "clustered", "given", "reach"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_BYTES = 12  # of a label that a record reaches


@dataclass(frozen=True, eq=False)
class Links:
    """Edges of `m` labels, both ways: those of `p` are `to[starts[p]:starts[p + 1]]`, ascending, with `weight`."""

    starts: _Ints
    to: NDArray[np.int32]
    weight: _Floats

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, eq=False)
class Reach:
    """What `n` records give to labels.

    Record `i` gives `worth[i] * mass[t]` to `to[t]`, for `t` from `starts[way[i]]` up to `starts[way[i] + 1]`: records
    with one label each share what that label reaches; others have a way of their own and a worth of 1. A way of -1
    gives nothing.
    """

    starts: _Ints
    to: NDArray[np.int32]
    mass: _Floats
    way: NDArray[np.int32]
    worth: _Floats

    def __len__(self) -> int:
        return len(self.way)


def alike(x: NDArray[Any], threshold: float) -> Links:
    """Return the edges of `m` labels with vectors `x` (`m x d`): cosines of at least `threshold`.

    A label whose vector is zeros has none. All pairs are looked at.
    """
    zero_rows(x, "vectors of labels")
    tiles = Tiles(x, unit=True)
    pairs = [(i, j) for i in range(len(tiles)) for j in range(i, len(tiles))]

    def near(pair: tuple[int, int]) -> tuple[_Ints, _Ints, NDArray[np.float32]]:
        (first, end), (second, stop) = tiles.span(pair[0]), tiles.span(pair[1])
        block = tiles.tile(pair[0])
        scores = np.empty((len(block), len(block)), np.float32)
        products(block, pack(tiles.tile(pair[1])), scores)
        inside = scores[: end - first, : stop - second]
        p, q = np.nonzero(inside >= np.float32(threshold))
        cosine = inside[p, q]
        p, q = p + first, q + second
        return p[p < q], q[p < q], cosine[p < q]

    found = list(Local().map(near, pairs))
    empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    p, q, cosine = (np.concatenate(parts) for parts in zip(empty, *found, strict=True))
    return _both_ways(p, q, np.minimum(cosine.astype(np.float64), 1.0), len(x))


def clustered(x: NDArray[Any], count: int | None, keys: NDArray[np.uint64], seed: int) -> tuple[Labels, NDArray[Any]]:
    """Return clusters of `x` (`n x d`) as labels, one a record, and their vectors; zeros are in none.

    `count` clusters, by default the square root of the number of vectors; `keys` (`n x 2`) and `seed` as `kmeans`.
    """
    zero = zero_rows(x)
    rows = np.flatnonzero(~zero)
    if not len(rows):
        return Labels.of([None] * len(x)), np.empty((0, 1), np.float32)
    found = kmeans(
        subset(x, rows), count or max(1, round(len(rows) ** 0.5)), seed=seed, spherical=True, keys=keys[rows]
    )
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(~zero)])
    names = tuple(f"cluster {i}" for i in range(len(found.centroids)))
    return Labels(offsets, found.labels, names), found.centroids


def given(similarity: Any, m: int, threshold: float) -> Links:
    """Return the edges of a symmetric `m x m` matrix of similarities, those of at least `threshold`.

    Raises
    ------
    InputError
        Another shape, numbers below 0 or not finite, no symmetry.
    """
    w = np.asarray(similarity, np.float64)
    if w.shape != (m, m):
        raise InputError(f"similarity: expected {m} x {m} numbers, a row a label in sorted order, got {w.shape}.")
    wrong = ~(np.isfinite(w) & (w >= 0))
    if wrong.any() or not np.array_equal(w, w.T):
        p, q = np.argwhere(wrong if wrong.any() else w != w.T)[0]
        raise InputError(
            f"similarity: expected finite numbers of at least 0, the same both ways, got {w[p, q]:g} for labels {p}"
            f" and {q}, {w[q, p]:g} the other way."
        )
    p, q = np.nonzero(np.triu((w >= threshold) & (w > 0), 1))
    return _both_ways(p, q, w[p, q], m)


def _both_ways(p: _Ints, q: _Ints, weight: _Floats, m: int) -> Links:
    out, to = np.concatenate([p, q]), np.concatenate([q, p])
    order = np.lexsort((to, out))
    starts = np.zeros(m + 1, np.int64)
    np.cumsum(np.bincount(out, minlength=m), out=starts[1:])
    return Links(starts, to[order].astype(np.int32), np.concatenate([weight, weight])[order])


def reach(labels: Labels, worth: _Floats, links: Links, spread: float, room: int = 6 << 30) -> Reach:
    """Return what each of `n` records gives: `worth[i]` for each of its labels, passed on along `links`.

    `spread` is `a`; records of worth 0 give nothing. `room` is how many bytes the answer may take: it is counted first.

    Raises
    ------
    OptionError
        The records reach more labels than `room` holds.
    """
    if (labels.sizes() <= 1).all():
        way = np.full(len(labels), -1, np.int32)
        way[labels.sizes() == 1] = labels.codes
        alone = Labels(np.arange(len(links) + 1), np.arange(len(links), dtype=np.int32), labels.names)
        return replace(_reach(alone, np.ones(len(links)), links, spread, room), way=way, worth=np.maximum(worth, 0.0))
    return _reach(labels, worth, links, spread, room)


def _reach(labels: Labels, worth: _Floats, links: Links, spread: float, room: int) -> Reach:
    """Return what each record gives, a way for each."""
    total = np.ones(len(links))
    np.add.at(total, np.repeat(np.arange(len(links)), np.diff(links.starts)), spread * links.weight)
    if spread == 0:
        links = Links(np.zeros_like(links.starts), links.to[:0], links.weight[:0])
    starts = _count(labels.offsets, labels.codes, worth, links.starts, links.to)
    if starts[-1] * _BYTES > room:
        raise OptionError(
            f"label graph: expected what records reach to fit into {room:,} bytes, got {starts[-1] * _BYTES:,} by"
            f" {len(links.to) // 2:,} edges of {len(links):,} labels. Raise the threshold, set spread=0, or give more"
            " memory (--memory)."
        )
    to, mass = _fill(starts, labels.offsets, labels.codes, worth, links.starts, links.to, links.weight, total, spread)
    return Reach(starts, to, mass, np.arange(len(labels), dtype=np.int32), np.ones(len(labels)))


@njit(nogil=True, cache=True)
def _count(offsets, codes, worth, starts, to):  # type: ignore[no-untyped-def]
    """Return where each record's labels begin: the sums of how many it reaches."""
    n = len(offsets) - 1
    seen = np.full(len(starts) - 1, -1, np.int64)
    out = np.zeros(n + 1, np.int64)
    for i in range(n):
        count = 0
        if worth[i] > 0:
            for c in codes[offsets[i] : offsets[i + 1]]:
                if seen[c] != i:
                    seen[c] = i
                    count += 1
                for q in to[starts[c] : starts[c + 1]]:
                    if seen[q] != i:
                        seen[q] = i
                        count += 1
        out[i + 1] = out[i] + count
    return out


@njit(nogil=True, cache=True)
def _fill(out, offsets, codes, worth, starts, to, weight, total, spread):  # type: ignore[no-untyped-def]
    """Return the labels that each record reaches, ascending, and what it gives to each."""
    n, m = len(offsets) - 1, len(starts) - 1
    seen = np.full(m, -1, np.int64)
    sums = np.zeros(m)
    reached = np.empty(out[n], np.int32)
    mass = np.empty(out[n])
    for i in range(n):
        at = out[i]
        if out[i + 1] == at:
            continue
        for c in codes[offsets[i] : offsets[i + 1]]:
            if seen[c] != i:
                seen[c] = i
                reached[at] = c
                at += 1
            sums[c] += worth[i] / total[c]
            for t in range(starts[c], starts[c + 1]):
                q = to[t]
                if seen[q] != i:
                    seen[q] = i
                    reached[at] = q
                    at += 1
                sums[q] += worth[i] * spread * weight[t] / total[q]
        reached[out[i] : at] = np.sort(reached[out[i] : at])
        for t in range(out[i], at):
            mass[t] = sums[reached[t]]
            sums[reached[t]] = 0.0
    return reached, mass
