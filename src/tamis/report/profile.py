"""The page of a profile: figures of one or several sets side by side, and a panel a set for each picture.

Panels of one picture share their axes, so that they compare by eye. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.report.plots import dots, scatter, ticks
from tamis.report.style import CSS, policy
from tamis.report.text import number, percent, safe

__all__ = ["Bars", "Curve", "Panel", "ProfileData", "Row", "render_profile"]


@dataclass(frozen=True, slots=True)
class Row:
    """A measure: title, unit, how to read it, on what it was measured, its value for each set (NaN: none)."""

    title: str
    unit: str
    meaning: str
    basis: str
    values: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Panel:
    """A histogram: `edges` (b + 1), shares of the records (b); `log` where bins are equally wide on that scale."""

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    log: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Values at orders; the last order may be infinity."""

    at: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """A field, and for each set the shares of its groups, the same ones in the same order."""

    field: str
    sets: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True, eq=False)
class ProfileData:
    """Everything the page shows; texts are as found in the user's files, and are made safe here."""

    version: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    lengths: tuple[Panel, ...]
    groups: Bars | None
    apart: tuple[Panel, ...]
    orders: tuple[Curve, ...]
    places: tuple[NDArray[np.float64], ...]
    words: tuple[tuple[str, ...], ...]
    explained: tuple[float, float]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]


def render_profile(data: ProfileData) -> str:
    """Return the page as HTML."""
    parts = [
        ("figures", "Figures", _figures(data)),
        ("lengths", "Lengths", _panels(data.names, data.lengths, "Bytes of a text, logarithmic.")),
        ("groups", "Groups", _groups(data)),
        ("map", "Map", _maps(data)),
        ("nearest", "Nearest neighbours", _panels(data.names, data.apart, "1 - cosine to the nearest other record.")),
        ("orders", "Variety by order", _curves(data)),
        ("made", "How it was made", _made(data)),
    ]
    shown = [part for part in parts if part[2]]
    contents = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in shown)
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>{inner}</section>\n'
        for key, title, inner in shown
    )
    names = ", ".join(f"<bdi>{safe(name, 120)}</bdi>" for name in data.names)
    one = len(data.names) == 1
    title, lead = (names, "") if one else (f"{len(data.names)} sets side by side", f'<p class="lead">{names}</p>')
    notes = "".join(f"<p>{safe(note, 600)}</p>" for note in data.notes)
    notes = f'<aside class="note" aria-label="Notes of the run">{notes}</aside>' if notes else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<meta name="robots" content="noindex">\n<title>Profile</title>\n<style>{CSS}</style>\n</head>\n<body>\n'
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f'<header class="top"><p class="kicker">Profile</p><h1>{title}</h1>{lead}{notes}</header>\n'
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n<main id="main">\n{body}</main>\n'
        f"<footer><p>Written by tamis {safe(data.version)}. Self-contained: nothing is loaded from anywhere.</p>"
        "</footer>\n</body>\n</html>\n"
    )


def _figures(data: ProfileData) -> str:
    head = "".join(f'<th scope="col"><bdi>{safe(name, 60)}</bdi></th>' for name in data.names)
    rows = "".join(
        f'<tr><th scope="row">{safe(row.title)}{f" ({safe(row.unit)})" if row.unit not in ("", "%") else ""}</th>'
        + "".join(f'<td class="n">{number(value, "%" if row.unit == "%" else "")}</td>' for value in row.values)
        + "</tr>"
        for row in data.rows
    )
    told = "".join(
        f"<div><dt>{safe(row.title)}</dt><dd>{safe(row.meaning)} {safe(row.basis)}</dd></div>" for row in data.rows
    )
    return (
        f'<div class="wide"><table class="sides"><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><h3>What they say</h3><dl class="defs small">{told}</dl>'
    )


def _panels(names: Sequence[str], panels: Sequence[Panel], told: str) -> str:
    if not panels:
        return ""
    top = max(float(panel.shares.max(initial=0.0)) for panel in panels) or 1.0
    drawn = "".join(
        f"<figure><h3><bdi>{safe(name, 120)}</bdi></h3>{_histogram(panel, top)}</figure>"
        for name, panel in zip(names, panels, strict=False)
    )
    told += " The height is the share of records in a bin, the same scale for all."
    return f"<p>{told}</p><div class='plots'>{drawn}</div>"


