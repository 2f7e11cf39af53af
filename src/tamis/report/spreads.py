"""How signals are spread, and the map."""

from __future__ import annotations

from tamis.report.data import Histogram, PoolMap, ReportData
from tamis.report.plots import dots, histogram, legend, scatter
from tamis.report.text import number, percent, plural, safe

__all__ = ["map_section", "spread_section"]


def spread_section(data: ReportData) -> str:
    """Return an outline and a table of quantiles for each signal."""
    if not data.histograms:
        return ""
    key = legend((("pool", "pool"), ("band", "range of the random selections, bin by bin"), ("line", "the selection")))
    plots = "".join(_spread(spread) for spread in data.histograms)
    return f"<p>The height is the share of records in a bin.</p>{key}<div class='plots'>{plots}</div>"


def _spread(spread: Histogram) -> str:
    scale = ", ".join(word for word in (safe(spread.unit), "logarithmic" if spread.log else "") if word)
    unit = f' <span class="soft">({scale})</span>' if scale else ""
    rows = "".join(
        f'<tr><th scope="row">{safe(name)}</th><td class="n">{number(pool)}</td>'
        f'<td class="n">{_range(low, high)}</td><td class="n me">{number(chosen)}</td></tr>'
        for name, pool, (low, high), chosen in zip(
            spread.quantiles, spread.pool_at, spread.random_at, spread.chosen_at, strict=True
        )
    )
    missing = f" {plural(spread.missing, 'record')} without a value are not counted." if spread.missing else ""
    return (
        f"<figure><h3>{safe(spread.name)}{unit}</h3>{histogram(spread)}"
        f"<figcaption>{safe(spread.meaning, 400)} {safe(spread.basis, 400)}{missing}</figcaption>"
        '<table class="small"><thead><tr><th scope="col"></th><th scope="col" class="n">pool</th>'
        '<th scope="col" class="n">random</th><th scope="col" class="n">selection</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></figure>"
    )


def _range(low: float, high: float) -> str:
    ends = number(low), number(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def map_section(data: ReportData) -> str:
    """Return the pool with the selection on it, beside the pool with a random selection on it."""
    found = data.map
    if found is None:
        return ""
    told = f"{plural(len(found.pool), 'record')} of the pool as small dots, {{}} on top. {_words(found)}"
    first = scatter(
        dots(found.chosen), "d-pick", "Map with the selection",
        told.format(f"{plural(len(found.chosen), 'chosen record')}"), dots(found.pool),
    )  # fmt: skip
    second = scatter(
        dots(found.random), "d-chance", "Map with a random selection",
        told.format(f"{plural(len(found.random), 'record')} of a random selection"),
    )  # fmt: skip
    key = legend((("pool dot", "pool"), ("pick dot", "the selection"), ("chance dot", "one random selection")))
    return (
        f"<p>{safe(found.basis, 800)} Near each other means alike in words; the two directions hold "
        f"{percent(sum(found.explained))} of all differences, so what looks near may still differ. "
        "Where dots are thick on one map and thin on the other, choosing made the difference.</p>"
        f"{key}<div class='plots'>{_panel('The selection', first, found)}"
        f"{_panel('A random selection', second, found)}</div>"
    )


def _panel(title: str, plot: str, found: PoolMap) -> str:
    left, right, bottom, top = (safe(", ".join(words)) for words in found.words)
    above = f'<div class="ends mid"><span>{"↑ " if top else ""}{top}</span></div>'
    sides = f"<span>{'← ' if left else ''}{left}</span><span>{right}{' →' if right else ''}</span>"
    below = f'<div class="ends">{sides}</div><div class="ends mid"><span>{"↓ " if bottom else ""}{bottom}</span></div>'
    return f"<figure><h3>{title}</h3>{above}{plot}{below}</figure>"


def _words(found: PoolMap) -> str:
    ends = zip(("left", "right", "bottom", "top"), found.words, strict=True)
    told = [f"{end}: {safe(', '.join(words))}" for end, words in ends if words]
    return f"Words that tell the ends: {'; '.join(told)}." if told else ""
