"""What the benchmarks share: pools of real records, and runs of whole processes, timed and weighed."""

from __future__ import annotations

import json
import lzma
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TAMIS_DATA", REPOSITORY.parent / "shared" / "data"))
#: Pools and outputs of benchmarks; a plain folder on a local disk.
SCRATCH = Path(os.environ.get("TAMIS_BENCH", REPOSITORY / "demo" / "bench"))
TAMIS = [sys.executable, "-m", "tamis"]


@dataclass(frozen=True)
class Run:
    """One finished process: wall seconds, CPU seconds, peak resident and peak anonymous memory (bytes)."""

    wall: float
    cpu: float
    peak: int
    anonymous: int
    output: str


def abstracts() -> Iterator[dict[str, str]]:
    """Yield the records of `corpus_arxiv`; stop with a message where it is absent."""
    folder = DATA / "corpus_arxiv"
    if not folder.is_dir():
        sys.exit(f"the benchmarks need {folder}: set TAMIS_DATA to where the real data is")
    for path in sorted(folder.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def pool(records: int, *, mixed: bool = False) -> Path:
    """Return a JSONL file of `records` real abstracts, repeated with other ids beyond their number.

    `mixed` ones are no copies when they are repeated: from the second round on, a record is the first
    half of one abstract and the second half of another.
    """
    path = SCRATCH / f"arxiv-{'mixed-' if mixed else ''}{records}.jsonl"
    if path.exists():
        return path
    SCRATCH.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    written, times = 0, 0
    everything = list(abstracts())
    with aside.open("w", encoding="utf-8") as out:
        while written < records:
            for i, record in enumerate(everything):
                text = f"{record['title']}. {record['abstract']}"
                if mixed and times:
                    other = everything[(i + 7919 * times) % len(everything)]["abstract"]
                    text = text[: len(text) // 2] + other[len(other) // 2 :]
                line = {"id": f"{record['id']}/{times}", "text": text, "primary": record["primary"]}
                out.write(json.dumps(line) + "\n")
                written += 1
                if written == records:
                    break
            times += 1
    aside.rename(path)
    return path


def target(records: int = 200, primary: str = "cs.CL") -> Path:
    """Return a JSONL file of some abstracts of one field."""
    path = SCRATCH / f"target-{primary}-{records}.jsonl"
    if not path.exists():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        found = [r for r in abstracts() if r["primary"] == primary][:records]
        lines = [json.dumps({"text": f"{r['title']}. {r['abstract']}"}) for r in found]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(command: list[str], *, watch: bool = False, folder: str | None = None) -> Run:
    """Run a command to its end; stop everything if it fails.

    With `watch`, its resident and its anonymous memory (page cache aside) are sampled every 20 ms;
    without, the peak is the system's own figure for the largest process. `folder` is where it runs.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=folder)
        peak, anonymous = 0, 0
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG if watch else 0)
            if pid:
                break
            facts = _status(process.pid)
            peak, anonymous = max(peak, facts.get("VmRSS", 0)), max(anonymous, facts.get("RssAnon", 0))
            time.sleep(0.02)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{errors.read().decode()}")
        return Run(
            wall, used.ru_utime + used.ru_stime, peak or used.ru_maxrss * 1024, anonymous, output.read().decode()
        )


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    found = [line.split() for line in lines if line.startswith(("VmRSS", "RssAnon"))]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in found}


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def machine() -> str:
    """Return the machine in a line."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, {platform.system()}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
