"""PASER: damage in bits of a known range, spectral clusters, shares that add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.budget.shares import quotas
from tamis.select.paser import Paser, efficiency, jsd, paser
from tamis.select.steps.graph import Graph, joined
from tamis.select.steps.spectral import partition, smallest, spectral


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.zeros(n), np.arange(n)], axis=1).astype(np.uint64)


def corners(*sizes: int, noise: float = 0.1) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, noise, x.shape)).astype(np.float32)


def graph_of(weights: np.ndarray) -> Graph:
    """Return a graph whose edges are where `weights` (`m x m`) are above 0, all of length 1."""
    here, there = np.nonzero(weights)
    starts = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=len(weights)))])
    return Graph(starts, there, np.ones(len(there)), 1.0, 0)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two labellings are the same partition."""
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


# --- damage


def test_jsd_by_hand() -> None:
    """Equal: 0. Nothing in common: log 2. (1, 0) and (1/2, 1/2): the mean is (3/4, 1/4)."""
    assert jsd([0.3, 0.7], [0.3, 0.7]) == 0.0
    assert jsd([1, 0], [0, 1]) == math.log(2)
    expected = 0.5 * math.log(4 / 3) + 0.5 * (0.5 * math.log(2 / 3) + 0.5 * math.log(2))
    assert jsd([1, 0], [0.5, 0.5]) == pytest.approx(expected, abs=1e-15)
    tokens = np.array([[[1, 0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    assert jsd(*tokens).tolist() == [pytest.approx(expected), 0.0]
    assert jsd(*tokens).sum() == pytest.approx(expected)


@given(st.integers(1, 40), st.integers(0, 10**6), st.floats(0.01, 20))
def test_jsd_stays_in_its_range(outcomes: int, seed: int, sharp: float) -> None:
    """Between 0 and log 2, the same both ways, and exactly 0 of a distribution with itself."""
    random = np.random.default_rng(seed)
    p, q = random.dirichlet(np.full(outcomes, 1 / sharp), size=(2, 5))
    p, q = np.nan_to_num(p, nan=1 / outcomes), np.nan_to_num(q, nan=1 / outcomes)
    found = jsd(p, q)
    assert ((found >= 0) & (found <= math.log(2))).all()
    assert np.allclose(found, jsd(q, p))
    assert not jsd(p, p).any()


def test_what_is_no_distribution() -> None:
    with pytest.raises(InputError, match=r"expected distributions of one shape, got \(2,\) and \(3,\)"):
        jsd([0.5, 0.5], [0.2, 0.2, 0.6])
    for wrong in ([0.5, 0.6], [-0.5, 1.5], [np.nan, 1.0]):
        with pytest.raises(InputError, match="at least 0 that add up to 1"):
            jsd(wrong, [0.5, 0.5])


# --- clusters


def test_two_blocks_are_two_clusters() -> None:
    """Two blocks joined by one edge: two clusters, in both ways of finding eigenvectors."""
    for size in (6, 40):
        block = np.repeat([0, 1], size)
        weights = (block[:, None] == block[None, :]).astype(float)
        np.fill_diagonal(weights, 0)
        weights[0, -1] = weights[-1, 0] = 1
        assert same(partition(graph_of(weights), 2), block)


def test_eigenvectors_against_the_dense_solver() -> None:
    """Eigenvalues of the symmetric Laplacian to nine digits, and vectors that it leaves in place."""
    x = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    graph = joined(x, 6, "euclidean", 1.0)
    affinity = np.exp(-(graph.apart**2))
    values, z = smallest(graph.starts, graph.others, affinity, 5)
    dense = np.zeros((300, 300))
    dense[np.repeat(np.arange(300), np.diff(graph.starts)), graph.others] = affinity
    root = np.sqrt(dense.sum(axis=1))
    laplacian = np.eye(300) - dense / np.outer(root, root)
    assert np.allclose(values, np.linalg.eigvalsh(laplacian)[:5], atol=1e-9)
    assert np.allclose(laplacian @ z, z * values, atol=1e-6)
    assert np.allclose(z.T @ z, np.eye(5))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(20, 60), min_size=2, max_size=6), st.integers(0, 100))
def test_corners_are_found_all_of_them_or_of_a_sample(sizes: list[int], seed: int) -> None:
    """Clusters that nobody can miss: found on the whole, and from a sample, the others going with the nearest."""
    corner = np.repeat(np.arange(len(sizes)), sizes)
    x = corners(*sizes)
    assert same(spectral(x, len(sizes), seed=seed, neighbours=8), corner)
    assert same(spectral(x, len(sizes), seed=seed, neighbours=8, sample=len(x) * 2 // 3), corner)


def test_a_ring_and_what_is_inside_it() -> None:
    """What k-means cannot tell apart: a ring round a heap, on the sphere; the graph can."""
    random = np.random.default_rng(5)
    angle = random.uniform(0, 2 * np.pi, 300)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) + random.normal(0, 0.03, (300, 2))
    points = np.concatenate([ring, random.normal(0, 0.15, (100, 2))])
    x = np.column_stack([points, np.ones(400)]).astype(np.float32)
    assert same(spectral(x, 2, neighbours=10), np.repeat([0, 1], [300, 100]))


def test_few_records_and_copies() -> None:
    assert spectral(np.ones((1, 3), np.float32), 4).tolist() == [0]
    assert len(spectral(np.ones((30, 3), np.float32), 4)) == 30
    assert set(spectral(corners(3, 2), 9).tolist()) <= set(range(9))
    assert spectral(corners(3, 2), 1).tolist() == [0] * 5
    with pytest.raises(BudgetError, match="expected at least 1, got 0"):
        spectral(np.ones((3, 3), np.float32), 0)


# --- the method


def test_budgets_by_hand() -> None:
    """A budget of 10 for damages of 1, 2 and 7: 1, 2 and 7. Nothing damaged: by size."""
    assert quotas(np.array([20, 20, 20]), np.array([1.0, 2.0, 7.0]), 10).tolist() == [1, 2, 7]
    x, ones = corners(30, 30, 60), np.ones(120)
    corner = np.repeat([0, 1, 2], [30, 30, 60])
    damage = np.array([1.0, 2.0, 7.0])[corner]
    rows = paser(x, 10, damage, ones, ones, clusters=3)
    assert np.bincount(corner[rows]).tolist() == [1, 2, 7]
    rows = paser(x, 12, 0 * damage, ones, ones, clusters=3)
    assert np.bincount(corner[rows]).tolist() == [3, 3, 6]
    rows = paser(x, 110, damage, ones, ones, clusters=3)  # 77 is more than the last has; 50 are left as 1 to 2
    assert np.bincount(corner[rows]).tolist() == [20, 30, 60]


def test_damage_for_length_decides_inside() -> None:
    """1 / log(4^2), 1 / log(100^2) and 2 / log(100^2); lengths below two count as two."""
    found = efficiency([1, 1, 2], [2, 50, 50], [2, 50, 50])
    assert np.allclose(found, [1 / np.log(16), 1 / np.log(10_000), 2 / np.log(10_000)])
    assert np.isfinite(efficiency([1.0, 1.0], [0, 1], [0, 0])).all()
    random = np.random.default_rng(2)
    damage, tokens, characters = random.random(80), random.integers(1, 99, 80), random.integers(1, 999, 80)
    pool = Pool(keys_of(80), {"vectors": corners(40, 40), "damage": damage, "tokens": tokens, "bytes": characters})
    chosen = Paser(damage="damage", clusters=2).select(pool, Constraints(Budget("rows", 20)))
    for first in (0, 40):
        score = chosen.score[first : first + 40]
        inside = chosen.rank[first : first + 40] >= 0
        assert score[inside].min() >= score[~inside].max()
    assert sum(one["share"] for one in chosen.facts["clusters"]) == 20
    assert {one["size"] for one in chosen.facts["clusters"]} == {40}


def test_the_order_of_rows_does_not_matter_and_pins_count() -> None:
    x, keys, random = corners(40, 40, 40), keys_of(120), np.random.default_rng(4)
    damage, ones, turned = random.random(120), np.ones(120), random.permutation(120)
    first = paser(x, 30, damage, ones, ones, clusters=3, sample=60, neighbours=5, keys=keys)
    again = paser(
        x[turned], 30, damage[turned], ones, ones, clusters=3, sample=60, neighbours=5, keys=keys[turned]
    )  # fmt: skip
    assert turned[again].tolist() == first.tolist()
    pool = Pool(keys, {"vectors": x, "damage": ones, "tokens": ones, "bytes": ones})
    keep, drop = np.isin(np.arange(120), [5, 6]), np.isin(np.arange(120), [50])
    chosen = Paser(damage="damage", clusters=3).select(pool, Constraints(Budget("rows", 12), keep=keep, drop=drop))
    assert np.bincount(chosen.rows // 40).tolist() == [4, 4, 4]


def test_what_is_missing_and_what_is_wrong() -> None:
    x, ones = corners(4, 4), np.ones(8)
    x[1] = 0
    missing = np.where(np.arange(8) == 2, np.nan, ones)
    pool = Pool(keys_of(8), {"vectors": x, "damage": missing, "tokens": ones, "bytes": ones})
    chosen = Paser(damage="damage").select(pool, Constraints(Budget("rows", 8)))
    reasons = [chosen.reasons[chosen.reason[i]] for i in (1, 2)]
    assert reasons == ["paser: no vector (all zeros)", "paser: no damage or length (NaN)"]
    assert len(chosen) == 6
    for wrong in (-1.0, np.inf):
        with pytest.raises(InputError, match=f"signal 'damage': expected finite numbers of at least 0, got {wrong:g}"):
            paser(x, 2, np.full(8, wrong), ones, ones)
    nothing = Pool(keys_of(2), {"vectors": 0 * x[:2], "damage": ones[:2], "tokens": ones[:2], "bytes": ones[:2]})
    assert len(Paser(damage="damage").select(nothing, Constraints(Budget("rows", 1)))) == 0
