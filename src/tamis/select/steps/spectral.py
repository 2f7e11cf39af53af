"""Clusters by the shape of the neighbourhood graph: spectral clustering, with non-negative factors at the end.

Source: as PASER (2025) clusters instructions: a Gaussian affinity, the smallest eigenvectors of the Laplacian, the
non-negative factors of |Z Z^T|, and each record to its largest factor. Ours: the symmetric Laplacian (Ng, Jordan and
Weiss 2002), since the released code gives a matrix that is not symmetric to a solver for symmetric ones; the graph of
nearest neighbours, its median distance as width; both factors equal, as |Z Z^T| is symmetric (Ding, He and Simon
2005), started from k-means; a counted sample where records are many, the others going with the nearest of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import BudgetError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.steps.determinantal import counted
from tamis.select.steps.eigen import across, eigen
from tamis.select.steps.graph import Graph, joined
from tamis.vectors.kmeans import kmeans
from tamis.vectors.neighbours import exact
from tamis.vectors.tiles import canonical

__all__ = ["partition", "smallest", "spectral"]

_BESIDE = 8  # directions iterated besides those wanted
_DEGREE = 20  # of the polynomial that a round applies
_ROUNDS = 100
_STILL = 1e-7  # what the Laplacian moves a direction by when it is done
_STEPS = 100  # of the factorisation

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def spectral(
    x: Any,
    clusters: int,
    *,
    neighbours: int = 15,
    sample: int = 2048,
    seed: int = 0,
    keys: NDArray[np.uint64] | None = None,
) -> NDArray[np.int32]:
    """Return the cluster of each row of `x` (`n x d`), by cosine: numbers from 0, some maybe without rows.

    Raises
    ------
    BudgetError
        No cluster.
    InputError
        No `n x d` numbers, a row that is not finite.
    """
    if clusters < 1:
        raise BudgetError(f"spectral clusters: expected at least 1, got {clusters}.")
    x, keys, order = canonical(x, keys)
    out = np.zeros(len(x), np.int32)
    draw = np.argsort(uniforms(keys, salt(seed, "spectral: sample")), kind="stable")
    rows = np.sort(draw[:sample])
    if len(rows) > 1 and clusters > 1:
        part = np.ascontiguousarray(x[rows])
        out[rows] = partition(joined(part, min(neighbours, len(rows) - 1), "cosine", 1.0), clusters, seed)
        others = np.sort(draw[sample:])
        if len(others):
            out[others] = out[rows[exact(part, 1, queries=x[others]).ids[:, 0]]]
    if order is not None:
        out[order] = out.copy()
    return out


def partition(graph: Graph, clusters: int, seed: int = 0) -> NDArray[np.int32]:
    """Return the cluster of each of the `m` rows of a graph; more than `m` clusters are `m`."""
    count = min(clusters, len(graph.starts) - 1)
    width = float(np.median(graph.apart)) or float(np.mean(graph.apart)) or 1.0
    affinity = np.exp(-((graph.apart / width) ** 2) / 2)
    _, z = smallest(graph.starts, graph.others, affinity, count, seed)
    size = np.sqrt((z * z).sum(axis=1, keepdims=True))
    unit = z / np.where(size > 0, size, 1.0)
    near = kmeans(unit.astype(np.float32), count, seed=seed, keys=_places(len(z))).labels
    return _factors(z, near, count)


def smallest(starts: _Ints, others: _Ints, weights: _Floats, count: int, seed: int = 0) -> tuple[_Floats, _Floats]:
    """Return the smallest eigenvalues of the symmetric Laplacian of a graph, and their vectors (`m x count`).

    The Laplacian is 1 - D^-1/2 A D^-1/2; row `i` of A has `weights[starts[i]:starts[i + 1]]` at `others`. By rounds
    of Chebyshev polynomials that lower all other eigenvalues, from a counted start: the same for any threads.
    """
    m = len(starts) - 1
    degree = np.add.reduceat(np.append(weights, 0.0), starts[:-1]) * (np.diff(starts) > 0)
    root = np.sqrt(np.where(degree > 0, degree, 1.0))
    here = np.repeat(np.arange(m), np.diff(starts))
    scaled = weights / (root[here] * root[others])
    if m <= 2 * (count + _BESIDE):
        whole = np.zeros((m, m))
        whole[here, others] = scaled
        values, directions = eigen(whole)
        return 1.0 - values[:count], np.ascontiguousarray(directions[:count].T)
    width = count + _BESIDE
    basis = np.ascontiguousarray(across(counted(width * m, seed, "spectral: start").reshape(width, m) - 0.5).T)
    cut, values = 0.0, np.zeros(width)
    for _ in range(_ROUNDS):
        basis = np.ascontiguousarray(across(_filtered(starts, others, scaled, basis, cut).T).T)
        image = _times(starts, others, scaled, basis)
        values, turns = eigen(np.einsum("mi,mj->ij", basis, image))
        basis = np.einsum("mi,ji->mj", basis, turns)
        image = np.einsum("mi,ji->mj", image, turns)
        moved = image[:, :count] - basis[:, :count] * values[:count]
        if float((moved * moved).sum(axis=0).max()) <= _STILL**2:
            break
        cut = min(max(float(values[-1]), -0.5), 1.0 - 1e-9)
    return 1.0 - values[:count], np.ascontiguousarray(basis[:, :count])


def _places(n: int) -> NDArray[np.uint64]:
    return np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)


def _filtered(starts: _Ints, others: _Ints, scaled: _Floats, basis: _Floats, cut: float) -> _Floats:
    """Return a Chebyshev polynomial of the matrix times `basis`: at most 1 from -1 to `cut`, fast growing above."""

    def mapped(v: _Floats) -> _Floats:
        return np.asarray((2.0 * _times(starts, others, scaled, v) + (1.0 - cut) * v) / (1.0 + cut))

    before, now = basis, mapped(basis)
    for _ in range(_DEGREE - 1):
        before, now = now, 2.0 * mapped(now) - before
    return now


def _factors(z: _Floats, start: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return the largest factor of each row: |Z Z^T| is about W W^T, W not negative, started from clusters."""
    similar = np.empty((len(z), len(z)), np.float32)
    _similar(z, similar)
    w = np.full((len(z), count), 0.2)
    w[np.arange(len(z)), start] += 1.0
    inside = np.einsum("mi,mj->ij", w, w)
    along = np.empty_like(w)
    _weighted(similar, w, along)
    w *= np.sqrt(max(float((along * w).sum()), 1e-300) / float((inside * inside).sum()))
    for _ in range(_STEPS):
        _weighted(similar, w, along)
        below = np.einsum("mi,ij->mj", w, np.einsum("mi,mj->ij", w, w))
        w *= 0.5 + 0.5 * along / np.maximum(below, 1e-300)
    return np.asarray(w.argmax(axis=1), np.int32)


@njit(nogil=True, cache=True)
def _times(starts, others, scaled, basis):  # type: ignore[no-untyped-def]
    out = np.zeros_like(basis)
    for i in range(len(starts) - 1):
        for e in range(starts[i], starts[i + 1]):
            for c in range(basis.shape[1]):
                out[i, c] += scaled[e] * basis[others[e], c]
    return out


@njit(nogil=True, cache=True)
def _similar(z, out):  # type: ignore[no-untyped-def]
    for i in range(len(z)):
        for j in range(i + 1):
            total = 0.0
            for c in range(z.shape[1]):
                total += z[i, c] * z[j, c]
            out[i, j] = out[j, i] = abs(total)


@njit(nogil=True, cache=True)
def _weighted(similar, w, out):  # type: ignore[no-untyped-def]
    out[:] = 0.0
    for i in range(len(w)):
        for j in range(len(w)):
            one = np.float64(similar[i, j])
            for c in range(w.shape[1]):
                out[i, c] += one * w[j, c]
