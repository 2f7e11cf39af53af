"""Writing records: JSONL or Parquet, whole or not at all, the same bytes every time.

Everything goes to `.NAME.part` beside the target; `commit` renames it, `abort` removes it. The
bytes depend on the records and their order, not on how they were appended: JSONL is compressed
in blocks of fixed size, Parquet cut into row groups by rows and bytes of the records. No time
stamps or names are written, levels and format versions are fixed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.corpus.convert import conform, lines_to_table
from tamis.corpus.sinks import Sink
from tamis.corpus.table_values import json_lines, plain, row_bytes
from tamis.errors import DISK_FULL, OptionError, OutputError, nearest

__all__ = ["SUFFIXES", "Target", "Writer", "open_writer", "parse_suffix", "shard_paths"]

#: What an output may be called: format and compression by suffix.
SUFFIXES: dict[str, tuple[str, str | None]] = {
    ".jsonl": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".jsonl.zst": ("jsonl", "zstd"),
    ".parquet": ("parquet", None),
    ".parquet.gz": ("parquet", "gzip"),
    ".parquet.zst": ("parquet", "zstd"),
}
_ROW_GROUP_ROWS = 65_536
_ROW_GROUP_BYTES = 64 << 20
_ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Target:
    """An output's name without suffixes, its suffixes, format and compression of the whole file."""

    stem: str
    suffix: str
    format: str
    compression: str | None


def parse_suffix(path: str | Path) -> Target:
    """Return what an output's name says.

    Raises
    ------
    OptionError
        If the suffix is none of `SUFFIXES`.
    """
    name = Path(path).name
    for suffix, (format, compression) in SUFFIXES.items():
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return Target(name[: -len(suffix)], name[-len(suffix) :], format, compression)
    got = "".join(Path(name).suffixes[-2:]) or name
    raise OptionError(
        f"expected an output called NAME.jsonl or NAME.parquet, with .gz or .zst if wanted, got '{name}'."
        f"{nearest(got, SUFFIXES)}"
    )


def shard_paths(path: str | Path, shards: int = 1) -> list[Path]:
    """Return the files of an output: itself, or `NAME-00000-of-00004.jsonl` and so on."""
    path = Path(path)
    if shards < 1:
        raise OptionError(f"expected at least 1 shard, got {shards}.")
    if shards == 1:
        return [path]
    target = parse_suffix(path)
    return [path.with_name(f"{target.stem}-{i:05d}-of-{shards:05d}{target.suffix}") for i in range(shards)]


def open_writer(
    path: str | Path, *, shards: int = 1, total: int | None = None, schema: pa.Schema | None = None
) -> Writer:
    """Return a writer of records to `path`.

    Parameters
    ----------
    path : str or Path
        `NAME.jsonl` or `NAME.parquet`, with `.gz` or `.zst` if wanted.
    shards : int
        Number of files; records are split contiguously, sizes differ by at most one.
    total : int, optional
        Records that will be appended; needed for more than one shard.
    schema : pa.Schema, optional
        What Parquet is written with; by default that of the first table. Needed where JSON lines
        are appended to Parquet (see `tamis.corpus.convert.SchemaBuilder`).

    Raises
    ------
    OptionError
        If the suffix is unknown or `shards` is not positive.
    OutputError
        If the file cannot be written.
    """
    return Writer(Path(path), shards, total, schema)


