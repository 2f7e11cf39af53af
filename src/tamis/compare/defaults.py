"""What a selection's manifest tells of its run: how records were read, its budget, its target, its pool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.errors import OptionError, UserError
from tamis.run.manifest import load_manifest
from tamis.run.outputs import Outputs

__all__ = ["Told", "told_of"]

_READING = ("text", "target_text", "shape", "id_field", "format", "per_file", "tokenizer", "encoder")


@dataclass(frozen=True)
class Told:
    """Defaults for a check.

    Attributes
    ----------
    files : list of Path
        The files of the selection.
    job : dict
        Members of the job that the check goes by, where they are known.
    method, source : str
        What chose, and where it is from; empty where it is not known.
    """

    files: list[Path]
    job: dict[str, Any]
    method: str = ""
    source: str = ""


def told_of(path: Path) -> Told:
    """Return what the manifest beside a selection tells; only the file where there is none.

    Paths of the manifest are those of the run's folder. What is not there any more is left out.
    """
    try:
        beside = Outputs(path)
        manifest = load_manifest(beside.manifest)
    except UserError:
        return Told([path], {})
    asked, folder = manifest["job"], Path(manifest.get("run", {}).get("folder") or ".")
    if manifest.get("verb") == "annotate" or manifest["output"]["name"] != path.name:
        return Told([path], {})
    job = {name: asked[name] for name in _READING if asked.get(name)}
    if str(job.get("encoder", "")).startswith("<"):
        del job["encoder"]  # it was in memory
    for name in ("tokenizer", "encoder"):
        if name in job and (folder / job[name]).is_file():
            job[name] = str(folder / job[name])
    for name in ("tokens", "seed"):
        if asked.get(name) is not None:
            job[name] = asked[name]
    for name in ("pool", "target"):
        there = [str(folder / one) for one in asked.get(name, ()) if (folder / one).exists()]
        if there and len(there) == len(asked[name]):
            job[name] = tuple(there)
    method = manifest.get("method", {})
    files = Outputs(path, manifest["output"].get("shards", 1)).records
    return Told(files, job, str(method.get("name", "")), str(method.get("source", "")))


def require_pool(pool: tuple[str, ...]) -> None:
    """Refuse to check against nothing.

    Raises
    ------
    OptionError
        If neither the user nor a manifest names a pool.
    """
    if not pool:
        raise OptionError(
            "expected --against POOL, the files that the selection was chosen from; no manifest beside the "
            "selection names files that are there."
        )
