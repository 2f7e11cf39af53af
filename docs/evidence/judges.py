"""What the pages of rankfusion and multiwinner claim to have measured, measured again.

    .venv/bin/python docs/evidence/judges.py [fusion] [committee]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`). The pool are the 18,846 messages of 20 newsgroups
but 50 of one group, which are the target. Three signals judge how much a message is like the target: the ratio of
word n-grams, perplexity under the target's language, and the cosine to the mean vector of the target. What is
measured is how many of the 500 chosen are of the target's group. A seed draws the target's messages.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Groups
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.given.judges import agreement
from tamis.select.multiwinner import multiwinner
from tamis.select.rankfusion import rankfusion
from tamis.signals.vectors import Vectors, rows_of

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
GROUPS = ("sci.space", "rec.autos", "talk.politics.guns", "comp.graphics", "misc.forsale")
CHOSEN = 500


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def places(n: int, seed: int, purpose: str) -> np.ndarray:
    """Return the positions of `n` records in a random order."""
    keys = np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)
    return np.argsort(uniforms(keys, salt(seed, purpose)), kind="stable")


@functools.cache
def messages() -> tuple[list[dict[str, str]], np.ndarray]:
    """Return the messages without their headers, which tell the group, and their vectors, of length 1."""
    with gzip.open(DATA / "cls_20newsgroups" / "20news_bydate.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    for record in records:
        record["text"] = record["text"].partition("\n\n")[2]
    records = [record for record in records if record["text"].strip()]
    x = rows_of(Vectors().column(Text.of(pa.array([r["text"] for r in records], pa.large_string()))))
    wide = x.astype(np.float64)
    return records, wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def judged(group: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the three signals of the pool (`n x 3`, more is better), and which messages are of the group."""
    records, x = messages()
    own = [i for i, record in enumerate(records) if record["label"] == group]
    target = np.zeros(len(records), bool)
    target[[own[i] for i in places(len(own), seed, "target")[:50]]] = True
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, those in (("target", target), ("pool", ~target)):
            paths[name] = Path(folder, f"{name}.jsonl")
            lines = [json.dumps({"text": records[i]["text"]}) for i in np.flatnonzero(those)]
            paths[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
        out = str(Path(folder, "out.parquet"))
        command = [sys.executable, "-m", "tamis", "annotate", str(paths["pool"]), "--signals", "ratio,perplexity"]
        subprocess.run(
            [*command, "--text", "text", "--target", str(paths["target"]), "-o", out], check=True, capture_output=True
        )
        found = pq.read_table(out)
    near = x[~target] @ x[target].mean(axis=0)
    scores = [found["ratio"].to_numpy(), -found["perplexity"].to_numpy(), near]
    labels = np.array([record["label"] for record in records])[~target]
    return np.stack(scores, axis=1).astype(np.float64), labels == group


def told(values: list[float]) -> str:
    """Return the mean with its 95 % interval by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.1%} ± {100 * half:.1f}"


def fusion() -> None:
    """Compare the three judges alone, the three rules, and random messages."""
    arms: dict[str, list[float]] = {}
    alike = []
    for group in GROUPS:
        for seed in range(2):
            scores, own = judged(group, seed)
            alike.append(agreement(scores))
            rows = {
                name: np.argsort(-scores[:, j], kind="stable")
                for j, name in enumerate(("ratio", "perplexity", "cosine"))
            }
            rows |= {rule: rankfusion(scores, CHOSEN, rule=rule) for rule in ("borda", "rrf", "convex")}
            rows["convex, spread"] = rankfusion(scores, CHOSEN, rule="convex", scale="spread")
            rows["random"] = places(len(own), seed, "random")
            for name, found in rows.items():
                arms.setdefault(name, []).append(float(own[found[:CHOSEN]].mean()))
    say(f"agreement of the judges {np.mean(alike):.2f}")
    for name, values in arms.items():
        say(f"{name}: {told(values)} of {CHOSEN} are of the group ({len(values)} runs)")


def elections() -> None:
    """Compare the three rules of a committee; then let judges undervalue one half of the target's group."""
    arms: dict[str, list[float]] = {}
    for group in GROUPS:
        scores, own = judged(group, 0)
        rows = {"random": places(len(own), 0, "random")[:CHOSEN], "borda": multiwinner(scores, CHOSEN)}
        rows["sntv, top=500"] = multiwinner(scores, CHOSEN, rule="sntv", top=CHOSEN)
        rows |= {f"cc, best={b}": multiwinner(scores, CHOSEN, rule="cc", best=b) for b in (1, 167)}
        half = places(len(own), 0, "half") < len(own) // 2  # undervalued: its rank falls by a tenth of the pool
        seen = np.argsort(np.argsort(scores, axis=0), axis=0) - 0.1 * len(own) * half[:, None]
        rows["borda, judges biased"] = multiwinner(seen, CHOSEN)
        floor = [Quota.parse("half=1>=50%")]
        limits = Constraints(Budget("rows", CHOSEN), None, floor, {"half": Groups.of(half.astype(int))})
        rows["borda, judges biased, half by quota"] = multiwinner(seen, CHOSEN, constraints=limits)
        for name, found in rows.items():
            arms.setdefault(name, []).append(float(own[found].mean()))
    for name, values in arms.items():
        say(f"{name}: {told(values)} of {CHOSEN} are of the group ({len(values)} runs)")


STEPS = {"fusion": fusion, "committee": elections}

if __name__ == "__main__":
    for name in sys.argv[1:] or STEPS:
        STEPS[name]()
