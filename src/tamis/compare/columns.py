"""What the measures read: columns of the pool, each computed once, and the texts of counted samples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.compare.figures import near_duplicates
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.errors import UserError
from tamis.measure.chance import draw
from tamis.measure.divergence import add_counts
from tamis.run.banding import Member, text_sets
from tamis.run.dedup import dedup
from tamis.run.inputs import Inputs
from tamis.run.report_texts import counted
from tamis.select.base import Groups
from tamis.signals.compute import column_key
from tamis.signals.minhash import MinHash
from tamis.signals.ngrams import Ngrams, lists
from tamis.signals.vectors import rows_of

__all__ = ["SIMILAR", "Arms", "draw_arms", "groups_of", "ngram_parts", "repeats", "target_counts", "vectors_of"]

SIMILAR = 0.8
"""Jaccard similarity of the shingles from which two records are near-duplicates."""


@dataclass(frozen=True, eq=False)
class Arms:
    """A pool, a selection out of it, and random ones of the same budget; all rows are ascending input positions.

    Attributes
    ----------
    pool : int64 array of shape (n,)
        The records that could be chosen.
    sets : list of int64 arrays
        The selection, then the random ones: what is compared.
    reference : int64 array
        One more random selection, which is not compared: what is fixed first is fixed by it.
    keys : uint64 array of shape (any, 2)
        Of all records of the input, by position.
    seed : int
        Random selection `r` has the seed `seed + 1 + r`, the reference the next after the last.
    """

    pool: NDArray[np.int64]
    sets: list[NDArray[np.int64]]
    reference: NDArray[np.int64]
    keys: NDArray[np.uint64]
    seed: int

    def sample(self, rows: NDArray[np.int64], most: int, purpose: str) -> NDArray[np.int64]:
        """Return at most `most` of some rows, ascending, by numbers counted from the seed and the records.

        The numbers of a purpose are the same for all sets and independent of how the random ones were drawn.
        """
        return rows if len(rows) <= most else np.sort(counted(self.keys, rows, most, self.seed, f"check: {purpose}"))

    def samples(self, most: int, purpose: str) -> list[NDArray[np.int64]]:
        """Return such a sample of each set."""
        return [self.sample(rows, most, purpose) for rows in self.sets]


def draw_arms(
    keys: NDArray[np.uint64],
    pool: NDArray[np.int64],
    chosen: NDArray[np.int64],
    *,
    repeat: int,
    seed: int,
    budget: int,
    cost: NDArray[np.int64] | None = None,
) -> Arms:
    """Return a selection with `repeat` random ones beside it.

    `budget` is in records, or with `cost` (of each record of the input) in what they may add up to.
    """
    mine, prices = keys[pool], None if cost is None else cost[pool]
    drawn = [pool[draw(mine, budget, seed + 1 + r, prices)] for r in range(repeat + 1)]
    return Arms(pool, [chosen, *drawn[:repeat]], drawn[repeat], keys, seed)


def ngram_parts(corpus: Corpus, signal: Ngrams) -> Iterator[tuple[int, NDArray[np.uint16], NDArray[np.int64]]]:
    """Yield the n-grams of each fragment: its first row, the buckets, their offsets."""
    for fragment in corpus.fragments:
        yield (fragment.first_row, *lists(corpus.batch(fragment, signal.key()).column(0)))


def target_counts(targets: list[Corpus], signal: Ngrams) -> NDArray[np.int64]:
    """Return how often each bucket occurs in the targets."""
    aim = np.zeros(signal.buckets, np.int64)
    for target in targets:
        for _, values, offsets in ngram_parts(target, signal):
            add_counts(values, offsets, np.arange(len(offsets) - 1), aim)
    return aim


def vectors_of(corpus: Corpus, inputs: Inputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the vectors of the given rows (ascending), `m x d`."""
    key = column_key(corpus, inputs.signals["vectors"])
    parts = []
    for fragment in corpus.fragments:
        ends = np.searchsorted(rows, (fragment.first_row, fragment.first_row + fragment.rows))
        if ends[1] > ends[0]:
            column = rows_of(corpus.batch(fragment, key).column(0))
            parts.append(np.asarray(column[rows[ends[0] : ends[1]] - fragment.first_row], np.float32))
    return np.concatenate(parts) if parts else np.empty((0, 1), np.float32)


def repeats(corpus: Corpus, ids: Ids, signal: MinHash, arms: Arms) -> list[float]:
    """Return the share of each set's records that have a near-duplicate in the set.

    Candidates are found once, among the records of all sets; pairs are then verified within each set.
    """
    taking_part = np.zeros(len(corpus.rows), np.bool_)
    taking_part[np.concatenate(arms.sets)] = True
    group = dedup(corpus, ids, taking_part, threshold=SIMILAR, signal=signal, sample=0).clusters
    met = np.zeros(len(group), np.bool_)
    for rows in arms.sets:
        _, first, often = np.unique(group[rows], return_inverse=True, return_counts=True)
        met[rows[often[first] > 1]] = True
    wanted = np.flatnonzero(met)
    spans = np.zeros((len(group), 2), np.int64)
    found = text_sets([Member(corpus, wanted)], signal, np.ones(len(wanted), np.bool_))
    spans[wanted] = found.spans
    return near_duplicates(group, found.values, spans, arms.sets, SIMILAR, corpus.engine.map)


def groups_of(corpus: Corpus, inputs: Inputs, field: str | None, arms: Arms) -> tuple[str, Groups] | None:
    """Return the name and the groups of the pool's sources: a field, else `source`, else the file; None for one.

    Raises
    ------
    OptionError
        For a `field` that no record has, or that holds no scalars.
    """
    name, groups = "file", Groups(corpus.rows.source, tuple(opened.source.name for opened in corpus.opened))
    if field is not None:
        name, groups = field, inputs.groups(corpus, field)
    elif "source" in inputs.fields:
        with contextlib.suppress(UserError):  # where it holds no scalars: nobody asked for it by name
            name, groups = "source", inputs.groups(corpus, "source")
    return (name, groups) if len(np.unique(groups.codes[arms.pool])) > 1 else None
