"""128-bit keys of the rows of a table: a hash of what a row holds, not of how it is stored.

A row's key folds, over its columns in the order of their names, the hash of the value's bytes,
seeded with the name and the class of the type. So it does not depend on the order of columns,
on the container (Parquet, Arrow, CSV, Python), on the width of a number or on whether strings
are dictionary-encoded. A null adds nothing: a column that is absent and one that is null are
the same. Nested values are hashed by the same rules, element by element, without a Python loop.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.corpus.table_values import is_list, plain, spans_of, valid
from tamis.kernels.hashing import hash_spans, mix64, salt

__all__ = ["row_keys"]

_types = pa.types
_HIGH = np.uint64(0x6A09E667F3BCC908)
_LOW = np.uint64(0xBB67AE8584CAA73B)
_SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def row_keys(table: pa.Table) -> NDArray[np.uint64]:
    """Return the keys of the `n` rows of a table as an `n x 2` array (high, low)."""
    return _fold_fields(table.num_rows, table.column_names, [plain(column) for column in table.columns])


def _fold_fields(n: int, names: list[str], arrays: list[pa.Array]) -> NDArray[np.uint64]:
    """Fold named values into a hash a row; the order of equal names is that of the columns."""
    state = np.empty((n, 2), np.uint64)
    state[:, 0], state[:, 1] = _HIGH, _LOW
    for i in sorted(range(len(names)), key=lambda i: (names[i], i)):
        if arrays[i].null_count < n:
            _fold(state, _hashes(arrays[i], names[i]), valid(arrays[i]))
    return state


@lru_cache(4096)
def _seed(name: str, form: str) -> np.uint64:
    return salt(0, f"key\0{form}\0{name}")


def _hashes(array: pa.Array, name: str) -> NDArray[np.uint64]:
    """Return the hash of each of the `n` values of a plain array (of nulls: anything)."""
    kind = array.type
    if is_list(kind):
        offsets, values = spans_of(array)
        values = plain(values)
        inner = _hashes(values, "item")
        _mark_nulls(inner, valid(values))
        folded: NDArray[np.uint64] = _fold_lists(offsets, inner, _seed(name, "list"))
        return folded
    if _types.is_struct(kind):
        fields = [kind.field(i).name for i in range(kind.num_fields)]
        inner = _fold_fields(len(array), fields, [plain(child) for child in array.flatten()])
        return _spans(inner, _seed(name, "struct"))
    if _types.is_string(kind) or _types.is_large_string(kind):
        return _of_text(array, _seed(name, "string"))
    if _types.is_binary(kind) or _types.is_large_binary(kind) or _types.is_fixed_size_binary(kind):
        raw = array.cast(pa.large_binary()).fill_null(b"")
        return _of_text(raw.view(pa.large_string()), _seed(name, "binary"))
    if _types.is_boolean(kind):
        return _spans(_numpy(array.cast(pa.int8())), _seed(name, "bool"))
    if _types.is_uint64(kind):  # beyond int64 the same bits mean another number
        bits = _numpy(array)
        hashes = _spans(bits, _seed(name, "int"))
        large = np.flatnonzero(bits >> np.uint64(63))
        hashes[large] = _spans(bits[large], _seed(name, "large int"))
        return hashes
    if _types.is_integer(kind):
        return _spans(_numpy(array.cast(pa.int64())), _seed(name, "int"))
    if _types.is_floating(kind):
        floats = _numpy(array.cast(pa.float64()))
        return _spans(np.where(np.isnan(floats), np.nan, floats), _seed(name, "float"))
    if _types.is_temporal(kind) and not _types.is_interval(kind):
        return _of_moments(array, name)
    if _types.is_decimal(kind):
        return _of_text(array.cast(pa.string()), _seed(name, "decimal"))
    shown = [None if value is None else str(value) for value in array.to_pylist()]
    return _of_text(pa.array(shown, pa.string()), _seed(name, "other"))


def _of_moments(array: pa.Array, name: str) -> NDArray[np.uint64]:
    """Hash moments by whole days, or by seconds and nanoseconds: units make no difference."""
    kind = array.type
    if _types.is_date(kind):
        days = array.cast(pa.date32()).view(pa.int32()).cast(pa.int64())
        return _spans(_numpy(days), _seed(name, "date"))
    form = "time" if _types.is_time(kind) else "duration" if _types.is_duration(kind) else "timestamp"
    if form == "timestamp" and kind.tz is not None:
        form = "instant"
    narrow = kind.bit_width == 32
    count = _numpy(array.view(pa.int32()).cast(pa.int64()) if narrow else array.view(pa.int64()))
    per_second = _SECONDS[kind.unit]
    parts = np.empty((len(count), 2), np.int64)
    parts[:, 0] = count // per_second
    parts[:, 1] = (count % per_second) * (10**9 // per_second)
    return _spans(parts, _seed(name, form))


def _numpy(array: pa.Array) -> NDArray[Any]:
    """Return the values of a numeric array, nulls as zero."""
    filled = pc.fill_null(array, 0) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _of_text(array: pa.Array, seed: np.uint64) -> NDArray[np.uint64]:
    text = Text.of(array)
    return _hash_spans(text.data, text.offsets[:-1], text.offsets[1:], seed)


def _spans(rows: NDArray[Any], seed: np.uint64) -> NDArray[np.uint64]:
    """Hash the bytes of each row of an array."""
    n = len(rows)
    if not n:
        return np.empty((0, 2), np.uint64)
    octets = np.ascontiguousarray(rows).view(np.uint8).reshape(-1)
    starts = np.arange(n, dtype=np.int64) * (octets.size // n)
    return _hash_spans(octets, starts, starts + octets.size // n, seed)


def _hash_spans(
    data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64], seed: np.uint64
) -> NDArray[np.uint64]:
    hashes: NDArray[np.uint64] = hash_spans(data, starts, stops, seed)
    return hashes


@njit(nogil=True, cache=True)
def _fold(state: NDArray[np.uint64], hashes: NDArray[np.uint64], valid: NDArray[np.bool_]) -> None:
    """Fold one column's hashes into the state of each row, in place; nulls add nothing."""
    for i in range(len(state)):
        if valid[i]:
            high = mix64(state[i, 0] ^ hashes[i, 0])
            low = mix64(state[i, 1] ^ hashes[i, 1])
            state[i, 0] = high
            state[i, 1] = low + mix64(high)


@njit(nogil=True, cache=True)
def _mark_nulls(hashes: NDArray[np.uint64], valid: NDArray[np.bool_]) -> None:
    """Give a null among the elements of a list a hash of its own: its place counts."""
    for i in range(len(hashes)):
        if not valid[i]:
            hashes[i, 0] = _HIGH
            hashes[i, 1] = _LOW


@njit(nogil=True, cache=True)
def _fold_lists(offsets: NDArray[np.int64], inner: NDArray[np.uint64], seed: np.uint64) -> NDArray[np.uint64]:
    """Fold the hashes of the elements of each of `n` lists, in order, with the length."""
    n = len(offsets) - 1
    out = np.empty((n, 2), np.uint64)
    for i in range(n):
        high = mix64(seed)
        low = mix64(high ^ np.uint64(offsets[i + 1] - offsets[i]))
        for j in range(offsets[i], offsets[i + 1]):
            high = mix64(high ^ inner[j, 0])
            low = mix64(low ^ inner[j, 1]) + mix64(high)
        out[i, 0] = high
        out[i, 1] = low
    return out
