"""Graph cut, saturated coverage and feature-based choice beside apricot and submodlib, and beside random selection.

    python bench/submodular.py [--records 10000] [--chosen 1000] [--runs 3] [--peers PYTHON]

Vectors and texts are those of real abstracts. `--peers` is the interpreter of an environment with apricot-select and
submodlib-py (measured: 0.6.1 and 0.0.3). apricot's saturated coverage takes minutes for some thousand records, so give
it fewer: `--what saturated --records 2000 --chosen 200`. From vectors to the choice, wall seconds, medians; each runs
in a process of its own after a small choice that compiles. Without `--peers` only what was chosen is compared, and the
forms of graph cut with one another: seconds (medians of three), objective, picks.
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
from common import machine, median, table
from facility import vectors

from tamis.engine.local import Local
from tamis.select.facility import facility_location
from tamis.select.gain.submodular import Grown
from tamis.select.graphcut import graph_cut
from tamis.vectors.similarity import Space, objective

PEER = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
what, path, k = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.load(path).astype(np.float32)
def kernel(x):
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return np.clip(x @ x.T, 0, 1)
def chosen(x, k):
    if what == "apricot graphcut":
        from apricot import GraphCutSelection
        return GraphCutSelection(k, metric="precomputed", alpha=2.5, optimizer="naive").fit(kernel(x)).ranking
    if what == "apricot saturated":
        from apricot import SaturatedCoverageSelection
        return SaturatedCoverageSelection(k, metric="precomputed", alpha=k / len(x)).fit(kernel(x)).ranking
    if what == "apricot features":
        from apricot import FeatureBasedSelection
        return FeatureBasedSelection(k, optimizer="two-stage").fit(np.abs(x).astype(np.float64)).ranking
    from submodlib import FeatureBasedFunction, GraphCutFunction
    if what == "submodlib graphcut":
        f = GraphCutFunction(n=len(x), mode="dense", lambdaVal=0.4, separate_rep=False, ggsijs=kernel(x))
    else:
        from submodlib_cpp import FeatureBased
        f = FeatureBasedFunction(n=len(x), features=np.abs(x).tolist(), numFeatures=x.shape[1], sparse=False,
                                 mode=FeatureBased.squareRoot)
    return [r for r, _ in f.maximize(budget=k, optimizer="LazyGreedy", show_progress=False)]
chosen(x[:60], 5)
started = time.perf_counter()
rows = chosen(x, k)
print(json.dumps([time.perf_counter() - started, [int(r) for r in rows]]))
"""

OURS = """
import json, sys, time
import numpy as np
what, path, k = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.load(path)
def chosen(x, k):
    if what == "graphcut":
        from tamis.select.graphcut import graph_cut
        return graph_cut(x, k).rows
    if what == "saturated":
        from tamis.select.saturated import saturated_coverage
        return saturated_coverage(x, k).rows
    from tamis.select.features import feature_based
    return feature_based(np.abs(x.astype(np.float32)), k).rows
chosen(x[:1500], 5)
started = time.perf_counter()
rows = chosen(x, k)
print(json.dumps([time.perf_counter() - started, [int(r) for r in rows]]))
"""


def timed(python: str, script: str, what: str, path: Path, k: int, runs: int) -> tuple[float, list[int]]:
    """Return the median of the seconds of some runs, and the picks."""
    took, picks = [], []
    for _ in range(runs):
        told = subprocess.run(
            [python, "-c", script, what, str(path), str(k)], check=True, capture_output=True, text=True
        )
        seconds, picks = json.loads(told.stdout.splitlines()[-1])
        took.append(seconds)
    return median(took), picks


