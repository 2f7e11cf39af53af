"""Three small models on vectors, to choose data by: fitted to weighted rows, then asked for every row's loss.

Least squares by its normal equations; logistic regression for two classes or more by steps with the bound on its second
derivative of Boehning 1992, with Nesterov's momentum started anew where it leads uphill; k-means by Lloyd's iterations.
Sums are in double precision and one fixed order, so that neither threads nor a library change a bit.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Groups
from tamis.select.steps.determinantal import Rows

__all__ = ["Clusters", "Logistic", "Model", "Squares"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_STEPS, _STILL = 300, 1e-5  # steps of logistic regression at most; the part by which its numbers still move at the end
_LLOYD = 25


class Model(Protocol):
    """What is fitted to a few of `n` rows, with weights, and tells the loss of all."""

    def fit(self, rows: _Ints, weights: _Floats) -> Any:
        """Return the parameters for some rows (`k`) with weights (`k`)."""

    def loss(self, parameters: Any) -> _Floats:
        """Return the loss of each row (`n`)."""


class _OnVectors:
    """Vectors (`n x d`) over their mean length, with a constant 1 beside them."""

    def __init__(self, x: NDArray[Any]) -> None:
        self.rows = Rows(x, "linear")

    def _some(self, rows: _Ints) -> _Floats:
        out = np.ones((len(rows), self.rows.width + 1))
        for at, row in enumerate(rows.tolist()):
            out[at, :-1] = self.rows.feature(row)
        return out

    def _scores(self, parameters: _Floats) -> _Floats:
        """Return the products of all rows with the columns of `(d + 1) x c` parameters, `n x c`."""
        out, columns = np.empty((len(self.rows), parameters.shape[1])), np.ascontiguousarray(parameters)

        def one(i: int) -> None:
            part = slice(*self.rows.span(i))
            _products(self.rows.block(i), self.rows.factor[part], columns, out[part])

        self.rows.each(one)
        return out


class Squares(_OnVectors):
    """A linear model with a constant; the loss is the square of what it is off."""

    def __init__(self, x: NDArray[Any], labels: _Floats, penalty: float) -> None:
        super().__init__(x)
        self.middle = float(np.mean(labels)) if len(labels) else 0.0
        self.size = float(np.std(labels)) or 1.0 if len(labels) else 1.0
        self.labels, self.penalty = (labels - self.middle) / self.size, penalty

    def fit(self, rows: _Ints, weights: _Floats) -> _Floats:
        """Return the parameters (`(d + 1) x 1`) of the penalised weighted fit."""
        features = self._some(rows)
        upper = _root(_gram(features, weights), self.penalty * float(weights.sum()))
        right = (features * (weights * self.labels[rows])[:, None]).sum(axis=0)
        return _solved(upper, right[:, None])

    def loss(self, parameters: _Floats) -> _Floats:
        """Return the squares, in the label's unit."""
        return np.asarray((self.size * (self._scores(parameters)[:, 0] - self.labels)) ** 2)


class Logistic(_OnVectors):
    """Logistic regression with a constant; the loss is minus the log of the true class's probability."""

    def __init__(self, x: NDArray[Any], labels: Groups, penalty: float) -> None:
        super().__init__(x)
        self.classes, self.codes, self.penalty = len(labels.names), labels.codes.astype(np.int64), penalty

    def fit(self, rows: _Ints, weights: _Floats) -> _Floats:
        """Return the parameters (`(d + 1) x classes`)."""
        features, codes = self._some(rows), self.codes[rows]
        penalty = self.penalty * float(weights.sum())
        upper = _root(0.5 * _gram(features, weights), penalty)
        found = np.zeros((features.shape[1], self.classes))
        ahead, momentum, factor = found, 1.0, np.ones(len(rows))
        for _ in range(_STEPS):
            off = np.empty((len(rows), self.classes))
            _products(features[:, :-1], factor, ahead, off)
            off = _softmax(off)
            off[np.arange(len(rows)), codes] -= 1.0
            slope = _across(features, off * weights[:, None]) + penalty * ahead
            after = ahead - _solved(upper, slope)
            move = after - found
            following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            if float((slope * move).sum()) > 0:  # uphill: without momentum from here
                following, ahead = 1.0, after
            else:
                ahead = after + (momentum - 1) / following * move
            found, momentum = after, following
            if float(np.abs(move).max()) <= _STILL * max(float(np.abs(found).max()), _STILL):
                break
        return found

    def loss(self, parameters: _Floats) -> _Floats:
        """Return the losses in nats."""
        scores = self._scores(parameters)
        top = scores.max(axis=1)
        own = scores[np.arange(len(scores)), self.codes]
        return np.asarray(top - own + np.log(np.exp(scores - top[:, None]).sum(axis=1)))

    def predicted(self, parameters: _Floats) -> _Ints:
        """Return the likeliest class of each row (`n`)."""
        return np.asarray(self._scores(parameters).argmax(axis=1), np.int64)


