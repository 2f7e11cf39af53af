"""What a check found: figures with their places, as a table, a sentence, plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tamis.compare.statistics import Direction, Standing, verdict
from tamis.report.data import File
from tamis.report.text import number

__all__ = ["MEASURES", "Checked", "Figure", "Measure"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure is: its title, which way is better, its unit ("%" for a share), how to read it."""

    title: str
    direction: Direction
    unit: str
    meaning: str


#: Every measure by its key, in the order of the table.
MEASURES: dict[str, Measure] = {
    "kl_target": Measure(
        "Distance from the target", "lower", "nats",
        "KL divergence of the set from the target on hashed n-grams of one and two words, as DSIR defines it. The "
        "random ones less the selection is DSIR's KL reduction.",
    ),
    "bits_target": Measure(
        "Perplexity of the target", "lower", "bits/byte",
        "Bits for each byte of the target under an n-gram model trained on the set. Texts of the target that are in a "
        "set are left out of its training.",
    ),
    "bits_pool": Measure(
        "Perplexity of the pool", "lower", "bits/byte",
        "Bits for each byte of records of the pool under an n-gram model trained on the set. Those records are left "
        "out of every training.",
    ),
    "coverage": Measure(
        "Coverage", "higher", "%",
        "Share of the pool with a record of the set within a radius, by 1 - cosine of the vectors. The radius is the "
        "median distance of the pool to one more random selection, which is not among those compared.",
    ),
    "nearest": Measure(
        "Distance of the pool to it", "lower", "",
        "Mean distance (1 - cosine) of the pool's records to their nearest record of the set.",
    ),
    "radius_95": Measure(
        "Covering radius of 95%", "lower", "", "The distance within which 95% of the pool have a record of the set."
    ),
    "radius": Measure("Covering radius", "lower", "", "The largest distance of a record of the pool to the set."),
    "vendi": Measure(
        "Vendi score", "higher", "", "Effective number of different records, by the cosine of their vectors."
    ),
    "near_duplicates": Measure(
        "Near-duplicates", "lower", "%",
        "Share of the records that have another of the same set at Jaccard similarity 0.8 or above (5-word shingles; "
        "candidates by MinHash, each pair verified).",
    ),
    "sources": Measure(
        "Shift between sources", "neither", "%",
        "Total variation between the shares of the sources in the pool and in the set: what part of the set would "
        "have to change its source to have the pool's shares.",
    ),
    "length": Measure("Median length", "neither", "bytes", "Bytes of a text. Many other figures follow it."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure of the selection and of random ones; `basis` says on what it was measured."""

    key: str
    basis: str
    standing: Standing
    detail: str = ""

    @property
    def measure(self) -> Measure:
        """What it measures."""
        return MEASURES[self.key]

    @property
    def title(self) -> str:
        """Its name, with what it is about where that varies."""
        return f"{self.measure.title} ({self.detail})" if self.detail else self.measure.title

    def asdict(self) -> dict[str, Any]:
        """Return everything about it as JSON-able values."""
        of = self.standing
        return {
            "measure": self.key, "title": self.title, "unit": self.measure.unit, "direction": of.direction,
            "selection": of.chosen, "random": list(of.random), "median": of.median, "interval": list(of.low_high),
            "range": [min(of.random), max(of.random)], "difference": of.difference,
            "difference_interval": list(of.difference_interval), "below": of.place.below, "above": of.place.above,
            "of": of.place.of, "p_higher": of.p_higher, "p_lower": of.p_lower, "p_two_sided": of.p_two_sided,
            "outside": of.outside, "better": of.better, "words": of.words, "basis": self.basis,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Checked:
    """A selection beside random selections of the same budget out of the same pool; printed, it is a table.

    Attributes
    ----------
    name : str
        Of the selection.
    figures : tuple of Figure
        In the order of `MEASURES`.
    records : int
        Of the selection.
    pool : int
        Records that could be chosen.
    read : int
        Records of the pool that were read, those that cannot be used included.
    budget : str
        Of each random selection, in words.
    repeat, seed : int
        Random selections, and the seed before the first one's.
    method, source : str
        What chose and where it is from; empty where no manifest tells.
    files : tuple of File
        Of the pool, with how many records were chosen from each.
    notes, gaps : tuple of str
        What the user should know, and what could not be measured and why.
    """

    name: str
    figures: tuple[Figure, ...]
    records: int
    pool: int
    read: int
    budget: str
    repeat: int
    seed: int
    method: str
    source: str
    files: tuple[File, ...]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence on all measures."""
        return verdict([figure.standing for figure in self.figures])

    def __getitem__(self, key: str) -> Standing:
        """Return where the selection stands by the measure `key`."""
        return {figure.key: figure.standing for figure in self.figures}[key]

    def __repr__(self) -> str:
        outside = sum(figure.standing.outside for figure in self.figures)
        return f"<check of {self.name}: {outside} of {len(self.figures)} measures outside what chance gives>"

    def __str__(self) -> str:
        head = (
            f"{self.name}: {self.records:,} of {self.pool:,} records, beside {self.repeat} random selections of "
            f"{self.budget}"
        )
        told = [head, "", *self.table(), "", self.verdict]
        return "\n".join([*told, *(f"Not measured: {gap}" for gap in self.gaps)])

    def table(self) -> list[str]:
        """Return the lines of a table: measure, selection, random ones, place."""
        rows = [("measure", "selection", "random: median (5-95%)", "place")]
        for figure in self.figures:
            of, unit = figure.standing, figure.measure.unit
            low, high = of.low_high
            share = "%" if unit == "%" else ""
            middle = f"{number(of.median, share)} ({number(low, share)} to {number(high, share)})"
            title = figure.title if unit in ("", "%") else f"{figure.title}, {unit}"
            rows.append((title, number(of.chosen, share), middle, of.words))
        return _aligned(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return {
            "selection": self.name, "records": self.records, "pool": self.pool, "budget": self.budget,
            "repeat": self.repeat, "seed": self.seed, "method": self.method or None,
            "measures": [figure.asdict() for figure in self.figures],
            "outside": sum(figure.standing.outside for figure in self.figures), "verdict": self.verdict,
            "notes": list(self.notes), "gaps": list(self.gaps),
        }  # fmt: skip


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows of cells as lines: the first and the last to the left, numbers to the right."""
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [f"{a:<{width[0]}}  {b:>{width[1]}}  {c:>{width[2]}}  {d}".rstrip() for a, b, c, d in rows]
