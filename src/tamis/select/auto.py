"""A default for whoever has no method in mind: a short rule that picks one, and says which and why.

With a target, `dsir`: the records most like it. Without, variety: `facility` up to 200,000 eligible
records, which finds the set that represents all others best and never takes two that say the same;
above, `kmq`, which gives every kind of record its share in one pass. Near-duplicates (0.8) are left out
first unless `unique` is off or `--dedup` says otherwise. Nothing is judged by quality: no rule is right
for every pool, so that stays with `--rules`, `--where` and `--by`.

The rule is ours. It looks at what was asked and at the number of records, never at figures of the
selection, so it does not choose by luck.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from tamis.select.base import Chosen, Flags, Parameter, Pool, Ranking, Selector
from tamis.select.budget.constraints import Constraints

__all__ = ["LARGEST", "Auto"]

LARGEST = 200_000
"""Eligible records up to which `facility` is chosen."""


class Auto(Selector):
    """Picks a method by a short rule, and says which and why."""

    name = "auto"
    title = "A method picked by a short rule"
    source = "ours"
    cost = "that of the method it picks: dsir, facility or kmq"
    promises = "that of the method it picks"
    use_when = "you have no method in mind; then compare it with random selections (tamis check)"
    fails_when = "you know what makes a record good: say so with --by, --where, --rules or a target"
    later = "that of the method it picks; at scale many selectors do not beat random (arXiv 2410.09335)"
    flags = Flags(needs_all=True)
    parameters = (Parameter("unique", bool, True, "leave out near-duplicates (0.8) first, unless --dedup is given"),)

    threshold: ClassVar[float] = 0.8

    unique: bool
    _room: int | None = None

    def needs(self) -> tuple[str, ...]:
        """Return the vectors."""
        return ("vectors",)

    def holds(self, n: int) -> int:
        """Return what the method holds that would be picked for `n` records."""
        return self.pick(n).holds(n)

    def within(self, room: int, n: int) -> Auto:  # noqa: ARG002
        """Return the rule with so many bytes for what the method holds that it picks."""
        other = Auto(**self.options)
        other._room = room
        return other

    def pick(self, n: int, *, target: bool = False) -> Selector:
        """Return the method for `n` eligible records."""
        picked = self._picked(n, target)
        return picked if self._room is None else picked.within(self._room, n)

    def _picked(self, n: int, target: bool) -> Selector:
        if target:
            from tamis.select.dsir import Dsir

            return Dsir()
        if n <= LARGEST:
            from tamis.select.facility import Facility

            return Facility()
        from tamis.select.kmq import Kmq

        return Kmq()

    def why(self, n: int, *, target: bool = False) -> str:
        """Return in words why `pick` returns what it does."""
        if target:
            return "there is a target"
        return f"no target, {n:,} eligible records: {'at most' if n <= LARGEST else 'more than'} {LARGEST:,}"

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order of the method that is picked."""
        return self.pick(len(pool)).rank(pool, seed)

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Choose with the method that is picked; `facts` say which and why."""
        picked = self.pick(len(pool))
        chosen = picked.select(pool, constraints, seed)
        told: dict[str, Any] = {"picked": picked.name, "why": self.why(len(pool))}
        return replace(chosen, facts={**told, **chosen.facts})
