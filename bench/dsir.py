"""DSIR from JSONL to JSONL, against the package `data-selection`, equal core counts, in one run.

    python bench/dsir.py [--records 1000000] [--peer-records 40000] [--runs 5]

The peer is run on a part (it is slow) in its own best mode: one process a core. Both read JSONL,
fit, weigh, draw 10 % and write JSONL; tamis also writes decisions and manifest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

import numpy as np
from common import SCRATCH, TAMIS, machine, median, pool, run, table, target

PEER = """
import sys
from data_selection import HashedNgramDSIR
pool, target, out, k, processes = sys.argv[1:]
d = HashedNgramDSIR([pool], [target], cache_dir=out + "-cache", num_proc=int(processes))
d.fit_importance_estimator(num_tokens_to_fit="auto")
d.compute_importance_weights()
d.resample(out_dir=out, num_to_sample=int(k), cache_dir=out + "-resampled")
"""


def ours(records: int, cores: int, runs: int) -> tuple[float, float, list[float]]:
    """Return median wall seconds, peak memory in MB and all walls of a cold-store run."""
    walls, peaks = [], []
    source, wanted = pool(records), target()
    for attempt in range(runs + 1):
        shutil.rmtree(SCRATCH / ".tamis", ignore_errors=True)
        command = [*TAMIS, "select", str(source), "--fraction", "10%", "--method", "dsir", "--target", str(wanted)]
        done = run(
            [*command, "--threads", str(cores), "-o", str(SCRATCH / "ours.jsonl"), "--force", "--quiet", "--no-report"]
        )
        if attempt:  # the first fills the page cache and the compiler's cache
            walls.append(done.wall)
            peaks.append(done.peak / 2**20)
    return median(walls), median(peaks), walls


def peer(records: int, cores: int, runs: int) -> tuple[float, float]:
    """Return median wall seconds and peak memory in MB of the reference package."""
    walls, peaks = [], []
    source, wanted = pool(records), target()
    for _ in range(runs):
        for left in SCRATCH.glob("peer*"):
            shutil.rmtree(left, ignore_errors=True)
        arguments = [str(source), str(wanted), str(SCRATCH / "peer"), str(records // 10), str(cores)]
        done = run([sys.executable, "-c", PEER, *arguments])
        walls.append(done.wall)
        peaks.append(done.peak / 2**20)
    return median(walls), median(peaks)


def kernels() -> list[list[str]]:
    """Return rows of the kernels' speed on one core, beside the speed of reading the same memory."""
    import time

    import pyarrow as pa

    from tamis.corpus.chunk import Text
    from tamis.kernels.ngrams import count_buckets, ngram_buckets, score_buckets

    texts = [line.split('"text": "', 1)[1] for line in pool(100_000).open(encoding="utf-8")][:40_000]
    text = Text.of(pa.array(texts, pa.large_string()))
    size = len(text.data)
    weights = np.linspace(-1, 1, 10_000)
    values, offsets = ngram_buckets(text.data, text.offsets, 2, 10_000)
    steps = {
        "n-gram buckets (n = 2)": lambda: ngram_buckets(text.data, text.offsets, 2, 10_000),
        "count buckets": lambda: count_buckets(values, 10_000),
        "score records": lambda: score_buckets(values, offsets, weights),
        "limit: read every byte": lambda: np.add.reduce(text.data.view(np.uint8)[: size // 8 * 8].view(np.uint64)),
    }
    rows = []
    for name, step in steps.items():
        step()
        seconds = []
        for _ in range(9):
            started = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - started)
        rows.append([name, f"{size / median(seconds) / 1e6:,.0f} MB/s"])
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--peer-records", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(machine())
    wall, peak, walls = ours(options.records, cores, options.runs)
    rate = options.records / wall
    size = pool(options.records).stat().st_size
    spread = f"{min(walls):.1f} to {max(walls):.1f}"
    rows = [
        [
            "tamis",
            f"{options.records:,}",
            f"{wall:.1f} ({spread})",
            f"{rate:,.0f}",
            f"{size / wall / 1e6:.0f}",
            f"{peak:,.0f}",
        ]
    ]
    try:
        import data_selection  # noqa: F401
    except ImportError:
        print("data-selection is not installed: pip install data-selection==1.0.3 for the comparison")
    else:
        theirs, their_peak = peer(options.peer_records, cores, min(3, options.runs))
        their_size = pool(options.peer_records).stat().st_size
        their_rate = options.peer_records / theirs
        rows.append(
            [
                "data-selection 1.0.3",
                f"{options.peer_records:,}",
                f"{theirs:.1f}",
                f"{their_rate:,.0f}",
                f"{their_size / theirs / 1e6:.1f}",
                f"{their_peak:,.0f}",
            ]
        )
        rows.append(["ratio (records/s)", "", "", f"{rate / their_rate:.0f} x", "", ""])
    print(
        table(["DSIR, JSONL to JSONL, 10 %", "records", "seconds", "records/s", "MB/s", "peak MB (one process)"], rows)
    )
    print()
    print(table(["kernel, one core", "of text"], kernels()))


if __name__ == "__main__":
    main()
