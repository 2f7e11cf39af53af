"""Which records a report shows, and what it says of them: a few, found by columns, read later."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.chunk import Reject
from tamis.corpus.rows import explain
from tamis.report.data import Dedup, Drop, Example, Pair, Records, Shown, Text
from tamis.report.text import number
from tamis.run.report_texts import Texts, counted

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["Found", "drops", "edges", "pairs", "told_dedup"]

_CHARACTERS, _COMPARED, _BEFORE = 500, 900, 80
_REASONS, _EXAMPLES, _PAIRS, _EACH = 8, 2, 6, 4

#: What a stage is called.
STAGES = {
    "read": "Could not be used",
    "where": "Condition (--where)",
    "rules": "Rules",
    "against": "Holds text of other files (--against)",
    "dedup": "Near-duplicates",
    "pin": "Decided by hand",
    "choose": "Not chosen",
}

_SET_ASIDE = {
    Reject.BROKEN_JSON: "broken JSON",
    Reject.NOT_AN_OBJECT: "not a JSON object",
    Reject.INVALID_UTF8: "invalid UTF-8",
    Reject.MISSING_FIELD: "a field is missing",
    Reject.WRONG_TYPE: "a field is of the wrong type",
    Reject.EMPTY: "empty text",
    Reject.BROKEN_ROW: "broken row",
}


@dataclass(frozen=True, eq=False)
class Found:
    """Records under one heading (input positions), before their texts are read."""

    title: str
    meaning: str
    rows: NDArray[np.int64]


def drops(selection: Selection) -> list[tuple[str, str, int, NDArray[np.int64]]]:
    """Return stage, reason, count and a few counted records for each reason why records are not in.

    Of a stage with many reasons the commonest are told apart, the others are one.
    """
    decided, rows = selection.choice.decided, selection.corpus.rows
    keys, seed = selection.identities.keys, selection.job.seed
    told: list[tuple[str, str, int, NDArray[np.int64]]] = []
    for number_, stage in enumerate(decided.stages):
        out = np.flatnonzero((decided.stage == number_) & ~decided.kept)
        if not len(out):
            continue
        if stage == "read":
            codes, words = rows.status[out].astype(np.int64), {int(k): v for k, v in _SET_ASIDE.items()}
        else:
            codes = decided.reason[out].astype(np.int64)
            words = dict(enumerate(decided.reasons))
        kinds, counts = np.unique(codes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        for kind, count in zip(kinds[order][:_REASONS].tolist(), counts[order][:_REASONS].tolist(), strict=True):
            # Records that were ranked below the line are shown under their own heading.
            few = 0 if stage == "choose" else _EXAMPLES
            told.append((stage, words[kind], count, counted(keys, out[codes == kind], few, seed, "examples")))
        rest = order[_REASONS:]
        if len(rest):
            told.append((stage, f"{len(rest):,} other reasons", int(counts[rest].sum()), out[:0]))
    return told


def edges(selection: Selection) -> list[Found]:
    """Return the first and last of the selection, the next ones below the line, and the last of all."""
    decided = selection.choice.decided
    rows = selection.rows[np.argsort(decided.rank[selection.rows], kind="stable")]
    if not len(rows):
        return []
    best = "The best records in the order of the method; pinned ones come first."
    found = [Found("First chosen", best, rows[:_EACH])]
    if len(rows) > 2 * _EACH:
        found.append(Found("Just above the line", "The last records that were chosen.", rows[-_EACH:]))
    ranked = (decided.stage == decided.stages.index("choose")) & np.isfinite(decided.score)
    left = np.flatnonzero(ranked & ~decided.kept)
    if len(left):
        # Low scores may be good ones: the ends of the selection tell which way the method ranks.
        mine = decided.score[rows][np.isfinite(decided.score[rows])]
        falls = not len(mine) or float(decided.score[left].mean()) <= float(mine.mean())
        value = -decided.score[left] if falls else decided.score[left]
        keys = selection.identities.keys[left]
        next_, worst = left[_least(value, keys)], left[_least(-value, keys)[::-1]]
        found.append(Found("Just below the line", "The best by score that were not chosen, and why.", next_))
        if len(left) > 2 * _EACH:
            found.append(Found("Last of all", "The worst of the eligible records by score.", worst))
    return found


def _least(value: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the places of the `_EACH` least values, least first, ties by key."""
    line = np.partition(value, min(_EACH, len(value)) - 1)[min(_EACH, len(value)) - 1]
    few = np.flatnonzero(value <= line)
    order = np.lexsort((keys[few, 1], keys[few, 0], value[few]))
    return np.asarray(few[order[:_EACH]], np.int64)


def pairs(selection: Selection) -> list[tuple[int, int, float]]:
    """Return a few records that went as near-duplicates, those they are like, and how much, over all similarities."""
    decided = selection.choice.decided
    gone = np.flatnonzero(decided.neighbour >= 0)
    if not len(gone):
        return []
    keys = selection.identities.keys[gone]
    order = gone[np.lexsort((keys[:, 1], keys[:, 0], decided.similarity[gone]))]
    apart = order[decided.similarity[order] < 1]
    pool = apart if len(apart) else order
    at = np.unique(np.linspace(0, len(pool) - 1, min(_PAIRS, len(pool))).astype(np.int64))
    return [(int(row), int(decided.neighbour[row]), float(decided.similarity[row])) for row in pool[at]]


