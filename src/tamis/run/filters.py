"""The stages that leave records out before the method chooses: where, rules, against, dedup.

Each looks at the records that are still in, and says why it leaves one out. Records that must be
kept pass all of them; those that must be dropped are left to the stage of the pins, and hold
nothing else out meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.run.inputs import Inputs
from tamis.run.options import Job
from tamis.run.verdicts import Verdicts
from tamis.run.where import Where, evaluate
from tamis.signals.compute import column_key

__all__ = ["Pins", "filter_records", "hold_where"]

#: Characters of a matched text shown in a reason.
_SHOWN = 120


@dataclass(frozen=True, eq=False)
class Pins:
    """Records decided by hand, as input positions."""

    keep: NDArray[np.int64]
    drop: NDArray[np.int64]

    def mask(self, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which of `n` records must be kept and which dropped."""
        keep, drop = np.zeros(n, bool), np.zeros(n, bool)
        keep[self.keep] = True
        drop[self.drop] = True
        return keep, drop


def filter_records(
    corpus: Corpus,
    others: Sequence[Corpus],
    ids: Ids,
    inputs: Inputs,
    job: Job,
    where: Where | None,
    pins: Pins,
    verdicts: Verdicts,
) -> dict[str, Any]:
    """Run the filters that the job asks for, in the order of the flow; return what each reports.

    Parameters
    ----------
    corpus : Corpus
        Scanned, with the columns of `inputs` computed.
    others : sequence of Corpus
        The files of `--against`, scanned.
    ids : Ids
        Of the corpus.
    inputs : Inputs
        The signals and fields of the run.
    job : Job
        What is asked for.
    where : Where, optional
        The checked condition.
    pins : Pins
        Records decided by hand.
    verdicts : Verdicts
        Changed in place.
    """
    keep, drop = pins.mask(len(corpus.rows))
    pinned = keep | drop
    reports: dict[str, Any] = {}
    if where is not None:
        out = ~hold_where(corpus, inputs, where) & ~pinned
        verdicts.leave_out("where", out, ["the --where condition does not hold"])
    if "rules" in inputs.signals:
        reports["rules"] = _rules(corpus, inputs, pinned, verdicts)
    if others:
        reports["against"] = _against(corpus, others, pinned, verdicts)
    if job.dedup is not None:
        reports["dedup"] = _dedup(corpus, ids, inputs, job, keep, drop, verdicts)
    return reports


def hold_where(corpus: Corpus, inputs: Inputs, where: Where) -> NDArray[np.bool_]:
    """Return which records the condition holds for, in input order."""
    types = inputs.types(corpus, where.names)
    held = np.zeros(len(corpus.rows), bool)

    def one(fragment: Any) -> tuple[Any, NDArray[np.bool_]]:
        return fragment, evaluate(where, inputs.batch(corpus, fragment, types))

    for fragment, found in corpus.engine.map(one, corpus.fragments):
        held[fragment.first_row : fragment.first_row + fragment.rows] = found
    return held


def _rules(corpus: Corpus, inputs: Inputs, pinned: NDArray[np.bool_], verdicts: Verdicts) -> dict[str, int]:
    """Leave out what fails a rule; the first one failed, in the order of the table, is the reason."""
    from tamis.signals.rules import Rules, first_failure

    signal = inputs.signals["rules"]
    if not isinstance(signal, Rules):
        return {}
    failed = corpus.numbers(column_key(corpus, signal))
    codes, names = first_failure(failed, signal)
    out = (codes >= 0) & ~pinned & verdicts.eligible
    verdicts.leave_out("rules", out, [f"rule {name}" for name in names], codes)
    counts = np.bincount(codes[out], minlength=len(names)) if len(names) else np.empty(0, np.int64)
    return {name: int(count) for name, count in zip(names, counts.tolist(), strict=True) if count}


def _against(corpus: Corpus, others: Sequence[Corpus], pinned: NDArray[np.bool_], verdicts: Verdicts) -> dict[str, Any]:
    """Leave out what holds text of the other files, and show that text."""
    from tamis.run.against import against

    found = against(corpus, verdicts.eligible, others, pins=pinned)
    rows = np.flatnonzero(found.removed)
    codes = np.full(len(corpus.rows), -1, np.int32)
    words: dict[str, int] = {}
    for row in rows.tolist():
        other, place = others[int(found.corpus[row])], int(found.row[row])
        where = f"{other.file_of(place)}, line {other.rows.line[place]}"
        text = found.matched[row].as_py()
        if text:
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ... ({len(text):,} characters)"
            reason = f"holds text of {where}: {shown!r}"
        else:
            reason = f"near-duplicate of {where} (similarity {found.similarity[row]:.2f})"
        codes[row] = words.setdefault(reason, len(words))
    verdicts.leave_out("against", found.removed, list(words), codes)
    return found.report


def _dedup(
    corpus: Corpus,
    ids: Ids,
    inputs: Inputs,
    job: Job,
    keep: NDArray[np.bool_],
    drop: NDArray[np.bool_],
    verdicts: Verdicts,
) -> dict[str, Any]:
    """Leave out near-duplicates of records that stay, and name those."""
    from tamis.run.dedup import dedup

    by = None
    if job.dedup_by is not None:
        name, _, way = (
            job.dedup_by.rpartition(":") if job.dedup_by.endswith((":asc", ":desc")) else (job.dedup_by, "", "")
        )
        values = np.asarray(inputs.numbers(corpus, name), np.float64)
        by = values if way == "asc" else -values
    found = dedup(corpus, ids, verdicts.eligible & ~drop, threshold=job.dedup or 0.8, by=by, pins=keep)
    out = found.removed & verdicts.eligible
    verdicts.neighbour[out] = found.neighbour[out]
    verdicts.similarity[out] = found.similarity[out]
    reasons = [f"near-duplicate (at or above {job.dedup:g}) of a record that stays", "the same words as another record"]
    verdicts.leave_out("dedup", out, reasons, found.copy.astype(np.int32))
    return found.report