class Clusters(_OnVectors):
    """k-means; the loss is the squared distance to the nearest centre."""

    def __init__(self, x: NDArray[Any], clusters: int, seed: int = 0) -> None:
        super().__init__(x)
        self.clusters, self.seed = clusters, seed

    def fit(self, rows: _Ints, weights: _Floats) -> _Floats:
        """Return the centres (at most `clusters x d`) of the weighted rows, from a start by k-means++."""
        points = np.ascontiguousarray(self._some(rows)[:, :-1])
        keys = np.stack([np.zeros(self.clusters, np.uint64), np.arange(self.clusters, dtype=np.uint64)], axis=1)
        chance = uniforms(keys, salt(self.seed, "clusters: starts"))
        square, nearest = np.ones(len(points)), np.zeros(len(points), np.int64)
        centres = np.empty((0, points.shape[1]))
        for one in chance.tolist():
            reached = np.cumsum(square * weights)
            if not reached[-1] > 0:
                break
            row = min(int(np.searchsorted(reached, one * reached[-1], side="right")), len(points) - 1)
            centres = np.concatenate([centres, points[row : row + 1]])
            _nearest(points, np.ones(len(points)), centres, square, nearest)
        last = math.inf
        for _ in range(_LLOYD):
            _nearest(points, np.ones(len(points)), centres, square, nearest)
            cost = float(np.cumsum(square * weights)[-1])
            if cost >= last:
                break
            last = cost
            mass = np.bincount(nearest, weights, len(centres))
            sums = np.zeros_like(centres)
            np.add.at(sums, nearest, points * weights[:, None])
            centres = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-300)[:, None], centres)
        return centres

    def loss(self, parameters: _Floats) -> _Floats:
        """Return the squared distances, of vectors over their mean length."""
        out, nearest = np.empty(len(self.rows)), np.empty(len(self.rows), np.int64)

        def one(i: int) -> None:
            part = slice(*self.rows.span(i))
            _nearest(self.rows.block(i), self.rows.factor[part], parameters, out[part], nearest[part])

        self.rows.each(one)
        return out


def _softmax(scores: _Floats) -> _Floats:
    out = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _gram(features: _Floats, weights: _Floats) -> _Floats:
    return _across(features, features * weights[:, None])


def _across(a: _Floats, b: _Floats) -> _Floats:
    """Return the sum over the rows of the products of `a` (`k x p`) and `b` (`k x q`), `p x q`."""
    out = np.zeros((a.shape[1], b.shape[1]))
    _add_across(np.ascontiguousarray(a), np.ascontiguousarray(b), out)
    return out


def _root(matrix: _Floats, penalty: float) -> _Floats:
    """Return the lower root (Cholesky) of a matrix with the penalty, and a trace of rounding, on its diagonal."""
    diagonal = np.diagonal(matrix)
    out = matrix + np.eye(len(matrix)) * (penalty + 1e-12 * float(diagonal.max(initial=1.0)))
    if not _cholesky(out):
        raise InputError("model: expected finite vectors, labels and weights to fit to, got others.")
    return np.asarray(out)


def _solved(root: _Floats, right: _Floats) -> _Floats:
    out = np.array(right)
    _solve(root, out)
    return out


@njit(nogil=True, cache=True)
def _products(block, factor, columns, out):  # type: ignore[no-untyped-def]
    """Write the products of rows, times a factor, with the columns; the last row of these is the constant."""
    d = block.shape[1]
    for i in range(len(block)):
        for c in range(columns.shape[1]):
            out[i, c] = columns[d, c]
        for j in range(d):
            one = factor[i] * np.float64(block[i, j])
            for c in range(columns.shape[1]):
                out[i, c] += one * columns[j, c]


@njit(nogil=True, cache=True)
def _nearest(block, factor, centres, square, nearest):  # type: ignore[no-untyped-def]
    for i in range(len(block)):
        square[i], nearest[i] = np.inf, 0
        for c in range(len(centres)):
            total = 0.0
            for j in range(block.shape[1]):
                apart = factor[i] * np.float64(block[i, j]) - centres[c, j]
                total += apart * apart
            if total < square[i]:
                square[i], nearest[i] = total, c


@njit(nogil=True, cache=True)
def _add_across(a, b, out):  # type: ignore[no-untyped-def]
    for i in range(len(a)):
        for j in range(a.shape[1]):
            one = a[i, j]
            for c in range(b.shape[1]):
                out[j, c] += one * b[i, c]


@njit(nogil=True, cache=True)
def _cholesky(a):  # type: ignore[no-untyped-def]
    """Overwrite a symmetric matrix with its lower root; say whether it has one."""
    n = len(a)
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            if i == j:
                if not total > 0.0 or not np.isfinite(total):
                    return False
                a[i, i] = np.sqrt(total)
            else:
                a[i, j] = total / a[j, j]
    return True


@njit(nogil=True, cache=True)
def _solve(root, right):  # type: ignore[no-untyped-def]
    """Overwrite `right` (`n x c`) with the solution of root root' z = right."""
    n, columns = right.shape
    for i in range(n):
        for j in range(i):
            for c in range(columns):
                right[i, c] -= root[i, j] * right[j, c]
        for c in range(columns):
            right[i, c] /= root[i, i]
    for i in range(n - 1, -1, -1):
        for c in range(columns):
            right[i, c] /= root[i, i]
        for j in range(i):
            for c in range(columns):
                right[j, c] -= root[i, j] * right[i, c]
