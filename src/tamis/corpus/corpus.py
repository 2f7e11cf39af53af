"""The corpus: every record of the files a user named, under one id space.

`Corpus` knows the files and how their records are shaped; `scan` reads them once, fragment by
fragment, and leaves in the store what later steps need: the `rows` of each fragment (status,
line, key) and the columns that were asked for. Nothing here holds more than a few fragments
of text at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_numpy
from tamis.corpus.chunk import Chunk, Parsed, Reading, Reject, Text
from tamis.corpus.identity import content_hash, stamp
from tamis.corpus.readers import readable
from tamis.corpus.recognise import force, recognise, text_option
from tamis.corpus.rows import RowTable, explain, field_batch, rows_batch
from tamis.corpus.shapes import Shape
from tamis.corpus.sources import Source
from tamis.corpus.store import Entry, Store
from tamis.corpus.task import FRAGMENT_BYTES, Readable, Task
from tamis.engine import Local
from tamis.errors import InputError

__all__ = ["Corpus", "Fragment", "Rejected", "Settings"]

#: Records looked at to recognise the shape of a file.
SAMPLE = 1000
#: Files looked at for the name that a misspelt one is like.
_FILES_SEEN = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """How records are to be read.

    `text` is a field or a template, `shape` the name of a record shape, `id_field` the field
    that holds ids; `per_file` makes a plain text file one record instead of one a line.
    """

    text: str | None = None
    shape: str | None = None
    id_field: str | None = None
    per_file: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """A scanned fragment: where its records stand in the input order."""

    source: int
    index: int
    rows: int
    first_row: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was set aside: where it stood, why, and what it held."""

    file: str
    line: int
    reason: str
    raw: bytes


@dataclass
class Opened:
    """A source with its reader, its shape and its folder in the store."""

    source: Source
    file: Readable
    shape: Shape | None
    content: str
    entry: Entry
    stamp: list[tuple[int, ...]]
    fragments: list[tuple[int, int, int]] = field(default_factory=list)  # rows, lines, bytes


