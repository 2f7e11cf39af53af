"""Values passed along a graph: each record's grows by its neighbours', and falls when one of them is taken.

Source: D2 Pruning (Maharana et al. 2023). Forward, a value grows by those of its neighbours times exp(-gamma_f d), or
is multiplied by their sum; one that is taken takes its own value times exp(-gamma_r d) from each neighbour. Ours: a
tree of the values, so that the highest is found in the logarithm of the pool.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.select.gain.highest import highest, maxima, put
from tamis.select.steps.graph import Graph

__all__ = ["Messages"]

_Floats = NDArray[np.float64]


class Messages:
    """The values of `m` records of a graph.

    Attributes
    ----------
    value : float64 array of shape (m,)
        After the forward pass, less what was taken away since.
    sent : int
        Messages so far: one along each edge forward, and one to each neighbour of a record that won the race.
    """

    def __init__(
        self, graph: Graph, own: _Floats, gammas: tuple[float, float], *, product: bool = False, squared: bool = False
    ) -> None:
        """Pass what is their `own` (`m`) forward.

        `gammas`: how fast messages fade with distance, forward and backward; `squared`: with its square.
        """
        apart = graph.apart**2 if squared else graph.apart
        told = np.empty(len(own))
        _gather(own, graph.starts, graph.others, np.exp(-gammas[0] * apart), told)
        self.value: _Floats = own * told if product else own + told
        self.sent = len(graph.others)
        self._graph, self._fades = graph, np.asarray(np.exp(-gammas[1] * apart), np.float64)
        self._tree: _Floats = np.empty(0)

    def take(self, at: int) -> None:
        """Take a record before the race: its neighbours lose."""
        _take(self._tree, self.value, at, True, self._graph.starts, self._graph.others, self._fades)

    def race(self, open_: NDArray[np.bool_]) -> None:
        """Begin to look for the highest among those that are open (`m`)."""
        self._tree = maxima(np.where(open_, self.value, -np.inf))

    def highest(self) -> int:
        """Return the record of the highest value, the first of equals, or -1 where none is left."""
        return int(highest(self._tree))

    def close(self, at: int, taken: bool) -> None:
        """Close a record to the race; if it was taken, its neighbours lose."""
        if taken:
            self.sent += int(self._graph.starts[at + 1] - self._graph.starts[at])
        _take(self._tree, self.value, at, taken, self._graph.starts, self._graph.others, self._fades)


@njit(nogil=True, cache=True)
def _gather(hard, starts, others, weights, told):  # type: ignore[no-untyped-def]
    """Write for each row the weighted sum of its neighbours' difficulty."""
    for i in range(len(hard)):
        total = 0.0
        for e in range(starts[i], starts[i + 1]):
            total += weights[e] * hard[others[e]]
        told[i] = total


@njit(nogil=True, cache=True)
def _take(tree, value, row, taken, starts, others, weights):  # type: ignore[no-untyped-def]
    """Close a row; if it was taken, its neighbours lose. Without a tree the values alone change."""
    size = len(tree) // 2
    if size:
        put(tree, row, -np.inf)
    if taken:
        for e in range(starts[row], starts[row + 1]):
            j = others[e]
            value[j] -= weights[e] * value[row]
            if size and tree[size + j] > -np.inf:
                put(tree, j, value[j])
