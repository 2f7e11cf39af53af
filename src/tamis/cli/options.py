"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tamis.errors import InputError, OptionError

__all__ = ["ids_of", "method_options", "reading", "runtime"]

F = TypeVar("F", bound=Callable[..., Any])


_READING = (
    click.option(
        "--text",
        metavar="FIELD|TEMPLATE",
        help="Field that holds the text, or a template such as '{title}. {abstract}'.",
    ),
    click.option("--id", "id_field", metavar="FIELD", help="Field that holds the ids [default: the record's hash]."),
    click.option(
        "--shape",
        metavar="SHAPE",
        help="Force a record shape: text, prompt, alpaca, messages, sharegpt, pairs.",
    ),
    click.option(
        "--format",
        metavar="FORMAT",
        help="Force a format: jsonl, json, parquet, arrow, csv, tsv, text, datasets, lance.",
    ),
    click.option("--per-file", is_flag=True, help="Plain text: a record a file instead of a record a line."),
    click.option("--tokenizer", default="wordllama", show_default=True, metavar="NAME|FILE", help="Counts tokens."),
    click.option(
        "--encoder",
        default="wordllama",
        show_default=True,
        metavar="SPEC",
        help="Where vectors are from: wordllama, model2vec:NAME, sentence-transformers:NAME, field:NAME, or FILE.npy.",
    ),
    click.option("--strict", is_flag=True, help="Stop at the first record that cannot be used."),
    click.option(
        "--max-rejected",
        default="10%",
        show_default=True,
        metavar="SHARE",
        help="Stop when more records than this cannot be used.",
    ),
)

_RUNTIME = (
    click.option("--threads", type=int, metavar="N", help="Threads [default: all that the machine grants]."),
    click.option("--memory", metavar="SIZE", help="Memory ceiling, such as 4GB [default: half of the machine's]."),
    click.option(
        "--store",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of computed columns [default: .tamis beside the output].",
    ),
    click.option("--report/--no-report", default=True, show_default=True, help="Write NAME.report.html."),
    click.option("--force", is_flag=True, help="Replace a finished output."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option("--quiet", is_flag=True, help="No progress and no notes."),
)


def reading(function: F) -> F:
    """Add the options that say how records are read."""
    for option in reversed(_READING):
        function = option(function)
    return function


def runtime(function: F) -> F:
    """Add the options that do not change the result."""
    for option in reversed(_RUNTIME):
        function = option(function)
    return function


def method_options(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return `KEY=VALUE` pairs as a mapping."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise OptionError(f"-O expects KEY=VALUE, got '{pair}'.")
        found[key.strip().replace("-", "_")] = value
    return found


def ids_of(values: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Return ids from comma lists and `@file`s (an id a line), each once, sorted.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    found: set[str] = set()
    for value in values:
        if value.startswith("@"):
            try:
                lines = Path(value[1:]).read_text(encoding="utf-8-sig").split("\n")  # ids may hold other line ends
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{option} {value}: expected a text file with an id a line: {error}.") from error
            found.update(line.strip() for line in lines if line.strip())
        else:
            found.update(part.strip() for part in value.split(",") if part.strip())
    return tuple(sorted(found))
