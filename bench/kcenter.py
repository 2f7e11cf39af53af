"""k-center beside plain NumPy, and at 100,000 and a million records.

    python bench/kcenter.py [--chosen 1000] [--runs 3] [--large]

Vectors are 256 wide: those of real abstracts, and beyond 173,820 clustered random ones as float16. The reference is
farthest first as everyone writes it: a product of the float32 vectors with one centre at a time, by BLAS on two
threads. Wall seconds, medians; peak memory of a process of its own, before and in the run. How well the choice covers
the real vectors stands beside 10 random ones of the same size, by 1 - cosine to the nearest chosen one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from common import abstracts, machine, median, table

from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.select.gain.columns import Columns
from tamis.select.kcenter import kcenter
from tamis.signals.vectors import Vectors, rows_of
from tamis.vectors.similarity import Space
from tamis.vectors.tiles import content_keys

ALONE = """
import sys, time
import numpy as np
from tamis.select.kcenter import kcenter
def most():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
n, k = int(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(0)
centres = random.standard_normal((300, 256), np.float32)
x = np.empty((n, 256), np.float16)
for i in range(0, n, 50_000):
    size = min(50_000, n - i)
    x[i : i + size] = centres[random.integers(0, 300, size)] + 0.8 * random.standard_normal((size, 256), np.float32)
keys = np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)
kcenter(x[:500], 9, keys=keys[:500])
before = most()
started = time.perf_counter()
_, radius = kcenter(x, k, keys=keys)
print(f"{time.perf_counter() - started:.1f} {radius:.4f} {before} {most()}")
"""


def reference(x: np.ndarray, k: int) -> list[int]:
    """Return farthest first in plain NumPy, by the cosine, from the row nearest to the mean."""
    unit = x.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    picks = [int(np.argmax(unit @ unit.mean(axis=0)))]
    apart = 1 - unit @ unit[picks[0]]
    while len(picks) < k:
        picks.append(int(np.argmax(apart)))
        np.minimum(apart, 1 - unit @ unit[picks[-1]], out=apart)
    return picks


def covering(x: np.ndarray, k: int, share: float = 0.05) -> list[list[str]]:
    """Return the largest distance, the largest without a share of the records, and the mean; of ours and of random."""
    x = x[x.any(axis=1)]
    columns = Columns(Space(x, "cosine"), Local())

    def told(rows: np.ndarray) -> np.ndarray:
        apart = np.sort(columns.to_nearest(rows))
        return np.array([apart[-1], apart[len(x) - 1 - int(share * len(x))], apart.mean()])

    out = []
    for outliers in (0.0, share):
        rows, _ = kcenter(x, k, outliers=outliers)
        out.append([f"kcenter, outliers={outliers:g}", *(f"{value:.3f}" for value in told(np.sort(rows)))])
    luck = np.stack([told(np.random.default_rng(seed).choice(len(x), k, replace=False)) for seed in range(10)])
    return [*out, ["random", *(f"{low:.3f} to {high:.3f}" for low, high in zip(luck.min(0), luck.max(0), strict=True))]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--chosen", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="a million records too")
    options = parser.parse_args()
    print(machine(), "\n")
    texts = [f"{r['title']}. {r['abstract']}" for r, _ in zip(abstracts(), range(options.records), strict=False)]
    x = rows_of(Vectors().column(Text.of(pa.array(texts, pa.large_string()))))
    keys = content_keys(x)
    kcenter(x[:500], 9)
    ours, theirs = [], []
    for _ in range(options.runs):
        started = time.perf_counter()
        rows, _ = kcenter(x, options.chosen, keys=keys)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        picks = reference(x, options.chosen)
        theirs.append(time.perf_counter() - started)
    same = len(set(rows.tolist()) & set(picks)) / len(picks)
    told = [["tamis", f"{median(ours):.1f}", "1", ""]]
    told += [["NumPy", f"{median(theirs):.1f}", f"{median(theirs) / median(ours):.1f}", f"{same:.1%}"]]
    print(f"{len(x):,} x {x.shape[1]} to {options.chosen:,}\n")
    print(table(["", "seconds", "times ours", "same picks"], told), "\n")
    print(table(["cover", "radius", "without 5 %", "mean distance"], covering(x, options.chosen)), "\n")
    sizes = [100_000, 1_000_000] if options.large else [options.records]
    told = []
    for n in sizes:
        command = [sys.executable, "-c", ALONE, str(n), str(options.chosen)]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(folder)).stdout
        told.append([f"{n:,}", *done.split()])
    print(table(["clustered random records", "seconds", "radius", "peak MB before", "peak MB"], told))


if __name__ == "__main__":
    main()
