"""The Vendi score at 4,000 x 256 beside the package vendi_score, in one run.

    python bench/vendi.py [--records 4000] [--width 256] [--runs 5]

Its usual path is `score_X`: the kernel of all pairs and its eigenvalues. `score_dual` is its other one, which solves
the matrix of the columns. Wall seconds, medians, compilation left out; runs alternate.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from common import machine, median, table

from tamis.measure.diversity import vendi


def main() -> None:
    """Time and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--records", type=int, default=4000)
    asked.add_argument("--width", type=int, default=256)
    asked.add_argument("--runs", type=int, default=5)
    options = asked.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vendi_score import vendi as peer

    x = np.random.default_rng(0).normal(size=(options.records, options.width))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    ways: dict[str, Callable[[], float]] = {
        "tamis, order 1": lambda: vendi(x),
        "tamis, order 2": lambda: vendi(x, 2),
        "vendi_score, score_X": lambda: peer.score_X(unit, normalize=False),
        "vendi_score, score_dual": lambda: peer.score_dual(unit, normalize=False),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    values = {name: way() for name, way in ways.items()}  # compiles, and warms the caches
    for _ in range(options.runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - started)
    print(machine())
    ours = median(took["tamis, order 1"])
    rows = [[n, f"{values[n]:.4f}", f"{median(t) * 1000:.1f}", f"{median(t) / ours:.1f}"] for n, t in took.items()]
    print(table(["way", "score", "milliseconds", "times ours"], rows))


if __name__ == "__main__":
    main()
