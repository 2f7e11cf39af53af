"""How many different things a set holds: the Vendi score of its vectors, the Hill number of its groups.

Sources: Friedman and Dieng 2022, "The Vendi Score" (arXiv 2210.02410); orders other than 1:
Pasarkar and Dieng 2023, "Cousins of the Vendi Score" (arXiv 2310.12952); Hill 1973, "Diversity and
Evenness". Choosing the smaller of the two equal forms by itself, and refusing zero vectors, is ours.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tamis.errors import InputError
from tamis.measure.linear import dots, eigenvalues

__all__ = ["effective_number", "unit_rows", "vendi", "vendi_of_kernel"]

_DUST = 1e-12  # eigenvalues below this are rounding, not kinds: small orders would count them


def vendi(vectors: ArrayLike, q: float = 1.0) -> float:
    """Return the Vendi score of order `q` of `n x d` vectors under their cosine: from 1 to min(n, d).

    The eigenvalues of the `n x n` kernel over `n` are, but for zeros, those of the `d x d` matrix
    of the unit rows (the dual form): the smaller one is solved, so both give the same number. All
    records alike give 1, all orthogonal `n`; it depends on `n`, so compare sets of one size.

    Parameters
    ----------
    vectors : array of shape (n, d)
        Of any length but zero.
    q : float
        Order, at least 0 and `inf` included: small ones count rare kinds, large ones the common.

    Raises
    ------
    InputError
        No records, a zero vector, a number that is not finite, an order below 0.
    """
    rows = unit_rows(vectors)
    n, d = rows.shape
    few = rows.T if d < n else rows
    return _of_spectrum(eigenvalues(dots(few, few) / n), q)


def vendi_of_kernel(kernel: ArrayLike, q: float = 1.0) -> float:
    """Return the Vendi score of order `q` of an `n x n` positive semidefinite kernel with a diagonal of ones.

    Raises
    ------
    InputError
        Another shape, another diagonal, an order below 0.
    """
    k = np.asarray(kernel, np.float64)
    if k.ndim != 2 or k.shape[0] != k.shape[1] or not len(k):
        raise InputError(f"vendi: expected an n x n kernel, got an array of shape {k.shape}.")
    if not np.allclose(np.diag(k), 1.0):
        raise InputError("vendi: expected a kernel with ones on its diagonal, got others.")
    return _of_spectrum(eigenvalues(k / len(k)), q)


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


def _of_spectrum(eigenvalues: NDArray[np.float64], q: float) -> float:
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
