"""The one shape in which every reader hands over its records: a chunk.

A chunk is what one fragment (a run of rows of one file) holds, in memory. There are two
families: bytes with spans (JSONL, JSON arrays, plain text) and Arrow tables (Parquet,
Feather, CSV, objects in Python). Both parse into the same columns, so nothing above this
room knows which format a record came from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.shapes import Shape

__all__ = ["Chunk", "FieldColumn", "Kind", "Parsed", "Reading", "Reject", "Text"]


class Reject(IntEnum):
    """Why a record was set aside; `OK` when it was not."""

    OK = 0
    BROKEN_JSON = 1
    NOT_AN_OBJECT = 2
    INVALID_UTF8 = 3
    MISSING_FIELD = 4
    WRONG_TYPE = 5
    EMPTY = 6
    BROKEN_ROW = 7  # a row of a CSV file with more or fewer values than the header


class Kind(IntEnum):
    """The JSON kind of one value of a field."""

    NULL = 0  # null or absent
    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    NESTED = 5  # an array or object: cannot be compared


@dataclass(frozen=True, slots=True)
class Text:
    """`n` texts in Arrow's large_string layout: text `i` is `data[offsets[i]:offsets[i + 1]]`, UTF-8."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def array(self) -> pa.LargeStringArray:
        """Return the texts as an Arrow array over the same memory."""
        return pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data))

    @staticmethod
    def of(array: pa.Array) -> Text:
        """Return the texts of an Arrow string array (nulls read as empty), copying only when it must."""
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if array.null_count:
            array = array.fill_null("")
        array = array.cast(pa.large_string())
        _, offsets, data = array.buffers()
        where = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        if len(where) and where[0]:
            bytes_, where = bytes_[where[0] :], where - where[0]
        return Text(bytes_, where)


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """A top-level field of `n` records, as found: the kind of each value and its text.

    `text` holds strings unescaped and other scalars as their JSON text; it is empty for nulls
    and nested values.
    """

    kind: NDArray[np.uint8]
    text: Text


@dataclass(frozen=True, slots=True)
class Reading:
    """How records are to be read: their shape, the id field, and the fields wanted as columns."""

    shape: Shape
    id_field: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """The columns of a parsed chunk of `n` records, rejected ones included.

    `status` (`n`, `Reject` codes) says which records are usable; `detail` (`n`) qualifies it:
    the 1-based byte column for BROKEN_JSON and INVALID_UTF8, an index into `names` for
    MISSING_FIELD and WRONG_TYPE, the number of values for BROKEN_ROW, else -1. `text` is empty
    for rejected records. `key` (`n x 2`, high and low word) is the 128-bit hash of the raw record. `ids` are the user's
    ids where an id field is set.
    """

    status: NDArray[np.uint8]
    detail: NDArray[np.int32]
    names: tuple[str, ...]
    text: Text
    key: NDArray[np.uint64]
    ids: Text | None = None
    fields: dict[str, FieldColumn] = field(default_factory=dict)


class Chunk(ABC):
    """The records of one fragment.

    Attributes
    ----------
    n : int
        Records, broken ones included; blank lines are no records.
    line : int64 array of shape (n,)
        1-based line (or row, or element) of each record within the fragment.
    lines : int
        Lines (rows, elements) the fragment spans, so that line numbers add up over fragments.
    nbytes : int
        Bytes the fragment holds.
    """

    n: int
    line: NDArray[np.int64]
    lines: int
    nbytes: int

    @abstractmethod
    def parse(self, reading: Reading) -> Parsed:
        """Return the columns that `reading` asks for."""

    @abstractmethod
    def sample(self, limit: int) -> list[Any]:
        """Return up to `limit` first records as Python objects (unreadable ones left out)."""

    @abstractmethod
    def jsonl(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the given records as JSON texts of one line each, without line ends.

        A record that came from JSONL is the same bytes as in its file.
        """

    @abstractmethod
    def table(self, rows: NDArray[np.int64]) -> pa.Table:
        """Return the given records as an Arrow table."""

    @abstractmethod
    def raw(self, row: int) -> bytes:
        """Return what the source holds for one record, readable or not."""
