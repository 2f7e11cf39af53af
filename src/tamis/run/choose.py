"""From columns to a choice: eligibility, constraints, the method, and why for every record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.errors import BudgetError, InputError, RecordError, nearest
from tamis.run.decisions import Decided
from tamis.run.filters import Pins, filter_records
from tamis.run.inputs import Inputs
from tamis.run.options import Job
from tamis.run.verdicts import Verdicts
from tamis.run.where import Where
from tamis.select.base import Chosen, Groups, Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.quotas import Quota
from tamis.select.given.lists import Lists
from tamis.signals.compute import column_key
from tamis.signals.ngrams import lists

__all__ = ["Choice", "budget_of", "choose", "find_pins", "vectors_of"]


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, in input order.

    Attributes
    ----------
    rows : int64 array of shape (k,)
        The chosen records, in input order.
    decided : Decided
        The decision on every record.
    counts : dict
        Records read, rejected, filtered, eligible, chosen; tokens where counted.
    notes : list of str
        What the user should be told.
    reports : dict
        What each filter reports of itself.
    """

    rows: NDArray[np.int64]
    decided: Decided
    counts: dict[str, int]
    notes: list[str]
    reports: dict[str, Any]


def find_pins(corpus: Corpus, ids: Ids, wanted: tuple[str, ...], option: str) -> NDArray[np.int64]:
    """Return the rows (input order) of the given ids.

    Raises
    ------
    BudgetError
        For an id that no usable record has.
    """
    if not wanted:
        return np.empty(0, np.int64)
    usable = np.flatnonzero(corpus.rows.status == 0)
    everyone = ids.strings(usable)
    found = pa.compute.index_in(pa.array(wanted, pa.large_string()), value_set=everyone).to_numpy(zero_copy_only=False)
    missing = [name for name, place in zip(wanted, found, strict=True) if np.isnan(place)]
    if missing:
        close = nearest(missing[0], everyone.slice(0, 10_000).to_pylist())
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise BudgetError(f"{option}: no usable record has the id '{missing[0]}'{more}.{close}")
    return np.asarray(usable[found.astype(np.int64)], np.int64)


def choose(
    corpus: Corpus,
    others: Sequence[Corpus],
    ids: Ids,
    inputs: Inputs,
    method: Selector,
    job: Job,
    where: Where | None,
) -> Choice:
    """Choose from a scanned corpus.

    Parameters
    ----------
    corpus : Corpus
        Scanned, with the columns of `inputs` computed.
    others : sequence of Corpus
        The files of `--against`, scanned.
    ids : Ids
        Of its records.
    inputs : Inputs
        The signals and fields the run reads.
    method : Selector
        Ranks the eligible records.
    job : Job
        Budget, quotas, pins, seed.
    where : Where, optional
        The condition that records must meet.

    Raises
    ------
    InputError
        If no record is eligible, or one has a value that the method cannot use.
    BudgetError
        If the constraints cannot hold.
    """
    rows = corpus.rows
    verdicts = Verdicts(rows)
    pins = Pins(
        find_pins(corpus, ids, job.must_keep, "--must-keep"), find_pins(corpus, ids, job.must_drop, "--must-drop")
    )
    reports = filter_records(corpus, others, ids, inputs, job, where, pins, verdicts)
    taken = ids.order[verdicts.eligible[ids.order]]
    if not len(taken):
        raise InputError(_none_eligible(verdicts, job))
    signals = {name: inputs.numbers(corpus, name) for name in inputs.signals if inputs.signals[name].numeric}
    pool = Pool(ids.keys[taken], _pool_columns(corpus, inputs, method, signals, taken))
    quotas = tuple(Quota.parse(text) for text in job.quotas)
    groups = {q.field: inputs.groups(corpus, q.field) for q in quotas}
    constraints = _constraints(job, quotas, groups, signals, taken, pins, len(rows))
    try:
        chosen = method.select(pool, constraints, job.seed)
    except RecordError as error:
        row = taken[error.record]
        source = corpus.opened[int(rows.source[row])].source.name
        raise error.told(f"in {source}, line {int(rows.line[row]):,}") from None
    eligible = len(taken) - len(pins.drop)
    counts = {"records": len(rows), "rejected": verdicts.counts["read"], "filtered": verdicts.counts.get("where", 0)}
    counts |= {stage: verdicts.counts[stage] for stage in ("rules", "against", "dedup") if stage in verdicts.counts}
    counts |= {"eligible": eligible, "chosen": len(chosen)}
    if "tokens" in signals:
        counts["tokens_eligible"] = int(signals["tokens"][taken].sum())
        counts["tokens_chosen"] = int(signals["tokens"][taken[chosen.rows]].sum())
    if chosen.neighbour is not None and chosen.similarity is not None:
        named = chosen.neighbour >= 0
        verdicts.neighbour[taken[named]] = taken[chosen.neighbour[named]]
        verdicts.similarity[taken[named]] = chosen.similarity[named]
    if chosen.facts:
        reports["method"] = dict(chosen.facts)
    decided = verdicts.decide(chosen, taken, np.concatenate([pins.keep, pins.drop]), groups, signals)
    decided = replace(decided, whole=frozenset(name for name in signals if inputs.whole(corpus, name)))
    notes = _notes(job, eligible, chosen, constraints)
    return Choice(np.sort(taken[chosen.rows]), decided, counts, notes, reports)


