"""Mean token rows of texts, by pieces: words recur, so the rows of a word are added up once.

A text is cut into pieces where that is exact (`tamis.signals.cuts`). A piece of one token stands
for that token's row; one of several gets a row of its own, their sum, while there is room, and is
remembered as a list of tokens after that. Sums are exact (`tamis.vectors.wordllama`), so what was
remembered when changes nothing.
"""

from __future__ import annotations

import json
import threading
from itertools import compress, pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tamis.corpus.chunk import Text
from tamis.kernels.pieces import LONGEST, WHOLE, Cuts, cut_after, find, piece_key
from tamis.signals.cuts import examine
from tamis.signals.pieces import Pieces
from tamis.signals.tokenizers import Definition, build
from tamis.vectors.wordllama import TokenRows, add_rows, largest, means

__all__ = ["StaticMeans"]

_BLOCK = 1024  # texts summed at a time: 2 MB of totals at a width of 256
_BATCH = 1 << 16  # pieces met for the first time, or not remembered, handled at a time
_LENGTH = 1 << 20  # characters tokenised at a time
_LISTED = 1 << 30  # a piece's value from here on: where its tokens are listed; below: its row
_FOUND = 1024  # rows looked up before they are added
_LARGEST = 2**30  # magnitude from which a sum gets no row: two such must not overflow


class _Side(NamedTuple):
    """What the values of pieces mean.

    `rows` (`r x d`): the tokens' rows, then sums of several. `bounds` (`r`): the largest magnitude
    of each. `tokens` (`r`): of how many tokens each is the sum. `lists`: a piece's number of
    tokens and the tokens, one piece after the other.
    """

    rows: NDArray[np.int32]
    bounds: NDArray[np.int64]
    tokens: NDArray[np.int32]
    lists: NDArray[np.int32]


class _Out(NamedTuple):
    """What the walk fills: per record totals and counts; spans (record, start, stop, opens) to be tokenised."""

    totals: NDArray[np.int64]
    counts: NDArray[np.int64]
    fresh: NDArray[np.int64]
    loose: NDArray[np.int64]
    again: NDArray[np.int64]
    found: NDArray[np.int32]
    part: NDArray[np.int32]


@njit(nogil=True, cache=True)
def _walk(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    records: NDArray[np.int64],
    cuts: Cuts,
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    remember: bool,
    side: _Side,
    out: _Out,
) -> tuple[int, int, int, int]:
    """Add up the rows of the pieces of each of `records`; stop when a buffer is full.

    A record with an unknown piece that is to be remembered goes into `again`, the piece into
    `fresh`. Pieces that are not remembered go into `loose`, and so does a whole record with a
    piece that must not be looked at alone. Returns how many records were walked, and how many
    entries of each kind were written.
    """
    rows, bounds, tokens, lists = side
    totals, counts, fresh, loose, again, found, part = out
    n_fresh, n_loose, n_again = 0, 0, 0
    for position in range(len(records)):
        record = records[position]
        if n_fresh == len(fresh) or n_loose == len(loose):
            return position, n_fresh, n_loose, n_again
        start, end = offsets[record], offsets[record + 1]
        before, missing, whole, first = n_loose, False, False, True
        n, count, total = 0, 0, totals[record]
        total[:] = 0
        while start < end:
            stop = cut_after(data, start, end, cuts)
            where = -1
            if stop - start <= LONGEST:
                low, high = piece_key(data, start, stop, first)
                where = find(slots, bytes_, data, start, stop, low, high)
            if where >= 0:
                value = np.int64(slots[where, 2])
                if value < 0:
                    whole = True
                    break
                if n == len(found):
                    add_rows(found, n, rows, bounds, part, total)
                    n = 0
                if value < _LISTED:
                    found[n] = value
                    n += 1
                    count += tokens[value]
                else:
                    at = value - _LISTED
                    add_rows(lists[at + 1 :], lists[at], rows, bounds, part, total)
                    count += lists[at]
            elif remember and stop - start <= LONGEST:
                missing = True
                if n_fresh == len(fresh):
                    break
                entry = fresh[n_fresh]
                entry[0], entry[1], entry[2] = start, stop, first
                n_fresh += 1
            elif n_loose == len(loose):
                whole = True
                break
            else:
                entry = loose[n_loose]
                entry[0], entry[1], entry[2], entry[3] = record, start, stop, first
                n_loose += 1
            start, first = stop, False
        if missing:
            again[n_again] = record
            n_again += 1
            n_loose = before
        elif whole:
            if before == len(loose):
                return position, n_fresh, before, n_again
            total[:] = 0
            counts[record] = 0
            entry = loose[before]
            entry[0], entry[1], entry[2], entry[3] = record, offsets[record], end, 1
            n_loose = before + 1
        else:
            add_rows(found, n, rows, bounds, part, total)
            counts[record] = count
    return len(records), n_fresh, n_loose, n_again


