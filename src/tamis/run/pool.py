"""A pool that was read: what `tamis.open` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.corpus.chunk import Chunk, Reading
from tamis.corpus.corpus import Corpus, Fragment, Rejected, Settings
from tamis.corpus.identity import Ids
from tamis.corpus.objects import to_dicts
from tamis.corpus.recognise import text_option
from tamis.run.options import Runtime
from tamis.run.progress import Progress
from tamis.run.session import Session

__all__ = ["OpenPool", "open_pool"]


class OpenPool:
    """The records of a pool, read once.

    `len(pool)` counts every record, those set aside included. Close it, or use it in a `with`
    block: it holds a store.
    """

    def __init__(self, session: Session, corpus: Corpus) -> None:
        self.session = session
        self.corpus = corpus
        self._ids: Ids | None = None

    def __len__(self) -> int:
        return len(self.corpus.rows)

    def __repr__(self) -> str:
        shapes = sorted({opened.shape.name for opened in self.corpus.opened if opened.shape is not None})
        return (
            f"<pool of {len(self):,} records in {len(self.corpus.opened):,} files, {', '.join(shapes) or 'no shape'}>"
        )

    @property
    def ids(self) -> pa.LargeStringArray:
        """Ids of all records, in input order."""
        if self._ids is None:
            self._ids = Ids(self.corpus.rows, [opened.source.name for opened in self.corpus.opened])
        return self._ids.strings(np.arange(len(self)))

    def rejected(self) -> Iterator[Rejected]:
        """Yield the records that were set aside: file, line, reason, raw bytes."""
        yield from self.corpus.rejected()

    def texts(self) -> Iterator[str]:
        """Yield the text of each record in input order (empty for those set aside)."""
        for array in self._each(self._text):
            yield from array.to_pylist()

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the usable records as dicts, in input order."""
        status = self.corpus.rows.status

        def take(fragment: Fragment, chunk: Chunk) -> list[bytes]:
            bad = status[fragment.first_row : fragment.first_row + fragment.rows]
            return chunk.jsonl(np.flatnonzero(bad == 0))

        for lines in self._each(take):
            yield from to_dicts(lines)

    def _text(self, fragment: Fragment, chunk: Chunk) -> pa.LargeStringArray:
        shape = self.corpus.opened[fragment.source].shape or text_option("text")
        return chunk.parse(Reading(shape, self.corpus.settings.id_field)).text.array()

    def _each(self, take: Callable[[Fragment, Chunk], Any]) -> Iterator[Any]:
        tasks = self.corpus.fragment_tasks(lambda fragment: fragment.rows > 0)
        yield from self.corpus.engine.map(lambda item: take(item[0], item[1]()), tasks)

    def close(self) -> None:
        """Let the store go; a temporary one is removed."""
        self.session.close()

    def __enter__(self) -> OpenPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pool(
    paths: tuple[str, ...],
    objects: Any,
    runtime: Runtime,
    *,
    text: str | None,
    shape: str | None,
    id_field: str | None,
    format: str | None,
    per_file: bool,
) -> OpenPool:
    """Read a pool; see `tamis.open`."""
    session = Session(runtime, None, "tamis.open")
    try:
        settings = Settings(text, shape, id_field, per_file)
        corpus = session.corpus(paths if objects is None else objects, settings, format)
        session.mended(corpus.scan, Progress())
    except BaseException:
        session.close()
        raise
    return OpenPool(session, corpus)
