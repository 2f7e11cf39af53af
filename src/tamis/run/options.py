"""What a selection is asked to do, in one frozen object that a manifest can hold.

`Job` decides the result; `Runtime` does not (threads, memory, where the store is).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tamis.corpus.sources import redact
from tamis.engine import available_memory, parse_size
from tamis.errors import BudgetError, OptionError

__all__ = ["Job", "Runtime", "default_method", "named", "parse_rate", "told_options"]


@dataclass(frozen=True)
class Job:
    """Everything that decides a selection.

    Attributes
    ----------
    pool : tuple of str
        Files, folders, globs, URLs or `-`.
    rows, tokens, fraction : int, int, float, optional
        The budget: exactly one of them.
    method : str
        Name of the method.
    options : mapping
        Options of the method by name.
    by : str, optional
        `SIGNAL` or `SIGNAL:asc`, for methods that rank by a signal or a field.
    target : tuple of str
        Files the selection should resemble.
    unlike : tuple of str
        Files the selection should keep away from.
    where : str, optional
        SQL condition over fields and signals.
    rules, no_rules, languages : tuple of str
        Rule sets to filter with, rules of them to leave out, and the languages whose stop words count.
    dedup : float, optional
        Similarity from which a near-duplicate of a record that stays goes.
    dedup_by : str, optional
        `SIGNAL` or `SIGNAL:asc`: of near-duplicates, the record with the highest (lowest) stays.
    against : tuple of str
        Files whose text must not be in the selection.
    quotas : tuple of str
        `FIELD[=VALUE]<=AMOUNT` or `>=`.
    must_keep, must_drop : tuple of str
        Ids.
    text, shape, id_field, format, per_file, target_text
        How records are read.
    tokenizer : str
        What counts tokens.
    encoder : str, array or callable
        What makes vectors: a model, `field:NAME`, an `.npy` file; in Python also an `n x d` array or a function.
    seed : int
        Decides everything random.
    strict : bool
        Stop at the first record that cannot be used.
    max_rejected : float
        Largest share of the records that may be set aside, 0 to 1.
    """

    pool: tuple[str, ...]
    rows: int | None = None
    tokens: int | None = None
    fraction: float | None = None
    method: str = "random"
    options: dict[str, Any] = field(default_factory=dict)
    by: str | None = None
    target: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    where: str | None = None
    rules: tuple[str, ...] = ()
    no_rules: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    dedup: float | None = None
    dedup_by: str | None = None
    against: tuple[str, ...] = ()
    quotas: tuple[str, ...] = ()
    must_keep: tuple[str, ...] = ()
    must_drop: tuple[str, ...] = ()
    text: str | None = None
    target_text: str | None = None
    shape: str | None = None
    id_field: str | None = None
    format: str | None = None
    per_file: bool = False
    tokenizer: str = "wordllama"
    encoder: Any = "wordllama"
    seed: int = 0
    strict: bool = False
    max_rejected: float = 0.1

    def __post_init__(self) -> None:
        given = [name for name in ("rows", "tokens", "fraction") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise BudgetError(
                f"expected exactly one budget, got {got}: -n N (records), --tokens N, or --fraction F (0 to 1)."
            )
        if (*self.pool, *self.target, *self.unlike, *self.against).count("-") > 1:
            raise OptionError("expected '-' once, got it more often: standard input can be read only once.")
        if both := sorted(set(self.must_keep) & set(self.must_drop)):
            raise BudgetError(
                f"expected an id in --must-keep or in --must-drop, got '{both[0]}' in both ({len(both):,} in all)."
            )
        if self.where is not None and not self.where.strip():
            raise OptionError("--where expects a condition, got an empty text.")
        if self.dedup is not None and not 0 < self.dedup <= 1:
            raise OptionError(f"--dedup: expected a similarity above 0 and at most 1, such as 0.8, got {self.dedup:g}.")
        if self.dedup_by is not None and self.dedup is None:
            raise OptionError("--dedup-by says which near-duplicate stays: expected --dedup THRESHOLD with it.")
        if self.no_rules and not self.rules:
            raise OptionError("--no-rule leaves rules out of --rules: expected --rules SETS with it.")
        if not 0 <= self.max_rejected <= 1:
            raise OptionError(f"--max-rejected: expected a share from 0 to 100%, got {self.max_rejected:g}.")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise OptionError(f"--seed: expected a whole number, got {self.seed!r}.")

    def asdict(self) -> dict[str, Any]:
        """Return the options as JSON-able values; what is only in memory as its name in angle brackets."""
        plain = self.encoder
        if not isinstance(plain, str):
            plain = os.fspath(plain) if isinstance(plain, os.PathLike) else named(plain)
        return dataclasses.asdict(dataclasses.replace(self, encoder=plain, options=told_options(self.options)))

    def files(self) -> list[Path]:
        """Return what the job reads, as paths: no output may be one of them."""
        return [Path(path) for path in (*self.pool, *self.target, *self.unlike, *self.against)]

    def told(self, verb: str) -> str:
        """Return the job in a line, without secrets: what others see of it while it runs."""
        return f"tamis {verb} {' '.join(map(redact, self.pool))}"


def named(thing: Any) -> str:
    """Return the name of what is only in memory, a function or an array, in angle brackets."""
    return f"<{getattr(thing, 'name', None) or getattr(thing, '__qualname__', type(thing).__name__)}>"


def told_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's options as a manifest holds them: functions by their names."""
    return {name: named(value) if callable(value) else value for name, value in options.items()}


@dataclass(frozen=True)
class Runtime:
    """What does not change the result.

    Attributes
    ----------
    threads : int, optional
        Default: what the machine grants.
    memory : int, optional
        Ceiling in bytes; default half of what the machine or its cgroup has.
    store : Path, optional
        Default: `.tamis` beside the output, or a temporary folder without an output.
    quiet : bool
        No progress and no notes on stderr.
    """

    threads: int | None = None
    memory: int | None = None
    store: Path | None = None
    quiet: bool = True

    @staticmethod
    def of(
        threads: int | None = None,
        memory: str | int | None = None,
        store: str | Path | None = None,
        quiet: bool = True,
    ) -> Runtime:
        """Return a runtime from what a user typed.

        Raises
        ------
        OptionError
            If threads are below 1 or the memory is no size of at least 64 MB.
        """
        if threads is not None and threads < 1:
            raise OptionError(f"--threads: expected a whole number of at least 1, got {threads}.")
        ceiling = None if memory is None else parse_size(memory)
        if ceiling is not None and ceiling < 64 << 20:
            raise OptionError(f"--memory: expected at least 64MB, got {memory}.")
        return Runtime(threads, ceiling, Path(store) if store is not None else None, quiet)

    def ceiling(self) -> int:
        """Return the memory ceiling in bytes."""
        return self.memory or available_memory() // 2


def parse_rate(text: str | float, option: str) -> float:
    """Return the share (0 to 1) that `text` ("10%", "0.1", 0.1) stands for, as the value of `option`."""
    if isinstance(text, int | float):
        return float(text)
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError as error:
        raise OptionError(f"{option}: expected a share such as 10% or 0.1, got '{text}'.") from error


def default_method(by: str | None, compat: bool = False) -> str:
    """Return the method of a run that names none: what its other options call for."""
    if by is not None:
        return "top"
    return "dsir" if compat else "auto"
