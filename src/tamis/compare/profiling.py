"""The measures of a profile: sets are read once into columns, then measured side by side."""

from __future__ import annotations

import contextlib
from typing import Final

import numpy as np

from tamis.compare.columns import ngram_parts, target_counts
from tamis.compare.profile_vectors import BINS, Sampled, draw_vectors
from tamis.compare.profiled import Board, Measured, Profiled
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.errors import BudgetError, InputError, UserError
from tamis.measure.divergence import counts_in, kl_divergence
from tamis.measure.diversity import effective_number
from tamis.measure.ngrams import distinct_share, word_runs
from tamis.measure.tables import group_table, total_variation
from tamis.report.profile import Panel
from tamis.run.against import against
from tamis.run.available import available, check_rejected
from tamis.run.dedup import dedup
from tamis.run.inputs import Inputs
from tamis.run.options import Job
from tamis.run.progress import Progress
from tamis.run.report_texts import counted, read_texts
from tamis.run.session import PROCESS_BYTES, Session
from tamis.select.random import Random
from tamis.signals.compute import compute
from tamis.signals.minhash import MinHash
from tamis.signals.ngrams import Ngrams

__all__ = ["SAMPLED", "Profiling"]

SAMPLED: Final = 5_000
"""Records of each set whose texts and vectors are compared at the most."""

_SIGNALS = ("ngrams", "minhash", "vectors", "bytes")
_TOLD, _CHARACTERS, _GROUPS = 1_500, 1_000, 30


class Profiling:
    """One profile over opened files."""

    def __init__(
        self, names: list[str], job: Job, session: Session, sets: list[Corpus], targets: list[Corpus],
        group: str | None, progress: Progress,
    ) -> None:  # fmt: skip
        self.names, self.job, self.session, self.sets, self.targets = names, job, session, sets, targets
        self.group, self.progress = group, progress
        self.board = Board(len(sets))

    def run(self) -> Profiled:
        """Read what is missing, and measure; errors as `profile`."""
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
            some = Sampled(self.sets, self.usable, self.samples, self.sampled)
            drawn = draw_vectors(self.board, some, inputs, texts, self.session.engine)
        sets = tuple(
            Measured(name, figures, length, shares, places, apart, orders)
            for name, figures, length, shares, places, apart, orders in zip(
                self.names, self.board.figures, lengths, groups, drawn.places, drawn.apart, drawn.orders, strict=True
            )
        )
        return Profiled(
            sets,
            self.board.basis,
            group,
            drawn.words,
            drawn.explained,
            tuple(self.progress.notes),
            tuple(self.board.gaps),
        )

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
        self.board.put("records", [len(rows) for rows in self.usable], "")
        aside = [len(one.rows) - len(rows) for one, rows in zip(self.sets, self.usable, strict=True)]
        if any(aside):
            self.board.put("set_aside", aside, "")
        sizes = [
            np.asarray(inputs.numbers(one, "bytes"), np.float64)[r]
            for one, r in zip(self.sets, self.usable, strict=True)
        ]
        self.board.put("length", [float(np.median(size)) for size in sizes], "All records.")
        low = max(1.0, min(float(np.quantile(size, 0.001)) for size in sizes))
        high = max(low * 2, *(float(np.quantile(size, 0.999)) for size in sizes))
        edges = np.geomspace(low, high, BINS + 1)
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
        self.board.put("groups", [effective_number([row.counts[i] for row in rows]) for i in count], "All records.")
        if len(self.sets) > 1:
            self.board.put("group_shift", [np.nan, *(total_variation(rows, 0, i) for i in count[1:])], "All records.")
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
        self.board.put("near_duplicates", removed, "All records.")
        self.board.put("copies", copies, "All records.")
        if len(self.sets) > 1:
            self.board.put("shared", shared, "All records.")

    def _words(self) -> list[list[str]]:
        read = [read_texts(one, np.sort(rows))[0] for one, rows in zip(self.sets, self.samples, strict=True)]
        for n in (1, 3):
            runs = [word_runs(one.text.data, one.text.offsets, n) for one in read]
            every = [one.at(rows) for one, rows in zip(read, self.samples, strict=True)]
            limit = min(run.count(rows) for run, rows in zip(runs, every, strict=True))
            if limit:
                shares = [distinct_share(run, rows, limit) for run, rows in zip(runs, every, strict=True)]
                self.board.put(
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
            self.board.gaps.append("Distance from the target: a set or the target has no n-grams.")
            return
        values = [kl_divergence(aim, count) for count in counts]
        basis = f"All records; n-grams of up to {signal.n} words, {signal.buckets:,} buckets."
        self.board.put("kl_target", values, basis)
        if len(values) > 1:
            self.board.put("kl_reduction", [np.nan, *(values[0] - value for value in values[1:])], basis)
