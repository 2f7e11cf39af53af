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
    "--method", metavar="NAME", help="How to choose [default: auto, which picks one and says why; top with --by]."
)
@click.option(
    "-O", "--option", "pairs", multiple=True, metavar="KEY=VALUE", help="An option of the method (see `tamis methods`)."
)
@click.option("--by", metavar="SIGNAL[:asc]", help="Signal or field to rank by.")
@click.option("--target", multiple=True, metavar="PATH", help="Examples the selection should resemble; repeatable.")
@click.option("--unlike", multiple=True, metavar="PATH", help="Examples it should keep away from; repeatable.")
@click.option("--target-text", metavar="FIELD|TEMPLATE", help="Text of the examples' records [default: as --text].")
@click.option("--compat", is_flag=True, help="dsir: exactly as the package data-selection.")
@click.option("--where", metavar="EXPR", help="SQL condition over fields and signals; null is false.")
@click.option("--rules", metavar="SET,...", help="Leave out what fails these rules: gopher, c4, fineweb.")
@click.option("--no-rule", "no_rules", multiple=True, metavar="RULE", help="Leave a rule out of --rules; repeatable.")
@click.option(
    "--languages", default="en", show_default=True, metavar="LANG,...", help="Stop words for --rules, or any."
)
@click.option("--dedup", type=float, metavar="THRESHOLD", help="Leave out near-duplicates, such as 0.8 (Jaccard).")
@click.option("--dedup-by", metavar="SIGNAL[:asc]", help="Of near-duplicates, keep the highest (lowest) by this.")
@click.option("--against", multiple=True, metavar="PATH", help="Leave out what holds text of these files; repeatable.")
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
    from tamis.cli.execute import execute, show_the_plan

    job = job_of(given)
    if plan:
        show_the_plan(job, output, as_json=as_json, quiet=quiet, given=given)
    else:
        execute(job, output, as_json=as_json, force=force, quiet=quiet, given=given)


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
        fraction=None if fraction is None else parse_rate(fraction, "--fraction"),
        method=given["method"] or default_method(given["by"], given["compat"]),
        options=chosen,
        by=given["by"],
        target=given["target"],
        unlike=given["unlike"],
        where=given["where"],
        rules=tuple(part.strip() for part in (given["rules"] or "").split(",") if part.strip()),
        no_rules=given["no_rules"],
        languages=tuple(part.strip() for part in given["languages"].split(",") if part.strip()),
        dedup=given["dedup"],
        dedup_by=given["dedup_by"],
        against=given["against"],
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
        encoder=given["encoder"],
        seed=given["seed"],
        strict=given["strict"],
        max_rejected=parse_rate(given["max_rejected"], "--max-rejected"),
    )
