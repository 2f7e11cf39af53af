r"""Hashed n-grams of each text: what a text is made of, as buckets; and how many there are.

Source: the features of DSIR (Xie et al. 2023, "Data Selection for Language Models via Importance
Resampling"). Tokens are the paper's (runs of word characters, runs of other characters); with
`compat` they and their SHA-256 buckets are exactly those of the package `data-selection`, without
it the hash is a fast one and letters beyond ASCII count as word characters and keep their case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.kernels.ngrams import MAX_BUCKETS, ngram_buckets
from tamis.kernels.wordpunct import non_ascii, sha256_ngram_buckets
from tamis.signals.base import PoolSignal, RecordSignal

__all__ = ["NgramCount", "Ngrams", "lists"]

_WORDS = re.compile(r"\w+|[^\w\s]+")


class Ngrams(RecordSignal):
    """The bucket of every n-gram of 1 to `n` words of a text: a list of uint16 a record.

    Parameters
    ----------
    n : int
        Longest n-gram, in words.
    buckets : int
        How many buckets the n-grams are hashed into, at most 65536.
    compat : bool
        Tokens and buckets of the package `data-selection` (slower).

    Raises
    ------
    OptionError
        `n` or `buckets` out of range.
    """

    name: ClassVar[str] = "ngrams"
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "hashed word n-grams, a list of buckets a record"
    source: ClassVar[str] = "DSIR, Xie et al. 2023, arXiv 2302.03169"
    cost: ClassVar[str] = "O(bytes); stores 2 bytes an n-gram, about 0.7 of the text"

    def __init__(self, *, n: int = 2, buckets: int = 10_000, compat: bool = False) -> None:
        if not 1 <= n <= 8:
            raise OptionError(f"signal 'ngrams', option 'n': expected 1 to 8 words, got {n}.")
        if not 1 <= buckets <= MAX_BUCKETS:
            raise OptionError(f"signal 'ngrams', option 'buckets': expected 1 to {MAX_BUCKETS}, got {buckets}.")
        self.n = n
        self.buckets = buckets
        self.compat = compat

    def parameters(self) -> dict[str, Any]:
        """Return n, buckets and the kind of hash."""
        return {"n": self.n, "buckets": self.buckets, "compat": self.compat}

    def column(self, text: Text) -> pa.Array:
        """Return a large_list<uint16> array: the buckets of each of the `n` texts, in text order."""
        if self.compat:
            ready, joined = _joined_where_needed(text)
            values, offsets = sha256_ngram_buckets(ready.data, ready.offsets, joined, self.n, self.buckets)
        else:
            values, offsets = ngram_buckets(text.data, text.offsets, self.n, self.buckets)
        return pa.LargeListArray.from_arrays(as_arrow(offsets), as_arrow(values))


class NgramCount(PoolSignal):
    """How many n-grams a text has: int64 a record. For `w` words and `n` = 2 that is 2 w - 1."""

    name: ClassVar[str] = "ngram_count"
    version: ClassVar[int] = 1
    summary_line: ClassVar[str] = "number of n-grams in a record"
    source: ClassVar[str] = "ours"
    cost: ClassVar[str] = "O(records)"

    def __init__(self, ngrams: Ngrams | None = None) -> None:
        self.inputs = (ngrams or Ngrams(),)

    def parameters(self) -> dict[str, Any]:
        """Return the key of the n-grams counted."""
        return {"ngrams": self.inputs[0].key()}

    def summary(self, columns: Mapping[str, pa.Array]) -> None:  # noqa: ARG002
        """Return None: nothing of the pool is needed."""
        return

    def merge(self, summaries: Iterable[None]) -> None:  # noqa: ARG002
        """Return None."""
        return

    def column(self, columns: Mapping[str, pa.Array], state: None) -> pa.Array:  # noqa: ARG002
        """Return the number of n-grams of each record, int64."""
        return as_arrow(np.diff(lists(columns["ngrams"])[1]))


def lists(column: pa.Array) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Return an `ngrams` column as (values, offsets): record `i` is ``values[offsets[i]:offsets[i + 1]]``."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return as_numpy(column.values), as_numpy(column.offsets)


def _joined_where_needed(text: Text) -> tuple[Text, NDArray[np.bool_]]:
    """Return the texts with the non-ASCII ones as their words, a space between, and which those are.

    What a letter and its lower case are beyond ASCII is Python's to say: these go through `re`.
    """
    wide: NDArray[np.bool_] = non_ascii(text.data, text.offsets)
    if not wide.any():
        return text, wide
    array, mask = text.array(), pa.array(wide)
    joined = [" ".join(_WORDS.findall(t.lower())) for t in array.filter(mask).to_pylist()]
    return Text.of(pc.replace_with_mask(array, mask, pa.array(joined, pa.large_string()))), wide
