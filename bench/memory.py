"""`random` 10 % of a 5 GB JSONL under `--memory 1GB`: peak memory and speed.

python bench/memory.py [--gigabytes 5] [--memory 1GB] [--runs 3]
"""

from __future__ import annotations

import argparse
import shutil

from common import SCRATCH, TAMIS, machine, median, pool, run, table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    source = pool(int(options.gigabytes * 1e9 / 1_078))
    size = source.stat().st_size
    done = []
    for _ in range(options.runs):
        shutil.rmtree(SCRATCH / ".tamis", ignore_errors=True)
        command = [*TAMIS, "select", str(source), "--fraction", "10%", "--memory", options.memory]
        done.append(
            run([*command, "-o", str(SCRATCH / "memory.jsonl"), "--force", "--quiet", "--no-report"], watch=True)
        )
    wall = median([one.wall for one in done])
    anonymous = max(one.anonymous for one in done) / 2**20
    peak = max(one.peak for one in done) / 2**20
    row = [
        f"{size / 1e9:.2f} GB",
        options.memory,
        f"{wall:.1f}",
        f"{size / wall / 1e6:.0f}",
        f"{anonymous:,.0f}",
        f"{peak:,.0f}",
    ]
    header = [
        "random 10 %",
        "ceiling",
        "seconds",
        "MB/s",
        "peak MB, page cache aside",
        "peak MB, mapped files included",
    ]
    print(table(header, [row]))


if __name__ == "__main__":
    main()
