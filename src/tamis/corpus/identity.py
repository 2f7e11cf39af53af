"""What a file is, by its content; and what a record is called.

A file's content is hashed once and remembered with its stat (size, times, inode), as version
control systems do: while the stat stays, the content is taken to be the same.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.rows import RowTable
from tamis.corpus.sources import Source
from tamis.corpus.store import Store
from tamis.engine import Local
from tamis.errors import InputError
from tamis.kernels.hashing import hash_spans
from tamis.kernels.order import canonical_order

__all__ = ["Ids", "content_hash", "file_hash", "number_copies", "stamp"]

_BLOCK = 16 << 20
#: A file younger than this may change again within one tick of its clock: its stat is not trusted.
_FRESH_SECONDS = 2.0


def content_hash(source: Source, store: Store, engine: Local) -> str:
    """Return a hash of a file's (or data set folder's) bytes, read anew only if its stat changed."""
    if source.chunks is not None:  # objects have no file to come back to: their columns serve this run alone
        return uuid.uuid4().hex
    digest = hashlib.blake2b(digest_size=16)
    for path in _files(source):
        stat = path.stat()
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        path_key = hashlib.blake2b(str(path.resolve()).encode(), digest_size=16).hexdigest()
        known = store.remembered(path_key)
        if known and known.get("stat") == mark and isinstance(known.get("content"), str):
            content = known["content"]
        else:
            content = file_hash(path, engine)
            if time.time() - stat.st_mtime > _FRESH_SECONDS:
                store.remember(path_key, {"stat": mark, "content": content})
        digest.update(content.encode())
    return digest.hexdigest()


def stamp(source: Source) -> list[tuple[int, ...]]:
    """Return the sizes, times and inodes of a source's files: what changes when one of them does."""
    if source.chunks is not None:
        return []
    stats = [path.stat() for path in _files(source)]
    return [(about.st_size, about.st_mtime_ns, about.st_ino) for about in stats]


def _files(source: Source) -> list[Path]:
    if source.path.is_file():
        return [source.path]
    return sorted(path for path in source.path.rglob("*") if path.is_file())


def file_hash(path: Path, engine: Local) -> str:
    """Return a 128-bit hash of a file's bytes: blocks hashed in parallel, in order."""
    size = path.stat().st_size

    def blocks() -> Iterator[tuple[int, int]]:
        for start in range(0, size, _BLOCK):
            yield start, min(_BLOCK, size - start)

    def one(block: tuple[int, int]) -> bytes:
        start, count = block
        data = np.fromfile(path, np.uint8, count, offset=start)
        ends = np.array([0, len(data)], np.int64)
        return bytes(hash_spans(data, ends[:1], ends[1:], np.uint64(0)).tobytes())

    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    try:
        for part in engine.map(one, blocks()):
            digest.update(part)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def number_copies(rows: RowTable) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the canonical order of the rows, and the number of each among identical copies.

    Records are ordered by key; identical copies (the same key) in input order, numbered 0, 1,
    2 ...: the first keeps its id, the others get the suffix `-2`, `-3` ...

    Returns
    -------
    order : int64 array of shape (n,)
        Positions in input order, in canonical order.
    copy : int32 array of shape (n,)
        The number of each record (input order) among its copies.
    """
    order = canonical_order(rows.key)
    key = rows.key[order]
    same = np.zeros(len(key), bool)
    same[1:] = (key[1:] == key[:-1]).all(axis=1)
    position = np.arange(len(key))
    first = np.maximum.accumulate(np.where(same, 0, position)) if len(key) else position
    copy = np.empty(len(key), np.int32)
    copy[order] = position - first
    return order, copy


class Ids:
    """The ids of all records: the user's, or 32 hex digits of the record's hash and a copy's number.

    Parameters
    ----------
    rows : RowTable
        The records in input order.

    Attributes
    ----------
    keys : uint64 array of shape (n, 2)
        Keys in input order, made distinct for copies: what random numbers are counted by.
    order : int64 array of shape (n,)
        Canonical order: positions in input order, sorted by `keys`.
    by_id : int64 array of shape (n,)
        Positions in input order, sorted by id.

    Raises
    ------
    InputError
        If two records have the same id in the user's id field, usable or not.
    """

    def __init__(self, rows: RowTable, files: list[str]) -> None:
        self.rows = rows
        self.by_id, self.copy = number_copies(rows)
        self.keys, self.order = rows.key, self.by_id
        copies = np.flatnonzero(self.copy)
        if len(copies):
            if rows.ids is not None:
                self._refuse_duplicates(copies, files)
            self.keys = rows.key.copy()
            self.keys[copies, 1] = _mixed(self.keys[copies, 1], self.copy[copies])
            self.order = canonical_order(self.keys)
        if rows.ids is not None:
            everyone = self.strings(np.arange(len(rows)))
            self.by_id = as_numpy(pc.sort_indices(everyone)).astype(np.int64)

    def _refuse_duplicates(self, copies: NDArray[np.int64], files: list[str]) -> None:
        rows = self.rows
        for row in copies.tolist():
            name = rows.ids[row].as_py() if rows.ids is not None else ""
            if not name:  # set aside before its id could be read
                continue
            same = np.flatnonzero((rows.key == rows.key[row]).all(axis=1))[0]
            places = " and ".join(f"{files[rows.source[r]]}, line {rows.line[r]}" for r in (int(same), row))
            raise InputError(
                f"expected distinct ids, got '{name}' twice: {places}. Choose another --id field, or leave it "
                "out: records are then identified by their content."
            )

    def strings(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        """Return the ids of the given records (positions in input order)."""
        hexed = _hex(self.rows.key[rows])
        copy = self.copy[rows]
        if copy.any():
            names = hexed.to_pylist()
            for i in np.flatnonzero(copy).tolist():
                names[i] = f"{names[i]}-{copy[i] + 1}"
            hexed = pa.array(names, pa.large_string())
        if self.rows.ids is None:
            return hexed
        own = self.rows.ids.take(as_arrow(rows)).combine_chunks()
        own = own if isinstance(own, pa.Array) else pa.concat_arrays(own.chunks)
        empty = pc.equal(pc.binary_length(own), 0)
        return pc.if_else(empty, hexed, own)


def _mixed(words: NDArray[np.uint64], copy: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return words that differ for every copy: the splitmix64 step, taken `copy` times."""
    x = words + copy.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)


def _hex(keys: NDArray[np.uint64]) -> pa.LargeStringArray:
    """Return 32 hex digits a key, without a Python object each."""
    n = len(keys)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    octets = np.ascontiguousarray(keys.astype(">u8")).view(np.uint8).reshape(n, 16)
    text = np.empty((n, 32), np.uint8)
    text[:, 0::2] = digits[octets >> 4]
    text[:, 1::2] = digits[octets & 15]
    offsets = np.arange(0, 32 * n + 1, 32, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))