def _histogram(panel: Panel, top: float) -> str:
    edges = np.log(panel.edges) if panel.log else panel.edges
    room = float(edges[-1] - edges[0]) or 1.0
    across = [8 + 344 * float(edge - edges[0]) / room for edge in edges]
    steps = "".join(
        f"L{a:.1f} {120 - 110 * share / top:.1f}L{b:.1f} {120 - 110 * share / top:.1f}"
        for a, b, share in zip(across[:-1], across[1:], panel.shares.tolist(), strict=True)
    )
    body = f'<path class="s-pool" d="M{across[0]:.1f} 120{steps}L{across[-1]:.1f} 120z"/>'
    for value in ticks(float(panel.edges[0]), float(panel.edges[-1]), panel.log):
        at = 8 + 344 * ((math.log(value) if panel.log else value) - float(edges[0])) / room
        body += f'<line class="s-axis" x1="{at:.1f}" x2="{at:.1f}" y1="120" y2="124"/>'
        body += f'<text class="s-label" x="{at:.1f}" y="136" text-anchor="middle">{number(value)}</text>'
    body += '<line class="s-axis" x1="4" x2="356" y1="120" y2="120"/>'
    told = f"{len(panel.shares)} bins from {number(float(panel.edges[0]))} to {number(float(panel.edges[-1]))}"
    return f'<svg viewBox="0 0 360 142" role="img"><title>Histogram</title><desc>{told}</desc>{body}</svg>'


def _groups(data: ProfileData) -> str:
    if data.groups is None or not any(data.groups.sets):
        return ""
    most = max((share for one in data.groups.sets for _, share in one), default=1.0) or 1.0
    head = "".join(f'<th scope="col" colspan="2"><bdi>{safe(name, 60)}</bdi></th>' for name in data.names)
    rows = ""
    for i, (name, _) in enumerate(data.groups.sets[0]):
        cells = ""
        for one in data.groups.sets:
            share = one[i][1]
            bar = f'<rect class="s-left" width="{100 * share / most:.1f}" y="2" height="11"/>'
            cells += (
                f'<td class="bar"><svg viewBox="0 0 100 15" role="img" preserveAspectRatio="none"><title>Share</title>'
                f'<desc>{percent(share)}</desc>{bar}</svg></td><td class="n">{percent(share)}</td>'
            )
        rows += f'<tr><th scope="row"><bdi>{safe(name, 120)}</bdi></th>{cells}</tr>'
    field = f'<th scope="col"><bdi>{safe(data.groups.field, 120)}</bdi></th>'
    table = f"<thead><tr>{field}{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="wide"><table class="sides">{table}</table></div>'


def _maps(data: ProfileData) -> str:
    if not data.places:
        return ""
    ends = zip(("left", "right", "bottom", "top"), data.words, strict=False)
    words = "; ".join(f"{end}: {safe(', '.join(some))}" for end, some in ends if some)
    drawn = "".join(
        f"<figure><h3><bdi>{safe(name, 120)}</bdi></h3>"
        f"{scatter(dots(places), 'd-pick', 'Map', f'{len(places):,} records', '')}</figure>".replace(
            'id="pool-dots" ', ""
        )
        for name, places in zip(data.names, data.places, strict=False)
    )
    return (
        f"<p>Counted records, as many of each set, on the same axes: the two directions in which they differ most "
        f"({percent(sum(data.explained))} of all differences). Words that tell the ends: {words or 'none'}.</p>"
        f"<div class='plots'>{drawn}</div>"
    )


def _curves(data: ProfileData) -> str:
    if not data.orders:
        return ""
    head = "".join(
        f'<th scope="col" class="n">order {"∞" if math.isinf(q) else f"{q:g}"}</th>' for q in data.orders[0].at
    )
    top = max(max(curve.values) for curve in data.orders) or 1.0
    rows = "".join(
        f'<tr><th scope="row"><bdi>{safe(name, 120)}</bdi></th>'
        + "".join(f'<td class="n">{number(value)}</td>' for value in curve.values)
        + "</tr>"
        for name, curve in zip(data.names, data.orders, strict=False)
    )
    drawn = ""
    for name, curve in zip(data.names, data.orders, strict=False):
        n = max(len(curve.values) - 1, 1)
        line = " ".join(f"{8 + 344 * i / n:.1f} {120 - 110 * v / top:.1f}" for i, v in enumerate(curve.values))
        body = f'<line class="s-axis" x1="4" x2="356" y1="120" y2="120"/><path class="s-line" d="M{line}"/>'
        for i, q in enumerate(curve.at):
            word = "∞" if math.isinf(q) else f"{q:g}"
            body += f'<text class="s-label" x="{8 + 344 * i / n:.1f}" y="136" text-anchor="middle">{word}</text>'
        told = f"from {number(curve.values[0])} to {number(curve.values[-1])}"
        drawn += (
            f'<figure><h3><bdi>{safe(name, 120)}</bdi></h3><svg viewBox="0 0 360 142" role="img">'
            f"<title>Vendi score by order</title><desc>{told}</desc>{body}</svg></figure>"
        )
    return (
        "<p>Vendi score: small orders count rare kinds too, large ones only the common.</p>"
        f"<div class='plots'>{drawn}</div>"
        f'<div class="wide"><table><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _made(data: ProfileData) -> str:
    entries = [("Not measured", safe(gap, 600)) for gap in data.gaps]
    entries.append(("Samples", "Counted from the seed and the records: the same input gives the same page."))
    return f'<dl class="defs">{"".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in entries)}</dl>'
