"""Python objects as records, and records as Python objects.

In: a list, tuple or iterator of dicts, a pandas or polars frame, an Arrow table, batch or
reader, a `datasets.Dataset`. Types are told by their module, so nothing is imported that the
caller has not imported already.

Dicts become JSON lines, which keep what tables cannot: members that differ from record to
record, types that change. Dicts with values that JSON has no form for (bytes, dates, decimals)
become tables, and then need one type a column. NaN and the infinities read as null in JSON.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from tamis.corpus.chunk import Chunk
from tamis.corpus.convert import SchemaBuilder, lines_to_table
from tamis.corpus.tabular import cut
from tamis.corpus.task import FRAGMENT_BYTES
from tamis.errors import InputError, missing_extra

__all__ = ["chunks_of", "is_objects", "to_arrow", "to_dataset", "to_dicts", "to_pandas", "to_polars"]

#: Numbers and strings of NumPy are written as JSON; dates and subclasses are not taken for strings.
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def is_objects(pool: Any) -> bool:
    """Tell whether a pool is records in memory, rather than paths."""
    if _tables(pool) is not None:
        return True
    if isinstance(pool, Sequence) and not isinstance(pool, str | bytes):
        return bool(len(pool)) and isinstance(pool[0], Mapping)
    return isinstance(pool, Iterator)


def chunks_of(pool: Any, fragment_bytes: int | None = None) -> Iterator[Chunk]:
    """Yield records in memory as chunks, in order.

    Raises
    ------
    InputError
        If the object is of no kind that is read, a record is no dict, or dicts with values that
        JSON has no form for do not have one type a column.
    """
    batches = _tables(pool)
    if batches is not None:
        for load in cut(batches(), fragment_bytes):
            yield load()
        return
    if not isinstance(pool, Sequence | Iterator) or isinstance(pool, str | bytes):
        raise InputError(
            "expected records as a list of dicts, a pandas or polars frame, an Arrow table or a "
            f"datasets.Dataset, got {type(pool).__module__}.{type(pool).__qualname__}."
        )
    records = list(pool)
    for number, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InputError(f"expected a dict as record {number + 1:,}, got {type(record).__name__}.")
    yield from _of_dicts(records, fragment_bytes or FRAGMENT_BYTES)


def _of_dicts(records: list[Mapping[str, Any]], fragment_bytes: int) -> Iterator[Chunk]:
    from tamis.corpus.json_chunk import JsonChunk

    try:
        lines = [_line(record) for record in records]
    except TypeError:
        yield from _of_typed_dicts(records, fragment_bytes)
        return
    sizes = np.cumsum([len(line) + 1 for line in lines]) if lines else np.empty(0, np.int64)
    for _, group in itertools.groupby(zip(sizes // fragment_bytes, lines, strict=True), key=lambda pair: pair[0]):
        block = b"".join(part for _, line in group for part in (line, b"\n"))
        yield JsonChunk.from_lines(np.frombuffer(block, np.uint8))


def _line(record: Mapping[str, Any]) -> bytes:
    """Return a record as JSON; TypeError where a value has no form in it."""
    record = record if type(record) is dict else dict(record)
    try:
        return orjson.dumps(record, option=_OPTIONS)
    except TypeError:  # whole numbers beyond 64 bits, lone surrogates, keys that are numbers - or no JSON
        return json.dumps(record, separators=(",", ":")).encode()


def _of_typed_dicts(records: list[Mapping[str, Any]], fragment_bytes: int) -> Iterator[Chunk]:
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = []
    for name in names:
        try:
            columns.append(pa.array([record.get(name) for record in records]))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise InputError(
                f"field '{name}': expected JSON values, or values of one type in all records ({error})."
            ) from error
    table = pa.Table.from_arrays(columns, names=[str(name) for name in names])
    for load in cut(table.to_batches(), fragment_bytes):
        yield load()


def _tables(pool: Any) -> Callable[[], Iterator[pa.RecordBatch]] | None:
    """Return what yields the record batches of a table-like object; None for any other."""
    if isinstance(pool, pa.Table | pa.RecordBatchReader):
        return lambda: iter(pool.to_batches() if isinstance(pool, pa.Table) else pool)
    if isinstance(pool, pa.RecordBatch):
        return lambda: iter([pool])
    kinds = {(base.__module__.partition(".")[0], base.__name__) for base in type(pool).__mro__}
    if ("pandas", "DataFrame") in kinds:
        return lambda: _pandas_batches(pool)
    if ("polars", "DataFrame") in kinds:
        return lambda: iter(pool.to_arrow().to_batches())
    if ("polars", "LazyFrame") in kinds:
        return lambda: iter(pool.collect().to_arrow().to_batches())
    if ("datasets", "Dataset") in kinds:
        return lambda: _dataset_batches(pool)
    if ("datasets", "DatasetDict") in kinds:
        splits = ", ".join(map(str, pool))
        raise InputError(f"expected a datasets.Dataset, got a DatasetDict: pass one of its splits ({splits}).")
    return None


def _pandas_batches(pool: Any) -> Iterator[pa.RecordBatch]:
    try:
        table = pa.Table.from_pandas(pool, preserve_index=False)
    except pa.ArrowException as error:
        raise InputError(
            f"expected one type a column in a pandas frame ({'; '.join(map(str, error.args))}). Pass its records "
            "instead, whose fields may change their types: frame.to_dict('records')."
        ) from error
    yield from table.to_batches()


def _dataset_batches(pool: Any) -> Iterator[pa.RecordBatch]:
    whole = pool.with_format("arrow")  # applies a selection or shuffling of rows
    for start in range(0, len(whole), 1000):
        yield from whole[start : start + 1000].to_batches()


def to_arrow(records: pa.Table | Sequence[bytes]) -> pa.Table:
    """Return a table, or JSON texts of one line each, as a table (types: `tamis.corpus.json_types`)."""
    if isinstance(records, pa.Table):
        return records
    builder = SchemaBuilder()
    builder.add(records)
    return lines_to_table(records, builder.schema())


def to_dicts(records: pa.Table | Sequence[bytes]) -> list[dict[str, Any]]:
    """Return records as dicts: of a table its Python values, of JSON lines what `json.loads` gives."""
    if isinstance(records, pa.Table):
        return list(records.to_pylist())
    return [json.loads(line) for line in records]


def to_pandas(records: pa.Table | Sequence[bytes]) -> Any:
    """Return records as a pandas frame (extra `pandas`)."""
    _need("pandas", "a pandas frame")
    return to_arrow(records).to_pandas()


def to_polars(records: pa.Table | Sequence[bytes]) -> Any:
    """Return records as a polars frame (extra `polars`)."""
    return _need("polars", "a polars frame").from_arrow(to_arrow(records))


def to_dataset(records: pa.Table | Sequence[bytes]) -> Any:
    """Return records as a `datasets.Dataset` (extra `datasets`)."""
    return _need("datasets", "a datasets.Dataset").Dataset(to_arrow(records))


def _need(package: str, what: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise missing_extra(package, package, f"returning {what}") from error
