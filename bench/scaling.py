"""Every method on 10^4, 10^5 and 10^6 records: time must grow linearly; and `tamis --help`.

python bench/scaling.py [--largest 1000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import shutil

from common import SCRATCH, TAMIS, machine, median, pool, run, table, target

METHODS = {
    "random": ["--method", "random"],
    "stratified": ["--method", "stratified", "-O", "strata=primary"],
    "top by bytes": ["--by", "bytes"],
    "length in tokens": ["--method", "length"],
    "dsir": ["--method", "dsir"],
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    sizes = [n for n in (10_000, 100_000, 1_000_000) if n <= options.largest]
    rows = []
    for name, flags in METHODS.items():
        row = [name]
        for n in sizes:
            extra = ["--target", str(target())] if name == "dsir" else []
            walls = []
            for _ in range(options.runs):
                shutil.rmtree(SCRATCH / ".tamis", ignore_errors=True)
                command = [*TAMIS, "select", str(pool(n)), "--fraction", "10%", *flags, *extra]
                walls.append(
                    run([*command, "-o", str(SCRATCH / "scaling.jsonl"), "--force", "--quiet", "--no-report"]).wall
                )
            row.append(f"{median(walls):.2f}")
        rows.append(row)
    print(table(["seconds, start and all outputs included", *(f"{n:,} records" for n in sizes)], rows))
    print()
    walls = [run([*TAMIS, "--help"]).wall for _ in range(11)]
    print(f"tamis --help: {median(walls):.2f} s")


if __name__ == "__main__":
    main()
