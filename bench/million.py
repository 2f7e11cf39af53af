"""Every kind of signal and filter over a million records under `--memory`: seconds and peak memory.

python bench/million.py [--records 1000000] [--memory 4GB] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import shutil

from common import SCRATCH, TAMIS, machine, pool, run, table, target

#: What is run: name, options.
WORK: dict[str, list[str]] = {
    "rules": ["--rules", "gopher,c4,fineweb", "--fraction", "10%"],
    "dedup": ["--dedup", "0.8", "--fraction", "10%"],
    "against": ["--against", "TARGET", "--fraction", "10%"],
    "perplexity": ["--method", "top", "--by", "perplexity:asc", "--target", "TARGET", "--fraction", "10%"],
    "perplexity of the pool": ["--method", "top", "--by", "perplexity:asc", "--fraction", "10%"],
    "vectors, kmq": ["--method", "kmq", "--fraction", "10%"],
    "vectors, semdedup": ["--method", "semdedup", "-O", "eps=0.05", "--fraction", "10%"],
    "vectors, kcenter": ["--method", "kcenter", "-n", "1000"],
    "vectors, facility": ["--method", "facility", "-n", "1000"],
    "dsir, with report": ["--method", "dsir", "--target", "TARGET", "--fraction", "10%", "--report"],
    "kmq, with report": ["--method", "kmq", "--fraction", "10%", "--report"],
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--only", nargs="*", default=list(WORK))
    options = parser.parse_args()
    print(machine())
    source, aim = pool(options.records, mixed=True), str(target())
    size = source.stat().st_size
    rows = []
    for name in options.only:
        shutil.rmtree(SCRATCH / ".tamis", ignore_errors=True)
        work = [aim if word == "TARGET" else word for word in WORK[name]]
        report = [] if "--report" in work else ["--no-report"]
        command = [*TAMIS, "select", str(source), *work, *report, "--memory", options.memory]
        done = run([*command, "-o", str(SCRATCH / "million.jsonl"), "--force", "--quiet"], watch=True)
        rows.append(
            [name, f"{done.wall:.1f}", f"{size / done.wall / 1e6:.0f}"]
            + [f"{part / 2**20:,.0f}" for part in (done.anonymous, done.peak)]
        )
        print("|", " | ".join(rows[-1]), "|", flush=True)
    header = ["", "seconds", "MB/s", "peak MB, page cache aside", "peak MB, mapped files included"]
    print(f"\n{options.records:,} records, {size / 1e9:.2f} GB, --memory {options.memory}\n")
    print(table(header, rows))


if __name__ == "__main__":
    main()
