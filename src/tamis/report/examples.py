"""Records as found: near-duplicates side by side, the best, the worst, and those around the line."""

from __future__ import annotations

from tamis.report.data import Example, Pair, ReportData
from tamis.report.text import number, safe, safe_text

__all__ = ["dedup_section", "example", "records_section"]


def example(record: Example, label: str = "") -> str:
    """Return a record: where it stands, what is known of it, and its text as text."""
    known = " · ".join(f"{safe(name, 80)} <bdi>{safe(value, 200)}</bdi>" for name, value in record.facts)
    head = f"<strong>{safe(label)}</strong> " if label else ""
    return (
        f'<article class="rec"><header><p class="about">{head}<bdi class="id">{safe(record.id, 120)}</bdi></p>'
        f'<p class="about"><bdi>{safe(record.place)}</bdi></p>'
        f"{f'<p class=about>{known}</p>' if known else ''}</header>"
        f'<div class="text" tabindex="0" role="group" aria-label="Text of the record">{safe_text(record.text)}</div>'
        "</article>"
    )


def dedup_section(data: ReportData) -> str:
    """Return what was measured of the search for near-duplicates, and pairs of them."""
    found = data.dedup
    if found is None:
        return ""
    told = "".join(f"<div><dt>{safe(name)}</dt><dd>{safe(value, 600)}</dd></div>" for name, value in found.facts)
    pairs = "".join(_pair(pair) for pair in found.pairs)
    if pairs:
        pairs = f"<p>Words that only one of the two has, or has elsewhere, are <mark>marked</mark>.</p>{pairs}"
    return f'<dl class="defs">{told}</dl>{pairs}'


def _pair(pair: Pair) -> str:
    return (
        f"<h3>Similarity {number(pair.similarity)}</h3>"
        f'<div class="two">{example(pair.gone, "Left out:")}{example(pair.stays, "Stays:")}</div>'
    )


def records_section(data: ReportData) -> str:
    """Return the records by heading."""
    return "".join(
        f'<h3>{safe(group.title)}</h3><p class="meaning">{safe(group.meaning, 600)}</p>'
        f'<div class="two">{"".join(map(example, group.examples))}</div>'
        for group in data.records
    )
