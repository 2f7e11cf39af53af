"""CSV and TSV: rows by RFC 4180, all columns as strings, nothing guessed.

The first row is the header (a name that comes again gets `.1`, `.2` ...). A value that starts
with a double quote runs to the closing one, over delimiters and line ends; a doubled quote
stands for one. Rows end at LF, CRLF or CR; blank lines are no rows. A row with more or fewer
values than the header is set aside with its line and bytes. An empty value is an empty string.
A file that ends within quotes, or whose compressed stream breaks, is reported in `damage`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.corpus.chunk import Parsed, Reading, Reject
from tamis.corpus.table_chunk import TableChunk
from tamis.corpus.table_text import Marks
from tamis.corpus.task import FRAGMENT_BYTES, Task
from tamis.errors import InputError
from tamis.kernels.hashing import hash_spans

__all__ = ["CsvChunk", "CsvFile"]

_BLOCK = 1 << 20
#: Bytes of a row that is still not closed, after which its quotes are taken for a mistake.
_LONGEST = 256 << 20
_DAMAGED = (EOFError, OSError, LZMAError, zlib.error, pa.ArrowInvalid)
_QUOTE, _LF, _CR = 34, 10, 13


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows found in a buffer, and of row `i` the values `first[i]` to `first[i + 1]`.

    `start`, `stop` and `line` are per row; `begin`, `end` and `quoted` per value. `done` is where
    the rows end, `lines` the line ends up to there, `open_line` the line where quotes were opened
    and not closed (0 if none).
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    line: NDArray[np.int64]
    first: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    quoted: NDArray[np.bool_]
    done: int
    lines: int
    open_line: int


class CsvChunk(TableChunk):
    """The rows of a part of a CSV file; `line` is the line of the file where a row starts.

    Parameters
    ----------
    buffer : uint8 array
        Whole rows, without the header.
    header : tuple of str
        The names of the columns.
    delimiter : int
        The byte between values.
    skipped : int
        Lines before the buffer that belong to this fragment (those of the header).
    """

    def __init__(self, buffer: NDArray[np.uint8], header: tuple[str, ...], delimiter: int, skipped: int = 0) -> None:
        rows = _scan(buffer, delimiter, final=True)
        count = np.diff(rows.first)
        whole = count == len(header)
        if rows.open_line and len(whole):
            whole[-1] = False
        columns = [
            _column(buffer, rows.first, rows.begin, rows.end, rows.quoted, whole, number)
            for number in range(len(header))
        ]
        arrays = [
            pa.LargeStringArray.from_buffers(len(whole), pa.py_buffer(offsets), pa.py_buffer(data))
            for data, offsets in columns
        ]
        super().__init__(pa.Table.from_arrays(arrays, names=list(header)))
        self.line = rows.line + skipped
        self.lines = rows.lines + skipped
        self.nbytes = len(buffer)
        #: Whether the last row has no line end: with a broken row, the file was cut.
        self.open_end = bool(len(buffer)) and buffer[-1] not in (_LF, _CR)
        self._buffer, self._found, self._count, self._broken = buffer, rows, count, ~whole

    def parse(self, reading: Reading) -> Parsed:
        """Return the columns that `reading` asks for; the key of a broken row is that of its bytes."""
        parsed = super().parse(reading)
        broken = np.flatnonzero(self._broken)
        start, stop = self._found.start[broken], self._found.stop[broken]
        parsed.key[broken] = hash_spans(self._buffer, start, stop, np.uint64(0))
        return parsed

    def _marks(self) -> Marks:
        marks = super()._marks()
        broken = np.flatnonzero(self._broken)
        marks.status[broken], marks.detail[broken] = Reject.BROKEN_ROW, self._count[broken]
        return marks

    def raw(self, row: int) -> bytes:
        """Return the bytes of the row in the file."""
        return self._buffer[self._found.start[row] : self._found.stop[row]].tobytes()


class CsvFile:
    """A CSV or TSV file as fragments of about `fragment_bytes`, each of whole rows.

    Parameters
    ----------
    path : str
        What the file is called in messages.
    opener : callable
        Opens the (decompressed) bytes for reading.
    delimiter : str
        One ASCII character.
    """

    def __init__(
        self, path: str, opener: Callable[[], BinaryIO], delimiter: str, fragment_bytes: int | None = None
    ) -> None:
        self.path, self.opener, self.delimiter = path, opener, ord(delimiter)
        self.fragment_bytes = max(fragment_bytes or FRAGMENT_BYTES, 3)  # a byte order mark at least
        self.damage: str | None = None

    def tasks(self) -> Iterator[Task]:
        """Yield the fragments in order; the file is read and cut at row ends here, parsed by the task.

        Raises
        ------
        InputError
            If the file has no header, is not UTF-8 in the header, or is UTF-16.
        """
        header: tuple[str, ...] | None = None
        index = skipped = 0
        for buffer in self._buffers():
            if header is None:
                head = _scan(buffer, self.delimiter, final=True, limit=1)
                skipped += head.lines
                if not len(head.start):  # blank lines before the header
                    continue
                header = self._names(buffer, head)
                buffer = buffer[head.done :]  # noqa: PLW2901
            if len(buffer):
                yield Task(index, partial(CsvChunk, buffer, header, self.delimiter, skipped))
                index, skipped = index + 1, 0
        if header is None:
            raise InputError(f"{self.path}: expected a header row with the names of the columns, got none.")

    def _buffers(self) -> Iterator[NDArray[np.uint8]]:
        """Yield buffers of whole rows; the last one ends where the file ends."""
        self.damage = None
        rest, line, first = np.empty(0, np.uint8), 0, True
        for block, ended in self._blocks():
            buffer = np.concatenate([rest, block]) if len(rest) else block
            if first:
                buffer, first = self._decoded(buffer), False
            rows = _scan(buffer, self.delimiter, final=ended)
            last = ended or len(buffer) - rows.done > _LONGEST
            if last and rows.open_line and self.damage is None:
                self.damage = (
                    f"{self.path}: the quotes opened on line {line + rows.open_line:,} are never closed: "
                    "the file is cut, or a quote inside a value is not doubled"
                )
            stop = len(buffer) if last else rows.done
            if stop:
                yield buffer[:stop]
            if last:
                return
            rest, line = buffer[stop:], line + rows.lines

    def _blocks(self) -> Iterator[tuple[NDArray[np.uint8], bool]]:
        """Yield the bytes of the file in blocks, and whether each is the last."""
        read = 0
        with self.opener() as stream:
            while True:
                parts: list[bytes] = []
                wanted, ended = self.fragment_bytes, False
                while wanted > 0 and not ended:
                    try:
                        part = stream.read1(min(wanted, _BLOCK))  # type: ignore[attr-defined]
                    except _DAMAGED as error:
                        part = b""
                        at = f"{read + sum(map(len, parts)):,}"
                        self.damage = f"{self.path}: cut or damaged after {at} bytes ({error})"
                    parts.append(part)
                    wanted, ended = wanted - len(part), not part
                block = b"".join(parts)
                read += len(block)
                yield np.frombuffer(block, np.uint8), ended
                if ended:
                    return

    def _decoded(self, buffer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        start = buffer[:3].tobytes()
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise InputError(
                f"{self.path}: expected UTF-8, got UTF-16 (by its first two bytes). Convert it: "
                "iconv -f UTF-16 -t UTF-8"
            )
        return buffer[3:] if start == b"\xef\xbb\xbf" else buffer

    def _names(self, buffer: NDArray[np.uint8], rows: _Rows) -> tuple[str, ...]:
        """Return the names of the columns, distinct, from the header row."""
        every = np.ones(1, np.bool_)
        raw = [
            _column(buffer, rows.first, rows.begin, rows.end, rows.quoted, every, number)[0].tobytes()
            for number in range(int(rows.first[1]))
        ]
        try:
            found = [name.decode() for name in raw]
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: expected UTF-8, got other bytes in the header ({error}).") from error
        seen: dict[str, int] = {}
        names: list[str] = []
        for name in found:
            while (number := seen.get(name, 0)) and f"{name}.{number}" in (*found, *names):
                seen[name] = number + 1
            names.append(f"{name}.{number}" if number else name)
            seen[name] = number + 1
        return tuple(names)


def _scan(buffer: NDArray[np.uint8], delimiter: int, *, final: bool, limit: int = -1) -> _Rows:
    """Return the rows of a buffer; the last one, if it has no line end, only where `final`."""
    none, no = np.empty(0, np.int64), np.empty(0, np.bool_)
    rows, values, _, _, _ = _walk(buffer, delimiter, final, limit, False, none, none, none, none, none, none, no)
    start, stop, line = (np.empty(rows, np.int64) for _ in range(3))
    first = np.zeros(rows + 1, np.int64)
    begin, end, quoted = np.empty(values, np.int64), np.empty(values, np.int64), np.empty(values, np.bool_)
    _, _, done, lines, open_line = _walk(
        buffer, delimiter, final, limit, True, start, stop, line, first, begin, end, quoted
    )
    return _Rows(start, stop, line, first, begin, end, quoted, int(done), int(lines), int(open_line))


@njit(nogil=True, cache=True)
def _quotes_end(data: NDArray[np.uint8], i: int) -> tuple[int, int]:
    """Return where the quotes whose inside starts at `i` close (or the end), and the line ends inside."""
    n = len(data)
    breaks = 0
    while i < n:
        c = data[i]
        if c == _QUOTE:
            if i + 1 >= n or data[i + 1] != _QUOTE:
                break
            i += 1
        elif c == _LF or (c == _CR and not (i + 1 < n and data[i + 1] == _LF)):
            breaks += 1
        i += 1
    return i, breaks


@njit(nogil=True, cache=True)
def _walk(
    data: NDArray[np.uint8],
    delimiter: int,
    final: bool,
    limit: int,
    fill: bool,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    line: NDArray[np.int64],
    first: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    quoted: NDArray[np.bool_],
) -> tuple[int, int, int, int, int]:
    """Count rows and values, or `fill` the arrays with them; see `_Rows`.

    Returns the rows, the values, where the rows end, the line ends up to there, and the line
    where quotes were opened and not closed (0 if none).
    """
    n = len(data)
    i = rows = values = done = done_lines = lines = open_line = 0
    while i < n and rows != limit:
        row_start, row_line, row_values = i, lines + 1, values
        ended = False
        while True:  # a value
            value = i
            in_quotes = i < n and data[i] == _QUOTE
            if in_quotes:
                opened = lines + 1
                i, breaks = _quotes_end(data, i + 1)
                lines += breaks
                if i >= n:
                    open_line = opened
            while i < n and data[i] != delimiter and data[i] != _LF and data[i] != _CR:
                i += 1
            if fill and values < len(begin):
                begin[values], end[values], quoted[values] = value, i, in_quotes
            values += 1
            if i >= n or data[i] != delimiter:
                break
            i += 1
        row_stop = i
        if i < n and (data[i] == _LF or i + 1 < n or final):
            i += 2 if data[i] == _CR and i + 1 < n and data[i + 1] == _LF else 1
            lines += 1
            ended = True
        elif final:
            lines += 1
            ended = True
        if not ended:
            values = row_values
            break
        if row_stop == row_start:  # a blank line
            values = row_values
        else:
            if fill:
                start[rows], stop[rows], line[rows], first[rows + 1] = row_start, row_stop, row_line, values
            rows += 1
        done, done_lines = i, lines
    return rows, values, done, done_lines, open_line


@njit(nogil=True, cache=True)
def _column(
    data: NDArray[np.uint8],
    first: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    quoted: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    number: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return value `number` of each of `n` rows, unquoted; empty where a row is not `whole`."""
    n = len(whole)
    bound = 0
    for row in range(n):
        if whole[row]:
            bound += end[first[row] + number] - begin[first[row] + number]
    out = np.empty(bound, np.uint8)
    offsets = np.zeros(n + 1, np.int64)
    w = 0
    for row in range(n):
        if whole[row]:
            i, stop = begin[first[row] + number], end[first[row] + number]
            if quoted[first[row] + number]:
                i += 1
                while i < stop:
                    if data[i] == _QUOTE:
                        i += 1
                        if i >= stop or data[i] != _QUOTE:
                            break
                    out[w] = data[i]
                    w += 1
                    i += 1
            out[w : w + stop - i] = data[i:stop]
            w += stop - i
        offsets[row + 1] = w
    return out[:w], offsets
