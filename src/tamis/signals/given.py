"""Vectors that exist already: a field of the records, or an array with one row a record.

They are copied into the store once, as float16, like vectors that are computed; a record without
any (null, or no such member) has a vector of zeros, and methods set it aside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.json
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.table_chunk import TableChunk
from tamis.errors import InputError, nearest
from tamis.signals.base import ReadSignal
from tamis.signals.vectors import column_of, rows_of
from tamis.vectors.encoders import Given

__all__ = ["FieldVectors", "GivenVectors"]

_LISTS = pa.list_(pa.float32())


class GivenVectors(ReadSignal):
    """The rows of an array, or of an `.npy` file, in the order of the input: one a record, broken ones included."""

    name: ClassVar[str] = "vectors"
    numeric: ClassVar[bool] = False
    of_pool: ClassVar[bool] = True  # which row is whose depends on all files before

    def __init__(self, given: Given) -> None:
        self.given = given
        self._fingerprint = given.fingerprint

    @property
    def note(self) -> str:
        """Return where the vectors are from, for people to read."""
        return f"given: {self.given.name}"

    def parameters(self) -> dict[str, Any]:
        """Return a hash of the array."""
        return {"given": self._fingerprint}

    def prepare(self, corpus: Corpus) -> None:
        """Raise InputError where there is not one row a record."""
        if len(self.given) != len(corpus.rows):
            raise InputError(
                f"vectors, {self.given.name}: expected {len(corpus.rows):,} rows, one a record of the pool in the "
                f"order of its files and lines (broken records included), got {len(self.given):,}."
            )

    def read(self, corpus: Corpus, fragment: Fragment, load: Callable[[], Chunk]) -> pa.Array:  # noqa: ARG002
        """Return the vectors of a fragment."""
        rows = self.given.rows(fragment.first_row, fragment.first_row + fragment.rows)
        return column_of(rows, self.given.name)


class FieldVectors(ReadSignal):
    """A field of the records that holds a list of `d` numbers."""

    name: ClassVar[str] = "vectors"
    numeric: ClassVar[bool] = False

    def __init__(self, field: str) -> None:
        self.field = field
        self._width = 0

    @property
    def note(self) -> str:
        """Return where the vectors are from, for people to read."""
        return f"the field '{self.field}' of the records"

    def parameters(self) -> dict[str, Any]:
        """Return the name of the field."""
        return {"field": self.field}

    def prepare(self, corpus: Corpus) -> None:
        """Find the width of the vectors: that of the first record that has one.

        Raises InputError when no record has one.
        """
        for fragment, load in corpus.fragment_tasks(lambda fragment: fragment.rows > 0):
            found = self._lists(corpus, fragment, load())
            if found is not None and len(found) > found.null_count:
                self._width = rows_of(found.drop_null().slice(0, 1), self.field).shape[1]
                return
        seen = corpus.fields_seen()
        raise InputError(
            f"vectors, field '{self.field}': expected a list of numbers in the records, no record has one."
            f"{nearest(self.field, seen)} Fields seen: {', '.join(seen[:20])}."
        )

    def read(self, corpus: Corpus, fragment: Fragment, load: Callable[[], Chunk]) -> pa.Array:
        """Return the vectors of a fragment; zeros for a record without."""
        out = np.zeros((fragment.rows, self._width), np.float32)
        usable = np.flatnonzero(_status(corpus, fragment) == 0)
        found = self._lists(corpus, fragment, load())
        if found is not None and len(found) > found.null_count:
            where = f"'{self.field}' in {corpus.file_of(fragment.first_row)}"
            rows = rows_of(found, where)
            if rows.shape[1] != self._width:
                raise InputError(
                    f"column {where}: expected {self._width} numbers in every list, got {rows.shape[1]}"
                    f" from line {corpus.rows.line[fragment.first_row]} on."
                )
            out[usable] = rows
        return column_of(out, f"the field '{self.field}'")

    def _lists(self, corpus: Corpus, fragment: Fragment, chunk: Chunk) -> pa.Array | None:
        """Return the lists of the usable records of a fragment (null without one); None without the field."""
        rows = np.flatnonzero(_status(corpus, fragment) == 0)
        if not len(rows):
            return None
        if isinstance(chunk, TableChunk):
            table = chunk.table(rows)
            if self.field not in table.column_names:
                return None
            return table.column(self.field).combine_chunks()
        lines = b"\n".join(chunk.jsonl(rows)) + b"\n"
        try:
            table = pa.json.read_json(
                pa.BufferReader(lines),
                read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
                parse_options=pa.json.ParseOptions(
                    explicit_schema=pa.schema([(self.field, _LISTS)]), unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowInvalid as error:
            place = f"{corpus.file_of(fragment.first_row)} from line {corpus.rows.line[fragment.first_row]} on"
            raise InputError(
                f"vectors, field '{self.field}': expected a list of numbers in every record of {place}, got: {error}"
            ) from error
        return table.column(self.field).combine_chunks()


def _status(corpus: Corpus, fragment: Fragment) -> NDArray[np.uint8]:
    return np.asarray(corpus.rows.status[fragment.first_row : fragment.first_row + fragment.rows])
