"""`tamis why`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("why")
@click.argument("selection", type=click.Path(path_type=Path), metavar="NAME.jsonl")
@click.argument("record", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the story as JSON.")
def command(selection: Path, record: str, as_json: bool) -> None:
    """Tell the whole story of the record ID in the run that wrote NAME.jsonl."""
    from tamis.cli.show import show_json, show_pairs
    from tamis.run.why import story_of

    story = story_of(selection, record)
    if as_json:
        show_json(story)
        return
    click.echo(f"{story['id']}: {'chosen' if story['kept'] else 'not chosen'}")
    for sentence in story["story"]:
        click.echo(sentence)
    click.echo("")
    show_pairs((name, _cell(value)) for name, value in story["decision"].items() if name != "id")


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