class Writer:
    """Appends records to one or more files that appear together on `commit`.

    A context manager: leaving it without `commit` removes what was written.

    Attributes
    ----------
    paths : list of Path
        The files, in order.
    records : int
        Records appended so far.
    """

    def __init__(self, path: Path, shards: int, total: int | None, schema: pa.Schema | None) -> None:
        self.target = parse_suffix(path)
        self.paths = shard_paths(path, shards)
        self.records = 0
        self._schema = schema
        self._room = _sizes(shards, total)
        self._shard = 0
        self._files: list[_File] = []
        with self._guarded():
            for shard in self.paths:
                self._files.append(_FORMATS[self.target.format](shard, self.target.compression))

    def append(self, records: Sequence[bytes] | pa.Table) -> None:
        """Append JSON texts of one line each, or a table.

        Raises
        ------
        OutputError
            If the disk is full or refuses; nothing is left behind then.
        """
        if self.target.format == "jsonl":
            records = json_lines(records) if isinstance(records, pa.Table) else records
        else:
            records = self._as_table(records)
        with self._guarded():
            for part in self._split(records):
                self._files[self._shard].append(part)

    def commit(self) -> list[Path]:
        """Finish the files and give them their names; return them.

        Raises
        ------
        OutputError
            If the disk is full or refuses; nothing is left behind then.
        """
        with self._guarded():
            for file in self._files:
                file.finish(self._schema)
            for file in self._files:
                file.aside.replace(file.path)
        self._files = []
        return self.paths

    def abort(self) -> None:
        """Remove what was written."""
        for file in self._files:
            file.discard()
        self._files = []

    def _as_table(self, records: Sequence[bytes] | pa.Table) -> pa.Table:
        if self._schema is None:
            if not isinstance(records, pa.Table):
                raise ValueError("JSON lines to Parquet need a schema: see convert.SchemaBuilder")
            self._schema = records.schema
        if isinstance(records, pa.Table):
            return conform(records, self._schema)
        return lines_to_table(records, self._schema)

    def _split(self, records: Any) -> Iterator[Any]:
        """Yield the parts of `records` that go to each shard, moving from shard to shard."""
        start = 0
        while start < len(records):
            while self._room[self._shard] == 0 and self._shard + 1 < len(self._room):
                self._shard += 1
            count = min(self._room[self._shard], len(records) - start)
            if not count:
                raise ValueError(f"more records than the {self.records} announced")
            self._room[self._shard] -= count
            self.records += count
            yield (records.slice(start, count) if isinstance(records, pa.Table) else records[start : start + count])
            start += count

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what the disk refuses into an error that says so, with nothing left behind."""
        try:
            yield
        except OSError as error:
            written = sum(file.written for file in self._files)
            self.abort()
            why = "the disk is full" if error.errno in DISK_FULL else (error.strerror or str(error))
            raise OutputError(
                f"{self.paths[0]}: cannot be written: {why} (after {written:,} bytes). What was written has "
                "been removed. Make room, or choose another -o."
            ) from error
        except BaseException:
            self.abort()
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


def _sizes(shards: int, total: int | None) -> list[int]:
    if shards == 1:
        return [total if total is not None else 2**63]
    if total is None:
        raise ValueError("several shards need the number of records")
    return [total // shards + (shard < total % shards) for shard in range(shards)]


class _File:
    """One file of an output, written aside."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self.path = path
        self.aside = path.with_name(f".{path.name}.part")
        self._raw = cast(BinaryIO, self.aside.open("wb", buffering=0))
        try:
            self.sink = Sink(self._raw, compression)
        except BaseException:
            self.discard()
            raise

    @property
    def written(self) -> int:
        """Bytes written so far."""
        return self.sink.written

    def append(self, records: Any) -> None:
        """Write records of the file's kind."""
        raise NotImplementedError

    def finish(self, schema: pa.Schema | None) -> None:  # noqa: ARG002 (Parquet needs it)
        """Write the end of the file."""
        self.sink.finish()

    def discard(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._raw.close()
        self.aside.unlink(missing_ok=True)


class _Lines(_File):
    def append(self, records: Sequence[bytes]) -> None:
        self.sink.write(b"".join(part for line in records for part in (line, b"\n")))


class _Parquet(_File):
    """Row groups close after `_ROW_GROUP_ROWS` rows or `_ROW_GROUP_BYTES` of values, whichever is first."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self._inner = "zstd" if compression is None else "none"
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []
        self._rows = self._bytes = 0
        super().__init__(path, compression)

    def append(self, records: pa.Table) -> None:
        sizes = np.cumsum(row_bytes(records))
        start = 0
        while start < records.num_rows:
            before = int(sizes[start - 1]) if start else 0
            by_bytes = int(np.searchsorted(sizes, before + _ROW_GROUP_BYTES - self._bytes)) + 1
            stop = min(start + _ROW_GROUP_ROWS - self._rows, by_bytes, records.num_rows)
            self._held.append(records.slice(start, stop - start))
            self._rows += stop - start
            self._bytes += int(sizes[stop - 1]) - before
            if self._rows >= _ROW_GROUP_ROWS or self._bytes >= _ROW_GROUP_BYTES:
                self._flush()
            start = stop

    def finish(self, schema: pa.Schema | None) -> None:
        if self._held:
            self._flush()
        if self._writer is None:
            self._open(schema if schema is not None else pa.schema([]))
        cast(pq.ParquetWriter, self._writer).close()
        super().finish(schema)

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.is_open = False  # nothing more is to be written when it is collected
        super().discard()

    def _flush(self) -> None:
        for group in _canonical(pa.concat_tables(self._held)):
            if self._writer is None:
                self._open(group.schema)
            cast(pq.ParquetWriter, self._writer).write_table(group, row_group_size=group.num_rows)
        self._held, self._rows, self._bytes = [], 0, 0

    def _open(self, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self.sink, "w"),
            schema,
            version="2.6",
            data_page_version="1.0",
            compression=self._inner,
            compression_level=_ZSTD_LEVEL if self._inner == "zstd" else None,
            use_dictionary=True,
            write_statistics=True,
            store_schema=True,
        )


def _canonical(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in one chunk a column, dictionaries in the order in which their values appear.

    What a dictionary column is written as would otherwise depend on the fragment it came from.
    Where the distinct values of all rows are too many for the index type, the halves are yielded.
    """
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            try:
                column = plain(column).dictionary_encode().cast(field.type)  # noqa: PLW2901
            except pa.ArrowInvalid:
                half = table.num_rows // 2
                yield from _canonical(table.slice(0, half))
                yield from _canonical(table.slice(half))
                return
        columns.append(column)
    yield pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


_FORMATS: dict[str, type[_File]] = {"jsonl": _Lines, "parquet": _Parquet}
