"""A task: what a worker needs to load one fragment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tamis.corpus.chunk import Chunk

__all__ = ["FRAGMENT_BYTES", "Readable", "Task"]

#: Bytes of a fragment: large enough to hide the cost of a file, small enough to have many in flight.
FRAGMENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """Fragment `index` of a file, and how to load it (from any thread, any number of times)."""

    index: int
    load: Callable[[], Chunk]


class Readable(Protocol):
    """One file as fragments.

    `tasks` may do work between tasks (decompression) or none (byte ranges). A file that ends
    too early ends the iteration and leaves a sentence in `damage`.
    """

    damage: str | None

    def tasks(self) -> Iterator[Task]:
        """Yield the fragments in order."""
        ...
