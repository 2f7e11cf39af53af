"""Semantic compression: what it must reduce to, hand-worked, plain greedy, the graph against a dense solution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from test_like import circle, kernels, numbered, points

from tamis.errors import OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain.around import Around
from tamis.select.like import like
from tamis.select.semcomp import Semcomp, semcomp
from tamis.select.steps.spread import mutual, neighbours_of, pagerank
from tamis.vectors.similarity import UNIT, Space

Floats = NDArray[np.float64]


def value(rows: tuple[int, ...], s: Floats, near: Floats, k: int, weights: tuple[float, float, float]) -> float:
    """Return the objective as it is written, candidates being all."""
    chosen, (coverage, relevance, diversity) = list(rows), weights
    pairs = s[np.ix_(chosen, chosen)].sum() - len(chosen)
    apart = diversity * pairs / max(1, k * (k - 1))
    return float(coverage * s[:, chosen].max(axis=1).mean() + relevance * near[chosen].sum() / k - apart)


def test_by_hand() -> None:
    """Unit vectors at 10, 12, 40, 60 degrees and 180; the target at 0; two wanted of four candidates.

    The one at 180 is the farthest and no candidate. Nearness: .985, .978, .766, .5. Coverage of the four by 10 degrees
    is (1 + .999 + .866 + .643) / 4 = .877, by 12 .888, by 40 .922, by 60 .806. With half the nearness: 1.369, 1.377,
    1.305, 1.056; so 12 first. Then 40 raises itself from .883 to 1 and 60 from .669 to .940: .097 + .383 for nearness -
    .5 * .883 for being like 12 = .039; 60 adds .097 + .25 - .335 = .012, 10 next to nothing + .492 - .5 = -.007.
    """
    x = circle(10, 12, 40, 60, 180)
    found = semcomp(x, circle(0), 2, candidates=2, keys=numbered(5))
    assert found.rows.tolist() == [1, 2]
    assert found.gains == pytest.approx([1.3769, 0.0385], abs=2e-4)
    assert found.facts["candidates"] == 4


def test_one_item_by_coverage_alone_is_the_medoid() -> None:
    x = points(80, 4, 1)
    s, _ = kernels(x, x)
    found = semcomp(x, points(1, 4, 2), 1, candidates=80, diversity=0, relevance=0, keys=numbered(80))
    assert found.rows.tolist() == [int(np.argmax(s.sum(axis=0).round(4)))]


def test_the_state_knows_what_each_would_add() -> None:
    """Three candidates, the first two half alike: own worth .1, .2, .3, coverage 2, .5 off for being alike."""
    matrix = (np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]) * (UNIT - 1)).astype(np.uint16)  # an even number
    with Around(matrix, np.array([0.1, 0.2, 0.3]), 2.0, 0.5 / UNIT, 1) as state:
        assert state.gains == pytest.approx([1.1, 1.2, 2 / 3 + 0.3], abs=1e-4)
        state.add(1)
        assert state.gains == pytest.approx([1 / 3 + 0.1 - 0.25, 0.2 - 0.5, 2 / 3 + 0.3], abs=1e-4)
        state.add(0)
        assert state.taken == [1, 0]
        assert state.total == pytest.approx(1.2 + 1 / 3 - 0.15, abs=1e-4)
        assert state.likeness() == pytest.approx(0.5, abs=1e-4)
        assert state.covered() == pytest.approx(2 / 3, abs=1e-4)


def test_by_nearness_alone_it_is_the_top_k() -> None:
    x, target = points(200, 5, 3), points(1, 5, 4)
    found = semcomp(x, target, 12, coverage=0, diversity=0)
    assert found.rows.tolist() == like(x, target, 12, form="gcmi").rows.tolist()


def test_a_copy_covers_nothing_more() -> None:
    """Ten places, each twice: ten chosen by coverage are the ten places, and a second copy would add 0."""
    x = np.repeat(points(10, 6, 5), 2, axis=0)
    pool, options = Pool(numbered(20), {"vectors": x}), {"diversity": 0, "relevance": 0, "candidates": 2}
    method = Semcomp(**options).told([points(1, 6, 6)])
    chosen = method.select(pool, Constraints(Budget("rows", 10)))
    assert sorted(row // 2 for row in chosen.rows.tolist()) == list(range(10))
    assert np.delete(chosen.score, chosen.rows).tolist() == [0.0] * 10


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 25),
    st.integers(0, 10**6),
    st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 2.0])] * 3),
    st.sampled_from(["cosine", "euclidean"]),
)
def test_picks_are_those_of_plain_greedy(n: int, seed: int, weights: tuple[float, float, float], metric: str) -> None:
    x, target = points(n, 3, seed), points(2, 3, seed + 1)
    k = max(1, n // 3)
    s, q = kernels(x, target, metric=metric)
    near = q.max(axis=1)
    found = semcomp(
        x, target, k, candidates=n, metric=metric, keys=numbered(n),
        coverage=weights[0], relevance=weights[1], diversity=weights[2],
    )  # fmt: skip
    assert found.objective == pytest.approx(value(tuple(found.rows), s, near, k, weights), abs=1e-3)
    chosen: list[int] = []
    for row, gain in zip(found.rows.tolist(), found.gains, strict=True):
        before = value(tuple(chosen), s, near, k, weights) if chosen else 0.0
        gains = [value((*chosen, j), s, near, k, weights) - before for j in range(n) if j not in chosen]
        assert gain == pytest.approx(max(gains), abs=1e-3)
        chosen.append(row)


def test_restart_1_returns_the_vector_scores() -> None:
    x, target = points(300, 4, 7), points(3, 4, 8)
    one = semcomp(x, target, 20, spread=1, restart=1)
    assert one.rows.tolist() == semcomp(x, target, 20).rows.tolist()
    start = np.random.default_rng(0).random(300)
    space = Space(x, "cosine")
    graph = mutual(space, neighbours_of(space, 5))
    assert pagerank(graph, start, 1.0).tolist() == start.tolist()


def test_the_graph_joins_only_those_near_to_each_other() -> None:
    """A hub is among the nearest of all, and has one such neighbour itself: it is joined to that one alone."""
    x = circle(0, 1, 20, -20, 40)
    space = Space(x, "cosine")
    graph = mutual(space, neighbours_of(space, 1)).toarray()
    assert np.argwhere(graph > 0).tolist() == [[0, 1], [1, 0]]
    assert (graph == graph.T).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6), st.sampled_from([0.05, 0.15, 0.5]))
def test_pagerank_solves_its_equation(n: int, seed: int, restart: float) -> None:
    """By a dense solution; the sum stays; what stands alone keeps its score."""
    random = np.random.default_rng(seed)
    weights = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.4), 1)
    weights += weights.T
    start, out = random.random(n), weights.sum(axis=0)
    step = np.where(out > 0, weights / np.where(out > 0, out, 1), 0) + np.diag((out == 0).astype(float))
    exact = np.linalg.solve(np.eye(n) - (1 - restart) * step, restart * start)
    found = pagerank(csr_matrix(weights), start, restart)
    assert found == pytest.approx(exact, abs=1e-6)
    assert found.sum() == pytest.approx(start.sum())
    assert found[out == 0] == pytest.approx(start[out == 0])


def test_scores_reach_records_by_way_of_others() -> None:
    """A chain of records leads from the target to the side; another as far away has no such chain."""
    chain = circle(*range(0, 91, 6))
    x = np.vstack([np.c_[chain, np.zeros(16)], [[0, 0, 1.0]]]).astype(np.float32)
    target = np.array([[1.0, 0, 0]])
    method = Semcomp(spread=1, restart=0.05, neighbours=2).told([target])
    near, facts = method._near(Space(x, "cosine"), np.asarray(target, np.float32))
    assert near[15] > 0.05
    assert near[16] < 1e-6
    assert facts["edges"] >= 14


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5]))
def test_order_of_pool_and_of_examples_does_not_matter(seed: int, spread: float) -> None:
    x, target = points(60, 3, seed), points(5, 3, seed + 1)
    random = np.random.default_rng(seed)
    turned, other = random.permutation(60), random.permutation(5)
    one = semcomp(x, target, 9, spread=spread, candidates=3)
    two = semcomp(x[turned], target[other], 9, spread=spread, candidates=3)
    assert x[one.rows].tolist() == x[turned][two.rows].tolist()
    assert one.objective == two.objective


def test_memory_bounds_the_candidates_and_the_rest_comes_nearest_first() -> None:
    x, target = points(400, 4, 9), points(1, 4, 10)
    found = semcomp(x, target, 200, memory="32KB")
    assert found.facts["candidates"] == 128
    assert found.facts["candidates_wanted"] == 400
    assert "candidates_wanted" not in semcomp(x, target, 200).facts
    assert len(set(found.rows.tolist())) == 200
    near = kernels(x, target)[1].max(axis=1)
    assert (np.diff(near[found.rows[128:]]) <= 1e-4).all()
    method = Semcomp().told([target])
    assert method.holds(400) > 200_000
    assert method.within(200_000, 400).holds(400) <= 200_000


def test_it_needs_a_target() -> None:
    with pytest.raises(OptionError, match="needs --target FILES"):
        Semcomp().select(Pool(numbered(9), {"vectors": points(9, 4, 0)}), Constraints(Budget("rows", 2)))
