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
from tamis.kernels.pieces import LONGEST, WHITE, WHOLE, Cuts, cut_after, find, piece_key
from tamis.kernels.simd import count_trailing_zeros, load64
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
_ENDS = 1024  # ends of pieces found at a time
_PENDING = 1 << 19  # tokens of new pieces kept in mind at a time
_LISTED = 1 << 30  # a piece's value from here on: where its tokens are listed; below: its one token
_CHECKED = 4  # texts of every call that are also tokenised whole
_CHECKED_BYTES = 1 << 14
_ONE, _SEVEN, _EIGHT, _TOP = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)
_LOW, _TOPS = np.uint64(0x2121212121212121), np.uint64(0x8080808080808080)
_GATHER = np.uint64(0x0102040810204080)  # times bits 0, 8, ... 56: they are the top byte
_WHITE_BITS = np.zeros(256, np.uint8)
_WHITE_BITS[list(WHITE)] = list(WHITE.values())


class _Out(NamedTuple):
    """What the walk fills.

    Per record of a block `totals` and `counts`. `fresh` (`f x 5`: start, stop, whether it opens its
    text, where its tokens are in `pending`, how many, or -1 for one that must not be looked at alone)
    are pieces to remember; `loose` (`l x 4`: record, start, stop, opens) are spans that the library
    must tokenise. The rest is room to work in.
    """

    totals: NDArray[np.int64]
    counts: NDArray[np.int64]
    fresh: NDArray[np.int64]
    pending: NDArray[np.int32]
    loose: NDArray[np.int64]
    ends: NDArray[np.int64]
    found: NDArray[np.int32]
    where: NDArray[np.int64]
    part: NDArray[np.int32]

    @staticmethod
    def empty(block: int, width: int) -> _Out:
        return _Out(
            np.empty((block, width), np.int64),
            np.empty(block, np.int64),
            np.empty((_FRESH, 5), np.int64),
            np.empty(_PENDING, np.int32),
            np.empty((_LOOSE, 4), np.int64),
            np.empty(_ENDS, np.int64),
            np.empty(_FOUND, np.int32),
            np.empty(LIMIT + 1, np.int64),
            np.zeros(width, np.int32),
        )


@njit(nogil=True, cache=True)
def _low_bytes(data: NDArray[np.uint8], i: int, end: int) -> np.uint64:
    """Return which of the up to 64 bytes of `data[i:end]` are below 0x21, a bit each; some false alarms."""
    mask = np.uint64(0)
    if i + 64 <= len(data):
        for k in range(8):
            word = load64(data, i + 8 * k)
            low = (word - _LOW) & ~word & _TOPS
            mask |= (((low >> _SEVEN) * _GATHER) >> _TOP) << (_EIGHT * np.uint64(k))
        if end - i < 64:
            mask &= (_ONE << np.uint64(end - i)) - _ONE
    else:
        for k in range(min(64, end - i)):
            if data[i + k] < 0x21:
                mask |= _ONE << np.uint64(k)
    return mask


@njit(nogil=True, cache=True)
def _find_ends(data: NDArray[np.uint8], start: int, end: int, cuts: Cuts, ends: NDArray[np.int64]) -> int:
    """Write where the pieces of `data[start:end]` end, as far as `ends` has room; return how many.

    The pieces of `cut_after`, found 64 bytes at a time: one loop whose end cannot be foretold for
    all the white space in them, instead of one for every word.
    """
    n, i = 0, start + 1
    while i < end and n + 65 <= len(ends):
        mask = _low_bytes(data, i, end)
        while mask:
            at = i + int(np.int64(count_trailing_zeros(mask)))
            mask &= mask - _ONE
            before = data[at - 1]
            if cuts[before] & _WHITE_BITS[data[at]] and (
                before < 0x80 or cut_after(data, max(start, at - 3), at + 1, cuts) == at
            ):
                ends[n] = at
                n += 1
        i += 64
    if i >= end:
        ends[n] = end
        n += 1
    return n


