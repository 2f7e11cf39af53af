"""`tamis rerun`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["command"]


@click.command("rerun")
@click.argument("manifest", type=click.Path(path_type=Path), metavar="NAME.manifest.json")
@click.option("--threads", type=int, metavar="N", help="Threads; the result must not depend on them.")
@click.option("--memory", metavar="SIZE", help="Memory ceiling, such as 4GB.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of computed columns [default: a temporary one].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(manifest: Path, threads: int | None, memory: str | None, store: Path | None, as_json: bool) -> None:
    """Run a manifest again and check that the result is the same.

    Exits with 0 when every output has the same bytes, with 2 when one differs.
    """
    import tempfile

    from tamis.cli.show import show_json
    from tamis.run.options import Runtime
    from tamis.run.rerun import rerun

    with tempfile.TemporaryDirectory(prefix="tamis-") as scratch:
        result = rerun(manifest, Runtime.of(threads, memory, store or Path(scratch) / "store"))
    if as_json:
        show_json(result)
    else:
        for part in result["outputs"]:
            click.echo(f"{'same' if part['same'] else 'DIFFERS'}  {part['name']}")
    if not result["same"]:
        sys.stderr.write("tamis: the result differs from the manifest's: compare versions and machine in its `run`.\n")
        raise click.exceptions.Exit(2)
