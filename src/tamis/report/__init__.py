"""The report: one HTML page that shows what a selection did, beside what chance would have done.

=============  =====================================================================
`data`         what a page shows, as plain numbers and texts
`page`         the page: its head, its sections in order
`overview`     from pool to selection, and the figures beside those of random ones
`inputs`       what went in, what was left out and why, groups
`spreads`      outlines of signals, and the map
`examples`     near-duplicates side by side, records around the line
`plots`        drawings as inline SVG
`text`         anybody's text as HTML that is only text
`style`        the style sheet and the content policy
=============  =====================================================================

Nothing here reads a file or computes what it shows: data in, a string of HTML out.
"""

from __future__ import annotations

from tamis.report.data import ReportData
from tamis.report.page import render

__all__ = ["ReportData", "render"]
