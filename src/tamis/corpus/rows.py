"""The rows of a corpus: what is known of every record, the rejected ones included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.chunk import Chunk, FieldColumn, Parsed, Reject, Text
from tamis.kernels.hashing import hash_spans

__all__ = ["RowTable", "explain", "field_batch", "rows_batch"]

#: What a record is that was cut in the middle.
_BROKEN = (Reject.BROKEN_JSON, Reject.INVALID_UTF8, Reject.BROKEN_ROW)


@dataclass(frozen=True, slots=True)
class RowTable:
    """Status, place and key of `n` records.

    Attributes
    ----------
    status, detail : arrays of shape (n,)
        Why a record was set aside (`Reject` codes) and where in it; see `Parsed`.
    source, line : arrays of shape (n,)
        Number of the file, and 1-based line in it.
    key : uint64 array of shape (n, 2)
        128-bit key: the hash of the user's id where there is one, else of the raw record.
    ids : list of Arrow string arrays, or None
        The user's ids.
    names : tuple of str
        Field names that `detail` may point to.
    lines : int
        Lines spanned.
    cut : bool
        Whether the last record is a broken line without a line end.
    """

    status: NDArray[np.uint8]
    detail: NDArray[np.int32]
    source: NDArray[np.int32]
    line: NDArray[np.int64]
    key: NDArray[np.uint64]
    ids: pa.ChunkedArray | None
    names: tuple[str, ...]
    lines: int
    cut: bool

    def __len__(self) -> int:
        return len(self.status)

    @staticmethod
    def empty() -> RowTable:
        """Return a table of no records."""
        return RowTable.concat([])

    @staticmethod
    def of(batch: pa.RecordBatch, source: int, first_line: int) -> RowTable:
        """Return the rows of a fragment's `rows` batch; `first_line` lines of the file came before."""
        facts = json.loads(batch.schema.metadata[b"tamis"])
        key = np.empty((batch.num_rows, 2), np.uint64)
        key[:, 0] = as_numpy(batch.column("hi"))
        key[:, 1] = as_numpy(batch.column("lo"))
        ids = pa.chunked_array([batch.column("id")]) if "id" in batch.schema.names else None
        return RowTable(
            status=as_numpy(batch.column("status")),
            detail=as_numpy(batch.column("detail")),
            source=np.full(batch.num_rows, source, np.int32),
            line=as_numpy(batch.column("line")) + first_line,
            key=key,
            ids=ids,
            names=tuple(facts["names"]),
            lines=facts["lines"],
            cut=facts["cut"],
        )

    @staticmethod
    def concat(tables: Sequence[RowTable]) -> RowTable:
        """Return the rows of several fragments in order."""
        names = tuple(dict.fromkeys(name for table in tables for name in table.names))
        ids = [chunk for table in tables if table.ids is not None for chunk in table.ids.chunks]
        return RowTable(
            status=_join([t.status for t in tables], np.uint8),
            detail=_join([_renamed(t, names) for t in tables], np.int32),
            source=_join([t.source for t in tables], np.int32),
            line=_join([t.line for t in tables], np.int64),
            key=np.concatenate([t.key for t in tables]) if tables else np.empty((0, 2), np.uint64),
            ids=pa.chunked_array(ids, pa.large_string()) if ids else None,
            names=names,
            lines=sum(table.lines for table in tables),
            cut=any(table.cut for table in tables),
        )


def _renamed(table: RowTable, names: tuple[str, ...]) -> NDArray[np.int32]:
    """Return `detail` with its indices into `table.names` turned into indices into `names`."""
    if table.names == names[: len(table.names)]:
        return table.detail
    place = np.array([names.index(name) for name in table.names], np.int32)
    detail = table.detail.copy()
    points = (table.status == Reject.MISSING_FIELD) | (table.status == Reject.WRONG_TYPE)
    detail[points] = place[detail[points]]
    return detail


def _join(parts: list[NDArray], kind: type) -> NDArray:  # type: ignore[type-arg]
    return np.concatenate(parts) if parts else np.empty(0, kind)


def rows_batch(chunk: Chunk, parsed: Parsed) -> pa.RecordBatch:
    """Return the `rows` of a parsed chunk as they are kept in a store."""
    key = parsed.key
    columns = {}
    if parsed.ids is not None:
        has_id = np.flatnonzero((parsed.status == Reject.OK) | (np.diff(parsed.ids.offsets) > 0))
        key = key.copy()
        key[has_id] = hash_spans(
            parsed.ids.data, parsed.ids.offsets[:-1][has_id], parsed.ids.offsets[1:][has_id], np.uint64(0)
        )
        columns["id"] = parsed.ids.array()
    broken_end = bool(chunk.n) and int(parsed.status[-1]) in _BROKEN and getattr(chunk, "open_end", False)
    facts = {
        "names": list(parsed.names),
        "lines": int(chunk.lines),
        "bytes": int(chunk.nbytes),
        "cut": bool(broken_end),
    }
    arrays = {
        "status": as_arrow(parsed.status),
        "detail": as_arrow(parsed.detail),
        "line": as_arrow(chunk.line),
        "hi": as_arrow(key[:, 0]),
        "lo": as_arrow(key[:, 1]),
        **columns,
    }
    batch = pa.record_batch(list(arrays.values()), names=list(arrays))
    return batch.replace_schema_metadata({"tamis": json.dumps(facts)})


def field_batch(column: FieldColumn) -> pa.RecordBatch:
    """Return a field's column as it is kept in a store."""
    text: Text = column.text
    return pa.record_batch([as_arrow(column.kind), text.array()], names=["kind", "text"])


def explain(rows: RowTable, row: int) -> str:
    """Return why a record was set aside, in words."""
    status, detail = Reject(int(rows.status[row])), int(rows.detail[row])
    name = rows.names[detail] if 0 <= detail < len(rows.names) else "?"
    if status is Reject.BROKEN_JSON:
        return f"broken JSON at byte {detail}"
    if status is Reject.NOT_AN_OBJECT:
        return "not a JSON object"
    if status is Reject.INVALID_UTF8:
        return f"invalid UTF-8 at byte {detail}"
    if status is Reject.MISSING_FIELD:
        return f"missing field '{name}'"
    if status is Reject.WRONG_TYPE:
        return f"field '{name}' is of the wrong type"
    if status is Reject.BROKEN_ROW:
        return f"broken row: {detail} values, or quotes that never close"
    return "empty text" if status is Reject.EMPTY else "ok"
