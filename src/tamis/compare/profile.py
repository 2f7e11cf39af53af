"""A profile: what can be measured of sets of records, one or several side by side, without training.

Each set is read once into columns of the store. What depends on the number of records is measured on
equally many counted ones of each set. From the second set on, sets are compared with the first.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamis import __version__
from tamis.compare.profiled import Profiled
from tamis.compare.profiling import Profiling
from tamis.corpus.corpus import Corpus
from tamis.corpus.objects import is_objects
from tamis.errors import InputError, OptionError
from tamis.report.profile import render_profile
from tamis.report.write import write_html
from tamis.run.options import Job, Runtime
from tamis.run.progress import Progress
from tamis.run.select import read_targets, settings_of
from tamis.run.session import Session

__all__ = ["profile", "run_profile"]


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
        found = session.mended(lambda: Profiling(names, job, session, sets, targets, group, progress).run(), progress)
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
