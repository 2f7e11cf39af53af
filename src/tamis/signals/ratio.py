"""Log importance of each text for a target, against the pool it is in.

Source: DSIR (Xie et al. 2023), log w(x) = sum over the n-grams of x of
log(p_target + 1e-8) - log(p_pool + 1e-8), two bags of hashed n-grams. Ours: the correction for
length. A sum grows with length, so on texts of unequal length it mostly measures length; the
authors' advice is to cut texts into equal chunks first. Here a text is weighed as one chunk of
`G` n-grams: a longer one, of `N`, by the mean over its chunks, its sum times G / N; a shorter one
as if the words that are missing were the average of the pool, its sum plus (G - N) times that
average. The weight of a chunk of average text is then taken off all of them, which changes no
choice: 0 is a text as likely in the target as the pool's average, whatever its length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow
from tamis.errors import InputError, OptionError
from tamis.kernels.ngrams import count_buckets, score_buckets
from tamis.signals.base import PoolSignal
from tamis.signals.ngrams import Ngrams, lists

__all__ = ["Ratio", "chunk_ngrams", "count_ngrams", "log_ratio", "log_weights"]

_FLOOR = 1e-8


class Ratio(PoolSignal):
    """The log importance weight of a record: float64, above 0 where it looks more like the target than most.

    Parameters
    ----------
    target : int64 array of shape (buckets,)
        How often each bucket occurs in the target (`count_ngrams`).
    ngrams : Ngrams
        The n-grams counted; the target's must be the same.
    chunk : int or None
        Words of a chunk; None for the plain sum over the whole text.
    fit : int or None
        Stop fitting the pool's bag after the record with which it exceeds this many n-grams,
        in input order (the reference package: 100,000 times `buckets`); None for all.

    Raises
    ------
    InputError
        A target without n-grams, or of another number of buckets.
    OptionError
        `chunk` below `n` or `fit` below 1.
    """

    name: ClassVar[str] = "ratio"
    version: ClassVar[int] = 1
    summary_line: ClassVar[str] = "log importance of a target against the pool (needs a target)"
    source: ClassVar[str] = "DSIR, Xie et al. 2023, arXiv 2302.03169; equal-length correction ours"
    cost: ClassVar[str] = "O(n-grams), two passes; memory 8 bytes a bucket"

    def __init__(
        self,
        target: NDArray[np.int64],
        *,
        ngrams: Ngrams | None = None,
        chunk: int | None = 128,
        fit: int | None = None,
    ) -> None:
        features = ngrams or Ngrams()
        counts = np.ascontiguousarray(target, np.int64)
        if counts.shape != (features.buckets,):
            raise InputError(f"target counts: expected {features.buckets} buckets, got shape {counts.shape}.")
        if counts.min() < 0 or not counts.sum():
            raise InputError("a target without text: expected at least one word, got none. Check --target and --text.")
        if chunk is not None and chunk < features.n:
            raise OptionError(f"signal 'ratio', option 'chunk': expected at least {features.n} words, got {chunk}.")
        if fit is not None and fit < 1:
            raise OptionError(f"signal 'ratio', option 'fit': expected at least 1 n-gram, got {fit}.")
        self.inputs = (features,)
        self.target = counts
        self.ngrams = features
        self.chunk = chunk
        self.fit = fit

    def parameters(self) -> dict[str, Any]:
        """Return the n-grams' key, the chunk, the limit of the fit and a hash of the target's counts."""
        digest = hashlib.blake2b(self.target.tobytes(), digest_size=16).hexdigest()
        return {"ngrams": self.ngrams.key(), "chunk": self.chunk, "fit": self.fit, "target": digest}

    def summary(self, columns: Mapping[str, pa.Array]) -> tuple[NDArray[np.int64], pa.Array | None]:
        """Return the bucket counts of a fragment and, where the fit has a limit, the column itself.

        The column is a view: with a limit, the record at which the fit stops is known only when
        the fragments before it are.
        """
        column = columns["ngrams"]
        return count_ngrams([column], self.ngrams.buckets), None if self.fit is None else column

    def merge(self, summaries: Iterable[tuple[NDArray[np.int64], pa.Array | None]]) -> NDArray[np.float64]:
        """Return the weight of each bucket (`buckets`, float64), less the pool's average unless `chunk` is None.

        Without a limit the order of the fragments does not matter; with one, they are expected in
        input order and no more are taken than needed.
        """
        pool = np.zeros(self.ngrams.buckets, np.int64)
        for counts, column in summaries:
            if self.fit is None or pool.sum() + counts.sum() <= self.fit:
                pool += counts
                continue
            pool += count_ngrams([column], self.ngrams.buckets, limit=self.fit - int(pool.sum()))
            break
        weights = log_ratio(self.target, pool)
        if self.chunk is not None and pool.any():
            weights -= float(pool @ weights) / int(pool.sum())
        return weights

    def column(self, columns: Mapping[str, pa.Array], state: NDArray[np.float64]) -> pa.Array:
        """Return the log weight of each record of a fragment, float64; 0 for a text without words."""
        chunk = None if self.chunk is None else chunk_ngrams(self.chunk, self.ngrams.n)
        return as_arrow(log_weights(columns["ngrams"], state, chunk))


def log_ratio(target: NDArray[np.int64], pool: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return log(p_target + 1e-8) - log(p_pool + 1e-8) for each bucket, from two arrays of counts."""
    p_target = target / max(int(target.sum()), 1)
    p_pool = pool / max(int(pool.sum()), 1)
    return np.asarray(np.log(p_target + _FLOOR) - np.log(p_pool + _FLOOR), np.float64)


def log_weights(column: pa.Array, weights: NDArray[np.float64], chunk: int | None) -> NDArray[np.float64]:
    """Return the log weight of each record of an `ngrams` column, float64.

    `weights` is `log_ratio`'s, for chunks less the pool's average; `chunk` is the number of n-grams
    of a chunk, None for the plain sum.
    """
    values, offsets = lists(column)
    scores: NDArray[np.float64] = score_buckets(values, offsets, weights)
    if chunk is not None:
        scores *= np.minimum(1.0, chunk / np.maximum(np.diff(offsets), 1))
    return scores


def chunk_ngrams(words: int, n: int) -> int:
    """Return how many n-grams of 1 to `n` words are in `words` words: 255 for 128 words and n = 2."""
    return sum(words - i + 1 for i in range(1, n + 1))


def count_ngrams(columns: Iterable[pa.Array], buckets: int, limit: int | None = None) -> NDArray[np.int64]:
    """Return how often each bucket occurs in `ngrams` columns (`buckets`, int64).

    With `limit`, records are counted in order until their n-grams exceed it, the last one whole.
    """
    counts = np.zeros(buckets, np.int64)
    left = limit
    for column in columns:
        values, offsets = lists(column)
        stop = len(offsets) - 1
        if left is not None:
            stop = min(stop, int(np.searchsorted(offsets[1:] - offsets[0], left, side="right")) + 1)
            left -= int(offsets[stop] - offsets[0])
        counts += count_buckets(values[offsets[0] : offsets[stop]], buckets)
        if left is not None and left < 0:
            break
    return counts
