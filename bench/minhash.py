"""MinHash: signatures on one core beside rensa and datasketch, whole dedup in memory, and quality on real pools.

    python bench/minhash.py [--records 20000] [--runs 5] [--peers PYTHON]

`--peers` is the interpreter of an environment with rensa and datasketch (measured: 0.5.0 and 2.0.0).
Each system runs in a process of its own, bound to one core for signatures; speeds are of CPU seconds,
medians. Peers shingle as their users do (lowercase, split, join 5 words); rensa is timed both ways it
offers: an object a record, and its matrix of a whole batch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from common import DATA, SCRATCH, abstracts, machine, median, pool, table

PEER = """
import json, os, statistics, sys, time
path, what, records, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) if what != "dedup" else None
with open(path, encoding="utf-8") as lines:
    texts = [json.loads(line)["text"] for _, line in zip(range(records), lines)]
def shingles(text):
    w = text.lower().split()
    return [" ".join(w[i:i + 5]) for i in range(max(1, len(w) - 4))]
def datasketch():
    from datasketch import MinHash
    for text in texts:
        sketch = MinHash(num_perm=128)
        sketch.update_batch([s.encode() for s in shingles(text)])
def rensa():
    from rensa import RMinHash
    for text in texts:
        sketch = RMinHash(128, 42)
        sketch.update(shingles(text))
def matrix():
    from rensa import RMinHash
    RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], 128, 42)
def dedup():
    from rensa import RMinHash, RMinHashLSH
    found = RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], 128, 42)
    flags = RMinHashLSH(0.8, 128, 16).query_duplicate_flags_matrix_one_shot(found)
    return sum(flags)
clock = time.perf_counter if what == "dedup" else time.process_time
walls = []
for _ in range(runs):
    started = clock()
    told = globals()[what]()
    walls.append(clock() - started)
print(json.dumps([statistics.median(walls), told]))
"""


def timed(step: Callable[[], object], runs: int, clock: Callable[[], float] = time.process_time) -> float:
    """Return the median seconds of a step, after one run that does not count."""
    step()
    found = []
    for _ in range(runs):
        started = clock()
        step()
        found.append(clock() - started)
    return median(found)


def peer(python: str, path: Path, what: str, records: int, runs: int) -> tuple[float, object]:
    """Return median seconds of a peer and what it told."""
    command = [python, "-c", PEER, str(path), what, str(records), str(runs)]
    seconds, told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, told


def read(path: Path, records: int) -> list[str]:
    """Return the texts of the first records of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for _, line in zip(range(records), lines, strict=False)]


def signature_rows(path: Path, records: int, runs: int, python: str | None) -> list[list[str]]:
    """Return rows of signatures a second on one core."""
    import pyarrow as pa

    from tamis.corpus.chunk import Text
    from tamis.signals.minhash import MinHash

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    texts = read(path, records)
    text = Text.of(pa.array(texts, pa.large_string()))
    kilobytes = len(text.data) / 1000
    found = {"tamis": timed(lambda: MinHash().column(text), runs)}
    found["tamis, 20 characters"] = timed(lambda: MinHash(unit="chars").column(text), runs)
    os.sched_setaffinity(0, cores)
    if python:
        few = min(records, 4000)
        share = sum(len(t.encode()) for t in texts[:few]) / 1000 / kilobytes
        for name, what in (("rensa, objects", "rensa"), ("rensa, matrix", "matrix"), ("datasketch", "datasketch")):
            found[name] = peer(python, path, what, few, min(runs, 3))[0] / share
    return [[name, f"{kilobytes / seconds:,.0f}", f"{seconds / found['tamis']:.1f}"] for name, seconds in found.items()]


def whole(path: Path, threads: int, sample: int) -> tuple[float, dict]:
    """Return wall seconds from texts in memory to decisions, and the report."""
    import pyarrow as pa

    from tamis.corpus.corpus import Settings
    from tamis.corpus.identity import Ids
    from tamis.run.dedup import dedup
    from tamis.run.options import Runtime
    from tamis.run.session import Session
    from tamis.signals.compute import compute
    from tamis.signals.minhash import MinHash

    records = pa.table({"text": pa.array(read(path, 10**9), pa.large_string())})
    walls = []
    for _ in range(4):
        started = time.perf_counter()
        with Session(Runtime(threads=threads)) as session:
            corpus = session.corpus(records, Settings())
            compute(corpus, [MinHash()])
            ids = Ids(corpus.rows, [opened.source.name for opened in corpus.opened])
            report = dedup(corpus, ids, corpus.rows.status == 0, sample=sample).report
        walls.append(time.perf_counter() - started)
    return statistics.median(walls[1:]), report


def quality() -> list[list[str]]:
    """Return rows of what LSH found of all similar pairs of real pools, by exact comparison."""
    from tamis.corpus.corpus import Settings
    from tamis.corpus.identity import Ids
    from tamis.run.dedup import dedup
    from tamis.run.options import Runtime
    from tamis.run.session import Session
    from tamis.signals.compute import compute
    from tamis.signals.minhash import MinHash

    pools = {
        "gpteacher toolformer": "gpteacher/toolformer-dedupe-only-dataset.json.gz",
        "alpaca_52k": "alpaca_52k/alpaca_data.json.gz",
        "cls_20newsgroups": "cls_20newsgroups/20news_bydate.jsonl.gz",
        "corpus_gesetze_de": "corpus_gesetze_de/gesetze.jsonl.xz",
    }
    rows = []
    for name, file in pools.items():
        with Session(Runtime()) as session:
            corpus = session.corpus([str(DATA / file)], Settings())
            compute(corpus, [MinHash()])
            ids = Ids(corpus.rows, [file])
            for threshold in (0.9, 0.8, 0.7, 0.6):
                told = dedup(corpus, ids, corpus.rows.status == 0, threshold=threshold, sample=10**9).report
                sample = told["sample"]
                recall = "none" if sample["recall"] is None else f"{sample['recall']:.3f}"
                rows.append(
                    [name, f"{len(ids.keys):,}", f"{threshold}", f"{told['removed']:,}", f"{sample['records']:,}",
                     f"{sample['pairs']:,}", recall, f"{1 - told['expected']['miss']:.3f}", f"{sample['both_stay']:,}"]
                )  # fmt: skip
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", help="interpreter of an environment with rensa and datasketch")
    options = parser.parse_args()
    print(machine(), "\n")
    every = sum(1 for _ in abstracts())
    path = pool(every)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    rows = signature_rows(path, options.records, options.runs, options.peers)
    print(table(["signatures, one core", "records of 1 KB a second", "times the time of tamis"], rows), "\n")
    rows = []
    for threads in (1, len(os.sched_getaffinity(0))):
        for sample in (0, 20_000):
            wall, report = whole(path, threads, sample)
            rows.append([f"tamis, {threads} threads, sample {sample:,}", f"{wall:.2f}", f"{report['removed']:,}"])
    if options.peers:
        wall, flagged = peer(options.peers, path, "dedup", every, 1)
        rows.append(["rensa, matrix (flags candidates, not verified)", f"{wall:.2f}", f"{flagged:,}"])
    print(table([f"dedup of {every:,} abstracts in memory, 0.8", "seconds", "records out"], rows), "\n")
    header = [
        "pool",
        "records",
        "threshold",
        "out",
        "compared all with all",
        "pairs",
        "recall",
        "expected",
        "both stay",
    ]
    print(table(header, quality()))


if __name__ == "__main__":
    main()
