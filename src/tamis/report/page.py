"""The page: one file that needs no network, no script, and shows the same on paper."""

from __future__ import annotations

import re
from collections.abc import Callable

from tamis.report.data import ReportData
from tamis.report.examples import dedup_section, records_section
from tamis.report.inputs import files_section, groups_section, left_out_section
from tamis.report.overview import chance_section, facts, flow_section
from tamis.report.spreads import map_section, spread_section
from tamis.report.style import CSS, policy
from tamis.report.text import safe

__all__ = ["render"]


def made_section(data: ReportData) -> str:
    entries = [
        ("Pool and chance", safe(data.draws, 1000)),
        ("Method", f"{safe(data.method)}: {safe(data.source)}"),
        *((safe(name), safe(value)) for name, value in data.options),
        *(("Not shown", safe(gap, 1000)) for gap in data.gaps),
        (
            "Texts",
            "Long texts are cut, with their length stated. Characters that would not show, or would change how "
            'others show, stand as their code in a box, such as <span class="cp">U+202E</span>.',
        ),
        (
            "Same input, same page",
            "Everything random here is counted from the seed and the records: the same run writes the same bytes.",
        ),
    ]
    return f'<dl class="defs">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in entries)}</dl>'


#: Id, words of the contents, heading, and what returns the body (empty: the section is left out).
_SECTIONS: tuple[tuple[str, str, str, Callable[[ReportData], str]], ...] = (
    ("flow", "Overview", "From pool to selection", flow_section),
    ("chance", "Against chance", "Against chance", chance_section),
    ("files", "What went in", "What went in", files_section),
    ("left-out", "Left out", "What was left out, and why", left_out_section),
    ("groups", "Groups", "Groups before and after", groups_section),
    ("spreads", "Lengths and scores", "Lengths and scores", spread_section),
    ("map", "Map", "A map of the pool", map_section),
    ("duplicates", "Near-duplicates", "Near-duplicates", dedup_section),
    ("records", "Records", "Records at the top, at the line, at the bottom", records_section),
    ("made", "How it was made", "How this was made", made_section),
)


def render(data: ReportData) -> str:
    """Return the page as HTML."""
    made = [(key, short, title, body(data)) for key, short, title, body in _SECTIONS]
    shown = [section for section in made if section[3]]
    contents = "".join(f'<li><a href="#{key}">{short}</a></li>' for key, short, _, _ in shown)
    sections = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>{body}</section>\n'
        for key, _, title, body in shown
    )
    title = safe(data.title, 200)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{_plain(title)} – selection report</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f'<header class="top"><p class="kicker">Selection report</p><h1><bdi>{title}</bdi></h1>{_lead(data)}'
        f"{facts(data.facts)}{_notes(data)}</header>\n"
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n<main id="main">\n{sections}</main>\n'
        f"<footer><p>Written by tamis {safe(data.version)}. Self-contained: nothing is loaded from anywhere.</p>"
        "</footer>\n</body>\n</html>\n"
    )


def _plain(marked: str) -> str:
    """Return safe HTML without its boxes, for where no markup can stand."""
    return re.sub(r"<[^>]*>", "", marked)


def _lead(data: ReportData) -> str:
    outside = sum(figure.place.outside for figure in data.figures)
    told = f"Chosen by <strong>{safe(data.method)}</strong>."
    if data.figures:
        told += (
            f" Of {len(data.figures)} measures beside {data.figures[0].place.of} random selections, "
            f'<a href="#chance">{outside or "none"} {"lies" if outside == 1 else "lie"} outside what chance gave</a>.'
        )
    return f'<p class="lead">{told}</p>'


def _notes(data: ReportData) -> str:
    if not data.notes:
        return ""
    items = "".join(f"<p>{safe(note, 600)}</p>" for note in data.notes)
    return f'<aside class="note" aria-label="Notes of the run">{items}</aside>'
