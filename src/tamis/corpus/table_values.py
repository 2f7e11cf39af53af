"""What an Arrow value is as text and as JSON, a column at a time.

    Arrow type                        in a text, an id or a field      in a JSON line
    null                              empty                            null
    bool, int8 ... uint64             JSON text                        the same number, exact
    float16, float32, float64         shortest text of the float64     number; NaN and infinities: null
    string, large_string, view        as it is                         string
    decimal                           its digits (a number)            string of its digits
    timestamp without time zone       2024-05-01T12:00:00.000000       string, as there
    timestamp with time zone          2024-05-01T12:00:00.000000Z      string, as there: the instant in UTC
    date, time                        2024-05-01, 12:00:00.000         string, as there
    duration                          whole number in the type's unit  number
    binary, fixed_size_binary         no text (wrong type)             string, base64
    list, struct                      no text (wrong type)             array, object (fields in order)
    map                               no text (wrong type)             array of {"key": ..., "value": ...}
    dictionary, run-end, extension    as the values they stand for     as the values they stand for
    interval, union                   no text (wrong type)             string, as Python shows it

NaN and the infinities have no JSON text, so they read as null everywhere but in Arrow outputs.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.chunk import Kind

__all__ = [
    "float_texts",
    "is_list",
    "json_lines",
    "json_values",
    "kind_of",
    "plain",
    "row_bytes",
    "spans_of",
    "texts",
    "valid",
]

_types = pa.types


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as one array without dictionary, run-end, view, map or extension types."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # over 2 GB of strings: does not fit 32-bit offsets
        column = pa.concat_arrays([plain(chunk).cast(pa.large_string()) for chunk in column.chunks])
    while True:
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            column = column.storage
        elif _types.is_dictionary(kind):
            column = column.dictionary_decode()
        elif _types.is_run_end_encoded(kind):
            column = pc.run_end_decode(column)
        elif _types.is_string_view(kind):
            column = column.cast(pa.large_string())
        elif _types.is_binary_view(kind):
            column = column.cast(pa.large_binary())
        elif _types.is_map(kind):
            pair = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
            column = column.cast(pa.list_(pair))
        else:
            return column


def valid(array: pa.Array) -> NDArray[np.bool_]:
    """Return which of the `n` values of a plain array are not null."""
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def kind_of(kind: pa.DataType) -> Kind:
    """Return the JSON kind that values of a plain Arrow type have; NESTED where they have no text."""
    if _types.is_null(kind):
        return Kind.NULL
    if _types.is_boolean(kind):
        return Kind.BOOL
    if _types.is_integer(kind) or _types.is_duration(kind):
        return Kind.INT
    if _types.is_floating(kind) or _types.is_decimal(kind):
        return Kind.FLOAT
    if _is_text(kind) or _is_moment(kind):
        return Kind.STRING
    return Kind.NESTED


def texts(array: pa.Array) -> pa.Array:
    """Return the texts of a plain array of scalars as a string array; null where there is none."""
    kind = array.type
    if _is_text(kind):
        return array
    if _types.is_floating(kind):
        return float_texts(array)
    if _is_moment(kind):
        return _moments(array)
    if _types.is_duration(kind):
        array = array.cast(pa.int64())
    if _types.is_null(kind) or kind_of(kind) == Kind.NESTED:
        return pa.nulls(len(array), pa.string())
    return array.cast(pa.string())


def float_texts(array: pa.Array) -> pa.Array:
    """Return floats as the JSON text Python gives the float64 (`1.0`, `1e+16`); null where not finite."""
    doubles = array.cast(pa.float64())
    values = doubles.fill_null(np.nan).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    shown = np.where(finite, values, 0.0).astype(np.str_)
    return pa.array(shown, pa.string(), mask=~finite)


def spans_of(array: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the `n + 1` offsets of a list-like array (nulls are empty) and the values they point into."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets, array.flatten()


def is_list(kind: pa.DataType) -> bool:
    """Tell whether a type is a list of any layout."""
    return bool(
        _types.is_list(kind)
        or _types.is_large_list(kind)
        or _types.is_fixed_size_list(kind)
        or _types.is_list_view(kind)
        or _types.is_large_list_view(kind)
    )


def json_lines(table: pa.Table) -> list[bytes]:
    """Return each of the `n` rows as a JSON object of one line, columns in order (see the table above)."""
    names = table.column_names
    columns = [json_values(column) for column in table.columns]
    if not columns:
        return [b"{}"] * table.num_rows
    # The selected records only, so a loop over them is not on the path of the whole pool.
    return [orjson.dumps(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return about how many bytes each of the `n` rows holds; a function of its values and types."""
    sizes = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        sizes += _sizes(plain(column))
    return sizes


