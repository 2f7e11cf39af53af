"""Mean token rows of texts, by pieces: words recur, so each is tokenised once and looked up.

A text is cut into pieces where that is exact (`tamis.signals.cuts`); a piece stands for its
tokens, whose rows are added up. Sums are exact (`tamis.vectors.wordllama`), so what was
remembered when, and by which thread, changes nothing.
"""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tamis.corpus.chunk import Text
from tamis.errors import TamisError
from tamis.kernels.pieces import LONGEST, WHOLE, Cuts, cut_after, find, piece_key
from tamis.signals.bpe import LIMIT, Merges, compiled, encode, holds_added
from tamis.signals.cuts import examine
from tamis.signals.pieces import Pieces, Snapshot
from tamis.signals.tokenizers import Definition, build
from tamis.vectors.wordllama import TokenRows, add_rows, largest, means

__all__ = ["StaticMeans"]

_BLOCK = 1024  # texts summed at a time: 2 MB of totals at a width of 256
_FRESH = 1 << 16  # new pieces kept in mind at a time
_LOOSE = 1 << 12  # spans handed to the library at a time
_LENGTH = 1 << 20  # characters tokenised by the library at a time
_FOUND = 4096  # tokens of a text collected before their rows are added
_LISTED = 1 << 30  # a piece's value from here on: where its tokens are listed; below: its one token
_CHECKED = 4  # texts of every call that are also tokenised whole
_CHECKED_BYTES = 1 << 14


class _Out(NamedTuple):
    """What the walk fills.

    Per record of a block `totals` and `counts`. `fresh` (`f x 3`: start, stop, whether it opens its
    text) are pieces to remember, `values` theirs, given `tokens` lists from `listed` on; `loose`
    (`l x 4`: record first) are spans that the library must tokenise. The rest is room to work in.
    """

    totals: NDArray[np.int64]
    counts: NDArray[np.int64]
    fresh: NDArray[np.int64]
    loose: NDArray[np.int64]
    found: NDArray[np.int32]
    where: NDArray[np.int64]
    part: NDArray[np.int32]

    @staticmethod
    def empty(block: int, width: int) -> _Out:
        return _Out(
            np.empty((block, width), np.int64),
            np.empty(block, np.int64),
            np.empty((_FRESH, 3), np.int64),
            np.empty((_LOOSE, 4), np.int64),
            np.empty(_FOUND, np.int32),
            np.empty(LIMIT + 1, np.int64),
            np.zeros(width, np.int32),
        )


@njit(nogil=True, cache=True)
def _walk(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    begin: int,
    cuts: Cuts,
    merges: Merges,
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    lists: NDArray[np.int32],
    n_fresh: int,
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    out: _Out,
) -> tuple[int, int, int]:
    """Add up the rows of each record from `begin` on, until `loose` is full.

    Returns where it stopped and how many fresh and loose entries there are. A record with an
    added token's string goes into `loose` whole.
    """
    totals, counts, fresh, loose, found, where, part = out
    n_loose = 0
    for record in range(begin, len(offsets) - 1):
        start, end = offsets[record], offsets[record + 1]
        before, whole, first = n_loose, False, True
        n, count, total = 0, 0, totals[record]
        total[:] = 0
        while start < end:
            stop = cut_after(data, start, end, cuts)
            size = stop - start
            value = np.int64(-2)
            if size <= LONGEST:
                low, high = piece_key(data, start, stop, first)
                slot = find(slots, bytes_, data, start, stop, low, high)
                if slot >= 0:
                    value = np.int64(slots[slot, 2])
                elif n_fresh < len(fresh):
                    fresh[n_fresh, 0], fresh[n_fresh, 1], fresh[n_fresh, 2] = start, stop, first
                    n_fresh += 1
            if n + size + 1 > len(found):
                add_rows(found, n, rows, bounds, part, total)
                count, n = count + n, 0
            if 0 <= value < _LISTED:
                found[n] = value
                n += 1
            elif value >= _LISTED:
                at = value - _LISTED
                for j in range(lists[at]):
                    found[n + j] = lists[at + 1 + j]
                n += lists[at]
            elif value == WHOLE or holds_added(data, start, stop, merges):
                whole = True
                break
            elif size <= LIMIT:
                n += encode(data, start, stop, first, merges, where, found[n:])
            elif n_loose < len(loose):
                entry = loose[n_loose]
                entry[0], entry[1], entry[2], entry[3] = record, start, stop, first
                n_loose += 1
            elif before:
                return record, n_fresh, before
            else:
                whole = True
                break
            start, first = stop, False
        if whole:
            if before == len(loose):
                return record, n_fresh, before
            total[:] = 0
            n, count, n_loose = 0, 0, before + 1
            entry = loose[before]
            entry[0], entry[1], entry[2], entry[3] = record, offsets[record], end, 1
        add_rows(found, n, rows, bounds, part, total)
        counts[record] = count + n
    return len(offsets) - 1, n_fresh, n_loose


