"""What the pages of the methods claim to have measured, measured again.

    .venv/bin/python docs/evidence/methods.py [arxiv] [t0] [strata] [length]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`). Columns are kept in the folder
`.tamis`, or `TAMIS_STORE`, so that a second run is quick. Every figure is a mean over seeds with a
95 % interval by Student's t; a seed draws the target's examples as well as the selection.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

import tamis
from tamis.corpus.chunk import Text
from tamis.select.base import Groups
from tamis.select.random import random
from tamis.select.stratified import stratified
from tamis.signals.ngrams import Ngrams
from tamis.signals.ratio import count_ngrams

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
STORE = Path(os.environ.get("TAMIS_STORE", ".tamis"))
TITLED = "{title}. {abstract}"


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the records of compressed JSONL files."""
    records: list[dict[str, Any]] = []
    for path in paths:
        with (gzip if path.suffix == ".gz" else lzma).open(path, "rt", encoding="utf-8") as lines:
            records += map(json.loads, lines)
    return records


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and half width of the 95 % interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values)), float(half)


def bag(texts: Sequence[str]) -> Any:
    """Return the bucket counts of texts, one added to each so that logarithms exist."""
    features = Ngrams()
    column = features.column(Text.of(pa.array(list(texts), pa.large_string())))
    return count_ngrams([column], features.buckets) + 1


def divergence(target: Any, other: Any) -> float:
    """Return KL(target || other) of two bags, in nats."""
    p, q = target / target.sum(), other / other.sum()
    return float((p * np.log(p / q)).sum())


