"""The manifest: what was run, on what, with what result; enough to run it again and compare."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import file_hash
from tamis.corpus.sources import redact
from tamis.engine import Local
from tamis.errors import InputError

__all__ = ["FORMAT", "environment", "inputs_of", "load_manifest", "outputs_of"]

#: Raised whenever the meaning of a manifest's members changes.
FORMAT = 1


def inputs_of(corpus: Corpus) -> list[dict[str, Any]]:
    """Return the files of a corpus: name, format, content hash, shape, records, set aside."""
    rows = corpus.rows
    counts = np.bincount(rows.source, minlength=len(corpus.opened))
    bad = np.bincount(rows.source[rows.status != 0], minlength=len(corpus.opened))
    return [
        {
            "name": opened.source.name,
            "format": opened.source.detected.format,
            "compression": opened.source.detected.compression,
            "content": _objects_hash(rows.key[rows.source == number])
            if opened.source.chunks is not None
            else opened.content,
            "shape": opened.shape.name if opened.shape is not None else None,
            "records": int(counts[number]),
            "rejected": int(bad[number]),
        }
        for number, opened in enumerate(corpus.opened)
    ]


def _objects_hash(keys: NDArray[np.uint64]) -> str:
    """Return a hash of records in memory, which have no file: of their keys, in order."""
    return hashlib.blake2b(np.ascontiguousarray(keys).tobytes(), digest_size=16).hexdigest()


def outputs_of(paths: list[Path], engine: Local) -> list[dict[str, Any]]:
    """Return name, size and content hash of the files written."""
    return [{"name": p.name, "bytes": p.stat().st_size, "content": file_hash(p, engine)} for p in paths]


def environment(threads: int) -> dict[str, Any]:
    """Return the versions and the machine: what may explain a difference between two runs."""
    names = ("numpy", "pyarrow", "numba", "tokenizers", "wordllama", "duckdb", "scipy")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": threads,
        "packages": {name: version(name) for name in names},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "folder": str(Path.cwd()),
        "process": os.getpid(),
    }


def dump(manifest: dict[str, Any]) -> str:
    """Return a manifest as text, its URLs without secrets."""
    job = manifest["job"]
    for name in ("pool", "target", "unlike", "against"):
        job[name] = [redact(path) for path in job[name]]
    return json.dumps(manifest, indent=1, ensure_ascii=False, default=str) + "\n"


def load_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises
    ------
    InputError
        If there is none, or it is not one of ours.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"no manifest at {path}: {error.strerror}. It lies beside a finished selection.") from error
    except ValueError as error:
        raise InputError(f"{path} is no manifest: {error}.") from error
    if not isinstance(found, dict) or "tamis" not in found or "job" not in found:
        raise InputError(f"{path} is no manifest of tamis: expected the members 'tamis' and 'job'.")
    if found.get("format") != FORMAT:
        raise InputError(f"{path} has format {found.get('format')}, this version of tamis reads {FORMAT}.")
    return found
