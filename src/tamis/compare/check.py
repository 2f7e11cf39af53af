"""A check: a selection beside random ones of the same budget, on what can be measured without training.

The pool is read once into columns of the store. The selection's records are found in it, so that all
sets are measured by the same code on the same records; random ones are drawn as the method `random` does.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.compare.columns import draw_arms
from tamis.compare.defaults import Told, require_pool, told_of
from tamis.compare.matching import found_in
from tamis.compare.measuring import Material, measured
from tamis.compare.result import Checked
from tamis.corpus.corpus import Corpus
from tamis.corpus.identity import Ids
from tamis.corpus.objects import is_objects
from tamis.errors import InputError, OptionError
from tamis.report.data import File
from tamis.report.text import plural
from tamis.run.available import available, check_rejected
from tamis.run.choose import budget_of
from tamis.run.inputs import Inputs
from tamis.run.options import Job, Runtime
from tamis.run.progress import Progress
from tamis.run.select import read_targets, settings_of
from tamis.run.selection import Selection
from tamis.run.session import Session
from tamis.select.random import Random
from tamis.signals.compute import compute

__all__ = ["check", "run_check"]

#: What every check reads of the pool.
_SIGNALS = ("ngrams", "minhash", "vectors", "bytes")


def check(
    selection: Any,
    against: Any = None,
    *,
    target: Any = None,
    repeat: int = 20,
    seed: int | None = None,
    tokens: int | None = None,
    group: str | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    store: str | Path | None = None,
    quiet: bool = True,
    **reading: Any,
) -> Checked:
    """Put a selection beside random selections of the same budget out of its pool.

    Parameters
    ----------
    selection : path, records or Selection
        What was chosen. The manifest beside a file gives what is not said here.
    against : path, list of paths, or records
        The pool it was chosen from.
    target : path, list of paths, or records, optional
        Examples that the selection should resemble.
    repeat : int
        Random selections, at least 2.
    seed : int, optional
        Random selection `r` is that of the method `random` with the seed `seed + 1 + r`; default that of the
        selection's run, else 0.
    tokens : int, optional
        Budget of the random selections in tokens; default that of the run, else as many records.
    group : str, optional
        Field of the sources; default `source` where there is one, else the file.
    threads, memory, store, quiet
        What does not change the result.
    **reading
        `text`, `target_text`, `id`, `shape`, `format`, `per_file`, `tokenizer`, `encoder`, `strict`,
        `max_rejected`, as in `tamis.select`.

    Returns
    -------
    Checked
        Printed, it is a table; by measure, `found["vendi"]` says where the selection stands.

    Raises
    ------
    tamis.errors.UserError
        Whatever the caller can mend: records that the pool does not have, above all.

    Examples
    --------
    >>> import tamis
    >>> pool = [{"text": f"record number {i} of " + ("many " * (i % 7))} for i in range(90)]
    >>> found = tamis.check(pool[:9], pool, repeat=4)
    >>> found.records, found["length"].place.of
    (9, 4)
    """
    if isinstance(selection, Selection):
        selection = selection.to_dicts()
    reading = {"id_field" if name == "id" else name: value for name, value in reading.items()}
    known = {field.name for field in dataclasses.fields(Job)}
    for name in reading:
        if name not in known:
            raise OptionError(f"check: no option '{name}'.")
    asked = reading | {"seed": seed, "tokens": tokens}
    objects = {
        name: given
        for name, given in (("selection", selection), ("pool", against), ("target", target))
        if given is not None and is_objects(given)
    }
    asked |= {name: _paths(given) for name, given in (("pool", against), ("target", target)) if name not in objects}
    path = None if "selection" in objects else Path(selection)
    runtime = Runtime.of(threads, memory, store, quiet)
    return run_check(path, asked, runtime, repeat=repeat, group=group, objects=objects)


def run_check(
    path: Path | None,
    asked: dict[str, Any],
    runtime: Runtime,
    *,
    repeat: int = 20,
    group: str | None = None,
    objects: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Check a selection.

    Parameters
    ----------
    path : Path, optional
        Of the selection; None where `objects` has it.
    asked : dict
        Members of a `Job` that were asked for; None and empty ones are taken from the manifest.
    runtime : Runtime
        Threads, memory, store.
    repeat, group : int, str
        As in `check`.
    objects : dict, optional
        `selection`, `pool`, `target` as records in memory.
    progress : Progress, optional
        Takes notes and times.

    Raises
    ------
    UserError
        As `check`.
    """
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 2:
        raise OptionError(f"--repeat: expected a whole number of random selections of at least 2, got {repeat!r}.")
    objects = objects or {}
    told = told_of(path) if path is not None else Told([], {})
    given = {name: value for name, value in asked.items() if value is not None and value != ()}
    job = _job(given, told, objects)
    progress = progress or Progress(runtime.quiet)
    with Session(runtime, path, job.told("check")) as session:
        with progress.step("open"):
            corpus = session.corpus(objects.get("pool", job.pool), settings_of(job), job.format)
            targets = read_targets(session, job, objects.get("target"))
            chosen = session.corpus(objects.get("selection", told.files), settings_of(job))
        session.tell_passed_over(progress)
        name = path.name if path is not None else "selection"

        def step() -> Checked:
            return _check(name, job, told, session, corpus, targets, chosen, repeat, group, progress)

        return session.mended(step, progress)


