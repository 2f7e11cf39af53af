"""Texts for a report: those of counted samples and of examples, read anew, the rest never.

Which records are read is a function of the seed and the records alone, whatever the fragments: the
same run gives the same report. A pool too large to go through again is sampled from stretches of
its input order, the same for pool and selection, so that both stay comparable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk, Reading, Text
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.json_chunk import JsonChunk
from tamis.corpus.recognise import text_option
from tamis.corpus.table_chunk import TableChunk
from tamis.kernels.hashing import salt, uniforms

__all__ = ["Fields", "Texts", "counted", "read_texts", "stretches"]

#: Bytes of a text that are measured; its length is that of the whole.
MEASURED = 8_000
#: Bytes of the files up to which all of a pool may be gone through again; a compressed byte counts as four.
GONE_THROUGH = 1 << 30
_STRETCHES, _UNPACKED = 1024, 4


@dataclass(frozen=True, eq=False)
class Texts:
    """The first bytes of the texts of some records.

    Attributes
    ----------
    rows : int64 array of shape (m,)
        The records (input positions), ascending.
    text : Text
        The first `MEASURED` bytes of each.
    nbytes : int64 array of shape (m,)
        Bytes of the whole.
    """

    rows: NDArray[np.int64]
    text: Text
    nbytes: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of the given records."""
        return np.searchsorted(self.rows, rows).astype(np.int64)

    def of(self, row: int) -> tuple[str, int]:
        """Return the beginning of a record's text, and the bytes of the whole."""
        place = int(np.searchsorted(self.rows, row))
        start, stop = self.text.offsets[place : place + 2].tolist()
        return self.text.data[start:stop].tobytes().decode("utf-8", "replace"), int(self.nbytes[place])


#: The short fields of each of some records, as texts.
Fields = list[dict[str, str]]


def counted(
    keys: NDArray[np.uint64], rows: NDArray[np.int64], count: int, seed: int, purpose: str
) -> NDArray[np.int64]:
    """Return `count` of `rows` (fewer if there are not as many), chosen and ordered by counted random numbers."""
    numbers = uniforms(keys[rows], salt(seed, f"report: {purpose}"))
    if count < len(rows):
        best = np.sort(np.argpartition(numbers, count)[:count])
        rows, numbers = rows[best], numbers[best]
    return rows[np.argsort(numbers, kind="stable")]


def stretches(corpus: Corpus, seed: int, limit: int = GONE_THROUGH) -> NDArray[np.bool_] | None:
    """Return which records samples may come from, as a mask; None for all, where the files are small enough."""
    size = 0
    for opened in corpus.opened:
        source = opened.source
        if source.path.is_file():
            size += source.path.stat().st_size * (_UNPACKED if source.detected.compression else 1)
    if size <= limit:
        return None
    keys = np.zeros((_STRETCHES, 2), np.uint64)
    keys[:, 0] = np.arange(_STRETCHES)
    order = np.argsort(uniforms(keys, salt(seed, "report: stretches")), kind="stable")
    # A stretch may cost a whole fragment of 16 MB to read: so many, and a few at the least.
    few = np.zeros(_STRETCHES, np.bool_)
    few[order[: max(16, limit >> 25)]] = True
    n = len(corpus.rows)
    return np.asarray(few[np.arange(n) * _STRETCHES // max(n, 1)])


def read_texts(corpus: Corpus, rows: NDArray[np.int64], with_fields: bool = False) -> tuple[Texts, Fields]:
    """Return the texts of the given records (input positions, ascending), and their short fields if asked for."""

    def bounds(fragment: Fragment) -> tuple[int, int]:
        ends = np.searchsorted(rows, (fragment.first_row, fragment.first_row + fragment.rows))
        return int(ends[0]), int(ends[1])

    def holds(fragment: Fragment) -> bool:
        start, stop = bounds(fragment)
        return stop > start

    def load(item: tuple[Fragment, Callable[[], Chunk]]) -> tuple[list[bytes], NDArray[np.int64], Fields]:
        fragment, loader = item
        start, stop = bounds(fragment)
        local = rows[start:stop] - fragment.first_row
        chunk = loader()
        text = _texts(corpus, fragment, chunk, local)
        fields = [_short_fields(line) for line in chunk.jsonl(local)] if with_fields else []
        data, offsets = text.data, text.offsets
        parts = [_cut(data[a : min(b, a + MEASURED)].tobytes()) for a, b in pairwise(offsets.tolist())]
        return parts, np.diff(offsets), fields

    parts: list[bytes] = []
    sizes: list[NDArray[np.int64]] = []
    fields: Fields = []
    for found, size, some in corpus.engine.map(load, corpus.fragment_tasks(holds)):
        parts += found
        sizes.append(size)
        fields += some
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    data = np.frombuffer(b"".join(parts), np.uint8)
    return Texts(rows, Text(data, offsets), np.concatenate(sizes) if sizes else np.empty(0, np.int64)), fields


def _texts(corpus: Corpus, fragment: Fragment, chunk: Chunk, rows: NDArray[np.int64]) -> Text:
    """Return the texts of a few records of a chunk, without going through the others."""
    few: Chunk
    if isinstance(chunk, TableChunk):
        few = TableChunk(chunk.table(rows))
    else:
        few = JsonChunk.from_lines(np.frombuffer(b"\n".join(chunk.jsonl(rows)) + b"\n", np.uint8))
    shape: Any = corpus.opened[fragment.source].shape or text_option("text")
    return few.parse(Reading(shape)).text


def _short_fields(line: bytes) -> dict[str, str]:
    """Return the short texts and the truth values of a record."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:  # what this parser refuses, such as NaN, is no group
        return {}
    if not isinstance(record, dict):
        return {}
    texts = {name: value for name, value in record.items() if isinstance(value, str) and len(value) <= 80}
    return texts | {name: str(value).lower() for name, value in record.items() if isinstance(value, bool)}


def _cut(text: bytes) -> bytes:
    """Return a text without the part of a character at its end."""
    if len(text) < MEASURED:
        return text
    return text.decode("utf-8", "ignore").encode()
