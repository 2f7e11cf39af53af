"""`tamis check`: a selection beside random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tamis.cli import options

__all__ = ["command"]

_EPILOG = """\b
Examples:
  tamis check chosen.jsonl --against pool.jsonl
  tamis check chosen.jsonl --against data/ --target wanted.jsonl --repeat 100
"""


@click.command("check", epilog=_EPILOG)
@click.argument("selection", type=click.Path(path_type=Path), metavar="NAME.jsonl")
@click.option(
    "--against",
    "pool",
    multiple=True,
    metavar="POOL",
    help="What it was chosen from; repeatable.",
)
@click.option("--target", multiple=True, metavar="PATH", help="Examples it should resemble; repeatable.")
@click.option("--target-text", metavar="FIELD|TEMPLATE", help="Text of the target's records [default: as --text].")
@click.option("--repeat", type=int, default=20, show_default=True, metavar="M", help="Random selections.")
@click.option("--tokens", type=int, metavar="N", help="Budget of the random ones in tokens [default: manifest's].")
@click.option("--group", metavar="FIELD", help="Field of the sources [default: source, else the file].")
@click.option("--seed", type=int, metavar="S", help="Seed before the first random one's [default: manifest's].")
@options.reading
@click.option("--threads", type=int, metavar="N", help="Threads [default: all that the machine grants].")
@click.option("--memory", metavar="SIZE", help="Memory ceiling, such as 4GB [default: half of the machine's].")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of computed columns [default: .tamis beside the selection].",
)
@click.option("--report/--no-report", default=True, show_default=True, help="Write NAME.check.html.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no notes.")
def command(
    selection: Path,
    repeat: int,
    group: str | None,
    threads: int | None,
    memory: str | None,
    store: Path | None,
    report: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Put the selection NAME.jsonl beside random ones of the same budget out of its pool.

    What is not said here is taken from NAME.manifest.json where there is one.
    """
    from tamis.cli.show import show_json
    from tamis.compare.check import run_check
    from tamis.compare.page import write_page
    from tamis.run.options import Runtime, parse_rate
    from tamis.run.progress import Progress

    told = click.get_current_context().get_parameter_source
    asked = {name: value for name, value in given.items() if told(name) is not ParameterSource.DEFAULT}
    asked["max_rejected"] = parse_rate(given["max_rejected"], "--max-rejected")
    runtime = Runtime.of(threads, memory, store, quiet)
    found = run_check(selection, asked, runtime, repeat=repeat, group=group, progress=Progress(quiet or as_json))
    page = selection.with_name(f"{_stem(selection)}.check.html") if report else None
    if page is not None:
        write_page(found, page)
    if as_json:
        show_json(found.to_dict() | {"report": str(page) if page is not None else None})
        return
    click.echo(str(found))
    if page is not None:
        click.echo(f"report: {page}")


def _stem(path: Path) -> str:
    """Return the name of a selection without its format and compression."""
    from tamis.corpus.writers import parse_suffix
    from tamis.errors import OptionError

    try:
        return parse_suffix(path).stem
    except OptionError:  # it is of another format: anything that can be read can be checked
        return path.name.partition(".")[0] or path.name
