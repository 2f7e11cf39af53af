"""`tamis problems`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  tamis problems
  tamis problems clusters
  tamis problems noise --method top --by judge2
  tamis problems mixture -o mixture/
"""


@click.command("problems", epilog=_EPILOG)
@click.argument("name", required=False)
@click.option("--method", metavar="NAME", help="Try this method alone [default: those that the problem names].")
@click.option("--by", metavar="SIGNAL[:asc]", help="What the method ranks by.")
@click.option("-O", "--option", "options", multiple=True, metavar="KEY=VALUE", help="Option of the method; repeatable.")
@click.option("-n", "--records", type=int, default=2_000, show_default=True, metavar="N", help="Records of the pool.")
@click.option("--repeat", type=int, default=20, show_default=True, metavar="M", help="Random selections.")
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="S", help="Decides the pool and everything random."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write pool.jsonl and target.jsonl there instead.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    name: str | None,
    method: str | None,
    by: str | None,
    options: tuple[str, ...],
    records: int,
    repeat: int,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Put methods on the problem NAME, a small pool whose right answer is known; without NAME, list the problems."""
    from tamis.cli.options import method_options
    from tamis.cli.show import show_json, show_rows
    from tamis.compare.trying import try_ways
    from tamis.errors import OptionError
    from tamis.problems import PROBLEMS, get
    from tamis.problems.base import Way

    if name is None:
        rows = [{"name": one, **_told(get(one, records, seed))} for one in PROBLEMS]
        if as_json:
            show_json(rows)
        else:
            show_rows(rows, ("name", "planted", "measure"), (12, 60, 40))
        return
    problem = get(name, records, seed)
    if output is not None:
        click.echo(f"pool: {problem.write(output) / 'pool.jsonl'}, {len(problem.records):,} records")
        return
    if method is None and (by is not None or options):
        raise OptionError("--by and -O belong to a method: name it with --method.")
    told: dict[str, Any] = method_options(options) | ({"by": by} if by is not None else {})
    found = try_ways(problem, (Way(method, told),) if method else (), repeat=repeat, seed=seed)
    if as_json:
        show_json({"problem": name, **_told(problem), "k": problem.k, "tried": [one.to_dict() for one in found]})
        return
    click.echo(problem.planted)
    asked = f"{problem.k:,} of {len(problem.records):,} records; {problem.measure}"
    click.echo(f"{asked}: {problem.direction} is better.\n")
    first = found[0].standing
    low, high = first.low_high
    rows = [{"way": "random", "value": f"{first.median:.3g}", "place": f"{low:.3g} to {high:.3g} (5-95% of {repeat})"}]
    for one in found:
        fewer = f"; {one.records:,} records" if one.records != problem.k else ""
        rows.append({"way": str(one.way), "value": f"{one.standing.chosen:.3g}", "place": one.standing.words + fewer})
    show_rows(rows, ("way", "value", "place"), (44, 8, 50))


def _told(problem: object) -> dict[str, object]:
    return {key: getattr(problem, key) for key in ("title", "planted", "measure", "direction")}
