"""`NAME.check.html`: a check as a page, drawn by `tamis.report`."""

from __future__ import annotations

from pathlib import Path

from tamis import __version__
from tamis.compare.result import Checked, Figure
from tamis.report import ReportData, render
from tamis.report import data as shown
from tamis.report.text import number
from tamis.report.write import write_html

__all__ = ["page_of", "write_page"]

_WAYS = {"higher": "Higher is better.", "lower": "Lower is better.", "neither": "Neither better nor worse."}


def write_page(checked: Checked, path: Path) -> None:
    """Write the page of a check; errors as `write_html`."""
    write_html(page_of(checked), path)


def page_of(checked: Checked) -> str:
    """Return the page as HTML: figures beside those of random selections, and how they were made."""
    base = f"the {checked.pool:,} records of the pool"
    bad, out = checked.read - checked.pool, checked.pool - checked.records
    stages = [shown.Stage("Read", 0, checked.read)]
    drops = [shown.Drop("Chosen", "not in the selection", out)]
    if bad:
        stages.append(shown.Stage("Could be read", bad, checked.pool))
        drops.insert(0, shown.Drop("Read", "cannot be used", bad))
    stages.append(shown.Stage("Chosen", out, checked.records))
    return render(
        ReportData(
            title=f"{checked.name}: checked against chance",
            version=__version__,
            method=checked.method or "means that no manifest tells",
            source=checked.source or "no manifest beside the selection",
            facts=(
                ("records of the pool", f"{checked.pool:,}"),
                ("chosen", f"{checked.records:,} ({checked.records / checked.pool:.1%})"),
                ("random selections", str(checked.repeat)),
                ("seed", str(checked.seed)),
            ),
            options=(("In words", checked.verdict), *((one.title, _told(one)) for one in checked.figures)),
            base=base,
            draws=(
                f"The pool is {base}. Each of the {checked.repeat} random selections takes {checked.budget} of it, as "
                f"the method random does with the seeds {checked.seed + 1} to {checked.seed + checked.repeat}, without "
                "quotas and pins."
            ),
            stages=tuple(stages),
            files=checked.files,
            drops=tuple(drops),
            figures=tuple(map(_card, checked.figures)),
            groups=(),
            histograms=(),
            map=None,
            dedup=None,
            records=(),
            notes=checked.notes,
            gaps=checked.gaps,
        )
    )


def _card(figure: Figure) -> shown.Figure:
    """Return a figure as the report shows it."""
    of = figure.standing
    meaning = f"{figure.measure.meaning} {_WAYS[of.direction]}"
    return shown.Figure(
        figure.title, meaning, figure.basis, of.chosen, of.random, of.place, unit=figure.measure.unit
    )  # fmt: skip


def _told(figure: Figure) -> str:
    """Return place, probability and intervals in words."""
    of, unit = figure.standing, figure.measure.unit
    low, high = (number(end, unit) for end in of.low_high)
    least, most = (number(end, unit) for end in of.difference_interval)
    return (
        f"{of.words[0].upper()}{of.words[1:]}. 9 of 10 random selections lie from {low} to {high}; the selection less "
        f"a random one from {least} to {most}. As far out by chance: {of.p_two_sided:.3g} (two-sided)."
    )
