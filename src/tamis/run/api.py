"""The interface in Python: the same as the command line, typed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tamis.corpus.objects import is_objects
from tamis.errors import InputError
from tamis.run.annotate import Annotation, run_annotate
from tamis.run.catalogue import methods, signals
from tamis.run.options import Job, Runtime, default_method, parse_rate
from tamis.run.pool import OpenPool, open_pool
from tamis.run.select import run_select
from tamis.run.selection import Selection

__all__ = ["annotate", "methods", "open", "select", "signals"]


def select(
    pool: Any,
    *,
    n: int | None = None,
    tokens: int | None = None,
    fraction: float | str | None = None,
    method: str | None = None,
    by: str | None = None,
    target: Any = None,
    unlike: Any = None,
    where: str | None = None,
    rules: str | Sequence[str] = (),
    no_rules: str | Sequence[str] = (),
    languages: str | Sequence[str] = ("en",),
    dedup: float | None = None,
    dedup_by: str | None = None,
    against: Any = None,
    quota: str | Sequence[str] = (),
    must_keep: Iterable[str] = (),
    must_drop: Iterable[str] = (),
    text: str | None = None,
    target_text: str | None = None,
    id: str | None = None,
    shape: str | None = None,
    format: str | None = None,
    per_file: bool = False,
    tokenizer: str = "wordllama",
    encoder: Any = "wordllama",
    seed: int = 0,
    strict: bool = False,
    max_rejected: float | str = 0.1,
    threads: int | None = None,
    memory: str | int | None = None,
    store: str | Path | None = None,
    quiet: bool = True,
    **options: Any,
) -> Selection:
    """Choose records from a pool.

    Parameters
    ----------
    pool : path, list of paths, or records
        Files, folders, globs, URLs; or a list of dicts, a pandas or polars frame, an Arrow
        table, a `datasets.Dataset`.
    n, tokens, fraction : optional
        The budget: exactly one of records, tokens, or a share of the eligible records.
    method : str, optional
        Name of the method; default `auto`, or `top` with `by`.
    by : str, optional
        `SIGNAL` or `SIGNAL:asc`, or a numeric field.
    target : path, list of paths, or records, optional
        Examples the selection should resemble.
    unlike : path, list of paths, or records, optional
        Examples the selection should keep away from, for methods that read some.
    where : str, optional
        SQL condition over fields and signals; null is false.
    rules, no_rules, languages : str or sequence of str
        Rule sets to filter with (`gopher`, `c4`, `fineweb`), rules of them to leave out, and the
        languages whose stop words count.
    dedup, dedup_by : float, str, optional
        Similarity from which near-duplicates go, and the signal that says which of them stays.
    against : path or list of paths, optional
        Files whose text must not be in the selection.
    quota : str or sequence of str
        `FIELD[=VALUE]<=AMOUNT` or `>=`, in rows or `%` of the budget.
    must_keep, must_drop : iterable of str
        Ids.
    text, target_text : str, optional
        Field or template of the text.
    id : str, optional
        Field of the ids; default the hash of the record.
    shape, format, per_file, tokenizer, strict, max_rejected
        How records are read; see `tamis select --help`.
    encoder : str, array or callable
        What makes vectors: "wordllama", `model2vec:NAME`, `sentence-transformers:NAME`, `field:NAME` (a
        field that holds a list of numbers), an `n x d` array or an `.npy` file (a row a record, in the
        order of the input, broken records included), or a function from a list of texts to `n x d` numbers.
    seed : int
        Decides everything random.
    threads, memory, store, quiet
        What does not change the result. Without `store`, columns are kept in a temporary
        folder until the selection is closed.
    **options
        Options of the method.

    Returns
    -------
    Selection
        Ids, weights, reasons, and the means to write them. Close it, or use it in a `with` block.

    Raises
    ------
    tamis.errors.UserError
        Whatever the caller can mend.

    Examples
    --------
    >>> import tamis
    >>> pool = [{"text": f"record number {i}", "lang": "de" if i % 3 else "en"} for i in range(90)]
    >>> with tamis.select(pool, n=10, quota="lang=en>=50%") as chosen:
    ...     print(len(chosen), sum(record["lang"] == "en" for record in chosen.to_dicts()))
    10 5
    """
    objects = pool if is_objects(pool) else None
    target_objects = target if target is not None and is_objects(target) else None
    unlike_objects = unlike if unlike is not None and is_objects(unlike) else None
    job = Job(
        pool=(f"<{type(pool).__name__}>",) if objects is not None else _paths(pool),
        rows=n, tokens=tokens, fraction=None if fraction is None else parse_rate(fraction, "--fraction"),
        method=method or default_method(by, bool(options.get("compat"))),
        options=options, by=by, seed=seed,
        target=(f"<{type(target).__name__}>",) if target_objects is not None else _paths(target),
        unlike=(f"<{type(unlike).__name__}>",) if unlike_objects is not None else _paths(unlike),
        where=where, rules=_words(rules), no_rules=_words(no_rules), languages=_words(languages),
        dedup=dedup, dedup_by=dedup_by,
        against=_paths(against), quotas=_words(quota), must_keep=_ids(must_keep), must_drop=_ids(must_drop),
        text=text, target_text=target_text, shape=shape, id_field=id, format=format, per_file=per_file,
        tokenizer=tokenizer, encoder=encoder, strict=strict, max_rejected=parse_rate(max_rejected, "--max-rejected"),
    )  # fmt: skip
    runtime = Runtime.of(threads, memory, store, quiet)
    return run_select(job, runtime, objects=objects, target_objects=target_objects, unlike_objects=unlike_objects)


def open(
    pool: Any,
    *,
    text: str | None = None,
    id: str | None = None,
    shape: str | None = None,
    format: str | None = None,
    per_file: bool = False,
    threads: int | None = None,
    store: str | Path | None = None,
) -> OpenPool:
    """Read a pool once and return what is in it: records, ids, texts, and what was set aside.

    Parameters are those of `select`.

    Examples
    --------
    >>> import tamis
    >>> with tamis.open([{"text": "a"}, {"text": ""}, {"text": "b"}]) as pool:
    ...     print(len(pool), [bad.reason for bad in pool.rejected()])
    3 ['empty text']
    """
    objects = pool if is_objects(pool) else None
    runtime = Runtime.of(threads, None, store)
    return open_pool(
        _paths(pool) if objects is None else (), objects, runtime, text=text, shape=shape, id_field=id,
        format=format, per_file=per_file,
    )  # fmt: skip


def annotate(
    pool: Any,
    names: Sequence[str],
    *,
    target: Any = None,
    text: str | None = None,
    id: str | None = None,
    shape: str | None = None,
    tokenizer: str = "wordllama",
    threads: int | None = None,
    store: str | Path | None = None,
) -> Annotation:
    """Compute signals of every record; `.table()` gives them by id, `.write(path)` writes them.

    Examples
    --------
    >>> import tamis
    >>> with tamis.annotate([{"text": "a small record"}], ["bytes"]) as found:
    ...     print(found.table().column("bytes").to_pylist())
    [14]
    """
    objects = pool if is_objects(pool) else None
    target_objects = target if target is not None and is_objects(target) else None
    job = Job(
        pool=("<objects>",) if objects is not None else _paths(pool),
        fraction=1.0,
        target=("<objects>",) if target_objects is not None else _paths(target),
        text=text,
        shape=shape,
        id_field=id,
        tokenizer=tokenizer,
    )
    runtime = Runtime.of(threads, None, store)
    return run_annotate(job, tuple(names), runtime, objects=objects, target_objects=target_objects)


def _paths(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, str | os.PathLike):
        return (os.fspath(given),)
    paths = list(given) if isinstance(given, Iterable) and not isinstance(given, Mapping | bytes) else [given]
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise InputError(
                "expected paths or records (a list of dicts, a pandas or polars frame, an Arrow table, a "
                f"datasets.Dataset), got {type(path).__module__}.{type(path).__qualname__}."
            )
    return tuple(os.fspath(path) for path in paths)


def _ids(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({given} if isinstance(given, str) else set(given)))


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
