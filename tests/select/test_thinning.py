"""Kernel thinning: its halves by the published steps, the discrepancy beside random and beside a peer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.steps.embedding import Embedding
from tamis.select.steps.halving import Halver
from tamis.select.thinning import Thinning, thinning

_Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def gram(x: NDArray[np.float32], kernel: str) -> _Floats:
    wide = x.astype(np.float64)
    if kernel == "cosine":
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        return np.asarray(wide @ wide.T)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-apart / apart.mean()))


def mmd(k: _Floats, rows: NDArray[np.int64]) -> float:
    return float(np.sqrt(max(k[np.ix_(rows, rows)].mean() - 2 * k[rows].mean() + k.mean(), 0)))


def blobs(n: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = 2 * random.normal(size=(8, 6))
    return (centres[random.integers(0, 8, n)] + random.normal(size=(n, 6))).astype(np.float32)


def halves(k: _Floats, draws: _Floats, delta: float) -> tuple[list[int], list[int]]:
    """Kernel halving as published: the swap probability from `alpha` and the adaptive threshold."""
    left: list[int] = []
    right: list[int] = []
    variance = 0.0
    for x in range(0, len(k) - 1, 2):
        y = x + 1
        square = k[x, x] + k[y, y] - 2 * k[x, y]
        psi = k[:, left].sum(axis=1) - k[:, right].sum(axis=1)
        alpha = psi[x] - psi[y]
        a = max(np.sqrt(square * variance * 2 * np.log(2 / delta)), square)
        if a > 0:
            variance += square * max(0.0, 1 + (square - 2 * a) * variance / a**2)
        keep = draws[x] < (min(1.0, 0.5 * max(0.0, 1 - alpha / a)) if a > 0 else 0.5)
        left.append(x if keep else y)
        right.append(y if keep else x)
    return left, right


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from(["cosine", "rbf"]))
def test_the_halves_are_those_of_the_published_steps(seed: int, n: int, kernel: str) -> None:
    x = np.random.default_rng(seed).normal(0.5, 1, (n, 4)).astype(np.float32)
    found = Embedding(x, kernel, None, in_place(n))
    left, right = Halver(found, in_place(n), seed).split(np.arange(n), 1)
    wanted = halves(gram(x, kernel), uniforms(in_place(n), salt(seed, "thinning: round 1")), 0.5 / n)
    assert [left.tolist(), right.tolist()] == list(wanted)


def test_by_hand() -> None:
    """Two pairs of twins, 0 and 90 degrees: 0, 0, 90, 90 in any order; two of four is one of each.

    Their mean is (1/2, 1/2), as that of all: a discrepancy of 0, where two at random have sqrt(1/2 * 2/3 / 2).
    """
    x = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    for seed in range(8):
        rows = thinning(x, 2, seed, kernel="cosine", keys=in_place(4))
        assert sorted(x[rows].argmax(axis=1).tolist()) == [0, 1]
    chosen = Thinning(kernel="cosine").select(Pool(in_place(4), {"vectors": x}), Constraints(Budget("rows", 2)))
    assert chosen.facts["discrepancy"] == pytest.approx(0, abs=1e-7)
    assert chosen.facts["at_random"] == pytest.approx(np.sqrt(1 / 6))
    assert chosen.score.tolist() == pytest.approx([0] * 4)


@pytest.mark.parametrize("kernel", ["cosine", "rbf"])
def test_the_discrepancy_is_a_fraction_of_that_of_random_records(kernel: str) -> None:
    """Budgets that are n / 2^m and that are not, with and without the exchange."""
    x = blobs(1024)
    k = gram(x, kernel)
    found = Embedding(x, kernel, None, in_place(1024))
    for count in (32, 50, 128):
        halved = [mmd(k, thinning(x, count, s, kernel=kernel, swap=False, keys=in_place(1024))) for s in range(2)]
        swapped = [mmd(k, thinning(x, count, s, kernel=kernel, keys=in_place(1024))) for s in range(2)]
        chance = found.at_random(count)
        assert np.mean(halved) < 0.75 * chance
        assert np.mean(swapped) < 0.45 * chance
        assert all(after < before for before, after in zip(halved, swapped, strict=True))


def test_it_falls_faster_than_the_square_root() -> None:
    """Four times as many: a random set is half as far, a thinned one nearer a third."""
    x = blobs(1024, 1)
    found = Embedding(x, "rbf", None, in_place(1024))
    apart = {
        k: np.mean([found.discrepancy(thinning(x, k, s, keys=in_place(1024))) for s in range(2)]) for k in (8, 32, 128)
    }
    assert apart[32] / apart[8] < 0.4
    assert apart[128] / apart[32] < 0.4


def test_compressed_pools_are_nearer_than_random_records() -> None:
    """Fewer sets are left to take the nearest of, so it is farther than without compressing."""
    x = blobs(1024, 2)
    found = Embedding(x, "rbf", None, in_place(1024))
    whole, parts = (
        np.mean([found.discrepancy(thinning(x, 64, s, block=b, swap=False, keys=in_place(1024))) for s in range(3)])
        for b in (1024, 256)
    )
    assert whole < parts < 1.6 * whole
    assert parts < 0.75 * found.at_random(64)


def test_the_sets_have_their_sizes() -> None:
    x = blobs(1000)
    found = Embedding(x, "rbf", None, in_place(1000))
    for block, rounds, wanted in ((1000, 3, [125] * 8), (1000, 0, [1000]), (100, 1, [500]), (64, 4, [62, 63])):
        sets = Halver(found, in_place(1000), 0, block).split(np.arange(1000), rounds)
        flat = np.concatenate(sets)
        assert len(set(flat.tolist())) == len(flat)
        assert all(len(one) in wanted or abs(len(one) - 62) < 6 for one in sets)
        assert block < 1000 or len(sets) == len(wanted)


def test_order_seeds_pins_zeros_and_bad_input() -> None:
    x = blobs(200, 3)
    turned = np.random.default_rng(0).permutation(200)
    assert turned[thinning(x[turned], 30, 1)].tolist() == thinning(x, 30, 1).tolist()
    assert thinning(x, 30, 1, swap=False).tolist() != thinning(x, 30, 2, swap=False).tolist()
    assert sorted(thinning(x, 500).tolist()) == list(range(200))
    x[4] = 0
    keep = np.zeros(200, bool)
    keep[[4, 7, 8, 9]] = True
    chosen = Thinning().select(Pool(in_place(200), {"vectors": x}), Constraints(Budget("rows", 24), keep=keep))
    assert set(chosen.rows[:4].tolist()) == {4, 7, 8, 9}
    assert len(chosen) == 24
    inside = np.delete(chosen.rows, np.flatnonzero(chosen.rows == 4))
    k = gram(np.delete(x, 4, 0), "rbf")
    assert chosen.facts["discrepancy"] == pytest.approx(mmd(k, inside - (inside > 4)), abs=1e-5)
    chosen = Thinning().select(Pool(in_place(200), {"vectors": x}), Constraints(Budget("rows", 200)))
    assert chosen.reasons[chosen.reason[4]] == "thinning: no vector (all zeros)"
    assert thinning(np.zeros((3, 2)), 2).tolist() == []
    with pytest.raises(BudgetError):
        thinning(x, 0)
    with pytest.raises(OptionError, match="kernel"):
        thinning(x, 3, kernel="laplace")
    with pytest.raises(InputError, match="n x d"):
        thinning([1.0, 2.0], 1)


@pytest.mark.peers
def test_as_near_as_goodpoints() -> None:
    """The authors' package on the same pool: 1,024 records to 32, without repeats, the mean of 8 seeds."""
    kt = pytest.importorskip("goodpoints.kt")
    x = blobs(1024, 5)
    k = gram(x, "rbf")
    wide = x.astype(np.float64)
    gamma = 1 / ((wide[:, None] - wide[None]) ** 2).sum(axis=2).mean()

    def kernel(y: _Floats, rows: _Floats) -> _Floats:
        return np.exp(-gamma * ((rows - y) ** 2).sum(axis=1))

    def single(y: _Floats, rows: _Floats) -> _Floats:  # it writes single values into places for numbers
        found = kernel(y, rows)
        return found[0] if y.ndim == 2 and len(found) == 1 else found

    theirs = [mmd(k, kt.thin(wide, 5, kernel, single, seed=s, unique=True)) for s in range(8)]
    ours = [mmd(k, thinning(x, 32, s, keys=in_place(1024))) for s in range(8)]
    assert np.mean(ours) < 1.15 * np.mean(theirs)
    theirs = [mmd(k, kt.split(wide, 5, kernel, seed=s)[0]) for s in range(8)]
    ours = [mmd(k, thinning(x, 32, s, swap=False, keys=in_place(1024))) for s in range(8)]
    assert np.mean(ours) < 1.05 * np.mean(theirs)  # theirs is the first set, ours the nearest
