"""Dot products and eigenvalues that are the same on any number of threads.

A library's matrix product and eigenvalues differ in their last bits with the number of threads, and
its threads wait for each other where cores are shared. The matrices of measures are small (hundreds
of rows): one compiled thread does. Sums are added up in the order of the numbers.

Source of the eigenvalues: Householder 1958 (reduction to three diagonals), Francis 1961 with
Wilkinson's shift (implicit QR); as in Golub and Van Loan, Matrix Computations, 8.3.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import TamisError
from tamis.vectors.dots import dots as products

__all__ = ["dots", "eigenvalues", "gram", "leading"]

_EPSILON = 2.0**-52
_PIECE, _COLUMNS = 512, 32  # rows and columns of a product at a time: they stay in the nearest cache
_NOTHING = 1e-40  # a sum of squares beside a largest number of 1: its reciprocal would overflow in the end
_STEPS = 60  # of QR for one eigenvalue; two or three do
_BESIDE, _ROUNDS, _STILL = 6, 300, 1e-20  # more directions iterated than wanted; when they are taken for found


def dots(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the dot products of the rows of `a` (`m x d`) and of `b` (`p x d`), `m x p`."""
    out = np.zeros((len(a), len(b)))
    _dots(np.ascontiguousarray(a), np.ascontiguousarray(b.T), out)
    return out


