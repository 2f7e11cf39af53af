"""Methods that are shown examples: vectors of records to be like (`--target`), or unlike (`--unlike`).

The examples' vectors are made as the pool's are. A method is told them before it chooses; each row counts once
for every time it is there, and the order of the examples does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.vectors.similarity import Space, nearness
from tamis.vectors.tiles import canonical, matrix, subset, zero_rows

__all__ = ["Aimed", "how_near", "near_examples"]


class Aimed:
    """Holds the examples of a method; comes before `Selector` among its bases.

    Attributes
    ----------
    target, unlike : array of shape (q, d), or None
        Vectors of the examples to be like, and of those to be unlike: as they were given, without rows of zeros,
        in canonical order. None where the method was told none.
    reads : tuple of str
        Which of the two the method can be told: "target", "unlike".
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("target",)

    target: NDArray[Any] | None = None
    unlike: NDArray[Any] | None = None

    def told(self, target: Sequence[Any] = (), unlike: Sequence[Any] = ()) -> Self:
        """Return the method for these examples: one array (`q x d`) for each file or set of them.

        Raises
        ------
        InputError
            Vectors that are none, that are not finite, of unequal widths, or all zeros.
        OptionError
            Examples that the method does not read.
        """
        other = copy.copy(self)
        for which, arrays in (("target", target), ("unlike", unlike)):
            if len(arrays):
                if which not in self.reads:
                    raise OptionError(f"method '{self.name}' reads no --{which}; it takes --{self.reads[0]}.")
                setattr(other, which, _joined(arrays, which))
        return other

    def examples(self, which: str, pool: Pool) -> NDArray[Any]:
        """Return the examples, as wide as the pool's vectors.

        Raises
        ------
        InputError
            Another width.
        OptionError
            The method was told none.
        """
        found: NDArray[Any] | None = getattr(self, which)
        width = pool.vectors("vectors", self.name).shape[1]
        if found is None:
            words = "examples to be like" if which == "target" else "examples to be unlike"
            raise OptionError(f"method '{self.name}' needs --{which} FILES, the {words}.")
        if found.shape[1] != width:
            raise InputError(f"--{which}: expected vectors of {width} numbers, as the pool's, got {found.shape[1]}.")
        return found

    def held(self) -> int:
        """Return the bytes that the examples take, with a working copy."""
        return sum(x.size * (x.itemsize + 4) for x in (self.target, self.unlike) if x is not None)


def _joined(arrays: Sequence[Any], which: str) -> NDArray[Any]:
    parts = [matrix(part, f"--{which}") for part in arrays]
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise InputError(f"--{which}: expected vectors of one width, got {widths[0]} and {widths[-1]} numbers.")
    x = parts[0] if len(parts) == 1 else np.concatenate(parts)
    rows = np.flatnonzero(~zero_rows(x, f"--{which}"))
    if not len(rows):
        raise InputError(f"--{which}: expected at least one record with a vector, got {len(x):,} without (all zeros).")
    return canonical(subset(x, rows), None)[0]


def near_examples(space: Space, examples: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return each row's similarity to the nearest of some examples (`q x d`), 0 to 1; 0 without any."""
    if examples is None:
        return np.zeros(len(space))
    return nearness(space, np.arange(len(examples)), Local(), space.other(examples))


def how_near(space: Space, examples: NDArray[Any] | None, chosen: NDArray[np.int64], words: str) -> dict[str, float]:
    """Return as facts how similar a chosen row, and one of all, is in the mean to the nearest example; 0 for none."""
    near = near_examples(space, examples)
    return {
        f"near_{words}": float(near[chosen].mean()) if len(chosen) else 0.0,
        f"pool_near_{words}": float(near.mean()),
    }
