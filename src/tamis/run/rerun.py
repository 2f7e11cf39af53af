"""Run a manifest again, and say whether the result is the same."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from tamis.errors import InputError
from tamis.run.manifest import inputs_of, load_manifest
from tamis.run.options import Job, Runtime
from tamis.run.outputs import Outputs
from tamis.run.progress import Progress
from tamis.run.select import run_select

__all__ = ["rerun"]


def rerun(path: Path, runtime: Runtime, progress: Progress | None = None) -> dict[str, Any]:
    """Run the job of a manifest into a temporary folder and compare the outputs' hashes.

    Parameters
    ----------
    path : Path
        `NAME.manifest.json`.
    runtime : Runtime
        Threads and memory may differ from the first run: the result must not.
    progress : Progress, optional
        Takes notes and times.

    Returns
    -------
    dict
        `same` (bool), and for each output its name and whether its bytes are the same.

    Raises
    ------
    InputError
        If the manifest's inputs are gone, have changed, or were objects in memory.
    """
    told = load_manifest(path)
    if any(part["format"] == "objects" for part in told["inputs"]):
        raise InputError(f"{path}: its pool was an object in memory, which a manifest cannot bring back.")
    job = job_from(told["job"])
    output = told["output"]
    with _folder(told["run"].get("folder")), tempfile.TemporaryDirectory(prefix="tamis-rerun-") as scratch:
        target = Path(scratch) / output["name"]
        with run_select(job, runtime, output=target, progress=progress) as selection:
            _same_inputs(path, told["inputs"], inputs_of(selection.corpus))
            selection.write(target, annotate=output["annotate"], ids_only=output["ids_only"], shards=output["shards"])
        found = load_manifest(Outputs(target, output["shards"]).manifest)
    before = {part["name"]: part["content"] for part in told["outputs"]}
    after = {part["name"]: part["content"] for part in found["outputs"]}
    outputs = [
        {"name": name, "same": before.get(name) == after.get(name)} for name in sorted(before.keys() | after.keys())
    ]
    return {"same": all(part["same"] for part in outputs), "outputs": outputs, "counts": found["counts"]}


def job_from(told: dict[str, Any]) -> Job:
    """Return the job that a manifest holds."""
    known = {field.name for field in fields(Job)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items() if name in known
    }
    return Job(**values)


def _same_inputs(path: Path, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    contents = {part["name"]: part["content"] for part in after}
    for part in before:
        if contents.get(part["name"]) != part["content"]:
            raise InputError(
                f"{path}: the input {part['name']} has changed since that run (its content hash was "
                f"{part['content'][:12]}, is {str(contents.get(part['name']))[:12]}), so the result cannot be compared."
            )


@contextlib.contextmanager
def _folder(where: str | None) -> Iterator[None]:
    """Work in the folder of the first run, where its relative paths mean the same."""
    before = Path.cwd()
    if where is not None and Path(where).is_dir():
        os.chdir(where)
    try:
        yield
    finally:
        os.chdir(before)
