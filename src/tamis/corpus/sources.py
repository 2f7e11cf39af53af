"""What the user named, as files that can be read: paths, folders, globs, `-`, URLs.

Remote files and standard input are copied whole into the store's spool first, so that they
are read once, an interrupted run resumes, and nothing changes under a run.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from tamis.corpus.chunk import Chunk
from tamis.corpus.formats import FORMATS, Detected, detect, is_dataset_folder, known_suffix, plain_text
from tamis.corpus.store import Store, aside_of, is_store
from tamis.errors import DISK_FULL, InputError, OutputError, UserError, missing_extra, nearest

__all__ = ["Source", "expand", "from_chunks", "redact"]

#: Files that tamis itself writes beside a selection: never part of a pool that is a folder.
_OWN = (".decisions.parquet", ".manifest.json", ".rejected.jsonl", ".report.html")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the pool.

    `name` is what the user called it, without secrets; `path` is where it is read from;
    `chunks` are its records where they are Python objects, else None.
    """

    name: str
    path: Path
    detected: Detected
    chunks: tuple[Chunk, ...] | None = None


def from_chunks(name: str, chunks: Iterable[Chunk]) -> Source:
    """Return a source of records that are in memory already."""
    return Source(name, Path(name), Detected("objects"), tuple(chunks))


def expand(paths: Iterable[str], store: Store, *, format: str | None = None) -> tuple[list[Source], list[str]]:
    """Return the files behind `paths`, in order, and the names of files in folders that were passed over.

    Raises
    ------
    InputError
        If a path does not exist, a glob matches nothing, or a folder holds nothing readable.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown format '{format}'.{nearest(format, FORMATS)} Known: {', '.join(FORMATS)}.")
    sources: list[Source] = []
    passed: list[str] = []
    for given in paths:
        found = list(_expand_one(given, store, passed))
        for name, path in found:
            _check_name(name)
            sources.append(Source(name, path, detect(path, name, format)))
    if not sources:
        raise InputError("expected at least one file, folder, glob, URL or '-', got none.")
    return sources, passed


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"expected a file name in UTF-8, got {name!a}: outputs cannot tell it. Rename the file."
        ) from error


def _expand_one(given: str, store: Store, passed: list[str]) -> Iterator[tuple[str, Path]]:
    if given == "-":
        yield "-", _spool_stdin(store)
        return
    if "://" in given:
        yield from _remote(given, store)
        return
    path = Path(given)
    kind = _kind(path, given)
    if kind == stat.S_IFDIR:
        yield from _folder(path, passed)
    elif kind in (stat.S_IFIFO, stat.S_IFCHR):  # such as <(zcat pool.jsonl.gz): can be read only once
        with path.open("rb") as stream:
            yield given, _spool(stream, store)
    elif kind:
        yield given, path
    elif glob.has_magic(given):
        names = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 (absolute patterns too)
        if not names:
            raise InputError(f"no file matches '{given}'. Quote the pattern, and check it from {Path.cwd()}.")
        own = _Own()
        for name in names:
            if Path(name).is_dir():
                yield from _folder(Path(name), passed)
            elif own.holds(Path(name)):
                passed.append(name)
            else:
                yield name, Path(name)
    else:
        beside = [str(other) for other in path.parent.glob("*")] if path.parent.is_dir() else []
        raise InputError(f"no such file or folder: {given}.{nearest(given, beside)}")


def _kind(path: Path, given: str) -> int:
    """Return what lies at a path, as `stat` tells it; 0 for nothing."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
    except OSError as error:
        raise InputError(f"{given[:200]} cannot be opened: {error.strerror or error}.") from error


