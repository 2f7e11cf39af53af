"""Near-duplicates of a pool: which records go, because of which that stays.

Records with the same words are one (an exact copy, whatever its case, spacing and punctuation).
Of what is left, those that agree in a band of their signatures are candidates, and a candidate is
compared by the exact Jaccard similarity of the shingle sets. Records are visited in the order of
pins, then a signal, then id: one goes when its similarity to one that was visited before it and
stays is at or above the threshold. So every record that goes names one that stays.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.errors import InputError, OptionError
from tamis.kernels.clusters import FIXED, FREE, components, connect, settle
from tamis.kernels.order import canonical_order
from tamis.run.banding import Buckets, Hashes, Member, Sets, facts_of, signature_sets, signed, text_sets
from tamis.run.sample import confirmed, measure, sampled
from tamis.signals.lsh import Bands, bands_of, lsh_parameters
from tamis.signals.minhash import MinHash

__all__ = ["LIMIT", "SAMPLE", "Deduped", "dedup", "visiting_order"]

SAMPLE = 20_000
"""Records among which all similar pairs are found exactly, to measure what was missed."""

LIMIT = 500
"""Records with which one is compared, those of its rarest bands first; `cut_short` counts those that met it."""


@dataclass(frozen=True, eq=False)
class Deduped:
    """What goes and what stays of `n` records, in input order.

    Attributes
    ----------
    removed : bool array of shape (n,)
        Which go. Never a pinned one, one that is not eligible, or one without words.
    neighbour : int64 array of shape (n,)
        The record that stays because of which each one goes; -1 for those that stay.
    similarity : float64 array of shape (n,)
        To the neighbour; NaN where there is none.
    copy : bool array of shape (n,)
        Of those that go: whether the words of another eligible record are the very same.
    clusters : int64 array of shape (n,)
        The first visited record of the group that verified pairs connect; itself for one that is
        alone, -1 for those not eligible. A group may be wider than what goes because of one record.
    report : dict
        Settings, expected and measured misses, counts and seconds, as JSON-able values.
    """

    removed: NDArray[np.bool_]
    neighbour: NDArray[np.int64]
    similarity: NDArray[np.float64]
    copy: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    report: dict[str, Any]


def dedup(
    corpus: Corpus,
    ids: Ids,
    eligible: NDArray[np.bool_],
    *,
    threshold: float = 0.8,
    signal: MinHash | None = None,
    by: NDArray[Any] | None = None,
    pins: NDArray[np.bool_] | None = None,
    bands: tuple[int, int] | None = None,
    exact: bool = True,
    sample: int = SAMPLE,
    limit: int = LIMIT,
) -> Deduped:
    """Decide which records of a scanned corpus go as near-duplicates of others that stay.

    Parameters
    ----------
    corpus : Corpus
        Scanned. Signatures it lacks are computed.
    ids : Ids
        Of its records.
    eligible : bool array of shape (n,)
        The records that take part; the others neither go nor hold others out.
    threshold : float
        Similarity from which a record goes, above 0 and at most 1.
    signal : MinHash, optional
        Shingles and permutations; default 5 words and 128.
    by : array of shape (n,), optional
        Visited from the least to the greatest (NaN last), ties by id; default by id alone. Negate
        it to keep the greatest.
    pins : bool array of shape (n,), optional
        Records that stay; they are visited first.
    bands : (int, int), optional
        Bands and places of each; default the best for the threshold (`lsh_parameters`).
    exact : bool
        Verify by the Jaccard similarity of the shingle sets (texts of candidates are read again);
        else by the share of the signatures that agrees, an estimate.
    sample : int
        Records of the sample on which misses are measured; 0 for none.
    limit : int
        See `LIMIT`.

    Raises
    ------
    OptionError
        A threshold, bands, sample or limit out of range.
    InputError
        Arrays that are not one value a record.
    """
    started = time.perf_counter()
    signal = signal or MinHash()
    plan = _plan(threshold, signal, bands, sample, limit)
    n = len(corpus.rows)
    pins = np.zeros(n, np.bool_) if pins is None else pins
    _check_lengths(n, eligible=eligible, pins=pins, by=by)
    signed(corpus, signal)
    facts = facts_of(corpus, signal)
    visit = visiting_order(ids, eligible, by, pins)
    first = same_words(facts.exact, visit)
    leaders = visit[first[visit] == visit]
    member = Member(corpus, np.sort(leaders))
    hashes = Hashes([member], signal, plan)
    try:
        found = hashes.buckets(np.searchsorted(member.rows, leaders))
        picked = sampled(facts.mark, ids, member.rows, sample)
        sets = text_sets([member], signal, _mask(len(leaders), picked, found.order if exact else picked))
        proof = sets if exact else signature_sets([member], signal, _mask(len(leaders), found.order))
        decided = _decide(found, proof, pins[member.rows], threshold, 0 if exact else signal.permutations, limit)
        result = _spread(decided, found, member, visit, first, pins)
        measured = measure(picked, sets, hashes, facts.mark[member.rows], threshold, result.removed[member.rows])
    finally:
        hashes.close()
    if measured is not None:
        measured["precision"] = 1.0 if exact else _precision(result, member, signal, threshold, sample)
    result.report.update(
        {
            "threshold": threshold,
            **signal.parameters(),
            **plan.report(),
            "verified_by": "Jaccard" if exact else "signature",
        }
    )
    result.report.update(records=len(visit), without_words=int((first[visit] < 0).sum()), different_words=len(leaders))
    result.report.update(zip(("compared", "verified", "cut_short"), decided.told, strict=True))
    result.report.update(
        candidates=len(found.order),
        removed=int(result.removed.sum()),
        copies=int(result.copy.sum()),
        clusters=len(np.unique(result.clusters[result.removed])),
        sample=measured,
        seconds=time.perf_counter() - started,
    )
    return result


def _precision(result: Deduped, member: Member, signal: MinHash, threshold: float, sample: int) -> float | None:
    """Return which share of the records that went by an estimate their texts confirm (of at most `sample`)."""
    rows = member.rows[result.removed[member.rows]][: max(1, sample // 2)]
    places = np.searchsorted(member.rows, rows)
    others = np.searchsorted(member.rows, result.neighbour[rows])
    return confirmed(text_sets([member], signal, _mask(len(member.rows), places, others)), places, others, threshold)


def visiting_order(
    ids: Ids, eligible: NDArray[np.bool_], by: NDArray[Any] | None, pins: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the eligible rows: pinned ones first, then by `by` ascending (NaN last), ties in canonical order."""
    order = ids.order[eligible[ids.order]]
    if by is not None:
        order = order[np.argsort(by[order], kind="stable")]
    return np.asarray(order[np.argsort(~pins[order], kind="stable")], np.int64)


