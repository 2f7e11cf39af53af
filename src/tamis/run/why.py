"""One record's whole story: where it stood, what was measured, what was decided and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.errors import InputError, nearest
from tamis.run.manifest import load_manifest
from tamis.run.outputs import Outputs

__all__ = ["story_of"]


def story_of(selection: Path, wanted: str) -> dict[str, Any]:
    """Return the decision on one record of a finished selection, with the run it was part of.

    Parameters
    ----------
    selection : Path
        `NAME.jsonl` (or `.parquet`, or the manifest) of a finished run.
    wanted : str
        The record's id, or the beginning of one if that is enough to tell it from the others.

    Raises
    ------
    InputError
        If there is no finished run, or no record of that id.
    """
    outputs = Outputs(_output_of(selection))
    told = load_manifest(outputs.manifest)
    try:
        found = pq.read_table(outputs.decisions, filters=pc.field("id") == wanted)
        if not found.num_rows:
            found = pq.read_table(outputs.decisions, filters=pc.starts_with(pc.field("id"), wanted))
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"the decision table {outputs.decisions} cannot be read: {error}") from error
    if found.num_rows != 1:
        raise InputError(_not_one(outputs.decisions, wanted, found))
    row = found.to_pylist()[0]
    counts, method = told["counts"], told["method"]
    return {
        "id": row["id"],
        "kept": row["kept"],
        "story": _sentences(row, counts, method),
        "decision": {key: value for key, value in row.items() if value is not None},
        "run": {"method": method, "counts": counts, "seed": told["job"]["seed"], "output": told["output"]},
    }


def _output_of(path: Path) -> Path:
    name = path.name
    for ending in (".manifest.json", ".decisions.parquet", ".rejected.jsonl"):
        if name.endswith(ending):
            return path.with_name(name.removesuffix(ending) + ".jsonl")
    return path


def _not_one(table: Path, wanted: str, found: pa.Table) -> str:
    if found.num_rows > 1:
        few = ", ".join(found.column("id").slice(0, 3).to_pylist())
        return f"{found.num_rows:,} records have ids that begin with '{wanted}': {few} ... Give more of it."
    ids = pq.read_table(table, columns=["id"]).column("id").slice(0, 100_000).to_pylist()
    return f"no record has the id '{wanted}' in {table}.{nearest(wanted, ids) if len(ids) < 20_000 else ''}"


def _sentences(row: dict[str, Any], counts: dict[str, int], method: dict[str, Any]) -> list[str]:
    """Return the story in words."""
    story = [f"It is line {row['line']:,} of {row['file']}, one of {counts['records']:,} records."]
    if row["stage"] == "read":
        return [*story, f"It was set aside when reading: {row['reason']}."]
    if row["stage"] == "where":
        return [*story, f"It was left out before choosing: {row['reason']}."]
    if row["group"] is not None:
        story.append(f"For the quotas it counts in {row['group']}.")
    if row["stage"] == "pin":
        return [*story, f"It was decided by hand: {row['reason']}."]
    if row["score"] is not None:
        story.append(
            f"The method {method['name']} gave it the score {row['score']:.6g} "
            f"among {counts['eligible']:,} eligible records."
        )
    if row["kept"]:
        story.append(
            f"It was chosen, number {row['rank'] + 1:,} of {counts['chosen']:,}: {row['reason']}. "
            f"Its weight is {row['weight']:g}."
        )
    else:
        story.append(f"It was not chosen: {row['reason']}.")
    return story
