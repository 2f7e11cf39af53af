"""`tamis dedup`: everything but near-duplicates, and what holds text of other files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tamis.cli import options

__all__ = ["command"]

_EPILOG = """\b
Examples:
  tamis dedup pool.jsonl -o unique.jsonl
  tamis dedup data/ --threshold 0.7 --by bytes -o unique.parquet
  tamis dedup train.jsonl --against eval.jsonl -o clean.jsonl
"""


@click.command("dedup", epilog=_EPILOG)
@click.argument("pool", nargs=-1, required=True, metavar="POOL...")
@click.option("--threshold", type=float, default=0.8, show_default=True, help="Jaccard similarity from which one goes.")
@click.option("--by", metavar="SIGNAL[:asc]", help="Of near-duplicates, keep the highest (lowest) by this.")
@click.option("--against", multiple=True, metavar="PATH", help="Leave out what holds text of these files; repeatable.")
@click.option("--where", metavar="EXPR", help="SQL condition over fields and signals; null is false.")
@click.option("--must-keep", multiple=True, metavar="IDS|@FILE", help="Ids that must stay.")
@click.option("--annotate", is_flag=True, help="Add a member `tamis` (id, signals) to each record.")
@click.option("--ids-only", is_flag=True, help="Write ids alone.")
@click.option("--shards", type=int, default=1, show_default=True, metavar="N", help="Split the output into N files.")
@click.option("-o", "output", required=True, type=click.Path(path_type=Path), metavar="NAME", help="Where to write.")
@options.reading
@options.runtime
def command(output: Path, as_json: bool, force: bool, quiet: bool, **given: Any) -> None:
    """Keep the records of POOL that are no near-duplicates of another that is kept."""
    from tamis.cli.execute import execute
    from tamis.run.options import Job, parse_rate

    job = Job(
        pool=given["pool"],
        fraction=1.0,
        where=given["where"],
        dedup=given["threshold"],
        dedup_by=given["by"],
        against=given["against"],
        must_keep=options.ids_of(given["must_keep"], "--must-keep"),
        text=given["text"],
        shape=given["shape"],
        id_field=given["id_field"],
        format=given["format"],
        per_file=given["per_file"],
        tokenizer=given["tokenizer"],
        encoder=given["encoder"],
        strict=given["strict"],
        max_rejected=parse_rate(given["max_rejected"], "--max-rejected"),
    )
    execute(job, output, as_json=as_json, force=force, quiet=quiet, given=given)
