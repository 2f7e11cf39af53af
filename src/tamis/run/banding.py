"""Signatures to candidates, out of core: bands sorted one at a time, sets of candidates on disk.

A `Member` list names the records that take part, of one corpus or of several, in input order; a
position in it is what everything below counts by. In memory are a few numbers a record, the
hashes of one band at a time, and the buckets of the candidates; the hashes of all bands and the
shingles of the candidates lie in nameless temporary files in the store's folder, mapped.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.chunk import Chunk, Reading, Text
from tamis.corpus.corpus import Corpus, Fragment
from tamis.corpus.recognise import text_option
from tamis.kernels.clusters import buckets
from tamis.kernels.minhash import band_hashes
from tamis.signals.compute import compute
from tamis.signals.lsh import Bands
from tamis.signals.minhash import MinHash, Signatures

__all__ = ["Buckets", "Facts", "Hashes", "Member", "Sets", "facts_of", "signature_sets", "signed", "text_sets", "texts"]

Loaded = tuple[NDArray[np.uint64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Member:
    """Records of one corpus that take part: `rows`, ascending places in its input order."""

    corpus: Corpus
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Facts:
    """What a signature column tells of `n` records besides the minima: see `Signatures`."""

    exact: NDArray[np.uint64]
    mark: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Sets:
    """Ascending sets of 64-bit hashes of `m` records: ``values[spans[i, 0]:spans[i, 1]]``; none: empty."""

    values: NDArray[np.uint64]
    spans: NDArray[np.int64]

    def take(self, places: NDArray[np.int64]) -> Loaded:
        """Return the sets at `places`, one after the other in memory, as (values, offsets)."""
        spans = self.spans[places]
        offsets = np.zeros(len(places) + 1, np.int64)
        np.cumsum(spans[:, 1] - spans[:, 0], out=offsets[1:])
        parts = [self.values[start:stop] for start, stop in spans.tolist()]
        return (np.concatenate(parts) if parts else np.empty(0, np.uint64)), offsets


@dataclass(frozen=True, eq=False)
class Buckets:
    """Candidates and the buckets they share.

    Attributes
    ----------
    order : int64 array of shape (c,)
        Positions of the candidates, in visiting order.
    bucket : int32 array of shape (bands, c)
        The bucket of each in each band, numbered over all bands; -1 where it is alone.
    count : int
        Buckets in all.
    """

    order: NDArray[np.int64]
    bucket: NDArray[np.int32]
    count: int


def signed(corpus: Corpus, signal: MinHash) -> None:
    """See to it that every fragment of a scanned corpus has its signatures; compute those that lack them."""
    if not all(corpus.has(fragment, signal.key()) for fragment in corpus.fragments):
        compute(corpus, [signal], tolerant=True)


def facts_of(corpus: Corpus, signal: MinHash) -> Facts:
    """Return the exact hashes and marks of all records of a corpus, in input order."""
    exact = np.zeros((len(corpus.rows), 2), np.uint64)
    mark = np.zeros(len(corpus.rows), np.uint32)
    for fragment in corpus.fragments:
        found = Signatures.of(corpus.batch(fragment, signal.key()).column(0))
        exact[fragment.first_row : fragment.first_row + fragment.rows] = found.exact
        mark[fragment.first_row : fragment.first_row + fragment.rows] = found.mark
    return Facts(exact, mark)


class Hashes:
    """The band hashes of `m` records, band by band in a temporary file.

    Parameters
    ----------
    members : sequence of Member
        The records.
    signal : MinHash
        Whose columns the corpora have.
    plan : Bands
        How signatures are cut.
    """

    def __init__(self, members: Sequence[Member], signal: MinHash, plan: Bands) -> None:
        self.engine = members[0].corpus.engine
        self.plan = plan
        self.count = sum(len(member.rows) for member in members)
        self._file = _temporary(members[0].corpus)

        def one(task: tuple[Corpus, Fragment, NDArray[np.int64], int]) -> tuple[int, NDArray[np.uint64]]:
            corpus, fragment, rows, at = task
            minima = Signatures.of(corpus.batch(fragment, signal.key()).column(0)).minima
            return at, band_hashes(minima, rows, plan.bands, plan.rows)

        for at, hashes in self.engine.map(one, _by_fragment(members)):
            for number in range(plan.bands):
                self._file.seek(8 * (number * self.count + at))
                self._file.write(hashes[number].data)
        self._file.flush()

    def band(self, number: int) -> NDArray[np.uint64]:
        """Return the hashes of one band, in memory: `m`."""
        found = np.empty(self.count, np.uint64)
        left = found.view(np.uint8).data
        at = 8 * number * self.count
        while len(left):  # a read of its own, not a mapping: threads share the file, and nothing stays resident
            got = os.preadv(self._file.fileno(), [left], at)
            left, at = left[got:], at + got
        return found

    def at(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the hashes of some records in all bands: `bands x len(places)`."""
        return np.stack([self.band(number)[places] for number in range(self.plan.bands)])

    def buckets(self, visit: NDArray[np.int64]) -> Buckets:
        """Return the records that share a band with another, `visit` being all positions in visiting order."""
        shared = np.zeros(self.count, np.bool_)
        if self.count < 2:
            return Buckets(visit[:0], np.empty((self.plan.bands, 0), np.int32), 0)
        for alike in self.engine.map(lambda number: buckets(self.band(number))[0] >= 0, range(self.plan.bands)):
            shared |= alike
        order = visit[shared[visit]]
        bucket = np.empty((self.plan.bands, len(order)), np.int32)
        total = 0
        cut = self.engine.map(lambda number: buckets(self.band(number)[order]), range(self.plan.bands))
        for number, (found, count) in enumerate(cut):
            bucket[number] = np.where(found < 0, -1, found + total)
            total += count
        return Buckets(order, bucket, total)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def texts(corpus: Corpus, wanted: Callable[[Fragment], bool]) -> Iterator[tuple[Fragment, Callable[[], Text]]]:
    """Yield the wanted fragments, in input order, with what reads their texts anew."""

    def reads(fragment: Fragment, load: Callable[[], Chunk]) -> Callable[[], Text]:
        shape = corpus.opened[fragment.source].shape or text_option("text")
        return lambda: load().parse(Reading(shape, corpus.settings.id_field)).text

    for fragment, load in corpus.fragment_tasks(wanted):
        yield fragment, reads(fragment, load)


