"""How many different things a set holds: the Vendi score of its vectors, the Hill number of its groups.

Sources: Friedman and Dieng 2022, "The Vendi Score" (arXiv 2210.02410); orders other than 1:
Pasarkar and Dieng 2023, "Cousins of the Vendi Score" (arXiv 2310.12952); Hill 1973, "Diversity and
Evenness"; Roy and Vetterli 2007, "The Effective Rank". Choosing the smaller of the two equal forms by
itself, and refusing zero vectors, is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError
from tamis.measure.linear import eigenvalues, gram

__all__ = [
    "ORDERS",
    "effective_number",
    "effective_rank",
    "unit_rows",
    "vendi",
    "vendi_by",
    "vendi_curve",
    "vendi_of_kernel",
    "vendi_of_second_moment",
]

#: Orders that a curve is drawn at.
ORDERS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, math.inf)

_DUST = 1e-12  # eigenvalues below this are rounding, not kinds: small orders would count them


def vendi(vectors: ArrayLike, q: float = 1.0, p: ArrayLike | None = None) -> float:
    """Return the Vendi score of order `q` of `n x d` vectors under their cosine: from 1 to min(n, d).

    The eigenvalues of the `n x n` kernel over `n` are, but for zeros, those of the `d x d` matrix
    of the unit rows (the dual form): the smaller one is solved, so both give the same number. Order
    2 needs none: it is 1 over the sum of the matrix's squares. All records alike give 1, all
    orthogonal `n`; it depends on `n`, so compare sets of one size.

    Parameters
    ----------
    vectors : array of shape (n, d)
        Of any length but zero.
    q : float
        Order, at least 0 and `inf` included: small ones count rare kinds, large ones the common.
    p : array of shape (n,), optional
        Weight of each record, at least 0; divided by their sum. Default: all the same.

    Raises
    ------
    InputError
        No records, a zero vector, a number that is not finite, an order below 0, weights that are none.
    """
    return vendi_of_second_moment(_second_moment(vectors, p), q)


def vendi_curve(vectors: ArrayLike, orders: Sequence[float] = ORDERS, p: ArrayLike | None = None) -> list[float]:
    """Return the Vendi scores of several orders, never growing with the order; errors as `vendi`."""
    found = eigenvalues(_second_moment(vectors, p))
    return [_of_spectrum(found, q) for q in orders]


def vendi_of_kernel(kernel: ArrayLike, q: float = 1.0, p: ArrayLike | None = None) -> float:
    """Return the Vendi score of order `q` of an `n x n` positive semidefinite kernel with a diagonal of ones.

    With weights `p` (`n`, at least 0) the matrix is ``sqrt(p_i) kernel_ij sqrt(p_j)``.

    Raises
    ------
    InputError
        Another shape, not symmetric, another diagonal, not positive semidefinite, an order below 0.
    """
    k = np.asarray(kernel, np.float64)
    if k.ndim != 2 or k.shape[0] != k.shape[1] or not len(k):
        raise InputError(f"vendi: expected an n x n kernel, got an array of shape {k.shape}.")
    if not np.allclose(np.diag(k), 1.0):
        raise InputError("vendi: expected a kernel with ones on its diagonal, got others.")
    if not np.allclose(k, k.T):
        raise InputError("vendi: expected a symmetric kernel, got another.")
    root = np.sqrt(_weights(p, len(k)))
    found = eigenvalues(root[:, None] * k * root)
    if found[0] < -1e-6:
        raise InputError(
            f"vendi: expected a positive semidefinite kernel, got an eigenvalue of {found[0]:.2g} (of a sum of 1)."
        )
    return _of_spectrum(found, q)


def vendi_by(
    items: Sequence[Any], kernel: Callable[[Any, Any], float], q: float = 1.0, p: ArrayLike | None = None
) -> float:
    """Return the Vendi score of `n` items of any kind under `kernel(a, b)`, which is 1 of an item with itself.

    The kernel is called n (n + 1) / 2 times; errors as `vendi_of_kernel`.
    """
    n = len(items)
    matrix = np.empty((n, n))
    for i in range(n):
        for j in range(i, n):
            matrix[i, j] = matrix[j, i] = kernel(items[i], items[j])
    return vendi_of_kernel(matrix, q, p)


def vendi_of_second_moment(moment: ArrayLike, q: float = 1.0) -> float:
    """Return the Vendi score of order `q` from ``X^T diag(p) X`` (`d x d`) of unit rows, or from ``K / n``.

    Raises
    ------
    InputError
        Another shape, an order below 0.
    """
    m = np.asarray(moment, np.float64)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or not len(m):
        raise InputError(f"vendi: expected a square matrix, got an array of shape {m.shape}.")
    if q == 2:
        return float(np.trace(m) ** 2 / (m * m).sum())
    return _of_spectrum(eigenvalues(m), q)


def effective_rank(vectors: ArrayLike) -> float:
    """Return exp(entropy) of the singular values of `n x d` vectors over their sum: 1 to min(n, d).

    How many directions the set really uses (Roy and Vetterli 2007). Vectors are taken as they are:
    neither centred nor scaled. The Vendi score has the squares of the singular values instead.

    Raises
    ------
    InputError
        No records, only zeros, a number that is not finite.
    """
    x = np.array(vectors, np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise InputError(f"effective rank: expected n x d finite numbers, got an array of shape {x.shape}.")
    found = eigenvalues(gram(x if x.shape[1] < len(x) else x.T))
    if not found[-1] > 0:
        raise InputError("effective rank: expected vectors that are not all 0, got zeros.")
    sizes = np.sqrt(found[found > _DUST * found[-1]])
    return _hill(sizes / sizes.sum(), 1.0)


def effective_number(counts: ArrayLike, q: float = 1.0) -> float:
    """Return the Hill number of order `q` of group sizes: how many equally large groups are as diverse.

    Order 0 counts the groups, order 1 is exp(entropy), order 2 is 1 over the chance that two
    records share a group. 0 for no records.

    Raises
    ------
    InputError
        A size below 0 or not finite, an order below 0.
    """
    sizes = np.asarray(counts, np.float64).reshape(-1)
    if not (np.isfinite(sizes).all() and (sizes >= 0).all()):
        raise InputError("effective number: expected group sizes of at least 0, got others.")
    if not sizes.sum():
        return 0.0
    return _hill(sizes[sizes > 0] / sizes.sum(), q)


def unit_rows(vectors: ArrayLike) -> NDArray[np.float64]:
    """Return `n x d` vectors with length 1.

    Raises
    ------
    InputError
        No records, another shape, a zero vector, a number that is not finite.
    """
    x = np.array(vectors, np.float64)
    if x.ndim != 2 or not x.size:
        raise InputError(f"vectors: expected n x d numbers with n and d at least 1, got an array of shape {x.shape}.")
    length = np.linalg.norm(x, axis=1)
    bad = ~np.isfinite(length) | (length == 0)
    if bad.any():
        at = int(bad.argmax())
        raise InputError(f"vectors: expected finite numbers that are not all 0, got others in row {at}. Leave it out.")
    x /= length[:, None]
    return x


def _second_moment(vectors: ArrayLike, p: ArrayLike | None) -> NDArray[np.float64]:
    """Return the smaller of ``X^T diag(p) X`` and ``diag(sqrt p) X X^T diag(sqrt p)`` of the unit rows."""
    rows = unit_rows(vectors)
    rows *= np.sqrt(_weights(p, len(rows)))[:, None]
    return gram(rows if rows.shape[1] < len(rows) else rows.T)


def _weights(p: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return weights that add up to 1."""
    if p is None:
        return np.full(n, 1.0 / n)
    found = np.asarray(p, np.float64)
    if found.shape != (n,) or not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
        raise InputError(f"vendi: expected {n:,} weights of at least 0, not all 0, got shape {found.shape} or others.")
    return np.asarray(found / found.sum())


def _of_spectrum(eigenvalues: NDArray[np.float64], q: float) -> float:
    if not q >= 0:
        raise InputError(f"diversity: expected an order of at least 0, got {q}.")
    kept = eigenvalues[eigenvalues > _DUST]
    return _hill(kept / kept.sum(), q)


def _hill(p: NDArray[np.float64], q: float) -> float:
    """Return the Hill number of positive shares that add up to 1."""
    if not q >= 0:
        raise InputError(f"diversity: expected an order of at least 0, got {q}.")
    if math.isinf(q):
        return float(1.0 / p.max())
    if q == 1:
        return float(np.exp(-(p * np.log(p)).sum()))
    return float((p**q).sum() ** (1.0 / (1.0 - q)))
