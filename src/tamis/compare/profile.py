"""A profile: what can be measured of sets of records, one or several side by side, without training.

Each set is read once into columns of the store. What depends on the number of records is measured on
equally many counted ones of each set. From the second set on, sets are compared with the first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis import __version__
from tamis.compare.columns import ngram_parts, target_counts, vectors_of
from tamis.compare.page import write_html
from tamis.compare.profiled import Measured, Profiled
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.corpus.objects import is_objects
from tamis.errors import BudgetError, InputError, OptionError, UserError
from tamis.measure.coverage import coverage, covering_radius, to_nearest
from tamis.measure.discrepancy import sliced_discrepancy
from tamis.measure.divergence import counts_in, kl_divergence
from tamis.measure.diversity import ORDERS, effective_number, effective_rank, vendi_curve
from tamis.measure.ngrams import distinct_share, word_runs
from tamis.measure.plane import plane, telling_words
from tamis.measure.streamed import Moment
from tamis.measure.tables import group_table, total_variation
from tamis.report.profile import Curve, Panel, render_profile
from tamis.run.against import against
from tamis.run.available import available, check_rejected
from tamis.run.dedup import dedup
from tamis.run.inputs import Inputs
from tamis.run.options import Job, Runtime
from tamis.run.progress import Progress
from tamis.run.report_texts import counted, read_texts
from tamis.run.select import read_targets, settings_of
from tamis.run.session import PROCESS_BYTES, Session
from tamis.select.random import Random
from tamis.signals.compute import column_key, compute
from tamis.signals.minhash import MinHash
from tamis.signals.ngrams import Ngrams
from tamis.signals.vectors import rows_of
from tamis.vectors.tiles import zero_rows

__all__ = ["profile", "run_profile"]

#: Records of each set whose texts and vectors are compared at the most; records up to which all vectors are.
SAMPLED, STREAMED = 5_000, 200_000
_SIGNALS = ("ngrams", "minhash", "vectors", "bytes")
_DOTS, _TOLD, _CHARACTERS, _GROUPS, _BINS = 1_500, 1_500, 1_000, 30, 40


def profile(
    *pools: Any,
    output: str | Path | None = None,
    target: Any = None,
    group: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    memory: str | int | None = None,
    store: str | Path | None = None,
    quiet: bool = True,
    **reading: Any,
) -> Profiled:
    """Measure one or several sets of records, side by side.

    Parameters
    ----------
    *pools : paths or records
        Each is a set: a file, a folder, a glob, a list of paths, or records in memory.
    output : path, optional
        Page to write.
    target : path, list of paths, or records, optional
        Examples that sets are measured against.
    group : str, optional
        Field of the groups; default `source` where all sets have it, else the file.
    seed : int
        Of the samples.
    threads, memory, store, quiet
        What does not change the result.
    **reading
        `text`, `target_text`, `id`, `shape`, `format`, `per_file`, `encoder`, `strict`, `max_rejected`.

    Returns
    -------
    Profiled
        Printed, it is a table; `found["vendi"]` has a value for each set.

    Raises
    ------
    tamis.errors.UserError
        Whatever the caller can mend.

    Examples
    --------
    >>> import tamis
    >>> pool = [{"text": f"record number {i} of " + ("many " * (i % 7))} for i in range(90)]
    >>> tamis.profile(pool, pool[:9])["records"]
    (90.0, 9.0)
    """
    reading = {"id_field" if name == "id" else name: value for name, value in reading.items()}
    known = {field.name for field in dataclasses.fields(Job)}
    for name in reading:
        if name not in known:
            raise OptionError(f"profile: no option '{name}'.")
    runtime = Runtime.of(threads, memory, store, quiet)
    asked = reading | {"seed": seed}
    return run_profile(pools, asked, runtime, target=target, group=group, output=Path(output) if output else None)


def run_profile(
    pools: Sequence[Any],
    asked: dict[str, Any],
    runtime: Runtime,
    *,
    target: Any = None,
    group: str | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Profiled:
    """Profile sets, and write the page where there is an `output`; arguments and errors as `profile`."""
    if not pools:
        raise InputError("profile: expected at least one set of records, got none.")
    progress = progress or Progress(runtime.quiet)
    names = _names(pools)
    told_target = () if target is None else (("<target>",) if is_objects(target) else _paths(target))
    job = Job(pool=tuple(names), fraction=1.0, target=told_target, **asked)
    with Session(runtime, output, job.told("profile")) as session:
        with progress.step("open"):
            sets = [
                session.corpus(pool if is_objects(pool) else _paths(pool), settings_of(job), job.format)
                for pool in pools
            ]
            targets = read_targets(session, job, target if target is not None and is_objects(target) else None)
        _spare(output, [*sets, *targets])
        session.tell_passed_over(progress)
        found = session.mended(lambda: _Profile(names, job, session, sets, targets, group, progress).run(), progress)
    if output is not None:
        write_html(render_profile(found.page(__version__)), output)
    return found


def _spare(output: Path | None, read: Sequence[Corpus]) -> None:
    """Refuse to write over a file that is read."""
    if output is None:
        return
    if output.is_dir():
        raise OptionError(f"{output} is a folder: expected a file to write to, such as {output}/profile.html.")
    for corpus in read:
        for opened in corpus.opened:
            if opened.source.path.resolve() == output.resolve():
                raise OptionError(f"{output} is read, as one of the sets: expected another file to write to.")


class _Profile:
    """One profile over opened files."""

    def __init__(
        self, names: list[str], job: Job, session: Session, sets: list[Corpus], targets: list[Corpus],
        group: str | None, progress: Progress,
    ) -> None:  # fmt: skip
        self.names, self.job, self.session, self.sets, self.targets = names, job, session, sets, targets
        self.group, self.progress = group, progress
        self.figures: list[dict[str, float]] = [{} for _ in sets]
        self.basis: dict[str, str] = {}
        self.gaps: list[str] = []

    def run(self) -> Profiled:
        if self.session.room(1) < 0:
            raise BudgetError(
                f"profile needs more than {PROCESS_BYTES >> 20:,} MB of memory for anything, the ceiling is "
                f"{self.session.runtime.ceiling() >> 20:,} MB. Raise --memory."
            )
        inputs = self._read()
        self.usable = [np.flatnonzero(one.rows.status == 0) for one in self.sets]
        for name, rows in zip(self.names, self.usable, strict=True):
            if not len(rows):
                raise InputError(f"{name}: expected records that can be used, got none.")
        self.session.check_memory(sum(len(one.rows) for one in self.sets))
        size = min(SAMPLED, *map(len, self.usable))
        # In the order of the counted numbers: the first few of a sample are a sample too, whatever the files' order.
        self.samples = [
            counted(one.rows.key, rows, size, self.job.seed, "profile")
            for one, rows in zip(self.sets, self.usable, strict=True)
        ]
        whole = all(len(rows) == size for rows in self.usable)
        self.sampled = f"{'All' if whole else 'A counted'} {size:,} records of each set."
        with self.progress.step("measure"):
            lengths = self._lengths(inputs)
            group, groups = self._groups(inputs)
            self._repeats(inputs)
            texts = self._words()
            self._target(inputs)
            drawn = self._vectors(inputs, texts)
        sets = tuple(
            Measured(name, figures, length, shares, places, apart, orders)
            for name, figures, length, shares, places, apart, orders in zip(
                self.names, self.figures, lengths, groups, *drawn[:3], strict=True
            )
        )
        return Profiled(sets, self.basis, group, drawn[3], drawn[4], tuple(self.progress.notes), tuple(self.gaps))

    def _put(self, key: str, values: Sequence[float], basis: str) -> None:
        self.basis[key] = basis
        for figures, value in zip(self.figures, values, strict=True):
            figures[key] = float(value)

    def _read(self) -> Inputs:
        _, inputs = available(self.job, Random(), self.targets, self.progress)
        for name in _SIGNALS:
            inputs.want(name)
        if self.group is not None:
            inputs.want_field(self.group)
        elif all("source" in one.fields_seen() for one in self.sets):
            inputs.want_field("source")
        tolerant = self.job.max_rejected >= 1
        for one in self.sets:
            size = sum(o.source.path.stat().st_size for o in one.opened if o.source.path.is_file())
            with self.progress.step("read", size) as done:
                signals = list(inputs.signals.values())
                compute(one, signals, inputs.fields, strict=self.job.strict, tolerant=tolerant, on_progress=done)
            check_rejected(one, self.job.max_rejected)
        return inputs

    def _lengths(self, inputs: Inputs) -> list[Panel]:
        self._put("records", [len(rows) for rows in self.usable], "")
        aside = [len(one.rows) - len(rows) for one, rows in zip(self.sets, self.usable, strict=True)]
        if any(aside):
            self._put("set_aside", aside, "")
        sizes = [
            np.asarray(inputs.numbers(one, "bytes"), np.float64)[r]
            for one, r in zip(self.sets, self.usable, strict=True)
        ]
        self._put("length", [float(np.median(size)) for size in sizes], "All records.")
        low = max(1.0, min(float(np.quantile(size, 0.001)) for size in sizes))
        high = max(low * 2, *(float(np.quantile(size, 0.999)) for size in sizes))
        edges = np.geomspace(low, high, _BINS + 1)
        return [Panel(edges, np.histogram(np.clip(size, low, high), edges)[0] / len(size), log=True) for size in sizes]

    def _groups(self, inputs: Inputs) -> tuple[str, list[tuple[tuple[str, float], ...]]]:
        name, known = self.group or "", None
        if self.group is not None:
            known = [inputs.groups(one, self.group) for one in self.sets]
        elif "source" in inputs.fields:
            with contextlib.suppress(UserError):
                name, known = "source", [inputs.groups(one, "source") for one in self.sets]
        if known is None:
            parts = [([o.source.name for o in one.opened], one.rows.source) for one in self.sets]
        else:
            parts = [(list(one.names), one.codes) for one in known]
        if known is None and max(len(names) for names, _ in parts) < 2:
            return "", [()] * len(self.sets)
        names = sorted({str(one) for some, _ in parts for one in some})
        place = {one: i for i, one in enumerate(names)}
        codes = [
            np.array([place[str(one)] for one in some], np.int64)[np.asarray(code, np.int64)[rows]]
            for (some, code), rows in zip(parts, self.usable, strict=True)
        ]
        rows = group_table(codes, names)
        count = range(len(self.sets))
        self._put("groups", [effective_number([row.counts[i] for row in rows]) for i in count], "All records.")
        if len(self.sets) > 1:
            self._put("group_shift", [np.nan, *(total_variation(rows, 0, i) for i in count[1:])], "All records.")
        return name or "file", [tuple((row.name, row.shares[i]) for row in rows[:_GROUPS]) for i in count]

    def _repeats(self, inputs: Inputs) -> None:
        signal = inputs.signals["minhash"]
        if not isinstance(signal, MinHash):
            return
        removed, copies, shared = [], [], [float("nan")]
        for i, (one, rows) in enumerate(zip(self.sets, self.usable, strict=True)):
            eligible = one.rows.status == 0
            ids = Ids(one.rows, [opened.source.name for opened in one.opened])
            found = dedup(one, ids, eligible, threshold=0.8, signal=signal, sample=0)
            removed.append(found.removed.sum() / len(rows))
            copies.append((found.copy & found.removed).sum() / len(rows))
            if i:
                hits = against(one, eligible, [self.sets[0]], ngram=None, threshold=0.8, signal=signal)
                shared.append(hits.removed.sum() / len(rows))
        self._put("near_duplicates", removed, "All records.")
        self._put("copies", copies, "All records.")
        if len(self.sets) > 1:
            self._put("shared", shared, "All records.")

    def _words(self) -> list[list[str]]:
        read = [read_texts(one, np.sort(rows))[0] for one, rows in zip(self.sets, self.samples, strict=True)]
        for n in (1, 3):
            runs = [word_runs(one.text.data, one.text.offsets, n) for one in read]
            every = [one.at(rows) for one, rows in zip(read, self.samples, strict=True)]
            limit = min(run.count(rows) for run, rows in zip(runs, every, strict=True))
            if limit:
                shares = [distinct_share(run, rows, limit) for run, rows in zip(runs, every, strict=True)]
                self._put(
                    f"distinct_{n}", shares, f"The first {limit:,} of {self.sampled[0].lower()}{self.sampled[1:]}"
                )
        told = _TOLD // len(self.sets)
        return [
            [one.of(row)[0][:_CHARACTERS] for row in rows[:told].tolist()]
            for one, rows in zip(read, self.samples, strict=True)
        ]

    def _target(self, inputs: Inputs) -> None:
        signal = inputs.signals["ngrams"]
        if not self.targets or not isinstance(signal, Ngrams):
            return
        aim = target_counts(self.targets, signal)
        counts = [
            counts_in(ngram_parts(one, signal), [rows], signal.buckets)[0]
            for one, rows in zip(self.sets, self.usable, strict=True)
        ]
        if not aim.any() or not all(count.any() for count in counts):
            self.gaps.append("Distance from the target: a set or the target has no n-grams.")
            return
        values = [kl_divergence(aim, count) for count in counts]
        basis = f"All records; n-grams of up to {signal.n} words, {signal.buckets:,} buckets."
        self._put("kl_target", values, basis)
        if len(values) > 1:
            self._put("kl_reduction", [np.nan, *(values[0] - value for value in values[1:])], basis)

    def _vectors(self, inputs: Inputs, texts: list[list[str]]) -> tuple[Any, ...]:
        none = [None] * len(self.sets)
        try:
            taken = [_taken(one, inputs, rows) for one, rows in zip(self.sets, self.samples, strict=True)]
        except UserError as error:
            self.gaps.append(f"Measures of vectors: {error}")
            return none, none, none, (), (0.0, 0.0)
        told = [~zero_rows(some) for some in taken]
        unit = [_unit(some[mask]) for some, mask in zip(taken, told, strict=True)]
        size = min(map(len, unit))
        unit = [some[:size] for some in unit]  # equally many, also where some have no vector
        if size < 3:
            self.gaps.append("Measures of vectors: fewer than three records of a set have one.")
            return none, none, none, (), (0.0, 0.0)
        curves = [Curve(ORDERS, tuple(vendi_curve(some))) for some in unit]
        self._put("vendi", [curve.values[ORDERS.index(1.0)] for curve in curves], self.sampled)
        self._put("effective_rank", [effective_rank(some) for some in unit], self.sampled)
        self._all(inputs)
        engine = self.session.engine
        apart = [to_nearest(some, engine=engine) for some in unit]
        self._put("nearest", [float(one.mean()) for one in apart], self.sampled)
        radius = float(np.median(apart[0]))
        if len(unit) > 1:
            to = [to_nearest(unit[0], some, engine) for some in unit[1:]]
            basis = f"{self.sampled} Radius {radius:.3f}."
            self._put("coverage", [np.nan, *(coverage(one, radius) for one in to)], basis)
            self._put("radius", [np.nan, *(covering_radius(one) for one in to)], self.sampled)
            slices = [sliced_discrepancy(some[:2_000], unit[0][:2_000])[0] for some in unit[1:]]
            self._put("discrepancy", [np.nan, *slices], "At most 2,000 records of each set, 64 directions.")
        high = max(float(np.quantile(one, 0.999)) for one in apart) or 1.0
        edges = np.linspace(0.0, high, _BINS + 1)
        panels = [Panel(edges, np.histogram(np.minimum(one, high), edges)[0] / len(one)) for one in apart]
        places, words, explained = self._map(unit, told, texts)
        return places, panels, curves, words, explained

    def _all(self, inputs: Inputs) -> None:
        """Measure the Vendi score of all records, in one pass over the store."""
        if max(map(len, self.usable)) > STREAMED:
            self.gaps.append(f"Vendi score of all: a set has more than {STREAMED:,} records.")
            return
        scores = []
        for one in self.sets:
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
        self._put("vendi_all", scores, "All records, in one pass (exact).")

    def _map(self, unit: list[NDArray[np.float64]], told: list[NDArray[np.bool_]], texts: list[list[str]]) -> Any:
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


def _names(pools: Sequence[Any]) -> list[str]:
    """Return a short name a set, no two the same."""
    told = []
    for pool in pools:
        paths = () if is_objects(pool) else _paths(pool)
        told.append(Path(paths[0]).name + (" ..." if len(paths) > 1 else "") if paths else f"<{type(pool).__name__}>")
    if len(set(told)) < len(told):
        full = [
            " ".join(_paths(pool)) if not is_objects(pool) else name for pool, name in zip(pools, told, strict=True)
        ]
        told = full if len(set(full)) == len(full) else [f"{i + 1}: {name}" for i, name in enumerate(told)]
    return told


def _paths(given: Any) -> tuple[str, ...]:
    return (os.fspath(given),) if isinstance(given, str | os.PathLike) else tuple(os.fspath(path) for path in given)
