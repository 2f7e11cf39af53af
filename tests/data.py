"""Where tests find real data, and how they say that it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["REPOSITORY", "folder", "real"]

REPOSITORY = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder of real data sets: `TAMIS_DATA`, or `../shared/data` beside the repository."""
    named = os.environ.get("TAMIS_DATA")
    return Path(named).expanduser() if named else REPOSITORY.parent / "shared" / "data"


def real(name: str) -> Path:
    """Return the path of the real data set (or a file within one) called `name`.

    Skips the calling test where it is absent. To skip a whole module, call this at its top:
    `DATA = real("corpus_arxiv")`.
    """
    path = folder() / name
    if not path.exists():
        pytest.skip(f"no {path}: set TAMIS_DATA to the folder of real data", allow_module_level=True)
    return path
