"""`tamis profile`: measures of sets of records, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tamis.cli import options

__all__ = ["command"]

_EPILOG = """\b
Examples:
  tamis profile pool.jsonl -o pool.html
  tamis profile pool.jsonl chosen.jsonl -o both.html --target wanted.jsonl
"""


@click.command("profile", epilog=_EPILOG)
@click.argument("pools", nargs=-1, required=True, metavar="POOL [POOL2 ...]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="NAME.html", help="Page to write.")
@click.option("--target", multiple=True, metavar="PATH", help="Examples that sets are measured against; repeatable.")
@click.option("--target-text", metavar="FIELD|TEMPLATE", help="Text of the target's records [default: as --text].")
@click.option("--group", metavar="FIELD", help="Field of the groups [default: source, else the file].")
@click.option("--seed", type=int, default=0, show_default=True, metavar="S", help="Of the samples.")
@options.reading
@click.option("--threads", type=int, metavar="N", help="Threads [default: all that the machine grants].")
@click.option("--memory", metavar="SIZE", help="Memory ceiling, such as 4GB [default: half of the machine's].")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of computed columns [default: .tamis beside the page].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no notes.")
def command(
    pools: tuple[str, ...],
    output: Path | None,
    target: tuple[str, ...],
    group: str | None,
    threads: int | None,
    memory: str | None,
    store: Path | None,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Measure sets of records, one or several side by side; each POOL is a set.

    What depends on the number of records is measured on equally many of each set.
    """
    from tamis.cli.show import show_json
    from tamis.compare.profile import run_profile
    from tamis.run.options import Runtime, parse_rate
    from tamis.run.progress import Progress

    given["max_rejected"] = parse_rate(given["max_rejected"], "--max-rejected")
    runtime = Runtime.of(threads, memory, store, quiet)
    progress = Progress(quiet or as_json)
    found = run_profile(pools, given, runtime, target=target or None, group=group, output=output, progress=progress)
    if as_json:
        show_json(found.to_dict() | {"report": str(output) if output is not None else None})
        return
    click.echo(str(found))
    if output is not None:
        click.echo(f"report: {output}")