@njit(nogil=True, cache=True)
def _note(
    out: _Out, n_fresh: int, n_pending: int, start: int, stop: int, first: bool, n: int, size: int
) -> tuple[int, int]:
    """Keep a new piece in mind, whose tokens are `found[n : n + size]` (-1: not to be looked at alone)."""
    if n_fresh == len(out.fresh) or n_pending + size > len(out.pending):
        return n_fresh, n_pending
    entry = out.fresh[n_fresh]
    entry[0], entry[1], entry[2], entry[3], entry[4] = start, stop, first, n_pending, size
    for j in range(size):
        out.pending[n_pending + j] = out.found[n + j]
    return n_fresh + 1, n_pending + max(size, 0)


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
    n_pending: int,
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    out: _Out,
) -> tuple[int, int, int, int]:
    """Add up the rows of each record from `begin` on, until `loose` is full.

    Returns where it stopped, how many fresh pieces and tokens of theirs there are, and how many
    loose spans. A record with an added token's string goes into `loose` whole.
    """
    totals, counts, ends, found, part = out.totals, out.counts, out.ends, out.found, out.part
    n_loose = 0
    for record in range(begin, len(offsets) - 1):
        start, end = offsets[record], offsets[record + 1]
        before, whole, first = n_loose, False, True
        n, count, total = 0, 0, totals[record]
        total[:] = 0
        piece, pieces = 0, 0
        while start < end:
            if piece == pieces:
                piece, pieces = 0, _find_ends(data, start, end, cuts, ends)
            stop = ends[piece]
            size = stop - start
            slot = -1
            if size <= LONGEST:
                low, high = piece_key(data, start, stop, first)
                slot = find(slots, bytes_, data, start, stop, low, high)
            if n + size + 1 > len(found) and n:
                add_rows(found, n, rows, bounds, part, total)
                count, n = count + n, 0
            if slot >= 0:
                value = np.int64(slots[slot, 2])
                if value < 0:
                    whole = True
                    break
                if value < _LISTED:
                    found[n] = value
                    n += 1
                else:
                    at = value - _LISTED
                    for j in range(lists[at]):
                        found[n + j] = lists[at + 1 + j]
                    n += lists[at]
            elif holds_added(data, start, stop, merges):
                if size <= LONGEST:
                    n_fresh, n_pending = _note(out, n_fresh, n_pending, start, stop, first, n, -1)
                whole = True
                break
            elif size <= LIMIT:
                m = encode(data, start, stop, first, merges, out.where, found[n:])
                if size <= LONGEST:
                    n_fresh, n_pending = _note(out, n_fresh, n_pending, start, stop, first, n, m)
                n += m
            elif n_loose < len(out.loose):
                entry = out.loose[n_loose]
                entry[0], entry[1], entry[2], entry[3] = record, start, stop, first
                n_loose += 1
            elif before:
                return record, n_fresh, n_pending, before
            else:
                whole = True
                break
            start, first = stop, False
            piece += 1
        if whole:
            if before == len(out.loose):
                return record, n_fresh, n_pending, before
            total[:] = 0
            n, count, n_loose = 0, 0, before + 1
            entry = out.loose[before]
            entry[0], entry[1], entry[2], entry[3] = record, offsets[record], end, 1
        add_rows(found, n, rows, bounds, part, total)
        counts[record] = count + n
    return len(offsets) - 1, n_fresh, n_pending, n_loose


@njit(nogil=True, cache=True)
def _values(
    data: NDArray[np.uint8],
    fresh: NDArray[np.int64],
    pending: NDArray[np.int32],
    slots: NDArray[np.uint64],
    bytes_: NDArray[np.uint8],
    values: NDArray[np.int32],
    lists: NDArray[np.int32],
    at: int,
) -> tuple[int, int]:
    """Give the pieces `fresh` values, listing tokens in `lists` from `at` on.

    Pieces the table has are dropped from `fresh`. Returns how many are left, and the end of `lists`.
    """
    new = 0
    for i in range(len(fresh)):
        start, stop, first, where, n = fresh[i]
        low, high = piece_key(data, start, stop, first != 0)
        if find(slots, bytes_, data, start, stop, low, high) >= 0:
            continue
        fresh[new] = fresh[i]
        if n < 0:
            values[new] = WHOLE
        elif n == 1:
            values[new] = pending[where]
        else:
            values[new] = _LISTED + at
            lists[at] = n
            lists[at + 1 : at + 1 + n] = pending[where : where + n]
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
        new = (0, 0)
        for begin in range(0, len(text), _BLOCK):
            n = min(_BLOCK, len(text) - begin)
            block = offsets[begin : begin + n + 1]
            if self._known is None:
                self._add_loose(data, _whole(block, np.arange(n)), out, fill=True)
            else:
                new = self._sum(self._known, data, block, new, out)
                self._check(data, block, out, every=-(-len(text) // _CHECKED), begin=begin)
            means(out.totals[:n], out.counts[:n], result[begin : begin + n])
        if self._known is not None:
            self._known.learn_some(data, new, out, least=1 << 10)
        return result

    def _sum(
        self, known: _Known, data: NDArray[np.uint8], offsets: NDArray[np.int64], new: tuple[int, int], out: _Out
    ) -> tuple[int, int]:
        """Fill the totals and counts of a block of texts; return how many fresh and pending entries there are."""
        at = 0
        while at < len(offsets) - 1:
            now, lists = known.now()
            at, n_fresh, n_pending, n_loose = _walk(
                data, offsets, at, known.cuts, known.merges, now.rows, now.bytes_, lists, *new, self._rows,
                self._bounds, out,
            )  # fmt: skip
            if n_loose:
                self._add_loose(data, out.loose[:n_loose], out)
            done = known.learn_some(data, (n_fresh, n_pending), out, least=1 << 13)
            new = (0, 0) if done else (n_fresh, n_pending)
        return new

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

    def learn_some(self, data: NDArray[np.uint8], new: tuple[int, int], out: _Out, least: int) -> bool:
        """Publish the first `new` fresh pieces and pending tokens of `out`, if it is worth it.

        Publishing copies the table: so at least `least` pieces, and a part of those it has. Returns
        whether these are done with.
        """
        n, n_pending = new
        held = self.snapshot.held
        if held >= self.limit or n == 0:
            return True
        if n < max(least, held >> 4) and n < len(out.fresh) and n_pending + LONGEST < len(out.pending):
            return False
        with self._learning:
            need = self._listed + n_pending + n
            if need > len(self._lists):
                lists = np.empty(2 * need, np.int32)
                lists[: self._listed] = self._lists[: self._listed]
                self._lists = lists
            values, now = np.empty(n, np.int32), self.snapshot
            left, self._listed = _values(
                data, out.fresh[:n], out.pending, now.rows, now.bytes_, values, self._lists, self._listed
            )
            self._add(data, out.fresh[:left], values[:left])
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