def _sizes(array: pa.Array) -> NDArray[np.int64]:
    kind = array.type
    if _is_text(kind) or _types.is_binary(kind) or _types.is_large_binary(kind):
        lengths = pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        return np.asarray(lengths, np.int64) + 4
    if is_list(kind):
        offsets, values = spans_of(array)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(_sizes(plain(values)))])
        return np.asarray(np.diff(ends[offsets]) + 4)
    if _types.is_struct(kind):
        sizes = np.zeros(len(array), np.int64)
        for child in array.flatten():
            sizes += _sizes(plain(child))
        return sizes
    return np.full(len(array), 8, np.int64)


def json_values(column: pa.Array | pa.ChunkedArray) -> list[object]:
    """Return the `n` values of a column as Python objects that orjson writes (see the table above)."""
    array = _json_ready(plain(column))
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:  # only a record that was set aside holds such bytes
        return [_lenient(value) for value in array.cast(_as_binary(array.type)).to_pylist()]


def _lenient(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_lenient(item) for item in value]
    if isinstance(value, dict):
        return {key: _lenient(item) for key, item in value.items()}
    return value


def _as_binary(kind: pa.DataType) -> pa.DataType:
    """Return a JSON-ready type with its strings as binary."""
    if _is_text(kind):
        return pa.large_binary() if _types.is_large_string(kind) else pa.binary()
    if _types.is_large_list(kind):
        return pa.large_list(_as_binary(kind.value_type))
    if _types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([pa.field(field.name, _as_binary(field.type)) for field in fields])
    return kind


def _json_ready(array: pa.Array) -> pa.Array:
    """Return an array whose Python values orjson writes as the table above says."""
    kind = array.type
    if _types.is_null(kind) or _types.is_boolean(kind) or _types.is_integer(kind) or _is_text(kind):
        return array
    if _types.is_floating(kind):
        return array.cast(pa.float64())
    if is_list(kind):
        offsets, values = spans_of(array)
        inner = _json_ready(plain(values))
        return pa.LargeListArray.from_arrays(pa.array(offsets), inner, mask=array.is_null())
    if _types.is_struct(kind):
        children = [_json_ready(plain(child)) for child in array.flatten()]
        if not children:
            return array
        return _struct(children, [kind.field(i).name for i in range(kind.num_fields)], array)
    if _is_binary(kind):
        coded = [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
        return pa.array(coded, pa.string())
    if _types.is_duration(kind):
        return array.cast(pa.int64())
    if kind_of(kind) != Kind.NESTED:
        return texts(array)
    return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())


def _struct(children: Sequence[pa.Array], names: Sequence[str], like: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(list(children), names=list(names), mask=like.is_null())


def _moments(array: pa.Array) -> pa.Array:
    """Return timestamps, dates and times in ISO 8601."""
    kind = array.type
    if not _types.is_timestamp(kind):
        return array.cast(pa.string())
    # The stored number is the instant in UTC: no time zone data base is needed to show it.
    shown = array.view(pa.int64()).view(pa.timestamp(kind.unit)).cast(pa.string())
    shown = pc.replace_substring(shown, " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(shown, "Z", "") if kind.tz is not None else shown


def _is_text(kind: pa.DataType) -> bool:
    return bool(_types.is_string(kind) or _types.is_large_string(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(_types.is_binary(kind) or _types.is_large_binary(kind) or _types.is_fixed_size_binary(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(_types.is_temporal(kind) and not _types.is_duration(kind) and not _types.is_interval(kind))