def _inside(folder: Path) -> list[Path]:
    """Return everything in a folder, sorted, links followed; a folder that cannot be read is an error."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise InputError(f"the folder {error.filename} cannot be read: {error.strerror or error}.") from error

    for base, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        about = Path(base).stat()
        if (about.st_dev, about.st_ino) in seen:  # a link back
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders.sort()  # of two ways to a folder the first counts
        found += [Path(base, name) for name in (*folders, *files)]
    return sorted(found)


def _folder(folder: Path, passed: list[str]) -> Iterator[tuple[str, Path]]:
    everything = _inside(folder)
    if is_dataset_folder(folder):
        yield str(folder), folder
        return
    found: list[Path] = []
    own = _Own()
    for path in everything:
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if any(is_store(parent) for parent in path.parents if folder in parent.parents):
            continue
        if path.is_dir():
            if is_dataset_folder(path):
                found.append(path)
            continue
        if any(is_dataset_folder(parent) for parent in path.parents if folder in parent.parents):
            continue
        if own.holds(path) or not known_suffix(path.name):
            passed.append(str(path))
            continue
        found.append(path)
    if any(not plain_text(path.name) for path in found):  # a README beside the data is no record
        passed += [str(path) for path in found if plain_text(path.name)]
        found = [path for path in found if not plain_text(path.name)]
    yield from ((str(path), path) for path in found)
    if not found:
        raise InputError(
            f"the folder {folder} holds no file with a known suffix. Name files, or a glob such as '{folder}/*'."
        )


class _Own:
    """The files that tamis itself wrote: what manifests, and the marks of unfinished runs, name.

    A selection that lies in its own pool would otherwise be read by the next run, and by the run
    that completes one that was killed.
    """

    def __init__(self) -> None:
        self.named: dict[Path, set[str]] = {}

    def holds(self, path: Path) -> bool:
        """Tell whether tamis wrote a file."""
        if path.name.endswith(_OWN):
            return True
        if path.parent not in self.named:
            marks = (*path.parent.glob("*.manifest.json"), *path.parent.glob("*.manifest.json.part"))
            self.named[path.parent] = {name for mark in marks for name in _outputs_of(mark)}
        return path.name in self.named[path.parent]


def _outputs_of(mark: Path) -> list[str]:
    """Return the files that a manifest, or the mark of an unfinished run, names as outputs."""
    try:
        outputs = json.loads(mark.read_text("utf-8"))["outputs"]
        return [part if isinstance(part, str) else str(part["name"]) for part in outputs]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def redact(url: str) -> str:
    """Return a URL without user, password, query and fragment: what may stand in logs and manifests."""
    if "://" not in url:
        return url
    return re.sub(r"://[^/?#]*@", "://", re.sub(r"[?#].*", "", url, flags=re.DOTALL))


def _spool_stdin(store: Store) -> Path:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("'-' reads standard input, which is a terminal: pipe a file into it.")
    return _spool(sys.stdin.buffer, store)


def _spool(stream: BinaryIO, store: Store) -> Path:
    """Return a copy of a stream that can be read only once, named by its content."""
    aside = aside_of(store.spool() / "stdin")
    digest = hashlib.blake2b(digest_size=16)
    try:
        with aside.open("wb") as copy:
            while block := stream.read(1 << 20):
                digest.update(block)
                copy.write(block)
        return aside.replace(store.spool() / f"stdin-{digest.hexdigest()}")
    except OSError as error:
        raise _no_room(store.spool(), error) from error
    finally:
        aside.unlink(missing_ok=True)


def _no_room(spool: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the store cannot keep a copy of the input in {spool}: {error.strerror or error}. "
        "Make room, or move the store with --store DIR."
    )


def _remote(url: str, store: Store) -> Iterator[tuple[str, Path]]:
    """Yield the files behind a URL, or behind a pattern of one, each with its copy in the spool."""
    files, remote = _driver(url)
    shown = redact(url)
    try:
        if url.startswith(("http://", "https://")) or not glob.has_magic(remote) or files.exists(remote):
            yield shown, _spooled(files, url, remote, store)
            return
        names = sorted(name for name, info in files.glob(remote, detail=True).items() if info["type"] == "file")
        for name in names:
            full = str(files.unstrip_protocol(name))
            yield redact(full), _spooled(files, full, name, store)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {shown}.") from error
    except Exception as error:  # drivers raise what they like; the URL's secrets must not leak
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise _no_room(store.spool(), error) from error
        raise InputError(f"{shown} cannot be read: {type(error).__name__}.") from error
    if not names:
        raise InputError(f"no file matches '{shown}'.")


def _driver(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and what it calls the file."""
    import fsspec

    shown = redact(url)
    try:
        files, remote = fsspec.core.url_to_fs(url)
    except ImportError as error:
        scheme = url.split("://", 1)[0]
        extra = {"http": "http", "https": "http", "s3": "s3"}.get(scheme)
        if extra:
            raise missing_extra(str(error.name or scheme), extra, f"reading {shown}") from error
        raise UserError(f"reading {shown} needs a driver that is not installed: {error}") from error
    except ValueError as error:
        raise InputError(f"{shown}: {error}. Install the driver that knows it, or copy the file here.") from error
    return files, str(remote)


def _spooled(files: Any, url: str, remote: str, store: Store) -> Path:
    """Return the copy of a remote file; an earlier one where the server says that it is the same."""
    info = files.info(remote)
    marks = ("size", "ETag", "etag", "LastModified", "mtime")
    mark = "|".join([url, *(str(info.get(name)) for name in marks)])
    known = any(info.get(name) for name in marks[1:])  # by its size alone a file may have changed
    suffix = "".join(Path(urlsplit(url).path).suffixes[-2:])
    target = store.spool() / f"url-{hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()}{suffix}"
    if not known or not target.exists():
        with files.open(remote, "rb") as stream:
            _copy(stream, target)
    return target


def _copy(stream: BinaryIO, target: Path) -> None:
    aside = aside_of(target)
    try:
        with aside.open("wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