def text_sets(members: Sequence[Member], signal: MinHash, wanted: NDArray[np.bool_]) -> Sets:
    """Return the shingle sets of the wanted ones of `m` records (empty for the others): their texts are read again."""

    def tasks() -> Iterator[tuple[Callable[[], Text], NDArray[np.int64], int]]:
        base = 0
        for member in members:
            chosen = wanted[base : base + len(member.rows)]

            def holds(fragment: Fragment, member: Member = member, chosen: NDArray[np.bool_] = chosen) -> bool:
                start, stop = _range(member.rows, fragment)
                return bool(chosen[start:stop].any())

            for fragment, read in texts(member.corpus, holds):
                start, stop = _range(member.rows, fragment)
                yield read, np.where(chosen[start:stop], member.rows[start:stop] - fragment.first_row, -1), base + start
            base += len(member.rows)

    def one(task: tuple[Callable[[], Text], NDArray[np.int64], int]) -> tuple[NDArray[np.int64], Loaded]:
        read, local, at = task
        return np.flatnonzero(local >= 0) + at, signal.sets(read(), local[local >= 0])

    return _kept(members, members[0].corpus.engine.map(one, tasks()))


def signature_sets(members: Sequence[Member], signal: MinHash, wanted: NDArray[np.bool_]) -> Sets:
    """Return the signatures of the wanted ones of `m` records as ascending sets: a place above bit 32, its minimum."""
    places = np.arange(signal.permutations, dtype=np.uint64) << np.uint64(32)

    def one(task: tuple[Corpus, Fragment, NDArray[np.int64], int]) -> tuple[NDArray[np.int64], Loaded]:
        corpus, fragment, rows, at = task
        chosen = np.flatnonzero(wanted[at : at + len(rows)])
        minima = Signatures.of(corpus.batch(fragment, signal.key()).column(0)).minima[rows[chosen]]
        offsets = np.arange(len(chosen) + 1, dtype=np.int64) * signal.permutations
        return chosen + at, ((minima | places).reshape(-1), offsets)

    return _kept(members, members[0].corpus.engine.map(one, _by_fragment(members)))


def _kept(members: Sequence[Member], parts: Iterable[tuple[NDArray[np.int64], Loaded]]) -> Sets:
    """Return sets that come fragment by fragment as one mapped file."""
    spans = np.zeros((sum(len(member.rows) for member in members), 2), np.int64)
    filled = 0
    with _temporary(members[0].corpus) as file:
        for places, (values, offsets) in parts:
            spans[places, 0] = offsets[:-1] + filled
            spans[places, 1] = offsets[1:] + filled
            filled += len(values)
            file.write(values.data)
        file.flush()
        mapped = np.memmap(file, np.uint64, "r", 0, (filled,)) if filled else np.empty(0, np.uint64)
    return Sets(np.asarray(mapped), spans)


def _by_fragment(members: Sequence[Member]) -> Iterator[tuple[Corpus, Fragment, NDArray[np.int64], int]]:
    """Yield each fragment with its records (places in the fragment) and the position of the first."""
    base = 0
    for member in members:
        for fragment in member.corpus.fragments:
            start, stop = _range(member.rows, fragment)
            if stop > start:
                yield member.corpus, fragment, member.rows[start:stop] - fragment.first_row, base + start
        base += len(member.rows)


def _range(rows: NDArray[np.int64], fragment: Fragment) -> tuple[int, int]:
    found = np.searchsorted(rows, [fragment.first_row, fragment.first_row + fragment.rows])
    return int(found[0]), int(found[1])


def _temporary(corpus: Corpus) -> IO[Any]:
    return tempfile.TemporaryFile(dir=corpus.store.spool())
