"""Records, ids, signals and rejected records into files, a fragment at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow
from tamis.corpus.chunk import Chunk
from tamis.corpus.convert import SchemaBuilder, annotate_lines, annotate_table, common_schema
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.corpus.writers import open_writer, parse_suffix
from tamis.run.outputs import Outputs

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["signal_lines", "signal_table", "tables_of", "write_ids", "write_records", "write_rejected", "write_stream"]

#: Chosen records (as positions among them), and the records themselves: JSON lines or a table.
Part = tuple[slice, Any]


def write_records(selection: Selection, outputs: Outputs, annotate: bool, done: Callable[[int], None]) -> None:
    """Write the chosen records, in input order."""
    extras = _extras(selection) if annotate else None
    schema = None
    if parse_suffix(outputs.path).format == "parquet" and selection.tabular:
        schema, parts = tables_of(selection, extras)
    else:
        parts = _lines(selection, extras)
        if parse_suffix(outputs.path).format == "parquet":
            builder = SchemaBuilder()
            for _, lines in _lines(selection, extras):
                builder.add(lines)
            schema = builder.schema()
    with open_writer(outputs.path, shards=outputs.shards, total=len(selection), schema=schema) as writer:
        for part, records in parts:
            writer.append(records)
            done(part.stop - part.start)
        writer.commit()


def _lines(selection: Selection, extras: pa.Table | None) -> Iterator[Part]:
    """Yield the chosen records as JSON lines, annotated if there are extras."""
    for part, lines in selection.lines():
        if extras is not None:
            lines = annotate_lines(lines, _json_rows(extras.slice(part.start, part.stop - part.start)))  # noqa: PLW2901
        yield part, lines


def tables_of(selection: Selection, extras: pa.Table | None = None) -> tuple[pa.Schema, Iterator[Part]]:
    """Return one schema for the tables of all files, and the chosen records as tables.

    The schema is that of the files records were chosen from; of the first file where none was.
    """
    corpus = selection.corpus
    begins = selection.rows[np.unique(corpus.rows.source[selection.rows], return_index=True)[1]]
    if not len(begins):
        begins = np.zeros(1, np.int64)
    tasks = corpus.fragment_tasks(lambda f: bool(((begins >= f.first_row) & (begins < f.first_row + f.rows)).any()))
    none = np.empty(0, np.int64)
    schema = common_schema([load().table(none).schema for _, load in tasks])

    def parts() -> Iterator[Part]:
        for part, table in selection.chunks(lambda chunk, rows: chunk.table(rows)):
            if extras is not None:
                table = annotate_table(table, _structs(extras.slice(part.start, part.stop - part.start)))  # noqa: PLW2901
            yield part, table

    if extras is not None:
        schema = annotate_table(schema.empty_table(), _structs(extras.slice(0, 0))).schema
    return schema, parts()


def _extras(selection: Selection) -> pa.Table:
    """Return what `--annotate` adds to each chosen record."""
    columns: dict[str, Any] = {
        "id": selection.ids.cast(pa.string()),
        "score": _finite(selection.scores),
        "weight": selection.weights,
        "rank": selection.ranks,
        "reason": pa.array(selection.reasons, pa.string()),
    }
    for name, values in selection.choice.decided.signals.items():
        columns[name] = _finite(values[selection.rows])
    return pa.table(columns)


def _finite(values: NDArray[Any]) -> pa.Array:
    """Return numbers with null where JSON has no number."""
    return as_arrow(values, ~np.isfinite(values) if values.dtype.kind == "f" else None)


def _json_rows(table: pa.Table) -> list[bytes]:
    return [orjson.dumps({k: v for k, v in row.items() if v is not None}) for row in table.to_pylist()]


def _structs(table: pa.Table) -> pa.Array:
    found = table.to_struct_array()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def write_ids(selection: Selection, outputs: Outputs) -> None:
    """Write the ids of the chosen records, in input order, as records with the one field `id`."""
    ids = selection.ids.cast(pa.string())
    write_stream(outputs, lambda: [pa.table({"id": ids})], len(ids), lambda _: None)


def signal_table(ids: Ids, columns: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> pa.Table:
    """Return id and signals of the given records."""
    values = {name: _finite(column[rows]) for name, column in columns.items()}
    return pa.table({"id": ids.strings(rows).cast(pa.string()), **values})


def signal_lines(
    chunk: Chunk,
    rows: NDArray[np.int64],
    ids: Ids,
    columns: Mapping[str, NDArray[Any]],
    places: NDArray[np.int64],
) -> list[bytes]:
    """Return records as JSON lines with a member `tamis`: `rows` of the chunk, at `places` in the input."""
    return annotate_lines(chunk.jsonl(rows), _json_rows(signal_table(ids, columns, places)))


def write_stream(outputs: Outputs, parts: Callable[[], Iterable[Any]], total: int, done: Callable[[int], None]) -> None:
    """Write tables or JSON lines as they come; JSON lines for Parquet are gone through twice."""
    schema = None
    if parse_suffix(outputs.path).format == "parquet":
        builder = SchemaBuilder()
        for part in parts():
            if isinstance(part, pa.Table):
                schema = part.schema
                break
            builder.add(part)
        schema = builder.schema() if schema is None else schema
    with open_writer(outputs.path, shards=outputs.shards, total=total, schema=schema) as writer:
        for part in parts():
            writer.append(part)
            done(len(part))
        writer.commit()


def write_rejected(corpus: Corpus, path: Path) -> bool:
    """Write the records that were set aside, with file, line and reason; return whether there were any."""
    if not corpus.rows.status.any():
        return False
    with open_writer(path) as writer:
        for found in corpus.rejected():
            told: dict[str, Any] = {"file": found.file, "line": found.line, "reason": found.reason}
            try:
                told["raw"] = found.raw.decode("utf-8")
            except UnicodeDecodeError:
                told["raw_base64"] = base64.b64encode(found.raw).decode("ascii")
            writer.append([orjson.dumps(told)])
        writer.commit()
    return True
