"""Mean token rows of texts, by pieces: words recur, so each is tokenised once and looked up.

A text is cut into pieces where that is exact (`tamis.signals.cuts`); a piece stands for its
tokens, whose rows are added up. Sums are exact (`tamis.vectors.wordllama`), so what was
remembered when, and by which thread, changes nothing.
"""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tamis.corpus.chunk import Text
from tamis.errors import TamisError
from tamis.kernels.pieces import LONGEST, WHOLE, Cuts
from tamis.signals.bpe import Merges, compiled
from tamis.signals.cuts import examine
from tamis.signals.pieces import Pieces, Snapshot
from tamis.signals.static_walk import Out, add_tokens, values_of, walk
from tamis.signals.tokenizers import Definition, build
from tamis.vectors.wordllama import TokenRows, means

__all__ = ["StaticMeans"]

_BLOCK = 1024  # texts summed at a time: 2 MB of totals at a width of 256
_LENGTH = 1 << 20  # bytes tokenised by the library at a time
_CHECKED = 4  # texts of every call that are also tokenised whole
_CHECKED_BYTES = 1 << 14


class StaticMeans:
    """Means of token rows of texts, for any number of threads.

    About `limit` pieces are remembered, in up to 300 bytes each. With `pieces` False, and for a
    tokenizer that `tamis.signals.bpe` does not know, the library tokenises whole texts: the same
    vectors, many times slower. `note` says which.
    """

    def __init__(self, rows: TokenRows, definition: Definition, *, pieces: bool = True, limit: int = 1 << 20) -> None:
        self.width = rows.width
        self._rows, self._bounds, self._last = rows.rows, rows.bounds, len(rows) - 1
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
        out = Out.empty(min(_BLOCK, len(text)), self.width, self._rows.shape[1])
        data, offsets = _frozen(text.data), _frozen(text.offsets)
        for begin in range(0, len(text), _BLOCK):
            n = min(_BLOCK, len(text) - begin)
            block = offsets[begin : begin + n + 1]
            if self._known is None:
                self._add_loose(data, _whole(block, np.arange(n)), out, fill=True)
            else:
                self._sum(self._known, data, block, out)
                self._check(data, block, out, every=-(-len(text) // _CHECKED), begin=begin)
            means(out.totals[:n], out.counts[:n], result[begin : begin + n])
        if self._known is not None:
            self._known.learn_from(data, out, least=1 << 10)
        return result

    def _sum(self, known: _Known, data: NDArray[np.uint8], offsets: NDArray[np.int64], out: Out) -> None:
        """Fill the totals and counts of a block of texts."""
        at = 0
        while at < len(offsets) - 1:
            now, lists = known.now()
            at, n_loose = walk(
                data, offsets, at, known.cuts, known.merges, now.rows, now.bytes_, lists, self._rows, self._bounds, out
            )
            if n_loose:
                self._add_loose(data, out.loose[:n_loose], out)
            known.learn_from(data, out, least=1 << 13)

    def _add_loose(self, data: NDArray[np.uint8], loose: NDArray[np.int64], out: Out, *, fill: bool = False) -> None:
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
            tokens = np.minimum(tokens, self._last)  # as wordllama does
            add_tokens(part[:, 0], ends, tokens, self._rows, self._bounds, out)

    def _check(self, data: NDArray[np.uint8], offsets: NDArray[np.int64], out: Out, *, every: int, begin: int) -> None:
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

    def learn_from(self, data: NDArray[np.uint8], out: Out, least: int) -> None:
        """Publish the pieces noted in `out` and forget them there, if it is worth it.

        Publishing copies the table: so at least `least` pieces, and a part of those it has.
        """
        n, n_pending = out.noted.tolist()
        held = self.snapshot.held
        full = n == len(out.fresh) or n_pending + LONGEST >= len(out.pending)
        if n < max(least, held >> 4) and not full:
            return
        out.noted[:] = 0
        if held >= self.limit:
            return
        with self._learning:
            need = self._listed + n_pending + n
            if need > len(self._lists):
                lists = np.empty(2 * need, np.int32)
                lists[: self._listed] = self._lists[: self._listed]
                self._lists = lists
            values, now = np.empty(n, np.int32), self.snapshot
            left, self._listed = values_of(
                data, out.fresh[:n], out.pending, now.rows, now.bytes_, values, self._lists, self._listed
            )
            self._add(data, out.fresh[:left], values[:left])


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
