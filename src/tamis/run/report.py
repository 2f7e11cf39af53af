"""`NAME.report.html`: what a person sees of a selection; gathered here, drawn by `tamis.report`.

It reads the texts of a few counted samples and of the records it shows, once, and looks at the rest
through the columns of the run: for a million records it adds seconds, and no more memory than a few
fragments.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tamis import __version__
from tamis.corpus.sources import Source, redact
from tamis.errors import UserError
from tamis.report import ReportData, render
from tamis.report.data import Figure, File, Histogram, PoolMap, Stage
from tamis.report.write import write_html
from tamis.run.options import Job
from tamis.run.report_chance import Chance, Samples, draw_chance, draw_samples, figure, spread
from tamis.run.report_groups import found_groups, known_groups
from tamis.run.report_measures import closeness, pool_map, variety_of_vectors, variety_of_words, vectors_of
from tamis.run.report_records import STAGES, Teller, drops, edges, pairs, told_dedup
from tamis.run.report_texts import Texts, read_texts

if TYPE_CHECKING:
    from tamis.run.selection import Selection

__all__ = ["gather", "write_report"]

_SIGNALS = 6  # histograms besides length and score


def write_report(selection: Selection, path: Path) -> None:
    """Write the report of a finished selection, so that it appears whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses it.
    """
    write_html(render(gather(selection, path.name.removesuffix(".report.html"))), path)


def gather(selection: Selection, title: str = "selection") -> ReportData:
    """Return what the report of a finished selection shows; the same for the same run on any machine."""
    chance = draw_chance(selection)
    samples = draw_samples(selection, chance)
    dropped, ends, alike = drops(selection), edges(selection), pairs(selection)
    aside = {int(row) for stage, _, _, rows in dropped if stage == "read" for row in rows}
    wanted = {int(row) for stage, _, _, rows in dropped if stage != "read" for row in rows}
    wanted |= {int(row) for one in ends for row in one.rows} | {row for pair in alike for row in pair[:2]}
    sampled = [samples.pool, samples.chosen, *samples.random]
    rows = np.unique(np.concatenate([*(chance.base[part] for part in sampled), np.array(sorted(wanted), np.int64)]))
    sets = known_groups(selection, chance)
    texts, fields = read_texts(selection.corpus, rows.astype(np.int64), with_fields=not sets)
    teller = Teller(selection, texts, _raw(selection, aside))
    gaps: list[str] = []
    found = sets or found_groups(chance, samples, texts, fields)
    figures, pool = _measured(selection, chance, samples, texts, gaps)
    figures += [number for _, number in found]
    told_pairs = [teller.pair(*pair) for pair in alike]
    report = selection.choice.reports.get("dedup", {})
    histograms, lengths = _spreads(selection, chance, samples, texts)
    return ReportData(
        title=title,
        version=__version__,
        method=selection.method.name,
        source=selection.method.source,
        facts=_facts(selection),
        options=_options(selection.job),
        base=chance.words,
        draws=chance.told,
        stages=_stages(selection),
        files=_files(selection),
        drops=teller.drops(dropped),
        figures=tuple(figures + lengths),
        groups=tuple(groups for groups, _ in found),
        histograms=tuple(histograms),
        map=pool,
        dedup=told_dedup(report, told_pairs) if report or told_pairs else None,
        records=teller.records(ends),
        notes=tuple(selection.notes),
        gaps=tuple(gaps),
    )


def _measured(
    selection: Selection, chance: Chance, samples: Samples, texts: Texts, gaps: list[str]
) -> tuple[list[Figure], PoolMap | None]:
    """Return the figures that need texts, and the map; say in `gaps` what there is not."""
    if not samples.parts:
        gaps.append("Measures on texts and the map: the selection is the whole pool, or empty.")
        return [], None
    figures = closeness(selection, chance)
    try:
        vectors, source = vectors_of(selection, texts)
        figures += variety_of_vectors(vectors, source, texts, chance, samples, selection.corpus.engine.map)
        pool = pool_map(vectors, source, texts, chance, samples)
    except UserError as error:
        gaps.append(f"The map, and measures on vectors: {error}")
        pool = None
    return figures + variety_of_words(texts, chance, samples), pool


def _spreads(
    selection: Selection, chance: Chance, samples: Samples, texts: Texts
) -> tuple[list[Histogram], list[Figure]]:
    """Return the outlines of lengths, scores and signals, and the figure of the length."""
    decided, each = selection.choice.decided, selection.corpus.engine.map
    everything = np.arange(len(chance.base)), chance.chosen, chance.random
    whole = f"All {len(chance.base):,} records of the pool, and whole selections."
    found: list[Histogram | None] = []
    signals = dict(decided.signals)
    if "bytes" not in signals and samples.random:
        sizes = np.full(len(chance.base), np.nan)
        at = np.searchsorted(chance.base, texts.rows)
        at = np.minimum(at, len(chance.base) - 1)
        mine = chance.base[at] == texts.rows
        sizes[at[mine]] = texts.nbytes[mine]
        part = f"{len(samples.pool):,} records of the pool, {len(samples.chosen):,} chosen, "
        part += f"{len(samples.random[0]):,} of each random selection."
        told = ("Length of the text", "bytes", "UTF-8 bytes of the whole text.", part)
        found.append(spread(sizes, (samples.pool, samples.chosen, samples.random), told, each))
    score = decided.score[chance.base]
    same = [name for name, values in signals.items() if np.array_equal(values[chance.base], score)]
    meaning = f"What the method {selection.method.name} thought of each record"
    told = ("Score", "", f"{meaning}: its {' and '.join(same)}." if same else f"{meaning}.", whole)
    found.append(spread(score, everything, told, each))
    for name, values in [pair for pair in signals.items() if pair[0] not in same][:_SIGNALS]:
        told = (name, "bytes" if name == "bytes" else "", "", whole)
        found.append(spread(np.asarray(values[chance.base], np.float64), everything, told, each))
    outlines = [one for one in found if one is not None]
    lengths = []
    for one in outlines:
        if one.unit == "bytes":
            middle = one.quantiles.index("median")
            lengths.append(_length(one, middle, chance, samples, signals, texts))
    return outlines, lengths


def _length(
    outline: Histogram, middle: int, chance: Chance, samples: Samples, signals: dict[str, Any], texts: Texts
) -> Figure:
    """Return the median length of the selection beside those of random ones."""
    if "bytes" in signals:
        values = np.asarray(signals["bytes"][chance.base], np.float64)
        parts, random = [chance.chosen], chance.random
    else:
        values = np.full(len(chance.base), np.nan)
        for part in (*samples.parts, *samples.random):
            values[part] = texts.nbytes[texts.at(chance.base[part])]
        parts, random = samples.parts, samples.random
    return figure(
        "Median length",
        "Bytes of a text. Neither better nor worse, but many other figures follow it.",
        outline.basis if "bytes" in signals else samples.basis,
        float(np.mean([np.median(values[part]) for part in parts])),
        [float(np.median(values[part])) for part in random],
        pool=outline.pool_at[middle] if "bytes" in signals else None,
        unit="bytes",
    )


# -- the run -----------------------------------------------------------------------------------------


def _raw(selection: Selection, rows: set[int]) -> dict[int, bytes]:
    """Return what the files hold for records that were set aside."""
    found: dict[int, bytes] = {}
    if not rows:
        return found
    wanted = np.array(sorted(rows))

    def mine(fragment: Any) -> NDArray[np.int64]:
        return np.asarray(wanted[(wanted >= fragment.first_row) & (wanted < fragment.first_row + fragment.rows)])

    for fragment, load in selection.corpus.fragment_tasks(lambda one: bool(len(mine(one)))):
        chunk = load()
        for row in mine(fragment).tolist():
            found[row] = chunk.raw(row - fragment.first_row)
    return found


def _stages(selection: Selection) -> tuple[Stage, ...]:
    decided = selection.choice.decided
    left = len(selection.corpus.rows)
    stages = [Stage("Read", 0, left)]
    for number, name in enumerate(decided.stages):
        out = int(((decided.stage == number) & ~decided.kept).sum())
        if out:
            left -= out
            stages.append(Stage("Chosen" if name == "choose" else STAGES.get(name, name), out, left))
    return tuple(stages)


def _files(selection: Selection) -> tuple[File, ...]:
    rows, opened = selection.corpus.rows, selection.corpus.opened
    read = np.bincount(rows.source, minlength=len(opened))
    bad = np.bincount(rows.source[rows.status != 0], minlength=len(opened))
    chosen = np.bincount(rows.source[selection.rows], minlength=len(opened))

    def kind(source: Source) -> str:
        detected = source.detected
        return f"{detected.format}, {detected.compression}" if detected.compression else detected.format

    return tuple(
        File(
            one.source.name,
            kind(one.source),
            one.shape.name if one.shape is not None else "none readable",
            int(read[i]),
            int(bad[i]),
            int(chosen[i]),
        )
        for i, one in enumerate(opened)
    )


def _facts(selection: Selection) -> tuple[tuple[str, str], ...]:
    counts, job = selection.counts, selection.job
    share = counts["chosen"] / max(counts["eligible"], 1)
    facts = [
        ("records read", f"{counts['records']:,}"),
        ("eligible", f"{counts['eligible']:,}"),
        ("chosen", f"{counts['chosen']:,} ({share:.1%})"),
    ]
    if "tokens_chosen" in counts:
        facts.append(("tokens chosen", f"{counts['tokens_chosen']:,}"))
    if job.rows is not None:
        facts.append(("budget", f"{job.rows:,} records"))
    elif job.tokens is not None:
        facts.append(("budget", f"{job.tokens:,} tokens"))
    else:
        facts.append(("budget", f"{job.fraction or 0:.4g} of the eligible"))
    return (*facts, ("seed", str(job.seed)))


def _options(job: Job) -> tuple[tuple[str, str], ...]:
    """Return what was asked for, where it is not the default; of many values the first few."""
    plain = Job(pool=(), rows=1)
    told = []
    for name, value in job.asdict().items():
        if name in ("rows", "tokens", "fraction", "seed", "method") or value == getattr(plain, name):
            continue
        if isinstance(value, list | tuple):
            few = [redact(str(one)) for one in value[:5]]
            shown = ", ".join(few) + (f" and {len(value) - 5:,} more" if len(value) > 5 else "")
        elif isinstance(value, dict):
            shown = ", ".join(f"{key}={one}" for key, one in value.items())
        else:
            shown = str(value)
        told.append((f"Option {name.replace('_', '-')}", shown))
    return tuple(told)
