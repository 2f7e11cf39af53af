"""Determinantal methods beside DPPy and plain NumPy, and at 100,000 records.

    python bench/dpp.py [--records 100000] [--chosen 1000] [--runs 3]

Vectors are clustered random ones. DPPy, where it is installed, draws from the same kernel by the products of vectors
(`L_gram_factor`; with more rows than numbers a row it turns to the dual form) and by the matrix of all products (`L`).
The reference for the largest volume is the published algorithm in NumPy: a row of the factor for every record, by
BLAS. Wall seconds, medians, compilation left out; peak memory of a process of its own, before and in the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import machine, median, table

from tamis.select.dpp import dpp_map
from tamis.select.kdpp import kdpp

ALONE = """
import sys, time
import numpy as np
from tamis.select import get
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
def most():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
name, kernel, n, k = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random = np.random.default_rng(0)
centres = random.standard_normal((300, 256), np.float32)
x = np.empty((n, 256), np.float16)
for i in range(0, n, 50_000):
    size = min(50_000, n - i)
    x[i : i + size] = centres[random.integers(0, 300, size)] + 0.8 * random.standard_normal((size, 256), np.float32)
keys = np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)
method = get(name)(kernel=kernel)
method.select(Pool(keys[:500], {"vectors": x[:500]}), Constraints(Budget("rows", 9)))
before = most()
started = time.perf_counter()
method.select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", k)))
print(f"{time.perf_counter() - started:.1f} {method.operations() / 1e6:.0f} {before} {most()}")
"""


def clustered(n: int, d: int) -> np.ndarray:
    """Return `n x d` vectors around 300 centres."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((300, d), np.float32)
    return centres[random.integers(0, 300, n)] + np.float32(0.8) * random.standard_normal((n, d), np.float32)


def seconds(run: Callable[[], object], runs: int) -> float:
    """Return the median wall time."""
    told = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        told.append(time.perf_counter() - started)
    return median(told)


def reference(x: np.ndarray, k: int, ridge: float) -> list[int]:
    """Return the largest volume, greedily, as published: all rows of the factor in memory."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    left, rows, picks = np.full(len(x), 1 + ridge), np.zeros((len(x), k)), []
    for t in range(k):
        best = int(np.argmax(left))
        rows[:, t] = (unit @ unit[best] - rows[:, :t] @ rows[best, :t]) / np.sqrt(left[best])
        left -= rows[:, t] ** 2
        left[best] = -np.inf
        picks.append(best)
    return picks


def drawn(n: int, d: int, k: int, runs: int) -> list[list[str]]:
    """Return the table of exact samples beside DPPy's."""
    x = clustered(n, d)
    kdpp(x[:100], 9)
    ours = seconds(lambda: kdpp(x, k, kernel="linear"), 5 * runs)
    told = [["tamis", f"{ours:.4f}", "1"]]
    try:
        from dppy.finite_dpps import FiniteDPP
    except ImportError:
        return [*told, ["DPPy", "not installed", ""]]
    wide = x.astype(np.float64)
    ways = {"DPPy, L_gram_factor": {"L_gram_factor": wide.T}, "DPPy, L": {"L": wide @ wide.T}}
    for name, given in ways.items():
        times = 1 if "L" in given else 5 * runs
        theirs = seconds(lambda given=given: FiniteDPP("likelihood", **given).sample_exact_k_dpp(size=k), times)
        told.append([name, f"{theirs:.4f}", f"{theirs / ours:.1f}"])
    return told


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--chosen", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(machine(), "\n")
    print("Exact k-DPP, 3,000 x 64, k = 40, eigenvalues included\n")
    print(table(["", "seconds", "times ours"], drawn(3_000, 64, 40, options.runs)), "\n")
    x, k = clustered(20_000, 256), 500
    dpp_map(x[:500], 9)
    ours = seconds(lambda: dpp_map(x, k), options.runs)
    theirs = seconds(lambda: reference(x.astype(np.float64), k, 0.01), 1)
    places = np.stack([np.arange(len(x), dtype=np.uint64)] * 2, axis=1)  # both start with the first row
    same = set(dpp_map(x, k, keys=places)[0].tolist())
    share = len(same & set(reference(x.astype(np.float64), k, 0.01))) / k
    print(f"Largest volume, {len(x):,} x 256 to {k}\n")
    told = [["tamis", f"{ours:.2f}", "1", ""], ["NumPy", f"{theirs:.2f}", f"{theirs / ours:.1f}", f"{share:.1%}"]]
    print(table(["", "seconds", "times ours", "same picks"], told), "\n")
    told = []
    for name, kernel in (("dpp", "cosine"), ("dpp", "rbf"), ("kdpp", "cosine"), ("volume", "linear")):
        command = [sys.executable, "-c", ALONE, name, kernel, str(options.records), str(options.chosen)]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(folder)).stdout
        told.append([f"{name}, {kernel}", *done.split()])
    print(f"{options.records:,} x 256 to {options.chosen:,}\n")
    print(table(["method, kernel", "seconds", "million products", "peak MB before", "peak MB"], told))


if __name__ == "__main__":
    main()
