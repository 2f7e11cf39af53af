"""ODiS: axes that are uncorrelated, an equal part for each, the same whatever the order of the records."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.odis import Odis, axes, odis, overlap

U, V = np.array([3, 1, -1, -3.0]), np.array([0.5, -1.5, 1.5, -0.5])
"""Two uncorrelated directions of four records; signals are their sum and difference."""


def factors(n: int, seed: int = 0, shared: float = 0.7) -> np.ndarray:
    """Return 11 signals of 4 latent factors, one of which all share, and noise."""
    random = np.random.default_rng(seed)
    latent = random.normal(size=(n, 4))
    mixing = random.uniform(0, 1, size=(4, 11)) * (random.random((4, 11)) < 0.5)
    mixing[0] = shared
    return latent @ mixing + 0.3 * random.normal(size=(n, 11))


def pool_of(**columns: np.ndarray) -> Pool:
    n = len(next(iter(columns.values())))
    keys = np.stack([np.zeros(n), np.arange(n)], axis=1).astype(np.uint64)
    return Pool(keys, columns)


def test_worked_by_hand() -> None:
    """a = u + v and b = u - v both have variance (5 + 1.25) = 6.25 and correlation (5 - 1.25) / 6.25 = 0.6.

    So the axes are (1, 1) and (1, -1) over the root of 2, with 1.6 and 0.4 of the variance of 2:
    0.8 and 0.2 of it. Along them the records stand as u and v do, in units of their spreads, roots
    of 5 and of 1.25. The loadings of the second add up to 0: its first is made positive. In turn:
    record 0 (u = 3), 2 (v = 1.5), 1 (u = 1), 3.
    """
    scores = np.stack([U + V, U - V], axis=1)
    found = axes(scores)
    assert np.allclose(found.loadings, np.array([[1, 1], [1, -1]]) / np.sqrt(2))
    assert np.allclose(found.explained, [0.8, 0.2])
    assert np.allclose(found.points, np.stack([U / np.sqrt(5), V / np.sqrt(1.25)], axis=1))
    assert odis(scores, 3).tolist() == [0, 2, 1]
    assert odis(scores, 99).tolist() == [0, 2, 1, 3]
    assert odis(scores, 3, components=1).tolist() == [0, 1, 2]
    assert overlap(found, 2) == (0.5, 0.5)


def test_axes_are_uncorrelated_and_point_up() -> None:
    found = axes(factors(2000))
    correlation = found.points.T @ found.points / 2000
    assert np.allclose(correlation, np.eye(4), atol=1e-8)
    assert (found.loadings.sum(axis=0) > 0).all()
    assert np.allclose(np.linalg.norm(found.loadings, axis=0), 1)
    assert (np.diff(found.explained) <= 0).all()
    assert np.allclose(axes(factors(2000)[:, ::-1]).explained, found.explained)


def test_overlap_is_chance_after_rotation_and_more_before() -> None:
    """20,000 records: the best tenths by raw signals share three times what chance does, by axes about what it does."""
    scores = factors(20_000)
    shared, chance = overlap(axes(scores), 2000)
    raw = [set(np.argsort(-scores[:, j])[:2000].tolist()) for j in range(11)]
    before = np.mean([len(a & b) / 2000 for i, a in enumerate(raw) for b in raw[:i]])
    assert chance == 0.1
    assert abs(shared - chance) < 0.03
    assert before > 2 * shared


@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=50)
def test_every_axis_has_its_part(n: int, m: int, components: int, seed: int) -> None:
    """Rows once each; an axis gives as many as any other, to within one, while nothing is used up."""
    scores = np.random.default_rng(seed).normal(size=(n, m))
    k = max(1, n // 2)
    rows = odis(scores, k, components)
    assert len(rows) == k == len(set(rows.tolist()))
    found = axes(scores, components)
    taken = np.zeros(n, bool)
    count = found.points.shape[1]
    for turn, row in enumerate(rows.tolist()):
        free = np.where(taken, -np.inf, found.points[:, turn % count])
        assert np.isclose(free[row], free.max())
        taken[row] = True


@given(st.integers(2, 40), st.integers(0, 99))
@settings(max_examples=30)
def test_order_scale_and_place_do_not_matter(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, 3))
    order = random.permutation(n)
    rows = odis(scores, n // 2 + 1)
    assert order[odis(scores[order], n // 2 + 1)].tolist() == rows.tolist()
    assert odis(scores * [1, 1000, 0.01] + [5, -3, 0], n // 2 + 1).tolist() == rows.tolist()


def test_constants_add_nothing() -> None:
    scores = np.stack([U + V, np.full(4, 0.1), U - V], axis=1)
    assert odis(scores, 4).tolist() == [0, 2, 1, 3]
    flat = axes(np.full((3, 2), 7.0))
    assert not flat.points.any()
    assert odis(np.full((3, 2), 7.0), 2).tolist() == [0, 1]


def test_method_says_which_axis() -> None:
    method = Odis(signals="a, b")
    chosen = method.select(pool_of(a=U + V, b=U - V), Constraints(Budget("rows", 3)))
    told = [chosen.reasons[code] for code in chosen.reason]
    assert told[0] == told[1] == "odis: best along axis 1 (+0.71 a, +0.71 b)"
    assert told[2] == "odis: best along axis 2 (+0.71 a, -0.71 b)"
    assert told[3] == "ranked below the budget"
    assert [axis["chosen"] for axis in chosen.facts["axes"]] == [2, 1]
    assert chosen.facts["axes"][1]["loadings"] == {"a": 0.707107, "b": -0.707107}
    assert np.allclose(chosen.score[:3], [3 / 5**0.5, 1 / 5**0.5, 1.5 / 1.25**0.5])


def test_less_is_better_where_asked() -> None:
    down = Odis(signals="a:asc,b:asc").select(pool_of(a=-U - V, b=V - U), Constraints(Budget("rows", 3)))
    up = Odis(signals="a,b").select(pool_of(a=U + V, b=U - V), Constraints(Budget("rows", 3)))
    assert down.rows.tolist() == up.rows.tolist()
    assert "a:asc" in down.reasons[down.reason[0]]


def test_parts_are_equal_in_tokens() -> None:
    """The best along axis 1 are ten times as long: of 4,000 tokens each axis still gets about half."""
    random = np.random.default_rng(1)
    u, v = random.normal(size=400) * 3, random.normal(size=400)
    cost = np.where(u > 1, 100, 10).astype(np.int64)
    pool = pool_of(a=u + v, b=u - v)
    chosen = Odis(signals="a,b").select(pool, Constraints(Budget("tokens", 4000), cost))
    told = np.array(["axis 1" in chosen.reasons[code] for code in chosen.reason])
    first, second = cost[chosen.rows[told[chosen.rows]]].sum(), cost[chosen.rows[~told[chosen.rows]]].sum()
    assert abs(first - second) <= 200


def test_bad_input_is_answered() -> None:
    with pytest.raises(BudgetError, match="expected a whole number of at least 1, got 0"):
        odis(np.ones((3, 2)), 0)
    with pytest.raises(InputError, match="expected finite numbers, got nan at record 1"):
        axes([[1.0, 2], [np.nan, 3]])
    with pytest.raises(InputError, match="expected n x m numbers"):
        odis([1.0, 2], 1)
    for bad in ("a,a", "a,", "a:up", ":asc"):
        with pytest.raises(OptionError, match="expected different names"):
            Odis(signals=bad)
    assert Odis(signals="field:a:asc,field:b").needs() == ("field:a", "field:b")
