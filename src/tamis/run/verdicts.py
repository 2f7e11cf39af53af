"""The verdicts of the stages, one after the other: who is still in, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.rows import RowTable, explain
from tamis.run.decisions import Decided
from tamis.select.base import Chosen, Groups

__all__ = ["STAGES", "Verdicts"]

#: The stages a record may be decided in, in the order of the flow.
STAGES = ("read", "where", "rules", "against", "dedup", "pin", "choose")


class Verdicts:
    """What has been decided so far on `n` records, in input order.

    Attributes
    ----------
    eligible : bool array of shape (n,)
        The records that are still in.
    stage, reason : int32 arrays of shape (n,)
        Into `STAGES` and `reasons`; -1 while undecided.
    reasons : list of str
    counts : dict of str to int
        Records that each stage left out.
    neighbour : int64 array of shape (n,)
        The record (input position) that a decision names; -1 for none.
    similarity : float64 array of shape (n,)
        To that record; NaN for none.
    """

    def __init__(self, rows: RowTable) -> None:
        n = len(rows)
        self.eligible = rows.status == 0
        self.stage = np.full(n, -1, np.int32)
        self.reason = np.full(n, -1, np.int32)
        self.reasons: list[str] = []
        self.counts: dict[str, int] = {}
        self.neighbour = np.full(n, -1, np.int64)
        self.similarity = np.full(n, np.nan)
        self._rejected = ~self.eligible
        words: dict[str, int] = {}
        for row in np.flatnonzero(self._rejected).tolist():
            self.reason[row] = words.setdefault(explain(rows, row), len(words))
        self.reasons += words
        self.stage[self._rejected] = STAGES.index("read")
        self.counts["read"] = int(self._rejected.sum())

    def __len__(self) -> int:
        return len(self.eligible)

    def leave_out(
        self, stage: str, out: NDArray[np.bool_], reasons: Sequence[str], codes: NDArray[Any] | None = None
    ) -> None:
        """Take the records in `out` away, with `reasons[codes]` (or the one reason) as why."""
        out = out & self.eligible
        base = len(self.reasons)
        self.reasons += reasons
        self.reason[out] = base if codes is None else base + codes[out].astype(np.int32)
        self.stage[out] = STAGES.index(stage)
        self.eligible &= ~out
        self.counts[stage] = self.counts.get(stage, 0) + int(out.sum())

    def decide(
        self,
        chosen: Chosen,
        taken: NDArray[np.int64],
        pinned: NDArray[np.int64],
        groups: Mapping[str, Groups],
        signals: Mapping[str, NDArray[Any]],
    ) -> Decided:
        """Return the decision on every record, once the method has chosen among `taken` (input positions)."""
        n = len(self)
        self.reason[taken] = chosen.reason + len(self.reasons)
        self.stage[taken] = STAGES.index("choose")
        self.stage[pinned] = STAGES.index("pin")
        kept = np.zeros(n, bool)
        kept[taken[chosen.rows]] = True
        score, weight = np.full(n, np.nan), np.zeros(n)
        score[taken], weight[taken] = chosen.score, chosen.weight
        rank = np.full(n, -1, np.int32)
        rank[taken] = chosen.rank
        group, names = _joint_groups(groups, self.eligible)
        return Decided(
            stage=self.stage,
            stages=STAGES,
            reason=self.reason,
            reasons=(*self.reasons, *chosen.reasons),
            kept=kept,
            score=score,
            weight=weight,
            rank=rank,
            group=group,
            groups=names,
            neighbour=self.neighbour,
            similarity=self.similarity,
            signals={name: _blank(values, self._rejected) for name, values in signals.items()},
        )


def _blank(values: NDArray[Any], rejected: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a signal without the values of records that were set aside: they have no text."""
    if not rejected.any():
        return values
    return np.where(rejected, np.nan, values.astype(np.float64))


def _joint_groups(
    groups: Mapping[str, Groups], eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    """Return one code a record for its groups under all quotas ("source=cs, lang=de")."""
    if not groups:
        return None, ()
    code = np.zeros(len(eligible), np.int64)
    names = [""]
    for field, group in groups.items():
        width = max(len(group.names), 1)
        distinct, inverse = np.unique(code * width + group.codes, return_inverse=True)
        before = names
        names = []
        for value in distinct.tolist():
            head, place = divmod(value, width)
            names.append(f"{before[head]}{', ' if before[head] else ''}{field}={group.names[place]}")
        code = inverse.reshape(-1)
    return np.where(eligible, code, -1).astype(np.int32), tuple(names)
