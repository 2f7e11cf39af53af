"""`like` and `unlike` in each form beside submodlib, from vectors to the choice.

    python bench/aimed.py [--records 4000] [--chosen 400] [--examples 200] [--runs 3] [--peers PYTHON]

Vectors are those of real abstracts, the examples among them left out of the pool. `--peers` is the interpreter of an
environment with submodlib-py (measured: 0.0.3); its time holds the kernels, by NumPy. It runs its lazy greedy, and its
naive one for logdetmi, whose gains may rise. Wall seconds, medians; each way has a process of its own and a small
choice before, which compiles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from common import machine, table
from facility import vectors
from submodular import timed

FORMS = {"like": ("flqmi", "flvmi", "gcmi", "logdetmi"), "unlike": ("flcg", "gccg", "logdetcg")}

START = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
(form, examples), path, k = sys.argv[1].split(), sys.argv[2], int(sys.argv[3])
x = np.load(path).astype(np.float32)
examples, x = x[:int(examples)], x[int(examples):]
"""

PEER = (
    START
    + """
import submodlib as s
def kernel(a, b, low=0):
    a, b = (z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12) for z in (a, b))
    return np.clip(a @ b.T, low, 1)
def chosen(x, examples, k):
    n, m, low = len(x), len(examples), -1 if form.startswith("logdet") else 0
    q = kernel(x, examples, low)
    if form == "flqmi":
        f = s.FacilityLocationVariantMutualInformationFunction(n, m, query_sijs=q, queryDiversityEta=1)
    elif form == "gcmi":
        f = s.GraphCutMutualInformationFunction(n, m, query_sijs=q)
    else:
        d = kernel(x, x, low)
        e = kernel(examples, examples, low)
        f = {
            "flvmi": lambda: s.FacilityLocationMutualInformationFunction(
                n, m, data_sijs=d, query_sijs=q, magnificationEta=1),
            "flcg": lambda: s.FacilityLocationConditionalGainFunction(
                n, m, data_sijs=d, private_sijs=q, privacyHardness=1),
            "gccg": lambda: s.GraphCutConditionalGainFunction(
                n, m, 0.4, data_sijs=d, private_sijs=q, privacyHardness=n / m),
            "logdetmi": lambda: s.LogDeterminantMutualInformationFunction(
                n, m, 10.0, data_sijs=d, query_sijs=q, query_query_sijs=e, magnificationEta=1),
            "logdetcg": lambda: s.LogDeterminantConditionalGainFunction(
                n, m, 0.01, data_sijs=d, private_sijs=q, private_private_sijs=e, privacyHardness=1),
        }[form]()
    way = "NaiveGreedy" if form == "logdetmi" else "LazyGreedy"
    return [r for r, _ in f.maximize(
        budget=k, optimizer=way, stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False)]
chosen(x[:60], examples[:5], 5)
started = time.perf_counter()
rows = chosen(x, examples, k)
print(json.dumps([time.perf_counter() - started, [int(r) for r in rows]]))
"""
)

OURS = (
    START
    + """
from tamis.select.like import like
from tamis.select.unlike import unlike
keys = np.stack([np.arange(len(x), dtype=np.uint64)] * 2, axis=1)
def chosen(x, examples, k, keys):
    way = unlike if form.endswith("cg") else like
    return way(x, examples, k, form=form, keys=keys).rows
chosen(x[:1500], examples[:5], 5, keys[:1500])
started = time.perf_counter()
rows = chosen(x, examples, k, keys)
print(json.dumps([time.perf_counter() - started, [int(r) for r in rows]]))
"""
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=4_000)
    parser.add_argument("--chosen", type=int, default=400)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="interpreter with submodlib-py")
    options = parser.parse_args()
    print(machine(), "\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = vectors(options.records + options.examples, Path(folder))
        for method, forms in FORMS.items():
            for form in forms:
                what = f"{form} {options.examples}"
                seconds, own = timed(sys.executable, OURS, what, path, options.chosen, options.runs)
                theirs, picks = timed(options.peers, PEER, what, path, options.chosen, options.runs)
                shared = len(set(picks) & set(own)) / options.chosen
                rows.append([f"{method}, {form}", f"{seconds:.3f}", f"{theirs:.2f}", f"{theirs / seconds:.1f}"])
                rows[-1].append(f"{shared:.1%}")
                print(*rows[-1], file=sys.stderr, flush=True)
    print(table(["", "tamis, s", "submodlib, s", "times ours", "same picks"], rows), "\n", flush=True)


if __name__ == "__main__":
    main()
