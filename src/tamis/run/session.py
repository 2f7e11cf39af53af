"""A session: a store, an engine, and the files or objects a run reads through them."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from tamis.corpus.corpus import Corpus, Settings
from tamis.corpus.objects import chunks_of, is_objects
from tamis.corpus.sources import Source, expand, from_chunks
from tamis.corpus.store import DamagedError, Store
from tamis.engine import Local
from tamis.engine.local import grant
from tamis.errors import BudgetError
from tamis.run.options import Runtime
from tamis.run.progress import Progress

__all__ = ["Session"]

T = TypeVar("T")

#: Damaged columns that a run computes anew before it gives up: more is a broken disk.
_MENDED = 20

#: What the process itself takes: the interpreter, compiled kernels, Arrow (bytes).
PROCESS_BYTES = 400 << 20
#: Memory of one fragment in work, in multiples of its bytes: raw bytes, texts, columns.
FRAGMENT_FACTOR = 6
#: Memory of one record while choosing: key, status, place, order, scores (bytes).
RECORD_BYTES = 120
#: More of it where the method reads vectors: the default ones, and a method's working copies (bytes).
VECTOR_BYTES = 1600


class Session:
    """Opens corpora over one store with one engine.

    Parameters
    ----------
    runtime : Runtime
        Threads, memory, store.
    beside : Path, optional
        The output; its folder holds the default store.
    command : str
        Told to whoever finds the store held.
    """

    def __init__(self, runtime: Runtime, beside: Path | None = None, command: str = "tamis") -> None:
        self.runtime = runtime
        self.engine = Local(runtime.threads)
        _limit_libraries(self.engine.threads)
        self._forget: weakref.finalize[..., Any] | None = None
        folder = runtime.store or (beside.parent / ".tamis" if beside is not None else None)
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="tamis-"))
            # Also when nobody calls `close`: at the latest when the interpreter ends.
            self._forget = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.store = Store(folder, command)
        self.passed_over: list[str] = []
        self.fragment_bytes = self._fragment_bytes()

    def _fragment_bytes(self) -> int | None:
        """Return smaller fragments where the ceiling is low; None for the usual size."""
        room = self.runtime.ceiling() - PROCESS_BYTES
        each = room // (2 * FRAGMENT_FACTOR * (self.engine.threads + 1))
        if each >= 16 << 20:
            return None
        return max(1 << 20, 1 << (max(each, 1).bit_length() - 1))

    def corpus(self, pool: Any, settings: Settings, format: str | None = None) -> Corpus:
        """Return the corpus over paths or Python objects."""
        sources: Sequence[Source]
        if is_objects(pool):
            sources = [from_chunks(f"<{type(pool).__name__}>", chunks_of(pool))]
        else:
            paths = [str(pool)] if isinstance(pool, str | Path) else [str(path) for path in pool]
            sources, passed = expand(paths, self.store, format=format)
            self.passed_over += passed
        return Corpus(sources, self.store, settings, self.engine, self.fragment_bytes)

    def tell_passed_over(self, progress: Progress) -> None:
        """Note which files of folders and globs were not read."""
        if self.passed_over:
            few = ", ".join(self.passed_over[:3]) + (" ..." if len(self.passed_over) > 3 else "")
            progress.note(
                f"{len(self.passed_over):,} files were not read (no known suffix, or tamis wrote them): {few}"
            )

    def room(self, records: int, *, vectors: bool = False) -> int:
        """Return the bytes that the ceiling leaves to a method among so many records; below 0 if there are none."""
        return self.runtime.ceiling() - PROCESS_BYTES - records * (RECORD_BYTES + (VECTOR_BYTES if vectors else 0))

    def check_memory(self, records: int, *, vectors: bool = False, method: int = 0) -> None:
        """Refuse to start choosing among more records than the ceiling has room for; `method`: bytes it holds.

        Raises
        ------
        BudgetError
            With the memory that would do.
        """
        short = method - self.room(records, vectors=vectors)
        if short > 0:
            needed = self.runtime.ceiling() + short
            other = ", or by a method that reads no vectors, such as random" if vectors else ""
            raise BudgetError(
                f"choosing among {records:,} records needs about {needed >> 20:,} MB of memory, the ceiling is "
                f"{self.runtime.ceiling() >> 20:,} MB. Raise --memory, or choose from parts of the pool{other}."
            )

    def mended(self, step: Callable[[], T], progress: Progress) -> T:
        """Return what a step returns that scans, and reads columns of the store.

        Where one is damaged it has been removed: the user is told, and the step run again.
        """
        for _ in range(_MENDED):
            try:
                return step()
            except DamagedError as error:
                progress.note(f"{error.path} of the store was damaged, and is computed anew.")
        return step()

    def close(self) -> None:
        """Let the store go; a temporary one is removed."""
        self.store.close()
        if self._forget is not None:
            self._forget()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _limit_libraries(threads: int) -> None:
    """Hold the thread pools of Arrow and of tokenizers to the number of threads granted."""
    grant(threads)
    pa.set_cpu_count(threads)
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))  # read once, when a tokenizer first works
