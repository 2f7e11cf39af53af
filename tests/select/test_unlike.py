"""Conditional gain over examples to keep away from: hand-worked, brute force, bounds, parity with submodlib."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_like import circle, greedy, kernels, numbered, points

from tamis.errors import OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.facility import facility_location
from tamis.select.unlike import Unlike, unlike

Floats = NDArray[np.float64]


def value(form: str, rows: tuple[int, ...], s: Floats, p: Floats, nu: float, balance: float = 0.4) -> float:
    """Return the objective as it is written."""
    chosen = list(rows)
    if form == "flcg":
        return float(np.maximum(s[:, chosen].max(axis=1) - nu * p.max(axis=1), 0).sum())
    cut = s[:, chosen].sum() - balance * s[np.ix_(chosen, chosen)].sum()
    return float(cut - 2 * balance * nu * p[chosen].sum())


def test_by_hand() -> None:
    """Unit vectors at 0, 20, 90, 110 and 200 degrees; one example to keep away from, at 0.

    It represents 0 wholly, 20 at .940, the others not at all. What is left to gain: of 0 nothing, of 20 .060, of 90,
    110 and 200 everything. 110 represents 90 at .940 and itself at 1: 1.940, as 90 does, and 90 has also .342 of 20,
    which does not count; 110 is at cos 90 = 0 to 200 and 90 below 0. So 90 first (position decides the tie), then 200,
    which adds 1; then 110 and 20 add .060 each, the first of them. gccg, nu = 1, lambda = .4: the sums over the pool
    are 1.940, 2.282, 2.282, 1.940, 1; less .4 for itself, less .8 of 1, .940, 0, 0, 0 for the example: .740, 1.130,
    1.882, 1.540, .6. So 90; then 110 has 1.540 less .8 of .940, 20 has 1.130 less .8 of .342 = .856, the most.
    """
    x, avoided = circle(0, 20, 90, 110, 200), circle(0)
    found = unlike(x, avoided, 3, keys=numbered(5))
    assert found.rows.tolist() == [2, 4, 1]
    assert found.gains == pytest.approx([1.9397, 1, 0.0603], abs=1e-4)
    found = unlike(x, avoided, 2, form="gccg", nu=1, keys=numbered(5))
    assert found.rows.tolist() == [2, 1]
    assert found.gains == pytest.approx([1.8817, 0.8564], abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 13),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(["flcg", "gccg"]),
    st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    st.sampled_from(["cosine", "euclidean"]),
)
def test_picks_objective_and_bound(n: int, p: int, seed: int, form: str, nu: float, metric: str) -> None:
    """The value of plain greedy; the objective as it is written; flcg at least 63 % of the best of all sets."""
    x, avoided = points(n, 4, seed), points(p, 4, seed + 1)
    k = max(1, n // 4)
    found = unlike(x, avoided, k, form=form, nu=nu, metric=metric, keys=numbered(n))
    s, near = kernels(x, avoided, metric=metric)
    reached = value(form, tuple(found.rows), s, near, nu)
    assert found.objective == pytest.approx(reached, abs=2e-4 * n * (1 + nu))
    assert found.gains.sum() == pytest.approx(reached, abs=2e-4 * n * (1 + nu))
    if form == "flcg":
        plain = greedy(n, k, lambda rows: value(form, rows, s, near, nu))
        assert reached == pytest.approx(value(form, tuple(plain), s, near, nu), abs=1e-3)
        best = max(value(form, rows, s, near, nu) for rows in itertools.combinations(range(n), k))
        assert reached >= (1 - 1 / np.e) * best - 1e-3
    else:
        gains = [value(form, (j,), s, near, nu) for j in range(n)]
        assert max(gains) == pytest.approx(found.gains[0], abs=1e-3 * n)


def test_without_weight_it_is_facility_location_and_the_more_the_farther() -> None:
    x, avoided = points(400, 5, 1), points(6, 5, 2)
    assert unlike(x, avoided, 30, nu=0).rows.tolist() == facility_location(x, 30).rows.tolist()
    for form in ("flcg", "gccg"):
        near = [unlike(x, avoided, 30, form=form, nu=nu).facts["near_examples"] for nu in (0, 1, 50)]
        assert near[0] > near[1] or form == "gccg"
        assert near[1] >= near[2]
        assert unlike(x, avoided, 30, form=form).facts["near_examples"] < near[0]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_similarities_anew_are_those_that_were_held_and_parts_lose_little(metric: str) -> None:
    x, avoided = points(2200, 6, 1), points(30, 6, 2)
    one, other = (unlike(x, avoided, 50, metric=metric, algorithm=how) for how in ("whole", "anew"))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.gains.tolist() == other.gains.tolist()
    parts = unlike(x, avoided, 50, metric=metric, algorithm="parts", memory="2MB")
    assert parts.objective >= 0.95 * one.objective


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["flcg", "gccg"]))
def test_order_of_pool_and_of_examples_does_not_matter(seed: int, form: str) -> None:
    x, avoided = points(50, 3, seed), points(8, 3, seed + 1)
    random = np.random.default_rng(seed)
    turned, other = random.permutation(50), random.permutation(8)
    one, two = unlike(x, avoided, 9, form=form), unlike(x[turned], avoided[other], 9, form=form)
    assert x[one.rows].tolist() == x[turned][two.rows].tolist()
    assert one.objective == two.objective


def test_what_cannot_be() -> None:
    x = points(9, 4, 0)
    with pytest.raises(OptionError, match="needs --unlike FILES, the examples to be unlike"):
        Unlike().select(Pool(numbered(9), {"vectors": x}), Constraints(Budget("rows", 2)))
    with pytest.raises(OptionError, match="method 'unlike' reads no --target; it takes --unlike"):
        Unlike().told([x], [x])
    with pytest.raises(OptionError, match="algorithm 'whole': expected with form=flcg"):
        unlike(x, x, 2, form="gccg", algorithm="whole")


@pytest.mark.peers
@pytest.mark.parametrize("nu", [0.5, 1.0])
def test_parity_with_submodlib(nu: float) -> None:
    """The same picks and values after the same kernels."""
    submodlib = pytest.importorskip("submodlib")
    n, k = 120, 12
    x, avoided = points(n, 6, 3), points(5, 6, 5)
    s, p = (np.asarray(kernel, np.float32) for kernel in kernels(x, avoided))
    gain = submodlib.FacilityLocationConditionalGainFunction(n, 5, data_sijs=s, private_sijs=p, privacyHardness=nu)
    cut = submodlib.GraphCutConditionalGainFunction(n, 5, 1.0, data_sijs=s, private_sijs=p, privacyHardness=nu)
    for peer, options in ((gain, {}), (cut, {"form": "gccg", "balance": 1.0})):
        found = unlike(x, avoided, k, nu=nu, keys=numbered(n), **options)
        picks = peer.maximize(
            budget=k, optimizer="NaiveGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
        )
        assert [row for row, _ in picks] == found.rows.tolist()
        assert [added for _, added in picks] == pytest.approx(found.gains, abs=1e-2)
        assert peer.evaluate(set(found.rows.tolist())) == pytest.approx(found.objective, rel=1e-4)
