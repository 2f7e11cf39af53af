"""JSON records as an Arrow table, with nothing lost.

    JSON                                       Arrow
    strings                                    string, also those that look like a date
    integers that fit 64 bits                  int64
    integers and other numbers mixed           double, if each integer is exact as one
    true, false                                bool
    null, or a field that a record lacks       null
    arrays, objects                            list, struct
    anything else in a column                  string: the raw JSON text of each value

"Anything else" is a column whose values have types that clash, integers too large, or lone
surrogates, which UTF-8 has no bytes for. Columns come in the order in which they first appear;
of equal keys the last one counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels import json as kernels

__all__ = ["table_of"]

#: Digits from which on a whole number may not be exact as a double, which is what Arrow would make of it.
_LONG = 16

_CLASH = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError)


def table_of(lines: Sequence[bytes]) -> pa.Table:
    """Return JSON objects, one a line, as a table of `len(lines)` rows.

    Raises
    ------
    InputError
        If a line is no JSON object.
    """
    joined = b"\n".join(lines)
    exact = not _has_long_number(kernels.aliased(joined), _LONG)
    table = _by_arrow(joined, len(lines)) if exact else None
    return _by_values(lines, joined) if table is None else table


@njit(nogil=True, cache=True)
def _has_long_number(data: NDArray[np.uint8], digits: int) -> bool:
    """Return whether a run of `digits` digits stands anywhere, those after a point aside."""
    run = 0
    for c in data:
        if 0x30 <= c <= 0x39:
            run += 1
            if run == digits:
                return True
        else:
            run = -(2**40) if c == 0x2E else 0
    return False


def _by_arrow(joined: bytes, n: int) -> pa.Table | None:
    """Return the table as Arrow's reader sees it, or None where it fails or would change a value."""
    import pyarrow.json as reader

    block = reader.ReadOptions(use_threads=False, block_size=len(joined) + 64)
    schema = None
    while True:
        options = reader.ParseOptions(explicit_schema=schema)
        try:
            table = reader.read_json(io.BytesIO(joined), read_options=block, parse_options=options)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        if table.num_rows != n or any(_hollow(field.type) for field in table.schema):
            return None
        if not any(_has_moment(field.type) for field in table.schema):
            return table
        if schema is not None:
            return None
        schema = pa.schema([field.with_type(_without_moments(field.type)) for field in table.schema])


def _has_moment(kind: pa.DataType) -> bool:
    return pa.types.is_temporal(kind) or any(_has_moment(child.type) for child in _children(kind))


def _hollow(kind: pa.DataType) -> bool:
    """Tell whether a type holds a struct without fields, which Parquet cannot."""
    return (pa.types.is_struct(kind) and kind.num_fields == 0) or any(_hollow(child.type) for child in _children(kind))


def _children(kind: pa.DataType) -> list[pa.Field]:
    return [kind.field(i) for i in range(kind.num_fields)]


def _without_moments(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_temporal(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_moments(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([child.with_type(_without_moments(child.type)) for child in _children(kind)])
    return kind


def _by_values(lines: Sequence[bytes], joined: bytes) -> pa.Table:
    """Return the table column by column, from Python values: slower, and exact."""
    records: list[dict[str, Any]] = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"expected a JSON object to write as a row, got {line[:60]!r} ({error}).") from error
        if not isinstance(record, dict):
            raise InputError(f"expected a JSON object to write as a row, got {line[:60]!r}.")
        records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))
    columns: dict[str, pa.Array] = {}
    clashing: list[str] = []
    for name in names:
        try:
            columns[name] = _column([record.get(name) for record in records])
        except _CLASH:
            columns[name] = pa.nulls(len(records))
            clashing.append(name)
    for start in range(0, len(clashing), kernels.MAX_FIELDS):
        columns.update(_raw_columns(lines, joined, clashing[start : start + kernels.MAX_FIELDS]))
    return pa.table(list(columns.values()), names=[_storable(name) for name in columns])


def _column(values: list[Any]) -> pa.Array:
    array = pa.array(values, from_pandas=False)
    if _hollow(array.type):
        raise pa.ArrowTypeError("a struct without fields")
    return array


def _storable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def _raw_columns(lines: Sequence[bytes], joined: bytes, names: Sequence[str]) -> dict[str, pa.Array]:
    """Return the raw JSON text of each value of some fields, null where there is none."""
    lengths = np.array([len(line) for line in lines], np.int64)
    stops = np.cumsum(lengths + 1) - 1
    data = kernels.aliased(joined)
    _, _, begins, ends, kinds = kernels.find_fields(data, stops - lengths, stops, *kernels.laid_out(names))
    quotes = (kinds == 4).astype(np.int64)
    present = (kinds != kernels.ABSENT) & (kinds != 0)
    found: dict[str, pa.Array] = {}
    for slot, name in enumerate(names):
        low = np.where(present[slot], begins[slot] - quotes[slot], 0)
        high = np.where(present[slot], ends[slot] + quotes[slot], 0)
        text, offsets = kernels.gather_spans(data, low, high)
        array = pa.LargeStringArray.from_buffers(len(lines), pa.py_buffer(offsets), pa.py_buffer(text))
        mask = pa.array(present[slot])
        found[name] = pc.if_else(mask, array, pa.scalar(None, pa.large_string())).cast(pa.string())
    return found
