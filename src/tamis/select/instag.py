"""Complexity first, then diverse: records with the most tags, each of which adds a tag to its pass.

Source: #InsTag, "Instruction Tagging for Analyzing Supervised Fine-tuning" (Lu et al. 2023): records are sorted by
their number of tags, the most first. A pass goes down that order with an empty set of tags and takes each
record that adds one to the set. When it ends the set is emptied and the next pass begins, until the budget is full.

Ours: equally many tags go by key; must-keep records are in the first pass; records without tags come last. A pass
need not look at all records: the next one that adds a tag is the first that is left of some tag not yet in the set,
so all passes together cost O(tags log names), not O(passes n).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.select.base import Flags, Pool, Ranking, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.filling import Filling
from tamis.select.budget.greedy import Greedy
from tamis.select.gain.passes import Passes
from tamis.select.given.arrays import places
from tamis.select.given.labels import Labels, label_parameters
from tamis.vectors.tiles import in_order

__all__ = ["Instag", "instag"]

_Ints = NDArray[np.int64]


def instag(tags: Any, k: int, *, keys: NDArray[np.uint64] | None = None) -> _Ints:
    """Return `min(k, n)` rows in the order of choice.

    Parameters
    ----------
    tags : sequence of length n
        The tags of each record (see `Labels.of`), as they are.
    k : int
        Records to choose.
    keys : uint64 array of shape (n, 2), optional
        The records' keys, which settle ties; by default a record is named by its place.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        A record whose tags are no texts, not one key a record.
    """
    k, labels = check_amount(k), Labels.of(tags)
    keys = places(len(labels)) if keys is None else keys
    column, keys, order = in_order(np.arange(len(labels), dtype=np.float64)[:, None], keys)
    pool = Pool(keys, {"tags": labels.take(column[:, 0].astype(np.int64))})
    rows = Instag(tags="tags", lower=False).select(pool, Constraints(Budget("rows", k))).rows
    return rows if order is None else np.asarray(order[rows], np.int64)


class Instag(Greedy):
    """The records of most tags, each of which adds one to its pass."""

    name = "instag"
    title = "Most tags first, each adding one to its pass"
    source = "#InsTag (2023); the passes without a scan, ties and records without tags: ours"
    cost = "O(tags log names) time for all passes, 8 bytes a tag of a record"
    promises = "the first pass covers every tag of the pool, if the budget lasts; each of its records adds a tag"
    use_when = "records carry tags, and many tags on one record mean that it asks for much"
    fails_when = "many tags only mean a long text, or the tagger misses many: the number of tags is then its noise"
    later = "MIG's table: 51.17, random 51.81 (Llama-3.1-8B, Tulu3 to 50K)"
    flags = Flags(needs_all=True)
    parameters = label_parameters()

    tags: str
    separator: str
    lower: bool
    minimum: int
    _steps = 0

    def needs(self) -> tuple[str, ...]:
        """Return the field of tags."""
        return (self.tags,)

    def label_needs(self) -> dict[str, str]:
        """Return the field of tags."""
        return {self.tags: self.separator}

    def holds(self, n: int) -> int:
        """Return the bytes of order and tags, at about ten tags a record."""
        return 60 * n + 12 * 10 * n

    def operations(self) -> int:
        """Return how many tags of records the last choice looked at."""
        return self._steps

    def greedily(self, pool: Pool, filling: Filling, seed: int) -> Ranking:  # noqa: ARG002
        """Offer the next record of each pass until the budget is full; the score is the number of tags."""
        labels = pool.labels(self.tags, self.name, self.separator).cleaned(lower=self.lower, minimum=self.minimum)
        sizes = labels.sizes()
        order = np.argsort(-sizes, kind="stable")
        passes = Passes(labels, order)
        passes.add(filling.kept)
        sizes_of_passes: list[int] = []
        while not filling.full and passes.begin(filling.open):
            taken = 0
            while not filling.full:
                row = passes.next(filling.open)
                if row < 0:
                    break
                if filling.offer(row):
                    passes.add(np.array([row]))
                    taken += 1
            if taken:
                sizes_of_passes.append(taken)
        for row in np.flatnonzero(filling.open & (sizes == 0)).tolist():  # of tags there is nothing left
            if filling.full:
                break
            if filling.open[row]:
                filling.offer(row)
        self._steps = passes.steps
        facts = {
            "names": len(labels.names),
            "without_tags": int((sizes == 0).sum()),
            "passes": len(sizes_of_passes),
            "first_pass": sizes_of_passes[0] if sizes_of_passes else 0,
        }
        words = "instag: most tags first, each adding one to its pass"
        return Ranking(filling.order(order), sizes.astype(np.float64), words, facts=facts)
