"""The static vectors that come with the package `wordllama`: one row a token, 256 wide.

A text's vector is the mean of the rows of its tokens. The file holds float16 numbers, and every
float16 below 2**7 is a whole number of 2**-24: so the rows are kept as whole numbers and added up
exactly. Whatever the order of the addends, whoever added up part of them before: the sum is the
same, and only the mean is rounded.

Source: WordLlama (https://github.com/dleemiller/WordLlama), weights `l2_supercat_256`, its method
`embed` with `norm=False`, which adds up in float32. Whole numbers are ours.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.errors import TamisError, missing_extra

__all__ = ["UNIT", "TokenRows", "add_rows", "largest", "load", "means", "whole_numbers"]

#: What one unit of a whole number stands for.
UNIT = 2.0**-24
_FILE = Path("weights", "l2_supercat_256.safetensors")
_TENSOR = "embedding.weight"
_FULL = 2**31 - 1


@dataclass(frozen=True, eq=False)
class TokenRows:
    """The row of every token of a vocabulary of `v`.

    Attributes
    ----------
    rows : int32 array of shape (v, d)
        In units of `UNIT`.
    fingerprint : str
        32 hex digits of the file's content.
    """

    rows: NDArray[np.int32]
    fingerprint: str

    @property
    def width(self) -> int:
        """Return `d`."""
        return int(self.rows.shape[1])


@cache
def load() -> TokenRows:
    """Return wordllama's rows, read once (16 MB on disk, 32 MB in memory).

    Raises UserError without the package, TamisError for a release of it whose weights differ in kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    spec = importlib.util.find_spec("wordllama")  # not imported: that takes a second
    if spec is None or spec.origin is None:
        raise missing_extra("wordllama", "all", "the default encoder")
    path = Path(spec.origin).parent / _FILE
    try:
        content = path.read_bytes()
        weights = parse(content)[_TENSOR]
    except (OSError, KeyError, SafetensorError) as error:
        raise TamisError(
            f"wordllama: expected its weights with a tensor '{_TENSOR}' in {path}, got: {error!r}."
            " Install another release of wordllama: this version of tamis knows 0.3.9 to 0.4."
        ) from error
    return TokenRows(whole_numbers(weights), hashlib.blake2b(content, digest_size=16).hexdigest())


def whole_numbers(weights: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return `v x d` numbers in units of `UNIT`, exact for float16 of magnitude below 128.

    Raises TamisError for numbers that are not finite or too large.
    """
    scaled = np.multiply(weights, 1 / UNIT, dtype=np.float64)
    if not (np.abs(scaled) <= _FULL).all():
        raise TamisError("static vectors: expected finite weights of magnitude below 128, got others.")
    return np.asarray(np.rint(scaled), np.int32)


@njit(nogil=True, cache=True)
def largest(rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the largest magnitude in each of `m` rows."""
    out = np.zeros(len(rows), np.int64)
    for i in range(len(rows)):
        for j in range(rows.shape[1]):
            out[i] = max(out[i], abs(np.int64(rows[i, j])))
    return out


@njit(nogil=True, cache=True)
def add_rows(
    which: NDArray[np.int32],
    n: int,
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    part: NDArray[np.int32],
    total: NDArray[np.int64],
) -> None:
    """Add `rows[which[:n]]` to `total` (`d`), exactly.

    `bounds` are the rows' `largest`; `part` (`d`, zero before and after) takes the additions that
    cannot overflow: twice as many numbers at a time as `total` would.
    """
    width = rows.shape[1]
    load, i = np.int64(0), 0
    while i < n:
        four = i + 4 <= n
        a = np.int64(which[i])
        b = np.int64(which[i + 1]) if four else a
        c = np.int64(which[i + 2]) if four else a
        e = np.int64(which[i + 3]) if four else a
        more = bounds[a] + (bounds[b] + bounds[c] + bounds[e] if four else 0)
        if load + more > _FULL:
            for j in range(width):
                total[j] += part[j]
                part[j] = 0
            load = np.int64(0)
        load += more
        if four and more <= _FULL:
            for j in range(width):
                part[j] += rows[a, j] + rows[b, j] + rows[c, j] + rows[e, j]
            i += 4
        else:
            for j in range(width):
                part[j] += rows[a, j]
            i += 1
    for j in range(width):
        total[j] += part[j]
        part[j] = 0


@njit(nogil=True, cache=True)
def means(totals: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Write `n x d` totals of rows, in units of `UNIT`, over the number of rows; zeros where there are none."""
    for i in range(len(totals)):
        scale = UNIT / max(counts[i], 1)
        for j in range(totals.shape[1]):
            out[i, j] = np.float32(totals[i, j] * scale)
