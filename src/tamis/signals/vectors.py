"""The vector of each text: what it is about, as `d` numbers.

By default the mean of wordllama's token rows, added up exactly (`tamis.signals.static`): equal to
`WordLlama.embed` to float16, many times faster. Any other encoder is called on lists of texts.
A text without tokens has a vector of zeros: nothing else has, and methods set it aside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.errors import InputError
from tamis.signals.base import RecordSignal
from tamis.signals.static import StaticMeans
from tamis.signals.tokenizers import load as load_tokenizer
from tamis.vectors.encoders import Encoder, checked
from tamis.vectors.encoders import encoder as other_encoder
from tamis.vectors.wordllama import load as load_rows

__all__ = ["DEFAULT", "TextEncoder", "Vectors", "column_of", "encoder", "rows_of"]

#: The encoder that needs no download.
DEFAULT = "wordllama"
_LARGEST = 65504.0  # of float16


class TextEncoder:
    """Gives texts their vectors: what `encoder` returns.

    Attributes
    ----------
    name, width, fingerprint
        As in `tamis.vectors.encoders.Encoder`.
    note : str
        How vectors are computed, for people.
    """

    def __init__(self, inner: Encoder) -> None:
        self.inner = inner
        self.name, self.width, self.fingerprint = inner.name, inner.width, inner.fingerprint
        self.note = f"texts encoded by {inner.name}"

    def encode(self, text: Text) -> NDArray[np.float32]:
        """Return the vectors of `n` texts, `n x d`; zeros for an empty one, which no encoder sees."""
        out = np.zeros((len(text), self.width), np.float32)
        told = np.flatnonzero(np.diff(text.offsets) > 0)
        if len(told):
            texts = text.array().take(pa.array(told)).to_pylist()
            out[told] = self.inner.encode(texts)
        return out


class _Static(TextEncoder):
    """wordllama's rows, by pieces."""

    def __init__(self, pieces: bool) -> None:
        rows, tokenizer = load_rows(), load_tokenizer()
        self._means = StaticMeans(rows, tokenizer, pieces=pieces)
        self.name, self.width = DEFAULT, rows.width
        self.fingerprint = f"{DEFAULT}:{rows.fingerprint}:{tokenizer.fingerprint}"
        self.note = f"mean token rows of wordllama; {self._means.note}"

    def encode(self, text: Text) -> NDArray[np.float32]:
        """Return the vectors of `n` texts, `n x d`; zeros for one without tokens."""
        return self._means.means(text)


def encoder(spec: str | Callable[[list[str]], Any] | Encoder = DEFAULT, *, pieces: bool = True) -> TextEncoder:
    """Return the encoder of texts that `spec` stands for.

    "wordllama", `model2vec:NAME`, `sentence-transformers:NAME`, any function from a list of texts to
    an `n x d` array, or an `Encoder`. `pieces` False tokenises whole texts for "wordllama".

    Raises OptionError for anything else, UserError for a package that is not installed.
    """
    return _Static(pieces) if spec == DEFAULT else TextEncoder(other_encoder(spec))


class Vectors(RecordSignal):
    """A vector of `d` numbers for each record, as float16; zeros for a record without tokens."""

    name: ClassVar[str] = "vectors"
    version: ClassVar[int] = 1
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "what a record is about, as 256 numbers (or those of a model you name)"
    source: ClassVar[str] = "WordLlama, github.com/dleemiller/WordLlama; adding up exactly is ours"
    cost: ClassVar[str] = "O(bytes); stores 2 bytes a number, 512 a record"

    def __init__(self, encoder: str | Callable[[list[str]], Any] | Encoder = DEFAULT, *, pieces: bool = True) -> None:
        self.encoder = encoder
        self.pieces = pieces
        self._lock = threading.Lock()
        self._built: TextEncoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"encoder": self.encoder, "pieces": self.pieces}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["encoder"], pieces=state["pieces"])  # type: ignore[misc]

    @property
    def built(self) -> TextEncoder:
        """Return the encoder, loaded once, whichever thread comes first."""
        with self._lock:
            if self._built is None:
                self._built = encoder(self.encoder, pieces=self.pieces)
            return self._built

    @property
    def note(self) -> str:
        """Return how the vectors are computed, for people to read."""
        return self.built.note

    def parameters(self) -> dict[str, Any]:
        """Return the encoder's fingerprint: the same model under two names is one signal."""
        return {"encoder": self.built.fingerprint}

    def column(self, text: Text) -> pa.Array:
        """Return a fixed_size_list<float16>[d] array for the `n` texts.

        Raises InputError for a vector that is not finite or beyond float16.
        """
        vectors = self.built.encode(text)
        return _halves(vectors) if isinstance(self.built, _Static) else column_of(vectors, self.built.name)


def column_of(vectors: NDArray[Any], name: str = "vectors") -> pa.FixedSizeListArray:
    """Return `n x d` numbers as a column of the store: fixed_size_list<float16>[d], no nulls.

    Raises InputError for a number that is not finite, or beyond float16's 65504.
    """
    array = checked(vectors, len(vectors), name)
    if len(array) and np.abs(array).max() > _LARGEST:
        row = int(np.argmax(np.abs(array).max(axis=1)))
        raise InputError(f"{name}: expected numbers of magnitude up to {_LARGEST:g}, got larger ones at record {row}.")
    return _halves(array)


def _halves(array: NDArray[np.float32]) -> pa.FixedSizeListArray:
    halves = np.ascontiguousarray(array, np.float16)
    values = pa.Array.from_buffers(pa.float16(), halves.size, [None, pa.py_buffer(halves)])
    return pa.FixedSizeListArray.from_arrays(values, array.shape[1])


def rows_of(column: pa.Array, name: str = "vectors") -> NDArray[Any]:
    """Return a column of lists of numbers as an `n x d` array, without a copy where it lies so already.

    Takes fixed_size_list, list and large_list of any float or integer type; a null is a vector of
    zeros. Raises InputError for lists of unequal lengths, naming the first.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (lists or pa.types.is_fixed_size_list(kind)) or not _is_number(kind.value_type):
        raise InputError(f"column '{name}': expected lists of numbers, got {kind}.")
    if column.null_count or lists:
        return _gathered(column, name)
    width, values = kind.list_size, column.values
    return _numbers(values).reshape(-1, width)[column.offset : column.offset + len(column)]


def _gathered(column: pa.Array, name: str) -> NDArray[Any]:
    """Return lists that may be null, or of unequal lengths, as rows."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    width = int(sizes[valid].max(initial=0))
    wrong = np.flatnonzero(valid & (sizes != width))
    if len(wrong) or not width:
        at, got = (int(wrong[0]), int(sizes[wrong[0]])) if len(wrong) else (0, 0)
        raise InputError(
            f"column '{name}': expected {width or 'some'} numbers in every list, got {got} at record {at}."
        )
    values = _numbers(pc.list_flatten(column))
    out = np.zeros((len(column), width), values.dtype)
    out[valid] = values.reshape(-1, width)
    return out


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _numbers(values: pa.Array) -> NDArray[Any]:
    """Return numbers without nulls (a null is not finite) as an array, without a copy where there are none."""
    return np.asarray(values.to_numpy(zero_copy_only=False))
