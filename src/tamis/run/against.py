"""Decontamination: which records of a pool hold text of other files, and which text.

Two rules, each of which can be turned off. A run of words in common (`signals.overlap`): found
wherever it stands, with its span. A near-duplicate (`signals.minhash`): the whole record is like
a whole record of the others, by verified Jaccard similarity. Nothing of the other files is ever
removed, and copies among them do not matter.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.corpus.buffers import as_arrow, as_numpy
from tamis.corpus.corpus import Corpus
from tamis.corpus.rows import RowTable
from tamis.errors import OptionError
from tamis.kernels.clusters import FIXED, PROBE, settle
from tamis.kernels.order import canonical_order
from tamis.run.banding import Buckets, Hashes, Member, signature_sets, signed, text_sets, texts
from tamis.run.dedup import LIMIT
from tamis.signals.compute import compute
from tamis.signals.lsh import lsh_parameters
from tamis.signals.minhash import MinHash
from tamis.signals.overlap import NGRAM, SHORTEST, Grams, NgramIndex, Overlap

__all__ = ["Contaminated", "against", "overlap_signal"]


@dataclass(frozen=True, eq=False)
class Contaminated:
    """What `n` records hold of other files, in input order.

    Attributes
    ----------
    removed : bool array of shape (n,)
        Which go: those that hold something and are not pinned.
    corpus, row : int32, int64 arrays of shape (n,)
        The record of the others: the number of its corpus in the list, and its place in there; -1
        where there is none. Where both rules hold it is the one that shares n-grams.
    share : float64 array of shape (n,)
        Share of that record's n-grams found; NaN where none is.
    similarity : float64 array of shape (n,)
        Jaccard similarity to the most similar record of the others, where at or above the
        threshold; else NaN.
    start, stop : int64 arrays of shape (n,)
        Bytes of the longest run in common within the record's text; 0, 0 where there is none.
    matched : large_string array of length n
        That run, as it stands in the record's text; null where there is none.
    report : dict
        Settings, counts and seconds, as JSON-able values.
    """

    removed: NDArray[np.bool_]
    corpus: NDArray[np.int32]
    row: NDArray[np.int64]
    share: NDArray[np.float64]
    similarity: NDArray[np.float64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    matched: pa.LargeStringArray
    report: dict[str, Any]


def overlap_signal(
    others: Sequence[Corpus], *, ngram: int = NGRAM, shortest: int | None = None, share: float = 0.0
) -> Overlap:
    """Return the signal that finds n-grams of the records of scanned corpora.

    Computed along with others (`compute(corpus, [overlap, ...])`) it costs no pass of its own. Texts
    of fewer than `ngram` words are looked for whole, down to `shortest` (default 8, or `ngram`).

    Raises
    ------
    OptionError
        A parameter out of range.
    """
    shortest = min(SHORTEST, ngram) if shortest is None else shortest
    if not 1 <= shortest <= ngram <= 1000:
        raise OptionError(
            f"decontamination: expected 1 <= shortest <= n-gram <= 1000 words, got shortest {shortest}, n-gram {ngram}."
        )
    keys = np.concatenate([other.rows.key for other in others]) if others else np.empty((0, 2), np.uint64)

    def grams() -> Any:
        for other in others:
            tasks = texts(other, lambda fragment: fragment.rows > 0)
            yield from other.engine.map(lambda task: Grams.of(task[1](), ngram, shortest), tasks)

    return Overlap(NgramIndex(grams(), canonical_order(keys)), share=share)


def against(
    corpus: Corpus,
    eligible: NDArray[np.bool_],
    others: Sequence[Corpus],
    *,
    overlap: Overlap | None = None,
    ngram: int | None = NGRAM,
    share: float = 0.0,
    threshold: float | None = 0.8,
    signal: MinHash | None = None,
    pins: NDArray[np.bool_] | None = None,
    exact: bool = True,
    limit: int = LIMIT,
) -> Contaminated:
    """Find the records of a scanned corpus that hold text of records of other scanned corpora.

    Parameters
    ----------
    corpus : Corpus
        Scanned. Signals it lacks are computed.
    eligible : bool array of shape (n,)
        The records that are looked at.
    others : sequence of Corpus
        Scanned.
    overlap : Overlap, optional
        Made by `overlap_signal` of the same others; default one of `ngram` words and `share`.
    ngram : int or None
        Words of a run in common that is enough; None to look for near-duplicates alone.
    share : float
        The least share of the other record's n-grams; 0 for any at all.
    threshold : float or None
        Similarity from which a near-duplicate goes; None to look for n-grams alone.
    signal, exact, limit
        As in `dedup`.
    pins : bool array of shape (n,), optional
        Records that stay whatever they hold.

    Raises
    ------
    OptionError
        A parameter out of range.
    """
    started = time.perf_counter()
    n = len(corpus.rows)
    found = Contaminated(
        np.zeros(n, np.bool_), np.full(n, -1, np.int32), np.full(n, -1, np.int64), np.full(n, np.nan),
        np.full(n, np.nan), np.zeros(n, np.int64), np.zeros(n, np.int64), pa.nulls(n, pa.large_string()),
        {"records": int(eligible.sum()), "others": sum(len(other.rows) for other in others)},
    )  # fmt: skip
    if threshold is not None:
        found.report["near"] = _near(found, corpus, eligible, others, threshold, signal or MinHash(), exact, limit)
    if overlap is None and ngram is not None:
        overlap = overlap_signal(others, ngram=ngram, share=share)
    if overlap is not None:
        found = replace(found, matched=_ngrams(found, corpus, eligible, others, overlap))
    found.removed[:] = (found.corpus >= 0) & (~pins if pins is not None else True)
    found.report.update(removed=int(found.removed.sum()), seconds=time.perf_counter() - started)
    return found


def _ngrams(
    found: Contaminated, corpus: Corpus, eligible: NDArray[np.bool_], others: Sequence[Corpus], overlap: Overlap
) -> pa.LargeStringArray:
    """Enter the n-grams found into `found` and return what matched."""
    key = overlap.key()
    if not all(corpus.has(fragment, key) for fragment in corpus.fragments):
        compute(corpus, [overlap], tolerant=True)
    ends = np.cumsum([len(other.rows) for other in others])
    matched = []
    hits = 0
    for fragment in corpus.fragments:
        column = corpus.batch(fragment, key).column(0)
        here = slice(fragment.first_row, fragment.first_row + fragment.rows)
        hit = as_numpy(column.is_valid()) & eligible[here]
        rows = np.flatnonzero(hit) + fragment.first_row
        some = column.filter(as_arrow(hit))
        number = overlap.index.order[as_numpy(some.field("other"))]
        found.corpus[rows] = np.searchsorted(ends, number, side="right")
        found.row[rows] = number - (ends - [len(other.rows) for other in others])[found.corpus[rows]]
        for name, into in (("share", found.share), ("start", found.start), ("stop", found.stop)):
            into[rows] = as_numpy(some.field(name))
        matched.append(pc.if_else(as_arrow(hit), column.field("matched"), None))
        hits += len(rows)
    index = overlap.index
    found.report["ngrams"] = {
        "words": int(index.sizes[0]) if len(index.sizes) else None,
        "share": overlap.share,
        "distinct": len(index.hashes),
        "too_short": index.too_short,
        "hits": hits,
    }
    return pa.concat_arrays(matched) if matched else found.matched


def _near(
    found: Contaminated,
    corpus: Corpus,
    eligible: NDArray[np.bool_],
    others: Sequence[Corpus],
    threshold: float,
    signal: MinHash,
    exact: bool,
    limit: int,
) -> dict[str, Any]:
    """Enter the near-duplicates found into `found` and return what to tell of them."""
    plan = lsh_parameters(threshold, signal.permutations)
    for one in (*others, corpus):
        signed(one, signal)
    members = [*(Member(other, np.flatnonzero(other.rows.status == 0)) for other in others)]
    members.append(Member(corpus, np.flatnonzero(eligible)))
    bases = np.concatenate([[0], np.cumsum([len(member.rows) for member in members])])
    visit = np.concatenate([base + _canonical(m.corpus.rows, m.rows) for base, m in zip(bases, members, strict=False)])
    hashes = Hashes(members, signal, plan)
    try:
        candidates = hashes.buckets(visit)
    finally:
        hashes.close()
    candidates = _across(candidates, bases[-2])
    probe = candidates.order >= bases[-2]
    wanted = np.zeros(bases[-1], np.bool_)
    wanted[candidates.order] = True
    sets = (text_sets if exact else signature_sets)(members, signal, wanted)
    neighbour, similarity, told = settle(
        candidates.bucket, candidates.count, np.where(probe, PROBE, FIXED).astype(np.uint8), sets.values,
        sets.spans[candidates.order], threshold, 0 if exact else signal.permutations, limit,
        np.arange(len(probe), dtype=np.int32),
    )  # fmt: skip
    hit = np.flatnonzero(neighbour >= 0)
    rows = members[-1].rows[candidates.order[hit] - bases[-2]]
    other = candidates.order[neighbour[hit]]
    number = np.searchsorted(bases, other, side="right") - 1
    found.corpus[rows] = number
    for i, member in enumerate(members[:-1]):
        found.row[rows[number == i]] = member.rows[other[number == i] - bases[i]]
    found.similarity[rows] = similarity[hit]
    return {
        "threshold": threshold,
        **signal.parameters(),
        **plan.report(),
        "candidates": int(probe.sum()),
        "compared": int(told[0]),
        "cut_short": int(told[2]),
        "hits": len(rows),
    }


def _across(found: Buckets, base: int) -> Buckets:
    """Return the candidates that share a bucket with one of the other side; the pool's are at `base` and above."""
    probe = found.order >= base
    keep = np.zeros(len(probe), np.bool_)
    for bucket in found.bucket:
        sides = [np.bincount(bucket[side & (bucket >= 0)], minlength=found.count) > 0 for side in (probe, ~probe)]
        keep |= (bucket >= 0) & (sides[0] & sides[1])[bucket]
    return Buckets(found.order[keep], np.ascontiguousarray(found.bucket[:, keep]), found.count)


def _canonical(table: RowTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return places in `rows` in canonical order."""
    return canonical_order(table.key[rows])