def _job(given: dict[str, Any], told: Told, objects: dict[str, Any]) -> Job:
    """Return how everything is read, and the budget: what was asked for, else what the manifest tells.

    Raises OptionError without a pool, BudgetError for a budget that is none.
    """
    values = told.job | given
    for name in ("pool", "target"):
        if name in objects:
            values[name] = (f"<{type(objects[name]).__name__}>",)
    require_pool(values.get("pool", ()))
    if "tokens" not in values:
        values["fraction"] = 1.0  # a job needs a budget; that of the random ones is the number of the records found
    job = Job(**values)
    budget_of(job)
    return job


def _check(
    name: str,
    job: Job,
    told: Told,
    session: Session,
    corpus: Corpus,
    targets: list[Corpus],
    chosen: Corpus,
    repeat: int,
    group: str | None,
    progress: Progress,
) -> Checked:
    """Check over the files that were opened."""
    inputs = _read(job, corpus, targets, chosen, group, progress)
    session.check_memory(len(corpus.rows))
    with progress.step("find"):
        rows, by_text = found_in(corpus, chosen, job.max_rejected >= 1)
        if by_text:
            progress.note(f"{by_text:,} of {len(rows):,} records were found by their text, as their keys differ.")
    pool = np.flatnonzero(corpus.rows.status == 0)
    if not len(rows) or len(rows) == len(pool):
        what = "the whole pool" if len(rows) else "empty"
        raise InputError(f"expected a part of the pool to compare with random ones, got a selection that is {what}.")
    ids = Ids(corpus.rows, [opened.source.name for opened in corpus.opened])
    budget, cost, unit = len(rows), None, plural(len(rows), "record")
    if job.tokens is not None:
        budget, unit = job.tokens, f"{job.tokens:,} tokens"
        cost = np.asarray(inputs.numbers(corpus, "tokens"), np.int64)
    arms = draw_arms(ids.keys, pool, rows, repeat=repeat, seed=job.seed, budget=budget, cost=cost)
    for r, one in enumerate(arms.sets[1:]):
        if np.array_equal(one, rows):
            progress.note(
                f"random selection {r + 1} of {repeat} (seed {job.seed + 1 + r}) is the selection itself: choose "
                "another --seed to compare it with others."
            )
    material = Material(corpus, targets, ids, inputs, arms, group)
    with progress.step("measure"):
        found = measured(material)
    return Checked(
        name, tuple(found), len(rows), len(pool), len(corpus.rows), unit, repeat, job.seed, told.method, told.source,
        _files(corpus, rows), tuple(progress.notes), tuple(material.gaps),
    )  # fmt: skip


def _read(
    job: Job, corpus: Corpus, targets: list[Corpus], chosen: Corpus, group: str | None, progress: Progress
) -> Inputs:
    """Read everything once: the pool with all columns, the targets with their n-grams, the selection's keys."""
    _, inputs = available(job, Random(), targets, progress)
    for name in (*_SIGNALS, *(("tokens",) if job.tokens is not None else ())):
        inputs.want(name)
    if group is not None:
        inputs.want_field(group)
    elif "source" in corpus.fields_seen():
        inputs.want_field("source")
    tolerant = job.max_rejected >= 1
    size = sum(opened.source.path.stat().st_size for opened in corpus.opened if opened.source.path.is_file())
    with progress.step("read", size) as done:
        signals = list(inputs.signals.values())
        compute(corpus, signals, inputs.fields, strict=job.strict, tolerant=tolerant, on_progress=done)
        chosen.scan(tolerant=tolerant)
    check_rejected(corpus, job.max_rejected)
    for target in targets:
        compute(target, [inputs.signals["ngrams"]], strict=job.strict, tolerant=tolerant)
    return inputs


def _files(corpus: Corpus, rows: NDArray[np.int64]) -> tuple[File, ...]:
    """Return the files of the pool, with how many records were chosen from each."""
    counts = [
        np.bincount(corpus.rows.source[part], minlength=len(corpus.opened))
        for part in (slice(None), corpus.rows.status != 0, rows)
    ]
    return tuple(
        File(
            one.source.name, one.source.detected.format, one.shape.name if one.shape is not None else "none readable",
            *(int(count[i]) for count in counts),
        )
        for i, one in enumerate(corpus.opened)
    )  # fmt: skip


def _paths(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, str | os.PathLike):
        return (os.fspath(given),)
    return tuple(os.fspath(path) for path in given)
