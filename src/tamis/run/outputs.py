"""Where a run's files go, and the promise that they appear whole or not at all.

For `-o NAME.jsonl`: the selection, `NAME.decisions.parquet`, `NAME.rejected.jsonl` where records
were set aside, `NAME.report.html`, and `NAME.manifest.json`, which is renamed last and is the commit mark.

A run writes into a folder of its own, `.NAME.part`. Whatever stops it there, a full disk or a
kill, leaves beside it what was there before. Once everything is written the manifest is moved
out under the name `NAME.manifest.json.part`, then the files it names, then it gets its own name:
a run killed in between is told by the mark, and the same command completes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.corpus.lock import HeldError, lock
from tamis.corpus.store import write_text
from tamis.corpus.writers import parse_suffix, shard_paths
from tamis.errors import OutputError
from tamis.run.manifest import dump

__all__ = ["Draft", "Outputs"]


@dataclass(frozen=True)
class Outputs:
    """The files of a run with output `path`.

    Attributes
    ----------
    path : Path
        As the user gave it.
    shards : int
        Number of files the selection is split into.
    """

    path: Path
    shards: int = 1

    @property
    def base(self) -> Path:
        """The output without its format and compression suffixes."""
        return self.path.with_name(parse_suffix(self.path).stem)

    def beside(self, kind: str) -> Path:
        """Return the path of a companion file, such as `decisions.parquet`."""
        return self.base.with_name(f"{self.base.name}.{kind}")

    @property
    def decisions(self) -> Path:
        """The decision table."""
        return self.beside("decisions.parquet")

    @property
    def rejected(self) -> Path:
        """The records that were set aside."""
        return self.beside("rejected.jsonl")

    @property
    def report(self) -> Path:
        """The page that people open."""
        return self.beside("report.html")

    @property
    def manifest(self) -> Path:
        """The manifest: the commit mark."""
        return self.beside("manifest.json")

    @property
    def journal(self) -> Path:
        """The manifest of a run that is moving its files into place."""
        return self.beside("manifest.json.part")

    @property
    def records(self) -> list[Path]:
        """The files of the selection."""
        return shard_paths(self.path, self.shards)

    @contextlib.contextmanager
    def draft(self, inputs: Iterable[Path], *, force: bool, command: str = "tamis") -> Iterator[Draft]:
        """Check that the outputs may be written; yield where to write them until they are committed.

        Parameters
        ----------
        inputs : iterable of Path
            Files that must not be written to.
        force : bool
            Replace a finished run, or files that are no run's.
        command : str
            Told to whoever wants to write the same outputs meanwhile.

        Raises
        ------
        OutputError
            If the folder does not exist or cannot be written, an output is an input, another run
            is writing the same outputs, or a finished run or a file that is not a run's stands in
            the way and `force` is not set.
        """
        folder = self.base.with_name(f".{self.base.name}.part")
        if not self.path.parent.is_dir():
            where = self.path.parent
            raise OutputError(f"expected a folder to write to, got {where}, which does not exist: mkdir -p {where}")
        try:
            folder.mkdir(exist_ok=True)
            handle = lock(folder / "lock", command)
        except HeldError as error:
            raise OutputError(
                f"{self.path} is being written by {error.who}. Wait for it to end, or choose another -o."
            ) from error
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise OutputError(
                f"the folder {self.path.parent} cannot be written: {error.strerror or error}. Choose another -o."
            ) from error
        try:
            _empty(folder)  # what a run that was killed left
            self._check(inputs, force)
            yield Draft(self, Outputs(folder / self.path.name, self.shards))
        finally:
            _remove(folder)
            os.close(handle)

    def _check(self, inputs: Iterable[Path], force: bool) -> None:
        """Refuse to overwrite inputs, folders, and without `force` whatever is not of an unfinished run."""
        files = [*self.records, self.decisions, self.rejected, self.report, self.manifest]
        ours = {path.resolve() for path in files}
        for path in inputs:
            if path.resolve() in ours:
                raise OutputError(f"the output {path} is also an input. Choose another name with -o.")
        for path in (*files, self.journal):
            if path.is_dir():
                raise OutputError(f"expected a file to write, got the folder {path}. Choose another -o.")
        if force:
            return
        if self.manifest.exists():
            raise OutputError(
                f"{self.manifest} tells of a finished run. Choose another -o, or replace it with --force."
            )
        unfinished = named(self.journal)
        for path in files:
            if path.exists() and path.name not in unfinished:
                raise OutputError(
                    f"{path} exists and is not of an unfinished run. Choose another -o, or replace it with --force."
                )


@dataclass(frozen=True)
class Draft:
    """The outputs of a run under way.

    Attributes
    ----------
    outputs : Outputs
        Where they will be.
    files : Outputs
        Where to write them until then.
    """

    outputs: Outputs
    files: Outputs

    def commit(self, told: dict[str, Any]) -> None:
        """Move the files that a manifest names into place, and then the manifest itself.

        Files of an older run of the same name that would be taken for this run's are removed, and
        named in the manifest.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        outputs, names = self.outputs, [str(part["name"]) for part in told["outputs"]]
        older = (named(outputs.manifest) | named(outputs.journal)) - set(names)
        replaced = sorted(name for name in older if self._replaces(name))
        if replaced:
            told["run"]["replaced"] = replaced
        write_text(self.files.manifest, dump(told))
        try:
            for path in (*(self.files.path.with_name(name) for name in names), self.files.manifest):
                _sync(path)
            self.files.manifest.replace(outputs.journal)
            outputs.manifest.unlink(missing_ok=True)
            for name in replaced:
                outputs.path.with_name(name).unlink(missing_ok=True)
            for name in names:
                self.files.path.with_name(name).replace(outputs.path.with_name(name))
            _remove(self.files.path.parent)
            outputs.journal.replace(outputs.manifest)  # the last thing of all: a run that is killed is unfinished
            _sync(outputs.path.parent)
        except OSError as error:
            raise OutputError(
                f"{outputs.path} cannot be put in place: {error}. Mend that, and run the same command again."
            ) from error

    def _replaces(self, name: str) -> bool:
        """Tell whether a file of an older run would be taken for one of this run: a shard, a companion."""
        target = parse_suffix(self.outputs.path)
        shard = rf"{re.escape(target.stem)}(-\d{{5,}}-of-\d{{5,}})?{re.escape(target.suffix)}"
        companions = (self.outputs.decisions.name, self.outputs.rejected.name, self.outputs.report.name)
        return name in companions or re.fullmatch(shard, name) is not None


def named(mark: Path) -> set[str]:
    """Return the names of the files that a manifest, or the mark of an unfinished run, tells of."""
    try:
        told = json.loads(mark.read_text("utf-8"))
        return {str(part["name"]) for part in told["outputs"]} | set(told["run"].get("replaced", ()))
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk, so that a power cut cannot take it back."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _empty(folder: Path) -> None:
    """Remove the files in a folder, all but its lock."""
    for found in folder.iterdir():
        if found.name != "lock":
            with contextlib.suppress(OSError):
                found.unlink()


def _remove(folder: Path) -> None:
    """Remove a folder with its files, the lock last."""
    with contextlib.suppress(OSError):
        _empty(folder)
        (folder / "lock").unlink()
        folder.rmdir()
