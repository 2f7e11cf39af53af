"""`tamis clean`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("clean")
@click.argument("store", type=click.Path(path_type=Path), default=Path(".tamis"), metavar="[DIR]")
def command(store: Path) -> None:
    """Remove the store DIR (default .tamis); selections, decisions and manifests stay."""
    from tamis.corpus.store import clean
    from tamis.engine.resources import format_size

    where = store if (store / "store.json").exists() or not (store / ".tamis").is_dir() else store / ".tamis"
    click.echo(f"removed {where}, {format_size(clean(where))}")
