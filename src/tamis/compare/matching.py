"""The records of a selection, found in the pool it was chosen from.

By record key: the id, or the hash of the raw record; identical copies are told by their number. Records
that were written in another format, or with a member more, have other keys: they are found by their text.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.chunk import Text
from tamis.corpus.corpus import Corpus
from tamis.errors import InputError
from tamis.kernels.hashing import hash_spans
from tamis.kernels.order import canonical_order
from tamis.signals.base import RecordSignal
from tamis.signals.compute import compute

__all__ = ["TextKey", "found_in", "match"]


class TextKey(RecordSignal):
    """A 128-bit hash of a text, a struct of `hi` and `lo` (uint64): what equal texts are found by."""

    name: ClassVar[str] = "text_key"
    numeric: ClassVar[bool] = False
    summary_line: ClassVar[str] = "hash of the rendered text"
    source: ClassVar[str] = "ours"
    cost: ClassVar[str] = "O(bytes); stores 16 bytes a record"

    def column(self, text: Text) -> pa.Array:
        """Return the hash of each of the `n` texts."""
        keys = hash_spans(text.data, text.offsets[:-1], text.offsets[1:], np.uint64(0))
        words = [as_arrow(np.ascontiguousarray(keys[:, i])) for i in (0, 1)]
        return pa.StructArray.from_arrays(words, ["hi", "lo"])


def found_in(pool: Corpus, selection: Corpus, tolerant: bool = False) -> tuple[NDArray[np.int64], int]:
    """Return the rows of the pool that a selection holds, and how many of them were told by their text.

    Parameters
    ----------
    pool, selection : Corpus
        Scanned.
    tolerant : bool
        As in `Corpus.scan`, for the second look at texts.

    Returns
    -------
    rows : int64 array of shape (k,)
        Usable records of the pool, ascending.
    by_text : int

    Raises
    ------
    InputError
        Records that the pool does not have, or has fewer times, or that cannot be read: how many, and an example.
    """
    usable, wanted = (np.flatnonzero(one.rows.status == 0) for one in (pool, selection))
    broken = np.flatnonzero(selection.rows.status)
    if len(broken):
        raise InputError(
            f"selection: {len(broken):,} of {len(selection.rows):,} records cannot be used. The first: "
            f"{selection.tell(int(broken[0]))}"
        )
    rows = np.full(len(wanted), -1, np.int64)
    places = match(pool.rows.key[usable], selection.rows.key[wanted])
    rows[places >= 0] = usable[places[places >= 0]]
    left = np.flatnonzero(rows < 0)
    if len(left):
        free = np.setdiff1d(usable, rows, assume_unique=False)
        places = match(_text_keys(pool, tolerant)[free], _text_keys(selection, tolerant)[wanted[left]])
        rows[left[places >= 0]] = free[places[places >= 0]]
    missing = wanted[rows < 0]
    if len(missing):
        first = int(missing[0])
        raise InputError(
            f"{len(missing):,} of {len(wanted):,} records of the selection are not in the pool, or not so often, "
            f"neither by key nor by text. The first: {selection.file_of(first)}, line "
            f"{selection.rows.line[first]:,}. Expected --against to name what they were chosen from, read with the "
            "same --text, --shape and --id."
        )
    return np.sort(rows), len(left)


def match(pool: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the place in `pool` of each wanted key (`n x 2` and `k x 2`), -1 for none.

    Equal keys are told apart by their number in the order given: the second of the wanted is the second of the
    pool.
    """
    both = np.concatenate([pool, wanted])
    order = canonical_order(both)
    ordered = both[order]
    fresh = np.ones(len(both), np.bool_)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    group = np.cumsum(fresh) - 1
    ours = order < len(pool)  # of equal keys those of the pool come first, each part in its own order
    starts = np.flatnonzero(fresh)
    held = np.bincount(group[ours], minlength=len(starts))
    number = np.arange(len(both)) - starts[group] - held[group]  # among the wanted of a group, where it is one
    there = ~ours & (number < held[group])
    found = np.full(len(wanted), -1, np.int64)
    found[order[there] - len(pool)] = order[starts[group[there]] + number[there]]
    return found


def _text_keys(corpus: Corpus, tolerant: bool) -> NDArray[np.uint64]:
    """Return the hash of the text of every record, `n x 2`, in input order."""
    signal = TextKey()
    compute(corpus, [signal], tolerant=tolerant)
    out = np.empty((len(corpus.rows), 2), np.uint64)
    for fragment in corpus.fragments:
        column: Any = corpus.batch(fragment, signal.key()).column(0)
        span = slice(fragment.first_row, fragment.first_row + fragment.rows)
        out[span, 0], out[span, 1] = as_numpy(column.field("hi")), as_numpy(column.field("lo"))
    return out
