"""Small pools with planted answers, on which every method can be watched succeeding or failing.

==============  ================================================================================
`clusters`      sixteen kinds of record, from a third of the pool down to two records
`mixture`       five sources, and a target that mixes three of them in known shares
`duplicates`    near copies of a few records, which a score prefers
`noise`         scores of records that are good, bad, or rubbish that one judge loves
`bias`          two groups as good as each other, of which judges undervalue one
`skills`        ten skills, three of which a model has lost
==============  ================================================================================

A pool is made by a seed; what is right is known and stands in no field of its records. `get(name)` makes one;
`tamis problems NAME` puts methods on it beside random selections. They are small and clean on purpose: what fails
here will hardly work on real data, what works here still has to show it there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from tamis.errors import unknown

if TYPE_CHECKING:
    from tamis.problems.base import Problem

__all__ = ["PROBLEMS", "get"]

PROBLEMS: dict[str, str] = {
    "clusters": "tamis.problems.geometry:clusters",
    "mixture": "tamis.problems.sources:mixture",
    "duplicates": "tamis.problems.geometry:duplicates",
    "noise": "tamis.problems.judges:noise",
    "bias": "tamis.problems.judges:bias",
    "skills": "tamis.problems.sources:skills",
}
"""Name to "module:function", in the order in which they are listed."""


def get(name: str, n: int = 2_000, seed: int = 0) -> Problem:
    """Return the problem called `name` with a pool of `n` records.

    Raises
    ------
    OptionError
        No problem has that name (the nearest is told), or `n` is below 500.
    """
    if name not in PROBLEMS:
        raise unknown("problem", name, PROBLEMS)
    module, _, function = PROBLEMS[name].partition(":")
    make: Callable[[int, int], Problem] = getattr(importlib.import_module(module), function)
    return make(n, seed)