@njit(nogil=True, cache=True)
def _values(
    data: NDArray[np.uint8],
    spans: NDArray[np.int64],
    merges: Merges,
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    values: NDArray[np.int32],
    lists: NDArray[np.int32],
    at: int,
) -> tuple[int, int]:
    """Give the pieces `spans` values, listing tokens in `lists` from `at` on.

    Pieces the table has are dropped from `spans`. Returns how many are left, and the end of `lists`.
    """
    where, out = np.empty(LONGEST + 1, np.int64), np.empty(LONGEST + 1, np.int32)
    new = 0
    for i in range(len(spans)):
        start, stop, first = spans[i, 0], spans[i, 1], spans[i, 2] != 0
        low, high = piece_key(data, start, stop, first)
        if find(slots, bytes_, data, start, stop, low, high) >= 0:
            continue
        spans[new] = spans[i]
        values[new] = WHOLE
        if not holds_added(data, start, stop, merges):
            n = encode(data, start, stop, first, merges, where, out)
            values[new] = out[0]
            if n > 1:
                values[new] = _LISTED + at
                lists[at] = n
                lists[at + 1 : at + 1 + n] = out[:n]
                at += n + 1
        new += 1
    return new, at


@njit(nogil=True, cache=True)
def _add_tokens(
    records: NDArray[np.int64],
    edges: NDArray[np.int64],
    tokens: NDArray[np.int32],
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    out: _Out,
) -> None:
    """Add the rows of `tokens[edges[i]:edges[i + 1]]` to the totals of `records[i]`."""
    for i in range(len(records)):
        n = edges[i + 1] - edges[i]
        add_rows(tokens[edges[i] : edges[i + 1]], n, rows, bounds, out.part, out.totals[records[i]])
        out.counts[records[i]] += n


class StaticMeans:
    """Means of token rows of texts, for any number of threads.

    About `limit` pieces are remembered, in up to 300 bytes each. With `pieces` False, and for a
    tokenizer that `tamis.signals.bpe` does not know, the library tokenises whole texts: the same
    vectors, many times slower. `note` says which.
    """

    def __init__(
        self, rows: TokenRows, definition: Definition, *, pieces: bool = True, limit: int = 1 << 20
    ) -> None:
        self.width = rows.width
        self._rows, self._bounds = rows.rows, largest(rows.rows)
        self._full = self._rest = build(definition.json)
        self._known: _Known | None = None
        self.note = "whole texts: asked for"
        if pieces:
            self._set_up(json.loads(self._full.to_str()), limit)

    def _set_up(self, config: dict[str, Any], limit: int) -> None:
        """Prepare for pieces, where the tokenizer's definition allows them."""
        examined, merges = examine(config), compiled(config)
        if examined.cuts is None or merges is None:
            self.note = f"whole texts: {examined.reason or 'its tokenizer is none of those compiled here'}"
            return
        if examined.rest is not None:
            self._rest = build(json.dumps(examined.rest))
        self._known = _Known(examined.cuts, merges, limit)
        self.note = "pieces of texts, each tokenised once"

    def means(self, text: Text) -> NDArray[np.float32]:
        """Return the mean row of the tokens of each of the `n` texts (`n x d`); zeros without tokens.

        Raises TamisError if pieces give another vector than the whole text for one of the few
        texts that are tokenised both ways.
        """
        result = np.empty((len(text), self.width), np.float32)
        out = _Out.empty(min(_BLOCK, len(text)), self.width)
        data, offsets = _frozen(text.data), _frozen(text.offsets)
        n_fresh = 0
        for begin in range(0, len(text), _BLOCK):
            n = min(_BLOCK, len(text) - begin)
            block = offsets[begin : begin + n + 1]
            if self._known is None:
                self._add_loose(data, _whole(block, np.arange(n)), out, fill=True)
            else:
                n_fresh = self._sum(self._known, data, block, n_fresh, out)
                self._check(data, block, out, every=-(-len(text) // _CHECKED), begin=begin)
            means(out.totals[:n], out.counts[:n], result[begin : begin + n])
        if self._known is not None:
            self._known.learn_some(data, out.fresh[:n_fresh], least=1 << 10)
        return result

    def _sum(
        self, known: _Known, data: NDArray[np.uint8], offsets: NDArray[np.int64], n_fresh: int, out: _Out
    ) -> int:
        """Fill the totals and counts of a block of texts; return how many pieces are to be remembered."""
        at = 0
        while at < len(offsets) - 1:
            now, lists = known.now()
            at, n_fresh, n_loose = _walk(
                data, offsets, at, known.cuts, known.merges, now.rows, now.bytes_, lists, n_fresh, self._rows,
                self._bounds, out,
            )  # fmt: skip
            if n_loose:
                self._add_loose(data, out.loose[:n_loose], out)
            if known.learn_some(data, out.fresh[:n_fresh], least=1 << 13):
                n_fresh = 0
        return n_fresh

    def _add_loose(
        self, data: NDArray[np.uint8], loose: NDArray[np.int64], out: _Out, *, fill: bool = False
    ) -> None:
        """Tokenise spans with the library and add their rows; with `fill`, to totals of 0."""
        if fill:
            out.totals[loose[:, 0]] = 0
            out.counts[loose[:, 0]] = 0
        batch = np.cumsum(loose[:, 2] - loose[:, 1]) // _LENGTH
        edges = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(loose)]
        for begin, end in pairwise(edges):
            part = loose[begin:end]
            found: list[list[int]] = [[]] * len(part)
            for tokenizer, which in ((self._full, part[:, 3] != 0), (self._rest, part[:, 3] == 0)):
                places = np.flatnonzero(which).tolist()
                for place, encoding in zip(places, _tokenised(tokenizer, data, part[places]), strict=True):
                    found[place] = encoding.ids
            ends = np.zeros(len(part) + 1, np.int64)
            np.cumsum([len(ids) for ids in found], out=ends[1:])
            tokens = np.fromiter((i for ids in found for i in ids), np.int32, int(ends[-1]))
            tokens = np.minimum(tokens, len(self._rows) - 1)  # as wordllama does
            _add_tokens(part[:, 0], ends, tokens, self._rows, self._bounds, out)

    def _check(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], out: _Out, *, every: int, begin: int
    ) -> None:
        """Sum a few texts of the block as whole texts too: every `every`-th of all."""
        rows = np.arange(-begin % every, len(offsets) - 1, every)
        rows = rows[np.diff(offsets)[rows] <= _CHECKED_BYTES]
        if not len(rows):
            return
        totals, counts = out.totals[rows], out.counts[rows]
        self._add_loose(data, _whole(offsets, rows), out, fill=True)
        wrong = np.flatnonzero((out.counts[rows] != counts) | (out.totals[rows] != totals).any(axis=1))
        if len(wrong):
            a, b = offsets[rows[wrong[0]]], offsets[rows[wrong[0]] + 1]
            raise TamisError(
                f"vectors: expected {out.counts[rows[wrong[0]]]} tokens for the text"
                f" {data[a:b].tobytes().decode()[:200]!r}, got {counts[wrong[0]]}, or others, by its pieces."
                " This is a mistake in tamis: please report it; Vectors(pieces=False) goes without pieces."
            )


