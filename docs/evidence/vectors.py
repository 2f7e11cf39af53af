"""What the pages of vectors, semdedup, kmq and odis claim to have measured, measured again.

    .venv/bin/python docs/evidence/vectors.py [vectors] [gpteacher] [alpaca] [cover] [axes]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`). "Cover" of a choice is the mean
cosine of all records of the pool to the chosen record nearest to each.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import hash_spans, salt, uniforms
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.kmq import kmq
from tamis.select.odis import axes, overlap
from tamis.select.semdedup import Semdedup, semdedup
from tamis.signals.vectors import Vectors, rows_of
from tamis.vectors.neighbours import exact

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
VECTORS = Vectors()


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a compressed JSON array."""
    with gzip.open(path) as file:
        records: list[dict[str, Any]] = json.load(file)
    return records


def texts_of(records: list[dict[str, Any]], *fields: str) -> list[str]:
    """Return the fields of each record that are not empty, a line each."""
    return ["\n".join(record[name] for name in fields if record.get(name)) for record in records]


def encoded(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and keys of texts."""
    text = Text.of(pa.array(texts, pa.large_string()))
    return rows_of(VECTORS.column(text)), hash_spans(text.data, text.offsets[:-1], text.offsets[1:], np.uint64(0))


def cover(x: np.ndarray, rows: np.ndarray) -> float:
    """Return the mean cosine of all rows to the nearest chosen one."""
    return float(exact(x[rows], 1, queries=x).similarity.mean())


def at_random(keys: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return `k` rows at random."""
    return np.argsort(uniforms(keys, salt(seed, "random")), kind="stable")[:k]


def alpaca() -> list[dict[str, Any]]:
    """Return the 52,002 records."""
    return read(DATA / "alpaca_52k" / "alpaca_data.json.gz")


def vectors() -> None:
    """Compare with wordllama's own vectors."""
    import wordllama

    own = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    texts = texts_of(alpaca(), "instruction", "input", "output")[:10_000]
    ours, theirs = encoded(texts)[0], own.embed(texts).astype(np.float16)
    say(f"vectors: {(ours != theirs).mean():.1e} of the numbers differ, by at most {np.abs(ours - theirs).max():.1e}")


def gpteacher() -> None:
    """Deduplicate to the sizes that the set's author published, and compare what was left out."""
    folder, fields = DATA / "gpteacher", ("instruction", "input", "response")
    records = read(folder / "toolformer-dedupe-only-dataset.json.gz")
    texts = texts_of(records, *fields)
    for record in records:  # the same descriptions of tools open hundreds of instructions: leave them out
        record["instruction"] = record["instruction"].split("\n")[-1]
    x, keys = encoded(texts_of(records, *fields))
    pool, order = Pool.build(keys, {"vectors": x})
    for level in ("0.9", "0.8", "0.7", "0.6"):
        theirs = set(texts_of(read(folder / f"toolformer-similarity-{level}-dataset.json.gz"), *fields))
        stay = np.array([text in theirs for text in texts])
        chosen = Semdedup().select(pool, Constraints(Budget("rows", int(stay.sum()))))
        rows = order[chosen.rows]
        out = np.ones(len(texts), bool)
        out[rows] = False
        covers = [cover(x, which) for which in (rows, np.flatnonzero(stay), at_random(keys, len(rows), 1))]
        say(
            f"gpteacher {level}: {stay.sum():,} stay, eps {chosen.facts['eps']:.3f};"
            f" of those left out there, left out here {(out & ~stay).sum() / (~stay).sum():.1%},"
            f" by chance {out.mean():.1%};"
            f" cover ours {covers[0]:.3f}, theirs {covers[1]:.3f}, random {covers[2]:.3f}"
        )


def thinned() -> None:
    """Deduplicate alpaca at several eps, and show a pair at the border."""
    texts = texts_of(alpaca(), "instruction", "input", "output")
    x, keys = encoded(texts)
    for eps in (1e-5, 0.01, 0.05, 0.1, 0.15, 0.2):
        found = semdedup(x, eps, keys=keys)
        say(f"alpaca, eps {eps:g}: {found.kept.sum():,} of {len(x):,} stay")
        if eps == 0.1:
            gone = np.flatnonzero(~found.kept)
            row = gone[np.argsort(found.similarity[gone], kind="stable")[len(gone) // 2]]
            for which in (row, found.neighbour[row]):
                say(f"  {found.similarity[row]:.3f} {texts[which][:120]!r}")


def covering() -> None:
    """Compare how well choices of alpaca cover it."""
    texts = texts_of(alpaca(), "instruction", "input", "output")
    x, keys = encoded(texts)
    pool, order = Pool.build(keys, {"vectors": x})
    longest = np.argsort([-len(text) for text in texts], kind="stable")
    for k in (52, 520, 5200):
        arms = {
            "random": [cover(x, at_random(keys, k, s)) for s in range(3)],
            "kmq": [cover(x, kmq(x, k, seed=s, keys=keys)) for s in range(3)],
            "kmq, equal": [cover(x, kmq(x, k, sizes="equal", seed=s, keys=keys)) for s in range(3)],
            "semdedup": [
                cover(x, order[Semdedup().select(pool, Constraints(Budget("rows", k)), s).rows]) for s in range(3)
            ],
            "longest": [cover(x, longest[:k])],
        }
        told = ", ".join(f"{name} {np.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for name, v in arms.items())
        say(f"cover of {k:,}: {told}")


def rotated() -> None:
    """Compare how much the best by raw signals and by axes share."""
    records = alpaca()
    with tempfile.TemporaryDirectory() as folder:
        pool, out = Path(folder, "pool.jsonl"), Path(folder, "out.parquet")
        pool.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "tamis", "annotate", str(pool), "--signals", "tokens,bytes,perplexity"]
        subprocess.run([*command, "-o", str(out)], check=True, capture_output=True)
        table = pq.read_table(out)
    names = ["tokens", "bytes", "perplexity"]
    columns = [np.asarray(table[name], np.float64) for name in names]
    scores = np.stack([*columns, np.array([len(record["output"]) for record in records], np.float64)], axis=1)
    found = axes(scores)
    for c in range(found.points.shape[1]):
        told = ", ".join(f"{v:+.2f} {n}" for n, v in zip([*names, "output"], found.loadings[:, c], strict=True))
        say(f"axis {c + 1}: {found.explained[c]:.1%} of the variance; {told}")
    for part in (0.01, 0.05, 0.1):
        k = int(part * len(scores))
        raw = [set(np.argsort(-scores[:, j], kind="stable")[:k].tolist()) for j in range(scores.shape[1])]
        before = np.mean([len(a & b) / k for a, b in itertools.combinations(raw, 2)])
        say(f"best {part:.0%}: signals share {before:.1%}, axes {overlap(found, k)[0]:.1%}, chance {part:.0%}")


STEPS = {"vectors": vectors, "gpteacher": gpteacher, "alpaca": thinned, "cover": covering, "axes": rotated}

if __name__ == "__main__":
    for name in sys.argv[1:] or STEPS:
        STEPS[name]()
