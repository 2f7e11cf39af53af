"""Groups before and after: of the quota fields, else of the files, else of fields found in the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tamis.measure.diversity import effective_number
from tamis.report.data import Figure, GroupRow, Groups
from tamis.run.report_chance import Chance, Samples, figure
from tamis.run.report_texts import Fields, Texts
from tamis.select.base import Groups as Codes
from tamis.select.budget.quotas import Quota

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["found_groups", "grouped", "known_groups"]

_BARS, _FIELDS, _NAMES = 20, 2, 50  # groups shown; fields found in the records; distinct values of such a field


def grouped(
    field: str,
    codes: Codes,
    sets: tuple[NDArray[np.int64], NDArray[np.int64], Sequence[NDArray[np.int64]]],
    basis: str,
) -> tuple[Groups, Figure] | None:
    """Return the groups of a field, and their effective number; None for fewer than two.

    `codes` are of the records of the pool, `sets` positions in it: pool, selection, random selections.
    """
    width = len(codes.names)
    pool, chosen = (np.bincount(codes.codes[rows], minlength=width) for rows in sets[:2])
    random = np.array([np.bincount(codes.codes[rows], minlength=width) for rows in sets[2]])
    known = int((pool > 0).sum())
    if known < 2 or not len(sets[1]):
        return None
    each = random / random.sum(axis=1, keepdims=True)
    order = np.argsort(-pool, kind="stable")[:known]
    shown, rest = order[:_BARS], order[_BARS:]
    if len(rest) == 1:
        shown, rest = order, rest[:0]

    def row(name: str, which: NDArray[np.int64]) -> GroupRow:
        share = each[:, which].sum(axis=1)
        ours = int(chosen[which].sum())
        return GroupRow(
            name, float(pool[which].sum() / pool.sum()), ours / int(chosen.sum()),
            float(share.min()), float(share.max()), ours,
        )  # fmt: skip

    rows = [row(codes.names[i], np.array([i])) for i in shown]
    if len(rest):
        rows.append(row(f"{len(rest):,} others", rest))
    number = figure(
        f"Effective number of groups ({field})",
        f"How many equally large groups would be as diverse (exponential of the entropy), of {known:,}.",
        f"{basis[0].upper()}{basis[1:]}.",
        effective_number(chosen),
        [effective_number(counts) for counts in random],
        pool=effective_number(pool),
    )
    return Groups(field, basis, known, len(rest), tuple(rows)), number


def known_groups(selection: Selection, chance: Chance) -> list[tuple[Groups, Figure]]:
    """Return the groups of the quota fields, else of the files: known of every record."""
    everything = np.arange(len(chance.base)), chance.chosen, chance.random
    fields: dict[str, Codes] = {}
    for text in selection.job.quotas:
        field = Quota.parse(text).field
        fields[field] = selection.inputs.groups(selection.corpus, field)
    if not fields and len(selection.corpus.opened) > 1:
        names = [opened.source.name for opened in selection.corpus.opened]
        fields["file"] = Codes(selection.corpus.rows.source, tuple(names))
    found = []
    for field, codes in fields.items():
        mine = Codes(codes.codes[chance.base], codes.names)
        one = grouped(field, mine, everything, "counted on all records")
        if one is not None:
            found.append(one)
    return found


def found_groups(chance: Chance, samples: Samples, texts: Texts, records: Fields) -> list[tuple[Groups, Figure]]:
    """Return the groups of fields of few values, as found in the sampled records."""
    if not samples.random:
        return []
    pool = texts.at(chance.base[samples.pool])
    found = []
    for field in _few_values([records[i] for i in pool]):
        values = [record.get(field, "null") for record in records]
        names = tuple(sorted(set(values)))
        number = {name: i for i, name in enumerate(names)}
        codes = np.zeros(len(chance.base), np.int32)
        for part in (samples.pool, samples.chosen, *samples.random):
            codes[part] = [number[values[i]] for i in texts.at(chance.base[part])]
        sets = samples.pool, samples.chosen, samples.random
        basis = f"on {len(samples.pool):,} sampled records of the pool, {len(samples.chosen):,} chosen, "
        basis += f"{len(samples.random[0]):,} of each random selection"
        one = grouped(field, Codes(codes, names), sets, basis)
        if one is not None:
            found.append(one)
    return found[:_FIELDS]


def _few_values(records: list[dict[str, str]]) -> list[str]:
    """Return the fields that nearly every record has and that repeat, those of more even groups first."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        for name, value in record.items():
            counts.setdefault(name, Counter())[value] += 1
    fit = []
    for name, seen in counts.items():
        total = sum(seen.values())
        most = max(seen.values())
        if 2 <= len(seen) <= min(_NAMES, total // 10) and total >= 0.9 * len(records) and most < 0.99 * total:
            fit.append((-len(seen), name))
    return [name for _, name in sorted(fit)]
