"""`tamis methods`."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("methods")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the methods that choose; with NAME, everything about one."""
    from tamis.cli.show import show_json, show_pairs, show_rows
    from tamis.errors import unknown
    from tamis.run.catalogue import methods

    rows = methods()
    if name is not None:
        found = [row for row in rows if row["name"] == name]
        if not found:
            raise unknown("method", name, [row["name"] for row in rows])
        rows = found
    if as_json:
        show_json(rows)
    elif name is None:
        show_rows(rows, ("name", "title", "needs", "cost", "source"), (10, 36, 14, 30, 30))
    else:
        row = rows[0]
        show_pairs((key, str(row[key])) for key in row if key != "options")
        for option in row["options"]:
            click.echo(f"  -O {option['name']}={option['default']}  {option['doc']}")
