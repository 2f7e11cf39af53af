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
from tamis.run.annotate import run_annotate
from tamis.run.manifest import inputs_of, load_manifest
from tamis.run.options import Job, Runtime
from tamis.run.outputs import Outputs
from tamis.run.progress import Progress
from tamis.run.select import run_select
from tamis.select import METHODS
from tamis.select import get as get_method
from tamis.select.given.parameters import Function

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
        If the manifest's inputs are gone, have changed, or were objects in memory; if its method asked a function.
    """
    told = load_manifest(path)
    if any(
        part["format"] == "objects" for part in [*told["inputs"], *told.get("targets", []), *told.get("unlike", [])]
    ):
        raise InputError(f"{path}: it read an object in memory, which a manifest cannot bring back.")
    if str(told["job"].get("encoder", "")).startswith("<"):
        raise InputError(
            f"{path}: its vectors came from {told['job']['encoder']} in memory, which is not in a manifest."
        )
    for name in _functions(told["job"]):
        raise InputError(
            f"{path}: its method '{told['job']['method']}' asked the function {told['job']['options'][name]}"
            f" (option '{name}'), which is not in a manifest. Call tamis.select with it again."
        )
    with _folder(told["run"].get("folder")), tempfile.TemporaryDirectory(prefix="tamis-rerun-") as scratch:
        target = Path(scratch) / told["output"]["name"]
        again = _annotate if told.get("verb") == "annotate" else _select
        again(path, told, target, runtime, progress)
        found = load_manifest(Outputs(target, told["output"]["shards"]).manifest)
    before = {part["name"]: part["content"] for part in told["outputs"]}
    after = {part["name"]: part["content"] for part in found["outputs"]}
    outputs = [
        {"name": name, "same": before.get(name) == after.get(name)} for name in sorted(before.keys() | after.keys())
    ]
    return {"same": all(part["same"] for part in outputs), "outputs": outputs, "counts": found["counts"]}


def _functions(job: dict[str, Any]) -> list[str]:
    """Return the options of a job that were functions."""
    given = job.get("options") or {}
    table = get_method(job["method"]).parameters if job.get("method") in METHODS else ()
    return [parameter.name for parameter in table if parameter.type is Function and given.get(parameter.name)]


def _select(path: Path, told: dict[str, Any], target: Path, runtime: Runtime, progress: Progress | None) -> None:
    """Select again, into `target`."""
    how = {name: told["output"][name] for name in ("annotate", "ids_only", "shards", "report")}
    with run_select(job_from(told["job"]), runtime, output=target, progress=progress) as selection:
        _same_inputs(path, told["inputs"], inputs_of(selection.corpus))
        targets = [part for corpus in selection.targets for part in inputs_of(corpus)]
        _same_inputs(path, told["targets"], targets)
        unlike = [part for corpus in selection.unlike for part in inputs_of(corpus)]
        _same_inputs(path, told.get("unlike", []), unlike)
        selection.write(target, **how)


def _annotate(path: Path, told: dict[str, Any], target: Path, runtime: Runtime, progress: Progress | None) -> None:
    """Compute signals again, into `target`."""
    how = {name: told["output"][name] for name in ("into", "shards")}
    names = tuple(told["signals"])
    with run_annotate(job_from(told["job"]), names, runtime, output=target, progress=progress) as found:
        _same_inputs(path, told["inputs"], inputs_of(found.corpus))
        found.write(target, **how)


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
