"""k-means: means, nearest centroids, the same whatever the order and the threads; as good as others'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.vectors.kmeans import _refill, assign, kmeans


def blobs(n: int, centres: int, width: int = 8, seed: int = 0, spread: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    middle = random.normal(size=(centres, width))
    return (middle[random.integers(0, centres, n)] + spread * random.normal(size=(n, width))).astype(np.float32)


def test_worked_by_hand() -> None:
    """0, 1, 2 and 10, 11 on a line: centroids 1 and 10.5, objective 1 + 0 + 1 + 1/4 + 1/4 = 2.5, from any start."""
    x = np.array([[0], [1], [2], [10], [11]], np.float32)
    for seed in range(8):
        found = kmeans(x, 2, seed=seed)
        assert sorted(found.centroids.ravel().tolist()) == [1, 10.5]
        assert found.objective == 2.5
        low = found.labels[0]
        assert found.labels.tolist() == [low, low, low, 1 - low, 1 - low]
        assert found.squared.tolist() == [1, 0, 1, 0.25, 0.25]
    assert list(found.history) == sorted(found.history, reverse=True)


def test_spherical_by_hand() -> None:
    """By direction alone: (1, 0), (5, 0) and (0, 2), (0, 1); lengths do not matter, the objective is 0."""
    x = np.array([[1, 0], [5, 0], [0, 2], [0, 1]], np.float32)
    found = kmeans(x, 2, spherical=True)
    assert found.labels[0] == found.labels[1] != found.labels[2] == found.labels[3]
    assert sorted(found.centroids.tolist()) == [[0, 1], [1, 0]]
    assert found.objective == 0


@given(st.integers(2, 60), st.integers(1, 8), st.booleans(), st.sampled_from(["++", "random"]), st.integers(0, 9))
@settings(max_examples=40)
def test_is_a_fixed_point(n: int, k: int, spherical: bool, start: str, seed: int) -> None:
    """Every row is with its nearest centroid, and, run to the end, every centroid is the mean of its rows."""
    x = blobs(n, 4, 3, seed, 0.5)
    found = kmeans(x, k, spherical=spherical, start=start, seed=seed, iterations=200, tolerance=0)
    rows = x / np.linalg.norm(x, axis=1, keepdims=True) if spherical else x
    apart = ((rows[:, None].astype(np.float64) - found.centroids) ** 2).sum(axis=2)
    assert np.allclose(apart.min(axis=1), apart[np.arange(n), found.labels], atol=1e-5)
    assert np.isclose(found.objective, apart.min(axis=1).sum(), atol=1e-3)
    for cluster in np.unique(found.labels):
        mean = rows[found.labels == cluster].mean(axis=0)
        mean = mean / np.linalg.norm(mean) if spherical else mean
        assert np.allclose(found.centroids[cluster], mean, atol=1e-3)


@pytest.mark.parametrize("spherical", [False, True])
def test_neither_order_nor_threads_matter(spherical: bool) -> None:
    x = np.concatenate([blobs(2500, 9, seed=3), np.ones((60, 8), np.float32)])
    first = kmeans(x, 12, spherical=spherical, engine=Local(1), train=100)
    for seed, threads in ((1, 1), (2, 3)):
        order = np.random.default_rng(seed).permutation(len(x))
        again = kmeans(x[order], 12, spherical=spherical, engine=Local(threads), train=100)
        assert (again.centroids == first.centroids).all()
        assert (again.labels == first.labels[order]).all()
        assert (again.squared == first.squared[order]).all()
        assert again.history == first.history
    assert not (kmeans(x, 12, seed=5, spherical=spherical, train=100).centroids == first.centroids).all()


def test_planted_clusters_are_found() -> None:
    x = blobs(3000, 10, 16, seed=1, spread=0.02)
    found = kmeans(x, 10, seed=1)
    assert found.objective / len(x) < 2 * 16 * 0.02**2
    assert len(np.unique(found.labels)) == 10


def test_an_empty_cluster_takes_the_farthest_row() -> None:
    """Rows 0, 1, 9, 20 all with centroid 0: cluster 1 takes 20 (squared 400), cluster 2 takes 9; none is left bare."""
    rows = np.array([[0], [1], [9], [20]], np.float32)
    sums, counts = np.array([[30.0], [0], [0]]), np.array([4, 0, 0])
    _refill(rows, np.zeros(4, np.int32), np.array([0.0, 1, 81, 400]), sums, counts)
    assert sums.ravel().tolist() == [1, 20, 9]
    assert counts.tolist() == [2, 1, 1]


def test_fewer_distinct_rows_than_clusters() -> None:
    x = np.repeat(np.array([[0, 0], [1, 1]], np.float32), 5, axis=0)
    found = kmeans(x, 6)
    assert found.objective == 0
    assert kmeans(x[:1], 3).centroids.tolist() == [[0, 0]]


def test_float16_and_memory_maps_are_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    x = blobs(2100, 5).astype(np.float16)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    keys = np.stack([np.zeros(len(x)), np.arange(len(x))], axis=1).astype(np.uint64)
    assert (kmeans(mapped, 5, keys=keys).labels == kmeans(x.astype(np.float32), 5, keys=keys).labels).all()


def test_many_centroids_go_in_chunks() -> None:
    x = blobs(1500, 1500, 4, seed=2)
    labels, squared, _ = assign(x, x[:1200].copy())
    assert labels[:1200].tolist() == list(range(1200))
    assert squared[:1200].max() == 0


def test_bad_input_is_answered() -> None:
    x = blobs(9, 2)
    x[4, 1] = np.nan
    with pytest.raises(InputError, match="expected finite numbers, got nan at record 4"):
        kmeans(x, 2)
    with pytest.raises(BudgetError, match="expected a whole number of at least 1, got 0"):
        kmeans(blobs(9, 2), 0)
    with pytest.raises(OptionError, match=r"expected '\+\+' or 'random', got 'best'"):
        kmeans(blobs(9, 2), 2, start="best")
    with pytest.raises(InputError, match="at least one row"):
        kmeans(np.zeros((0, 3)), 2)


@pytest.mark.peers
@pytest.mark.parametrize("k", [5, 60])
def test_objective_is_as_low_as_scikit_learn_and_faiss(k: int) -> None:
    """Of three seeds each the best, run to the end: within 2 % of scikit-learn's and faiss's."""
    x = blobs(4000, 40, 24, seed=7, spread=0.6)
    ours = min(kmeans(x, k, seed=s, iterations=300, tolerance=0, train=10**6).objective for s in range(3))
    cluster = pytest.importorskip("sklearn.cluster")
    assert ours <= 1.02 * cluster.KMeans(k, n_init=3, random_state=0).fit(x).inertia_
    faiss = pytest.importorskip("faiss")
    theirs = faiss.Kmeans(x.shape[1], k, niter=300, nredo=3, seed=1)
    theirs.train(x)
    assert ours <= 1.02 * float(theirs.index.search(x, 1)[0].sum())
