"""NumPy arrays as Arrow arrays and back, over the same memory.

Arrow's own conversions import pandas where it is installed, which costs a second at every
start; these look at the buffers instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["as_arrow", "as_numpy", "as_strings"]

_TYPES = {
    np.dtype(np.uint8): pa.uint8(),
    np.dtype(np.uint16): pa.uint16(),
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.int64): pa.int64(),
    np.dtype(np.uint64): pa.uint64(),
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
}


_KINDS: dict[Any, Any] = {kind: dtype for dtype, kind in _TYPES.items()} | {
    pa.int8(): np.dtype(np.int8),
    pa.int16(): np.dtype(np.int16),
}


def as_arrow(values: NDArray[Any], null: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return an Arrow array of `n` numbers or truth values; those where `null` holds are null."""
    n = len(values)
    valid = None
    missing = 0
    if null is not None:
        missing = int(np.count_nonzero(null))
        valid = pa.py_buffer(np.packbits(~null, bitorder="little")) if missing else None
    if values.dtype == np.bool_:
        bits = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), n, [valid, bits], missing)
    if values.dtype not in _TYPES:
        values = values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)
    data = np.ascontiguousarray(values)
    return pa.Array.from_buffers(_TYPES[data.dtype], n, [valid, pa.py_buffer(data)], missing)


def as_numpy(array: pa.Array) -> NDArray[Any]:
    """Return the numbers or truth values of an Arrow array; with nulls, as float64 with NaN."""
    valid, data = array.buffers()
    n, start = len(array), array.offset
    if pa.types.is_boolean(array.type):
        values: NDArray[Any] = _bits(data, start, n)
    else:
        kind = _KINDS[array.type]
        values = np.frombuffer(data, kind, count=n, offset=start * kind.itemsize) if n else np.empty(0, kind)
    if not array.null_count:
        return values
    found = values.astype(np.float64)
    found[~_bits(valid, start, n)] = np.nan
    return found


def as_strings(words: Sequence[str]) -> pa.StringArray:
    """Return an Arrow array of texts."""
    parts = [word.encode() for word in words]
    offsets = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return pa.StringArray.from_buffers(len(parts), pa.py_buffer(offsets), pa.py_buffer(b"".join(parts)))


def _bits(buffer: pa.Buffer, start: int, n: int) -> NDArray[np.bool_]:
    octets = np.frombuffer(buffer, np.uint8)
    return np.unpackbits(octets, count=start + n, bitorder="little")[start:].astype(bool)
