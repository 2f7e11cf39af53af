"""Every method choosing 1,000 of 100,000 records, and the greedy ones 10,000 of a million.

    python bench/choosing.py [METHOD[:NAME=VALUE,...] ...] [--records 100000] [--chosen 1000] [--memory 8]

Records have clustered random vectors, 256 wide, as float16, and random scores. Each method runs in a process of its
own after a small run that compiles; wall seconds of the choice alone (no reading, no writing), and the peak memory of
the process, the vectors included, before and after it. A method that holds more than `--memory` GB leaves is told so,
as `tamis select` does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, table

from tamis.select import METHODS, get
from tamis.select.base import Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.given.aimed import Aimed
from tamis.select.given.labels import Labels

#: What a method must be told, or is told so that it is not the simplest case.
OPTIONS: dict[str, dict[str, Any]] = {
    "stratified": {"strata": "source"},
    "top": {"by": "score"},
    "odis": {"signals": "score,other,tokens"},
    "kmq": {"quality": "tokens"},
    "mmr": {"quality": "score"},
    "ccs": {"by": "score"},
    "d2": {"by": "tokens"},
    "deita": {"quality": "tokens"},
    "ccnet": {"by": "score"},
    "rankfusion": {"signals": "score,other,tokens"},
    "multiwinner": {"signals": "score,other,tokens"},
    "instag": {"tags": "tags"},
    "importance": {"by": "tokens"},
    "quadmix": {"signals": "score,other,tokens"},
    "cdas": {"by": "score", "limit": 99},
    "d3": {"difficulty": "tokens"},
    "adapt": {"signals": "score,other,tokens"},
    "paser": {"damage": "tokens"},
    "quad": {"influence": "score"},
    "features": {"of": "vectors"},
}
WIDTH, CENTRES = 256, 300


def vectors(n: int) -> np.ndarray:
    """Return `n x 256` vectors around 300 centres, float16."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, WIDTH), np.float32)
    x = np.empty((n, WIDTH), np.float16)
    for i in range(0, n, 50_000):
        size = min(50_000, n - i)
        noise = random.standard_normal((size, WIDTH), np.float32)
        x[i : i + size] = centres[random.integers(0, CENTRES, size)] + np.float32(0.8) * noise
    return x


def pool_of(method: Selector, n: int) -> Pool:
    """Return a pool of what the method reads."""
    random = np.random.default_rng(1)
    tokens = random.integers(20, 2000, n)
    columns: dict[str, Any] = {
        "tokens": tokens,
        "bytes": tokens * 4,
        "ngram_count": tokens * 2 - 1,
        "ratio": random.normal(size=n),
        "perplexity": random.gamma(4, 1, n),
        "score": random.normal(size=n),
        "other": random.normal(size=n),
        "source": random.integers(0, 9, n),
    }
    wanted = method.needs()
    if "vectors" in wanted:
        columns["vectors"] = vectors(n)
    if "tags" in wanted:
        names = [f"tag {i}" for i in range(2_000)]
        often = np.minimum(random.zipf(1.3, int(tokens.sum()) // 200), len(names)) - 1
        each = np.diff(np.sort(random.integers(0, len(often), n + 1)))
        ends = np.cumsum(each)
        columns["tags"] = Labels.of([[names[t] for t in often[e - m : e]] for e, m in zip(ends, each, strict=True)])
    keys = np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)
    return Pool(keys, {name: columns[name] for name in wanted if name in columns})


def peak() -> int:
    """Return the largest resident memory so far, in MB."""
    with Path("/proc/self/status").open(encoding="utf-8") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def alone(name: str, n: int, k: int, memory: int) -> None:
    """Run one method in this process, and print what it took as JSON."""
    name, _, more = name.partition(":")
    given = dict(part.split("=", 1) for part in more.split(",") if part)
    method = get(name)(**{**OPTIONS.get(name, {}), **given})
    if isinstance(method, Aimed):  # 200 examples, which are records of the pool too
        shown = [vectors(200)]
        method = method.told(**({"unlike": shown} if method.flags.needs_unlike else {"target": shown}))
    small = pool_of(method, 2_000)
    method.select(small, Constraints(Budget("rows", 20)))
    pool = pool_of(method, n)
    before = peak()
    room = memory - before * 1_000_000
    method = method.within(room, n)
    if method.holds(n) > room:
        print(json.dumps({"refused": f"holds {method.holds(n) / 1e9:.1f} GB"}))
        return
    started = time.perf_counter()
    chosen = method.select(pool, Constraints(Budget("rows", k)))
    seconds = time.perf_counter() - started
    told = {name: chosen.facts[name] for name in ("algorithm", "parts") if name in chosen.facts}
    print(json.dumps({"seconds": seconds, "before": before, "peak": peak(), "chosen": len(chosen), **told}))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=[name for name in METHODS if name != "auto"])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--chosen", type=int, default=1_000)
    parser.add_argument("--memory", type=float, default=8, help="in GB")
    parser.add_argument("--limit", type=int, default=600, help="seconds after which a method is stopped")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    memory = int(options.memory * 1e9)
    if options.alone:
        alone(options.methods[0], options.records, options.chosen, memory)
        return
    print(f"{machine()}\n\n{options.chosen:,} of {options.records:,} x {WIDTH}\n", flush=True)
    told = []
    for name in options.methods:
        sizes = ["--records", str(options.records), "--chosen", str(options.chosen), "--memory", str(options.memory)]
        command = [sys.executable, __file__, name, "--alone", *sizes]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit, check=False)
        except subprocess.TimeoutExpired:
            told.append([name, f"more than {options.limit}", "", "", ""])
            continue
        if done.returncode:
            told.append([name, "failed: " + done.stderr.strip().splitlines()[-1][:120], "", "", ""])
            continue
        row = json.loads(done.stdout)
        if "refused" in row:
            told.append([name, row["refused"], "", "", ""])
            continue
        how = ", ".join(f"{key} {value}" for key, value in row.items() if key in ("algorithm", "parts"))
        chosen = "" if row["chosen"] == options.chosen else f"{row['chosen']:,} chosen"
        told.append([name, f"{row['seconds']:.1f}", str(row["before"]), str(row["peak"]), how or chosen])
        print(f"{name}: {row['seconds']:.1f} s", file=sys.stderr, flush=True)
    print(table(["method", "seconds", "MB before", "peak MB", ""], told))


if __name__ == "__main__":
    main()