class _Known(Pieces):
    """The pieces that are known, shared by threads: a table to their values, and the lists of their tokens."""

    def __init__(self, cuts: Cuts, merges: Merges, limit: int) -> None:
        super().__init__(cuts, lambda _, spans: np.full(len(spans), WHOLE, np.int32), limit)
        self.merges = merges
        self._lists, self._listed = np.empty(1 << 14, np.int32), 0
        self._learning = threading.Lock()

    def now(self) -> tuple[Snapshot, NDArray[np.int32]]:
        """Return the table, and lists that have all it refers to (so they are read after it)."""
        now = self.snapshot
        return now, self._lists

    def learn_some(self, data: NDArray[np.uint8], spans: NDArray[np.int64], least: int) -> bool:
        """Value and publish pieces (`f x 3`: start, stop, whether it opens its text), if it is worth it.

        Publishing copies the table: so at least `least` pieces, and a part of those it has. Returns
        whether `spans` are done with.
        """
        held = self.snapshot.held
        if held >= self.limit or len(spans) == 0:
            return True
        if len(spans) < max(least, held >> 4):
            return False
        with self._learning:
            need = self._listed + int((spans[:, 1] - spans[:, 0] + 2).sum())
            if need > len(self._lists):
                lists = np.empty(2 * need, np.int32)
                lists[: self._listed] = self._lists[: self._listed]
                self._lists = lists
            values, now = np.empty(len(spans), np.int32), self.snapshot
            new, self._listed = _values(
                data, spans, self.merges, now.rows, now.bytes_, values, self._lists, self._listed
            )
            self._add(data, spans[:new], values[:new])
        return True


def _tokenised(tokenizer: Tokenizer, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> Any:
    strings = [data[a:b].tobytes().decode() for _, a, b, _ in spans.tolist()]
    return tokenizer.encode_batch_fast(strings, add_special_tokens=False)


def _whole(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the spans (record, start, stop, opens) of whole texts."""
    return np.stack([rows, offsets[rows], offsets[rows + 1], np.ones(len(rows), np.int64)], axis=1)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: so kernels are compiled once, for memory-mapped texts and others alike."""
    view = array.view()
    view.flags.writeable = False
    return view
