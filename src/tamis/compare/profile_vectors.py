"""What a profile tells of vectors: variety, nearness, coverage, and a map of some records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.compare.columns import vectors_of
from tamis.compare.profiled import Board
from tamis.corpus.corpus import Corpus
from tamis.engine.local import Local
from tamis.errors import UserError
from tamis.measure.coverage import coverage, covering_radius, to_nearest
from tamis.measure.discrepancy import sliced_discrepancy
from tamis.measure.diversity import ORDERS, effective_rank, vendi_curve
from tamis.measure.plane import plane, telling_words
from tamis.measure.streamed import Moment
from tamis.report.profile import Curve, Panel
from tamis.run.inputs import Inputs
from tamis.signals.compute import column_key
from tamis.signals.vectors import rows_of
from tamis.vectors.tiles import zero_rows

__all__ = ["BINS", "Drawn", "Sampled", "draw_vectors"]

STREAMED: Final = 200_000  # records up to which all vectors of a set are looked at
BINS: Final = 40
"""Of a histogram."""

_DOTS = 1_500


@dataclass(frozen=True, eq=False)
class Sampled:
    """The sets of a profile, and the records of each that are compared.

    Attributes
    ----------
    sets : list of Corpus
    usable, rows : lists of int64 arrays
        Of each set the records that can be used, and those of its sample, in the order of the draw.
    basis : str
        The samples, in words.
    """

    sets: list[Corpus]
    usable: list[NDArray[np.int64]]
    rows: list[NDArray[np.int64]]
    basis: str


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is drawn of the vectors: of each set its places on the map, distances and Vendi scores; None without."""

    places: Sequence[Any]
    apart: Sequence[Panel | None]
    orders: Sequence[Curve | None]
    words: Any = ()
    explained: tuple[float, float] = (0.0, 0.0)


def draw_vectors(board: Board, some: Sampled, inputs: Inputs, texts: list[list[str]], engine: Local) -> Drawn:
    """Measure the vectors of all sets, and return what is drawn; `texts` are those of the first of each sample."""
    none = [None] * len(some.sets)
    try:
        taken = [_taken(one, inputs, rows) for one, rows in zip(some.sets, some.rows, strict=True)]
    except UserError as error:
        board.gaps.append(f"Measures of vectors: {error}")
        return Drawn(none, none, none)
    told = [~zero_rows(x) for x in taken]
    unit = [_unit(x[mask]) for x, mask in zip(taken, told, strict=True)]
    size = min(map(len, unit))
    unit = [x[:size] for x in unit]  # equally many, also where some have no vector
    if size < 3:
        board.gaps.append("Measures of vectors: fewer than three records of a set have one.")
        return Drawn(none, none, none)
    curves = [Curve(ORDERS, tuple(vendi_curve(x))) for x in unit]
    board.put("vendi", [curve.values[ORDERS.index(1.0)] for curve in curves], some.basis)
    board.put("effective_rank", [effective_rank(x) for x in unit], some.basis)
    _all(board, some, inputs)
    apart = [to_nearest(x, engine=engine) for x in unit]
    board.put("nearest", [float(one.mean()) for one in apart], some.basis)
    radius = float(np.median(apart[0]))
    if len(unit) > 1:
        to = [to_nearest(unit[0], x, engine) for x in unit[1:]]
        basis = f"{some.basis} Radius {radius:.3f}."
        board.put("coverage", [np.nan, *(coverage(one, radius) for one in to)], basis)
        board.put("radius", [np.nan, *(covering_radius(one) for one in to)], some.basis)
        slices = [sliced_discrepancy(x[:2_000], unit[0][:2_000])[0] for x in unit[1:]]
        board.put("discrepancy", [np.nan, *slices], "At most 2,000 records of each set, 64 directions.")
    high = max(float(np.quantile(one, 0.999)) for one in apart) or 1.0
    edges = np.linspace(0.0, high, BINS + 1)
    panels = [Panel(edges, np.histogram(np.minimum(one, high), edges)[0] / len(one)) for one in apart]
    places, words, explained = _map(unit, told, texts)
    return Drawn(places, panels, curves, words, explained)


def _all(board: Board, some: Sampled, inputs: Inputs) -> None:
    """Measure the Vendi score of all records, in one pass over the store."""
    if max(map(len, some.usable)) > STREAMED:
        board.gaps.append(f"Vendi score of all: a set has more than {STREAMED:,} records.")
        return
    scores = []
    for one in some.sets:
        key, moment = column_key(one, inputs.signals["vectors"]), None
        for fragment in one.fragments:
            if fragment.rows:
                rows = rows_of(one.batch(fragment, key).column(0))
                moment = moment or Moment(rows.shape[1])
                status = one.rows.status[fragment.first_row : fragment.first_row + fragment.rows]
                for start in range(0, len(rows), 4_096):
                    part = np.asarray(rows[start : start + 4_096], np.float32)
                    moment.add(part[status[start : start + 4_096] == 0])
        scores.append(moment.vendi() if moment is not None else float("nan"))
    board.put("vendi_all", scores, "All records, in one pass (exact).")


def _map(unit: list[NDArray[np.float64]], told: list[NDArray[np.bool_]], texts: list[list[str]]) -> Any:
    most = _DOTS // (1 if len(unit) == 1 else 2)
    both = np.concatenate([some[:most] for some in unit])
    if both.shape[1] < 2:
        return [None] * len(unit), (), (0.0, 0.0)
    flat = plane(both)
    at = flat(both)
    low, high = np.quantile(at, 0.005, axis=0), np.quantile(at, 0.995, axis=0)
    room = np.where(high > low, high - low, 1.0)
    places = [np.clip((flat(some[:most]) - low) / room, 0, 1) for some in unit]
    some_texts, some_places = [], []
    for lines, mask, vectors in zip(texts, told, unit, strict=True):
        kept = [line for line, has in zip(lines, mask[: len(lines)].tolist(), strict=True) if has]
        some_texts += kept
        some_places.append(flat(vectors[: len(kept)]))
    return places, telling_words(some_texts, np.concatenate(some_places)), flat.explained


def _taken(corpus: Corpus, inputs: Inputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the vectors of some rows, in their order."""
    return np.asarray(vectors_of(corpus, inputs, np.sort(rows))[np.argsort(np.argsort(rows))])


def _unit(x: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = x.astype(np.float64)
    return np.asarray(rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True)))
