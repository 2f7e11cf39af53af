"""A fragment of plain text: a record a line, or one record a file.

Such a record is what the JSON object ``{"text": ...}`` is: it parses and is written as that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk, Parsed, Reading, Reject, Text
from tamis.corpus.json_chunk import BOM, JsonChunk
from tamis.corpus.json_table import table_of
from tamis.corpus.shapes import Part, Template
from tamis.kernels import json as kernels
from tamis.kernels.hashing import hash_spans

__all__ = ["TextChunk"]

_SEED = np.uint64(0)


class TextChunk(Chunk):
    r"""Lines of text, or a whole file; see `from_lines` and `whole`.

    A line is its bytes without the ``\n`` or ``\r\n`` that ends it; a line of nothing but spaces
    and tabs is no record. Bytes that are not UTF-8 reject a record.
    """

    def __init__(
        self,
        data: NDArray[np.uint8],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        line: NDArray[np.int64],
        lines: int,
    ) -> None:
        self.data = kernels.aliased(data)
        self.starts, self.stops = starts, stops
        self.line, self.lines = line, lines
        self.n = len(starts)
        self.nbytes = len(data)

    @classmethod
    def from_lines(cls, buffer: NDArray[np.uint8], *, skip_bom: bool = False) -> TextChunk:
        """Return the chunk of a buffer of lines; a byte order mark before them is left out on `skip_bom`."""
        data = kernels.aliased(buffer)
        return cls(data, *kernels.split_lines(data, _begin(data, skip_bom), len(data), False))

    @classmethod
    def whole(cls, buffer: NDArray[np.uint8], *, skip_bom: bool = True) -> TextChunk:
        """Return the chunk of a file that is one record, line ends included."""
        data = kernels.aliased(buffer)
        span = np.array([_begin(data, skip_bom)], np.int64), np.array([len(data)], np.int64)
        return cls(data, *span, np.ones(1, np.int64), 1)

    def parse(self, reading: Reading) -> Parsed:
        """Return the columns that `reading` asks for, as of records with the one field `text`."""
        key = np.asarray(hash_spans(self.data, self.starts, self.stops, _SEED))
        status, detail = kernels.check_texts(self.data, self.starts, self.stops)
        plain = isinstance(reading.shape, Template) and reading.shape.parts in (
            (Part("", "text"),),
            (Part("", "text", True),),
        )
        if plain and reading.id_field is None and not reading.fields:
            stops = np.where(status == Reject.OK, self.stops, self.starts)
            text = Text(*kernels.gather_spans(self.data, self.starts, stops))
            return Parsed(status, detail, ("text",), text, key)
        return self._as_json(reading, status, detail, key)

    def _as_json(
        self,
        reading: Reading,
        status: NDArray[np.uint8],
        detail: NDArray[np.int32],
        key: NDArray[np.uint64],
    ) -> Parsed:
        """Return what the records' JSON objects parse into, with what makes their bytes unreadable."""
        objects = self.jsonl(np.arange(self.n))
        parsed = JsonChunk.from_lines(np.frombuffer(b"\n".join(objects), np.uint8)).parse(reading)
        broken = status == Reject.INVALID_UTF8
        if not broken.any():
            return Parsed(parsed.status, parsed.detail, parsed.names, parsed.text, key, parsed.ids, parsed.fields)
        offsets = parsed.text.offsets
        text = kernels.gather_spans(
            kernels.aliased(parsed.text.data), offsets[:-1], np.where(broken, offsets[:-1], offsets[1:])
        )
        return Parsed(
            np.where(broken, status, parsed.status),
            np.where(broken, detail, parsed.detail),
            parsed.names,
            Text(*text),
            key,
            parsed.ids,
            parsed.fields,
        )

    def sample(self, limit: int) -> list[Any]:
        """Return up to `limit` first records as objects with the one field `text`."""
        status, _ = kernels.check_texts(self.data, self.starts[:limit], self.stops[:limit])
        return [orjson.loads(line) for line in self.jsonl(np.flatnonzero(status != Reject.INVALID_UTF8))]

    def jsonl(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the given records as JSON objects; bytes that are not UTF-8 show as U+FFFD."""
        return [orjson.dumps({"text": self.raw(int(row)).decode("utf-8", "replace")}) for row in rows]

    def table(self, rows: NDArray[np.int64]) -> Any:
        """Return the given records as an Arrow table with the one column `text`."""
        return table_of(self.jsonl(rows))

    def raw(self, row: int) -> bytes:
        """Return the bytes of one record, readable or not."""
        return self.data[self.starts[row] : self.stops[row]].tobytes()


def _begin(data: NDArray[np.uint8], skip_bom: bool) -> int:
    return len(BOM) if skip_bom and data[: len(BOM)].tobytes() == BOM else 0
