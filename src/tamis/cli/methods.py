"""`tamis methods`."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("methods")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--markdown", is_flag=True, help="Print the whole table as Markdown.")
def command(name: str | None, as_json: bool, markdown: bool) -> None:
    """List the methods that choose; with NAME, everything about one."""
    from tamis.cli.show import show_json, show_pairs, show_rows
    from tamis.errors import OptionError, unknown
    from tamis.run.catalogue import methods, table

    if markdown and (name is not None or as_json):
        raise OptionError("--markdown prints the whole table: expected no method and no --json beside it.")
    if markdown:
        click.echo(table(), nl=False)
        return

    rows = methods()
    if name is not None:
        found = [row for row in rows if row["name"] == name]
        if not found:
            raise unknown("method", name, [row["name"] for row in rows])
        rows = found
    if as_json:
        show_json(rows)
    elif name is None:
        show_rows(rows, ("name", "title", "needs", "cost", "promises"), (12, 30, 16, 34, 40))
    else:
        row = rows[0]
        show_pairs((key, str(row[key])) for key in row if key != "options")
        for option in row["options"]:
            click.echo(f"  -O {option['name']}={option['default']}  {option['doc']}")
