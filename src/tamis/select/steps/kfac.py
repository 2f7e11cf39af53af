"""How much a record lowers the loss on a reference set: influence through one linear layer, by Kronecker factors.

The influence of record `z` is `g_ref . (H + lambda I)^-1 g(z)`, larger where a step on `z` lowers the loss of the
reference more. For a layer with inputs `a` and gradients `d` of the loss at its outputs, a gradient is `d a^T`, and
`H` is taken to be `E[d d^T] (x) E[a a^T]`. Source: K-FAC (Martens and Grosse 2015), as QuaD (2024) uses it.

Ours: the damping is added to the products of the factors' eigenvalues (George et al. 2018), so that the inverse is
that of `H + lambda I` itself; damping the factors one by one, as K-FAC does, is an option. It is in units of the
mean eigenvalue, so that it means the same for each layer. A document's gradient is the mean over its tokens, or
long documents would win.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, OptionError
from tamis.select.steps.eigen import eigen

__all__ = ["kfac_influence"]

_Floats = NDArray[np.float64]


def kfac_influence(
    inputs: Any,
    gradients: Any,
    reference_inputs: Any,
    reference_gradients: Any,
    *,
    documents: Any = None,
    factors: tuple[Any, Any] | None = None,
    damping: float = 0.01,
    damp: str = "products",
) -> _Floats:
    """Return the influence of each document on a reference set, through one layer: float64.

    For several layers add up what each says. Nothing here runs a model: hooks on the layer give the arrays.

    Parameters
    ----------
    inputs : array of shape (n, p)
        What goes into the layer, a row a token (or a record).
    gradients : array of shape (n, q)
        Of the loss, at the layer's outputs.
    reference_inputs, reference_gradients : arrays of shape (m, p) and (m, q)
        Of the reference set.
    documents : int array of shape (n,), optional
        Which document (from 0) a row is of; by default each is its own.
    factors : pair of arrays of shape (s, p) and (s, q), optional
        Inputs and gradients of the sample that H is estimated from; by default the records themselves. Needed
        where records are asked about a few at a time, so that they are measured by one H.
    damping : float
        Lambda over the mean eigenvalue of H, at least 0.
    damp : str
        "products": H + lambda I exactly. "factors": a part to each factor, as K-FAC does; another matrix, unless
        the damping is 0.

    Raises
    ------
    InputError
        Arrays that do not fit each other or are not finite; documents that are none; a factor that has no
        inverse, without damping.
    OptionError
        A damping below 0, another `damp`.
    """
    if damp not in ("products", "factors") or not (np.isfinite(damping) and damping >= 0):
        raise OptionError(
            "influence: expected a damping of at least 0, and damp 'products' or 'factors', got"
            f" {damping!r} and {damp!r}."
        )
    a, d = _pair(inputs, gradients, "inputs and gradients")
    ra, rd = _pair(reference_inputs, reference_gradients, "inputs and gradients of the reference")
    fa, fd = (a, d) if factors is None else _pair(*factors, "inputs and gradients of the factors")
    for other, width, what in ((ra, rd, "reference"), (fa, fd, "sample for the factors")):
        if (a.shape[1], d.shape[1]) != (other.shape[1], width.shape[1]):
            raise InputError(
                f"influence: expected a {what} as wide as the records, {a.shape[1]} and {d.shape[1]}, got"
                f" {other.shape[1]} and {width.shape[1]}."
            )
    wide_a, along_a = eigen(_mean_product(fa, fa))
    wide_d, along_d = eigen(_mean_product(fd, fd))
    wide_a, wide_d = np.maximum(wide_a, 0.0), np.maximum(wide_d, 0.0)
    turned = np.einsum("iq,qp,jp->ij", along_d, _mean_product(rd, ra), along_a)
    scale = float(wide_d.mean() * wide_a.mean())
    if damp == "products":
        below = np.outer(wide_d, wide_a) + damping * scale
    else:
        part = np.sqrt(damping)
        below = np.outer(wide_d + part * wide_d.mean(), wide_a + part * wide_a.mean())
    if not below.min() > 1e-14 * below.max():
        raise InputError("influence: expected factors of full rank where the damping is 0, got one without an inverse.")
    wanted = np.einsum("iq,ij,jp->qp", along_d, turned / below, along_a)
    # d . W a, a row at a time.
    found = (np.einsum("nq,qp->np", d, wanted) * a).sum(axis=1)
    if documents is None:
        return np.asarray(found)
    which = np.asarray(documents)
    if which.shape != found.shape or which.dtype.kind not in "iu" or which.min(initial=0) < 0:
        raise InputError(
            f"influence, documents: expected {len(found)} whole numbers of at least 0, got {which.dtype} of shape"
            f" {which.shape}."
        )
    count = np.bincount(which)
    if (count == 0).any():
        raise InputError(f"influence, documents: expected rows of each, got none of document {int(np.argmin(count))}.")
    return np.asarray(np.bincount(which, found) / count)


def _mean_product(left: _Floats, right: _Floats) -> _Floats:
    """Return the mean over rows of the products of `left` (`n x p`) and `right` (`n x q`), `p x q`: no BLAS."""
    return np.asarray(np.einsum("np,nq->pq", left, right) / len(left))


def _pair(inputs: Any, gradients: Any, what: str) -> tuple[_Floats, _Floats]:
    found = [np.asarray(one, np.float64) for one in (inputs, gradients)]
    if any(one.ndim != 2 or not one.size for one in found) or len(found[0]) != len(found[1]):
        shapes = " and ".join(str(one.shape) for one in found)
        raise InputError(f"influence, {what}: expected n x p and n x q numbers, got arrays of shape {shapes}.")
    for one in found:
        if not np.isfinite(one).all():
            row = int(np.argmin(np.isfinite(one).all(axis=1)))
            raise InputError(f"influence, {what}: expected finite numbers, got others in row {row}.")
    return found[0], found[1]
