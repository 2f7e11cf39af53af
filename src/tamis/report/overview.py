"""The first two sections: what each step left, and the selection's figures beside chance."""

from __future__ import annotations

from tamis.report.data import Figure, ReportData
from tamis.report.plots import bars, legend, strip
from tamis.report.text import count, number, safe

__all__ = ["chance_section", "facts", "flow_section"]


def facts(pairs: tuple[tuple[str, str], ...]) -> str:
    """Return names and values as large figures."""
    items = "".join(f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'


def flow_section(data: ReportData) -> str:
    """Return how many records each step left out and left."""
    total = data.stages[0].left + data.stages[0].out
    rows = "".join(
        f'<tr><th scope="row">{safe(stage.title)}</th><td class="n">{count(stage.out) if stage.out else "–"}</td>'
        f'<td class="n">{count(stage.left)}</td><td class="bar">{bars(stage.left, stage.out, total)}</td></tr>'
        for stage in data.stages
    )
    return (
        '<table><caption class="soft">Records, step by step; the bar is the share of all that were read.</caption>'
        '<thead><tr><th scope="col">Step</th><th scope="col" class="n">left out</th>'
        '<th scope="col" class="n">left</th><th scope="col"></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def chance_section(data: ReportData) -> str:
    """Return a card a figure, after what to make of them together."""
    if not data.figures:
        return ""
    of = data.figures[0].place.of
    outside = sum(figure.place.outside for figure in data.figures)
    expected = len(data.figures) * 2 / (of + 1)
    cards = "".join(_card(figure) for figure in data.figures)
    return (
        f'<p class="verdict-all"><strong>{outside} of {len(data.figures)}</strong> measures of the selection lie '
        f"outside the range of {of} random selections with the same budget out of {safe(data.base)}. "
        f"Were the selection random too, about {expected:.1f} would.</p>"
        "<p>Most of these measures depend on how many records are looked at, so the pool itself is no yardstick: "
        "what random selections show <em>is</em> the pool at the size of the selection. A difference says that "
        "choosing changed something, not that a model learns more from it.</p>"
        + legend(
            (
                ("diamond", "the selection"),
                ("ticks", f"{of} random selections"),
                ("mean", "the whole pool, where that compares"),
            )
        )
        + f'<div class="cards">{cards}</div>'
    )


def _card(figure: Figure) -> str:
    place = figure.place
    ends = number(min(figure.random), figure.unit), number(max(figure.random), figure.unit)
    spread = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    pool = "" if figure.pool is None else f"<div><dt>pool</dt><dd>{number(figure.pool, figure.unit)}</dd></div>"
    return (
        f'<article class="card {"out" if place.outside else "in"}"><h3>{safe(figure.name)}</h3>'
        f'<p class="verdict">{_verdict(figure)}</p>{strip(figure)}'
        f'<dl class="trio"><div class="me"><dt>selection</dt><dd>{number(figure.chosen, figure.unit)}</dd></div>'
        f"<div><dt>random, from – to</dt><dd>{spread}</dd></div>{pool}</dl>"
        f'<p class="meaning">{safe(figure.meaning, 600)}</p><p class="basis">{safe(figure.basis, 600)}</p></article>'
    )


def _verdict(figure: Figure) -> str:
    place = figure.place
    if place.below == place.of:
        return f"above all {place.of} random ones"
    if place.above == place.of:
        return f"below all {place.of} random ones"
    if not place.below and not place.above:
        return "the same as in every random one"
    return f"within chance: above {place.below} of {place.of}"
