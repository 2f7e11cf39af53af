"""Files and folders of tables, as fragments: Parquet, Arrow, CSV, saved `datasets`, Lance.

Each function returns an object with `tasks()` (see `tamis.corpus.task.Readable`). A fragment
aims at 16 MiB of values and never has more than `MAX_ROWS` rows; how a file is cut depends on
the file alone. `opener` gives the bytes where the path is not a plain local file (compressed);
such a file is unpacked once into a temporary one, as these formats are read from both ends.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.corpus.chunk import Chunk
from tamis.corpus.csv_file import CsvFile
from tamis.corpus.table_chunk import TableChunk
from tamis.corpus.task import FRAGMENT_BYTES, Task
from tamis.errors import DISK_FULL, InputError, OutputError, missing_extra

__all__ = ["MAX_ROWS", "TabularFile", "arrow", "csv", "cut", "hf_dataset", "lance", "parquet"]

#: Rows of a fragment at most, however small they are.
MAX_ROWS = 200_000

Opener = Callable[[], BinaryIO]
_ARROW_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"
_DAMAGED = (EOFError, OSError, LZMAError, zlib.error, pa.ArrowException)


class TabularFile:
    """A file, or a folder that is one data set, as fragments.

    Parameters
    ----------
    path : str
        Where it is, and what it is called in messages.
    opener : callable, optional
        Opens its bytes for reading where the path is not a plain local file.
    fragment_bytes : int, optional
        Bytes of values a fragment aims at.
    """

    damage: str | None = None

    def __init__(self, path: str, opener: Opener | None = None, fragment_bytes: int | None = None) -> None:
        self.path = str(path)
        self.opener = opener
        self.fragment_bytes = fragment_bytes or FRAGMENT_BYTES
        self._unpacked: Any = None

    def tasks(self) -> Iterator[Task]:
        """Yield the fragments in order.

        Raises
        ------
        InputError
            If the file is damaged: what was expected, how much was read, what to do.
        """
        self.damage = None
        for index, load in enumerate(self._loads()):
            yield Task(index, load)

    def _loads(self) -> Iterator[Callable[[], Chunk]]:
        raise NotImplementedError

    def _local(self) -> str:
        """Return the path of a plain local file with the bytes."""
        if self.opener is None:
            return self.path
        if self._unpacked is None:
            unpacked = tempfile.NamedTemporaryFile(prefix="tamis-")  # noqa: SIM115 (lives as long as self)
            try:
                with self.opener() as stream:
                    shutil.copyfileobj(stream, unpacked, 1 << 20)
                unpacked.flush()
            except _DAMAGED as error:
                if isinstance(error, OSError) and error.errno in DISK_FULL:
                    raise OutputError(
                        f"{self.path}: no room to unpack it in {tempfile.gettempdir()}: {error.strerror}. Make room "
                        "there, or name another folder in TMPDIR."
                    ) from error
                raise self._damaged("compressed bytes", f"{unpacked.tell():,} bytes", error) from error
            self._unpacked = unpacked
        return str(self._unpacked.name)

    def _damaged(self, expected: str, read: str, error: BaseException) -> InputError:
        return InputError(f"{self._sentence(expected, read, error)}. Get it again, or leave it out.")

    def _sentence(self, expected: str, read: str, error: BaseException) -> str:
        reason = " ".join(str(error).split()).rstrip(".")
        return f"{self.path}: expected {expected}, but it is cut or damaged after {read} ({reason})"


class _Parquet(TabularFile):
    """Row groups; small ones are read together, large ones in batches of rows."""

    def _loads(self) -> Iterator[Callable[[], Chunk]]:
        facts = self._metadata()
        group, row = 0, 0
        while group < facts.num_row_groups:
            first, rows, size = group, 0, 0
            while group < facts.num_row_groups:
                more = facts.row_group(group)
                if group > first and not self._fits(rows + more.num_rows, size + more.total_byte_size):
                    break
                rows, size, group = rows + more.num_rows, size + more.total_byte_size, group + 1
            if group == first + 1 and not self._fits(rows, size):
                yield from self._batches(facts, first, rows, size, row)
            elif rows:
                yield partial(self._groups, facts, range(first, group), row)
            row += rows

    def _fits(self, rows: int, size: int) -> bool:
        return rows <= MAX_ROWS and size <= self.fragment_bytes

    def _metadata(self) -> pq.FileMetaData:
        path = self._local()
        try:
            with pa.OSFile(path) as file:
                return pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged("a Parquet file", "0 rows", error) from error

    @contextlib.contextmanager
    def _open(self, facts: pq.FileMetaData, group: int, row: int) -> Iterator[pq.ParquetFile]:
        """Open the file; what goes wrong meanwhile is told as damage at a row group."""
        try:
            with (
                pa.OSFile(self._local()) as file,
                pq.ParquetFile(
                    file,
                    metadata=facts,
                    buffer_size=1 << 20,  # pages as needed, not whole column chunks
                    pre_buffer=False,
                    page_checksum_verification=True,
                ) as opened,
            ):
                yield opened
        except (OSError, pa.ArrowException) as error:
            expected = f"row group {group + 1:,} of {facts.num_row_groups:,}"
            raise self._damaged(expected, f"{row:,} of {facts.num_rows:,} rows", error) from error

    def _groups(self, facts: pq.FileMetaData, groups: range, row: int) -> Chunk:
        with self._open(facts, groups[0], row) as file:
            return TableChunk(file.read_row_groups(list(groups), use_threads=False))

    def _batches(
        self, facts: pq.FileMetaData, group: int, rows: int, size: int, row: int
    ) -> Iterator[Callable[[], Chunk]]:
        """Decode one large row group once, in order: its parts cannot be read without those before."""
        batch_rows = max(1, min(MAX_ROWS, rows * self.fragment_bytes // max(size, 1)))
        with self._open(facts, group, row) as file:
            for batch in file.iter_batches(batch_size=batch_rows, row_groups=[group]):
                yield partial(TableChunk, batch)


class _Arrow(TabularFile):
    """An IPC file (Feather 2) or stream, memory-mapped."""

    def _loads(self) -> Iterator[Callable[[], Chunk]]:
        return cut(_record_batches(self, self._local()), self.fragment_bytes)


class _Shards(TabularFile):
    """A folder of Arrow streams, as `datasets` saves one split."""

    def _loads(self) -> Iterator[Callable[[], Chunk]]:
        return cut(self._all_batches(), self.fragment_bytes)

    def _all_batches(self) -> Iterator[pa.RecordBatch]:
        folder = Path(self.path)
        for name in self._names(folder):
            if self.damage:
                return
            if not (folder / name).is_file():
                raise InputError(f"{folder}: expected the file {name} that state.json names, it is not there.")
            yield from _record_batches(self, str(folder / name))

    def _names(self, folder: Path) -> list[str]:
        try:
            state = json.loads((folder / "state.json").read_text("utf-8"))
            if state.get("_indices_data_files"):
                raise InputError(
                    f"{folder}: saved with a selection of rows that is not applied. Load it with `datasets`, "
                    "call flatten_indices(), and save it again."
                )
            return [Path(file["filename"]).name for file in state["_data_files"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{folder}: expected a data set saved by `datasets` (state.json with its data files), "
                f"got {type(error).__name__}: {error}. Save it again with save_to_disk()."
            ) from error


class _Lance(TabularFile):
    """A Lance data set, version as of now, by its own fragments."""

    def _loads(self) -> Iterator[Callable[[], Chunk]]:
        try:
            import lance as driver
        except ImportError as error:
            raise missing_extra("pylance", "lance", f"reading {self.path}") from error
        read = 0
        try:
            opened = driver.dataset(self.path)
            for load in cut(opened.scanner(scan_in_order=True, batch_size=4096).to_batches(), self.fragment_bytes):
                yield load
                read += 1
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged("a Lance data set", f"{read:,} fragments", error) from error


def parquet(path: str, opener: Opener | None = None, fragment_bytes: int | None = None) -> TabularFile:
    """Return a Parquet file as fragments."""
    return _Parquet(path, opener, fragment_bytes)


def arrow(path: str, opener: Opener | None = None, fragment_bytes: int | None = None) -> TabularFile:
    """Return an Arrow IPC file or stream (Feather 2 is one) as fragments."""
    return _Arrow(path, opener, fragment_bytes)


def csv(path: str, opener: Opener | None, delimiter: str, fragment_bytes: int | None = None) -> CsvFile:
    """Return a CSV (`delimiter` a comma) or TSV (a tab) file as fragments; see `csv_file`."""
    return CsvFile(str(path), opener or partial(_open_plain, Path(path)), delimiter, fragment_bytes)


def _open_plain(path: Path) -> BinaryIO:
    return path.open("rb")


def hf_dataset(folder: str, fragment_bytes: int | None = None) -> TabularFile:
    """Return a folder that `datasets` saved to disk as fragments; `datasets` itself is not needed.

    Raises
    ------
    InputError
        If it holds several splits: to choose from a test split by accident would be worse than
        to ask. The message names the folders to choose among.
    """
    path = Path(folder)
    if (path / "dataset_dict.json").is_file():
        try:
            splits = [str(name) for name in json.loads((path / "dataset_dict.json").read_text("utf-8"))["splits"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: expected a list of splits in dataset_dict.json ({error}).") from error
        if len(splits) != 1:
            named = ", ".join(str(path / name) for name in splits)
            raise InputError(f"{path}: expected one split, got {len(splits)}. Name the ones you want: {named}")
        path = path / splits[0]
    return _Shards(str(path), None, fragment_bytes)


def lance(folder: str, fragment_bytes: int | None = None) -> TabularFile:
    """Return a Lance data set as fragments (extra `lance`)."""
    return _Lance(folder, None, fragment_bytes)


def cut(batches: Iterable[pa.RecordBatch], fragment_bytes: int | None = None) -> Iterator[Callable[[], Chunk]]:
    """Group small record batches and slice large ones into fragments, in order."""
    target = fragment_bytes or FRAGMENT_BYTES
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for whole in batches:
        step = max(1, min(MAX_ROWS, whole.num_rows * target // max(whole.nbytes, 1)))
        for start in range(0, whole.num_rows, step):
            batch = whole.slice(start, step)
            if held and (rows + batch.num_rows > MAX_ROWS or size + batch.nbytes > target):
                yield partial(_chunk, held)
                held, rows, size = [], 0, 0
            held.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
    if held:
        yield partial(_chunk, held)


def _chunk(batches: list[pa.RecordBatch]) -> Chunk:
    return TableChunk(pa.Table.from_batches(batches))


def _record_batches(owner: TabularFile, path: str) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of an IPC file or stream; a stream that is cut ends in `damage`."""
    rows, stream = 0, False
    where = "" if path == owner.path else f" in {Path(path).name}"
    try:
        with pa.memory_map(path) as file:
            start = file.read(len(_ARROW_FILE))
            if start.startswith(_FEATHER_1):
                raise InputError(f"{owner.path}: Feather version 1 is not read. Save it anew as version 2.")
            stream = start != _ARROW_FILE
            file.seek(0)
            if stream:
                batches: Iterable[pa.RecordBatch] = pa.ipc.open_stream(file)
            else:
                reader = pa.ipc.open_file(file)
                batches = map(reader.get_batch, range(reader.num_record_batches))
            for batch in batches:
                yield batch
                rows += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        if not (stream and rows):
            raise owner._damaged(f"Arrow record batches{where}", f"{rows:,} rows", error) from error
        owner.damage = owner._sentence(f"Arrow record batches{where}", f"{rows:,} rows of the file", error)
