"""Files of lines (JSONL, plain text) and JSON arrays, as fragments.

A plain local file is cut into byte ranges, so every worker reads its own part; a fragment
holds the lines that *start* in its range. A compressed file is one stream: it is
decompressed once, in order, and cut at line ends.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk
from tamis.corpus.task import FRAGMENT_BYTES, Task

__all__ = ["LineFile", "LineStream", "WholeFile", "open_stream"]

#: Makes a chunk of a buffer; the flag says whether the buffer is the beginning of the file.
Maker = Callable[[NDArray[np.uint8], bool], Chunk]

#: Bytes read at a time of a stream near its damage.
_SALVAGE = (1 << 12, 1)
#: What reading a damaged or cut compressed stream may raise.
_DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error, pa.ArrowInvalid)


class LineFile:
    """A plain local file of lines, cut into byte ranges.

    Parameters
    ----------
    path : Path
        The file.
    make : callable
        Makes a chunk of a buffer of whole lines.
    fragment_bytes : int
        Bytes of a range.
    """

    damage: str | None = None

    def __init__(self, path: Path, make: Maker, fragment_bytes: int | None = None) -> None:
        self.path = path
        self.make = make
        self.fragment_bytes = fragment_bytes or FRAGMENT_BYTES

    def tasks(self) -> Iterator[Task]:
        """Yield a task a byte range; nothing is read yet."""
        size = self.path.stat().st_size
        for index, start in enumerate(range(0, size, self.fragment_bytes)):
            yield Task(index, partial(self._load, start, min(start + self.fragment_bytes, size), size))

    def _load(self, start: int, stop: int, size: int) -> Chunk:
        return self.make(lines_starting_in(self.path, start, stop, size), start == 0)


def lines_starting_in(path: Path, start: int, stop: int, size: int) -> NDArray[np.uint8]:
    """Return the bytes of the lines of a file that start in `start <= position < stop`."""
    with path.open("rb", buffering=0) as file:
        begin = max(start - 1, 0)  # the byte before tells whether a line starts at `start`
        buffer = _read(file, begin, stop - begin)
        if start:
            newline = _find_newline(buffer[: stop - start])
            if newline < 0:
                return np.empty(0, np.uint8)
            buffer = buffer[newline + 1 :]
        if stop >= size or not len(buffer) or buffer[-1] == 10:
            return buffer
        parts = [buffer]
        position, block = stop, 1 << 16
        while position < size:
            more = _read(file, position, min(block, size - position))
            newline = _find_newline(more)
            parts.append(more if newline < 0 else more[: newline + 1])
            if newline >= 0 or not len(more):
                break
            position += len(more)
            block = min(block * 2, 1 << 24)
        return np.concatenate(parts)


def _read(file: BinaryIO, offset: int, count: int) -> NDArray[np.uint8]:
    buffer = np.empty(count, np.uint8)
    done = 0
    while done < count:
        got = os.preadv(file.fileno(), [memoryview(buffer)[done:]], offset + done)  # type: ignore[arg-type]
        if not got:  # the file shrank while we read it
            break
        done += got
    return buffer[:done]


def _find_newline(buffer: NDArray[np.uint8]) -> int:
    """Return where the first newline is, or -1; looks at a little at a time, as lines are short."""
    step = 1 << 12
    for start in range(0, len(buffer), step):
        found = buffer[start : start + step].tobytes().find(b"\n")
        if found >= 0:
            return start + found
    return -1


class LineStream:
    """A compressed file of lines, decompressed in order and cut at line ends.

    `damage` says, after the last task, how much could be read of a file that is cut or corrupt.
    """

    def __init__(self, path: Path, compression: str | None, make: Maker, fragment_bytes: int | None = None) -> None:
        self.path = path
        self.compression = compression
        self.make = make
        self.fragment_bytes = fragment_bytes or FRAGMENT_BYTES
        self.damage: str | None = None
        #: Decompressed bytes a byte of the file, as far as it has been read: what a plan goes by.
        self.unpacked_per_byte = 1.0

    def tasks(self) -> Iterator[Task]:
        """Yield a task for each run of whole lines of about `fragment_bytes`."""
        for index, buffer in enumerate(self.buffers()):
            yield Task(index, partial(self.make, buffer, index == 0))

    def buffers(self) -> Iterator[NDArray[np.uint8]]:
        """Yield buffers that end at line ends (the last one wherever the file ends)."""
        rest = b""
        for block in self.blocks():
            cut = block.rfind(b"\n")
            if cut < 0:
                rest += block
                continue
            yield np.frombuffer(rest + block[: cut + 1], np.uint8)
            rest = block[cut + 1 :]
        if rest:
            yield np.frombuffer(rest, np.uint8)

    def blocks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes in blocks; stop at damage and say so in `damage`."""
        done = 0
        self.damage = None
        with self.path.open("rb") as raw, open_stream(raw, self.compression) as stream:
            read = stream.read1  # type: ignore[attr-defined]  # what can be read, though the file be cut behind it
            while True:
                parts: list[bytes] = []
                wanted, failure = self.fragment_bytes, None
                try:
                    while wanted > 0 and (part := read(min(wanted, 1 << 20))):
                        parts.append(part)
                        wanted -= len(part)
                except _DAMAGED as error:
                    failure = error
                    parts.append(self._salvaged(done + sum(map(len, parts))))
                block = b"".join(parts)
                done += len(block)
                self.unpacked_per_byte = done / max(raw.tell(), 1)
                if block:
                    yield block
                if failure is not None:
                    self.damage = (
                        f"{self.path}: the {self.compression} stream is cut or damaged after {done:,} "
                        f"decompressed bytes ({failure})"
                    )
                    return
                if wanted > 0:
                    return

    def _salvaged(self, done: int) -> bytes:
        """Return what can be decompressed between `done` bytes, where a read failed, and the damage.

        A decompressor may give nothing of a read that meets damage, so the stream is read anew, less
        and less at a time: what is found depends on the file, not on how it was being read.
        """
        found = b""
        for step in _SALVAGE:
            with self.path.open("rb") as raw, open_stream(raw, self.compression) as stream:
                read = stream.read1  # type: ignore[attr-defined]
                with contextlib.suppress(*_DAMAGED):
                    left = done + len(found)
                    while left > 0 and (part := read(min(left, 1 << 20))):
                        left -= len(part)
                    while part := read(step):
                        found += part
        return found


class WholeFile:
    """A file that is one record."""

    damage: str | None = None

    def __init__(self, path: Path, compression: str | None, make: Maker) -> None:
        self.stream = LineStream(path, compression, make)

    def tasks(self) -> Iterator[Task]:
        """Yield the one task."""
        yield Task(0, self._load)

    def _load(self) -> Chunk:
        data = b"".join(self.stream.blocks())
        self.damage = self.stream.damage
        return self.stream.make(np.frombuffer(data, np.uint8), True)


def open_stream(raw: BinaryIO, compression: str | None) -> BinaryIO:
    """Return a stream of the decompressed bytes of `raw` (gzip, zstd, bz2, xz, or None for plain)."""
    if compression == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))
    if compression == "bz2":
        return cast(BinaryIO, bz2.BZ2File(raw))
    if compression == "xz":
        return cast(BinaryIO, lzma.LZMAFile(raw))
    if compression == "zstd":
        return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))
    return raw
