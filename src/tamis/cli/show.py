"""What people see: short tables on stdout, or JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from tamis.engine.resources import format_size

__all__ = ["show_plan", "show_rows", "show_selection"]


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    rows = list(pairs)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")


def show_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], widths: Sequence[int]) -> None:
    """Print rows as a table; long cells are wrapped."""
    import textwrap

    click.echo("  ".join(f"{name:<{width}}" for name, width in zip(columns, widths, strict=True)).rstrip())
    for row in rows:
        cells = [textwrap.wrap(str(row[name]), width) or [""] for name, width in zip(columns, widths, strict=True)]
        for i in range(max(len(cell) for cell in cells)):
            line = "  ".join(
                f"{(cell[i] if i < len(cell) else ''):<{width}}" for cell, width in zip(cells, widths, strict=True)
            )
            click.echo(line.rstrip())


def show_selection(selection: Any, outputs: Any, as_json: bool, report: bool = False) -> None:
    """Print what happened and where to look."""
    counts, seconds = selection.counts, selection.progress.seconds
    if as_json:
        show_json(
            {
                "counts": counts,
                "notes": selection.notes,
                "method": selection.method.name,
                "outputs": {
                    "records": [str(path) for path in outputs.records],
                    "decisions": str(outputs.decisions),
                    "report": str(outputs.report) if report else None,
                    "manifest": str(outputs.manifest),
                    "rejected": str(outputs.rejected) if counts["rejected"] else None,
                },
                "seconds": {name: round(value, 3) for name, value in seconds.items()},
            }
        )
        return
    records = counts["records"]
    pairs = [("read", f"{records:,} records in {_plural(len(selection.corpus.opened), 'file')}")]
    if counts["rejected"]:
        pairs.append(
            ("set aside", f"{counts['rejected']:,} ({counts['rejected'] / records:.1%}), in {outputs.rejected}")
        )
    if counts["filtered"]:
        pairs.append(("filtered", f"{counts['filtered']:,} by --where {selection.job.where!r}"))
    for stage in ("rules", "against", "dedup"):
        if stage in counts:
            pairs.append((stage, f"{counts[stage]:,} left out"))
    pairs.append(("eligible", f"{counts['eligible']:,}"))
    auto = ", picked by auto" if selection.job.method == "auto" else ""
    chosen = (
        f"{counts['chosen']:,} by {selection.method.name}{auto} ({counts['chosen'] / max(counts['eligible'], 1):.1%})"
    )
    if "tokens_chosen" in counts:
        chosen += f", {counts['tokens_chosen']:,} tokens"
    pairs.append(("chosen", chosen))
    pairs.append(("took", f"{sum(seconds.values()):.1f} s"))
    pairs.append(
        (
            "records",
            str(outputs.records[0]) + (f" ... {len(outputs.records)} files" if len(outputs.records) > 1 else ""),
        )
    )
    if report:
        pairs.append(("report", str(outputs.report)))
    pairs.append(("reasons", f"{outputs.decisions} (tamis why {outputs.path} ID)"))
    pairs.append(("manifest", str(outputs.manifest)))
    show_pairs(pairs)


def show_plan(plan: dict[str, Any], as_json: bool) -> None:
    """Print a plan."""
    if as_json:
        show_json(plan)
        return
    for number, step in enumerate(plan["steps"], 1):
        click.echo(f"{number}. {step}")
    fits = "" if plan["fits"] else ": does not fit, raise --memory"
    show_pairs(
        [
            ("records", f"about {plan['records']:,} ({format_size(plan['bytes'])} of records)"),
            ("time", f"about {plan['seconds']:.0f} s"),
            ("memory", f"about {format_size(plan['memory'])} of {format_size(plan['ceiling'])}{fits}"),
            ("store", f"about {format_size(plan['store'])} of disk"),
            ("outputs", f"about {format_size(plan['outputs'])} of disk"),
        ]
    )  # fmt: skip


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
