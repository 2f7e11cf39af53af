"""The min-hash signature of each text: what near-duplicates are found by.

Source: Broder 1997, "On the resemblance and containment of documents"; five-word shingles as in
most web corpora. Ours: words of any script instead of tokens of one language, so case, spacing
and punctuation never count; the exact hash of the words beside the signature; texts shorter than
a shingle are one shingle; a mark to sample similar pairs by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow
from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.kernels.hashing import salt
from tamis.kernels.minhash import permutations as drawn
from tamis.kernels.minhash import shingle_sets, signatures
from tamis.kernels.shingles import UNICODE
from tamis.signals.base import RecordSignal

__all__ = ["MinHash", "Signatures"]

_UNITS = ("words", "chars")


@dataclass(frozen=True, eq=False)
class Signatures:
    """The columns of a `minhash` column, `n` records.

    Attributes
    ----------
    exact : uint64 array of shape (n, 2)
        Hash of the words of a text (of its characters, for shingles of characters); zeros for a
        text without words.
    minima : uint32 array of shape (n, permutations)
        The signature.
    mark : uint32 array of shape (n,)
        A minimum that the signature knows nothing of: what samples are drawn by.
    """

    exact: NDArray[np.uint64]
    minima: NDArray[np.uint32]
    mark: NDArray[np.uint32]

    @staticmethod
    def of(column: pa.StructArray) -> Signatures:
        """Return the parts of a column; the minima as a view of its memory."""
        n = len(column)
        width = column.type.field("minima").type.list_size
        part = column.field("minima")  # a slice of the struct has sliced its children
        start = part.values.offset + part.offset * width
        flat = np.frombuffer(part.values.buffers()[1], np.uint32)[start : start + n * width]
        exact = np.empty((n, 2), np.uint64)
        for j, name in enumerate(("high", "low")):
            exact[:, j] = _numbers(column, name, np.dtype(np.uint64))
        return Signatures(exact, flat.reshape(n, width), _numbers(column, "mark", np.dtype(np.uint32)))


def _numbers(column: pa.StructArray, name: str, kind: np.dtype[Any]) -> NDArray[Any]:
    part = column.field(name)
    data = part.buffers()[1]
    return np.frombuffer(data, kind)[part.offset : part.offset + len(part)] if len(part) else np.empty(0, kind)


def _words32(values: NDArray[np.uint32]) -> pa.Array:
    return pa.Array.from_buffers(pa.uint32(), len(values), [None, pa.py_buffer(values)])


class MinHash(RecordSignal):
    """The signature of a text: a struct of `high`, `low` (exact hash), `mark` and `minima`.

    Parameters
    ----------
    unit : str
        Shingles of `words` or of `chars` (characters; whatever separates words is one space).
    size : int, optional
        Words or characters of a shingle: 5 words, or 20 characters.
    permutations : int
        Places of the signature: estimates have standard deviation sqrt(s (1 - s) / permutations).
    seed : int
        Decides the permutations.

    Raises
    ------
    OptionError
        A parameter out of range.
    """

    name: ClassVar[str] = "minhash"
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "min-hash signature, to find near-duplicates by"
    source: ClassVar[str] = "Broder 1997, On the resemblance and containment of documents"
    cost: ClassVar[str] = "O(words x permutations); stores 4 bytes a permutation"

    def __init__(self, *, unit: str = "words", size: int | None = None, permutations: int = 128, seed: int = 0) -> None:
        if unit not in _UNITS:
            raise OptionError(f"signal 'minhash', option 'unit': expected 'words' or 'chars', got '{unit}'.")
        self.unit = unit
        self.size = size if size is not None else (5 if unit == "words" else 20)
        if not 1 <= self.size <= 1000:
            raise OptionError(f"signal 'minhash', option 'size': expected 1 to 1000 {unit}, got {size}.")
        if not 1 <= permutations <= 4096:
            raise OptionError(f"signal 'minhash', option 'permutations': expected 1 to 4096, got {permutations}.")
        self.permutations = permutations
        self.seed = seed
        self._a, self._b = drawn(permutations, salt(seed, "minhash permutations"))

    def parameters(self) -> dict[str, Any]:
        """Return unit and size of the shingles, number and seed of the permutations, version of Unicode."""
        return {
            "unit": self.unit,
            "size": self.size,
            "permutations": self.permutations,
            "seed": self.seed,
            "unicode": UNICODE,
        }

    def column(self, text: Text) -> pa.StructArray:
        """Return a struct array: the signature of each of the `n` texts."""
        exact, minima, mark = signatures(text.data, text.offsets, self.unit == "chars", self.size, self._a, self._b)
        flat = _words32(minima.reshape(-1))
        arrays = {
            "high": as_arrow(np.ascontiguousarray(exact[:, 0])),
            "low": as_arrow(np.ascontiguousarray(exact[:, 1])),
            "mark": _words32(mark),
            "minima": pa.FixedSizeListArray.from_arrays(flat, self.permutations),
        }
        return pa.StructArray.from_arrays(list(arrays.values()), names=list(arrays))

    def sets(self, text: Text, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the distinct shingles of the texts `rows` as (values, offsets): 64-bit hashes, ascending."""
        values, offsets = shingle_sets(text.data, text.offsets, self.unit == "chars", self.size, rows)
        return values, offsets
