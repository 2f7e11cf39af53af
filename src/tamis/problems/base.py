"""What a problem is, and the words and vectors its records are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tamis.errors import OptionError

__all__ = ["LEAST", "Problem", "Way", "check_size", "records", "texts", "vocabulary"]

LEAST = 500
"""Records from which a pool is large enough to hold what is planted."""

_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


@dataclass(frozen=True)
class Way:
    """A method with options to try on a problem.

    Attributes
    ----------
    method : str
    options : mapping
        As `tamis.select` takes them: options of the method, `by`, `quota`, `dedup`.
    expected : bool, optional
        Whether it is expected to be better than all random selections; None where either may happen.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: bool | None = None

    def __str__(self) -> str:
        return " ".join([self.method, *(f"{name}={value}" for name, value in self.options.items())])


@dataclass(frozen=True, eq=False)
class Problem:
    """A pool whose right answer is known.

    Attributes
    ----------
    name, title : str
    planted : str
        What was planted, in a sentence.
    records : list of dict
        The pool: `id`, `text`, `vector`, and the signals of the problem as fields.
    target : list of dict
        Examples to resemble, where the problem has such.
    k : int
        Records to choose.
    measure : str
        What `judge` returns, in words.
    direction : str
        Which way is better: "higher" or "lower".
    judge : function
        From positions of chosen records (input order) to a number.
    ways : tuple of Way
        What is tried unless something else is asked for.
    """

    name: str
    title: str
    planted: str
    records: list[dict[str, Any]]
    target: list[dict[str, Any]]
    k: int
    measure: str
    direction: Literal["higher", "lower"]
    judge: Callable[[NDArray[np.int64]], float]
    ways: tuple[Way, ...]

    def write(self, folder: str | Path) -> Path:
        """Write `pool.jsonl`, and `target.jsonl` where there is a target, into `folder`; return it.

        Raises
        ------
        OSError
            The disk refuses it.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("pool", self.records), ("target", self.target)):
            if rows:
                lines = "".join(json.dumps(row) + "\n" for row in rows)
                aside = folder / f".{name}.part"
                aside.write_text(lines, encoding="utf-8")
                aside.replace(folder / f"{name}.jsonl")
        return folder


def check_size(n: int) -> int:
    """Return `n`; OptionError when it is no whole number of at least `LEAST`."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < LEAST:
        raise OptionError(f"problem: expected a pool of at least {LEAST} records, got {n!r}.")
    return int(n)


def vocabulary(random: np.random.Generator, size: int) -> list[str]:
    """Return `size` different made-up words of two to four syllables."""
    found: dict[str, None] = {}
    while len(found) < size:
        found["".join(random.choice(_SYLLABLES, random.integers(2, 5)))] = None
    return list(found)


def texts(
    random: np.random.Generator, words: Sequence[str], lengths: NDArray[np.int64], chances: NDArray[np.float64]
) -> list[str]:
    """Return a text of each length, its words drawn by their chances."""
    drawn = random.choice(len(words), int(lengths.sum()), p=chances)
    ends = np.cumsum(lengths)
    return [" ".join(words[i] for i in drawn[e - m : e].tolist()) + "." for e, m in zip(ends, lengths, strict=True)]


def records(
    texts: Sequence[str], vectors: NDArray[np.float64] | None = None, **fields: NDArray[Any] | Sequence[Any]
) -> list[dict[str, Any]]:
    """Return a record for each text with its id, vector and fields."""
    columns: dict[str, list[Any]] = {"id": [f"r{i:06d}" for i in range(len(texts))], "text": list(texts)}
    columns |= {
        name: values.tolist() if isinstance(values, np.ndarray) else list(values) for name, values in fields.items()
    }
    if vectors is not None:
        columns["vector"] = vectors.round(5).tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
