"""The main job: read, set aside, filter, choose. What comes out can be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tamis.corpus.corpus import Corpus, Settings
from tamis.corpus.identity import Ids
from tamis.errors import OptionError
from tamis.run.aim import check_examples, told
from tamis.run.available import available, check_rejected
from tamis.run.choose import Choice, budget_of, choose
from tamis.run.inputs import Inputs
from tamis.run.options import Job, Runtime
from tamis.run.progress import Progress
from tamis.run.selection import Selection
from tamis.run.session import Session
from tamis.run.where import parse_where
from tamis.select import get as get_method
from tamis.select.auto import Auto
from tamis.select.base import Selector
from tamis.select.budget.quotas import Quota
from tamis.signals.compute import compute

__all__ = ["make_method", "prepare", "read_targets", "read_unlike", "run_select", "settings_of", "settled"]


def run_select(
    job: Job,
    runtime: Runtime | None = None,
    *,
    objects: Any = None,
    target_objects: Any = None,
    unlike_objects: Any = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Selection:
    """Run a job and return its selection, ready to be written.

    Parameters
    ----------
    job : Job
        What to select.
    runtime : Runtime, optional
        Threads, memory, store.
    objects, target_objects, unlike_objects : optional
        Records in memory, in place of `job.pool`, `job.target` and `job.unlike`.
    output : Path, optional
        Where the selection will be written: its folder holds the default store.
    progress : Progress, optional
        Takes notes and times.

    Raises
    ------
    UserError
        Whatever the user can mend; see `tamis.errors`.
    """
    check_job(job)
    job = settled(job)
    runtime = runtime or Runtime()
    progress = progress or Progress(runtime.quiet)
    session = Session(runtime, output, job.told("select"))
    try:
        with progress.step("open"):
            corpus = session.corpus(job.pool if objects is None else objects, settings_of(job), job.format)
            targets = read_targets(session, job, target_objects)
            unlike = read_unlike(session, job, unlike_objects)
            others = [session.corpus(path, target_settings(job)) for path in job.against]
        session.tell_passed_over(progress)
        return session.mended(lambda: _select(job, session, corpus, targets, unlike, others, progress), progress)
    except BaseException:
        session.close()
        raise


def _select(
    job: Job,
    session: Session,
    corpus: Corpus,
    targets: list[Corpus],
    unlike: list[Corpus],
    others: list[Corpus],
    progress: Progress,
) -> Selection:
    """Run a job over the files it reads."""
    method, inputs = prepare(job, targets, progress, unlike)
    size = sum(_size(opened.source.path) for opened in corpus.opened)
    with progress.step("read", size) as done:
        tolerant = job.max_rejected >= 1
        compute(
            corpus, list(inputs.signals.values()), inputs.fields,
            strict=job.strict, tolerant=tolerant, on_progress=done,
        )  # fmt: skip
    check_rejected(corpus, job.max_rejected)
    for other in others:
        other.scan(strict=job.strict, tolerant=tolerant)
        check_rejected(other, job.max_rejected)
    n, vectors = len(corpus.rows), "vectors" in inputs.signals
    method = method.within(max(0, session.room(n, vectors=vectors)), n)
    session.check_memory(n, vectors=vectors, method=method.holds(n))
    with progress.step("choose"):
        ids = Ids(corpus.rows, [opened.source.name for opened in corpus.opened])
        where = parse_where(job.where) if job.where else None
        choice = choose(corpus, others, ids, inputs, method, job, where)
    if job.method == Auto.name:
        method = _picked(method, job, choice, progress)
    if method.parted_by_memory and (parts := choice.reports.get("method", {}).get("parts", 1)) > 1:
        progress.note(
            f"{method.name} dealt the records into {parts} parts, as their similarities do not fit into the memory. "
            "With another --memory parts, and so choices, may differ."
        )
    if wanted := choice.reports.get("method", {}).get("candidates_wanted"):
        progress.note(
            f"{method.name} looked at fewer candidates than the {wanted:,} asked for, as their similarities do not fit "
            "into the memory. With another --memory candidates, and so choices, may differ."
        )
    for note in choice.notes:
        progress.note(note)
    return Selection(job, session, corpus, targets, ids, inputs, method, choice, progress, unlike)


def settled(job: Job) -> Job:
    """Return a job with what the method `auto` adds to it: near-duplicates go first, unless told otherwise."""
    method = make_method(job)
    if isinstance(method, Auto) and method.unique and job.dedup is None:
        return replace(job, dedup=Auto.threshold)
    return job


def _picked(method: Selector, job: Job, choice: Choice, progress: Progress) -> Selector:
    """Return the method that `auto` picked, and tell which and why."""
    told = choice.reports.get("method", {})
    asked = make_method(job)
    if isinstance(method, Auto):
        method, why = get_method(told["picked"])(), told["why"]
    else:
        why = asked.why(0, target=True) if isinstance(asked, Auto) else ""
    gone = choice.counts.get("dedup")
    alike = "near-duplicates were not looked for" if gone is None else f"{gone:,} near-duplicates left out first"
    progress.note(
        f"auto picked {method.name} ({why}); {alike}; quality was not judged (that is for --rules, --where and --by)."
    )
    return method


def check_job(job: Job) -> None:
    """Check what can be checked before anything is read.

    Raises
    ------
    OptionError
        For a method, an option, a condition or a quota that is none.
    BudgetError
        For a budget below one record or token.
    """
    method = make_method(job)
    if method.flags.needs_target and not job.target:
        raise OptionError(f"method '{job.method}' needs a target: --target FILES, the examples to resemble.")
    if method.flags.needs_unlike and not job.unlike:
        raise OptionError(f"method '{job.method}' needs --unlike FILES, the examples to keep away from.")
    check_examples(job, method)
    budget_of(job)
    for text in job.quotas:
        Quota.parse(text)
    if job.where:
        parse_where(job.where)


def settings_of(job: Job) -> Settings:
    """Return how a job's pool is read."""
    return Settings(job.text, job.shape, job.id_field, job.per_file)


