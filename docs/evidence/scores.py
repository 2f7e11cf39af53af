"""What the pages of ccs, d2, deita and ccnet claim to have measured, measured again.

    .venv/bin/python docs/evidence/scores.py

Choices of `alpaca_52k` by its perplexity (of the pool itself, out of fold) or the length of its outputs, beside
random ones. "Cover" is the mean cosine of all records of the pool to the chosen record nearest to each; the
Vendi score is the effective number of different records. Real data is looked for in `TAMIS_DATA`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tamis.measure.diversity import vendi
from tamis.select import get
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from vectors import alpaca, cover, encoded, say, texts_of

HARD = {"by": "perplexity"}
ARMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("random", {}),
    ("top", HARD),
    ("ccs", HARD),
    ("ccs", {**HARD, "clip": 0.05}),
    ("ccs", {**HARD, "clip": 0.05, "beta": 0.1}),
    ("d2", HARD),
    ("d2", {**HARD, "gamma_r": 0.1}),
    ("d2", {**HARD, "gamma_r": 0.1, "scale": "ranks"}),
    ("top", {"by": "output"}),
    ("deita", {"quality": "output"}),
    ("deita", {"quality": "output", "tau": 0.7}),
    ("deita", {"quality": "output", "tau": 0.5}),
    *(("ccnet", {"keep": keep}) for keep in ("head", "middle", "tail")),
)


def columns() -> Pool:
    """Return alpaca with its vectors and signals."""
    records = alpaca()
    x, keys = encoded(texts_of(records, "instruction", "input", "output"))
    with tempfile.TemporaryDirectory() as folder:
        pool, out = Path(folder, "pool.jsonl"), Path(folder, "out.parquet")
        pool.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "tamis", "annotate", str(pool), "--signals", "perplexity"]
        subprocess.run([*command, "-o", str(out)], check=True, capture_output=True)
        perplexity = np.asarray(pq.read_table(out)["perplexity"])
    output = np.array([len(record["output"]) for record in records], np.float64)
    return Pool.build(keys, {"vectors": x, "perplexity": perplexity, "output": output})[0]


def main() -> None:
    """Print a line for each arm and size."""
    pool = columns()
    x, perplexity = pool.vectors("vectors", "scores"), pool.numbers("perplexity", "scores")
    for k in (520, 5200):
        for method, options in ARMS:
            made, found, took = get(method)(**options), [], 0.0
            start = time.perf_counter()
            for seed in range(3 if made.flags.random else 1):
                rows = made.select(pool, Constraints(Budget("rows", k)), seed).rows
                took = took or time.perf_counter() - start
                found.append((cover(x, rows), vendi(x[rows]), float(np.median(perplexity[rows]))))
            near, many, hard = np.mean(found, axis=0)
            told = ", ".join(f"{name}={value}" for name, value in options.items())
            say(f"{k:,} by {method} {told}: cover {near:.3f}, Vendi {many:.1f}, perplexity {hard:.2f}, {took:.1f} s")


if __name__ == "__main__":
    main()
