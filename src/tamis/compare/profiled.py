"""What a profile found: figures of one or several sets, side by side, as a table, plain data and a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamis.report.profile import Bars, Curve, Panel, ProfileData, Row
from tamis.report.text import number

__all__ = ["MEASURES", "Board", "Measured", "Profiled"]

#: Every figure by its key: title, unit ("%" for a share), how to read it; in the order of the table.
MEASURES: dict[str, tuple[str, str, str]] = {
    "records": ("Records", "", "That can be used."),
    "set_aside": ("Set aside", "", "Records that cannot be read or have no text."),
    "length": ("Median length", "bytes", "Of a text."),
    "groups": ("Effective groups", "", "Hill number of order 1: how many equally large groups are as diverse."),
    "group_shift": ("Shift of groups", "%", "Total variation between the shares of the groups here and in the first."),
    "near_duplicates": ("Near-duplicates", "%", "Share that could go, as a record that stays has Jaccard similarity "
                        "0.8 or above (5-word shingles; verified)."),
    "copies": ("Copies", "%", "Of these, the records whose words are the very same as another's."),
    "shared": ("In the first set too", "%", "Records with a near-duplicate in the first set."),
    "distinct_1": ("Different words", "%", "Different over all words, among equally many of each set."),
    "distinct_3": ("Different runs of three words", "%", "Different over all, among equally many of each set."),
    "vendi": ("Vendi score", "", "Effective number of different records (order 1), cosine of the vectors."),
    "vendi_all": ("Vendi score of all", "", "The same of all records; grows with their number."),
    "effective_rank": ("Effective rank", "", "How many directions the vectors use: exp(entropy) of singular values."),
    "nearest": ("Distance to the nearest", "", "Mean of 1 - cosine to the nearest other record."),
    "coverage": ("Coverage of the first set", "%", "Share of the first set's records with one of this set within the "
                 "radius: the median distance within the first set."),
    "radius": ("Covering radius", "", "Largest distance of a record of the first set to this one."),
    "discrepancy": ("Discrepancy to the first", "", "Mean difference of the distributions along random directions "
                    "(sliced form); 0: spread alike."),
    "kl_target": ("Distance from the target", "nats", "KL(target || set) on hashed n-grams, as DSIR defines it."),
    "kl_reduction": ("KL reduction", "nats", "KL of the first set less KL of this one; above 0: nearer the target."),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """One set: its name, its figures by their keys (NaN: not measured), and what its pictures show."""

    name: str
    figures: dict[str, float]
    lengths: Panel
    groups: tuple[tuple[str, float], ...] = ()
    places: Any = None
    apart: Panel | None = None
    orders: Curve | None = None


class Board:
    """Figures of `sets` sets while they are measured.

    Attributes
    ----------
    figures : list of dict
        Of each set, by measure.
    basis : dict
        By measure, on how many records it was measured.
    gaps : list of str
        What could not be measured, and why.
    """

    def __init__(self, sets: int) -> None:
        self.figures: list[dict[str, float]] = [{} for _ in range(sets)]
        self.basis: dict[str, str] = {}
        self.gaps: list[str] = []

    def put(self, key: str, values: Sequence[float], basis: str) -> None:
        """Note a measure of every set."""
        self.basis[key] = basis
        for figures, value in zip(self.figures, values, strict=True):
            figures[key] = float(value)


@dataclass(frozen=True, eq=False)
class Profiled:
    """Sets side by side; printed, it is a table.

    Attributes
    ----------
    sets : tuple of Measured
    basis : dict
        By measure, on how many records it was measured.
    group : str
        What the groups are of.
    words, explained
        Ends of the map, and the share of the variance on it.
    notes, gaps : tuple of str
        What the user should know, and what could not be measured and why.
    """

    sets: tuple[Measured, ...]
    basis: dict[str, str]
    group: str
    words: tuple[tuple[str, ...], ...]
    explained: tuple[float, float]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]

    def __getitem__(self, key: str) -> tuple[float, ...]:
        """Return the figure `key` of each set."""
        return tuple(one.figures.get(key, float("nan")) for one in self.sets)

    def figures(self) -> list[str]:
        """Return the keys of what was measured, in the order of the table."""
        return [key for key in MEASURES if any(math.isfinite(value) for value in self[key])]

    def __str__(self) -> str:
        rows = [("measure", *(one.name for one in self.sets))]
        for key in self.figures():
            title, unit, _ = MEASURES[key]
            share = "%" if unit == "%" else ""
            rows.append((title if unit in ("", "%") else f"{title}, {unit}", *(number(v, share) for v in self[key])))
        width = [min(40, max(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
        lines = [
            "  ".join([f"{row[0]:<{width[0]}}", *(f"{c[-40:]:>{w}}" for c, w in zip(row[1:], width[1:], strict=True))])
            for row in rows
        ]
        return "\n".join([*lines, *(f"Not measured: {gap}" for gap in self.gaps)])

    def __repr__(self) -> str:
        return f"<profile of {', '.join(one.name for one in self.sets)}: {len(self.figures())} measures>"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values; what was not measured is null."""
        measures = [
            {
                "measure": key, "title": MEASURES[key][0], "unit": MEASURES[key][1], "basis": self.basis.get(key, ""),
                "values": [value if math.isfinite(value) else None for value in self[key]],
            }
            for key in self.figures()
        ]  # fmt: skip
        return {
            "sets": [one.name for one in self.sets], "measures": measures, "group": self.group,
            "groups": [dict(one.groups) for one in self.sets],
            "vendi_by_order": [
                {f"{q:g}": v for q, v in zip(one.orders.at, one.orders.values, strict=True)} if one.orders else None
                for one in self.sets
            ],
            "notes": list(self.notes), "gaps": list(self.gaps),
        }  # fmt: skip

    def page(self, version: str) -> ProfileData:
        """Return what the page shows."""
        rows = tuple(
            Row(MEASURES[key][0], MEASURES[key][1], MEASURES[key][2], self.basis.get(key, ""), self[key])
            for key in self.figures()
        )
        groups = Bars(self.group, tuple(one.groups for one in self.sets)) if self.group else None
        return ProfileData(
            version, tuple(one.name for one in self.sets), rows, tuple(one.lengths for one in self.sets), groups,
            tuple(one.apart for one in self.sets if one.apart is not None),
            tuple(one.orders for one in self.sets if one.orders is not None),
            tuple(np.asarray(one.places) for one in self.sets if one.places is not None), self.words, self.explained,
            self.notes, self.gaps,
        )  # fmt: skip
