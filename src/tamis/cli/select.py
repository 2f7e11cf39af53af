"""`tamis select`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tamis.cli import options

__all__ = ["command", "job_of"]

_EPILOG = """\b
Examples:
  tamis select pool.jsonl -n 1000 -o chosen.jsonl
  tamis select data/ --method dsir --target wanted.jsonl --tokens 5000000 -o chosen.jsonl.zst
  tamis select pool.parquet --fraction 10% --by score --quota 'source<=30%' -o chosen.parquet
"""


@click.command("select", epilog=_EPILOG)
@click.argument("pool", nargs=-1, required=True, metavar="POOL...")
@click.option("-n", "rows", type=int, metavar="N", help="Budget in records.")
@click.option("--tokens", type=int, metavar="N", help="Budget in tokens.")
@click.option("--fraction", metavar="F", help="Budget as a share of the eligible records, such as 5% or 0.05.")
@click.option(
    "--method", metavar="NAME", help="How to choose [default: dsir with a target, top with --by, else random]."
)
@click.option(
    "-O", "--option", "pairs", multiple=True, metavar="KEY=VALUE", help="An option of the method (see `tamis methods`)."
)
@click.option("--by", metavar="SIGNAL[:asc]", help="Signal or field to rank by.")
@click.option("--target", multiple=True, metavar="PATH", help="Examples the selection should resemble; repeatable.")
@click.option("--target-text", metavar="FIELD|TEMPLATE", help="Text of the target's records [default: as --text].")
@click.option("--compat", is_flag=True, help="dsir: exactly as the package data-selection.")
@click.option("--where", metavar="EXPR", help="SQL condition over fields and signals; null is false.")
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="RULE",
    help="FIELD[=VALUE]<=AMOUNT or >=, in rows or % of the budget; repeatable.",
)
@click.option("--must-keep", multiple=True, metavar="IDS|@FILE", help="Ids that must be in.")
@click.option("--must-drop", multiple=True, metavar="IDS|@FILE", help="Ids that must be out.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides everything random.")
@click.option("--annotate", is_flag=True, help="Add a member `tamis` (id, score, weight, signals) to each record.")
@click.option("--ids-only", is_flag=True, help="Write ids alone.")
@click.option("--shards", type=int, default=1, show_default=True, metavar="N", help="Split the output into N files.")
@click.option(
    "--plan", is_flag=True, help="Print what would run, how long, how much memory and disk; run nothing more."
)
@click.option(
    "-o", "output", type=click.Path(path_type=Path), metavar="NAME.{jsonl,parquet}[.gz|.zst]", help="Where to write."
)
@options.reading
@options.runtime
def command(output: Path | None, plan: bool, as_json: bool, force: bool, quiet: bool, **given: Any) -> None:
    """Choose records from POOL: files, folders, globs, URLs, or - for standard input."""
    from tamis.cli.show import show_plan, show_selection
    from tamis.errors import OptionError, OutputError
    from tamis.run.options import Runtime
    from tamis.run.outputs import Outputs
    from tamis.run.progress import Progress

    job = job_of(given)
    shards = given["shards"]
    if shards < 1:
        raise OptionError(f"--shards: expected a whole number of at least 1, got {shards}.")
    runtime = Runtime.of(given["threads"], given["memory"], given["store"], quiet)
    progress = Progress(quiet or as_json)
    if plan:
        from tamis.run.plan import plan_select

        show_plan(plan_select(job, runtime, output, progress), as_json)
        return
    if output is None:
        raise OutputError("expected a place to write to: -o NAME.jsonl or NAME.parquet.")
    from tamis.run.select import run_select

    outputs = Outputs(output, shards)
    new = outputs.begin([Path(path) for path in (*job.pool, *job.target)], force=force)
    try:
        selection = run_select(job, runtime, output=output, progress=progress)
    except Exception:
        if new:
            outputs.forget()
        raise
    with selection:
        selection.finish(outputs, annotate=given["annotate"], ids_only=given["ids_only"])
        show_selection(selection, outputs, as_json)


def job_of(given: dict[str, Any]) -> Any:
    """Return the job that the options describe."""
    from tamis.run.options import Job, default_method, parse_rate

    chosen = options.method_options(given["pairs"])
    if given["compat"]:
        chosen["compat"] = "true"
    fraction = given["fraction"]
    return Job(
        pool=given["pool"],
        rows=given["rows"],
        tokens=given["tokens"],
        fraction=None if fraction is None else parse_rate(fraction),
        method=given["method"] or default_method(given["target"], given["by"], given["compat"]),
        options=chosen,
        by=given["by"],
        target=given["target"],
        where=given["where"],
        quotas=given["quotas"],
        must_keep=options.ids_of(given["must_keep"], "--must-keep"),
        must_drop=options.ids_of(given["must_drop"], "--must-drop"),
        text=given["text"],
        target_text=given["target_text"],
        shape=given["shape"],
        id_field=given["id_field"],
        format=given["format"],
        per_file=given["per_file"],
        tokenizer=given["tokenizer"],
        seed=given["seed"],
        strict=given["strict"],
        max_rejected=parse_rate(given["max_rejected"]),
    )
