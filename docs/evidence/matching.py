"""What the pages of herding, thinning and sieve claim to have measured, measured again.

    .venv/bin/python docs/evidence/matching.py [matching] [sieve] [speed]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`): t0_p3_55k, prompts with their completions from 283
templates. The discrepancy is that of the vectors; "mixture" is half the sum of the differences between the shares of
the templates in the choice and in the pool, which no method sees.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import stats

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import hash_spans, salt, uniforms
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.facility import facility_location
from tamis.select.herding import Herding, herding
from tamis.select.sieve import Sieve, SieveStreaming
from tamis.select.steps.embedding import Embedding
from tamis.select.thinning import Thinning, thinning
from tamis.signals.vectors import Vectors, rows_of
from tamis.vectors.neighbours import exact

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SEEDS = 5


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(values: list[float]) -> str:
    """Return the mean with its 95 % interval by Student's t; a single value as it is."""
    if len(values) < 2:
        return f"{values[0]:.4f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.4f} ± {half:.4f}"


def t0() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors, keys and templates of the records, in canonical order, those without a vector left out."""
    with gzip.open(DATA / "t0_p3_55k" / "t0_per_template.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    text = Text.of(pa.array([f"{r['prompt']}\n{r['completion']}" for r in records], pa.large_string()))
    keys = hash_spans(text.data, text.offsets[:-1], text.offsets[1:], np.uint64(0))
    x = rows_of(Vectors().column(text))
    _, first = np.unique(keys, axis=0, return_index=True)
    first = first[x[first].astype(np.float32).any(axis=1)]
    return x[first], keys[first], Groups.of([records[i]["template"] for i in first]).codes


def at_random(keys: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return `k` rows at random."""
    return np.argsort(uniforms(keys, salt(seed, "random")), kind="stable")[:k]


def matching() -> None:
    """Compare discrepancy and mixture of herding, thinning and random choices."""
    x, keys, template = t0()
    shares = np.bincount(template) / len(template)
    say(f"t0: {len(x):,} records")
    for kernel, budgets, seeds in (("rbf", (500,), 3), ("cosine", (100, 500, 1000), 5)):
        found = Embedding(x, kernel, None, keys)
        for k in budgets:
            arms: dict[str, list[np.ndarray]] = {
                "random": [at_random(keys, k, s) for s in range(20)],
                "herding": [herding(x, k, kernel=kernel, keys=keys)],
                "thinning": [thinning(x, k, s, kernel=kernel, keys=keys) for s in range(seeds)],
                "thinning, no swap": [thinning(x, k, s, kernel=kernel, keys=keys, swap=False) for s in range(seeds)],
            }
            for name, choices in arms.items():
                apart = [found.discrepancy(rows) for rows in choices]
                mixed = [
                    float(np.abs(np.bincount(template[rows], minlength=len(shares)) / k - shares).sum() / 2)
                    for rows in choices
                ]
                say(f"{kernel}, {k}: {name}: discrepancy {told(apart)}, mixture {told(mixed)}")


def sieving() -> None:
    """Compare the cover of the pool by one pass, by greedy facility location, and by random choices."""
    x, keys, _ = t0()

    def cover(rows: np.ndarray) -> float:
        return float(np.maximum(exact(x[rows], 1, queries=x).similarity, 0).mean())

    pool = Pool(keys, {"vectors": x})
    for k in (50, 200, 1000):
        constraints = Constraints(Budget("rows", k))
        started = time.perf_counter()
        once = SieveStreaming().select(pool, constraints).rows
        spent = time.perf_counter() - started
        greedy = facility_location(x, k, keys=keys).rows
        chance = [cover(at_random(keys, k, s)) for s in range(SEEDS)]
        say(
            f"{k}: sieve {cover(once):.4f} with {len(once)} records in {spent:.1f} s, greedy {cover(greedy):.4f},"
            f" random {told(chance)}"
        )
        stream = Sieve(k, 4000)
        for start in range(0, len(x), 5000):
            stream.push(x[start : start + 5000])
        say(f"   as a stream, the first 4,000 the reference: {cover(stream.result().ids):.4f}, {stream.nbytes:,} bytes")


def speed() -> None:
    """Tell the seconds, of the wall and of all cores, of 1,000 of 100,000 x 256, compilation left out."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((300, 256), np.float32)
    x = centres[random.integers(0, 300, 100_000)] + np.float32(0.8) * random.standard_normal((100_000, 256), np.float32)
    x = x.astype(np.float16)
    keys = np.stack([np.arange(len(x), dtype=np.uint64)] * 2, axis=1)
    methods = {
        "herding, cosine": Herding(),
        "herding, rbf": Herding(kernel="rbf"),
        "thinning, cosine": Thinning(kernel="cosine"),
        "thinning, rbf": Thinning(),
        "sieve": SieveStreaming(),
    }
    for name, method in methods.items():
        method.select(Pool(keys[:500], {"vectors": x[:500]}), Constraints(Budget("rows", 9)))
        started, worked = time.perf_counter(), time.process_time()
        chosen = method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", 1000)))
        spent = f"{time.perf_counter() - started:.1f} s, {time.process_time() - worked:.1f} s of all cores"
        say(f"{name}: {spent}, {len(chosen)} chosen, {dict(chosen.facts)}")


STEPS: dict[str, Callable[[], None]] = {"matching": matching, "sieve": sieving, "speed": speed}

if __name__ == "__main__":
    for name in sys.argv[1:] or STEPS:
        STEPS[name]()
