"""Fields of the user's records as columns: typed by the whole pool, never by one fragment.

A field of JSON records may change its type from line to line. Its column takes the narrowest
type that holds every value of the pool: booleans, whole numbers, numbers, else texts (numbers
and booleans then as their JSON text). Arrays and objects cannot be compared and are an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.buffers import as_numpy
from tamis.corpus.chunk import Kind
from tamis.corpus.corpus import Corpus, Fragment
from tamis.errors import OptionError, nearest

__all__ = ["field_groups", "field_numbers", "field_type", "typed_field"]

_LARGEST = 2**63
#: Names of fields that a message lists.
_SHOWN = 20


def field_type(corpus: Corpus, name: str) -> pa.DataType:
    """Return the type of a field over the whole pool.

    Raises
    ------
    OptionError
        If no record has the field, or one holds an array or object in it.
    """
    seen = np.zeros(len(Kind), np.int64)
    wide = False
    for fragment, batch in corpus.field_batches(name):
        kind = as_numpy(batch.column("kind"))
        counts = np.bincount(kind, minlength=len(Kind))
        if counts[Kind.NESTED] and not seen[Kind.NESTED]:
            row = fragment.first_row + int(np.flatnonzero(kind == Kind.NESTED)[0])
            raise OptionError(
                f"field '{name}': expected a text, number or truth value in every record, got an array or object "
                f"in {corpus.file_of(row)}, line {corpus.rows.line[row]}."
            )
        if counts[Kind.INT] and not wide:
            wide = _has_wide(batch)
        seen += counts
    kinds = {kind for kind in Kind if seen[kind] and kind is not Kind.NULL}
    if not kinds:
        seen_names = corpus.fields_seen()
        few = ", ".join(seen_names[:_SHOWN]) + (" ..." if len(seen_names) > _SHOWN else "")
        raise OptionError(
            f"no record has a value in the field '{name}'.{nearest(name, seen_names)} Fields seen: {few or 'none'}."
        )
    if kinds == {Kind.BOOL}:
        return pa.bool_()
    if kinds == {Kind.INT}:
        return pa.float64() if wide else pa.int64()
    return pa.float64() if kinds <= {Kind.INT, Kind.FLOAT} else pa.large_string()


def _has_wide(batch: pa.RecordBatch) -> bool:
    """Tell whether a whole number of a fragment needs more than 64 bits."""
    ints = batch.column("text").filter(pc.equal(batch.column("kind"), int(Kind.INT)))
    long = ints.filter(pc.greater(pc.binary_length(ints), 18))
    return any(not -_LARGEST <= int(text) < _LARGEST for text in long.to_pylist())


def typed_field(batch: pa.RecordBatch, kind: pa.DataType) -> pa.Array:
    """Return a fragment's field as an array of the pool's type, null where it has no value."""
    text = batch.column("text")
    null = pc.equal(batch.column("kind"), int(Kind.NULL))
    values = pc.if_else(null, pa.scalar(None, pa.large_string()), text)
    if pa.types.is_large_string(kind):
        return values
    if pa.types.is_boolean(kind):
        return pc.equal(values, "true")
    if pa.types.is_floating(kind):
        values = pc.replace_substring_regex(values, "^(-?)Infinity$", "\\1inf").cast(kind)
        return pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)  # no value, as in a table
    return values.cast(kind)


def field_numbers(corpus: Corpus, name: str) -> NDArray[Any]:
    """Return a numeric field of every record in input order (int64, or float64 with NaN for null).

    Raises
    ------
    OptionError
        If the field holds texts.
    """
    kind = field_type(corpus, name)
    if pa.types.is_large_string(kind):
        raise OptionError(f"field '{name}': expected numbers in every record, got texts.")
    parts = [typed_field(batch, kind) for _, batch in corpus.field_batches(name)]
    return np.concatenate([as_numpy(part) for part in parts])


def field_groups(corpus: Corpus, name: str, null: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return a field of every record as groups: codes in input order, and the sorted names.

    `null` is the name of the group of records without a value.
    """
    field_type(corpus, name)
    parts = [pc.dictionary_encode(_named(batch, null)) for _, batch in corpus.field_batches(name)]
    column = pa.chunked_array(parts).unify_dictionaries()
    codes = np.concatenate([as_numpy(chunk.indices) for chunk in column.chunks] or [np.empty(0, np.int32)])
    words = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    order = sorted(range(len(words)), key=lambda i: words[i])
    place = np.empty(len(words), np.int32)
    place[order] = np.arange(len(words), dtype=np.int32)
    return place[codes], tuple(words[i] for i in order)


def _named(batch: pa.RecordBatch, null: str) -> pa.Array:
    missing = pc.equal(batch.column("kind"), int(Kind.NULL))
    return pc.if_else(missing, pa.scalar(null, pa.large_string()), batch.column("text"))


def typed_fields(corpus: Corpus, names: list[str]) -> Iterator[tuple[Fragment, dict[str, pa.Array]]]:
    """Yield the typed fields of each fragment, in input order."""
    kinds = {name: field_type(corpus, name) for name in names}
    columns = {name: corpus.field_batches(name) for name in names}
    for fragment in corpus.fragments:
        yield fragment, {name: typed_field(next(columns[name])[1], kinds[name]) for name in names}
