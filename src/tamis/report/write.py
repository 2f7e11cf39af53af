"""A page on disk."""

from __future__ import annotations

from pathlib import Path

from tamis.corpus.store import aside_of
from tamis.errors import OutputError

__all__ = ["write_html"]


def write_html(page: str, path: Path) -> None:
    """Write a page, in place of an older one, so that it appears whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses it.
    """
    aside = aside_of(path)
    try:
        # Names of files may hold what is no text: it stands on the page as its code.
        aside.write_bytes(page.encode("utf-8", "replace"))
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}. Nothing was left behind.") from error
    finally:
        aside.unlink(missing_ok=True)
