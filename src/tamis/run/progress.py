"""What a run tells while it works: on stderr, and nothing where nobody looks."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["Progress", "say"]


def say(text: str) -> None:
    """Tell something on stderr; that nobody listens there is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f"tamis: {text}\n")
            sys.stderr.flush()


class Progress:
    """Notes, bars and a clock.

    Parameters
    ----------
    quiet : bool
        No notes and no bars. Bars also stay away when stderr is not a terminal.

    Attributes
    ----------
    seconds : dict of str to float
        What each step took.
    notes : list of str
        What was said, for the manifest and `--json`.
    """

    def __init__(self, quiet: bool = True) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Tell something that the user should know."""
        self.notes.append(text)
        if not self.quiet:
            say(text)

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "B") -> Iterator[Callable[[int], None]]:
        """Time a step; yield a function that takes how much more of `total` is done."""
        started = time.perf_counter()
        if self.quiet or total is None or sys.stderr is None or not sys.stderr.isatty():
            yield lambda _: None
        else:
            from tqdm import tqdm

            with tqdm(total=total, desc=name, unit=unit, unit_scale=True, leave=False, file=sys.stderr) as bar:
                yield lambda done: bar.update(done) and None
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
