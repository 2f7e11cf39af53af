"""Facility location beside apricot and submodlib: after the same kernel, and from vectors to the choice.

    python bench/facility.py [--records 10000] [--chosen 1000] [--runs 3] [--peers PYTHON] [--large]

Vectors are those of real abstracts (default encoder, 256 wide). `--peers` is the interpreter of an environment
with apricot-select and submodlib-py (measured: 0.6.1 and 0.0.3). Everyone gets the same kernel, cosines with
negative ones as 0; peers run their lazy greedy. Wall seconds, medians; the objective of random selections stands
beside, the mean of five. `--large` adds 100,000 records, alone.
"""

from __future__ import annotations

import argparse
import json
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
from tamis.select.facility import facility_location, facility_location_of
from tamis.signals.vectors import Vectors, rows_of
from tamis.vectors.similarity import Space, objective
from tamis.vectors.tiles import content_keys

PEER = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
path, what, k = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.load(path).astype(np.float32)
started = time.perf_counter()
x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
kernel = np.clip(x @ x.T, 0, 1)
made = time.perf_counter()
optimizer = sys.argv[4]
if what == "apricot":
    from apricot import FacilityLocationSelection
    FacilityLocationSelection(2, metric="precomputed", optimizer=optimizer).fit(kernel[:50, :50])  # compiles
    warm = time.perf_counter()
    rows = FacilityLocationSelection(k, metric="precomputed", optimizer=optimizer).fit(kernel).ranking.tolist()
else:
    from submodlib import FacilityLocationFunction
    warm = time.perf_counter()
    function = FacilityLocationFunction(n=len(x), mode="dense", sijs=kernel, separate_rep=False)
    rows = [r for r, _ in function.maximize(budget=k, optimizer=optimizer, show_progress=False)]
done = time.perf_counter()
print(json.dumps([made - started, done - warm, [int(r) for r in rows]]))
"""

#: Package and optimizer: the lazy one of each (the default of submodlib, NaiveGreedy, takes minutes).
PEERS = ("apricot, lazy", "submodlib, LazyGreedy")

BOUNDED = """
import sys, time
import numpy as np
from tamis.select.facility import facility_location
x = np.load(sys.argv[1], mmap_mode="r")
facility_location(np.asarray(x[:300]), 9, memory=sys.argv[3], algorithm=sys.argv[4])
def most():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = most()
started = time.perf_counter()
found = facility_location(x, int(sys.argv[2]), memory=sys.argv[3], algorithm=sys.argv[4])
print(time.perf_counter() - started, found.objective, before, most(), found.facts)
"""


def vectors(records: int, folder: Path) -> Path:
    """Return an `.npy` of the vectors of real abstracts."""
    texts = [f"{r['title']}. {r['abstract']}" for r, _ in zip(abstracts(), range(records), strict=False)]
    path = folder / f"{records}.npy"
    np.save(path, rows_of(Vectors().column(Text.of(pa.array(texts, pa.large_string())))))
    return path


def bounded(path: Path, k: int, memory: str, algorithm: str) -> list[str]:
    """Return cells of a run in a process of its own: seconds, objective, peak memory before and in it, facts."""
    command = [sys.executable, "-c", BOUNDED, str(path), str(k), memory, algorithm]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, value, before, peak, facts = told.split(maxsplit=4)
    found = facts.strip().replace("'", "")
    return [f"{algorithm}, {memory}", f"{float(seconds):.2f}", f"{float(value):,.1f}", before, peak, found]


def ours(x: np.ndarray, k: int, runs: int) -> tuple[float, float, list[int], float]:
    """Return seconds after a kernel and from vectors, the picks after the kernel, and the share from vectors."""
    unit = x.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    kernel = np.clip(unit @ unit.T, 0, 1)
    keys = content_keys(x)
    facility_location(x[:300], 9)
    facility_location_of(kernel[:300, :300], 9)
    after, whole = [], []
    for _ in range(runs):
        started = time.perf_counter()
        given = facility_location_of(kernel, k)
        made = time.perf_counter()
        direct = facility_location(x, k, keys=keys)
        after.append(made - started)
        whole.append(time.perf_counter() - made)
    same = len(np.intersect1d(given.rows, direct.rows)) / k
    return median(after), median(whole), given.rows.tolist(), same


def theirs(name: str, python: str, path: Path, k: int, runs: int) -> tuple[float, float, list[int]]:
    """Return the same of a peer: a package and its optimizer."""
    after, whole = [], []
    for _ in range(runs):
        package, optimizer = name.split(", ")
        command = [python, "-c", PEER, str(path), package, str(k), optimizer]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        made, took, picks = json.loads(told.splitlines()[-1])
        after.append(took)
        whole.append(made + took)
    return median(after), median(whole), picks


def beside(path: Path, k: int, runs: int, python: str) -> None:
    """Print tamis and its peers on the same vectors."""
    x = np.load(path)
    space = Space(x, "cosine")

    def value(picks: list[int]) -> float:
        return objective(space, np.sort(np.array(picks, np.int64)), Local())

    step, total, own, same = ours(x, k, runs)
    rows = [["tamis", f"{step:.2f}", "1", f"{total:.2f}", "1", f"{value(own):,.1f}", "100.0%"]]
    for name in PEERS:
        after, whole, picks = theirs(name, python, path, k, runs)
        ratios = f"{after / step:.0f}", f"{whole / total:.0f}"
        shared = len(set(picks) & set(own)) / k
        rows.append(
            [name, f"{after:.2f}", ratios[0], f"{whole:.2f}", ratios[1], f"{value(picks):,.1f}", f"{shared:.1%}"]
        )
    draws = [np.random.default_rng(seed).choice(len(x), k, replace=False).tolist() for seed in range(5)]
    rows.append(["random", "", "", "", "", f"{np.mean([value(picks) for picks in draws]):,.1f}", f"{k / len(x):.1%}"])
    header = ["", "after the kernel, s", "times ours", "from vectors, s", "times ours", "objective", "same picks"]
    print(f"{len(x):,} x {x.shape[1]} to {k:,}\n\n{table(header, rows)}\n")
    print(f"From vectors and after the kernel, {same:.1%} of the picks are the same.\n", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--chosen", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="interpreter with apricot-select and submodlib-py")
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    print(machine(), "\n")
    with tempfile.TemporaryDirectory() as folder:
        path, k = vectors(options.records, Path(folder)), options.chosen
        beside(path, k, options.runs, options.peers)
        ways = (("1GB", "whole"), ("20MB", "anew"), ("20MB", "parts"), ("20MB", "stochastic"))
        told = [bounded(path, k, *how) for how in ways]
        header = ["", "seconds", "objective", "peak MB before", "peak MB", "how"]
        print(table(header, told))
        if options.large:
            path = vectors(100_000, Path(folder))
            print(f"\n100,000 x 256 to {k:,}\n\n{table(header, [bounded(path, k, '1GB', 'parts')])}")


if __name__ == "__main__":
    main()
