"""What d2 stands on: the tree of maxima, and the graph of nearest neighbours, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.select.gain.highest import highest, maxima, put
from tamis.select.steps.graph import joined


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_the_highest_is_the_first_of_the_largest(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-3, 3, n).astype(np.float64)
    tree = maxima(values)
    for _ in range(2 * n):
        assert highest(tree) == np.argmax(values)
        row, value = int(random.integers(n)), float(random.integers(-3, 3))
        put(tree, row, value)
        values[row] = value
    for row in range(n):
        put(tree, row, -np.inf)
    assert highest(tree) == -1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_edges_count_both_ways(metric: str) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(90, 5)).astype(np.float16)
    x[40] = x[3]
    rows = x.astype(np.float64)
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    apart = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    nearest = np.argsort(apart + np.diag(np.full(90, np.inf)), axis=1, kind="stable")[:, :4]
    edges = {(i, j) for i in range(90) for j in nearest[i].tolist()}
    edges |= {(j, i) for i, j in edges}
    graph = joined(x, 4, metric, 1.0)
    ends = np.repeat(np.arange(90), np.diff(graph.starts))
    assert list(zip(ends.tolist(), graph.others.tolist(), strict=True)) == sorted(edges)
    assert graph.apart == pytest.approx(apart[ends, graph.others], abs=1e-6)
    assert graph.apart[(ends == 3) & (graph.others == 40)].tolist() == [0.0]
    assert (graph.recall, graph.operations) == (1.0, 8100)
