"""What a report shows: plain numbers and texts, all of it computed before it gets here.

A *share* is a number from 0 to 1. A *basis* says in words on how many records a figure was
measured. Texts are as found in the user's files: the page makes them safe to show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.measure.chance import Place

__all__ = [
    "Dedup",
    "Drop",
    "Example",
    "Figure",
    "File",
    "GroupRow",
    "Groups",
    "Histogram",
    "Pair",
    "PoolMap",
    "Records",
    "ReportData",
    "Shown",
    "Stage",
    "Text",
]


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a text: `text`, after `skipped` characters, of a whole of `nbytes` bytes; `cut` if more follows."""

    text: str
    nbytes: int
    skipped: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A text in pieces, the flagged ones differing from the text beside it."""

    pieces: tuple[tuple[str, bool], ...]
    nbytes: int
    skipped: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A record: its id, where it stands, what is known of it (names and values), and its text."""

    id: str
    place: str
    facts: tuple[tuple[str, str], ...]
    text: Shown | Text


@dataclass(frozen=True, slots=True)
class File:
    """A file that was read. `chosen` counts the records chosen from it."""

    name: str
    format: str
    shape: str
    records: int
    rejected: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A step from pool to selection: how many records it left out, and how many were `left` after it."""

    title: str
    out: int
    left: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A reason why records are not in the selection, with a few of them."""

    stage: str
    reason: str
    count: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of the selection beside the same of random selections.

    Attributes
    ----------
    name, meaning, basis : str
        What it is, how to read it, on what it was measured.
    chosen : float
    random : tuple of float
        Of each random selection.
    pool : float, optional
        Of the whole pool, where the measure does not depend on the number of records.
    place : Place
    unit : str
        Behind the number, such as "bytes"; "%" for a share.
    """

    name: str
    meaning: str
    basis: str
    chosen: float
    random: tuple[float, ...]
    place: Place
    pool: float | None = None
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the values of a signal are spread: shares of `b` bins.

    Attributes
    ----------
    name, unit, meaning, basis : str
    edges : float64 array of shape (b + 1,)
        The first and the last bin also hold what lies beyond.
    log : bool
        Whether bins are equally wide on a logarithmic scale.
    pool, chosen, low, high : float64 arrays of shape (b,)
        Of the pool, of the selection, and the range of the random selections.
    quantiles : tuple of str
        Names of the quantiles given in `pool_at`, `chosen_at`, and `random_at` (low and high).
    missing : int
        Records without a value.
    """

    name: str
    unit: str
    meaning: str
    basis: str
    edges: NDArray[np.float64]
    log: bool
    pool: NDArray[np.float64]
    chosen: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quantiles: tuple[str, ...]
    pool_at: tuple[float, ...]
    chosen_at: tuple[float, ...]
    random_at: tuple[tuple[float, float], ...]
    missing: int = 0


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group's share of the pool, of the selection, and the range of its share of random selections."""

    name: str
    pool: float
    chosen: float
    low: float
    high: float
    chosen_count: int


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a field, the largest first; `folded` groups are added up in the last row."""

    field: str
    basis: str
    count: int
    folded: int
    rows: tuple[GroupRow, ...]


@dataclass(frozen=True, eq=False)
class PoolMap:
    """Places of records on two axes, from 0 to 1 each, `n x 2`; right and up are greater.

    `words` tell the left, right, bottom and top end. `explained` are the shares of the variance.
    """

    basis: str
    pool: NDArray[np.float64]
    chosen: NDArray[np.float64]
    random: NDArray[np.float64]
    words: tuple[tuple[str, ...], ...]
    explained: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """A record that went, and the one that stays because of which it went."""

    similarity: float
    gone: Example
    stays: Example


@dataclass(frozen=True, slots=True)
class Dedup:
    """Near-duplicates: what was found (names and values), and some of the pairs."""

    facts: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """Records under one heading."""

    title: str
    meaning: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows.

    Attributes
    ----------
    title : str
        Name of the selection.
    method, source : str
        What chose, and where the method is from.
    facts : tuple of (name, value)
        Counts, budget, seed: the run in short.
    options : tuple of (name, value)
        What was asked for, where it is not the default.
    base : str
        What "pool" and "random" stand for, as in "the 18,732 eligible records".
    draws : str
        How the random selections were drawn.
    notes : tuple of str
        What the user should know.
    gaps : tuple of str
        What is not shown, and why.
    """

    title: str
    version: str
    method: str
    source: str
    facts: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    base: str
    draws: str
    stages: tuple[Stage, ...]
    files: tuple[File, ...]
    drops: tuple[Drop, ...]
    figures: tuple[Figure, ...]
    groups: tuple[Groups, ...]
    histograms: tuple[Histogram, ...]
    map: PoolMap | None
    dedup: Dedup | None
    records: tuple[Records, ...]
    notes: tuple[str, ...]
    gaps: tuple[str, ...]
