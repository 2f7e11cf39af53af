"""What the page of saturated claims to have measured, measured again.

    .venv/bin/python docs/evidence/saturated.py [prompts] [abstracts]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`): t0_p3_55k, prompts with their completions from 283
templates, and corpus_arxiv, titles with abstracts of six fields. Five samples of 10,000 records each; what is told is
the mean over them with its 95 % interval. "Covered" is the objective as a share of all limits, alpha being the share
that is chosen; "near" the mean similarity of all records to the nearest chosen one; "mixture" half the sum of the
differences between the shares of the templates or fields in the choice and in the sample, which no method sees.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import stats

from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.kernels.hashing import hash_spans, salt, uniforms
from tamis.select.base import Groups, Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.facility import Facility
from tamis.select.saturated import Saturated
from tamis.signals.vectors import Vectors, rows_of
from tamis.vectors.similarity import Space, objective
from tamis.vectors.similarity import totals as totals_to
from tamis.vectors.totals import totals

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SAMPLES, RECORDS, DRAWS = 5, 10_000, 4


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(values: list[float]) -> str:
    """Return the mean with its 95 % interval by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.4f} ± {half:.4f}"


def encoded(texts: list[str], kinds: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors, keys and kinds of texts, in canonical order, each once, those without a vector left out."""
    text = Text.of(pa.array(texts, pa.large_string()))
    keys = hash_spans(text.data, text.offsets[:-1], text.offsets[1:], np.uint64(0))
    x = rows_of(Vectors().column(text))
    _, first = np.unique(keys, axis=0, return_index=True)
    first = first[x[first].astype(np.float32).any(axis=1)]
    return x[first], keys[first], Groups.of([kinds[i] for i in first]).codes


def arms(k: int) -> dict[str, Selector]:
    """Return what is compared, beside random selection."""
    return {
        "saturated": Saturated(),
        "saturated, in parts (20 MB)": Saturated(algorithm="parts", memory="20MB"),
        "saturated, stochastic": Saturated(algorithm="stochastic"),
        "saturated, alpha twice": Saturated(alpha=2 * k / RECORDS),
        "facility": Facility(),
    }


def compared(x: np.ndarray, keys: np.ndarray, kinds: np.ndarray, budgets: tuple[int, ...]) -> None:
    """Tell what each way of choosing reaches on the samples."""
    found: dict[tuple[int, str], list[list[float]]] = {}
    for seed in range(SAMPLES):
        some = np.sort(np.argsort(uniforms(keys, salt(seed, "evidence: sample")), kind="stable")[:RECORDS])
        pool, space, engine = Pool(keys[some], {"vectors": x[some]}), Space(x[some], "cosine"), Local()
        alike, kind = totals(space, engine), kinds[some]
        shares = np.bincount(kind) / len(kind)
        for k in budgets:
            limit = np.floor(k / len(some) * alike)

            def measured(
                rows: np.ndarray,
                space: Space = space,
                limit: np.ndarray = limit,
                kind: np.ndarray = kind,
                shares: np.ndarray = shares,
                k: int = k,
            ) -> list[float]:
                rows = np.sort(rows)
                by = totals_to(space, Local(), space.part(rows))
                mixed = np.abs(np.bincount(kind[rows], minlength=len(shares)) / k - shares).sum() / 2
                near = objective(space, rows, Local()) / len(space)
                return [float(np.minimum(by, limit).sum() / limit.sum()), near, float(mixed)]

            draws = [np.argsort(uniforms(keys[some], salt(s, "random")), kind="stable")[:k] for s in range(DRAWS)]
            chance = np.mean([measured(rows) for rows in draws], axis=0)
            found.setdefault((k, f"random, {DRAWS} draws"), []).append(chance.tolist())
            for name, method in arms(k).items():
                rows = method.select(pool, Constraints(Budget("rows", k)), seed).rows
                found.setdefault((k, name), []).append(measured(rows))
    for (k, name), values in found.items():
        cells = zip(("covered", "near", "mixture"), zip(*values, strict=True), strict=True)
        say(f"{k}: {name}: " + ", ".join(f"{what} {told(list(numbers))}" for what, numbers in cells))


def prompts() -> None:
    """Compare on prompts, whose templates are known."""
    with gzip.open(DATA / "t0_p3_55k" / "t0_per_template.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    say("t0_p3_55k")
    compared(
        *encoded([f"{r['prompt']}\n{r['completion']}" for r in records], [r["template"] for r in records]), (200, 1000)
    )


def abstracts() -> None:
    """Compare on abstracts, whose fields are known."""
    texts, fields = [], []
    for path in sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            texts += [f"{r['title']}. {r['abstract']}" for r in map(json.loads, file)]
        fields += [path.name.split(".")[0].rstrip("_0123456789")] * (len(texts) - len(fields))
    say("corpus_arxiv")
    compared(*encoded(texts, fields), (200, 1000))


STEPS: dict[str, Callable[[], None]] = {"prompts": prompts, "abstracts": abstracts}

if __name__ == "__main__":
    for step in sys.argv[1:] or STEPS:
        STEPS[step]()