def drawn(rows: Sequence[int], count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return `count` of the rows drawn at random, and the others."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i] for i in order[:count]], [rows[i] for i in order[count:]]


def arxiv() -> None:
    """Find the rest of a category among 173,820 abstracts by DSIR, with 200 of it as target."""
    paths = sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz"))
    records = read(paths)
    where = {record["id"]: row for row, record in enumerate(records)}
    texts = [TITLED.format(**record) for record in records]
    say(f"arxiv: {len(records):,} records; 200 target records, taken out of the pool; n = 2,000")

    def run(category: str, size: int, seed: int, **options: Any) -> dict[str, float]:
        members = [row for row, record in enumerate(records) if category in record["categories"].split(",")]
        target, rest = drawn(members, size, seed)
        with tamis.select(
            paths, n=2000, text=TITLED, id="id", seed=seed, store=STORE, must_drop=[records[r]["id"] for r in target],
            **({"target": [{"text": texts[r]} for r in target], "target_text": "text"} | options),
        ) as chosen:  # fmt: skip
            picks = [where[id] for id in chosen.ids.to_pylist()]
        wanted, held = set(rest), bag([texts[r] for r in rest])
        return {
            "share": sum(row in wanted for row in picks) / len(picks),
            "pool": len(rest) / (len(records) - size),
            "kl": divergence(held, bag([texts[r] for r in picks])),
            "characters": float(np.mean([len(texts[r]) for r in picks])),
        }

    def told(name: str, runs: Sequence[dict[str, float]]) -> None:
        share, kl = interval([r["share"] for r in runs]), interval([r["kl"] for r in runs])
        say(
            f"  {name:<46} share {share[0]:7.2%} +- {share[1]:.2%} (pool {runs[0]['pool']:.2%})  "
            f"KL {kl[0]:.3f} +- {kl[1]:.3f}  characters {np.mean([r['characters'] for r in runs]):,.0f}"
        )

    ten = range(10)
    nothing: dict[str, Any] = {"target": None, "target_text": None}
    told("cs.CL random", [run("cs.CL", 200, s, **nothing) for s in ten])
    told("cs.CL dsir", [run("cs.CL", 200, s) for s in ten])
    told("cs.CL dsir top_k", [run("cs.CL", 200, s, top_k=True) for s in ten])
    told("cs.CL dsir chunk=0", [run("cs.CL", 200, s, chunk=0) for s in ten])
    for size in (5, 20, 50, 800):
        told(f"cs.CL dsir, {size} target records", [run("cs.CL", size, s) for s in ten])
    for size in (20, 50):
        few = f"cs.CL dsir, {size} target records"
        told(f"{few}, long", [run("cs.CL", size, s, where="bytes >= 800") for s in ten])
        told(f"{few}, 500 buckets", [run("cs.CL", size, s, buckets=500) for s in ten])
        told(f"{few}, words, 1000 b.", [run("cs.CL", size, s, ngrams=1, buckets=1000) for s in ten])
    for category in ("cs.CR", "cs.LO", "eess.IV", "math.GT", "physics.atom-ph", "q-bio.NC", "stat.CO"):
        told(f"{category} dsir", [run(category, 200, s) for s in range(3)])


def t0() -> None:
    """Find the rest of a template among 55,185 prompts by DSIR, with 50 of it as target."""
    path = DATA / "t0_p3_55k" / "t0_per_template.jsonl.gz"
    records = read([path])
    names = np.array([record["template"] for record in records])
    by_name = {name: np.flatnonzero(names == name).tolist() for name in sorted(set(names.tolist()))}
    large = [name for name, rows in by_name.items() if len(rows) >= 200]
    some = [large[i] for i in np.random.default_rng(0).permutation(len(large))[:20]]
    say(f"t0: {len(records):,} records, {len(by_name)} templates; 20 of the {len(large)} with 200 or more records")
    with tamis.open(path) as pool:
        ids = pool.ids.to_pylist()
    place = {id: row for row, id in enumerate(ids)}
    for label, options in (
        ("random", None), ("dsir", {}), ("dsir top_k", {"top_k": True}), ("dsir chunk=0", {"chunk": 0}),
        ("dsir compat", {"compat": True}),
    ):  # fmt: skip
        shares, sizes = [], []
        for seed, name in enumerate(some):
            target, rest = drawn(by_name[name], 50, seed)
            wanted: dict[str, Any] = {}
            if options is not None:
                wanted = {"target": [records[r] for r in target], **options}
            with tamis.select(
                path, n=len(rest), seed=seed, store=STORE, must_drop=[ids[r] for r in target], **wanted
            ) as chosen:
                picks = [place[id] for id in chosen.ids.to_pylist()]
            shares.append(sum(names[row] == name for row in picks) / max(len(picks), 1))
            sizes.append(np.mean([len(records[r]["prompt"]) for r in picks]) / len_of(records, rest))
        mean, half = interval(shares)
        say(f"  {label:<14} share of the template {mean:6.1%} +- {half:.1%}; below 10 % for "
            f"{sum(s < 0.1 for s in shares)} of 20; prompts {np.median(sizes):.2f} times as long")  # fmt: skip


def len_of(records: Sequence[dict[str, Any]], rows: Sequence[int]) -> float:
    """Return the mean length of the prompts of some records, in characters."""
    return float(np.mean([len(records[r]["prompt"]) for r in rows]))


def strata() -> None:
    """How far groups are from their share: random and stratified, 200 seeds."""
    paths = sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz"))
    primary = [record["primary"] for record in read(paths)]
    groups = Groups.of(primary)
    keys = np.random.default_rng(0).integers(0, 2**64, (len(primary), 2), np.uint64)
    size = np.bincount(groups.codes)
    say(f"strata: {len(primary):,} records in {len(size)} groups (primary category); 200 seeds")
    for k in (500, 5000, 50_000):
        due = k * size / len(primary)
        for name in ("random", "stratified"):
            counts = []
            for seed in range(200):
                rows = random(keys, k, seed) if name == "random" else stratified(groups, keys, k, seed)
                counts.append(np.bincount(groups.codes[rows], minlength=len(size)))
            off = np.array(counts) - due
            say(f"  n = {k:>6,}  {name:<10}  farthest of any group {np.abs(off).max():6.1f} records; "
                f"root mean square {np.sqrt((off**2).mean()):.2f}; "
                f"groups present {(np.array(counts) > 0).sum(1).mean():.0f}")  # fmt: skip


def length() -> None:
    """Tell what the longest records cost, at 1,000 rows and at the tokens of 1,000 random ones."""
    for title, path, group in (
        ("alpaca_52k", DATA / "alpaca_52k" / "alpaca_data.json.gz", None),
        ("t0_p3_55k", DATA / "t0_p3_55k" / "t0_per_template.jsonl.gz", "template"),
    ):
        spent = longest(title, path, group, "random", n=1000)
        longest(title, path, group, "length", n=1000)
        longest(title, path, group, "length", tokens=spent)


def longest(title: str, path: Path, group: str | None, method: str, **budget: Any) -> int:
    """Select, tell records and tokens and groups, and return the tokens."""
    with tamis.select(path, method=method, where="tokens > 0", store=STORE, **budget) as chosen:
        taken, whole = chosen.counts["tokens_chosen"], chosen.counts["tokens_eligible"]
        kinds = f", {len({r[group] for r in chosen.to_dicts()})} of 283 templates" if group else ""
        say(f"  {title} {method:<7} {len(chosen):>5,} records, {taken:>9,} tokens ({taken / whole:.1%}){kinds}")
    return taken


PARTS: dict[str, Callable[[], None]] = {"arxiv": arxiv, "t0": t0, "strata": strata, "length": length}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
