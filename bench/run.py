"""All benchmarks, one after the other, nothing else running.

python bench/run.py [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FULL = [
    ["dsir.py"],
    ["memory.py"],
    ["scaling.py"],
    ["minhash.py"],
    ["dedup.py"],
    ["rules.py"],
    ["perplexity.py"],
    ["vectors.py"],
    ["facility.py", "--large"],
    ["kcenter.py", "--large"],
    ["dpp.py"],
    ["submodular.py"],
    ["aimed.py"],
    ["choosing.py"],
    ["vendi.py"],
    ["coresets.py"],
    ["million.py"],
]
QUICK = [
    ["dsir.py", "--records", "100000", "--peer-records", "10000", "--runs", "1"],
    ["memory.py", "--gigabytes", "0.5", "--runs", "1"],
    ["scaling.py", "--largest", "100000", "--runs", "1"],
    ["minhash.py", "--records", "2000", "--runs", "1"],
    ["dedup.py", "--records", "5000", "--peer-records", "2000", "--runs", "1"],
    ["rules.py", "--megabytes", "1", "--runs", "1", "--peer-records", "100"],
    ["perplexity.py", "--megabytes", "4", "--runs", "1"],
    ["vectors.py", "--records", "2000", "--runs", "1"],
    ["facility.py", "--records", "2000", "--chosen", "100", "--runs", "1"],
    ["kcenter.py", "--records", "5000", "--chosen", "100", "--runs", "1"],
    ["dpp.py", "--records", "5000", "--chosen", "100", "--runs", "1"],
    ["submodular.py", "--records", "2000", "--chosen", "100", "--runs", "1"],
    ["aimed.py", "--records", "1000", "--chosen", "50", "--runs", "1"],
    ["choosing.py", "--records", "5000", "--chosen", "100"],
    ["vendi.py", "--records", "1000", "--runs", "1"],
    ["coresets.py", "--only", "4000x256", "--runs", "1", "--limit", "60"],
    ["million.py", "--records", "20000"],
]


def main() -> None:
    """Run them; stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small pools, one run each: do they work")
    options = parser.parse_args()
    here = Path(__file__).parent
    for name, *arguments in QUICK if options.quick else FULL:
        print(f"\n## {name}\n", flush=True)
        if code := subprocess.run([sys.executable, str(here / name), *arguments], check=False).returncode:
            sys.exit(code)


if __name__ == "__main__":
    main()
