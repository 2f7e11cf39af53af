"""Where a writer's bytes go: a file in blocks of fixed size, compressed as one stream."""

from __future__ import annotations

import gzip
import os
from typing import Any, BinaryIO, cast

import pyarrow as pa

__all__ = ["Sink"]

#: Bytes handed to the compressor or the system at a time, so that how they came makes no difference.
BLOCK = 1 << 20
_GZIP_LEVEL = 6


class Sink:
    """A file that counts its bytes and hands them to the system in blocks of fixed size, as a stream."""

    def __init__(self, raw: BinaryIO, compression: str | None) -> None:
        self.raw, self.written, self.closed = raw, 0, False
        self._held = bytearray()
        self._place = 0
        self._packer = _packer(self, compression)

    def write(self, data: Any) -> int:
        """Take bytes to be packed; Parquet writes through this."""
        view = memoryview(data).cast("B")
        self._held += view
        self._place += len(view)
        if len(self._held) >= BLOCK:
            self._drain(len(self._held) // BLOCK * BLOCK)
        return len(view)

    def tell(self) -> int:
        """Return the bytes taken so far."""
        return self._place

    def flush(self) -> None:
        """Do nothing: blocks are of fixed size."""

    def close(self) -> None:
        """Do nothing: `finish` closes."""

    def put(self, data: bytes) -> int:
        """Write packed bytes to the file, all of them."""
        view = memoryview(data)
        while view:  # a disk that fills up takes a part first
            count = self.raw.write(view)
            self.written += count
            view = view[count:]
        return len(data)

    def finish(self) -> None:
        """Write what is held, finish the compression, and make it durable."""
        self._drain(len(self._held))
        if self._packer is not None:
            self._packer.close()
        self.raw.flush()
        os.fsync(self.raw.fileno())
        self.raw.close()

    def _drain(self, count: int) -> None:
        for start in range(0, count, BLOCK):
            block = bytes(self._held[start : min(start + BLOCK, count)])
            if self._packer is None:
                self.put(block)
            else:
                self._packer.write(block)
        del self._held[:count]


class _Packed:
    """What a compressor writes into."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        return self._sink.put(bytes(data))

    def flush(self) -> None:
        """Do nothing: the file is flushed at its end."""

    def close(self) -> None:
        """Do nothing: the file is closed by its sink."""


def _packer(sink: Sink, compression: str | None) -> Any:
    packed = cast(BinaryIO, _Packed(sink))
    if compression == "gzip":
        return gzip.GzipFile("", "wb", _GZIP_LEVEL, packed, mtime=0)
    if compression == "zstd":
        return pa.CompressedOutputStream(pa.PythonFile(packed, "w"), "zstd")
    return None
