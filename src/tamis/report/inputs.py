"""What went in, what was left out and why, and the groups before and after."""

from __future__ import annotations

from itertools import groupby

from tamis.report.data import Drop, Groups, ReportData
from tamis.report.examples import example
from tamis.report.plots import bullet, legend
from tamis.report.text import count, percent, plural, safe

__all__ = ["files_section", "groups_section", "left_out_section"]

_FILES = 40  # rows of the table


def files_section(data: ReportData) -> str:
    """Return the table of files."""
    rows = "".join(
        f'<tr><th scope="row"><bdi>{safe(file.name)}</bdi>'
        f'<span class="kind">{safe(file.format)}; {safe(file.shape)}</span></th>'
        f'<td class="n">{count(file.records)}</td><td class="n">{count(file.rejected) if file.rejected else "–"}</td>'
        f'<td class="n me">{count(file.chosen)}</td></tr>'
        for file in data.files[:_FILES]
    )
    rest = data.files[_FILES:]
    if rest:
        told = [sum(file.records for file in rest), sum(file.rejected for file in rest), sum(f.chosen for f in rest)]
        cells = "".join(f'<td class="n">{count(value)}</td>' for value in told)
        rows += f'<tr><th scope="row">{plural(len(rest), "more file")}</th>{cells}</tr>'
    return (
        '<div class="wide"><table><thead><tr><th scope="col">File, its format, and the shape of its records</th>'
        '<th scope="col" class="n">records</th>'
        '<th scope="col" class="n">set aside</th><th scope="col" class="n">chosen</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def left_out_section(data: ReportData) -> str:
    """Return the reasons by stage, with examples."""
    if not data.drops:
        return "<p>Nothing was left out.</p>"
    total = data.stages[0].left + data.stages[0].out
    parts = ["<p>Shares are of all records that were read. Examples are a random few.</p>"]
    for stage, drops in groupby(data.drops, key=lambda drop: drop.stage):
        parts.append(f"<h3>{safe(stage)}</h3>")
        parts += [_drop(drop, total) for drop in drops]
    return "".join(parts)


def _drop(drop: Drop, total: int) -> str:
    head = (
        f'<bdi>{safe(drop.reason)}</bdi> <span class="n">· {plural(drop.count, "record")}, '
        f"{percent(drop.count / max(total, 1))}</span>"
    )
    if not drop.examples:
        return f'<p class="plain">{head}</p>'
    return f'<details><summary>{head}</summary><div class="two">{"".join(map(example, drop.examples))}</div></details>'


def groups_section(data: ReportData) -> str:
    """Return a table a field: a group's share of the pool, of random selections, of the selection."""
    if not data.groups:
        return ""
    return (
        f"<p>Shares of the records, largest group first. Pool: {safe(data.base)}. About one group in ten "
        "lies outside the range of the random selections by chance.</p>"
        + legend((("pool", "pool"), ("band", "range of the random selections"), ("stroke", "the selection")))
        + "".join(_field(groups) for groups in data.groups)
    )


def _field(groups: Groups) -> str:
    told = (
        groups.rows[:-1] if groups.folded else groups.rows
    )  # many groups at once have no bar: it would dwarf the rest
    most = max((max(row.pool, row.chosen, row.high) for row in told), default=1.0)
    rows = "".join(
        f'<tr><th scope="row"><bdi>{safe(row.name, 120)}</bdi></th>'
        f'<td class="bar">{bullet(row, most) if row in told else ""}</td>'
        f'<td class="n">{percent(row.pool)}</td>'
        f'<td class="n r">{percent(row.low)} to {percent(row.high)}</td>'
        f'<td class="n me">{percent(row.chosen)}</td><td class="n r">{count(row.chosen_count)}</td></tr>'
        for row in groups.rows
    )
    folded = f" The {groups.folded:,} smaller ones are added up in the last row." if groups.folded else ""
    return (
        f'<div class="wide"><table><caption>{plural(groups.count, "group")}, {safe(groups.basis, 300)}.{folded}'
        f'</caption><thead><tr><th scope="col"><bdi>{safe(groups.field, 120)}</bdi></th><th scope="col"></th>'
        '<th scope="col" class="n">pool</th><th scope="col" class="n r">random</th>'
        '<th scope="col" class="n">selection</th><th scope="col" class="n r">records chosen</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
