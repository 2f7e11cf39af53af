"""Labels that records carry already: a field that holds several short texts, such as tags or topics.

Read from a list of texts, from a list of objects with a text member (taggers write
`[{"tag": "...", "explanation": "..."}]`), or from one text: a JSON list in it, else cut at a separator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.table_chunk import TableChunk
from tamis.errors import InputError, nearest
from tamis.signals.base import ReadSignal

__all__ = ["KEY", "FieldLabels", "listed"]

#: The member of an object that is its label.
KEY = "tag"
_LISTS = pa.large_list(pa.large_string())
_types = pa.types


def listed(values: Any, separator: str = ",", key: str = KEY, what: str = "labels") -> pa.LargeListArray:
    """Return the labels of `n` records as an array of lists of texts, none of them null.

    Parameters
    ----------
    values : Arrow array or sequence of length n
        Lists of texts, lists of objects with a text in `key`, texts, null for none.
    separator : str
        What texts are cut at; a text that is a JSON list is read as one.
    key : str
        The member of an object that is its label.
    what : str
        The column, for messages.

    Raises
    ------
    InputError
        Anything else, with the record.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        values = values.tolist() if isinstance(values, np.ndarray) else values
        return _each(values, separator, key, what)
    kind = values.type
    if _types.is_dictionary(kind):
        return listed(values.dictionary_decode(), separator, key, what)
    if _types.is_null(kind):
        return pa.array([[]] * len(values), _LISTS)
    if _is_text(kind):
        return _cut(values, separator, key, what)
    if _types.is_list(kind) or _types.is_large_list(kind) or _types.is_fixed_size_list(kind):
        return _of_lists(values, separator, key, what)
    raise InputError(
        f"{what}: expected a list of texts, a list of objects with '{key}', or a text, in every record, got {kind}."
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(_types.is_string(kind) or _types.is_large_string(kind))


def _of_lists(values: pa.Array, separator: str, key: str, what: str) -> pa.LargeListArray:
    inside = pc.list_flatten(values)
    if _types.is_dictionary(inside.type):
        inside = inside.dictionary_decode()
    if _types.is_struct(inside.type) and inside.type.get_field_index(key) >= 0:
        inside = pc.struct_field(inside, key)
    if not (_is_text(inside.type) or _types.is_null(inside.type)):
        return _each(values.to_pylist(), separator, key, what)
    sizes = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return pa.LargeListArray.from_arrays(pa.array(offsets), inside.cast(pa.large_string()).fill_null(""))


def _cut(texts: pa.Array, separator: str, key: str, what: str) -> pa.LargeListArray:
    """Return texts cut at the separator; JSON lists among them are read one by one."""
    texts = texts.cast(pa.large_string()).fill_null("")
    if pc.any(pc.starts_with(pc.utf8_ltrim_whitespace(texts), "[")).as_py():
        return _each(texts.to_pylist(), separator, key, what)
    return pc.split_pattern(texts, separator).cast(_LISTS)


def _each(values: Iterable[Any], separator: str, key: str, what: str) -> pa.LargeListArray:
    """Return labels of values of mixed kinds, one record at a time."""
    out = []
    for row, value in enumerate(values):
        found = _labels(value, separator, key)
        if found is None:
            raise InputError(
                f"{what}: expected a list of texts, a list of objects with '{key}', or a text, in every record,"
                f" got {_shown(value)} at record {row}."
            )
        out.append(found)
    return pa.array(out, _LISTS)


def _labels(value: Any, separator: str, key: str) -> list[str] | None:
    if value is None or (isinstance(value, float) and value != value):
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                return _labels(json.loads(value), separator, key)
            except (ValueError, RecursionError):
                pass  # a text that only begins like a list
        return value.split(separator)
    if not isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return None
    inside = [item.get(key) if isinstance(item, dict) else item for item in value if item is not None]
    found = [item for item in inside if isinstance(item, str)]
    return found if len(found) == len(inside) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class FieldLabels(ReadSignal):
    """The labels in a field of the records: a list of texts for each.

    `field` is the field's name, or `FIELD.KEY` where it holds objects whose label is in another member
    than `tag`. Texts are cut at `separator`.
    """

    name: ClassVar[str] = "labels"
    numeric: ClassVar[bool] = False

    def __init__(self, field: str, separator: str = ",") -> None:
        self.field, self.separator = field, separator
        self._plain, self._key = field, KEY

    @property
    def note(self) -> str:
        """Return where the labels are from, for people to read."""
        return f"the field '{self.field}' of the records"

    def parameters(self) -> dict[str, Any]:
        """Return the name of the field and the separator."""
        return {"field": self.field, "separator": self.separator}

    def prepare(self, corpus: Corpus) -> None:
        """Find out whether `FIELD.KEY` is the name of a field, or a field and a member.

        Raises InputError when no record has the field.
        """
        names = [(self.field, KEY)]
        if "." in self.field:
            plain, _, key = self.field.rpartition(".")
            names.append((plain, key))
        for self._plain, self._key in names:
            for fragment, load in corpus.fragment_tasks(lambda fragment: fragment.rows > 0):
                if pc.any(pc.greater(pc.list_value_length(self.read(corpus, fragment, load)), 0)).as_py():
                    return
        seen = corpus.fields_seen()
        raise InputError(
            f"field '{self.field}': expected labels in the records, a list of texts or a text, no record has any."
            f"{nearest(self.field, seen)} Fields seen: {', '.join(seen[:20])}."
        )

    def read(self, corpus: Corpus, fragment: Fragment, load: Callable[[], Chunk]) -> pa.Array:
        """Return the labels of a fragment as lists of texts; none for a record that was set aside."""
        status = np.asarray(corpus.rows.status[fragment.first_row : fragment.first_row + fragment.rows])
        usable = np.flatnonzero(status == 0)
        found = self._lists(corpus, fragment, load(), usable)
        place = np.full(fragment.rows, -1, np.int64)
        place[usable] = np.arange(len(usable))
        taken = found.take(pa.array(place, mask=place < 0))
        return pc.if_else(pc.is_valid(taken), taken, pa.scalar([], _LISTS)) if len(usable) < len(place) else taken

    def _lists(self, corpus: Corpus, fragment: Fragment, chunk: Chunk, rows: NDArray[np.int64]) -> pa.Array:
        def where(row: int) -> str:
            at = fragment.first_row + int(rows[row]) if len(rows) else fragment.first_row
            return f"field '{self.field}', {corpus.file_of(at)}, line {corpus.rows.line[at]}"

        if not isinstance(chunk, TableChunk):
            return self._of_lines(chunk.jsonl(rows), where)
        table = chunk.table(rows)
        if self._plain not in table.column_names:
            return pa.array([[]] * len(rows), _LISTS)
        return listed(table.column(self._plain), self.separator, self._key, where(0) + " on")

    def _of_lines(self, lines: Sequence[bytes], where: Callable[[int], str]) -> pa.Array:
        """Return the labels of JSON lines: all of one kind in one go, of mixed kinds line by line."""
        members = pa.list_(pa.struct([(self._key, pa.string())]))
        for kind in (pa.list_(pa.string()), pa.string(), members):
            found = _read(lines, self._plain, kind)
            if found is not None:
                return listed(found, self.separator, self._key)
        out = []
        for row, line in enumerate(lines):
            value = json.loads(line).get(self._plain)
            labels = _labels(value, self.separator, self._key)
            if labels is None:
                raise InputError(
                    f"{where(row)}: expected a list of texts, a list of objects with '{self._key}', or a text,"
                    f" got {_shown(value)}."
                )
            out.append(labels)
        return pa.array(out, _LISTS)


def _read(lines: Sequence[bytes], field: str, kind: pa.DataType) -> pa.Array | None:
    """Return a field of JSON lines as an array of that type; None where it holds something else."""
    if not lines:
        return pa.array([], kind)
    data = b"\n".join(lines) + b"\n"
    try:
        table = pa.json.read_json(
            pa.BufferReader(data),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=pa.schema([(field, kind)]), unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table.column(field).combine_chunks() if table.num_rows == len(lines) else None
