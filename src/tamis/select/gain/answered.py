"""Examples and similarities to them: those that the chosen answer, and sums.

With `s` the similarity and Q the examples, `Answered` chooses greedily for

    sum over q in Q of max over j in S of s(q, j)  +  eta * sum over j in S of max over q in Q of s(q, j)

which is facility location of the examples by the pool, with a sum beside it; `Summed` chooses for

    sum over j in S, q in Q of s(j, q)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import OptionError
from tamis.select.budget.filling import Filling
from tamis.select.gain.anew import Anew
from tamis.select.gain.represent import Represented, State
from tamis.select.gain.submodular import take
from tamis.select.given.aimed import near_examples
from tamis.select.given.embedded import Embedded
from tamis.vectors.similarity import UNIT, Space, closest, nearness, rectangle, totals

__all__ = ["Answered", "Beside", "Summed"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Beside:
    """A state with a sum beside it: each candidate adds `sums` of its own, in units."""

    def __init__(self, state: State, sums: _Ints) -> None:
        self.state, self.sums, self.unit, self.best = state, sums, state.unit, state.best
        self.gains = state.gains + sums

    def add(self, candidate: int) -> None:
        """Take a candidate."""
        self.state.add(candidate)
        np.add(self.state.gains, self.sums, out=self.gains)


@dataclass(frozen=True)
class Answered:
    """Every example by a record like it, and `eta` times the nearness of each record.

    A matrix of similarities, a row an example, is held "whole", or its rows are computed "anew"; "auto": by the bytes
    that it may take, which are `size`, given as `memory`.
    """

    metric: str
    eta: float
    algorithm: str
    size: int
    memory: str

    def holds(self, n: int, examples: int) -> int:
        """Return the bytes of the matrix: no more than it may take."""
        return min(self.size, 2 * n * examples)

    def choose(
        self, found: Embedded, examples: NDArray[Any], price: _Floats, filling: Filling
    ) -> tuple[dict[str, Any], int]:
        """Offer what adds most, and return facts, and how many similarities were looked at.

        Raises
        ------
        OptionError
            The matrix must be held, and is larger than it may be.
        """
        space, engine = Space(found.x, self.metric), Local()
        asked = space.other(examples)
        near = np.rint(self.eta * UNIT * near_examples(space, examples)).astype(np.int64)
        best = closest(asked, None, found.among(filling.kept), engine, space)
        state: Represented | Anew
        if self._whole(len(asked), len(space)):
            state = Represented(rectangle(asked, None, np.arange(len(space)), engine, space), best, engine.threads)
        else:
            state = Anew(space, best, engine, of=asked)
        with state:
            take(Beside(state, near), filling, found.rows, price, found.score)
            looked = len(space) * len(asked) + state.updates
        return {"algorithm": "anew" if isinstance(state, Anew) else "whole", "similarities": looked}, looked

    def _whole(self, examples: int, records: int) -> bool:
        """Return whether the matrix is held."""
        needed = 2 * examples * records
        if self.algorithm == "whole" and needed > self.size:
            raise OptionError(
                f"method 'like', algorithm 'whole': {examples:,} examples and {records:,} records need "
                f"{needed >> 20:,} MB for similarities, memory is {self.memory}. Raise it, or leave it to"
                " algorithm=auto."
            )
        return needed <= self.size and self.algorithm != "anew"

    def value(self, space: Space, chosen: _Ints, examples: NDArray[Any]) -> float:
        """Return the sum for the `chosen` of a space's rows, not rounded."""
        answers = nearness(space.other(examples), chosen, Local(), space)
        return math.fsum(answers) + self.eta * math.fsum(near_examples(space.part(chosen), examples))


@dataclass(frozen=True)
class Summed:
    """The sum of similarities to the examples: nothing that is taken changes what others add."""

    metric: str

    def holds(self, n: int, examples: int) -> int:  # noqa: ARG002
        """Return that nothing is held."""
        return 0

    def choose(
        self, found: Embedded, examples: NDArray[Any], price: _Floats, filling: Filling  # noqa: ARG002
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        """Write the sums as scores; return no facts, and how many similarities were looked at."""
        space = Space(found.x, self.metric)
        found.score[found.rows] = totals(space, Local(), space.other(examples)) / UNIT
        return {}, len(found) * len(examples)

    def value(self, space: Space, chosen: _Ints, examples: NDArray[Any]) -> float:
        """Return the sum for the `chosen` of a space's rows."""
        return float(totals(space.part(chosen), Local(), space.other(examples)).sum()) / UNIT
