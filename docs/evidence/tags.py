"""What the pages of instag and mig claim to have measured, measured again.

    .venv/bin/python docs/evidence/tags.py [papers] [speed]

The papers of `corpus_arxiv/arxiv_stat.jsonl.xz`, their categories as tags, beside random choices. "Cover" is the
mean cosine of all records of the pool to the chosen record nearest to each, of vectors of the abstracts, which the
methods do not see; the Vendi score is the effective number of different records. Real data is looked for in
`TAMIS_DATA`.
"""

from __future__ import annotations

import json
import lzma
import sys
import time
from typing import Any

import numpy as np

from tamis.measure.diversity import vendi
from tamis.select import get
from tamis.select.base import Pool
from tamis.select.constraints import Budget, Constraints
from tamis.select.labels import Labels
from vectors import DATA, cover, encoded, say

TAGS = {"tags": "tags"}
ARMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("random", {}),
    ("instag", TAGS),
)


def papers() -> None:
    """Print a line for each arm and size."""
    with lzma.open(DATA / "corpus_arxiv" / "arxiv_stat.jsonl.xz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    texts = [record["abstract"] for record in records]
    x, keys = encoded(texts)
    length = np.array([len(text) for text in texts], np.float64)
    pool = Pool.build(keys, {"vectors": x, "tags": Labels.of([r["categories"] for r in records]), "length": length})[0]
    x, labels = pool.vectors("vectors", "papers"), pool.labels("tags", "papers")
    say(f"papers: {len(pool):,}, {len(labels.names)} categories, {labels.sizes().mean():.2f} a paper")
    for k in (200, 2000):
        for method, options in ARMS:
            made, found, took = get(method)(**options), [], 0.0
            for seed in range(5 if made.flags.random else 1):
                start = time.perf_counter()
                rows = made.select(pool, Constraints(Budget("rows", k)), seed).rows
                took = took or time.perf_counter() - start
                part = labels.take(rows)
                share = part.counts() / part.counts().sum()
                found.append(
                    (
                        cover(x, rows), vendi(x[rows]), len(part.names), part.sizes().mean(),
                        np.exp(-(share * np.log(share)).sum()), np.median(pool.numbers("length", "papers")[rows]),
                    )
                )  # fmt: skip
            told = ", ".join(f"{name}={value}" for name, value in options.items() if name != "tags")
            mean, spread = np.mean(found, axis=0), np.ptp(found, axis=0)
            say(
                f"{k:,} by {method} {told}: cover {mean[0]:.3f} (range {spread[0]:.3f}), Vendi {mean[1]:.1f}"
                f" ({spread[1]:.1f}), categories {mean[2]:.0f} ({spread[2]:.0f}), {mean[3]:.2f} a paper, exp entropy"
                f" {mean[4]:.1f}, median characters {mean[5]:.0f}, {took:.2f} s"
            )


def speed() -> None:
    """Time 1,000 of 100,000 records with 4.5 of 6,000 tags each, their frequencies falling as 1 / rank."""
    random = np.random.default_rng(0)
    names = np.array([f"tag {i}" for i in range(6000)], object)
    chance = 1 / np.arange(1, 6001)
    sizes = random.poisson(4.5, 100_000)
    drawn = np.split(random.choice(6000, int(sizes.sum()), p=chance / chance.sum()), np.cumsum(sizes)[:-1])
    labels = Labels.of([names[one].tolist() for one in drawn])
    pool = Pool.build(random.integers(0, 2**63, (100_000, 2), np.uint64), {"tags": labels})[0]
    for method, options in ARMS[1:]:
        made = get(method)(**options)
        if "tags" not in made.needs():
            continue
        for k in (10, 1000, 10_000, 100_000):
            start = time.perf_counter()
            made.select(pool, Constraints(Budget("rows", k)))
            say(f"{method} {options}: {k:,} of 100,000 in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["papers", "speed"]
    for job in (papers, speed):
        if job.__name__ in wanted:
            job()
