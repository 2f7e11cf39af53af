"""What a run returns: ids, weights and reasons, and the means to write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis import __version__
from tamis.corpus import objects
from tamis.corpus.chunk import Chunk
from tamis.corpus.convert import conform
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.identity import Ids
from tamis.run import manifest
from tamis.run.choose import Choice
from tamis.run.decisions import decision_batches, write_decisions
from tamis.run.inputs import Inputs
from tamis.run.options import Job, told_options
from tamis.run.outputs import Draft, Outputs
from tamis.run.progress import Progress
from tamis.run.write import tables_of, write_ids, write_records, write_rejected
from tamis.select.base import Selector

if TYPE_CHECKING:
    from tamis.run.session import Session

__all__ = ["Selection"]


class Selection:
    """The records a run chose, in input order, with the reason for every record of the pool.

    Attributes
    ----------
    ids : Arrow string array of shape (k,)
        Ids of the chosen records.
    weights, scores : float64 arrays of shape (k,)
    ranks : int32 array of shape (k,)
        Place in the method's order, from 0.
    counts : dict
        Records read, rejected, filtered, eligible, chosen.
    notes : list of str
        What the user should know.

    It holds the store open until `close` (or the end of a `with` block).
    """

    def __init__(
        self,
        job: Job,
        session: Session,
        corpus: Corpus,
        targets: list[Corpus],
        identities: Ids,
        inputs: Inputs,
        method: Selector,
        choice: Choice,
        progress: Progress,
        unlike: Sequence[Corpus] = (),
    ) -> None:
        self.job = job
        self.session = session
        self.corpus = corpus
        self.targets = targets
        self.unlike = unlike
        self.identities = identities
        self.inputs = inputs
        self.method = method
        self.choice = choice
        self.progress = progress
        self.rows: NDArray[np.int64] = choice.rows
        self.counts = choice.counts
        self.notes = progress.notes

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Selection of {len(self):,} of {self.counts['records']:,} records by {self.method!r}>"

    @property
    def ids(self) -> pa.LargeStringArray:
        """Ids of the chosen records, in input order."""
        return self.identities.strings(self.rows)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each chosen record."""
        return self.choice.decided.weight[self.rows]

    @property
    def scores(self) -> NDArray[np.float64]:
        """What the method thought of each chosen record."""
        return self.choice.decided.score[self.rows]

    @property
    def ranks(self) -> NDArray[np.int32]:
        """Place of each chosen record in the method's order, from 0."""
        return self.choice.decided.rank[self.rows]

    @property
    def reasons(self) -> list[str]:
        """Why each chosen record was chosen."""
        words = self.choice.decided.reasons
        return [words[code] for code in self.choice.decided.reason[self.rows].tolist()]

    def decisions(self) -> pa.Table:
        """Return the decision on every record of the pool, by id."""
        files = [opened.source.name for opened in self.corpus.opened]
        return pa.Table.from_batches(
            list(decision_batches(self.corpus.rows, self.identities, files, self.choice.decided))
        )

    # -- records ---------------------------------------------------------------------------------

    def chunks(self, take: Callable[[Chunk, NDArray[np.int64]], Any]) -> Iterator[tuple[slice, Any]]:
        """Yield `take(chunk, rows)` for each fragment with chosen records, in input order.

        The slice says which of the chosen records (of `rows`) they are. Fragments are read by
        several threads; a few are in memory at a time.
        """
        rows = self.rows

        def bounds(fragment: Fragment) -> tuple[int, int]:
            ends = np.searchsorted(rows, (fragment.first_row, fragment.first_row + fragment.rows))
            return int(ends[0]), int(ends[1])

        def load(item: tuple[Fragment, Callable[[], Chunk]]) -> tuple[slice, Any]:
            fragment, loader = item
            start, stop = bounds(fragment)
            return slice(start, stop), take(loader(), rows[start:stop] - fragment.first_row)

        def holds(fragment: Fragment) -> bool:
            start, stop = bounds(fragment)
            return stop > start

        yield from self.corpus.engine.map(load, self.corpus.fragment_tasks(holds))

    def lines(self) -> Iterator[tuple[slice, list[bytes]]]:
        """Yield the chosen records as JSON texts of one line, a fragment at a time."""
        yield from self.chunks(lambda chunk, rows: chunk.jsonl(rows))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the chosen records as dicts."""
        return [record for _, lines in self.lines() for record in objects.to_dicts(lines)]

    def to_arrow(self) -> pa.Table:
        """Return the chosen records as an Arrow table."""
        return objects.to_arrow(self._tables_or_lines())

    def to_pandas(self) -> Any:
        """Return the chosen records as a pandas frame (extra `pandas`)."""
        return objects.to_pandas(self._tables_or_lines())

    def to_polars(self) -> Any:
        """Return the chosen records as a polars frame (extra `polars`)."""
        return objects.to_polars(self._tables_or_lines())

    def to_dataset(self) -> Any:
        """Return the chosen records as a `datasets.Dataset` (extra `datasets`)."""
        return objects.to_dataset(self._tables_or_lines())

    def _tables_or_lines(self) -> pa.Table | list[bytes]:
        if self.tabular:
            schema, parts = tables_of(self)
            return pa.concat_tables([schema.empty_table(), *(conform(table, schema) for _, table in parts)])
        return [line for _, lines in self.lines() for line in lines]

    @property
    def tabular(self) -> bool:
        """Whether all records came from tables (Parquet, Arrow, CSV, data sets)."""
        return all(
            opened.source.detected.format not in ("jsonl", "json", "text") and not _is_lines(opened.source)
            for opened in self.corpus.opened
        )

    # -- writing ---------------------------------------------------------------------------------

    def write(
        self,
        path: str | Path,
        *,
        annotate: bool = False,
        ids_only: bool = False,
        shards: int = 1,
        force: bool = False,
        report: bool = True,
    ) -> Path:
        """Write the selection and what goes with it; return the path of the manifest.

        Parameters
        ----------
        path : str or Path
            `NAME.jsonl` or `NAME.parquet`, with `.gz` or `.zst` if wanted.
        annotate : bool
            Add a member `tamis` to each record.
        ids_only : bool
            Write ids alone.
        shards : int
            Number of files.
        force : bool
            Replace a finished output.
        report : bool
            Write `NAME.report.html` too.

        Raises
        ------
        OutputError
            If a finished output is in the way, or the disk refuses.
        """
        outputs = Outputs(Path(path), shards)
        with outputs.draft([opened.source.path for opened in self.corpus.opened], force=force) as draft:
            self.finish(draft, annotate=annotate, ids_only=ids_only, report=report)
        return outputs.manifest

    def finish(self, draft: Draft, *, annotate: bool = False, ids_only: bool = False, report: bool = True) -> None:
        """Write everything, and put it in place, the manifest last."""
        outputs = draft.files
        self.corpus.check_unchanged()
        with self.progress.step("write", len(self), "records") as done:
            if ids_only:
                write_ids(self, outputs)
            else:
                write_records(self, outputs, annotate, done)
            rejected = write_rejected(self.corpus, outputs.rejected)
            files = [opened.source.name for opened in self.corpus.opened]
            write_decisions(
                outputs.decisions, decision_batches(self.corpus.rows, self.identities, files, self.choice.decided)
            )
        if report:
            from tamis.run.report import write_report

            with self.progress.step("report"):
                write_report(self, outputs.report)
        for corpus in (self.corpus, *self.targets, *self.unlike):
            corpus.check_unchanged()
        written = [*outputs.records, outputs.decisions]
        written += [outputs.rejected] if rejected else []
        written += [outputs.report] if report else []
        told = {
            "tamis": __version__,
            "format": manifest.FORMAT,
            "job": self.job.asdict(),
            "output": {
                "name": outputs.path.name,
                "shards": outputs.shards,
                "annotate": annotate,
                "ids_only": ids_only,
                "report": report,
            },
            "method": {
                "name": self.method.name,
                "options": told_options(self.method.options),
                "source": self.method.source,
            },
            "signals": {name: signal.key() for name, signal in self.inputs.signals.items()},
            "inputs": manifest.inputs_of(self.corpus),
            "targets": [part for target in self.targets for part in manifest.inputs_of(target)],
            "unlike": [part for examples in self.unlike for part in manifest.inputs_of(examples)],
            "counts": self.counts,
            "filters": self.choice.reports,
            "notes": self.notes,
            "outputs": manifest.outputs_of(written, self.corpus.engine),
            "run": manifest.environment(self.corpus.engine.threads) | {"seconds": self.progress.seconds},
        }
        draft.commit(told)

    def close(self) -> None:
        """Let the store go; a temporary one is removed."""
        self.session.close()

    def __enter__(self) -> Selection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_lines(source: Any) -> bool:
    """Tell whether a source in memory holds JSON lines."""
    return bool(source.chunks) and not hasattr(source.chunks[0], "rows")
