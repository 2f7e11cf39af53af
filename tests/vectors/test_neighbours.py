"""Neighbours: those of a plain sort, ties by position; approximate ones as good as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.vectors.neighbours import METRICS, approximate, exact
from tamis.vectors.tiles import unit_rows


def slow(x: np.ndarray, k: int, metric: str, queries: np.ndarray | None = None) -> np.ndarray:
    """Return ids by sorting every similarity, in float64; lower positions first among equals."""
    asked = x if queries is None else queries
    a, b = asked.astype(np.float64), x.astype(np.float64)
    if metric == "cosine":
        a, b = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30) for v in (a, b))
    near = a @ b.T if metric != "euclidean" else -((a[:, None] - b) ** 2).sum(axis=2)
    near = near.round(9)
    if queries is None:
        np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :k]


def points(n: int, width: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def test_worked_by_hand() -> None:
    """Of (1,0), (3,4), (0,2): cosines .6 to (3,4), 0 to (0,2); (3,4) and (0,2) .8. Dot products 3, 0 and 8."""
    x = np.array([[1, 0], [3, 4], [0, 2]], np.float32)
    cosine, dot, apart = (exact(x, 2, metric=m) for m in METRICS)
    assert cosine.ids.tolist() == [[1, 2], [2, 0], [1, 0]]
    assert np.allclose(cosine.similarity, [[0.6, 0], [0.8, 0.6], [0.8, 0]])
    assert dot.similarity.tolist() == [[3, 0], [8, 3], [8, 0]]
    assert apart.ids.tolist() == [[2, 1], [2, 0], [0, 1]]
    assert np.allclose(apart.similarity, [[-5, -20], [-13, -20], [-5, -13]])
    assert (cosine.recall, cosine.probes) == (1, 0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "k"), [(2, 1), (50, 7), (1500, 20)])
def test_equals_sorting(metric: str, n: int, k: int) -> None:
    x = points(n)
    assert (exact(x, k, metric=metric).ids == slow(x, k, metric)).all()
    asked = points(33, seed=1)
    assert (exact(x, k, queries=asked, metric=metric).ids == slow(x, k, metric, asked)).all()


@given(st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=2, max_size=30), st.integers(1, 9))
@settings(max_examples=50)
def test_ties_go_to_the_lower_position(rows: list[list[int]], k: int) -> None:
    x = np.array(rows, np.float32)
    k = min(k, len(x) - 1)
    assert exact(x, k, metric="dot").ids.tolist() == slow(x, k, "dot").tolist()


def test_threads_and_copies_change_nothing() -> None:
    """Copies have the very same similarities, wherever they stand."""
    x = np.concatenate([points(1200), points(1200)])
    one, three = (exact(x, 5, engine=Local(threads)) for threads in (1, 3))
    assert (one.ids == three.ids).all()
    assert (one.similarity == three.similarity).all()
    assert (one.ids[:1200, 0] == np.arange(1200, 2400)).all()
    assert (one.similarity[:1200] == one.similarity[1200:]).all()


def test_zeros_are_as_far_from_all() -> None:
    x = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    assert exact(x, 2).similarity[0].tolist() == [0, 0]


def test_approximate_reaches_the_recall_it_reports() -> None:
    x = np.concatenate([points(30, 12, seed) * 0.05 + points(1, 12, seed + 999) for seed in range(100)])
    truth = exact(x, 5)
    found = approximate(x, 5, recall=0.9)
    part = (found.ids[:, :, None] == truth.ids[:, None, :]).any(axis=1).mean()
    assert found.recall >= 0.9
    assert abs(part - found.recall) < 0.06
    assert found.probes < 30
    again = approximate(x, 5, recall=0.9, engine=Local(3))
    assert (again.ids == found.ids).all()


@pytest.mark.parametrize("metric", METRICS)
def test_looking_into_every_list_is_exact(metric: str) -> None:
    x = points(400)
    found, truth = approximate(x, 4, lists=9, probes=9, metric=metric), exact(x, 4, metric=metric)
    assert (found.ids == truth.ids).all()
    assert np.allclose(found.similarity, truth.similarity, atol=1e-5)
    assert found.recall == 1
    asked = points(7, seed=4)
    assert (approximate(x, 4, queries=asked, lists=9, probes=9).ids == exact(x, 4, queries=asked).ids).all()


def test_fewer_rows_than_neighbours() -> None:
    assert exact(points(3), 10).ids.shape == (3, 2)
    assert exact(points(3), 10, queries=points(1)).ids.shape == (1, 3)
    lonely = exact(points(1), 1)
    assert (lonely.ids.tolist(), lonely.similarity.tolist()) == ([[-1]], [[-np.inf]])
    few = approximate(points(40), 30, lists=20, probes=1)
    assert (few.ids == -1).any()


def test_bad_input_is_answered() -> None:
    with pytest.raises(OptionError, match="expected one of cosine, dot, euclidean, got 'l1'"):
        exact(points(3), 1, metric="l1")
    with pytest.raises(BudgetError, match="expected a whole number of at least 1, got 0"):
        exact(points(3), 0)
    with pytest.raises(InputError, match="queries: expected vectors 6 wide, got 2"):
        exact(points(3), 1, queries=points(3, 2))
    with pytest.raises(OptionError, match="recall: expected above 0 and at most 1, got 2"):
        approximate(points(3), 1, recall=2)
    with pytest.raises(OptionError, match="probes: expected at least 1, got 0"):
        approximate(points(3), 1, probes=0)


@pytest.mark.peers
def test_equals_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    x = points(2500, 32)
    unit_rows(x)
    index = faiss.IndexFlatIP(32)
    index.add(x)
    near, _ = index.search(x, 11)
    assert np.allclose(exact(x, 10).similarity, near[:, 1:], atol=1e-5)
