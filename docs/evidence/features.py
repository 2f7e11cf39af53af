"""What the page of features claims to have measured, measured again.

    .venv/bin/python docs/evidence/features.py

Real data is looked for in `TAMIS_DATA` (default `../shared/data`). A seed draws 10,000 abstracts of the corpus as the
pool and 2,000 others; the budget is a tenth of the pool's words. Every figure is a mean over five seeds with a 95 %
interval by Student's t. "Unknown" are those of the words of the 2,000 others that no chosen text has.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import hash_spans
from tamis.select.base import Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.features import Features
from tamis.select.given.lists import Lists
from tamis.select.random import Random
from tamis.signals.ngrams import lists

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SEEDS = range(5)
POOL, OTHERS = 10_000, 2_000
WORD = re.compile(r"\w+")
ARMS: dict[str, Selector] = {
    "random": Random(),
    "features": Features(),
    "features, phi=log": Features(phi="log"),
    "features, weights=idf": Features(weights="idf"),
    "features, parts=4": Features(parts=4),
    "features, algorithm=stochastic": Features(algorithm="stochastic"),
}
MEASURES = {"records": 0, "words": 0, "buckets": 0, "objective": 0, "unknown, %": 2, "gains": 0}


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def abstracts() -> list[str]:
    """Return title and abstract of every record of the corpus."""
    texts: list[str] = []
    for path in sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            texts += ["{title}. {abstract}".format(**json.loads(line)) for line in lines]
    return texts


class Sample:
    """A pool of abstracts, and others."""

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        drawn = np.random.default_rng(seed).permutation(len(texts))[: POOL + OTHERS]
        texts = [texts[row] for row in drawn]
        text = Text.of(pa.array(texts[:POOL], pa.large_string()))
        keys = hash_spans(text.data, text.offsets[:-1], text.offsets[1:], np.uint64(0))
        column = Lists([lists(Features().features().column(text))])
        self.pool, order = Pool.build(keys, {"ngrams": column})
        self.words = [WORD.findall(texts[row].lower()) for row in order]
        self.cost = np.array([len(words) for words in self.words])
        self.others = Counter(word for words in texts[POOL:] for word in WORD.findall(words.lower()))

    def measured(self, method: Selector, budget: Budget, seed: int) -> dict[str, float]:
        """Choose, and return what was chosen in numbers."""
        chosen = method.select(self.pool, Constraints(budget, cost=self.cost), seed)
        again = Features().finished(self.pool, chosen)  # the objective that random does not tell
        known = {word for row in chosen.rows for word in self.words[row]}
        unknown = sum(often for word, often in self.others.items() if word not in known)
        return {
            "records": len(chosen.rows),
            "words": int(self.cost[chosen.rows].sum()),
            "buckets": again.facts["features"],
            "objective": again.facts["objective"],
            "unknown, %": 100 * unknown / self.others.total(),
            "gains": chosen.facts.get("gains", 0),
        }


def interval(values: Sequence[float], places: int) -> str:
    """Return mean and half width of the 95 % interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):,.{places}f} ± {half:,.{places}f}"


def table(samples: Sequence[Sample], arms: dict[str, Selector], tenth_of: str) -> None:
    """Print a row for each arm."""
    say(f"\n| a tenth of the {tenth_of} | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}")
    for name, method in arms.items():
        runs: list[dict[str, Any]] = []
        for seed, sample in enumerate(samples):
            words = Budget("tokens", int(sample.cost.sum()) // 10)
            runs.append(sample.measured(method, words if tenth_of == "words" else Budget("rows", POOL // 10), seed))
        cells = [interval([run[what] for run in runs], places) for what, places in MEASURES.items()]
        say(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Print the tables."""
    texts = abstracts()
    say(f"{len(texts):,} abstracts")
    samples = [Sample(texts, seed) for seed in SEEDS]
    table(samples, ARMS, "words")
    table(samples, {name: ARMS[name] for name in ("random", "features")}, "records")


if __name__ == "__main__":
    main()
