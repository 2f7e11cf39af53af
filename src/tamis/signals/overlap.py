"""Text in common with other files: the n-grams of words that decontamination looks for.

A record is contaminated when it holds a run of `n` words of a record of the other files. The rule
and the 13 words are those of GPT-3 (Brown et al. 2020, appendix C), which also looked for shorter
texts whole, down to 8 words; most public pipelines differ in `n` alone (8 to 13). Ours: the share
of the other record's n-grams that must be found (any at all by default), words of any script,
and the span that is shown, so that a person can judge a hit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow
from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.kernels.overlap import bit_table, find_overlaps, ngram_hashes
from tamis.kernels.shingles import UNICODE
from tamis.signals.base import RecordSignal

__all__ = ["HOLDERS", "NGRAM", "SHORTEST", "Grams", "NgramIndex", "Overlap"]

NGRAM, SHORTEST = 13, 8
"""Words of an n-gram, and of the shortest text that is looked for whole."""

HOLDERS = 100
"""For how many of the records that hold it an n-gram counts."""


@dataclass(frozen=True, eq=False)
class Grams:
    """The n-grams of one fragment of the other files: see `kernels.overlap.ngram_hashes`."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    words: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @staticmethod
    def of(text: Text, n: int = NGRAM, shortest: int = SHORTEST) -> Grams:
        """Return the n-grams of some texts."""
        return Grams(*ngram_hashes(text.data, text.offsets, n, shortest))


class NgramIndex:
    """The distinct n-grams of the records of other files, and who holds them.

    Parameters
    ----------
    parts : iterable of Grams
        Fragment by fragment; the records are numbered as they come.
    order : int64 array of shape (m,), optional
        The numbers of the records in the order in which they are named: of several that a text
        holds as much of, the first is. Canonical order makes that independent of the input's.

    Attributes
    ----------
    hashes : uint64 array of shape (g,)
        Ascending.
    holders, bounds : int32 array, int64 array of shape (g + 1,)
        The records (places in `order`) with n-gram `i`: ``holders[bounds[i]:bounds[i + 1]]``, the
        first `HOLDERS` of them: a phrase of thousands of records tells none of them apart.
    total : int64 array of shape (m,)
        Distinct n-grams of each record, those aside that count for others.
    order : int64 array of shape (m,)
        The number of the record in each place.
    sizes : int64 array
        Words of the n-grams there are, descending: `n`, and those of shorter texts.
    too_short : int
        Records with words, but fewer than are looked for.
    """

    def __init__(self, parts: Iterable[Grams], order: NDArray[np.int64] | None = None) -> None:
        grams = list(parts)
        count = _joined([np.diff(part.offsets) for part in grams], np.int64)
        self.order = np.arange(len(count)) if order is None else order
        place = np.empty(len(count), np.int32)
        place[self.order] = np.arange(len(count), dtype=np.int32)
        hashes = _joined([part.hashes for part in grams], np.uint64)
        owner = np.repeat(place, count)
        by_hash = np.lexsort((owner, hashes))
        hashes, owner = hashes[by_hash], owner[by_hash]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(hashes) else np.empty(0, np.int64)
        each = np.diff(np.append(first, len(hashes)))
        counts = np.arange(len(hashes)) - np.repeat(first, each) < HOLDERS
        self.hashes = hashes[first]
        self.holders = owner[counts]
        self.bounds = np.append(0, np.cumsum(np.minimum(each, HOLDERS))).astype(np.int64)
        self.total = np.bincount(self.holders, minlength=len(count))
        self.table = bit_table(self.hashes)
        sizes = np.unique(_joined([part.sizes for part in grams], np.int64))[::-1]
        self.sizes = np.ascontiguousarray(sizes[sizes > 0])
        self.too_short = sum(int(((part.words > 0) & (part.sizes == 0)).sum()) for part in grams)

    def digest(self) -> str:
        """Return a hash of the whole index."""
        found = hashlib.blake2b(digest_size=16)
        for part in (self.hashes, self.holders, self.bounds, self.sizes):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


class Overlap(RecordSignal):
    """What a record holds of other files: a struct, null for a record that holds nothing.

    `other` (int32, a place in the index's `order`), `share` (float64, of its
    n-grams), `start`, `stop` (int64, bytes in the text), `matched` (the words between them).

    Parameters
    ----------
    index : NgramIndex
        The others' n-grams.
    share : float
        The least share of the other record's distinct n-grams; 0 for any at all.

    Raises
    ------
    OptionError
        A share out of range.
    """

    name: ClassVar[str] = "overlap"
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "n-grams in common with other files (needs --against)"
    source: ClassVar[str] = "Brown et al. 2020, Language Models are Few-Shot Learners, appendix C"
    cost: ClassVar[str] = "O(words); memory 13 bytes an n-gram of the others"

    def __init__(self, index: NgramIndex, *, share: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise OptionError(f"signal 'overlap', option 'share': expected 0 to 1, got {share:g}.")
        self.index = index
        self.share = share
        self._digest = index.digest()

    def parameters(self) -> dict[str, Any]:
        """Return the hash of the index, the share and the version of Unicode."""
        return {"index": self._digest, "share": self.share, "unicode": UNICODE}

    def column(self, text: Text) -> pa.StructArray:
        """Return a struct array: what each of the `n` texts holds of the others, null for nothing."""
        index = self.index
        other, start, stop, share = find_overlaps(
            text.data, text.offsets, index.sizes, index.hashes, index.table, index.holders, index.bounds, index.total
        )
        hit = (other >= 0) & (share >= self.share)
        start, stop = np.where(hit, start, 0), np.where(hit, stop, 0)
        offsets = np.zeros(len(hit) + 1, np.int64)
        np.cumsum(stop - start, out=offsets[1:])
        parts = [
            text.data[text.offsets[i] + start[i] : text.offsets[i] + stop[i]] for i in np.flatnonzero(hit).tolist()
        ]
        matched = Text(_joined(parts, np.uint8), offsets)
        arrays = [as_arrow(other), as_arrow(share), as_arrow(start), as_arrow(stop), matched.array()]
        names = ["other", "share", "start", "stop", "matched"]
        return pa.StructArray.from_arrays(arrays, names=names, mask=pc.invert(as_arrow(hit)))


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
