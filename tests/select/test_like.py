"""Mutual information with a target: hand-worked, brute force, the forms' bounds, parity with submodlib."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.like import Like, like
from tamis.vectors.similarity import UNIT, Space, rectangle, square

Floats = NDArray[np.float64]


def points(n: int, d: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def numbered(n: int) -> NDArray[np.uint64]:
    """Return keys that keep rows where they are."""
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def circle(*degrees: float) -> NDArray[np.float32]:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def kernels(x: NDArray[np.float32], *examples: NDArray[np.float32], metric: str = "cosine") -> list[Floats]:
    """Return the similarities of all to all, and of all to each set of examples."""
    space = Space(x, metric)
    others = (rectangle(space, None, np.arange(len(q)), Local(), space.other(q)) for q in examples)
    return [part / UNIT for part in (square(space, Local()), *others)]


def value(form: str, rows: tuple[int, ...], s: Floats, q: Floats, eta: float = 1, p: Floats | None = None) -> float:
    """Return the objective as it is written."""
    chosen = list(rows)
    if form == "gcmi":
        return float(q[chosen].sum())
    if form == "flqmi":
        return float(q[chosen].max(axis=0).sum() + eta * q[chosen].max(axis=1).sum())
    less = np.zeros(len(s)) if p is None else p.max(axis=1)
    return float(np.maximum(np.minimum(s[:, chosen].max(axis=1), eta * q.max(axis=1)) - less, 0).sum())


def greedy(n: int, k: int, of: object) -> list[int]:
    """Evaluate every set at every step; ties to the first."""
    chosen: list[int] = []
    for _ in range(k):
        gains = [-1.0 if j in chosen else round(of((*chosen, j)), 6) for j in range(n)]  # type: ignore[operator]
        chosen.append(int(np.argmax(gains)))
    return chosen


def test_by_hand() -> None:
    """Unit vectors at 0, 10, 45, 90 and 180 degrees; examples at 0 and 90.

    Nearest example: 1, cos 10 = .985, cos 45 = .707, 1, 0. Sums over examples: 1, .985 + .174 = 1.158, 1.414, 1, 0.
    gcmi takes 45, then 10, then the first of the equal ones, 0.
    flqmi: one alone adds its sum and its nearness: 2, 2.143, 2.121, 2, 0, so 10 first; then 90 adds 1 - .174 + 1 =
    1.826, 0 adds .015 + 1 = 1.015, 45 adds .534 + .707 = 1.240; then 0.
    flvmi: each record counts up to its nearest example. 0 represents 1 + .985 + .707; 10 .985 + .985 + .707 + .174;
    45 .707 + .819 + .707 + .707 = 2.940, the most; then 0 adds .293 + .166 = .459, 10 .443, 90 .293; then 90.
    """
    x, target = circle(0, 10, 45, 90, 180), circle(0, 90)
    found = {form: like(x, target, 3, form=form, keys=numbered(5)) for form in ("gcmi", "flqmi", "flvmi")}
    assert found["gcmi"].rows.tolist() == [2, 1, 0]
    assert found["gcmi"].gains == pytest.approx([1.4142, 1.1585, 1], abs=1e-4)
    assert found["flqmi"].rows.tolist() == [1, 3, 0]
    assert found["flqmi"].gains == pytest.approx([2.1433, 1.8264, 1.0152], abs=1e-4)
    assert found["flvmi"].rows.tolist() == [2, 0, 3]
    assert found["flvmi"].gains == pytest.approx([2.9405, 0.4586, 0.2929], abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 14),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(["flqmi", "flvmi", "gcmi"]),
    st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    st.sampled_from(["cosine", "euclidean"]),
)
def test_picks_objective_and_bound(n: int, q: int, seed: int, form: str, eta: float, metric: str) -> None:
    """Those of plain greedy; the objective as it is written; at least 63 % of the best of all sets."""
    x, target = points(n, 4, seed), points(q, 4, seed + 1)
    k = max(1, n // 4)
    found = like(x, target, k, form=form, eta=eta, metric=metric, keys=numbered(n))
    s, near = kernels(x, target, metric=metric)
    reached = value(form, tuple(found.rows), s, near, eta)
    assert found.objective == pytest.approx(reached, abs=2e-4 * (n + k))
    assert found.gains.sum() == pytest.approx(reached, abs=2e-4 * (n + k))
    plain = greedy(n, k, lambda rows: value(form, rows, s, near, eta))
    assert reached == pytest.approx(value(form, tuple(plain), s, near, eta), abs=1e-3)
    best = max(value(form, rows, s, near, eta) for rows in itertools.combinations(range(n), k))
    assert reached >= (1 if form == "gcmi" else 1 - 1 / np.e) * best - 1e-3


def test_the_conditional_form_keeps_away() -> None:
    """Two clusters near the target; one of them is near what is to be avoided. With nu = 1 none of it is taken."""
    middle = circle(0, 60, 180)
    x = (np.repeat(middle, 20, axis=0) + 0.05 * points(60, 2, 3)).astype(np.float32)
    target, avoided = circle(0, 60), circle(60)
    both = like(x, target, 6, form="flvmi", keys=numbered(60))
    away = like(x, target, 6, form="flvmi", unlike=avoided, keys=numbered(60))
    assert {row // 20 for row in both.rows.tolist()} >= {0, 1}
    assert {row // 20 for row in away.rows.tolist()[:3]} == {0}
    s, q, p = kernels(x, target, avoided)
    assert away.objective == pytest.approx(value("flvmi", tuple(away.rows), s, q, 1, p), abs=5e-3)
    assert greedy(60, 3, lambda rows: value("flvmi", rows, s, q, 1, p)) == away.rows.tolist()[:3]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("form", ["flqmi", "flvmi"])
def test_similarities_anew_are_those_that_were_held(form: str, metric: str) -> None:
    """Rows, gains, objective to the last bit, over several tiles, where the matrix does not fit."""
    x, target = points(2300, 6, 1), points(1100, 6, 2)
    one, other = (like(x, target, 60, form=form, metric=metric, algorithm=how) for how in ("whole", "anew"))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.gains.tolist() == other.gains.tolist()
    assert {**one.facts, "algorithm": "anew"} == other.facts
    assert like(x, target, 5, form=form, memory="1MB").facts["algorithm"] == "anew"


def test_parts_lose_little() -> None:
    x, target = points(3000, 8, 4), points(40, 8, 5)
    whole = like(x, target, 60, form="flvmi")
    parts = like(x, target, 60, form="flvmi", algorithm="parts", memory="2MB")
    turns = like(x, target, 600, form="flvmi", algorithm="parts", memory="1MB")
    assert parts.objective >= 0.98 * whole.objective
    assert turns.objective >= 0.97 * like(x, target, 600, form="flvmi").objective


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["flqmi", "flvmi", "gcmi"]))
def test_order_of_pool_and_of_examples_does_not_matter(seed: int, form: str) -> None:
    x, target = points(50, 3, seed), points(8, 3, seed + 1)
    x[10], target[3] = x[0], target[0]
    random = np.random.default_rng(seed)
    turned, other = random.permutation(50), random.permutation(8)
    one, two = like(x, target, 9, form=form), like(x[turned], target[other], 9, form=form)
    assert x[one.rows].tolist() == x[turned][two.rows].tolist()
    assert one.objective == two.objective


def test_must_keep_counts_and_examples_of_several_files_are_one_target() -> None:
    """With a must-keep record that answers the first example, the second is answered next."""
    x = circle(0, 1, 90, 45)
    method = Like(eta=0).told([circle(0), circle(90)])
    assert method.target is not None
    assert len(method.target) == 2
    keep = np.array([True, False, False, False])
    chosen = method.select(Pool(numbered(4), {"vectors": x}), Constraints(Budget("rows", 2), keep=keep))
    assert chosen.rows.tolist() == [0, 2]
    assert chosen.facts["near_target"] == pytest.approx(1)
    assert chosen.facts["pool_near_target"] == pytest.approx((1 + np.cos(np.deg2rad(1)) + 1 + np.sqrt(0.5)) / 4)


def test_no_more_memory_than_there_is_room() -> None:
    """The matrix makes room for the examples, which the method still knows."""
    target = points(1000, 8, 0)
    for form in ("flvmi", "flqmi"):
        method = Like(form=form).told([target])
        less = method.within(300_000, 10_000)
        assert isinstance(less, Like)
        assert method.holds(10_000) > 300_000 >= less.holds(10_000)
        assert less.target is method.target
        assert method.within(method.holds(10_000), 10_000) is method


def test_what_cannot_be() -> None:
    x = points(9, 4, 0)
    pool, few = Pool(numbered(9), {"vectors": x}), Constraints(Budget("rows", 2))
    with pytest.raises(OptionError, match="needs --target FILES"):
        Like().select(pool, few)
    with pytest.raises(InputError, match="expected vectors of 4 numbers, as the pool's, got 3"):
        like(x, points(2, 3, 0), 2)
    with pytest.raises(InputError, match="expected vectors of one width, got 3 and 4"):
        Like().told([points(2, 3, 0), x])
    with pytest.raises(InputError, match="at least one record with a vector, got 2 without"):
        like(x, np.zeros((2, 4)), 2)
    with pytest.raises(InputError, match="--target: expected finite numbers, got nan at record 1"):
        like(x, np.array([[1.0, 0, 0, 0], [np.nan, 0, 0, 0]]), 2)
    with pytest.raises(OptionError, match=r"form 'flqmi' reads no --unlike"):
        like(x, x, 2, unlike=x)
    with pytest.raises(OptionError, match="algorithm 'parts': expected with form=flvmi"):
        like(x, x, 2, algorithm="parts")
    with pytest.raises(OptionError, match="1,000 examples and 20,000 records need 38 MB"):
        like(points(20_000, 2, 0), points(1000, 2, 1), 2, algorithm="whole", memory="1MB")


@pytest.mark.peers
@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0])
def test_parity_with_submodlib(eta: float) -> None:
    """The same picks and values after the same kernels; where flvmi is saturated, ties: the same value."""
    submodlib = pytest.importorskip("submodlib")
    n, k = 120, 12
    x, target, avoided = points(n, 6, 3), points(7, 6, 4), points(5, 6, 5)
    s, q, p = (np.asarray(kernel, np.float32) for kernel in kernels(x, target, avoided))
    peers = {
        "flvmi": submodlib.FacilityLocationMutualInformationFunction(
            n, 7, data_sijs=s, query_sijs=q, magnificationEta=eta
        ),
        "flqmi": submodlib.FacilityLocationVariantMutualInformationFunction(n, 7, query_sijs=q, queryDiversityEta=eta),
        "gcmi": submodlib.GraphCutMutualInformationFunction(n, 7, query_sijs=q),
        "both": submodlib.FacilityLocationConditionalMutualInformationFunction(
            n, 7, 5, data_sijs=s, query_sijs=q, private_sijs=p, magnificationEta=eta, privacyHardness=0.5
        ),
    }
    for name, peer in peers.items():
        more = {"form": "flvmi", "unlike": avoided, "nu": 0.5} if name == "both" else {"form": name}
        found = like(x, target, k, eta=eta, keys=numbered(n), **more)
        picks = peer.maximize(
            budget=k, optimizer="NaiveGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
        )
        # submodlib weighs gcmi 2 lambda with lambda = 1/2
        assert peer.evaluate(set(found.rows.tolist())) == pytest.approx(found.objective, rel=1e-4)
        assert sum(gain for _, gain in picks) == pytest.approx(found.objective, rel=1e-4)
        if not (name in ("flvmi", "both") and eta < 1):
            assert [row for row, _ in picks] == found.rows.tolist()
