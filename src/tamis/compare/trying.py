"""Methods on a problem with a planted answer, each beside random selections of the same budget."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.compare.statistics import Standing, standing
from tamis.errors import OptionError
from tamis.problems.base import Problem, Way
from tamis.run.api import select
from tamis.select import get as get_method

__all__ = ["Tried", "try_ways"]


@dataclass(frozen=True)
class Tried:
    """What a method reached on a problem.

    Attributes
    ----------
    way : Way
    records : int
        How many it chose: its definition may keep it below the budget.
    standing : Standing
        Its value beside those of random selections of as many records.
    """

    way: Way
    records: int
    standing: Standing

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        of = self.standing
        return {
            "method": self.way.method,
            "options": dict(self.way.options),
            "records": self.records,
            "value": of.chosen,
            "random": list(of.random),
            "better": of.better,
            "words": of.words,
        }


def try_ways(problem: Problem, ways: Sequence[Way] = (), *, repeat: int = 20, seed: int = 0) -> list[Tried]:
    """Return what each way reaches on a problem, the problem's own ways unless others are given.

    Records go through the same code as those of a file: read, annotated, chosen. Random selections are those of the
    method `random` with the seeds after `seed`.

    Raises
    ------
    OptionError
        `repeat` below 2, an unknown method or option.
    """
    if repeat < 2:
        raise OptionError(f"problems: expected at least 2 random selections, got {repeat}.")
    with tempfile.TemporaryDirectory(prefix="tamis-problem-") as folder:
        common: dict[str, Any] = {"store": Path(folder) / "store", "encoder": "field:vector"}
        files = problem.write(folder)
        pool = files / "pool.jsonl"
        target: dict[str, Any] = {"target": files / "target.jsonl"} if problem.target else {}
        drawn: dict[int, list[float]] = {}

        def random(k: int) -> list[float]:
            if k not in drawn:
                drawn[k] = []
                for r in range(repeat):
                    with select(pool, n=k, method="random", seed=seed + 1 + r, store=common["store"]) as chosen:
                        drawn[k].append(problem.judge(chosen.rows))
            return drawn[k]

        out = []
        for way in ways or problem.ways:
            shown = "unlike" if get_method(way.method).flags.needs_unlike else "target"
            examples = {shown: target["target"]} if target else {}
            with select(pool, n=problem.k, method=way.method, seed=seed, **examples, **common, **way.options) as chosen:
                value, count = problem.judge(chosen.rows), len(chosen)
            out.append(Tried(way, count, standing(value, random(count), problem.direction)))
    return out
