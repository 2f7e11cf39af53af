"""What the pages of like, unlike and semcomp claim to have measured, measured again.

    .venv/bin/python docs/evidence/aim.py [like] [forms] [semcomp] [unlike] [volume]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`): 173,820 arXiv records, titles and abstracts,
default encoder. A seed draws 200 records of a category as examples; they leave the pool. Every figure is a mean over
five seeds with a 95 % interval by Student's t: "share" of the category among the chosen, "near" the mean cosine of the
chosen to the nearest example, "alike" between two of the chosen, "answered" of the examples to the nearest chosen one.
The draws are those of `methods.py arxiv`, so its figures of dsir stand beside.
"""

from __future__ import annotations

import json
import lzma
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from tamis.corpus.chunk import Text
from tamis.select.facility import facility_location
from tamis.select.like import like
from tamis.select.semcomp import semcomp
from tamis.select.unlike import unlike
from tamis.signals.vectors import Vectors, rows_of

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SEEDS = range(5)
Choose = Callable[[NDArray[Any], NDArray[Any], int, int], NDArray[np.int64]]


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def abstracts() -> tuple[NDArray[np.float16], list[set[str]]]:
    """Return vectors and categories of the arXiv records, those without tokens left out."""
    texts, kinds = [], []
    for path in sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                texts.append(f"{record['title']}. {record['abstract']}")
                kinds.append(set(record["categories"].split(",")))
    encoder = Vectors()
    parts = [
        encoder.column(Text.of(pa.array(texts[i : i + 5000], pa.large_string()))) for i in range(0, len(texts), 5000)
    ]
    return np.concatenate([rows_of(part) for part in parts]), kinds


def drawn(rows: Sequence[int], count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return `count` of the rows drawn at random, and the others."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i] for i in order[:count]], [rows[i] for i in order[count:]]


def unit(x: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows of length 1."""
    wide = x.astype(np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9), np.float32)


def told(name: str, runs: Sequence[dict[str, float]]) -> None:
    """Print means with the half widths of their intervals."""
    line = f"  {name:<34}"
    for key in runs[0]:
        values = [run[key] for run in runs]
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
        line += f"  {key} {np.mean(values):.4f} +- {half:.4f}"
    say(line)


def measure(
    x: NDArray[Any], kinds: Sequence[set[str]], category: str, k: int, choose: Choose, others: int | None = None
) -> list[dict[str, float]]:
    """Return the share of a category among `k` chosen, and how alike they are; `others` of the rest are in the pool."""
    members = [row for row, kind in enumerate(kinds) if category in kind]
    rest = [row for row, kind in enumerate(kinds) if category not in kind]
    found = []
    for seed in SEEDS:
        examples, left = drawn(members, 200, seed)
        pool = np.sort(np.array([*left, *(rest if others is None else drawn(rest, others, 100 + seed)[0])]))
        started = time.perf_counter()
        rows = pool[choose(x[pool], x[examples], k, seed)]
        seconds = time.perf_counter() - started
        chosen, asked = unit(x[rows]), unit(x[examples])
        alike = (np.linalg.norm(chosen.sum(axis=0, dtype=np.float64)) ** 2 - k) / (k * (k - 1))
        found.append(
            {
                "share": sum(category in kinds[row] for row in rows) / k,
                "near": float((chosen @ asked.T).max(axis=1).mean()),
                "alike": float(alike),
                "answered": float((chosen @ asked.T).max(axis=0).mean()),
                "seconds": seconds,
            }
        )
    return found


def at_random(x: NDArray[Any], examples: NDArray[Any], k: int, seed: int) -> NDArray[np.int64]:  # noqa: ARG001
    """Choose uniformly."""
    return np.random.default_rng(1000 + seed).permutation(len(x))[:k]


def by(function: Any, **options: Any) -> Choose:
    """Return a choice by a method's function."""
    return lambda x, examples, k, _: function(x, examples, k, **options).rows


def main(parts: Sequence[str]) -> None:
    """Measure what is asked for, or everything."""
    x, kinds = abstracts()
    wanted = set(parts) or {"like", "forms", "semcomp", "unlike", "volume"}
    rest = sum("cs.CL" in kind for kind in kinds) - 200
    say(f"cs.CL: {rest:,} of {len(x) - 200:,}; 2,000 chosen, 200 examples")
    if "like" in wanted:
        told("random", measure(x, kinds, "cs.CL", 2000, at_random))
        for options in ({}, {"eta": 0.1}, {"form": "gcmi"}):
            told(f"like {options}", measure(x, kinds, "cs.CL", 2000, by(like, **options)))
    if "semcomp" in wanted:
        told("semcomp", measure(x, kinds, "cs.CL", 2000, by(semcomp)))
        say("the rest of cs.CL and 17,500 others; 500 chosen, 200 examples")
        for more in ({"spread": 0.5}, {"coverage": 0, "diversity": 0}):
            told(f"semcomp {more}", measure(x, kinds, "cs.CL", 500, by(semcomp, **more), 17_500))
    if "forms" in wanted:
        say("the rest of cs.CL and 17,500 others; 500 chosen, 200 examples")
        told("random", measure(x, kinds, "cs.CL", 500, at_random, 17_500))
        for form in ("flqmi", "flvmi", "gcmi"):
            told(f"like {form}", measure(x, kinds, "cs.CL", 500, by(like, form=form), 17_500))
        told("semcomp", measure(x, kinds, "cs.CL", 500, by(semcomp), 17_500))
    if "unlike" in wanted:
        say("unlike cs.CL: the rest of it and 7,500 others; 500 chosen, 200 examples")
        told("random", measure(x, kinds, "cs.CL", 500, at_random, 7500))
        told("facility", measure(x, kinds, "cs.CL", 500, lambda x, *k: facility_location(x, k[1]).rows, 7500))
        for more in ({}, {"nu": 1.2}, {"nu": 1.5}, {"form": "gccg"}):
            told(f"unlike {more}", measure(x, kinds, "cs.CL", 500, by(unlike, **more), 7500))
    if "volume" in wanted:
        say("the rest of cs.CL and 17,500 others; 500 chosen, 200 examples")
        for more in ({"ridge": 0.01}, {"ridge": 1}, {}, {"ridge": 100}, {"eta": 0.5}):
            told(f"like logdetmi {more}", measure(x, kinds, "cs.CL", 500, by(like, form="logdetmi", **more), 17_500))
        say("unlike cs.CL: the rest of it and 7,500 others; 500 chosen, 200 examples")
        for more in ({}, {"ridge": 1}, {"ridge": 10}):
            told(f"unlike logdetcg {more}", measure(x, kinds, "cs.CL", 500, by(unlike, form="logdetcg", **more), 7500))


if __name__ == "__main__":
    main(sys.argv[1:])