@njit(nogil=True, cache=True)
def _add_tokens(
    records: NDArray[np.int64],
    edges: NDArray[np.int64],
    tokens: NDArray[np.int32],
    side: _Side,
    part: NDArray[np.int32],
    totals: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Add the rows of `tokens[edges[i]:edges[i + 1]]` to the totals of `records[i]`."""
    for i in range(len(records)):
        n = edges[i + 1] - edges[i]
        add_rows(tokens[edges[i] : edges[i + 1]], n, side.rows, side.bounds, part, totals[records[i]])
        counts[records[i]] += n


class StaticMeans:
    """Means of token rows of texts, for any number of threads.

    `room` summed rows are kept (`4 d` bytes each) and about `limit` pieces are remembered (up to
    192 bytes each). `note` says how texts are tokenised.
    """

    def __init__(
        self, rows: TokenRows, definition: Definition, *, pieces: bool = True, room: int = 1 << 15, limit: int = 1 << 20
    ) -> None:
        self.width = rows.width
        self._full = self._rest = build(definition.json)
        self._whole: Any = None
        self._vocabulary = len(rows.rows)
        # Memory is only taken by what is written: an empty row costs nothing.
        table = np.empty((self._vocabulary + room, rows.width), np.int32)
        table[: self._vocabulary] = rows.rows
        bounds, tokens = np.zeros(len(table), np.int64), np.ones(len(table), np.int32)
        bounds[: self._vocabulary] = largest(rows.rows)
        self._side = _Side(table, bounds, tokens, np.empty(1024, np.int32))
        self._used, self._listed = self._vocabulary, 0
        self._row_of: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._table: _Table | None = None
        self.note = "whole texts: asked for"
        if pieces:
            self._set_up(examine(json.loads(self._full.to_str())), limit)

    def _set_up(self, examined: Any, limit: int) -> None:
        self.note = f"whole texts: {examined.reason}"
        if examined.cuts is not None:
            if examined.rest is not None:
                self._rest = build(json.dumps(examined.rest))
            self._whole = examined.whole
            self._table = _Table(examined.cuts, self._learn, limit)
            self.note = "pieces of texts, each tokenised once"

    def means(self, text: Text) -> NDArray[np.float32]:
        """Return the mean row of the tokens of each of the `n` texts (`n x d`); zeros without tokens."""
        result = np.empty((len(text), self.width), np.float32)
        loose = np.empty((_BATCH, 4), np.int64)
        out = _Out(
            np.empty((min(_BLOCK, len(text)), self.width), np.int64),
            np.empty(min(_BLOCK, len(text)), np.int64),
            np.empty((_BATCH, 3), np.int64),
            loose,
            np.empty(_BLOCK, np.int64),
            np.empty(_FOUND, np.int32),
            np.zeros(self.width, np.int32),
        )
        for begin in range(0, len(text), _BLOCK):
            n = min(_BLOCK, len(text) - begin)
            out.counts[:] = 0
            self._sum(text.data, text.offsets[begin : begin + n + 1], out)
            result[begin : begin + n] = means(out.totals[:n], out.counts[:n])
        return result

    def _sum(self, data: NDArray[np.uint8], offsets: NDArray[np.int64], out: _Out) -> None:
        """Fill the totals and counts of a block of texts."""
        data, offsets = _frozen(data), _frozen(offsets)
        pending = np.arange(len(offsets) - 1, dtype=np.int64)
        if self._table is None:
            out.totals[:] = 0
            self._add_loose(data, offsets, np.stack([pending, offsets[:-1], offsets[1:], pending >= 0], axis=1), out)
            return
        while len(pending):
            now, remember = self._table.snapshot, self._table.remembers
            side = self._side  # read after the table: it knows all that the table refers to
            done, n_fresh, n_loose, n_again = _walk(
                data, offsets, pending, self._table.cuts, now.rows, now.bytes_, remember, side, out
            )
            self._add_loose(data, offsets, out.loose[:n_loose], out)
            if n_fresh:
                self._table.add(data, out.fresh[:n_fresh])
            pending = np.concatenate([out.again[:n_again], pending[done:]])

    def _add_loose(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], loose: NDArray[np.int64], out: _Out
    ) -> None:
        """Tokenise spans that are not remembered, and add them to the totals of their records."""
        if not len(loose):
            return
        strings = [_string(data, a, b) for a, b in loose[:, 1:3].tolist()]
        if self._whole is not None:
            alone = (loose[:, 1] == offsets[loose[:, 0]]) & (loose[:, 2] == offsets[loose[:, 0] + 1])
            search = self._whole.search
            held = np.fromiter((search(string) is not None for string in strings), np.bool_, len(strings)) & ~alone
            if held.any():  # these texts are tokenised whole
                records = np.unique(loose[held, 0])
                out.totals[records], out.counts[records] = 0, 0
                whole = np.stack([records, offsets[records], offsets[records + 1], records >= 0], axis=1)
                loose = np.concatenate([loose[~np.isin(loose[:, 0], records)], whole])
                strings = [_string(data, a, b) for a, b in loose[:, 1:3].tolist()]
        for ids, edges, begin, end in self._tokens(strings, loose[:, 3] != 0):
            _add_tokens(loose[begin:end, 0], edges, ids, self._side, out.part, out.totals, out.counts)

    def _tokens(self, strings: list[str], first: NDArray[np.bool_]) -> Any:
        """Yield (tokens, edges, begin, end) of `strings[begin:end]`, a batch of bounded size at a time."""
        batch = np.cumsum([len(string) for string in strings]) // _LENGTH
        edges = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(strings)]
        for begin, end in pairwise(edges):
            found: list[list[int]] = [[]] * (end - begin)
            for tokenizer, which in ((self._full, first[begin:end]), (self._rest, ~first[begin:end])):
                rows = np.flatnonzero(which).tolist()
                encodings = tokenizer.encode_batch_fast([strings[begin + i] for i in rows], add_special_tokens=False)
                for i, encoding in zip(rows, encodings, strict=True):
                    found[i] = encoding.ids
            ends = np.zeros(end - begin + 1, np.int64)
            np.cumsum([len(ids) for ids in found], out=ends[1:])
            flat = np.fromiter((i for ids in found for i in ids), np.int32, int(ends[-1]))
            yield np.minimum(flat, self._vocabulary - 1), ends, begin, end

    def _learn(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the value of each piece (`f x 3`): its row, where it is listed, or `WHOLE`."""
        pieces = [(_string(data, a, b), bool(first)) for a, b, first in spans.tolist()]
        value = dict.fromkeys(pieces, WHOLE)
        new = [piece for piece in value if self._whole is None or self._whole.search(piece[0]) is None]
        opens = np.fromiter((first for _, first in new), np.bool_, len(new))
        for tokens, edges, begin, end in self._tokens([string for string, _ in new], opens):
            with self._lock:
                for piece, (a, b) in zip(new[begin:end], pairwise(edges.tolist()), strict=True):
                    value[piece] = self._value(tokens[a:b])
        return np.fromiter((value[piece] for piece in pieces), np.int32, len(pieces))

    def _value(self, tokens: NDArray[np.int32]) -> int:
        """Return the value for a piece of these tokens; the caller holds the lock."""
        if len(tokens) == 1:
            return int(tokens[0])
        key, side = tokens.tobytes(), self._side
        if (row := self._row_of.get(key)) is not None:
            return row
        total = side.rows[tokens].sum(axis=0, dtype=np.int64)
        if self._used < len(side.rows) and np.abs(total).max(initial=0) < _LARGEST:
            row, self._used = self._used, self._used + 1
            side.rows[row], side.bounds[row], side.tokens[row] = total, np.abs(total).max(initial=0), len(tokens)
            self._row_of[key] = row
            return row
        at, self._listed = self._listed, self._listed + 1 + len(tokens)
        if self._listed > len(side.lists):
            lists = np.empty(2 * self._listed, np.int32)
            lists[:at] = side.lists[:at]
            side = self._side = side._replace(lists=lists)
        side.lists[at] = len(tokens)
        side.lists[at + 1 : self._listed] = tokens
        return _LISTED + at


class _Table(Pieces):
    """The table of pieces, filled by a walk of our own."""

    @property
    def remembers(self) -> bool:
        """Return whether there is room for more pieces."""
        return self.snapshot.held < self.limit

    def add(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> None:
        """Learn and publish pieces (`f x 3`: start, stop, whether it opens its text)."""
        self._add(data, spans, self.learn(data, spans))


def _string(data: NDArray[np.uint8], start: int, stop: int) -> str:
    return data[start:stop].tobytes().decode()


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: so kernels are compiled once, for memory-mapped texts and others alike."""
    view = array.view()
    view.flags.writeable = False
    return view
