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

import json
import os
import shutil
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.corpus.lock import HeldError, lock
from tamis.errors import OutputError, StoreError

__all__ = ["FORMAT", "DamagedError", "Entry", "Store", "aside_of", "clean", "is_store", "write_text"]

#: Raised whenever the layout or the meaning of `rows` changes.
FORMAT = 1

_FOLDERS = ("index", "spool", "files")
#: What Arrow IPC files begin and end with.
_MAGIC = b"ARROW1"


class DamagedError(StoreError):
    """A column that cannot be read. It has been removed: the next scan computes it anew."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            f"the store's file {path} was damaged and has been removed ({error}). Run the same command again: "
            "it is computed anew."
        )
        self.path = path


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
            self._refuse_foreign()
            self._lock = lock(path / "lock", command)
        except HeldError as error:
            raise StoreError(
                f"the store {path} is held by {error.who}. Wait for it to end, or give this run a store of its "
                "own with --store DIR."
            ) from error
        except OSError as error:
            raise StoreError(
                f"the store {path} cannot be made or written: {error.strerror or error}. "
                "Choose another folder with --store DIR."
            ) from error
        try:
            self._check_format()
            for folder in _FOLDERS:
                (path / folder).mkdir(exist_ok=True)
            for folder in ("", "index", "spool"):
                _sweep(path / folder)
        except OSError as error:
            self.close()
            raise StoreError(f"the store {path} cannot be written: {error.strerror or error}.") from error
        except BaseException:
            self.close()
            raise

    def _refuse_foreign(self) -> None:
        """Refuse a folder with files in it that are no store's, before anything is written there."""
        if (self.path / "store.json").exists():
            return
        for found in self.path.iterdir():
            ours = found.name.startswith(".store.json.") and found.name.endswith(".tmp")  # killed while it was made
            if not ours and not (found.name == "lock" and found.read_bytes()[:8] in (b"", b"process ")):
                raise StoreError(
                    f"{self.path} is not empty and holds no store. Choose another folder with --store DIR."
                )

    def _check_format(self) -> None:
        mark = self.path / "store.json"
        if not mark.exists():
            write_text(mark, json.dumps({"format": FORMAT}) + "\n")
            return
        try:
            found = json.loads(mark.read_text())["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{mark} cannot be read as a store's mark. Remove the store (tamis clean {self.path}) or choose "
                "another with --store DIR."
            ) from error
        if found != FORMAT:
            raise StoreError(
                f"the store {self.path} has format {found}, this version of tamis reads format {FORMAT}. "
                f"Remove it (tamis clean {self.path}) or choose another with --store DIR."
            )

    def close(self) -> None:
        """Let the lock go."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def entry(self, key: str) -> Entry:
        """Return the folder for a file under its key."""
        folder = self.path / "files" / key
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        _sweep(folder)
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
        """Tell whether a fragment's column is there, whole: a file that begins and ends as it should."""
        try:
            with self._path(fragment, column).open("rb", buffering=0) as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    return False
                file.seek(-len(_MAGIC), os.SEEK_END)
                return file.read(len(_MAGIC)) == _MAGIC
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
            raise _unwritable(target, error) from error

    def get(self, fragment: int, column: str) -> pa.RecordBatch:
        """Return a fragment's column, memory-mapped."""
        path = self._path(fragment, column)
        try:
            with pa.memory_map(str(path)) as source:
                batch = pa.ipc.open_file(source).get_batch(0)
                batch.validate()
                return batch
        except (OSError, pa.ArrowException) as error:
            path.unlink(missing_ok=True)
            raise DamagedError(path, error) from error

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Record that the whole file has been cut into fragments."""
        write_text(self.folder / "file.json", json.dumps(dict(facts), sort_keys=True) + "\n")

    def finished(self) -> dict[str, Any] | None:
        """Return what `finish` wrote, or None."""
        try:
            facts = json.loads((self.folder / "file.json").read_text())
        except (OSError, ValueError):
            return None
        whole = isinstance(facts, dict) and isinstance(facts.get("fragments"), int) and "damage" in facts
        return facts if whole else None


def _sweep(folder: Path) -> None:
    """Remove what killed runs left half written; the lock is ours, so nobody writes it now."""
    for left in folder.glob(".*.tmp"):
        left.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the store cannot write {path}: {error.strerror or error}. What is finished is kept: make room, or move the "
        "store with --store DIR, and run the same command again."
    )


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
    strange = sorted({found.name for found in path.iterdir()} - {"store.json", "lock", *_FOLDERS})
    if strange := [name for name in strange if not name.endswith(".tmp")]:
        raise StoreError(f"{path} holds more than a store: {', '.join(strange[:3])}. Nothing was removed.")
    try:
        handle = lock(path / "lock", f"tamis clean {path}")
    except HeldError as error:
        raise StoreError(
            f"the store {path} is held by {error.who}. Wait for it to end. Nothing was removed."
        ) from error
    except OSError as error:
        raise StoreError(f"the store {path} cannot be removed: {error.strerror or error}.") from error
    freed = 0
    for base, _, names in os.walk(path):
        freed += sum((Path(base) / name).lstat().st_size for name in names)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise StoreError(f"{path} could not be removed whole: {error}.") from error
    finally:
        os.close(handle)
    return freed
