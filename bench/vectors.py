"""Vectors, k-means, neighbours and semantic deduplication, against the packages people use, one core each.

    python bench/vectors.py [--records 20000] [--runs 5]

Texts are real abstracts. Every figure is CPU seconds of one thread (process time), the median of
runs that alternate with the other package's. "cold" is a first pass, in which every word is new.
Wanted for the comparisons: pip install scikit-learn faiss-cpu semhash
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from common import abstracts, machine, median, table

from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.select.semdedup import _Visit
from tamis.signals.vectors import Vectors, encoder, rows_of
from tamis.vectors.kmeans import kmeans
from tamis.vectors.neighbours import approximate, exact
from tamis.vectors.tiles import unit_rows

#: Libraries read these when they are loaded: one thread for everyone.
ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false"} | dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def seconds(step: Callable[[], Any]) -> float:
    """Return the CPU seconds of one call."""
    started = time.process_time()
    step()
    return time.process_time() - started


def alternate(steps: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Return the median seconds of each step, run in turn."""
    for step in steps.values():
        step()
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(runs):
        for name, step in steps.items():
            found[name].append(seconds(step))
    return {name: median(values) for name, values in found.items()}


def encoding(texts: list[str], runs: int) -> str:
    """Compare the default vectors with wordllama's own `embed`."""
    import wordllama

    text = Text.of(pa.array(texts, pa.large_string()))
    size = len(text.data) / len(texts)
    few = texts[:2000]
    own = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    warm = Vectors()
    warm.column(text)
    fresh = iter([encoder() for _ in range(runs + 1)])
    found = alternate(
        {
            "wordllama": lambda: own.embed(few),
            "cold": lambda: next(fresh).encode(text),
            "warm": lambda: warm.column(text),
        },
        runs,
    )
    rates = {
        f"wordllama {wordllama.__version__}, embed": len(few) / found["wordllama"],
        "tamis, cold (all words new)": len(texts) / found["cold"],
        "tamis, warm": len(texts) / found["warm"],
    }
    base = next(iter(rates.values()))
    rows = [[name, f"{rate:,.0f}", f"{rate * size / 1e6:.1f}", f"{rate / base:.1f} x"] for name, rate in rates.items()]
    apart = np.abs(rows_of(warm.column(text))[: len(few)].astype(np.float64) - own.embed(few).astype(np.float16))
    print(f"{len(texts):,} texts of {size:,.0f} bytes; largest difference in float16: {apart.max():.1e}\n")
    return table(["default vectors, one core", "records/s", "MB/s", ""], rows)


def clustering(x: np.ndarray, runs: int) -> str:
    """Compare k-means with faiss and scikit-learn: CPU seconds and objective."""
    engine, rows = Local(1), []
    for k in (20, 158):
        steps: dict[str, Callable[[], Any]] = {"tamis": lambda k=k: kmeans(x, k, engine=engine).objective}
        steps["tamis, to the end"] = lambda k=k: (
            kmeans(x, k, engine=engine, iterations=300, tolerance=0, train=10**6).objective
        )
        try:
            import faiss

            def theirs(k: int = k) -> float:
                found = faiss.Kmeans(x.shape[1], k, niter=25, seed=1)
                found.train(x)
                return float(found.index.search(x, 1)[0].sum())

            steps[f"faiss {faiss.__version__}, 25 iterations"] = theirs
        except ImportError:
            pass
        try:
            import sklearn
            from sklearn.cluster import KMeans

            steps[f"scikit-learn {sklearn.__version__}"] = lambda k=k: (
                KMeans(k, n_init=1, random_state=0).fit(x).inertia_
            )
        except ImportError:
            pass
        results = {name: step() for name, step in steps.items()}
        times = alternate(steps, max(1, runs // 2))
        rows += [[name, str(k), f"{times[name]:.2f}", f"{results[name]:,.0f}"] for name in steps]
    return table(["k-means, one core", "k", "seconds", "objective"], rows)


def near(x: np.ndarray, runs: int) -> str:
    """Compare the 10 nearest neighbours with faiss's exact search."""
    unit = x.copy()
    unit_rows(unit)
    engine = Local(1)
    steps: dict[str, Callable[[], Any]] = {
        "tamis, exact": lambda: exact(x, 10, engine=engine).recall,
        "tamis, approximate": lambda: approximate(x, 10, engine=engine).recall,
    }
    try:
        import faiss

        def theirs() -> float:
            index = faiss.IndexFlatIP(unit.shape[1])
            index.add(unit)
            index.search(unit, 11)
            return 1.0

        steps[f"faiss {faiss.__version__}, exact"] = theirs
    except ImportError:
        pass
    results = {name: step() for name, step in steps.items()}
    times = alternate(steps, max(1, runs // 2))
    rows = [[name, f"{times[name]:.2f}", f"{len(x) / times[name]:,.0f}", f"{results[name]:.3f}"] for name in steps]
    return table(["10 nearest, one core", "seconds", "queries/s", "recall"], rows)


def deduplicating(texts: list[str], x: np.ndarray, runs: int) -> str:
    """Compare semantic deduplication with semhash, on the same vectors, at cosine 0.9."""
    keys = np.stack([np.zeros(len(x)), np.arange(len(x))], axis=1).astype(np.uint64)

    def ours() -> int:
        found = _Visit.of(x, keys, None, "hard", 0)
        return int(found.thin(0.1).kept.sum())

    steps: dict[str, Callable[[], Any]] = {"tamis semdedup": ours}
    try:
        import semhash

        place = {text: row for row, text in enumerate(texts)}

        class Model:
            def encode(self, inputs: Any, **_: Any) -> np.ndarray:
                return x[[place[text] for text in inputs]]

        def theirs() -> int:
            found = semhash.SemHash.from_records(records=texts, model=Model())
            return len(found.self_deduplicate(threshold=0.9).selected)

        steps[f"semhash {version('semhash')}"] = theirs
    except ImportError:
        pass
    results = {name: step() for name, step in steps.items()}
    times = alternate(steps, max(1, runs // 2))
    rows = [[name, f"{times[name]:.2f}", f"{len(x) / times[name]:,.0f}", f"{results[name]:,}"] for name in steps]
    return table(["semantic dedup of given vectors, cosine 0.9", "CPU seconds", "records/s", "stay"], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
    texts = []
    for record in abstracts():
        texts.append(f"{record['title']}. {record['abstract']}")
        if len(texts) == options.records:
            break
    else:
        sys.exit(f"there are {len(texts):,} abstracts, fewer than --records {options.records:,}")
    texts = list(dict.fromkeys(texts))
    print(machine())
    print(encoding(texts, options.runs), "\n")
    x = rows_of(Vectors().column(Text.of(pa.array(texts, pa.large_string())))).astype(np.float32)
    print(clustering(x, options.runs), "\n")
    print(near(x, options.runs), "\n")
    print(deduplicating(texts, x, options.runs))


if __name__ == "__main__":
    main()
