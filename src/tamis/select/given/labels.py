"""Labels: several short texts a record, such as tags, as one column of a pool.

A record's labels are a set. Names are numbered in sorted order, records keep the numbers of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.select.given.parameters import REQUIRED, Parameter
from tamis.signals.labels import listed

__all__ = ["Labels", "label_parameters"]


@dataclass(frozen=True, eq=False)
class Labels:
    """The label sets of `n` records.

    Attributes
    ----------
    offsets : int64 array of shape (n + 1,)
        The labels of record `i` are `codes[offsets[i]:offsets[i + 1]]`.
    codes : int32 array
        Into `names`; ascending and distinct within a record.
    names : tuple of str
        Sorted, each on at least one record.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @staticmethod
    def of(values: Any, separator: str = ",", what: str = "labels") -> Labels:
        """Return the labels of `n` records.

        `values` are `Labels`, or for each record a list of texts, a list of objects whose `tag` is a text, a
        text that is cut at `separator`, or None; an Arrow array of those. White space around a label does
        not count, empty ones are none. `what` names the column in messages.

        Raises
        ------
        InputError
            For a record that holds something else.

        """
        if isinstance(values, Labels):
            return values
        lists = listed(values, separator, what=what)
        sizes = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        flat = pc.dictionary_encode(pc.utf8_trim_whitespace(pc.list_flatten(lists)))
        rows = np.repeat(np.arange(len(lists), dtype=np.int64), sizes)
        codes = flat.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return _sets(rows, codes, flat.dictionary.to_pylist(), len(lists))

    def take(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some records, in that order; names that none of them has are gone."""
        sizes = self.sizes()[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        at = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - self.offsets[rows], sizes)
        owner = np.repeat(np.arange(len(rows), dtype=np.int64), sizes)
        return _sets(owner, self.codes[at].astype(np.int64), self.names, len(rows))

    def sizes(self) -> NDArray[np.int64]:
        """Return how many labels each record has."""
        return np.diff(self.offsets)

    def counts(self) -> NDArray[np.int64]:
        """Return how many records have each label."""
        return np.bincount(self.codes, minlength=len(self.names))

    def cleaned(self, *, lower: bool = False, minimum: int = 1) -> Labels:
        """Return the labels in lower case where asked, and without those on fewer than `minimum` records."""
        rows = np.repeat(np.arange(len(self), dtype=np.int64), self.sizes())
        found = self
        if lower:
            found = _sets(rows, self.codes.astype(np.int64), [name.lower() for name in self.names], len(self))
        if minimum > 1:
            often = found.counts() >= minimum
            rows = np.repeat(np.arange(len(self), dtype=np.int64), found.sizes())
            kept = often[found.codes]
            found = _sets(rows[kept], found.codes[kept].astype(np.int64), found.names, len(self))
        return found


def _sets(rows: NDArray[np.int64], codes: NDArray[np.int64], names: Any, n: int) -> Labels:
    """Return the label sets of `n` records from pairs of a record and the place of a name in `names`.

    Names may be equal, empty, or on no record.
    """
    used = np.unique(codes)
    words = sorted({names[i] for i in used.tolist()} - {""})
    number = {word: at for at, word in enumerate(words)}
    place = np.full(len(names), -1, np.int64)
    place[used] = [number.get(names[i], -1) for i in used.tolist()]
    found = place[codes]
    told = found >= 0
    pairs = np.unique(rows[told] * np.int64(max(1, len(words))) + found[told])
    offsets = np.zeros(n + 1, np.int64)
    if len(words):
        np.cumsum(np.bincount(pairs // len(words), minlength=n), out=offsets[1:])
    return Labels(offsets, (pairs % max(1, len(words))).astype(np.int32), tuple(words))


def label_parameters(default: Any = REQUIRED, doc: str = "the field of tags") -> tuple[Parameter, ...]:
    """Return the options of a method that reads labels: the field, and how they are cleaned."""
    return (
        Parameter("tags", str, default, f"{doc}; lists of texts, or of objects with `tag` (else FIELD.KEY), or texts"),
        Parameter("separator", str, ",", "what a text is cut at into tags"),
        Parameter("lower", bool, True, "upper and lower case are one"),
        Parameter("minimum", int, 1, "records a tag must be on to count", low=1),
    )
