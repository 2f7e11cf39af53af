"""Near-duplicates from file to file, beside text-dedup and datatrove, and how good each is.

    python bench/dedup.py [--records 100000] [--peer-records 20000] [--runs 3] [--peers PYTHON]

`--peers` is the interpreter of an environment with `text-dedup` and `datatrove[processing]` (measured: 0.4.0
and 0.10.1). The pool is real abstracts, of which one in ten stands there again with some of its words
changed, from none to a third. Everyone: 5 words, 0.8, whole processes, two workers, best published settings for
that threshold. Quality is judged on the small pool, by all similar pairs (Jaccard of 5-word shingles of the
lower-cased text, found exactly): pairs of which both stay, and records that went although they are like
no other.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from common import SCRATCH, TAMIS, Run, abstracts, machine, median, run, table

DATATROVE = """
import sys
from datatrove.executor import LocalPipelineExecutor as Local
from datatrove.pipeline.dedup import MinhashDedupSignature, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
folder, name, out, workers = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
config = MinhashConfig(hash_config=HashConfig(precision=64), n_grams=5, num_buckets=14, hashes_per_bucket=8)
read = JsonlReader(folder, glob_pattern=name)
def go(steps, tasks):
    Local(pipeline=steps, tasks=tasks, workers=workers, logging_dir=None, skip_completed=False).run()
go([read, MinhashDedupSignature(output_folder=out + "/s", config=config)], 1)
go([MinhashDedupBuckets(input_folder=out + "/s", output_folder=out + "/b", config=config)], 14)
go([MinhashDedupCluster(input_folder=out + "/b", output_folder=out + "/r", config=config)], 1)
go([read, MinhashDedupFilter(input_folder=out + "/r"),
    JsonlWriter(out, output_filename="kept.jsonl", compression=None)], 1)
"""


def planted(records: int) -> Path:
    """Return a JSONL file of `records` abstracts, one in ten of them another one's with words changed."""
    path = SCRATCH / f"planted-{records}.jsonl"
    if path.exists():
        return path
    SCRATCH.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    base = [f"{r['title']}. {r['abstract']}" for r, _ in zip(abstracts(), range(records * 9 // 10), strict=False)]
    words = " ".join(base[:1000]).split()
    texts = list(base)
    for i in range(records - len(base)):
        found, share = base[i * 9 % len(base)].split(), chance.random() * 0.1
        texts.append(" ".join(chance.choice(words) if chance.random() < share else word for word in found))
    chance.shuffle(texts)
    path.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
    return path


def similar(path: Path, threshold: float = 0.8) -> list[tuple[str, str]]:
    """Return all pairs of ids whose sets of 5-word shingles are alike, by an index of every shingle."""
    sets: dict[str, set[str]] = {}
    index: dict[str, list[str]] = defaultdict(list)
    pairs = []
    with path.open() as lines:
        for line in lines:
            record = json.loads(line)
            words = record["text"].lower().split()
            mine = {" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))}
            shared = Counter(other for shingle in mine for other in index[shingle])
            for other, common in shared.items():
                if common / (len(mine) + len(sets[other]) - common) >= threshold:
                    pairs.append((other, record["id"]))
            for shingle in mine:
                index[shingle].append(record["id"])
            sets[record["id"]] = mine
    return pairs


def ids(path: Path) -> set[str]:
    """Return the ids of a JSONL file."""
    with path.open() as lines:
        return {str(json.loads(line)["id"]) for line in lines}


def ours(path: Path) -> tuple[Run, set[str]]:
    """Run tamis over a file; return the process and the ids that stay."""
    shutil.rmtree(SCRATCH / ".tamis", ignore_errors=True)
    out = SCRATCH / "dedup.jsonl"
    done = run([*TAMIS, "dedup", str(path), "-o", str(out), "--force", "--quiet", "--no-report"], watch=True)
    return done, ids(out)


def text_dedup(path: Path, python: str) -> tuple[Run, set[str]]:
    """Run text-dedup over a file; return the process and the ids that stay."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--path", "json", "--data_files", str(path), "--split", "train", "--cache_dir", folder + "/c"]
        options += ["--output", folder + "/o", "--column", "text", "--ngram", "5", "--threshold", "0.8"]
        options += ["--num_perm", "128", "--min_length", "1", "--num_proc", "2", "--hash_func", "xxh3"]
        done = run([python, "-m", "text_dedup.minhash", *options, "--batch_size", "1000"], watch=True, folder=folder)
        shown = "import datasets, json, sys; print(json.dumps(datasets.load_from_disk(sys.argv[1])['id'][:]))"
        told = run([python, "-c", shown, folder + "/o"]).output
        return done, {str(one) for one in json.loads(told.splitlines()[-1])}


def datatrove(path: Path, python: str) -> tuple[Run, set[str]]:
    """Run datatrove's four steps over a file; return the process and the ids that stay."""
    with tempfile.TemporaryDirectory() as folder:
        done = run([python, "-c", DATATROVE, str(path.parent), path.name, folder, "2"], watch=True, folder=folder)
        return done, ids(Path(folder) / "kept.jsonl")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--peer-records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="interpreter with text-dedup and datatrove")
    options = parser.parse_args()
    print(machine(), "\n")
    small, large = planted(options.peer_records), planted(options.records)
    pairs = similar(small)
    alike = {one for pair in pairs for one in pair}
    everyone = ids(small)
    systems = {
        "tamis": ours,
        "text-dedup": lambda path: text_dedup(path, options.peers),
        "datatrove": lambda path: datatrove(path, options.peers),
    }
    rows = []
    for name, system in systems.items():
        found = [system(small) for _ in range(options.runs)]
        done, left = found[0]
        both = sum(a in left and b in left for a, b in pairs)
        wrong = len((everyone - left) - alike)
        wall = median([one.wall for one, _ in found])
        speed = [f"{wall:.1f}", f"{options.peer_records / wall:,.0f}", f"{done.peak / 2**20:,.0f}"]
        rows.append([name, *speed, f"{len(everyone - left):,}", f"{both:,} of {len(pairs):,}", f"{wrong:,}"])
        print("|", " | ".join(rows[-1]), "|", flush=True)
    header = ["", "seconds", "records/s", "peak MB", "out", "similar pairs that both stay", "out, like no other"]
    print(f"\n{options.peer_records:,} records\n\n{table(header, rows)}\n")
    rows = []
    for name, system in systems.items():
        done = system(large)[0]
        peak = f"{done.peak / 2**20:,.0f}"
        rows.append([name, f"{done.wall:.1f}", f"{options.records / done.wall:,.0f}", f"{done.cpu:.0f}", peak])
    print(f"{options.records:,} records\n\n{table(['', 'seconds', 'records/s', 'CPU seconds', 'peak MB'], rows)}")


if __name__ == "__main__":
    main()
