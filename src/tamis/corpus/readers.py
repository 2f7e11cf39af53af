"""From a source to its fragments: one reader a format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tamis.corpus import tabular
from tamis.corpus.chunk import Chunk
from tamis.corpus.json_array import ArraySplitter, Elements
from tamis.corpus.json_chunk import JsonChunk
from tamis.corpus.lines import LineFile, LineStream, WholeFile, open_stream
from tamis.corpus.sources import Source
from tamis.corpus.task import FRAGMENT_BYTES, Readable, Task
from tamis.corpus.text_chunk import TextChunk
from tamis.errors import InputError

if TYPE_CHECKING:
    from tamis.corpus.corpus import Settings

__all__ = ["ArrayStream", "InMemory", "readable"]


def readable(source: Source, settings: Settings, fragment_bytes: int | None = None) -> Readable:
    """Return the reader of a source.

    Raises
    ------
    InputError
        For a data set folder of a format that is a file's.
    """
    if source.chunks is not None:
        return InMemory(source.chunks)
    found, path = source.detected, source.path
    if path.is_dir() and found.format not in ("datasets", "lance"):
        raise InputError(f"{source.name} is a folder: expected a {found.format} file.")
    if found.format in ("jsonl", "text"):
        if found.format == "text" and settings.per_file:
            return WholeFile(path, found.compression, _whole)
        make = _json_lines if found.format == "jsonl" else _text_lines
        if found.compression is None:
            return LineFile(path, make, fragment_bytes)
        return LineStream(path, found.compression, make, fragment_bytes)
    if found.format == "json":
        return ArrayStream(path, found.compression, fragment_bytes)
    opener = _opener(path, found.compression) if found.compression else None
    if found.format == "parquet":
        return tabular.parquet(str(path), opener, fragment_bytes)
    if found.format == "arrow":
        return tabular.arrow(str(path), opener, fragment_bytes)
    if found.format in ("csv", "tsv"):
        return tabular.csv(str(path), opener, "," if found.format == "csv" else "\t", fragment_bytes)
    if found.format == "lance":
        return tabular.lance(str(path), fragment_bytes)
    return tabular.hf_dataset(str(path), fragment_bytes)


def _json_lines(buffer: NDArray[np.uint8], first: bool) -> Chunk:
    return JsonChunk.from_lines(buffer, skip_bom=first)


def _text_lines(buffer: NDArray[np.uint8], first: bool) -> Chunk:
    return TextChunk.from_lines(buffer, skip_bom=first)


def _whole(buffer: NDArray[np.uint8], first: bool) -> Chunk:
    return TextChunk.whole(buffer, skip_bom=first)


def _opener(path: Path, compression: str) -> Callable[[], BinaryIO]:
    def opener() -> BinaryIO:
        return open_stream(cast(BinaryIO, path.open("rb")), compression)

    return opener


class InMemory:
    """Records that are in memory already."""

    damage: str | None = None

    def __init__(self, chunks: tuple[Chunk, ...]) -> None:
        self.chunks = chunks

    def tasks(self) -> Iterator[Task]:
        """Yield a task a chunk."""
        for index, chunk in enumerate(self.chunks):
            yield Task(index, partial(_same, chunk))


def _same(chunk: Chunk) -> Chunk:
    return chunk


class ArrayStream:
    """A JSON array, plain or compressed, cut between its elements."""

    def __init__(self, path: Path, compression: str | None, fragment_bytes: int | None = None) -> None:
        self.stream = LineStream(path, compression, _json_lines, fragment_bytes or FRAGMENT_BYTES)
        self.damage: str | None = None

    def tasks(self) -> Iterator[Task]:
        """Yield a task for each run of whole elements of about `fragment_bytes`."""
        splitter = ArraySplitter()
        self.damage = None
        index = 0
        for block in self.stream.blocks():
            elements = splitter.feed(np.frombuffer(block, np.uint8))
            if len(elements.starts):
                yield Task(index, partial(_elements, elements))
                index += 1
            if splitter.error:
                break
        self.damage = self.stream.damage
        error = splitter.error or splitter.finish()
        if self.damage is None and error:
            self.damage = f"{self.stream.path}: {error}"


def _elements(found: Elements) -> Chunk:
    return JsonChunk.from_elements(found.data, found.starts, found.stops)
