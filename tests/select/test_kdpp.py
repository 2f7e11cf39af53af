"""Drawn determinantal processes: probabilities against enumeration, eigenvalues, conditions, beyond the rank."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine import local
from tamis.errors import BudgetError, InputError, OptionError, TamisError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.given.quality import log_quality
from tamis.select.kdpp import Kdpp, inclusion, kdpp, projection_dpp
from tamis.select.steps.determinantal import Rows
from tamis.select.steps.drawn import polynomials
from tamis.select.steps.eigen import across, eigen
from tamis.vectors.dots import dot

Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def chances(kernel: Floats, k: int) -> dict[tuple[int, ...], float]:
    """The probability of every set of `k`, by its determinant."""
    sets = itertools.combinations(range(len(kernel)), k)
    told = {s: max(float(np.linalg.det(kernel[np.ix_(s, s)])), 0.0) for s in sets}
    total = sum(told.values())
    return {s: value / total for s, value in told.items() if value > 1e-12 * total}


def marginals(told: dict[tuple[int, ...], float], n: int) -> Floats:
    out = np.zeros(n)
    for s, value in told.items():
        out[list(s)] += value
    return out


def far_from(seen: Counter[tuple[int, ...]], told: dict[tuple[int, ...], float]) -> float:
    """How many standard deviations chi squared is above its mean; sets without volume are not allowed."""
    assert set(seen) <= set(told)
    times = sum(seen.values())
    square = sum((seen[s] - times * p) ** 2 / (times * p) for s, p in told.items())
    free = len(told) - 1
    return (square - free) / math.sqrt(2 * free)


def test_by_hand() -> None:
    """e1, e1 and 2 e2, two wanted: pairs have volumes 0, 4, 4: the third is always drawn, the others half the time."""
    x = np.array([[1, 0], [1, 0], [0, 2]], float)
    assert inclusion(x, 2, kernel="linear") == pytest.approx([0.5, 0.5, 1])
    seen = Counter(tuple(sorted(kdpp(x, 2, seed, kernel="linear").tolist())) for seed in range(400))
    assert set(seen) == {(0, 2), (1, 2)}
    assert abs(seen[0, 2] - 200) < 4 * 10
    # One wanted: in proportion to the squared lengths 1, 1, 4; to the lengths 1 of cosines: alike.
    assert inclusion(x, 1, kernel="linear") == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert inclusion(x, 1) == pytest.approx([1 / 3] * 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(1, 5), st.booleans())
def test_inclusion_is_that_of_all_sets(seed: int, n: int, d: int, cosine: bool) -> None:
    random = np.random.default_rng(seed)
    x, quality = random.normal(size=(n, d)).astype(np.float32).astype(float), random.normal(size=n)
    k = int(random.integers(1, min(n, d) + 1))
    alike = x / np.linalg.norm(x, axis=1, keepdims=True) if cosine else x
    features = np.exp(0.5 * quality)[:, None] * alike
    found = inclusion(x, k, quality=quality, kernel="cosine" if cosine else "linear", theta=0.5, scale="raw")
    assert found == pytest.approx(marginals(chances(features @ features.T, k), n), abs=1e-5)
    assert found.sum() == pytest.approx(k)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_sets_are_drawn_as_often_as_their_volume_says(k: int) -> None:
    random = np.random.default_rng(8)
    x = random.normal(size=(7, 4)).astype(np.float32)
    x[5] = x[2]
    told = chances((x @ x.T).astype(float), k)
    seen = Counter(tuple(sorted(kdpp(x, k, seed, kernel="linear", keys=in_place(7)).tolist())) for seed in range(3000))
    assert far_from(seen, told) < 3.5


def test_the_projection_has_the_leverage_as_its_probabilities() -> None:
    """Cubic polynomials on a grid of 20: leverages add up to 4, and four rows are drawn each time."""
    x = np.linspace(-1, 1, 20)[:, None] ** np.arange(4)
    basis = np.linalg.qr(x)[0]
    times = 2000
    drawn = np.array([projection_dpp(x, seed=seed) for seed in range(times)])
    assert drawn.shape == (times, 4)
    share = np.bincount(drawn.ravel(), minlength=20) / times
    leverage = (basis**2).sum(axis=1)
    assert np.abs(share - leverage).max() < 4 * 0.5 / math.sqrt(times)
    leading = np.linalg.svd(x)[0][:, :2]
    share = np.bincount(np.ravel([projection_dpp(x, 2, seed) for seed in range(times)]), minlength=20) / times
    assert np.abs(share - (leading**2).sum(axis=1)).max() < 4 * 0.5 / math.sqrt(times)


def test_must_keep_records_are_a_condition() -> None:
    """The sets that hold the record kept, in proportion to their volumes; what is dropped is never drawn."""
    random = np.random.default_rng(9)
    x = random.normal(size=(7, 4)).astype(np.float32)
    keep, drop = np.arange(7) == 2, np.arange(7) == 6
    told = {s: p for s, p in chances((x @ x.T).astype(float), 3).items() if 2 in s and 6 not in s}
    told = {s: p / sum(told.values()) for s, p in told.items()}
    pool, method = Pool(in_place(7), {"vectors": x}), Kdpp(kernel="linear")
    constraints = Constraints(Budget("rows", 3), keep=keep, drop=drop)
    chosen = [method.select(pool, constraints, seed) for seed in range(1500)]
    seen = Counter(tuple(sorted(c.rows.tolist())) for c in chosen)
    assert far_from(seen, told) < 3.5
    others = [0, 1, 3, 4, 5]
    assert chosen[0].score[others] == pytest.approx(marginals(told, 7)[others], abs=1e-6)
    assert np.isnan(chosen[0].score[[2, 6]]).all()


def test_more_than_the_rank_are_several_samples() -> None:
    random = np.random.default_rng(10)
    x = random.normal(size=(100, 6)).astype(np.float32)
    x[50:] = x[:50]
    chosen = Kdpp().select(Pool(in_place(100), {"vectors": x}), Constraints(Budget("rows", 20)), 3)
    assert chosen.facts == {"rank": 6, "samples": 4, "drawn": 20}
    for start in (0, 6, 12, 18):  # no sample holds a record and its copy
        assert len(set(chosen.rows[start : start + 6] % 50)) == len(chosen.rows[start : start + 6])
    with pytest.raises(BudgetError, match="expected k of at most 6, the rank of the kernel, got 7"):
        kdpp(x, 7)
    every = Kdpp().rank(Pool(in_place(100), {"vectors": x}), 3)
    assert every.facts["drawn"] == 6
    assert sorted(every.order) == list(range(100))


def test_quality_counts_and_what_has_none_stays_out() -> None:
    random = np.random.default_rng(11)
    x, quality = random.normal(size=(200, 12)).astype(np.float32), np.arange(200.0)
    pool = Pool(in_place(200), {"vectors": x, "q": quality})
    means = []
    for theta in (0, 1, 5):
        method = Kdpp(quality="q", theta=theta)
        chosen = [method.select(pool, Constraints(Budget("rows", 10)), seed) for seed in range(20)]
        means.append(np.mean([quality[one.rows].mean() for one in chosen]))
    assert means[0] < 115 < means[1] - 5 < means[2] - 15
    x[4], quality[5] = 0, np.nan
    pool = Pool(in_place(200), {"vectors": x, "q": quality})
    chosen = Kdpp(quality="q").select(pool, Constraints(Budget("rows", 200)))
    assert len(chosen) == 198
    assert chosen.reasons[chosen.reason[4]] == "kdpp: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[5]] == "kdpp: no quality (NaN)"


def test_the_same_rows_in_any_order_and_on_any_threads() -> None:
    random = np.random.default_rng(12)
    x = random.normal(size=(40_000, 8)).astype(np.float32)
    turned = random.permutation(len(x))
    before, found = local._granted, []
    try:
        for threads in (1, 3):
            local.grant(threads)
            found += [kdpp(x, 8, 5).tolist(), turned[kdpp(x[turned], 8, 5)].tolist()]
    finally:
        local._granted = before
    assert all(one == found[0] for one in found)
    share = inclusion(x, 5)
    assert np.array_equal(inclusion(x[turned], 5), share[turned])
    assert kdpp(x, 8, 6).tolist() != found[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(-8, 8))
def test_eigenvalues_are_those_of_lapack(seed: int, n: int, size: int) -> None:
    random = np.random.default_rng(seed)
    a = random.normal(size=(n, max(1, n - 3)))
    matrix = a @ a.T * 10.0**size
    values, directions = eigen(matrix)
    assert values == pytest.approx(np.linalg.eigvalsh(matrix)[::-1], abs=1e-11 * values[0])
    assert directions @ directions.T == pytest.approx(np.eye(n), abs=1e-12)
    assert (directions.T * values) @ directions == pytest.approx(matrix, abs=1e-11 * values[0])


def test_small_parts() -> None:
    values = np.array([3.0, 2.0, 0.5, 7.0])
    for k in range(1, 5):
        told = sum(math.prod(s) for s in itertools.combinations(values, k))
        assert math.exp(polynomials(values, k)[-1, k]) == pytest.approx(told)
    many = polynomials(np.full(500, 1e300), 400)[-1, 400]  # beyond any float, but for logarithms
    assert many == pytest.approx(math.log(math.comb(500, 400)) + 400 * math.log(1e300))
    random = np.random.default_rng(13)
    for width in (1, 15, 16, 17, 64, 100):
        a, b = random.normal(size=(2, width))
        for one in (a, a.astype(np.float32)):
            assert dot(one, b, width) == pytest.approx(float(one.astype(float) @ b))
            assert dot(one, b, width // 2) == pytest.approx(float(one[: width // 2].astype(float) @ b[: width // 2]))
    a = random.normal(size=(5, 6))
    a[3] = a[0] - 2 * a[1]
    basis = across(a)
    assert len(basis) == 4
    assert a @ basis.T @ basis == pytest.approx(a)
    assert log_quality(np.array([5, np.nan, 1, 5, 9]), 2.0, "ranks") == pytest.approx([1, np.nan, 0, 1, 2], nan_ok=True)
    rows = Rows(random.normal(size=(9, 3)), "linear")
    features = np.array([rows.feature(i) for i in range(9)])
    assert rows.gram() == pytest.approx(features.T @ features)
    assert rows.diagonal.mean() == pytest.approx(1)
    with pytest.raises(TamisError, match="finite"):
        eigen(np.array([[np.nan]]))


def test_bad_input() -> None:
    x = np.ones((5, 2))
    with pytest.raises(InputError, match="one a row"):
        kdpp(x, 1, quality=[1, 2])
    with pytest.raises(OptionError, match="directions"):
        Kdpp(directions="all")
    with pytest.raises(BudgetError, match="at least 1"):
        kdpp(x, 0)
    with pytest.raises(BudgetError, match="at most 0"):
        kdpp(np.zeros((5, 2)), 1)


@pytest.mark.peers
def test_inclusion_is_that_of_dppy() -> None:
    """DPPy 0.3.3 draws: as often as our exact probabilities say."""
    finite = pytest.importorskip("dppy.finite_dpps")
    x = np.random.default_rng(14).normal(size=(12, 6)).astype(np.float32).astype(float)
    theirs = finite.FiniteDPP("likelihood", L=x @ x.T)
    source, times = np.random.RandomState(0), 2000
    for _ in range(times):
        theirs.sample_exact_k_dpp(size=4, random_state=source)
    share = np.bincount(np.ravel(theirs.list_of_samples), minlength=12) / times
    assert np.abs(share - inclusion(x, 4, kernel="linear")).max() < 4 * 0.5 / math.sqrt(times)