def gram(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the dot products of the columns of `x` (`n x d`), `d x d`; rows are added up in pieces, in their order."""
    n, d = x.shape
    out = np.zeros((d, d))
    for start in range(0, n, _PIECE):
        columns = np.ascontiguousarray(x[start : start + _PIECE].T, np.float64)
        for at in range(0, d, _COLUMNS):
            stop = min(d, at + _COLUMNS)
            found = np.empty((stop - at, stop))
            products(columns[at:stop], columns[:stop], found)
            out[at:stop, :stop] += found
    return np.tril(out) + np.tril(out, -1).T


def eigenvalues(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eigenvalues of a symmetric `n x n` matrix, ascending. O(n^3).

    Raises
    ------
    TamisError
        They were not found: the matrix is not finite.
    """
    n = len(matrix)
    diagonal, beside = np.empty(n), np.zeros(n)
    size = float(np.abs(matrix).max(initial=0.0)) or 1.0  # divided out: squares of small numbers would vanish
    _three_diagonals(matrix / size, diagonal, beside)
    if not _qr(diagonal, beside):
        raise TamisError("eigenvalues: expected a symmetric matrix of finite numbers, got another.")
    return np.sort(diagonal) * size


def leading(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of a positive semidefinite `n x n` matrix and their directions, `n x count`.

    By iteration of a few more directions than wanted, from a fixed start. Where eigenvalues are
    nearly equal, directions are some of those that share them. The largest number of each
    direction is positive. There are fewer than `count` where `n` is smaller.
    """
    n = len(matrix)
    width = min(n, count + _BESIDE)
    # A start that no structure of the matrix can be at right angles to, but by design.
    basis = np.cos(np.outer(np.arange(1, n + 1), np.arange(1, width + 1)) * np.sqrt(2.0)) + 1.0 / (1 + np.arange(width))
    basis = _upright(basis)
    for _ in range(_ROUNDS):
        before, basis = basis, _upright(dots(matrix, basis.T))
        # How far the wanted directions have left the space of those before.
        inside = dots(before.T, basis[:, :count].T)
        if float((1.0 - (inside * inside).sum(axis=0)).max(initial=0.0)) <= _STILL:
            break
    values, turns = np.linalg.eigh(dots(basis.T, dots(matrix, basis.T).T))  # of a handful: no threads
    order = np.argsort(-values, kind="stable")[:count]
    found = dots(basis, turns[:, order].T)
    largest = np.abs(found).argmax(axis=0)
    return values[order], found * np.where(found[largest, np.arange(len(order))] < 0, -1.0, 1.0)


def _upright(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return columns made orthonormal, one after the other; what is left of a dependent one is some unit vector."""
    out = np.array(columns, np.float64)
    for j in range(out.shape[1]):
        size = float(np.sqrt((out[:, j] ** 2).sum()))
        for _ in range(2):  # the second time takes away what rounding left
            for i in range(j):
                out[:, j] -= (out[:, i] * out[:, j]).sum() * out[:, i]
        left = float(np.sqrt((out[:, j] ** 2).sum()))
        if left <= 1e-12 * size or not size:
            out[:, j] = _other(out[:, :j])
        else:
            out[:, j] /= left
    return out


def _other(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a unit vector at right angles to orthonormal columns: of the axes, the one furthest from them."""
    found = np.zeros(len(basis))
    at = int((basis**2).sum(axis=1).argmin())
    found[at] = 1.0
    for _ in range(2):
        for i in range(basis.shape[1]):
            found -= (basis[:, i] * found).sum() * basis[:, i]
    return np.asarray(found / np.sqrt((found**2).sum()))


@njit(nogil=True, cache=True)
def _dots(a: NDArray[np.float64], b: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Add the products of `a` (`m x d`) and `b` (`d x p`) to `out`: a row at a time, so that lanes are columns."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += factor * b[k, j]


@njit(nogil=True, cache=True)
def _three_diagonals(m: NDArray[np.float64], diagonal: NDArray[np.float64], beside: NDArray[np.float64]) -> None:
    """Reflect a symmetric matrix (overwritten) until only its diagonal and the numbers beside it are left."""
    n = len(m)
    v, p = np.zeros(n), np.zeros(n)
    for k in range(n - 2):
        norm = 0.0
        for i in range(k + 1, n):
            v[i] = m[k, i]
            norm += v[i] * v[i]
        rest = norm - v[k + 1] * v[k + 1]
        if rest <= _NOTHING:
            beside[k] = v[k + 1]
            continue
        alpha = -math.copysign(math.sqrt(norm), v[k + 1])
        beside[k] = alpha
        v[k + 1] -= alpha
        scale = 2.0 / (rest + v[k + 1] * v[k + 1])
        p[k + 1 :] = 0.0
        for i in range(k + 1, n):
            factor = scale * v[i]
            for j in range(k + 1, n):
                p[j] += factor * m[i, j]
        along = 0.0
        for i in range(k + 1, n):
            along += v[i] * p[i]
        along *= scale / 2.0
        for i in range(k + 1, n):
            p[i] -= along * v[i]
        for i in range(k + 1, n):
            vi, pi = v[i], p[i]
            for j in range(k + 1, n):
                m[i, j] -= vi * p[j] + pi * v[j]
    for i in range(n):
        diagonal[i] = m[i, i]
    if n > 1:
        beside[n - 2] = m[n - 2, n - 1]


@njit(nogil=True, cache=True)
def _qr(d: NDArray[np.float64], e: NDArray[np.float64]) -> bool:
    """Turn the diagonal `d` into the eigenvalues, `e[i]` standing between `d[i]` and `d[i + 1]`."""
    last, steps = len(d) - 1, 0
    # What the reduction has rounded off anyway; below it, the many near-zeros of a low rank never part.
    dust = 0.5 * _EPSILON * max(np.abs(d).max(), np.abs(e).max())
    while last > 0:
        if abs(e[last - 1]) <= _EPSILON * (abs(d[last - 1]) + abs(d[last])) + dust:
            e[last - 1] = 0.0
            last -= 1
            steps = 0
            continue
        first = last - 1
        while first > 0 and abs(e[first - 1]) > _EPSILON * (abs(d[first - 1]) + abs(d[first])) + dust:
            first -= 1
        steps += 1
        if steps > _STEPS or not math.isfinite(d[last]):
            return False
        half = (d[last - 1] - d[last]) / 2.0
        off = e[last - 1] * e[last - 1]
        x = d[first] - (d[last] - off / (half + math.copysign(math.sqrt(half * half + off), half)))
        z = e[first]
        for k in range(first, last):
            size = math.hypot(x, z)
            c, s = (x / size, z / size) if size > 0.0 else (1.0, 0.0)
            if k > first:
                e[k - 1] = size
            a, b, g = d[k], d[k + 1], e[k]
            d[k] = c * c * a + 2.0 * c * s * g + s * s * b
            d[k + 1] = s * s * a - 2.0 * c * s * g + c * c * b
            e[k] = c * s * (b - a) + (c * c - s * s) * g
            if k + 1 < last:
                x, z = e[k], s * e[k + 1]
                e[k + 1] *= c
    return True