def beside(path: Path, k: int, runs: int, python: str, what: tuple[str, ...], libraries: tuple[str, ...]) -> None:
    """Print each method and its peers."""
    rows = []
    for name in what:
        seconds, own = timed(sys.executable, OURS, name, path, k, runs)
        rows.append([f"tamis {name}", f"{seconds:.2f}", "1", "100.0%"])
        peers = ("apricot",) if name == "saturated" else ("apricot", "submodlib")
        for peer in [peer for peer in peers if peer in libraries]:
            theirs, picks = timed(python, PEER, f"{peer} {name}", path, k, runs)
            shared = len(set(picks) & set(own)) / k
            rows.append([f"{peer} {name}", f"{theirs:.2f}", f"{theirs / seconds:.1f}", f"{shared:.1%}"])
            print(*rows[-1], f"(tamis {seconds:.2f})", file=sys.stderr, flush=True)
    print(table(["", "seconds", "times ours", "same picks"], rows), "\n", flush=True)


def covered(path: Path, k: int) -> None:
    """Print the mean similarity of the pool to the nearest chosen record, and that among the chosen."""
    x = np.load(path)
    space, n = Space(x, "cosine"), len(x)
    unit = x.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)

    def cells(name: str, picks: np.ndarray) -> list[str]:
        near = objective(space, np.sort(np.asarray(picks, np.int64)), Local()) / n
        among = (unit[picks] @ unit[picks].T).sum() - len(picks)
        return [name, f"{near:.4f}", f"{among / len(picks) / (len(picks) - 1):.4f}"]

    rows = [cells(f"random {seed}", np.random.default_rng(seed).choice(n, k, replace=False)) for seed in range(5)]
    rows.append(cells("facility", facility_location(x, k).rows))
    rows.append(cells("graphcut", graph_cut(x, k).rows))
    rows += [cells(f"graphcut, {p} relative", graph_cut(x, k, penalty=p, relative=True).rows) for p in (0.2, 0.4, 0.8)]
    rows.append(cells("graphcut, signed", graph_cut(x, k, metric="signed").rows))
    rows.append(cells("graphcut, signed, relative", graph_cut(x, k, metric="signed", relative=True).rows))
    print(table([f"{k:,} of {n:,}", "similarity to the nearest chosen", "among the chosen"], rows), "\n", flush=True)


def forms(path: Path, k: int) -> None:
    """Print the forms of graph cut: seconds, the objective beside that of the lazy one, and the picks they share."""
    x = np.load(path)
    graph_cut(x[:1500], 5)
    rows = []
    for said, options in (
        ("", {}),
        ("relative", {"relative": True}),
        ("relative, penalty 0.8", {"relative": True, "penalty": 0.8}),
        ("euclidean, relative", {"metric": "euclidean", "relative": True}),
    ):
        lazy: Grown | None = None
        for form in ({"algorithm": "lazy"}, {"algorithm": "parts", "parts": 10}, {"algorithm": "stochastic"}):
            took = []
            for _ in range(3):
                started = time.perf_counter()
                found = graph_cut(x, k, **options, **form)
                took.append(time.perf_counter() - started)
            lazy = found if lazy is None else lazy
            shared = len(set(found.rows.tolist()) & set(lazy.rows.tolist())) / k
            share = found.objective / lazy.objective
            rows.append([said, form["algorithm"], f"{median(took):.2f}", f"{share:.2%}", f"{shared:.1%}"])
    print(table(["graphcut", "algorithm", "seconds", "of the lazy objective", "same picks"], rows), "\n", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--chosen", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", help="interpreter with apricot-select and submodlib-py")
    parser.add_argument("--what", default="graphcut,features,saturated")
    parser.add_argument("--beside", default="apricot,submodlib", help="the libraries, of these")
    options = parser.parse_args()
    print(machine(), "\n")
    with tempfile.TemporaryDirectory() as folder:
        path = vectors(options.records, Path(folder))
        if options.peers:
            what, libraries = tuple(options.what.split(",")), tuple(options.beside.split(","))
            beside(path, options.chosen, options.runs, options.peers, what, libraries)
        else:
            covered(path, options.chosen)
            forms(path, options.chosen)


if __name__ == "__main__":
    main()
