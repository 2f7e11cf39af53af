"""The table of pieces that threads share, and the loop that values texts with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.kernels.pieces import WHOLE, Cuts, Walk, insert, rehash, walk

__all__ = ["Learn", "Pieces", "Snapshot"]

#: Gives pieces their values: (bytes, `f x 3` spans: start, stop, whether it opens its text) -> `f` int32.
Learn = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.int32]]

_BATCH = 1 << 16  # pieces valued at a time


class Snapshot(NamedTuple):
    """The table at one moment, never changed once published (layout: `tamis.kernels.pieces`)."""

    rows: NDArray[np.uint64]
    bytes_: NDArray[np.uint8]
    held: int


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: so kernels are compiled once, for memory-mapped texts and others alike."""
    view = array.view()
    view.flags.writeable = False
    return view


class Pieces:
    """Values of pieces, learnt once each, for any number of threads.

    Readers take the `snapshot` and keep it; a writer builds the next one and publishes it, so
    nothing a reader looks at ever changes, and a value depends on its piece alone, so results do
    not depend on who learnt it when. About `limit` pieces are remembered, in 64 to 128 bytes each
    and up to 64 more for a long one, twice over while a new table is built; beyond the limit
    pieces are valued each time they occur.
    """

    def __init__(self, cuts: Cuts, learn: Learn, limit: int = 1 << 20) -> None:
        self.cuts = cuts
        self.learn = learn
        self.limit = limit
        self._lock = threading.Lock()
        self._now = Snapshot(np.zeros((1024, 4), np.uint64), np.empty(0, np.uint8), 0)

    @property
    def snapshot(self) -> Snapshot:
        """Return the table as it is now."""
        return self._now

    def sums(self, text: Text) -> NDArray[np.int64]:
        """Return for each of the `n` texts the sum of its pieces' values, or `WHOLE`.

        `WHOLE` stands where a piece has that value: the text has to be valued as a whole.
        """
        data, offsets = _frozen(text.data), _frozen(text.offsets)
        totals = np.zeros(len(text), np.int64)
        pending = np.arange(len(text), dtype=np.int64)
        now = self._now
        buffers = Walk(
            np.empty((_BATCH, 3), np.int64),
            np.empty(1 << (2 * _BATCH - 1).bit_length(), np.int32),
            np.empty((_BATCH, 4), np.int64),
            np.empty(min(len(text), 4 * _BATCH), np.int64),
        )
        while len(pending):
            buffers.seen[:] = 0
            room = max(0, min(_BATCH, self.limit - now.held))
            done, n_fresh, n_loose, n_again = walk(
                data, offsets, pending, self.cuts, now.rows, now.bytes_, room, buffers, totals
            )
            if n_loose:
                self._add_loose(data, buffers.loose[:n_loose], totals)
            if n_fresh:
                spans = buffers.fresh[:n_fresh]
                now = self._add(data, spans, self.learn(data, spans))
            pending = np.concatenate([buffers.again[:n_again], pending[done:]])
        return totals

    def _add_loose(self, data: NDArray[np.uint8], loose: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
        """Value pieces that are not remembered, and add them to the totals of their records."""
        values = self.learn(data, loose[:, 1:])
        np.add.at(totals, loose[:, 0], values)
        totals[loose[values == WHOLE, 0]] = WHOLE

    def _add(self, data: NDArray[np.uint8], spans: NDArray[np.int64], values: NDArray[np.int32]) -> Snapshot:
        """Publish a table that holds these pieces too; those another thread added stay as they are."""
        with self._lock:
            now = self._now
            slots = len(now.rows)
            while slots < 2 * (now.held + len(spans)):
                slots *= 2
            if slots == len(now.rows):
                rows = now.rows.copy()
            else:
                rows = np.zeros((slots, 4), np.uint64)
                rehash(now.rows, rows)
            filled = len(now.bytes_)
            bytes_ = np.empty(filled + int((spans[:, 1] - spans[:, 0]).sum()), np.uint8)
            bytes_[:filled] = now.bytes_
            new, filled = insert(rows, bytes_, data, spans, values, filled)
            self._now = Snapshot(rows, bytes_[:filled].copy(), now.held + new)
            return self._now
