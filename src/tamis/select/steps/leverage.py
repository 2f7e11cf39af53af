"""How much of a loss one row can be, whatever the parameters: leverage, Lewis weights, distances to centres."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.steps.determinantal import Rows, leverage, spectrum
from tamis.vectors.kmeans import kmeans

__all__ = ["by_clusters", "design", "lewis", "scores"]

_STEPS = 30  # of the fixed point of Lewis weights; each halves the error

_Floats = NDArray[np.float64]


def design(x: NDArray[Any], label: _Floats | None, centred: bool, constant: bool) -> NDArray[np.float32]:
    """Return the vectors less their mean, if `centred`; beside them the label and a constant, if so wanted.

    Both are of about the size of a number of the vectors: leverage does not change with that, but rounding does.
    """
    out = np.zeros((len(x), x.shape[1] + (label is not None) + (centred and constant)), np.float32)
    out[:, : x.shape[1]] = x
    if centred:
        out[:, : x.shape[1]] -= (np.add.reduce(out[:, : x.shape[1]], axis=0, dtype=np.float64) / len(x)).astype(
            np.float32
        )
    size = math.sqrt(float(np.mean(np.mean(out[:, : x.shape[1]] ** 2, axis=1, dtype=np.float64)))) or 1.0
    if label is not None:
        scaled = label / (float(np.abs(label).max()) or 1.0)  # or squares of large numbers are infinite
        scaled = scaled - scaled.mean() if centred else scaled
        out[:, x.shape[1]] = scaled * size / (math.sqrt(float(np.mean(scaled**2))) or 1.0)
    if centred and constant:
        out[:, -1] = size
    return out


def scores(rows: Rows) -> _Floats:
    """Return the leverage of each row: its part, at most 1, in what least squares on all of them makes of it."""
    values, directions = spectrum(rows)
    return np.minimum(leverage(rows, directions / np.sqrt(values)[:, None]), 1.0)


def lewis(rows: Rows) -> _Floats:
    """Return the l1 Lewis weights: those with which each row's leverage, weighted by their inverse, is the weight.

    By the fixed point of Cohen and Peng 2015, which comes nearer by half with every step.
    """
    weight, factor = np.ones(len(rows)), rows.factor.copy()
    for _ in range(_STEPS):
        rows.factor[:] = factor / np.sqrt(np.maximum(weight, 1e-30))
        last, weight = weight, np.sqrt(weight * scores(rows))
        if np.abs(weight - last).max() <= 1e-4 * weight.max():
            break
    return weight


def by_clusters(x: NDArray[Any], clusters: int, keys: NDArray[np.uint64], seed: int) -> _Floats:
    """Return the bounds by distance to the nearest of some centres (Bachem, Lucic and Krause 2017, algorithm 2)."""
    found = kmeans(x, clusters, seed=seed, keys=keys)
    square, size = found.squared.astype(np.float64), np.bincount(found.labels)
    mean = float(np.cumsum(square)[-1]) / len(x)
    inside = np.bincount(found.labels, square) / np.maximum(size, 1)
    alpha = 16 * (math.log2(len(found.centroids)) + 2)
    far = alpha * (square + 2 * inside[found.labels]) / mean if mean > 0 else np.zeros(len(x))
    return np.asarray(far + 4 * len(x) / size[found.labels])
