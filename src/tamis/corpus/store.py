"""The store: a folder of Arrow IPC files, one per (fragment, column).

    STORE/
      store.json                         the format's version
      lock                               held by the one writer, with its name
      index/PATH.json                    a file's stat and the hash of its content
      spool/                             copies of standard input and of remote files
      files/KEY/                         one folder per (content, reading options)
        file.json                        written once the whole file has been cut: its fragments
        00007.rows.arrow                 status, line, key, id of each record
        00007.tokens-v1-6fa0c1.arrow     a signal

A column is written aside and renamed: the rename is the commit, so a run that was killed
finds what is done. Columns are memory-mapped, so kernels read the bytes where they lie.
Everything that knows this layout is in this file.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.errors import OutputError, StoreError, TamisError

__all__ = ["FORMAT", "Entry", "Store"]

#: Raised whenever the layout or the meaning of `rows` changes.
FORMAT = 1


class Store:
    """A store, opened for writing by one process at a time.

    Parameters
    ----------
    path : Path
        The folder; made when absent.
    command : str
        What holds the lock, told to whoever comes second.

    Raises
    ------
    StoreError
        If another process holds it, or another version of the format wrote it.
    """

    def __init__(self, path: Path, command: str = "tamis") -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store {path} cannot be made: {error.strerror}. Choose another with --store."
            ) from error
        self._lock = self._hold(command)
        self._check_format()
        for folder in ("index", "spool", "files"):
            (path / folder).mkdir(exist_ok=True)

    def _hold(self, command: str) -> int:
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = os.read(handle, 4096).decode("utf-8", "replace").strip() or "another process"
            os.close(handle)
            raise StoreError(
                f"the store {self.path} is held by {who}. Wait for it to end, or give this run a store "
                "of its own with --store DIR."
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}: {command}\n".encode())
        return handle

    def _check_format(self) -> None:
        mark = self.path / "store.json"
        if mark.exists():
            try:
                found = json.loads(mark.read_text())["format"]
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"{mark} cannot be read as a store's mark. Remove the store: tamis clean {self.path}"
                ) from error
            if found != FORMAT:
                self.close()
                raise StoreError(
                    f"the store {self.path} has format {found}, this version of tamis reads format {FORMAT}. "
                    f"Remove it (tamis clean {self.path}) or choose another with --store DIR."
                )
        elif any(entry.name != "lock" for entry in self.path.iterdir()):
            self.close()
            raise StoreError(f"{self.path} is not empty and holds no store. Choose another folder with --store DIR.")
        else:
            write_text(mark, json.dumps({"format": FORMAT}) + "\n")

    def close(self) -> None:
        """Let the lock go."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def entry(self, key: str) -> Entry:
        """Return the folder for a file under its key."""
        folder = self.path / "files" / key
        folder.mkdir(exist_ok=True)
        for left in folder.glob(".*.tmp"):  # the lock is ours, so whoever wrote them was killed
            left.unlink(missing_ok=True)
        return Entry(folder)

    def remembered(self, path_key: str) -> dict[str, Any] | None:
        """Return what `remember` last wrote under `path_key`, or None."""
        try:
            found = json.loads((self.path / "index" / f"{path_key}.json").read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def remember(self, path_key: str, facts: Mapping[str, Any]) -> None:
        """Keep a small fact about a file, such as its stat and content hash."""
        write_text(self.path / "index" / f"{path_key}.json", json.dumps(dict(facts), sort_keys=True) + "\n")

    def spool(self) -> Path:
        """Return the folder for copies of inputs that can be read only once."""
        return self.path / "spool"


class Entry:
    """The columns of one file, by fragment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, fragment: int, column: str) -> Path:
        return self.folder / f"{fragment:05d}.{column}.arrow"

    def has(self, fragment: int, column: str) -> bool:
        """Tell whether a fragment's column is there, whole."""
        try:
            return self._path(fragment, column).stat().st_size > 0
        except OSError:
            return False

    def put(self, fragment: int, column: str, batch: pa.RecordBatch) -> None:
        """Write a fragment's column aside, then rename it into place."""
        target = self._path(fragment, column)
        aside = aside_of(target)
        try:
            with pa.OSFile(str(aside), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
            aside.replace(target)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise OutputError(
                f"the store cannot write {target}: {error}. What is finished is kept: make room, or move the "
                "store with --store DIR, and run the same command again."
            ) from error

    def get(self, fragment: int, column: str) -> pa.RecordBatch:
        """Return a fragment's column, memory-mapped."""
        path = self._path(fragment, column)
        try:
            with pa.memory_map(str(path)) as source:
                return pa.ipc.open_file(source).get_batch(0)
        except (OSError, pa.ArrowInvalid) as error:
            path.unlink(missing_ok=True)
            raise StoreError(
                f"the store's file {path} was damaged and has been removed ({error}). Run the same command again: "
                "it is computed anew."
            ) from error

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Record that the whole file has been cut into fragments."""
        write_text(self.folder / "file.json", json.dumps(dict(facts), sort_keys=True) + "\n")

    def finished(self) -> dict[str, Any] | None:
        """Return what `finish` wrote, or None."""
        try:
            return dict(json.loads((self.folder / "file.json").read_text()))
        except (OSError, ValueError):
            return None


def is_store(path: Path) -> bool:
    """Tell whether a folder is a store."""
    return (path / "store.json").is_file() and (path / "files").is_dir()


def aside_of(target: Path) -> Path:
    """Return a name beside `target` under which to write before renaming."""
    return target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex[:6]}.tmp")


def write_text(target: Path, text: str) -> None:
    """Write a small file so that it appears whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    aside = aside_of(target)
    try:
        aside.write_text(text)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"{target} cannot be written: {error.strerror or error}.") from error


def clean(path: Path) -> int:
    """Remove a store and return the bytes freed.

    Raises
    ------
    StoreError
        If the folder is no store of ours, or a running process holds it.
    """
    if not (path / "store.json").is_file():
        raise StoreError(f"{path} holds no store: expected the file {path / 'store.json'}. Nothing was removed.")
    try:
        handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StoreError(f"the store {path} is in use. Wait for the run that holds it to end.") from error
    freed = 0
    for base, _, names in os.walk(path):
        freed += sum((Path(base) / name).lstat().st_size for name in names)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise TamisError(f"{path} could not be removed whole: {error}") from error
    finally:
        os.close(handle)
    return freed
