"""The command line: one file a verb, thin: parse, call, print.

Nothing heavy is imported before a verb is known, so that `tamis --help` answers at once.
Results go to stdout, progress and warnings to stderr. Exit codes: 0; 2 for the user's error;
1 for ours; 130 when interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import warnings
from typing import Any

import click

__all__ = ["main"]

#: Verb, and what it does in a line: the table of contents of `tamis --help`.
VERBS = {
    "select": "Choose the records worth training on, with the reason for every record.",
    "dedup": "Keep what is no near-duplicate of a record that is kept.",
    "annotate": "Compute signals and write them beside or into the records.",
    "check": "Put a selection beside random ones of the same budget.",
    "profile": "Measure sets of records, one or several side by side.",
    "why": "Tell one record's whole story.",
    "rerun": "Run a manifest again and check that the result is the same.",
    "problems": "Put methods on small pools whose right answer is known.",
    "methods": "List the methods that choose, with source, needs and cost.",
    "signals": "List the signals, with source, needs and cost.",
    "clean": "Remove a store.",
}


class _Verbs(click.Group):
    """Loads a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in VERBS:
            from tamis.errors import nearest

            raise click.UsageError(f"unknown verb '{name}'.{nearest(name, VERBS)} Known: {', '.join(VERBS)}.")
        return importlib.import_module(f"tamis.cli.{name}").command  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tamis", prog_name="tamis")
def verbs() -> None:
    """Choose what a model learns from."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; to be told to end is to be interrupted."""
    for asked in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(asked) is signal.SIG_DFL:  # under nohup it is ignored, and stays so
            signal.signal(asked, signal.default_int_handler)
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    warnings.showwarning = _warn  # type: ignore[assignment]
    try:
        code = verbs.main(args=arguments, prog_name="tamis", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit:  # click's answer to a pipe that nobody reads any more
        _hush()
        return 0
    except BaseException as error:
        return _tell(error)
    return code if isinstance(code, int) else 0  # what a verb left with, by `click.exceptions.Exit`


def _tell(error: BaseException) -> int:
    """Say what went wrong, and return the exit code."""
    from tamis.errors import TamisError
    from tamis.run.progress import say

    cause = error.__cause__ if isinstance(error, click.exceptions.Abort) else error
    if isinstance(cause, KeyboardInterrupt):
        text = "interrupted. What is finished is kept in the store: the same command goes on from there."
        code = 130
    elif isinstance(error, TamisError):
        text, code = f"error: {error}", error.exit_code
    elif isinstance(error, MemoryError):
        text, code = "error: out of memory. Lower --memory or --threads, and run the same command again.", 1
    elif isinstance(error, BrokenPipeError):
        _hush()
        return 0
    elif isinstance(error, OSError) and error.errno is not None:
        text, code = f"error: the system refuses: {error}. Mend that, and run the same command again.", 2
        _hush()
    else:
        import traceback

        traceback.print_exception(error)
        text, code = "error: the fault above is in tamis, not in what you asked for. Please report it.", 1
    say(text)
    return code


def _hush() -> None:
    """Let what is left to print go nowhere: whoever read it has left, or its disk is full."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: Warning | str, *_: Any) -> None:
    """Show a warning as a sentence, without the line of code it came from."""
    from tamis.run.progress import say

    say(str(message))