def same_words(exact: NDArray[np.uint64], visit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of `n` records the first visited one with the same words.

    -1 for a record that is not visited or has no words.
    """
    first = np.full(len(exact), -1, np.int64)
    rows = visit[(exact[visit] != 0).any(axis=1)]
    keys = exact[rows]
    order = canonical_order(keys)
    keys = keys[order]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    first[rows[order]] = rows[order][np.flatnonzero(fresh)[np.cumsum(fresh) - 1]] if len(rows) else rows
    return first


@dataclass(frozen=True, eq=False)
class _Decided:
    """Decisions on `c` candidates, numbered in visiting order."""

    neighbour: NDArray[np.int32]
    similarity: NDArray[np.float64]
    root: NDArray[np.int32]
    told: list[int]


def _decide(
    found: Buckets, sets: Sets, fixed: NDArray[np.bool_], threshold: float, places: int, limit: int
) -> _Decided:
    """Run the greedy pass over the candidates, then connect the groups; `fixed` is by position."""
    spans = sets.spans[found.order]
    role = np.where(fixed[found.order], FIXED, FREE).astype(np.uint8)
    parent = np.arange(len(found.order), dtype=np.int32)
    neighbour, similarity, told = settle(
        found.bucket, found.count, role, sets.values, spans, threshold, places, limit, parent
    )
    connect(found.bucket, found.count, sets.values, spans, threshold, places, neighbour, parent)
    return _Decided(neighbour, similarity, components(parent), told.tolist())


def _spread(
    decided: _Decided,
    found: Buckets,
    member: Member,
    visit: NDArray[np.int64],
    first: NDArray[np.int64],
    pins: NDArray[np.bool_],
) -> Deduped:
    """Return the decisions on all records: a copy goes with, or because of, the first of its words."""
    n = len(first)
    rows = member.rows[found.order]  # of the candidates, in visiting order
    near, alike, group = np.full(n, -1, np.int64), np.full(n, np.nan), np.full(n, -1, np.int64)
    goes = decided.neighbour >= 0
    near[rows[goes]] = rows[decided.neighbour[goes]]
    alike[rows[goes]] = decided.similarity[goes]
    group[visit] = np.where(first[visit] < 0, visit, first[visit])
    group[rows] = rows[decided.root]

    worded = visit[first[visit] >= 0]
    leader = first[worded]
    copy = leader != worded
    removed = np.zeros(n, np.bool_)
    removed[worded] = (copy | (near[leader] >= 0)) & ~pins[worded]
    neighbour, similarity, clusters = np.full(n, -1, np.int64), np.full(n, np.nan), np.full(n, -1, np.int64)
    # A copy of a record that stays goes because of it; a copy of one that goes, because of what that one goes for.
    neighbour[worded] = np.where(near[leader] >= 0, near[leader], leader)
    similarity[worded] = np.where(near[leader] >= 0, alike[leader], 1.0)
    neighbour[~removed], similarity[~removed] = -1, np.nan
    clusters[visit] = visit
    clusters[worded] = group[leader]
    copies = np.zeros(n, np.bool_)
    copies[worded] = copy & removed[worded]
    return Deduped(removed, neighbour, similarity, copies, clusters, {})


def _plan(threshold: float, signal: MinHash, bands: tuple[int, int] | None, sample: int, limit: int) -> Bands:
    best = lsh_parameters(threshold, signal.permutations)
    if sample < 0 or limit < 1:
        raise OptionError(f"dedup: expected a sample of at least 0 and a limit of at least 1, got {sample}, {limit}.")
    if bands is None:
        return best
    if min(bands) < 1 or bands[0] * bands[1] > signal.permutations:
        raise OptionError(
            f"dedup: expected bands times rows of at most {signal.permutations} permutations, "
            f"got {bands[0]} x {bands[1]}."
        )
    return bands_of(threshold, *bands)


def _check_lengths(n: int, **arrays: NDArray[Any] | None) -> None:
    for name, values in arrays.items():
        if values is not None and values.shape != (n,):
            raise InputError(f"dedup, '{name}': expected one value for each of {n:,} records, got {values.shape}.")


def _mask(n: int, *places: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(n, np.bool_)
    for some in places:
        found[some] = True
    return found
