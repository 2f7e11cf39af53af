"""`tamis signals`."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("signals")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def command(as_json: bool) -> None:
    """List the signals."""
    from tamis.cli.show import show_json, show_rows
    from tamis.run.catalogue import signals

    rows = signals()
    if as_json:
        show_json(rows)
    else:
        show_rows(rows, ("name", "title", "needs", "cost", "source"), (12, 40, 14, 30, 30))