def target_settings(job: Job) -> Settings:
    """Return how a job's target is read: like the pool, unless told otherwise; it needs no ids."""
    return Settings(job.target_text or job.text, job.shape if job.target_text is None else None, None, job.per_file)


def read_targets(session: Session, job: Job, objects: Any) -> list[Corpus]:
    """Return a corpus a target."""
    given = [objects] if objects is not None else list(job.target)
    return [session.corpus(one, target_settings(job)) for one in given]


def read_unlike(session: Session, job: Job, objects: Any) -> list[Corpus]:
    """Return a corpus for each of the examples to keep away from."""
    given = [objects] if objects is not None else list(job.unlike)
    return [session.corpus(one, target_settings(job)) for one in given]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def make_method(job: Job) -> Selector:
    """Return the job's method with its options.

    Raises
    ------
    OptionError
        For an unknown method or option, or `--by` for a method that ranks by nothing.
    """
    cls = get_method(job.method)
    options = dict(job.options)
    if job.by is not None:
        if not any(parameter.name == "by" for parameter in cls.parameters):
            raise OptionError(f"method '{job.method}' takes no --by; use --method top to rank by a signal.")
        options["by"] = job.by
    return cls(**options)


def prepare(
    job: Job, targets: list[Corpus], progress: Progress, unlike: Sequence[Corpus] = ()
) -> tuple[Selector, Inputs]:
    """Return the method, told of its examples, and everything that it and the constraints read.

    Raises
    ------
    OptionError
        If a target is needed and none is given.
    """
    method = make_method(job)
    if isinstance(method, Auto) and targets:
        method = method.pick(0, target=True)
    method, inputs = available(job, method, targets, progress)
    method = told(job, method, inputs, targets, unlike, progress)
    if job.tokens is not None:
        inputs.want("tokens")
    for name in method.needs():
        if name in method.group_needs():
            inputs.want_field(name)
        elif name in method.label_needs():
            inputs.want_labels(name, method.label_needs()[name])
        elif name != "order":
            inputs.want(name)
    if job.where:
        inputs.want_all(parse_where(job.where).names)
    if job.rules:
        inputs.want("rules")
    if job.dedup is not None:
        inputs.want("minhash")
        if job.dedup_by is not None:
            inputs.want(job.dedup_by.removesuffix(":asc").removesuffix(":desc"))
    for text in job.quotas:
        inputs.want_field(Quota.parse(text).field)
    if not targets and "ratio" in inputs.fields:
        raise OptionError("the signal 'ratio' needs a target: --target FILES, the examples to resemble.")
    return method, inputs
