"""Where a run's files go, and the promise that they appear whole or not at all.

For `-o NAME.jsonl`: the selection, `NAME.decisions.parquet`, `NAME.rejected.jsonl` where records
were set aside, and `NAME.manifest.json`, which is renamed last and is the commit mark. While a
run is under way `NAME.manifest.json.part` marks the files as its own, so that the same command
may complete them after a kill, and no other file of the user's is ever overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tamis.corpus.store import write_text
from tamis.corpus.writers import parse_suffix, shard_paths
from tamis.errors import OutputError

__all__ = ["Outputs"]


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
    def manifest(self) -> Path:
        """The manifest: the commit mark."""
        return self.beside("manifest.json")

    @property
    def journal(self) -> Path:
        """The mark of a run under way."""
        return self.beside("manifest.json.part")

    @property
    def records(self) -> list[Path]:
        """The files of the selection."""
        return shard_paths(self.path, self.shards)

    def begin(self, inputs: Iterable[Path], *, force: bool) -> bool:
        """Check that the outputs may be written, and mark them as this run's.

        Returns whether the mark is new: false when an earlier run was killed under it.

        Raises
        ------
        OutputError
            If the folder does not exist, an output is an input, or a finished run or a file that
            is not a run's stands in the way and `force` is not set.
        """
        parse_suffix(self.path)
        folder = self.path.parent
        if not folder.is_dir():
            raise OutputError(f"expected a folder to write to, got {folder}, which does not exist: mkdir -p {folder}")
        ours = {path.resolve() for path in (*self.records, self.decisions, self.rejected, self.manifest)}
        for path in inputs:
            if path.resolve() in ours:
                raise OutputError(f"the output {path} is also an input. Choose another name with -o.")
        unfinished = self.journal.exists()
        if not force and not unfinished:
            if self.manifest.exists():
                raise OutputError(
                    f"{self.manifest} tells of a finished run. Choose another -o, or replace it with --force."
                )
            for path in (*self.records, self.decisions, self.rejected):
                if path.exists():
                    raise OutputError(
                        f"{path} exists and is not of an unfinished run. Choose another -o, or replace it with --force."
                    )
        if not unfinished:
            write_text(self.journal, json.dumps({"outputs": [path.name for path in self.records]}) + "\n")
        return not unfinished

    def forget(self) -> None:
        """Take back the mark of a run that wrote nothing."""
        self.journal.unlink(missing_ok=True)

    def replace(self) -> None:
        """Take away the commit mark of an older run: its files are about to be replaced."""
        self.manifest.unlink(missing_ok=True)

    def commit(self, manifest: str, *, rejected: bool) -> None:
        """Write the manifest, which makes the run finished; remove what an older run left."""
        if not rejected:
            self.rejected.unlink(missing_ok=True)
        write_text(self.manifest, manifest)
        self.journal.unlink(missing_ok=True)
