"""The figures of the worked examples, measured again.

    .venv/bin/python docs/evidence/examples.py [instructions] [domain] [classification]

Real data is looked for in `TAMIS_DATA` (default `../shared/data`); `classification` needs scikit-learn. Works
in a temporary folder, some minutes.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tamis

DATA = Path(os.environ.get("TAMIS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
TITLED = "{title}. {abstract}"


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(path: str, records: list[dict[str, Any]]) -> str:
    """Write a JSONL file; return its path."""
    Path(path).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def rows(pool: str, **options: Any) -> np.ndarray:
    """Return the input positions of what was chosen."""
    with tamis.select(pool, store="store", **options) as chosen:
        return chosen.rows


def instructions() -> None:
    """5 % of alpaca_52k by several methods, each beside 20 random selections."""
    shutil.copy(DATA / "alpaca_52k" / "alpaca_data.json.gz", "alpaca.json.gz")
    methods: dict[str, dict[str, Any]] = {name: {} for name in ("auto", "kmq", "kcenter", "semdedup", "length")}
    for name, options in methods.items():
        with tamis.select("alpaca.json.gz", fraction="5%", method=name, store="store", **options) as chosen:
            chosen.write(f"{name}.jsonl", report=False)
        say(str(tamis.check(f"{name}.jsonl", "alpaca.json.gz", store="store")) + "\n")


def domain() -> None:
    """2 % of arXiv towards quantitative biology: 200 abstracts as target, 500 others held out to judge by."""
    records = []
    for path in sorted((DATA / "corpus_arxiv").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            records += map(json.loads, lines)
    mine = [record for record in records if record["primary"].startswith("q-bio")]
    order = np.random.default_rng(0).permutation(len(mine))
    target, held = ([mine[i] for i in part] for part in (order[:200], order[200:700]))
    out = {record["id"] for record in (*target, *held)}
    pool = write("pool.jsonl", [record for record in records if record["id"] not in out])
    asked = {"target": write("target.jsonl", target), "fraction": "2%", "text": TITLED, "store": "store"}
    write("held.jsonl", held)
    ways: dict[str, dict[str, Any]] = {
        "auto": {},
        "dsir, top_k": {"method": "dsir", "top_k": True},
        "facility": {"method": "facility"},
        "mmr, ratio": {"method": "mmr", "quality": "ratio", "balance": 0.8},
        "perplexity": {"method": "top", "by": "perplexity:asc"},
        "random": {"method": "random"},
    }
    for name, options in ways.items():
        with tamis.select(pool, **asked, **options) as chosen:
            chosen.write("chosen.jsonl", report=False, force=True)
            share = np.mean([record["primary"].startswith("q-bio") for record in chosen.to_dicts()])
        found = tamis.check("chosen.jsonl", pool, target="held.jsonl", text=TITLED, group="primary", store="store")
        say(f"{name}: {share:.1%} q-bio\n{found}\n")


def classification() -> None:
    """20 newsgroups: what cleaning and choosing do to a linear classifier on the official test set."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier

    with gzip.open(DATA / "cls_20newsgroups" / "20news_bydate.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    train, test = ([r for r in records if r["split"] == part] for part in ("train", "test"))
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=60_000)
    x, y = words.fit_transform([r["text"] for r in train]), np.array([r["label"] for r in train])
    held, right = words.transform([r["text"] for r in test]), np.array([r["label"] for r in test])
    pool = write("train.jsonl", train)
    write("test.jsonl", test)

    def accuracy(some: np.ndarray) -> float:
        model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=20, random_state=0).fit(x[some], y[some])
        return float((model.predict(held) == right).mean())

    def beside(name: str, some: np.ndarray, draws: int) -> None:
        others = [accuracy(rows(pool, n=len(some), method="random", seed=seed)) for seed in range(draws)]
        told = f"{np.mean(others):.4f} ({min(others):.4f} to {max(others):.4f})"
        say(f"{name}: {len(some):,} records, {accuracy(some):.4f}; {draws} random selections of as many: {told}")

    say(f"all {len(train):,} records: {accuracy(np.arange(len(train))):.4f}")
    everyone = {"fraction": 1.0, "method": "random"}
    cleanings: dict[str, dict[str, Any]] = {f"--rules {name}": {"rules": name} for name in ("gopher", "c4", "fineweb")}
    cleanings |= {
        "--dedup 0.8": {"dedup": 0.8},
        "--dedup 0.5": {"dedup": 0.5},
        "--against test": {"against": "test.jsonl"},
    }
    for name, options in cleanings.items():
        beside(name, rows(pool, **everyone, **options), 8)
    for n in (500, 1000, 2000):
        for method in ("auto", "kmq", "kcenter", "semdedup", "length"):
            beside(method, rows(pool, n=n, method=method), 20)
        even = [accuracy(rows(pool, n=n, method="random", quota="label<=5%", seed=seed)) for seed in range(20)]
        say(f"label quota: {n:,} records, 20 seeds: {np.mean(even):.4f} ({min(even):.4f} to {max(even):.4f})")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        DATA = DATA.resolve()
        os.chdir(scratch)
        for example in sys.argv[1:] or ("instructions", "domain", "classification"):
            say(f"## {example}\n")
            {"instructions": instructions, "domain": domain, "classification": classification}[example]()
