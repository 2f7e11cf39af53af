"""`--plan`: what would run, how long, how much memory and disk, from the first fragments."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tamis.corpus.chunk import Reading
from tamis.corpus.corpus import Opened
from tamis.corpus.recognise import text_option
from tamis.corpus.sources import redact
from tamis.corpus.task import FRAGMENT_BYTES
from tamis.run.options import Job, Runtime
from tamis.run.outputs import Outputs
from tamis.run.progress import Progress
from tamis.run.select import check_job, prepare, read_targets, read_unlike, settings_of, settled
from tamis.run.session import FRAGMENT_FACTOR, PROCESS_BYTES, RECORD_BYTES, VECTOR_BYTES, Session
from tamis.select.auto import Auto
from tamis.signals.base import PoolSignal, RecordSignal
from tamis.signals.compute import closure

__all__ = ["plan_select"]

#: Bytes of the store a record takes besides its signals; bytes of its row in the decision table.
ROW_BYTES = 34
DECISION_BYTES = 60
#: Seconds a record takes besides reading and signals: to choose, to find its near-duplicates, in the report.
CHOOSING, DEDUP, REPORT = 2.5e-6, 2e-5, 1.5e-6


@dataclass(frozen=True, slots=True)
class Probe:
    """What the first fragment of a file told: records, bytes, seconds, bytes of columns."""

    records: int
    nbytes: int
    packed: float
    seconds: float
    column_bytes: int
    tokens: int = 0


def plan_select(
    job: Job, runtime: Runtime, output: Path | None, progress: Progress, *, report: bool = True
) -> dict[str, Any]:
    """Return what a job would do and cost; the targets are read, of the pool only first fragments.

    Returns
    -------
    dict
        `steps` (list of str), `records`, `bytes`, `seconds`, `memory`, `store`, `outputs`
        (estimates; bytes, seconds), `ceiling` (bytes) and `fits` (bool).
    """
    check_job(job)
    job = settled(job)
    with Session(runtime, output, "tamis select --plan") as session:
        corpus = session.corpus(job.pool, settings_of(job), job.format)
        method, inputs = prepare(job, read_targets(session, job, None), progress, read_unlike(session, job, None))
        signals = closure(inputs.signals.values())
        kernels = [signal for signal in signals if isinstance(signal, RecordSignal)]
        pools = [signal for signal in signals if isinstance(signal, PoolSignal)]
        for opened in corpus.opened[:1]:  # once to compile, so that the clock does not see it
            _probe(opened, corpus.settings.id_field, inputs.fields, kernels)
        probes = [
            (opened, _probe(opened, corpus.settings.id_field, inputs.fields, kernels)) for opened in corpus.opened
        ]
        threads = session.engine.threads
        fragment = session.fragment_bytes or FRAGMENT_BYTES
        totals = [_extrapolate(opened, probe) for opened, probe in probes]
        records = sum(total[0] for total in totals)
        nbytes = sum(total[1] for total in totals)
        seconds = sum(total[2] for total in totals) / threads
        column_bytes = sum(total[3] for total in totals)
        each = RECORD_BYTES + (VECTOR_BYTES if "vectors" in inputs.signals else 0)
        memory = PROCESS_BYTES + threads * fragment * FRAGMENT_FACTOR + records * each + method.holds(records)
        share = _share(job, records, sum(probe.tokens for _, probe in probes), sum(p.records for _, p in probes))
        ceiling = runtime.ceiling()
        files = "1 file" if len(corpus.opened) == 1 else f"{len(corpus.opened):,} files"
        steps = [f"read {files}, about {records:,} records, {threads} threads"]
        steps += [f"compute {signal.name}" for signal in signals]
        steps += _filters(job)
        method = method.pick(records) if isinstance(method, Auto) else method
        steps += [f"choose with {method!r}" + (f" under {', '.join(job.quotas)}" if job.quotas else "")]
        steps += _writing(output, report)
        later = records * (CHOOSING + (DEDUP if job.dedup is not None else 0) + (REPORT if report else 0))
        return {
            "steps": steps,
            "records": records,
            "bytes": nbytes,
            "seconds": round(1.5 + report + seconds * (1.15 + 0.1 * len(pools)) + later, 1),
            "memory": memory,
            "store": column_bytes + records * ROW_BYTES,
            "outputs": int(nbytes * share) + records * DECISION_BYTES,
            "ceiling": ceiling,
            "fits": memory <= ceiling,
            "notes": progress.notes,
        }


def _filters(job: Job) -> list[str]:
    """Return what leaves records out before the method chooses, in the order of the flow."""
    steps = [f"leave out what does not meet --where {job.where!r}"] if job.where else []
    if job.rules:
        without = f", without {', '.join(job.no_rules)}" if job.no_rules else ""
        steps.append(f"leave out what fails the rules {', '.join(job.rules)}{without}")
    if job.against:
        steps.append(f"leave out what holds text of {', '.join(map(redact, job.against))}")
    if job.dedup is not None:
        steps.append(f"leave out near-duplicates from a similarity of {job.dedup:g}")
    return steps


def _writing(output: Path | None, report: bool) -> list[str]:
    if output is None:
        return ["write (no -o given yet)"]
    files = Outputs(output)
    steps = [f"measure it beside random selections, for {files.report.name}"] if report else []
    return [*steps, f"write {output}, {files.decisions.name} and {files.manifest.name}"]


def _probe(opened: Opened, id_field: str | None, fields: list[str], signals: list[RecordSignal]) -> Probe:
    """Read the first fragment of a file, compute what would be computed, and keep nothing."""
    started = time.perf_counter()
    for task in islice(opened.file.tasks(), 1):
        chunk = task.load()
        parsed = chunk.parse(Reading(opened.shape or text_option("text"), id_field, tuple(fields)))
        columns = [signal.column(parsed.text) for signal in signals]
        seconds = time.perf_counter() - started
        size = sum(column.nbytes for column in columns)
        counts = [c for s, c in zip(signals, columns, strict=True) if s.name == "tokens"]
        tokens = int(pc.sum(counts[0]).as_py() or 0) if counts else 0
        return Probe(chunk.n, chunk.nbytes, _packing(opened), seconds, size, tokens)
    return Probe(0, 0, 1.0, 0.0, 0)


def _packing(opened: Opened) -> float:
    """Return how many bytes of records a byte of the file holds, where its reader can tell."""
    stream = getattr(opened.file, "stream", opened.file)
    return float(getattr(stream, "unpacked_per_byte", 1.0))


def _extrapolate(opened: Opened, probe: Probe) -> tuple[int, int, float, int]:
    path = opened.source.path
    size = path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    if not probe.nbytes:
        return probe.records, size, 0.0, 0
    times = max(1.0, size * probe.packed / probe.nbytes)
    return (
        int(probe.records * times),
        int(probe.nbytes * times),
        probe.seconds * times,
        int(probe.column_bytes * times),
    )


def _share(job: Job, records: int, tokens: int, counted: int) -> float:
    """Return the share of the pool that the budget is likely to take; `counted` records have so many tokens."""
    if job.rows is not None:
        return min(1.0, job.rows / max(records, 1))
    if job.tokens is not None and tokens:
        return min(1.0, job.tokens / (tokens / counted * max(records, 1)))
    return job.fraction if job.fraction is not None else 1.0