def told_dedup(report: dict[str, Any], found: Sequence[Pair]) -> Dedup:
    """Return what the search for near-duplicates reported of itself, in words, with pairs."""
    facts = []
    if report:
        facts.append(
            (
                "What counts",
                f"Records whose sets of {report['size']}-{report['unit'].removesuffix('s')} runs are alike at or above "
                f"{report['threshold']:g} (Jaccard), verified by {report['verified_by']}.",
            )
        )
        kinds = f"{report['removed']:,} records, {report['copies']:,} of them with the very words of another"
        facts.append(("Left out", f"{kinds}, in {report['clusters']:,} groups."))
        expected = report.get("expected", {})
        if expected:
            facts.append(
                (
                    "Expected misses",
                    f"{expected['miss']:.2%} of the pairs at or above the threshold, "
                    f"{expected['miss_at_threshold']:.2%} right at it "
                    f"({report['bands']} bands of {report['rows']} hashes).",
                )
            )
        facts += _measured(report.get("sample"))
    return Dedup(tuple(facts), tuple(found))


def _measured(sample: dict[str, Any] | None) -> list[tuple[str, str]]:
    if not sample:
        return []
    base = f"among {sample['records']:,} records of this pool, all pairs compared exactly"
    if sample["recall"] is None:
        return [("Measured recall", f"No similar pairs {base}: nothing to measure.")]
    told = [
        (
            "Measured recall",
            f"{sample['recall']:.1%} (95% interval {sample['low']:.1%} to {sample['high']:.1%}) of {sample['pairs']:,} "
            f"similar pairs {base}. Of {sample['both_stay']:,} pairs both records are still in.",
        )
    ]
    if sample.get("precision") is not None:
        told.append(("Measured precision", f"{sample['precision']:.1%} of what went is at or above the threshold."))
    return told


class Teller:
    """Makes examples of records whose texts have been read.

    Parameters
    ----------
    selection : Selection
    texts : Texts
        Of usable records.
    raw : dict of int to bytes
        What the files hold for records that were set aside.
    """

    def __init__(self, selection: Selection, texts: Texts, raw: dict[int, bytes]) -> None:
        self.selection, self.texts, self.raw = selection, texts, raw

    def example(self, row: int, *, reason: bool = False) -> Example:
        """Return a record with the beginning of its text."""
        return self._example(row, shown(*self._text(row)), reason)

    def pair(self, gone: int, stays: int, similarity: float) -> Pair:
        """Return two records side by side, from shortly before where they differ first."""
        first, second = compared(self._text(gone), self._text(stays))
        return Pair(similarity, self._example(gone, first, False), self._example(stays, second, False))

    def drops(self, found: Sequence[tuple[str, str, int, NDArray[np.int64]]]) -> tuple[Drop, ...]:
        """Return the reasons with their examples."""
        return tuple(
            Drop(STAGES.get(stage, stage), reason, count, tuple(self.example(r, reason=stage == "read") for r in rows))
            for stage, reason, count, rows in found
        )

    def records(self, found: Sequence[Found]) -> tuple[Records, ...]:
        """Return the headings with their records."""
        return tuple(
            Records(one.title, one.meaning, tuple(self.example(r, reason=True) for r in one.rows.tolist()))
            for one in found
        )

    def _text(self, row: int) -> tuple[str, int]:
        if row in self.raw:
            raw = self.raw[row]
            return raw[:8_000].decode("utf-8", "backslashreplace"), len(raw)
        return self.texts.of(row)

    def _example(self, row: int, text: Shown | Text, reason: bool) -> Example:
        selection = self.selection
        rows, decided = selection.corpus.rows, selection.choice.decided
        facts: list[tuple[str, str]] = []
        if decided.rank[row] >= 0:
            facts.append(("rank", f"{int(decided.rank[row]) + 1:,}"))
        if math.isfinite(decided.score[row]):
            facts.append(("score", number(float(decided.score[row]))))
        for name, values in decided.signals.items():
            if math.isfinite(values[row]):
                facts.append((name, number(float(values[row]))))
        if decided.group is not None and decided.group[row] >= 0:
            facts.append(("in", decided.groups[decided.group[row]]))
        if reason:
            why = explain(rows, row) if rows.status[row] else decided.reasons[decided.reason[row]]
            facts.append(("why:", why))
        place = f"line {int(rows.line[row]):,}"
        if len(selection.corpus.opened) > 1:
            place = f"{selection.corpus.file_of(row)}, {place}"
        return Example(selection.identities.strings(np.array([row]))[0].as_py(), place, tuple(facts), text)


def shown(text: str, nbytes: int) -> Shown:
    """Return the beginning of a text of `nbytes` bytes, all told."""
    part = text[:_CHARACTERS]
    return Shown(part, nbytes, 0, len(part.encode("utf-8", "replace")) < nbytes)


def compared(first: tuple[str, int], second: tuple[str, int]) -> tuple[Text, Text]:
    """Return two texts (with the bytes of each whole), from shortly before the first difference, differences marked."""
    a, b = first[0], second[0]
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    begin = max(0, same - _BEFORE) if same > _COMPARED // 2 else 0
    words = [re.findall(r"\s+|\w+|[^\w\s]", text[begin : begin + _COMPARED]) for text in (a, b)]
    matcher = difflib.SequenceMatcher(None, words[0], words[1], autojunk=False)
    pieces: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for kind, i, j, k, m in matcher.get_opcodes():
        for side, (start, stop) in enumerate(((i, j), (k, m))):
            part = "".join(words[side][start:stop])
            if part:
                pieces[side].append((part, kind != "equal" and not part.isspace()))

    def whole(side: int, text: str, nbytes: int) -> Text:
        until = text[: begin + _COMPARED]
        return Text(tuple(pieces[side]), nbytes, begin, len(until.encode("utf-8", "replace")) < nbytes)

    return whole(0, *first), whole(1, *second)


def rows_shown(*lists: Sequence[Any], key: Callable[[Any], Any]) -> set[int]:
    """Return all records (input positions) that some lists name."""
    return {int(row) for found in lists for one in found for row in key(one)}
