"""`annotate`: signals of every record, beside the records or in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis import __version__
from tamis.corpus.chunk import Chunk
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.identity import Ids
from tamis.errors import OptionError, unknown
from tamis.run import manifest
from tamis.run.available import available, check_rejected
from tamis.run.inputs import Inputs
from tamis.run.options import Job, Runtime
from tamis.run.outputs import Draft, Outputs
from tamis.run.progress import Progress
from tamis.run.select import read_targets, settings_of
from tamis.run.session import Session
from tamis.run.write import signal_lines, signal_table, write_rejected, write_stream
from tamis.select.random import Random
from tamis.signals import SIGNALS
from tamis.signals.compute import compute

__all__ = ["Annotation", "run_annotate"]


class Annotation:
    """The signals of a pool. Close it, or use it in a `with` block: it holds a store."""

    def __init__(self, job: Job, session: Session, corpus: Corpus, inputs: Inputs, progress: Progress) -> None:
        self.job = job
        self.session = session
        self.corpus = corpus
        self.inputs = inputs
        self.progress = progress
        self.identities = Ids(corpus.rows, [opened.source.name for opened in corpus.opened])
        usable = corpus.rows.status == 0
        self.rows: NDArray[np.int64] = np.flatnonzero(usable)
        self.counts = {"records": len(corpus.rows), "rejected": int((~usable).sum())}

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> pa.Table:
        """Return id and signals of every usable record, in input order."""
        return signal_table(self.identities, self.columns(), self.rows)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the signals by name, of every record in input order."""
        return {name: self.inputs.numbers(self.corpus, name) for name in self.inputs.signals}

    def write(self, path: str | Path, *, into: bool = False, shards: int = 1, force: bool = False) -> Path:
        """Write the signals, or with `into` the records with a member `tamis`; return the manifest's path.

        Parameters
        ----------
        path : str or Path
            `NAME.jsonl` or `NAME.parquet`, with `.gz` or `.zst` if wanted.
        into : bool
            Write the records, each with a member `tamis`, instead of a table of signals.
        shards : int
            Number of files.
        force : bool
            Replace a finished output.

        Raises
        ------
        OutputError
            If a finished output is in the way, or the disk refuses.
        """
        outputs = Outputs(Path(path), shards)
        with outputs.draft([opened.source.path for opened in self.corpus.opened], force=force) as draft:
            self.finish(draft, into=into)
        return outputs.manifest

    def finish(self, draft: Draft, *, into: bool) -> None:
        """Write the signals, or with `into` the records with a member `tamis`; the manifest last."""
        outputs = draft.files
        columns = self.columns()
        with self.progress.step("write", len(self), "records") as done:
            write_stream(outputs, lambda: self._parts(columns, into), len(self), done)
            rejected = write_rejected(self.corpus, outputs.rejected)
        self.corpus.check_unchanged()
        written = [*outputs.records, *([outputs.rejected] if rejected else [])]
        told = {
            "tamis": __version__,
            "format": manifest.FORMAT,
            "verb": "annotate",
            "job": self.job.asdict(),
            "output": {"name": outputs.path.name, "shards": outputs.shards, "into": into},
            "signals": {name: signal.key() for name, signal in self.inputs.signals.items()},
            "inputs": manifest.inputs_of(self.corpus),
            "counts": self.counts,
            "notes": self.progress.notes,
            "outputs": manifest.outputs_of(written, self.corpus.engine),
            "run": manifest.environment(self.corpus.engine.threads) | {"seconds": self.progress.seconds},
        }
        draft.commit(told)

    def _parts(self, columns: dict[str, NDArray[Any]], into: bool) -> Iterator[Any]:
        """Yield what to write, a fragment at a time: a table, or JSON lines."""
        status = self.corpus.rows.status

        def rows_of(fragment: Fragment) -> NDArray[np.int64]:
            return np.flatnonzero(status[fragment.first_row : fragment.first_row + fragment.rows] == 0)

        if not into:
            for fragment in self.corpus.fragments:
                rows = rows_of(fragment) + fragment.first_row
                if len(rows):
                    yield signal_table(self.identities, columns, rows)
            return

        def load(item: tuple[Fragment, Callable[[], Chunk]]) -> Any:
            fragment, loader = item
            rows = rows_of(fragment)
            return signal_lines(loader(), rows, self.identities, columns, rows + fragment.first_row)

        tasks = self.corpus.fragment_tasks(lambda fragment: fragment.rows > 0)
        yield from self.corpus.engine.map(load, tasks)

    def close(self) -> None:
        """Let the store go; a temporary one is removed."""
        self.session.close()

    def __enter__(self) -> Annotation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_annotate(
    job: Job,
    names: tuple[str, ...],
    runtime: Runtime,
    *,
    objects: Any = None,
    target_objects: Any = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Annotation:
    """Compute signals of a pool.

    Raises
    ------
    OptionError
        For no signal, an unknown one, or one that is not a number a record.
    """
    if not names:
        raise OptionError(f"expected at least one signal: --signals NAME,... Known: {', '.join(SIGNALS)}.")
    for name in names:
        if name not in SIGNALS:
            raise unknown("signal", name, SIGNALS)
    progress = progress or Progress(runtime.quiet)
    session = Session(runtime, output, job.told("annotate"))
    try:
        corpus = session.corpus(job.pool if objects is None else objects, settings_of(job), job.format)
        session.tell_passed_over(progress)
        targets = read_targets(session, job, target_objects)
        return session.mended(lambda: _annotate(job, names, session, corpus, targets, progress), progress)
    except BaseException:
        session.close()
        raise


def _annotate(
    job: Job,
    names: tuple[str, ...],
    session: Session,
    corpus: Corpus,
    targets: list[Corpus],
    progress: Progress,
) -> Annotation:
    """Compute signals over the files that were opened."""
    _, inputs = available(job, Random(), targets, progress)
    for name in names:
        inputs.want(name)
        if name not in inputs.signals:
            raise OptionError(f"the signal '{name}' needs a target: --target FILES.")
        if not inputs.signals[name].numeric:
            raise OptionError(f"the signal '{name}' is not one number a record and stays in the store.")
    size = sum(opened.source.path.stat().st_size for opened in corpus.opened if opened.source.path.is_file())
    with progress.step("read", size) as done:
        compute(
            corpus, list(inputs.signals.values()), strict=job.strict,
            tolerant=job.max_rejected >= 1, on_progress=done,
        )  # fmt: skip
    check_rejected(corpus, job.max_rejected)
    found = Annotation(job, session, corpus, inputs, progress)
    found.columns()  # all can be read
    return found
