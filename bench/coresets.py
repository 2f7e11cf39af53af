"""Herding and thinning beside coreax and goodpoints: one Gaussian kernel, the same pools, sizes and cores, in one run.

    python bench/coresets.py [--runs 3] [--only 4000x256] [--limit 300]

Vectors are clustered random ones, single precision. Each way has a process of its own: seconds of the first call, which
compiles, and the median of those after it (the first where it took above 30 s); peak memory before the first and
after the last. The discrepancy is that of the set from its pool on the same kernel, in double precision.

coreax as its pages use it (`reduce`), and with all of `reduce` in one `equinox.filter_jit`, which keeps what was
compiled; goodpoints by its functions of a kernel (`kt.thin`, `herding`: Python), of a matrix (`kt.thin_K`: compiled,
the matrix made by NumPy), and Compress++ (`compresspp_kt`: compiled; to the square root of the pool alone).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, median, table

from tamis.select.herding import herding
from tamis.select.steps.embedding import Embedding
from tamis.select.thinning import thinning

HERDING = ("tamis, herding", "coreax, herding", "coreax, herding in jit", "goodpoints, herding")
THINNING = ("tamis, thinning", "coreax, thinning", "coreax, thinning in jit", "goodpoints, thin", "goodpoints, thin_K")
COMPRESS = ("tamis, thinning", "goodpoints, compress++")
#: Records, width, chosen, and who can choose so many.
SIZES = {
    "10000x16": (10_000, 16, 625, (HERDING, THINNING)),
    "4000x256": (4_000, 256, 250, (HERDING, THINNING)),
    "16384x16": (16_384, 16, 128, (COMPRESS,)),
}
PATIENCE = 30  # seconds of a first call after which there is no second


def pool(n: int, d: int) -> tuple[np.ndarray, float]:
    """Return `n x d` vectors around 30 centres, and gamma: 1 / the mean squared distance."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((30, d), np.float32)
    x = centres[random.integers(0, 30, n)] + np.float32(0.8) * random.standard_normal((n, d), np.float32)
    return x, float(1 / (2 * x.astype(np.float64).var(axis=0).sum()))


def keys_of(n: int) -> np.ndarray:
    """Return keys that name rows by their place."""
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def way(name: str, x: np.ndarray, gamma: float, k: int) -> Callable[[], Any]:
    """Return what chooses `k` rows."""
    who, what = name.split(", ")
    if who == "tamis":
        chosen: dict[str, Callable[[], Any]] = {
            "herding": lambda: herding(x, k, kernel="rbf", gamma=gamma, keys=keys_of(len(x))),
            "thinning": lambda: thinning(x, k, gamma=gamma, keys=keys_of(len(x))),
        }
        return chosen[what]
    return (_coreax if who == "coreax" else _goodpoints)(what, x, gamma, k)


def _coreax(what: str, x: np.ndarray, gamma: float, k: int) -> Callable[[], Any]:
    import equinox
    import jax
    from coreax import Data
    from coreax.kernels import SquaredExponentialKernel
    from coreax.solvers import KernelHerding, KernelThinning

    kernel, data = SquaredExponentialKernel(length_scale=float(1 / np.sqrt(2 * gamma))), Data(jax.numpy.asarray(x))
    solver = (
        KernelHerding(k, kernel)
        if what.startswith("herding")
        else KernelThinning(k, kernel, jax.random.key(0), 0.5 / len(x), kernel)
    )
    reduce = lambda solver, data: solver.reduce(data)[0].unweighted_indices  # noqa: E731
    once = equinox.filter_jit(reduce) if what.endswith("jit") else reduce
    return lambda: np.asarray(once(solver, data))


def _goodpoints(what: str, x: np.ndarray, gamma: float, k: int) -> Callable[[], Any]:
    from goodpoints import compress, kt
    from goodpoints.herding import herding as peer

    wide, halvings = x.astype(np.float64), int(math.log2(len(x) // k))

    def kernel(y: np.ndarray, rows: np.ndarray) -> Any:
        return np.exp(-gamma * ((rows - y) ** 2).sum(axis=1))

    def single(y: np.ndarray, rows: np.ndarray) -> Any:  # it writes single values into places for numbers
        found = kernel(y, rows)
        return found[0] if y.ndim == 2 and len(found) == 1 else found

    def matrix() -> np.ndarray:
        square = (wide**2).sum(axis=1)
        return np.exp(-gamma * np.maximum(square[:, None] + square - 2 * wide @ wide.T, 0))

    def by_matrix() -> Any:
        of_all = matrix()
        return kt.thin_K(of_all, of_all, halvings, seed=0, unique=True)

    return {
        "herding": lambda: peer(wide, halvings, kernel, unique=True),
        "thin": lambda: kt.thin(wide, halvings, kernel, single, seed=0, unique=True),
        "thin_K": by_matrix,
        "compress++": lambda: compress.compresspp_kt(wide, b"gaussian", np.array([1 / gamma]), g=4, seed=0),
    }[what]


def peak() -> int:
    """Return the largest resident memory so far, in MB."""
    with Path("/proc/self/status").open(encoding="utf-8") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def alone(size: str, name: str, runs: int) -> None:
    """Run one way in this process, and print what it took and chose as JSON."""
    warnings.simplefilter("ignore")
    n, d, k, _ = SIZES[size]
    x, gamma = pool(n, d)
    try:
        choose = way(name, x, gamma, k)
    except ImportError:
        print(json.dumps({"absent": True}))
        return
    before, took = peak(), []
    while len(took) < (1 if took and took[0] > PATIENCE else runs + 1):
        started = time.perf_counter()
        rows = choose()
        took.append(time.perf_counter() - started)
    told = {"first": took[0], "seconds": median(took[1:] or took), "before": before, "peak": peak()}
    print(json.dumps({**told, "rows": np.asarray(rows).tolist()}))


def compared(size: str, names: tuple[str, ...], runs: int, limit: int) -> list[list[str]]:
    """Return the lines of a table; the first way is ours."""
    n, d, _, _ = SIZES[size]
    x, gamma = pool(n, d)
    found, told, ours = Embedding(x, "rbf", gamma, keys_of(n)), [], 0.0
    for name in names:
        command = [sys.executable, "-W", "ignore", __file__, "--alone", size, name, "--runs", str(runs)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            told.append([name, f"more than {limit}", "", "", "", ""])
            continue
        if done.returncode:
            told.append([name, "failed: " + done.stderr.strip().splitlines()[-1][:90], "", "", "", ""])
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        if "absent" in row:
            told.append([name, "not installed", "", "", "", ""])
            continue
        ours = ours or row["seconds"]
        apart = found.discrepancy(np.array(row["rows"]))
        memory = f"{row['before']} to {row['peak']}"
        times = f"{row['seconds'] / ours:.1f}"
        told.append([name, f"{row['first']:.2f}", f"{row['seconds']:.2f}", times, memory, f"{apart:.4f}"])
    return told


def main() -> None:
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=3, help="after the first")
    asked.add_argument("--only", choices=SIZES, help="one size alone")
    asked.add_argument("--limit", type=int, default=300, help="seconds after which a way is stopped")
    asked.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.alone:
        alone(*options.alone, options.runs)
        return
    print(machine())
    for size in [options.only] if options.only else SIZES:
        n, d, k, groups = SIZES[size]
        for names in groups:
            print(f"\n{n:,} x {d} to {k}\n")
            told = compared(size, names, options.runs, options.limit)
            print(table(["way", "first, s", "seconds", "times ours", "peak MB, before to after", "discrepancy"], told))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