def _none_eligible(verdicts: Verdicts, job: Job) -> str:
    told = [f"{len(verdicts):,} read", f"{verdicts.counts['read']:,} set aside"]
    if job.where:
        told.append(f"{verdicts.counts['where']:,} left out by --where {job.where!r}")
    told += [f"{verdicts.counts[s]:,} by {s}" for s in ("rules", "against", "dedup") if s in verdicts.counts]
    return f"expected at least one eligible record, got none: {', '.join(told)}."


def _pool_columns(
    corpus: Corpus, inputs: Inputs, method: Selector, signals: Mapping[str, NDArray[Any]], taken: NDArray[np.int64]
) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in method.needs():
        if name == "order":
            columns[name] = taken
        elif name in method.label_needs():
            columns[name] = inputs.labels(corpus, name).take(taken)
        elif name == "vectors":
            columns[name] = vectors_of(corpus, column_key(corpus, inputs.signals[name]), taken)
        elif name == "ngrams" and name in inputs.signals:
            key = column_key(corpus, inputs.signals[name])
            columns[name] = Lists([lists(corpus.batch(f, key).column(0)) for f in corpus.fragments], taken)
        elif name in signals:
            columns[name] = signals[name][taken]
        elif name in method.group_needs():
            groups = inputs.groups(corpus, name)
            columns[name] = Groups(groups.codes[taken], groups.names)
        else:
            columns[name] = inputs.numbers(corpus, name)[taken]
    return columns


def vectors_of(corpus: Corpus, column: str, taken: NDArray[np.int64]) -> NDArray[Any]:
    """Return a vector column of the records `taken`, in their order: one fragment at a time is turned."""
    from tamis.signals.vectors import rows_of

    place = np.full(len(corpus.rows), -1, np.int64)
    place[taken] = np.arange(len(taken))
    found: NDArray[Any] | None = None
    for fragment in corpus.fragments:
        part = rows_of(corpus.batch(fragment, column).column(0))
        if found is None:
            found = np.zeros((len(taken), part.shape[1]), part.dtype)
        if part.shape[1] != found.shape[1]:
            raise InputError(
                f"vectors: expected {found.shape[1]} numbers, as in the files before, got {part.shape[1]} from "
                f"{corpus.file_of(fragment.first_row)}."
            )
        at = place[fragment.first_row : fragment.first_row + fragment.rows]
        found[at[at >= 0]] = part[at >= 0]
    return np.empty((0, 0), np.float16) if found is None else found


def _constraints(
    job: Job,
    quotas: tuple[Quota, ...],
    groups: Mapping[str, Groups],
    signals: Mapping[str, NDArray[Any]],
    taken: NDArray[np.int64],
    pins: Pins,
    n: int,
) -> Constraints:
    keep, drop = pins.mask(n)
    return Constraints(
        budget=budget_of(job),
        cost=signals["tokens"][taken].astype(np.int64) if job.tokens is not None else None,
        quotas=quotas,
        groups={name: Groups(g.codes[taken], g.names) for name, g in groups.items()},
        keep=keep[taken],
        drop=drop[taken],
    )


def budget_of(job: Job) -> Budget:
    """Return how much a job chooses.

    Raises
    ------
    BudgetError
        For less than one record or token, or a share that is none.
    """
    if job.rows is not None:
        return Budget("rows", job.rows)
    if job.tokens is not None:
        return Budget("tokens", job.tokens)
    return Budget("fraction", job.fraction or 0.0)


def _notes(job: Job, eligible: int, chosen: Chosen, constraints: Constraints) -> list[str]:
    """Return what the user should be told about the choice."""
    notes = [f"the quota {quota} names a value that no eligible record has." for quota in constraints.unmatched()]
    if job.tokens is not None:
        if not len(chosen):
            notes.append(f"no eligible record fits into {job.tokens:,} tokens: nothing was chosen.")
        elif len(chosen) == eligible:
            notes.append(f"the budget of {job.tokens:,} tokens has room for all {eligible:,} eligible records.")
    elif job.rows is not None and len(chosen) < job.rows:
        if len(chosen) == eligible:
            notes.append(f"the budget of {job.rows:,} records is above the {eligible:,} eligible ones: all were taken.")
        else:
            notes.append(f"{len(chosen):,} records instead of {job.rows:,}: the method set the others aside.")
    return notes
