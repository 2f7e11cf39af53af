"""Runs a command many times in forks of one warm process, and kills each at another moment.

    python crashing.py FOLDER < job.json

The job names what to run and when to kill; the answer, on the last line of stdout, says what was
seen. A process of its own, so that forks hold no threads of a test runner, and that an audit hook
(which cannot be taken off again) stays here.

What a run changes on disk it does by opening a file to write, making, renaming, cutting short or
removing one: Python tells each to the audit hook before it happens. To be killed at every one of
them is to be killed in every state that files can be in, but for half-written ones; kills at
random times add those.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401  (what a run imports late, it would import in every fork)

from tamis.cli import run
from tamis.corpus.identity import file_hash
from tamis.engine import Local
from tamis.run.session import Session

#: What of a manifest tells of a run, and not of its result.
TIMES = ("run",)
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


class Hook:
    """Counts changes on disk in the working folder; kills at one of them."""

    def __init__(self) -> None:
        self.armed = False
        self.count = 0
        self.kill_at = 0
        self.here = str(Path.cwd())

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.armed or not (event in CHANGES or (event == "open" and self._writes(given))):
            return
        if isinstance(given[0], str | bytes | os.PathLike):
            path = os.fsdecode(given[0])
            if path.startswith("/") and not path.startswith(self.here):
                return
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _writes(self, given: tuple[Any, ...]) -> bool:
        flags = given[2] if isinstance(given[2], int) else 0
        return isinstance(given[0], str) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


class Crashes:
    """The command, its outputs, and its forks."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.arguments: list[str] = job["arguments"]
        self.before: list[str] = job.get("before", [])
        self.folder: str = job.get("folder", ".")
        self.hook = Hook()
        self.kept = {path.name for path in Path().iterdir()}
        sys.addaudithook(self.hook)
        Session._fragment_bytes = lambda _: job.get("fragment_bytes")  # type: ignore[method-assign]

    def fork(self, *arguments: str, kill_at: int = 0, limit: int | None = None) -> tuple[int, str]:
        """Run in a fork; return its exit code (negative: the signal it died of) and its stderr."""
        child, error = self.start(*arguments, kill_at=kill_at, limit=limit)
        return self.end(child, error)

    def end(self, child: int, error: int) -> tuple[int, str]:
        """Wait for a fork to end; return its exit code and its stderr."""
        with os.fdopen(error) as pipe:
            said = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said

    def start(self, *arguments: str, kill_at: int = 0, limit: int | None = None) -> tuple[int, int]:
        """Start a run in a fork; return its id and the pipe of its stderr.

        `limit` is the largest file it may write, in bytes.
        """
        error, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return child, error
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(write, 2)
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            self.hook.kill_at, self.hook.armed = kill_at, True
            code = run(list(arguments or self.arguments))
            sys.stderr.flush()
            os._exit(code)
        except KeyboardInterrupt:  # it came before the command took over, or after it had ended
            os._exit(130)
        finally:
            os._exit(99)

    def clear(self) -> None:
        """Remove everything that runs left; leave what the run before left, if there is one."""
        for path in Path().iterdir():
            if path.name not in self.kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.folder != ".":
            for path in Path(self.folder).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        saved = Path("../saved")
        if self.before and not saved.exists():
            code, error = self.fork(*self.before)
            if code:
                raise RuntimeError(f"{self.before}: {code}, {error}")
            shutil.copytree(".", saved)
        elif self.before:
            shutil.copytree(saved, ".", dirs_exist_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return every file beside the inputs by its hash, the manifest by what it tells of the result."""
        found: dict[str, Any] = {}
        for path in sorted(Path(self.folder).iterdir()):
            if path.name in self.kept or path.name == ".tamis":
                continue
            if path.name.endswith(".manifest.json"):
                told = json.loads(path.read_text())
                found[path.name] = {name: value for name, value in told.items() if name not in TIMES}
            else:
                found[path.name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def store(self) -> list[str]:
        """Return the store's files; none of them may be half-written."""
        return sorted(str(path) for path in Path(self.folder, ".tamis").rglob("*") if path.is_file())

    def undisturbed(self) -> dict[str, Any]:
        """Run twice, once to warm up; return the outputs and check that they are there."""
        code = run(self.arguments)
        self.clear()
        done = self.fork()
        if code or done[0]:
            raise RuntimeError(f"the undisturbed run: {code}, {done}")
        return self.outputs()

    def truth(self) -> str:
        """Return what is wrong with a manifest that is there: it must tell what lies beside it."""
        path = Path(self.folder, "out.manifest.json")
        if not path.exists():
            return ""
        for part in json.loads(path.read_text())["outputs"]:
            beside = path.with_name(part["name"])
            if not beside.exists() or file_hash(beside, Local(1)) != part["content"]:
                return f"the manifest tells of {part['name']}, which is not there or is another"
        return ""

    def completes(self, wanted: dict[str, Any], when: str) -> str:
        """Run the command to its end; return what is wrong with what it leaves."""
        if wrong := self.truth():
            return f"{when}: {wrong}"
        code, error = self.fork()
        if code:
            return f"{when}: exit code {code}: {error}"
        if (found := self.outputs()) != wanted:
            return f"{when}: other outputs: {sorted(found)} {[n for n in wanted if wanted[n] != found.get(n)]}"
        if half := [name for name in self.store() if name.endswith((".tmp", ".part"))]:
            return f"{when}: left in the store: {half}"
        return ""


def everywhere(crashes: Crashes, job: dict[str, Any]) -> Iterator[str]:
    """Kill at every change on disk, and complete; yield what is wrong, and at last how many there were."""
    wanted = crashes.undisturbed()
    for kill_at in range(job.get("first", 1), 10_000):
        crashes.clear()
        code, error = crashes.fork(kill_at=kill_at)
        if code == 0:
            yield f"kills: {kill_at - 1}"
            return
        if code != -signal.SIGKILL:
            yield f"kill {kill_at}: expected to die, got exit code {code}: {error}"
        yield crashes.completes(wanted, f"killed at {kill_at}")


def again_and_again(crashes: Crashes, job: dict[str, Any]) -> Iterator[str]:
    """Kill at random changes, several times in a row, before completing."""
    wanted, draw = crashes.undisturbed(), random.Random(job["seed"])
    for _ in range(job["rounds"]):
        crashes.clear()
        killed = []
        while len(killed) < 6 and (code := crashes.fork(kill_at=draw.randrange(1, job["last"]))[0]):
            killed.append(code)
        yield crashes.completes(wanted, f"killed {len(killed)} times in a row")


def any_time(crashes: Crashes, job: dict[str, Any]) -> Iterator[str]:
    """Send a signal after random times; complete after every other one."""
    wanted, draw, sent = crashes.undisturbed(), random.Random(job["seed"]), getattr(signal, job["signal"])
    started = time.perf_counter()
    crashes.clear()
    crashes.fork()
    took = time.perf_counter() - started
    died = 0
    for number in range(job["rounds"]):
        if number % 2 == 0:
            crashes.clear()
        child, error = crashes.start()
        timer = threading.Timer(draw.uniform(0, took), os.kill, (child, sent))
        timer.start()
        code, said = crashes.end(child, error)
        timer.cancel()
        timer.join()
        if code not in (0, job["code"]):
            yield f"round {number}: expected exit code 0 or {job['code']}, got {code}: {said}"
        died += code != 0
        if crashes.outputs() == wanted:  # the signal came too late, or between the last change and the end
            crashes.clear()
        if number % 2:
            yield crashes.completes(wanted, f"round {number}")
    yield f"kills: {died}"


def no_room(crashes: Crashes, job: dict[str, Any]) -> Iterator[str]:
    """Run on file systems of so many KB, which hold outputs and store, and again with room made."""
    wanted = crashes.undisturbed()
    refused = 0
    for size in job["limits"]:
        crashes.clear()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tamis", crashes.folder], check=True)
        try:
            code, error = crashes.fork()
            if code == 0:
                continue
            refused += 1
            if code != 2 or "Traceback" in error or not ("full" in error or "No space" in error):
                yield f"at {size} KB: expected exit code 2 and the reason, got {code}: {error}"
            if crashes.outputs():
                yield f"at {size} KB: left {sorted(crashes.outputs())}"
            subprocess.run(["mount", "-o", "remount,size=64m", crashes.folder], check=True)
            yield crashes.completes(wanted, f"after a disk of {size} KB")
        finally:
            subprocess.run(["umount", crashes.folder], check=True)
    yield f"kills: {refused}"


def full_disk(crashes: Crashes, job: dict[str, Any]) -> Iterator[str]:
    """Let no file grow above ever larger limits: exit code 2 and nothing new beside the inputs, then complete."""
    wanted = crashes.undisturbed()
    crashes.clear()
    before = crashes.outputs()
    refused = 0
    for limit in job["limits"]:
        crashes.clear()
        code, error = crashes.fork(limit=limit)
        if code == 0:
            continue
        refused += 1
        if code != 2 or "Traceback" in error or not any(word in error for word in ("full", "large", "space")):
            yield f"at {limit} bytes: expected exit code 2 and the reason, got {code}: {error}"
        if crashes.outputs() != before:
            yield f"at {limit} bytes: left {sorted(crashes.outputs())}"
        yield crashes.completes(wanted, f"after a disk of {limit} bytes")
    yield f"kills: {refused}"


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    asked = json.load(sys.stdin)
    kinds = {one.__name__: one for one in (everywhere, again_and_again, any_time, full_disk, no_room)}
    told = [line for line in kinds[asked["kind"]](Crashes(asked), asked) if line]
    sys.stdout.write("\n" + json.dumps(told))
