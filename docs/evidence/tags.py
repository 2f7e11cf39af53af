"""What the pages of instag and mig claim to have measured, measured again.

    .venv/bin/python docs/evidence/tags.py [papers] [answers] [speed]

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
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.given.labels import Labels
from tamis.select.mig import Mig
from vectors import DATA, alpaca, cover, encoded, say, texts_of

TAGS = {"tags": "tags"}
ARMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("random", {}),
    ("instag", TAGS),
    ("mig", TAGS),
    ("mig", {**TAGS, "gain": "exact"}),
    ("mig", {**TAGS, "spread": 0}),
    ("mig", {**TAGS, "spread": 0, "gain": "exact"}),
    ("mig", {}),
    ("mig", {"gain": "exact"}),
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
            made, found, took, facts = get(method)(**options), [], 0.0, {}
            for seed in range(5 if made.flags.random else 1):
                start = time.perf_counter()
                chosen = made.select(pool, Constraints(Budget("rows", k)), seed)
                rows, facts = chosen.rows, dict(chosen.facts)
                took = took or time.perf_counter() - start
                part = labels.take(rows)
                share = part.counts() / part.counts().sum()
                found.append(
                    (
                        cover(x, rows), vendi(x[rows]), len(part.names), part.sizes().mean(),
                        np.exp(-(share * np.log(share)).sum()), np.median(pool.numbers("length", "papers")[rows]),
                        (part.counts() ** 0.8).sum(),
                    )
                )  # fmt: skip
            told = ", ".join(f"{name}={value}" for name, value in options.items() if name != "tags")
            mean, spread = np.mean(found, axis=0), np.ptp(found, axis=0)
            say(
                f"{k:,} by {method} {told}: cover {mean[0]:.3f} (range {spread[0]:.3f}), Vendi {mean[1]:.1f}"
                f" ({spread[1]:.1f}), categories {mean[2]:.0f} ({spread[2]:.0f}), {mean[3]:.2f} a paper, exp entropy"
                f" {mean[4]:.1f}, median characters {mean[5]:.0f}, sum of counts^0.8 {mean[6]:.0f} ({spread[6]:.0f}),"
                f" {took:.2f} s {facts}"
            )


def answers() -> None:
    """Choose of alpaca by the length of its outputs, with clusters in place of tags."""
    records = alpaca()
    x, keys = encoded(texts_of(records, "instruction", "input", "output"))
    output = np.array([len(record["output"]) for record in records], np.float64)
    pool = Pool.build(keys, {"vectors": x, "output": output})[0]
    x, output = pool.vectors("vectors", "answers"), pool.numbers("output", "answers")
    arms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("random", {}),
        ("top", {"by": "output"}),
        ("mig", {"quality": "output"}),
        ("mig", {"quality": "output", "gain": "exact"}),
        ("mig", {}),
    )
    for k in (520, 5200):
        for method, options in arms:
            made, found = get(method)(**options), []
            start = time.perf_counter()
            for seed in range(3 if made.flags.random else 1):
                rows = made.select(pool, Constraints(Budget("rows", k)), seed).rows
                found.append((cover(x, rows), vendi(x[rows]), float(np.median(output[rows]))))
            mean, spread = np.mean(found, axis=0), np.ptp(found, axis=0)
            say(
                f"alpaca, {k:,} by {method} {options}: cover {mean[0]:.3f} ({spread[0]:.3f}), Vendi {mean[1]:.1f}"
                f" ({spread[1]:.1f}), median characters {mean[2]:.0f} ({spread[2]:.0f}),"
                f" {time.perf_counter() - start:.1f} s in all"
            )


def speed() -> None:
    """Time 100,000 records with 4.5 of 6,000 tags each, their frequencies falling as 1 / rank.

    Once with names of random letters, of which the encoder joins none, and once with numbered ones, of which it joins
    very many: what a graph costs is how many tags a record reaches.
    """
    random = np.random.default_rng(0)
    words = random.choice(list("abcdefghijklmnopqrstuvwxyz"), (2, 6000, 6))
    letters = [" ".join("".join(words[j, i]) for j in (0, 1)) for i in range(6000)]
    chance = 1 / np.arange(1, 6001)
    sizes = random.poisson(4.5, 100_000)
    drawn = np.split(random.choice(6000, int(sizes.sum()), p=chance / chance.sum()), np.cumsum(sizes)[:-1])
    keys = random.integers(0, 2**63, (100_000, 2), np.uint64)
    for kind, named in (("letters", letters), ("numbered", [f"tag {i}" for i in range(6000)])):
        names = np.array(named, object)
        pool = Pool.build(keys, {"tags": Labels.of([names[one].tolist() for one in drawn])})[0]
        for method, options in ARMS[1:]:
            made = get(method)(**options)
            if "tags" not in made.needs() or (kind == "numbered" and method != "mig"):
                continue
            for k in (1000, 10_000, 100_000):
                start = time.perf_counter()
                facts = made.select(pool, Constraints(Budget("rows", k))).facts
                gains = f", {made.operations():,} gains, {facts['edges']:,} edges" if isinstance(made, Mig) else ""
                took = time.perf_counter() - start
                say(f"{kind}, {method} {options}: {k:,} of 100,000 in {took:.2f} s{gains}")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["papers", "answers", "speed"]
    for job in (papers, answers, speed):
        if job.__name__ in wanted:
            job()
