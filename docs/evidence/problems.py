"""Every method on the problems with planted answers: the tables of docs/problems.md.

python docs/evidence/problems.py [PROBLEM ...]
"""

from __future__ import annotations

import sys

from tamis.compare.trying import try_ways
from tamis.problems import PROBLEMS, get

for name in sys.argv[1:] or PROBLEMS:
    problem = get(name)
    tried = try_ways(problem)
    first = tried[0].standing
    low, high = first.low_high
    told = [f"## {name}: {problem.title[0].lower()}{problem.title[1:]}", "", problem.planted, ""]
    told += [
        f"{problem.k:,} of {len(problem.records):,} records; {problem.measure}: {problem.direction} is better.",
        "",
    ]
    told += ["| way | value | beside 20 random selections |", "|---|---|---|"]
    told += [f"| `random` | {first.median:.3g} | {low:.3g} to {high:.3g} (5-95 %) |"]
    for one in tried:
        fewer = f" ({one.records:,} records)" if one.records != problem.k else ""
        told += [f"| `{one.way}` | {one.standing.chosen:.3g} | {one.standing.words}{fewer} |"]
    sys.stdout.write("\n".join(told) + "\n\n")
    sys.stdout.flush()
