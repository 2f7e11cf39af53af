"""The decision table: a row for every input record, rejected ones included, sorted by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_strings
from tamis.corpus.identity import Ids
from tamis.corpus.rows import RowTable
from tamis.corpus.store import aside_of
from tamis.errors import OutputError

__all__ = ["Decided", "decision_batches", "write_decisions"]

#: Rows of a batch and of a row group: bounds memory, and what `why` reads for one id.
BATCH = 1 << 17

_WORDS = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, eq=False)
class Decided:
    """What was decided on `n` records, in input order.

    Attributes
    ----------
    stage, reason : int32 arrays of shape (n,)
        Into `stages` and `reasons`.
    kept : bool array of shape (n,)
    score, weight : float64 arrays of shape (n,)
        NaN and 0 where there is none.
    rank : int32 array of shape (n,)
        Place among the chosen, from 0; -1 where not chosen.
    group : int32 array of shape (n,) or None, into `groups`
        The groups of the quotas; -1 where not looked at.
    neighbour : int64 array of shape (n,)
        The record (input position) that the decision names; -1 for none.
    similarity : float64 array of shape (n,)
        To that record; NaN for none.
    signals : mapping of str to arrays of shape (n,)
        Signals and fields that the run used.
    whole : frozenset of str
        Signals that are whole numbers: written as such, also where some records have none.
    """

    stage: NDArray[np.int32]
    stages: tuple[str, ...]
    reason: NDArray[np.int32]
    reasons: tuple[str, ...]
    kept: NDArray[np.bool_]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    rank: NDArray[np.int32]
    group: NDArray[np.int32] | None
    groups: tuple[str, ...]
    neighbour: NDArray[np.int64]
    similarity: NDArray[np.float64]
    signals: Mapping[str, NDArray[Any]]
    whole: frozenset[str] = frozenset()


def decision_batches(rows: RowTable, ids: Ids, files: list[str], decided: Decided) -> Iterator[pa.RecordBatch]:
    """Yield the decision table in batches of `BATCH` rows, by id."""
    for start in range(0, len(rows), BATCH):
        take = ids.by_id[start : start + BATCH]
        rank = decided.rank[take]
        score = decided.score[take]
        group = decided.group[take] if decided.group is not None else np.full(len(take), -1, np.int32)
        columns = {
            "id": ids.strings(take).cast(pa.string()),
            "file": _words(rows.source[take], tuple(files)),
            "line": as_arrow(rows.line[take]),
            "kept": as_arrow(decided.kept[take]),
            "stage": _words(decided.stage[take], decided.stages),
            "reason": _words(decided.reason[take], decided.reasons),
            "score": as_arrow(score, np.isnan(score)),
            "rank": as_arrow(rank, rank < 0),
            "group": _words(group, decided.groups),
            "neighbour": _named(ids, decided.neighbour[take]),
            "similarity": as_arrow(decided.similarity[take], np.isnan(decided.similarity[take])),
            "weight": as_arrow(decided.weight[take]),
        }
        for name, values in decided.signals.items():
            columns[name] = _numbers(values[take], name in decided.whole)
        yield pa.record_batch(list(columns.values()), names=list(columns))


def _numbers(values: NDArray[Any], whole: bool) -> pa.Array:
    """Return numbers, NaN as null; `whole` ones as int64 even so."""
    if values.dtype.kind != "f":
        return as_arrow(values)
    missing = np.isnan(values)
    return as_arrow(np.where(missing, 0, values).astype(np.int64) if whole else values, missing)


def _named(ids: Ids, rows: NDArray[np.int64]) -> pa.StringArray:
    """Return the ids of the records that decisions name; null for none."""
    named = np.flatnonzero(rows >= 0)
    if not len(named):
        return pa.nulls(len(rows), pa.string())
    place = np.full(len(rows), -1, np.int64)
    place[named] = np.arange(len(named))
    return ids.strings(rows[named]).cast(pa.string()).take(as_arrow(place, place < 0))


def _words(codes: NDArray[Any], words: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(as_arrow(codes.astype(np.int32), codes < 0), as_strings(words or ("",)))


def write_decisions(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    """Write the decision table aside and rename it.

    Raises
    ------
    OutputError
        If the disk refuses it.
    """
    aside = aside_of(path)
    writer: pq.ParquetWriter | None = None
    try:
        for batch in batches:
            if writer is None:
                writer = pq.ParquetWriter(
                    aside,
                    batch.schema,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=[f.name for f in batch.schema if pa.types.is_dictionary(f.type)],
                )
            writer.write_batch(batch, row_group_size=BATCH)
        if writer is None:
            raise OutputError(f"{path}: there are no records to decide on.")
        writer.close()
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}. Nothing was left behind.") from error
    finally:
        aside.unlink(missing_ok=True)
