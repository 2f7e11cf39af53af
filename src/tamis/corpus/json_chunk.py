"""A fragment of JSON records: lines of a JSONL file, or elements of a JSON array.

The bytes stay where they were read; everything is found by compiled kernels, which release the
interpreter lock, and no Python object is made for a record. What counts as valid is told in
`tamis.kernels.json_parse`, what a record's text is in `tamis.corpus.shapes`.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk, FieldColumn, Kind, Parsed, Reading, Reject, Text
from tamis.corpus.json_table import table_of
from tamis.corpus.shapes import Chat, Template, fields_of
from tamis.errors import OptionError
from tamis.kernels import json as kernels
from tamis.kernels.hashing import hash_spans

__all__ = ["BOM", "JsonChunk"]

#: The UTF-8 byte order mark that some programs put before the first record of a file.
BOM = b"\xef\xbb\xbf"

_SEED = np.uint64(0)

# What `find_fields` returns, without status and detail: begins, ends, kinds.
_Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]


class JsonChunk(Chunk):
    """JSON records as spans of a buffer; see `from_lines` and `from_elements`.

    Byte columns in `Parsed.detail` count from the first byte of the record.

    Attributes
    ----------
    starts, stops : int64 arrays of shape (n,)
        Record `i` is ``data[starts[i]:stops[i]]``, without white space around it.
    open_end : bool
        Whether the buffer ends inside a line (without a line end).
    """

    def __init__(
        self,
        data: NDArray[np.uint8],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        line: NDArray[np.int64],
        lines: int,
        *,
        compact: bool,
        open_end: bool = False,
    ) -> None:
        self.data = kernels.aliased(data)
        self.starts, self.stops = starts, stops
        self.line, self.lines = line, lines
        self.n = len(starts)
        self.nbytes = len(data)
        self.open_end = open_end
        self._compact = compact

    @classmethod
    def from_lines(cls, buffer: NDArray[np.uint8], *, skip_bom: bool = False) -> JsonChunk:
        """Return the chunk of a buffer of lines; with `skip_bom`, a byte order mark before them is no text.

        The buffer (uint8, contiguous, read-only or not) is kept, not copied.
        """
        data = kernels.aliased(buffer)
        begin = len(BOM) if skip_bom and data[: len(BOM)].tobytes() == BOM else 0
        starts, stops, line, lines = kernels.split_lines(data, begin, len(data), True)
        open_end = len(data) > begin and data[-1] != ord("\n")
        return cls(data, starts, stops, line, lines, compact=False, open_end=open_end)

    @classmethod
    def from_elements(cls, buffer: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> JsonChunk:
        """Return the chunk of the elements of a JSON array; `line` numbers them from 1.

        Keys and lines are those of the elements without white space outside strings, so they do
        not change when the file is indented differently.
        """
        numbers = np.arange(1, len(starts) + 1, dtype=np.int64)
        return cls(buffer, starts, stops, numbers, len(starts), compact=True)

    def parse(self, reading: Reading) -> Parsed:
        """Return the columns that `reading` asks for; `names` depends on `reading` alone.

        Raises
        ------
        OptionError
            If more than 64 fields are asked for.
        """
        own = (reading.id_field,) if reading.id_field is not None else ()
        names = tuple(dict.fromkeys((*fields_of(reading.shape), *own)))
        wanted = tuple(dict.fromkeys((*names, *reading.fields)))
        if len(wanted) > kernels.MAX_FIELDS:
            raise OptionError(
                f"expected at most {kernels.MAX_FIELDS} fields of JSON records in one run, got "
                f"{len(wanted)}: name fewer in --text, --where and --quota."
            )
        status, detail, begins, ends, kinds = kernels.find_fields(
            self.data, self.starts, self.stops, *kernels.laid_out(wanted)
        )
        found = begins, ends, kinds
        usable = status == Reject.OK
        ids = None
        if reading.id_field is not None:
            ids = self._ids(wanted.index(reading.id_field), status, detail, found)
        text = self._text(reading, wanted, status, detail, found)
        fields = {name: self._field(wanted.index(name), usable, found) for name in reading.fields}
        return Parsed(status, detail, names, text, self._keys(), ids, fields)

    def _keys(self) -> NDArray[np.uint64]:
        if not self._compact:
            return np.asarray(hash_spans(self.data, self.starts, self.stops, _SEED))
        data, offsets = kernels.compact_spans(self.data, self.starts, self.stops)
        return np.asarray(hash_spans(data, offsets[:-1], offsets[1:], _SEED))

    def _text(
        self,
        reading: Reading,
        wanted: tuple[str, ...],
        status: NDArray[np.uint8],
        detail: NDArray[np.int32],
        found: _Found,
    ) -> Text:
        shape = reading.shape
        if isinstance(shape, Template):
            return self._template(shape, wanted, status, detail, found)
        return self._chat(shape, wanted, status, detail, found)

    def _template(
        self,
        shape: Template,
        wanted: tuple[str, ...],
        status: NDArray[np.uint8],
        detail: NDArray[np.int32],
        found: _Found,
    ) -> Text:
        slots = [-1 if part.field is None else wanted.index(part.field) for part in shape.parts]
        optional = np.array([part.optional for part in shape.parts], np.uint8)
        literals, offsets = kernels.laid_out([part.literal for part in shape.parts])
        return Text(
            *kernels.render_template(
                self.data, status, detail, *found, np.array(slots, np.int64), optional, literals, offsets
            )
        )

    def _chat(
        self,
        shape: Chat,
        wanted: tuple[str, ...],
        status: NDArray[np.uint8],
        detail: NDArray[np.int32],
        found: _Found,
    ) -> Text:
        places = [wanted.index(name) for name in (shape.turns, shape.role, shape.content)]
        places.append(-1 if shape.system is None else wanted.index(shape.system))
        keys = kernels.laid_out((shape.role, shape.content, "type", "text"))
        return Text(*kernels.render_chat(self.data, status, detail, *found, np.array(places, np.int64), *keys))

    def _ids(self, slot: int, status: NDArray[np.uint8], detail: NDArray[np.int32], found: _Found) -> Text:
        """Return the ids (strings, and integers as written) and reject records that have none."""
        begins, ends, kinds = found
        kind = kinds[slot]
        usable = status == Reject.OK
        none = usable & ((kind == kernels.ABSENT) | (kind == Kind.NULL))
        fits = (kind == Kind.STRING) | (kind == Kind.INT)
        status[none] = Reject.MISSING_FIELD
        status[usable & ~none & ~fits] = Reject.WRONG_TYPE
        detail[usable & ~fits] = slot
        shown = np.where(fits, kind, np.uint8(Kind.NULL))
        return Text(*kernels.render_column(self.data, begins[slot], ends[slot], shown))

    def _field(self, slot: int, usable: NDArray[np.bool_], found: _Found) -> FieldColumn:
        begins, ends, kinds = found
        kind = np.where(usable & (kinds[slot] != kernels.ABSENT), kinds[slot], np.uint8(Kind.NULL))
        return FieldColumn(kind, Text(*kernels.render_column(self.data, begins[slot], ends[slot], kind)))

    def sample(self, limit: int) -> list[Any]:
        """Return up to `limit` first objects; looks at no more than ten times as many records."""
        found: list[Any] = []
        for row in range(min(self.n, 10 * limit)):
            if len(found) == limit:
                break
            try:
                record = json.loads(self.raw(row).decode())
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                found.append(record)
        return found

    def jsonl(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the given records as they are in their file; array elements on one line each."""
        starts, stops, data = self.starts[rows], self.stops[rows], self.data
        if self._compact:
            data, offsets = kernels.compact_spans(data, starts, stops)
            starts, stops = offsets[:-1], offsets[1:]
        whole = data.data
        return [bytes(whole[a:b]) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]

    def table(self, rows: NDArray[np.int64]) -> Any:
        """Return the given records as an Arrow table; how, is told in `tamis.corpus.json_table`.

        Raises
        ------
        InputError
            If one of them is no JSON object.
        """
        return table_of(self.jsonl(rows))

    def raw(self, row: int) -> bytes:
        """Return the bytes of one record, readable or not."""
        return self.data[self.starts[row] : self.stops[row]].tobytes()