class Corpus:
    """The records of several files.

    Parameters
    ----------
    sources : sequence of Source
        The files, in input order.
    store : Store
        Where columns are kept.
    settings : Settings
        How records are read.
    engine : Local
        Runs the fragments.
    fragment_bytes : int, optional
        Bytes of a fragment; results do not depend on it.

    Attributes
    ----------
    fragments : list of Fragment
        After `scan`, in input order.
    rows : RowTable
        After `scan`: status, line and key of every record in input order.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        store: Store,
        settings: Settings | None = None,
        engine: Local | None = None,
        fragment_bytes: int | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.store = store
        self.engine = engine or Local()
        self.fragment_bytes = fragment_bytes
        self.opened = [self._open(source) for source in sources]
        self.fragments: list[Fragment] = []
        self.rows: RowTable = RowTable.empty()

    # -- opening ---------------------------------------------------------------------------------

    def _open(self, source: Source) -> Opened:
        file = readable(source, self.settings, self.fragment_bytes)
        before = stamp(source)
        content = content_hash(source, self.store, self.engine)
        shape = self._shape(source, file)
        cut = str(self.fragment_bytes or FRAGMENT_BYTES)
        mark = "|".join((content, repr(source.detected), repr(shape), repr(self.settings), cut))
        key = hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()
        return Opened(source, file, shape, content, self.store.entry(key), before)

    def _shape(self, source: Source, file: Readable) -> Shape | None:
        """Return the shape of a file's records; None when it holds no readable record."""
        if self.settings.text is not None:
            return text_option(self.settings.text)
        sample: list[Any] = []
        for task in file.tasks():
            sample = [record for record in task.load().sample(SAMPLE) if isinstance(record, dict)]
            if sample:
                break
        if not sample:
            return None
        try:
            return force(self.settings.shape, sample) if self.settings.shape else recognise(sample)
        except InputError as error:
            raise InputError(f"{source.name}: {error}") from error

    def fields_seen(self) -> list[str]:
        """Return the top-level fields of the first records of each file: what a name may be meant for."""
        names: dict[str, None] = {}
        for opened in self.opened[:_FILES_SEEN]:
            for task in islice(opened.file.tasks(), 1):
                for record in task.load().sample(SAMPLE):
                    names.update(dict.fromkeys(record if isinstance(record, dict) else ()))
        return list(names)

    def check_unchanged(self) -> None:
        """Refuse to go on with files that changed since they were opened: records may be cut anywhere.

        Raises
        ------
        InputError
            With the file.
        """
        for opened in self.opened:
            try:
                same = stamp(opened.source) == opened.stamp
            except OSError:  # it is gone
                same = False
            if not same:
                raise InputError(
                    f"{opened.source.name} changed while it was read. Run the same command again once it is whole."
                )

    def fingerprint(self, *, ordered: bool = False) -> str:
        """Return a hash of the content of all files and of how they are read; of their order too if `ordered`."""
        marks = [opened.entry.folder.name for opened in self.opened]
        marks = marks if ordered else sorted(marks)
        return hashlib.blake2b("|".join(marks).encode(), digest_size=16).hexdigest()

    # -- reading ---------------------------------------------------------------------------------

    def scan(
        self,
        columns: Mapping[str, Callable[[Text], pa.Array]] | None = None,
        fields: Sequence[str] = (),
        *,
        strict: bool = False,
        tolerant: bool = False,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Read every file and leave `rows`, `columns` and `fields` of each fragment in the store.

        Parameters
        ----------
        columns : mapping of str to callable, optional
            The store's name of a column, and the function from texts to it.
        fields : sequence of str, optional
            Top-level fields to keep as columns.
        strict : bool
            Stop at the first record that cannot be used.
        tolerant : bool
            Go on with what could be read of a file that is cut or damaged.
        on_progress : callable, optional
            Called with the bytes of each fragment that is done.

        Raises
        ------
        InputError
            For a file that is cut or damaged (unless `tolerant`) and in `strict` mode.
        """
        wanted = dict(columns or {})
        work = partial(self._work, wanted, tuple(fields))
        streams = [self._pending(number, opened, wanted, tuple(fields)) for number, opened in enumerate(self.opened)]
        bad: tuple[int, int] | None = None
        for number, index, rejected, nbytes in self.engine.unordered(work, [s for s in streams if s is not None]):
            if on_progress:
                on_progress(nbytes)
            if strict and rejected:
                bad = number, index
                break
        if bad:
            raise InputError(f"--strict: {self._first_rejected(*bad, wanted, tuple(fields))}")
        self._collect(tolerant)
        if strict:
            rows = np.flatnonzero(self.rows.status)
            if len(rows):
                raise InputError(f"--strict: {self.tell(int(rows[0]))}")

    def _pending(
        self, number: int, opened: Opened, columns: Mapping[str, Any], fields: tuple[str, ...]
    ) -> Iterator[tuple[int, Task]] | None:
        """Yield the tasks of a file that still have something to do; None when it has none."""
        names = ["rows", *columns, *map(_field_column, fields)]
        facts = opened.entry.finished()
        if facts is not None and all(
            opened.entry.has(index, name) for index in range(facts["fragments"]) for name in names
        ):
            return None

        def tasks() -> Iterator[tuple[int, Task]]:
            count = 0
            for task in opened.file.tasks():
                count += 1
                if not all(opened.entry.has(task.index, name) for name in names):
                    yield number, task
            opened.entry.finish({"fragments": count, "damage": opened.file.damage})

        return tasks()

    def _work(
        self, columns: Mapping[str, Callable[[Text], pa.Array]], fields: tuple[str, ...], numbered: tuple[int, Task]
    ) -> tuple[int, int, int, int]:
        """Read one fragment and write its missing columns: the unit of work."""
        number, task = numbered
        opened = self.opened[number]
        entry, index = opened.entry, task.index
        chunk = task.load()
        missing = tuple(name for name in fields if not entry.has(index, _field_column(name)))
        parsed = self._parse(opened, chunk, missing)
        for name in missing:
            entry.put(index, _field_column(name), field_batch(parsed.fields[name]))
        for name, compute in columns.items():
            if not entry.has(index, name):
                entry.put(index, name, pa.record_batch([compute(parsed.text)], names=["value"]))
        if not entry.has(index, "rows"):
            entry.put(index, "rows", rows_batch(chunk, parsed))
        return number, index, int(np.count_nonzero(parsed.status)), chunk.nbytes

    def _parse(self, opened: Opened, chunk: Chunk, fields: tuple[str, ...]) -> Parsed:
        shape = opened.shape or text_option("text")
        return chunk.parse(Reading(shape, self.settings.id_field, fields))

    # -- what was read ---------------------------------------------------------------------------

    def _collect(self, tolerant: bool) -> None:
        fragments: list[Fragment] = []
        tables: list[RowTable] = []
        row = 0
        for number, opened in enumerate(self.opened):
            facts = opened.entry.finished() or {"fragments": 0, "damage": None}
            line, first = 0, len(tables)
            for index in range(facts["fragments"]):
                table = RowTable.of(opened.entry.get(index, "rows"), number, line)
                fragments.append(Fragment(number, index, len(table), row, line))
                tables.append(table)
                row += len(table)
                line += table.lines
            if not tolerant:
                last = next((table for table in reversed(tables[first:]) if len(table)), None)
                self._check_whole(opened, facts["damage"], line, last)
        self.fragments = fragments
        self.rows = RowTable.concat(tables)

    def _check_whole(self, opened: Opened, damage: str | None, lines: int, last: RowTable | None) -> None:
        name = opened.source.name
        go_on = "Get the file again, or go on with what was read: --max-rejected 100%."
        if damage:
            raise InputError(f"{damage.replace(str(opened.source.path), name)}; {lines:,} lines were read. {go_on}")
        if last is not None and last.cut:
            raise InputError(
                f"{name}: the last line ({lines:,}) is cut: it has no line end and {explain(last, len(last) - 1)}. "
                f"{lines - 1:,} lines were read whole. {go_on}"
            )

    def _first_rejected(self, number: int, index: int, columns: Mapping[str, Any], fields: tuple[str, ...]) -> str:
        """Tell the first rejected record in input order, where fragment `index` of a file has one.

        Fragments before it in the file were drawn before it, so they are done by now; files before
        it may not be, as several are read at once.
        """
        for earlier in range(number):
            stop = self._scan_file(earlier, columns, fields)
            if (told := self._told_first(earlier, stop)) is not None:
                return told
        return self._told_first(number, index + 1) or ""

    def _scan_file(self, number: int, columns: Mapping[str, Any], fields: tuple[str, ...]) -> int:
        """Scan a file up to a fragment with a rejected record; return how many fragments are done."""
        opened = self.opened[number]
        stream = self._pending(number, opened, columns, fields)
        work = partial(self._work, columns, fields)
        for _, index, rejected, _ in self.engine.unordered(work, [stream] if stream is not None else []):
            if rejected:
                return index + 1
        return int((opened.entry.finished() or {"fragments": 0})["fragments"])

    def _told_first(self, number: int, stop: int) -> str | None:
        """Tell the first rejected record of the first `stop` fragments of a file, with its line in it."""
        opened = self.opened[number]
        line = 0
        for index in range(stop):
            table = RowTable.of(opened.entry.get(index, "rows"), number, line)
            if table.status.any():
                bad = int(np.flatnonzero(table.status)[0])
                return f"{opened.source.name}, line {table.line[bad]}: {explain(table, bad)}."
            line += table.lines
        return None

    def tell(self, row: int) -> str:
        """Return where a record that was set aside stood, and why."""
        table = self.rows
        return f"{self.file_of(row)}, line {table.line[row]}: {explain(table, row)}."

    def file_of(self, row: int) -> str:
        """Return the name of the file that a record came from."""
        return self.opened[int(self.rows.source[row])].source.name

    def fragment_tasks(self, wanted: Callable[[Fragment], bool]) -> Iterator[tuple[Fragment, Callable[[], Chunk]]]:
        """Yield the wanted fragments, in input order, with what loads their records anew."""
        by_source: dict[int, dict[int, Fragment]] = {}
        for fragment in self.fragments:
            if wanted(fragment):
                by_source.setdefault(fragment.source, {})[fragment.index] = fragment
        for number, opened in enumerate(self.opened):
            left = by_source.get(number, {})
            for task in opened.file.tasks() if left else ():
                if task.index in left:
                    yield left.pop(task.index), task.load
                if not left:
                    break

    def rejected(self) -> Iterator[Rejected]:
        """Yield what was set aside, in input order."""
        bad = self.rows.status != Reject.OK

        def holds(fragment: Fragment) -> bool:
            return bool(bad[fragment.first_row : fragment.first_row + fragment.rows].any())

        def load(item: tuple[Fragment, Callable[[], Chunk]]) -> list[Rejected]:
            fragment, loader = item
            chunk = loader()
            rows = np.flatnonzero(bad[fragment.first_row : fragment.first_row + fragment.rows])
            return [
                Rejected(
                    self.file_of(fragment.first_row + row),
                    int(self.rows.line[fragment.first_row + row]),
                    explain(self.rows, fragment.first_row + row),
                    chunk.raw(int(row)),
                )
                for row in rows.tolist()
            ]

        for found in self.engine.map(load, self.fragment_tasks(holds)):
            yield from found

    # -- columns ---------------------------------------------------------------------------------

    def batch(self, fragment: Fragment, column: str) -> pa.RecordBatch:
        """Return a column of one fragment, memory-mapped."""
        return self.opened[fragment.source].entry.get(fragment.index, column)

    def put(self, fragment: Fragment, column: str, array: pa.Array) -> None:
        """Keep a column of one fragment."""
        entry = self.opened[fragment.source].entry
        entry.put(fragment.index, column, pa.record_batch([array], names=["value"]))

    def has(self, fragment: Fragment, column: str) -> bool:
        """Tell whether a fragment has a column."""
        return self.opened[fragment.source].entry.has(fragment.index, column)

    def numbers(self, column: str) -> NDArray[Any]:
        """Return a numeric column of every record, in input order (nulls as NaN)."""
        parts = [as_numpy(self.batch(f, column).column(0)) for f in self.fragments if f.rows]
        return np.concatenate(parts) if parts else np.empty(0, np.float64)

    def field_batches(self, name: str) -> Iterator[tuple[Fragment, pa.RecordBatch]]:
        """Yield a field's column (`kind`, `text`) of each fragment, in input order."""
        for fragment in self.fragments:
            yield fragment, self.field_batch(fragment, name)

    def field_batch(self, fragment: Fragment, name: str) -> pa.RecordBatch:
        """Return a field's column (`kind`, `text`) of one fragment."""
        return self.batch(fragment, _field_column(name))


def _field_column(name: str) -> str:
    return f"field-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
