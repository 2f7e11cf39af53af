"""A fragment that is an Arrow table: Parquet, Feather, CSV, `datasets`, Lance, objects in Python."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk, FieldColumn, Kind, Parsed, Reading, Reject, Text
from tamis.corpus.shapes import fields_of
from tamis.corpus.table_keys import row_keys
from tamis.corpus.table_text import Marks, column, render
from tamis.corpus.table_values import json_lines, kind_of, texts, valid

__all__ = ["TableChunk"]


class TableChunk(Chunk):
    """The rows of a table; `line` is the number of the row.

    How values read as text, ids and JSON is told in `tamis.corpus.table_values`; what a row's
    key is, in `tamis.corpus.table_keys`. Where several columns have one name, texts, ids, fields
    and JSON lines show the last, as with duplicate keys in JSON. A row with bytes in a string
    column that are not UTF-8 is set aside. A column that holds JSON text is a string.

    Parameters
    ----------
    table : pa.Table or pa.RecordBatch
        The rows.
    """

    def __init__(self, table: pa.Table | pa.RecordBatch) -> None:
        self.rows = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
        self.n = self.rows.num_rows
        self.lines = self.n
        self.line = np.arange(1, self.n + 1, dtype=np.int64)
        self.nbytes = int(self.rows.nbytes)

    def parse(self, reading: Reading) -> Parsed:
        """Return the columns that `reading` asks for; `names` depends on `reading` alone."""
        names = fields_of(reading.shape)
        if reading.id_field is not None and reading.id_field not in names:
            names = (*names, reading.id_field)
        marks = self._marks()
        ids = self._ids(reading.id_field, names, marks) if reading.id_field is not None else None
        text = render(self.rows, reading.shape, names, marks)
        fields = {name: self._field(name) for name in reading.fields}
        return Parsed(marks.status, marks.detail, names, text, row_keys(self.rows), ids, fields)

    def sample(self, limit: int) -> list[Any]:
        """Return up to `limit` first records as Python objects (JSON types only)."""
        import orjson

        usable = np.flatnonzero(self._marks().status == Reject.OK)[:limit]
        return [orjson.loads(line) for line in self.jsonl(usable)]

    def jsonl(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return rows as JSON objects of one line, columns in order."""
        return json_lines(self.table(rows))

    def table(self, rows: NDArray[np.int64]) -> pa.Table:
        """Return rows as they are, schema and its metadata included."""
        try:
            return self.rows.take(pa.array(rows, pa.int64()))
        except pa.ArrowNotImplementedError:  # Arrow cannot take from every type (views of strings)
            return _by_slices(self.rows, rows)

    def raw(self, row: int) -> bytes:
        """Return a row as JSON; bytes that are not UTF-8 show as U+FFFD."""
        return json_lines(self.rows.slice(row, 1))[0]

    def _marks(self) -> Marks:
        """Return what is known of the rows before any field is looked at."""
        marks = Marks(np.zeros(self.n, np.uint8), np.full(self.n, -1, np.int32))
        for row, where in self._invalid_utf8.items():
            marks.status[row], marks.detail[row] = Reject.INVALID_UTF8, where
        return marks

    @functools.cached_property
    def _invalid_utf8(self) -> dict[int, int]:
        """The rows with a string that is not UTF-8, and the 1-based byte within that string."""
        return {row: _first_bad_byte(self.rows.slice(row, 1)) for row in _invalid(self.rows, 0)}

    def _readable(self, array: pa.Array) -> pa.Array:
        """Return a column with null in the rows whose bytes are not UTF-8."""
        if not self._invalid_utf8:
            return array
        bad = np.zeros(self.n, np.bool_)
        bad[list(self._invalid_utf8)] = True
        return pc.if_else(pa.array(bad), pa.scalar(None, array.type), array)

    def _ids(self, name: str, names: tuple[str, ...], marks: Marks) -> Text:
        """Return the ids: strings and whole numbers as text, empty where there is none."""
        found = column(self.rows, name)
        where = names.index(name)
        if found is None or pa.types.is_null(found.type):
            marks.reject(np.ones(self.n, np.bool_), Reject.MISSING_FIELD, where)
            return Text(np.empty(0, np.uint8), np.zeros(self.n + 1, np.int64))
        found = self._readable(found)
        present = valid(found)
        marks.reject(~present, Reject.MISSING_FIELD, where)
        if kind_of(found.type) not in (Kind.STRING, Kind.INT):
            marks.reject(present, Reject.WRONG_TYPE, where)
            return Text(np.empty(0, np.uint8), np.zeros(self.n + 1, np.int64))
        return Text.of(texts(found))

    def _field(self, name: str) -> FieldColumn:
        """Return a field as found: null where the column is absent."""
        found = column(self.rows, name)
        if found is None:
            found = pa.nulls(self.n)
        found = self._readable(found)
        kind = kind_of(found.type)
        shown = texts(found)
        present = valid(found if kind == Kind.NESTED else shown)
        return FieldColumn(np.where(present, np.uint8(kind), np.uint8(Kind.NULL)), Text.of(shown))


def _by_slices(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Return the given rows as slices of runs."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if len(rows) else []
    return pa.concat_tables([table.slice(0, 0), *(table.slice(run[0], len(run)) for run in runs)])


def _invalid(table: pa.Table, first: int) -> list[int]:
    """Return the rows whose strings are not all UTF-8, by halving: nearly every table has none."""
    try:
        table.validate(full=True)
        return []
    except pa.ArrowInvalid:
        n = table.num_rows
        if n <= 1:
            return [first] * n
        return _invalid(table.slice(0, n // 2), first) + _invalid(table.slice(n // 2), first + n // 2)


def _first_bad_byte(row: pa.Table) -> int:
    """Return where the first string of a row that is not UTF-8 breaks (1 for a nested one)."""
    for name in dict.fromkeys(row.column_names):
        values = column(row, name)
        if values is None or not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            continue
        text = Text.of(values)
        try:
            text.data[text.offsets[0] : text.offsets[-1]].tobytes().decode()
        except UnicodeDecodeError as error:
            return error.start + 1
    return 1
