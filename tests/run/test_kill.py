"""Kill it anywhere: the same command ends in the same bytes, and leaves nothing half-written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import lines_of, make_records, manifest, tamis_cli, write_pool

from tamis.corpus.store import Store

COMMAND = [sys.executable, "-m", "tamis"]
RECORDS = make_records(60)
BAD = b'{"text": 3}\nno json\n'
DSIR = ["--method", "dsir", "--target", "target.jsonl"]
#: The report takes most of the time of a small run; some tests have it.
BARE = [*DSIR, "--no-report"]


# --- every state that files can be in, and random moments, in forks of one warm process


def crash(kind: str, arguments: Sequence[str], **job: Any) -> list[str]:
    """Return what `crashing` found wrong, and as its last line how many runs died."""
    Path("work").mkdir()
    Path("work/pool.jsonl").write_bytes(lines_of(RECORDS) + BAD)
    Path("work/target.jsonl").write_bytes(lines_of(RECORDS[:7]))
    write_pool(Path("work/pool.parquet.gz"), "parquet", RECORDS)
    Path("work/disk").mkdir()
    asked = {"kind": kind, "arguments": arguments, "fragment_bytes": 3000, **job}
    alone = ["unshare", "--mount"] if kind == "no_room" else []
    done = subprocess.run(
        [*alone, sys.executable, Path(__file__).with_name("crashing.py"), "work"],
        input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def died(told: list[str]) -> int:
    """Return how many runs died, if nothing else was told."""
    assert len(told) == 1, told
    return int(told[0].removeprefix("kills: "))


JOBS: dict[str, dict[str, Any]] = {
    "new": {
        "arguments": [
            "select",
            "pool.jsonl",
            "-n",
            "20",
            "--method",
            "random",
            *BARE,
            "--shards",
            "2",
            "-o",
            "out.jsonl",
        ]
    },
    "in place of an older run": {
        "arguments": ["select", "pool.jsonl", "-n", "20", "--method", "random", *BARE, "--force", "-o", "out.jsonl"],
        "before": [
            "select",
            "pool.jsonl",
            "-n",
            "20",
            "--method",
            "random",
            "--shards",
            "3",
            "--no-report",
            "-o",
            "out.jsonl",
        ],
    },
    "annotate": {"arguments": ["annotate", "pool.jsonl", "--signals", "bytes", "--into", "-o", "out.parquet.gz"]},
}


@pytest.mark.parametrize("name", JOBS)
def test_killed_at_every_change_on_disk(name: str) -> None:
    """At each of them; until the manifest is there whatever manifest there was tells the truth."""
    job = JOBS[name]
    assert died(crash("everywhere", [*job["arguments"], "--threads", "1"], before=job.get("before", []))) > 25


def test_killed_several_times_in_a_row() -> None:
    """With a report, whose bytes are the same too."""
    job = JOBS["in place of an older run"]
    arguments = [part for part in job["arguments"] if part != "--no-report"]
    assert crash("again_and_again", arguments, before=job["before"], rounds=4, last=40, seed=5) == []


@pytest.mark.parametrize(("name", "code", "seed"), [("SIGKILL", -9, 11), ("SIGINT", 130, 12)])
def test_killed_at_any_time(name: str, code: int, seed: int) -> None:
    """`kill -9`, and Ctrl-C with its own exit code, in the middle of whatever is under way."""
    arguments = JOBS["new"]["arguments"]
    assert died(crash("any_time", arguments, signal=name, code=code, rounds=24, seed=seed)) >= 8


def test_full_disk() -> None:
    """Whatever file the disk has no room for: exit code 2, the outputs of before, and room made it completes."""
    job = JOBS["in place of an older run"]
    limits = [0, 1, 20, 100, 300, 600, 900, 1300, 2000, 3000, 4500, 7000, 10_000, 20_000]
    assert died(crash("full_disk", job["arguments"], before=job["before"], limits=limits)) >= 8


def test_no_room_to_unpack() -> None:
    """Tables in one compressed stream are unpacked first: a full disk there is no damaged input."""
    arguments = ["select", "pool.parquet.gz", "-n", "20", "--method", "random", "--no-report", "-o", "out.parquet"]
    assert died(crash("full_disk", arguments, limits=[100, 1000, 2000, 3000])) >= 2


def _may_mount() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    mount = "mount -t tmpfs -o size=64k tamis /mnt"
    return subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="needs the right to mount a small file system")
def test_full_file_system() -> None:
    """As above, on file systems that are full indeed, in store, outputs and folders alike."""
    arguments = ["select", "pool.jsonl", "-n", "20", "--method", "random", *BARE, "-o", "disk/out.parquet"]
    assert died(crash("no_room", arguments, folder="disk", limits=list(range(4, 120, 8)))) >= 7


# --- the command itself, from its start


def outputs() -> dict[str, Any]:
    """Return the outputs by their hash; the manifest by what it tells of the result."""
    found: dict[str, Any] = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in Path().glob("out*")}
    if "out.manifest.json" in found:
        found["out.manifest.json"] = {**manifest(Path("out.jsonl")), "run": None}
    return found


def forget() -> None:
    for path in Path().glob("out*"):
        path.unlink()
    if Path(".tamis").exists():
        assert tamis_cli("clean")[0] == 0


def test_killed_from_start_to_end() -> None:
    """Sixteen kills at times from the start of the interpreter to the end of the run."""
    Path("pool.jsonl").write_bytes(lines_of(make_records(1500)) + BAD)
    Path("target.jsonl").write_bytes(lines_of(RECORDS[:20]))
    command = [*COMMAND, "select", "pool.jsonl", "-n", "500", *DSIR, "--quiet", "-o", "out.jsonl"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    wanted = outputs()
    forget()
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    took = time.perf_counter() - started
    draw, kills = random.Random(7), 0
    for number in range(16):
        if number % 4 == 0:
            forget()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(took * draw.uniform(0.3, 1))
            except subprocess.TimeoutExpired:
                process.kill()
        kills += process.returncode == -signal.SIGKILL
        if number % 4 == 3 and "out.manifest.json" not in outputs():
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
        if "out.manifest.json" in outputs():
            assert outputs() == wanted
            assert not Path(".out.part").exists()
            forget()
    assert kills >= 8


# --- a run that is under way, held still


class Held:
    """A run that is stopped once the store holds a column, with most of its work to do."""

    def __init__(self, *arguments: str) -> None:
        text = " ".join(f"word{i}" for i in range(1500))
        lines = lines_of([{"text": f"{i} {text}"} for i in range(90)])
        with Path("pool.jsonl").open("wb") as file:
            for _ in range(50):  # some 30 fragments of 2 MB: what --memory 450MB leaves room for
                file.write(lines)
        Path("target.jsonl").write_bytes(lines_of(RECORDS[:7]))
        self.arguments = [*arguments, "--memory", "450MB", "--threads", "1"]
        self.process = subprocess.Popen(
            [*COMMAND, *self.arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.until(lambda: len(self.columns()) > 2)
        self.process.send_signal(signal.SIGSTOP)

    def until(self, holds: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not holds():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() - started < 60
            time.sleep(0.002)

    def columns(self) -> dict[str, tuple[int, int]]:
        """Return inode and time of each column of the pool that is finished."""
        found = {}
        for path in Path(".tamis/files").glob("*/*.ngrams-*.arrow"):
            about = path.stat()
            found[str(path)] = (about.st_ino, about.st_mtime_ns)
        return found

    def end(self, sent: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(sent)
        self.process.send_signal(signal.SIGCONT)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_store_resumes(sent: signal.Signals) -> None:
    """What was computed when the run was ended is not computed again; nothing else is left of it."""
    command = ["select", "pool.jsonl", "-n", "9", *BARE, "-o", "out.jsonl"]
    held = Held(*command)
    code, said = held.end(sent)
    assert code == (-9 if sent == signal.SIGKILL else 130), said
    if code == 130:
        assert "interrupted" in said
        assert "Traceback" not in said
        assert not Path(".out.part").exists()
    assert not list(Path().glob("out*"))
    kept = held.columns()
    assert len(kept) > 2
    code, _, said = tamis_cli(*held.arguments)
    assert code == 0, said
    now = held.columns()
    assert len(now) > len(kept) + 5, "it was held in the middle"
    assert {name: now[name] for name in kept} == kept
    assert not Path(".out.part").exists()
    resumed = outputs()
    forget()
    assert tamis_cli(*command)[0] == 0
    assert resumed == outputs(), "as a run that nothing disturbed, with other fragments"


def test_two_runs_on_one_store() -> None:
    """The second is told who holds it and ends; the first goes on as if nothing had been; a kill frees the store."""
    held = Held("select", "pool.jsonl", "-n", "9", *BARE, "-o", "out.jsonl")
    before = held.columns()
    for arguments in (
        ["select", "target.jsonl", "-n", "3", "-o", "other.jsonl"],
        ["annotate", "target.jsonl", "--signals", "bytes", "-o", "other.jsonl"],
        ["clean"],
    ):
        code, _, said = tamis_cli(*arguments)
        assert code == 2
        assert f"held by process {held.process.pid} on {os.uname().nodename}: tamis select pool.jsonl" in said
    assert not list(Path().glob("other*"))
    assert not list(Path().glob(".other*"))
    # The same outputs are not written twice at a time either, whatever the store.
    code, _, said = tamis_cli(*held.arguments, "--store", "another")
    assert code == 2
    assert f"out.jsonl is being written by process {held.process.pid}" in said
    assert held.columns() == before
    code, said = held.end(signal.SIGCONT)
    assert code == 0, said
    assert held.columns().items() >= before.items()
    assert Path("out.manifest.json").exists()
    assert tamis_cli("select", "target.jsonl", "-n", "3", "-o", "other.jsonl")[0] == 0


def test_a_killed_run_holds_nothing() -> None:
    held = Held("select", "pool.jsonl", "-n", "9", *BARE, "-o", "out.jsonl")
    held.process.kill()
    held.process.communicate(timeout=60)
    Store(Path(".tamis")).close()
    assert tamis_cli("select", "target.jsonl", "-n", "3", "-o", "out.jsonl")[0] == 0


def test_standard_input_again() -> None:
    """A run on a pipe is completed by the same command on the same bytes; half copies do not pile up."""
    pool = lines_of(make_records(400))
    command = [*COMMAND, "select", "-", "-n", "20", "--quiet", "-o", "out.jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(pool[:9000])
        process.stdin.flush()
        started = time.monotonic()
        while not list(Path().glob(".tamis/spool/.stdin*")) and time.monotonic() - started < 60:
            time.sleep(0.01)
        process.kill()
        process.stdin.close()
    assert list(Path().glob(".tamis/spool/.stdin*"))
    done = subprocess.run(command, input=pool, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name[:6] for path in Path(".tamis/spool").iterdir()] == ["stdin-"]
    assert manifest(Path("out.jsonl"))["counts"]["records"] == 400
