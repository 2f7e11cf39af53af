"""Running a job from the command line: what `select` and `dedup` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.cli.show import show_plan, show_selection
from tamis.errors import OptionError, OutputError
from tamis.run.options import Job, Runtime
from tamis.run.outputs import Outputs
from tamis.run.progress import Progress

__all__ = ["execute", "show_the_plan"]


def execute(
    job: Job, output: Path | None, *, as_json: bool, force: bool, quiet: bool, given: Mapping[str, Any]
) -> None:
    """Run a job, write its outputs and show what happened.

    Raises
    ------
    UserError
        Whatever the user can mend; nothing is written then.
    """
    from tamis.run.select import run_select

    if output is None:
        raise OutputError("expected a place to write to: -o NAME.jsonl or NAME.parquet.")
    if given["shards"] < 1:
        raise OptionError(f"--shards: expected a whole number of at least 1, got {given['shards']}.")
    outputs = Outputs(output, given["shards"])
    with (
        outputs.draft(job.files(), force=force, command=job.told("select")) as draft,
        run_select(job, _runtime(given, quiet), output=output, progress=Progress(quiet or as_json)) as selection,
    ):
        selection.finish(draft, annotate=given["annotate"], ids_only=given["ids_only"], report=given["report"])
        show_selection(selection, outputs, as_json, given["report"])


def show_the_plan(job: Job, output: Path | None, *, as_json: bool, quiet: bool, given: Mapping[str, Any]) -> None:
    """Print what a job would do and cost."""
    from tamis.run.plan import plan_select

    planned = plan_select(job, _runtime(given, quiet), output, Progress(quiet or as_json), report=given["report"])
    show_plan(planned, as_json)


def _runtime(given: Mapping[str, Any], quiet: bool) -> Runtime:
    return Runtime.of(given["threads"], given["memory"], given["store"], quiet)
