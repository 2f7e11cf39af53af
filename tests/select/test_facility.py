"""Facility location: the picks of plain greedy, its bounds, parts, and parity with apricot and submodlib."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.facility import Facility, facility_location, facility_location_of
from tamis.select.gain.anew import Anew
from tamis.select.gain.represent import STEPS, Represented, in_steps
from tamis.vectors.similarity import UNIT, Space, closest, objective, rectangle, square
from tamis.vectors.tiles import content_keys

Floats = NDArray[np.float64]


def points(n: int, d: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def naive(similarity: NDArray[np.int64], k: int, price: NDArray[np.float64] | None = None) -> list[int]:
    """Plain greedy: every gain evaluated at every step, ties to the first."""
    best = np.zeros(len(similarity), np.int64)
    picks: list[int] = []
    for _ in range(k):
        gains = np.maximum(similarity - best[:, None], 0).sum(axis=0).astype(np.float64)
        gains[picks] = -1
        picks.append(int(np.argmax(gains if price is None else gains / price)))
        best = np.maximum(best, similarity[:, picks[-1]])
    return picks


def value(similarity: NDArray[np.float64], rows: tuple[int, ...]) -> float:
    return float(similarity[:, rows].max(axis=1).sum())


def test_by_hand() -> None:
    """Unit vectors at 0, 10, 80, 90 and 200 degrees.

    Sums of cosines, negative ones as 0: 0 degrees has 1 + .985 + .174 = 2.158, 10 has .985 + 1 + .342 + .174 = 2.5,
    80 the same 2.5, 90 2.158, 200 has 1. So 10 (position decides the tie); then 80 adds .658 + .811 = 1.469 (what 80
    and 90 gain), 90 adds .970 - .342 + 1 - .174... and 200 adds 1.
    """
    angle = np.deg2rad([0, 10, 80, 90, 200])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    keys = np.stack([np.arange(5, dtype=np.uint64)] * 2, axis=1)
    found = facility_location(x, 3, keys=keys)
    assert found.rows.tolist() == [1, 2, 4]
    s = np.clip(x @ x.T, 0, 1)
    assert found.gains == pytest.approx([s[1].sum(), np.maximum(s[2] - s[1], 0).sum(), 1.0], abs=1e-4)
    assert found.objective == pytest.approx(value(s, (1, 2, 4)), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 10**6), st.sampled_from(["cosine", "euclidean"]))
def test_the_picks_are_those_of_plain_greedy(n: int, d: int, seed: int, metric: str) -> None:
    x = points(n, d, seed)
    x[n // 2 :: 3] = x[0]  # with ties
    keys = np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)
    k = max(1, n // 2)
    found = facility_location(x, k, metric=metric, keys=keys)
    matrix = square(Space(x, metric), Local(1)).astype(np.int64)
    assert found.rows.tolist() == naive(matrix, k)
    assert (np.diff(found.gains) <= 1e-12).all()  # submodular: each adds no more than the one before


def test_gains_are_exact_on_any_number_of_threads() -> None:
    x = points(3000, 16, 1)
    matrix = square(Space(x, "cosine"), Local(2))
    assert (matrix == matrix.T).all()
    assert (matrix == square(Space(x, "cosine"), Local(1))).all()
    assert (matrix[:, 5:9] == rectangle(Space(x, "cosine"), None, np.arange(5, 9), Local())).all()
    with Represented(matrix, threads=1) as one, Represented(matrix, threads=2) as two:
        for c in (7, 2500, 7, 31):
            one.add(c)
            two.add(c)
        assert (one.gains == two.gains).all()
        expected = np.maximum(matrix.astype(np.int64) - one.best[:, None].astype(np.int64), 0).sum(axis=0)
        assert (one.gains == expected).all()
        given = Represented(in_steps(matrix / UNIT, 0.0, 1 / STEPS))
        for c in (7, 2500, 31):
            given.add(c)
        assert given.gains / STEPS == pytest.approx(one.gains / UNIT, abs=1e-3)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_similarities_computed_anew_are_those_that_were_held(metric: str) -> None:
    """Gains, picks, scores and bound to the last bit; several tiles; from must-keep records on; any threads."""
    x = points(2200, 5, 10)
    space = Space(x, metric)
    best = closest(space, None, np.array([4, 1100]), Local())
    with Represented(square(space, Local()), best) as held, Anew(space, best, Local(3)) as anew:
        assert (held.gains == anew.gains).all()
        for candidate in (2199, 7, 7, 1500):
            held.add(candidate)
            anew.add(candidate)
            assert (held.gains == anew.gains).all()
            assert (held.best == anew.best).all()
        assert held.updates == anew.updates
    one, other = (facility_location(x, 150, metric=metric, algorithm=how) for how in ("whole", "anew"))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.gains.tolist() == other.gains.tolist()
    assert {**one.facts, "algorithm": "anew"} == other.facts
    assert facility_location(x, 5, metric=metric, memory="1MB").facts["algorithm"] == "anew"


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_objective_is_that_of_real_numbers(metric: str) -> None:
    x = points(1500, 8, 2) + np.float32(1)
    space = Space(x, metric)
    if metric == "cosine":
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        s = np.clip(unit.astype(np.float64) @ unit.T, 0, 1)
    else:
        apart = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)
        assert apart.max() * float(space.scale) <= 1
        s = 1 - apart * float(space.scale)
    rows = np.array([3, 77, 1400])
    assert objective(space, rows, Local()) == pytest.approx(value(s, tuple(rows)), rel=1e-5)
    assert np.abs(square(space, Local()) / UNIT - s).max() < 3e-5


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_closest_of_many_is_found_tile_by_tile(metric: str) -> None:
    """Several tiles of rows and of those chosen, neither full; the objective is the sum of the closest."""
    space = Space(points(2300, 6, 7), metric)
    chosen = np.arange(0, 2300, 2)
    expected = rectangle(space, None, chosen, Local(1)).max(axis=1)
    assert (closest(space, None, chosen, Local(2)) == expected).all()
    some = np.arange(1, 2300, 3)
    assert (closest(space, some, chosen, Local()) == expected[some]).all()
    assert not closest(space, some, chosen[:0], Local()).any()
    assert objective(space, chosen, Local(1)) == objective(space, chosen[::-1], Local(2))
    assert objective(space, chosen, Local()) == pytest.approx(expected.sum() / UNIT, rel=1e-5)
    assert objective(space, chosen[:0], Local()) == 0


def test_greedy_reaches_its_bound() -> None:
    for seed in range(8):
        x = points(12, 3, seed)
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        s = np.clip(unit @ unit.T, 0, 1)
        best = max(value(s, rows) for rows in itertools.combinations(range(12), 3))
        found = facility_location(x, 3)
        assert found.objective >= (1 - 1 / np.e) * best
        assert found.objective <= best + 1e-5
        share = found.facts["share_of_bound"]
        assert 1 - 1 / np.e <= share <= found.objective / best + 1e-4  # it never promises too much
    assert facility_location(x, 12).facts["share_of_bound"] == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["whole", "anew", "parts", "stochastic"]))
def test_the_order_of_the_rows_does_not_matter(seed: int, algorithm: str) -> None:
    x = points(200, 4, seed)
    turned = np.random.default_rng(seed).permutation(200)
    one = facility_location(x, 20, algorithm=algorithm, memory="40KB" if algorithm == "parts" else "1GB")
    other = facility_location(x[turned], 20, algorithm=algorithm, memory="40KB" if algorithm == "parts" else "1GB")
    assert turned[other.rows].tolist() == one.rows.tolist()


def test_parts_and_samples_come_close_to_the_whole() -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(60, 16))
    x = (centres[random.integers(0, 60, 4000)] + 0.5 * random.normal(size=(4000, 16))).astype(np.float32)
    whole = facility_location(x, 60)
    at_random = np.mean(
        [objective(Space(x, "cosine"), np.sort(random.choice(4000, 60, False)), Local()) for _ in range(5)]
    )
    judged = facility_location(x, 60, memory="3MB", algorithm="parts")
    assert judged.facts["parts"] == 4
    assert judged.facts["judged_on"] == 4000
    shared = facility_location(x, 200, memory="1MB", algorithm="parts")
    assert shared.facts["in_turn"] == 200
    sampled = facility_location(x, 60, algorithm="stochastic")
    assert judged.objective > 0.99 * whole.objective
    assert sampled.objective > 0.97 * whole.objective
    assert at_random < 0.95 * whole.objective
    assert shared.objective > 0.98 * facility_location(x, 200).objective


def test_pins_quotas_and_tokens_are_part_of_the_choice() -> None:
    """What must be in represents from the start; a full group is passed over; gains count per token."""
    x = points(80, 6, 4)
    pool = Pool.build(content_keys(x), {"vectors": x})[0]
    matrix = square(Space(pool.columns["vectors"], "cosine"), Local()).astype(np.int64)  # type: ignore[arg-type]
    keep = np.zeros(80, bool)
    keep[[5, 6]] = True
    chosen = Facility().select(pool, Constraints(Budget("rows", 6), keep=keep))
    best = matrix[:, [5, 6]].max(axis=1)
    gains = np.maximum(matrix - best[:, None], 0).sum(axis=0)
    gains[[5, 6]] = -1
    assert chosen.rows[:3].tolist() == [5, 6, int(gains.argmax())]
    groups = Groups.of(np.where(np.arange(80) % 2, "odd", "even").astype(object))
    quotas = [Quota.parse("g=odd<=2")]
    chosen = Facility().select(pool, Constraints(Budget("rows", 10), quotas=quotas, groups={"g": groups}))
    assert int((chosen.rows % 2).sum()) == 2
    free = naive(matrix, 20)
    odd = [row for row in free if row % 2][:2]
    assert set(odd) <= set(chosen.rows.tolist())
    cost = np.random.default_rng(0).integers(1, 50, 80)
    chosen = Facility().select(pool, Constraints(Budget("tokens", 200), cost))
    assert chosen.rows[0] == naive(matrix, 1, cost.astype(float))[0]
    plain = Facility(per_token=False).select(pool, Constraints(Budget("tokens", 200), cost))
    assert plain.rows[0] == naive(matrix, 1)[0]
    assert len(chosen) > len(plain)
    assert "share_of_bound" not in chosen.facts  # the bound is one for rows


def test_parts_go_on_in_turn_when_the_proposals_do_not_fill_the_budget() -> None:
    """Short records are worth most a token: more fit than the mean cost promised, and the parts go on."""
    x = points(400, 6, 8)
    pool = Pool.build(content_keys(x), {"vectors": x})[0]
    cost = np.where(np.arange(400) % 2, 1, 999)
    chosen = Facility(algorithm="parts", memory="100KB").select(pool, Constraints(Budget("tokens", 600), cost))
    assert chosen.facts["parts"] == 2
    assert chosen.facts["in_turn"] > 100
    assert sorted(chosen.rows.tolist()) == list(range(1, 400, 2))
    assert np.isfinite(chosen.score).all()


def test_samples_are_judged_in_as_many_pieces_as_memory_asks() -> None:
    x = points(500, 5, 9)
    one = facility_location(x, 20, algorithm="stochastic", seed=3)
    assert one.facts["candidates_a_step"] > 40  # 32 at once under 32 KB
    assert facility_location(x, 20, algorithm="stochastic", memory="32KB", seed=3).rows.tolist() == one.rows.tolist()


@pytest.mark.parametrize(
    "options", [{}, {"algorithm": "anew"}, {"algorithm": "parts", "memory": "32KB"}, {"algorithm": "stochastic"}]
)
def test_a_zero_vector_is_set_aside_with_a_reason_or_kept_if_it_must(options: dict[str, str]) -> None:
    x = points(300, 4, 5)
    x[[3, 9]] = 0
    keys = np.stack([np.arange(300, dtype=np.uint64)] * 2, axis=1)
    keep = np.zeros(300, bool)
    keep[9] = True
    chosen = Facility(**options).select(Pool(keys, {"vectors": x}), Constraints(Budget("rows", 300), keep=keep))
    assert len(chosen) == 299
    assert chosen.reasons[chosen.reason[3]] == "facility: no vector (all zeros)"
    assert chosen.rows[0] == 9
    none = Facility(**options).select(Pool(keys[:4], {"vectors": x[:4] * 0}), Constraints(Budget("rows", 2)))
    assert len(none) == 0


def test_bad_input_is_answered() -> None:
    x = points(20, 3, 0)
    with pytest.raises(BudgetError):
        facility_location(x, 0)
    x[7, 1] = np.nan
    with pytest.raises(InputError, match="got nan at record 7"):
        facility_location(x, 3)
    with pytest.raises(OptionError, match="expected at least 32KB"):
        Facility(memory="1KB")
    with pytest.raises(OptionError, match=r"need .* MB for similarities, memory is 32KB"):
        facility_location(points(200, 3, 0), 3, algorithm="whole", memory="32KB")
    with pytest.raises(InputError, match="expected n x n numbers"):
        facility_location_of(np.ones((3, 2)), 1)
    with pytest.raises(InputError, match="at least 0"):
        facility_location_of(-np.eye(3), 1)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # theirs: imports that SciPy will drop
def test_apricot_and_submodlib_choose_the_same() -> None:
    apricot = pytest.importorskip("apricot")
    submodlib = pytest.importorskip("submodlib")
    x = np.random.default_rng(6).normal(size=(400, 12)).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    s = np.clip(unit.astype(np.float64) @ unit.T, 0, 1)
    keys = np.stack([np.arange(400, dtype=np.uint64)] * 2, axis=1)
    ours = facility_location(x, 40, keys=keys)
    theirs = apricot.FacilityLocationSelection(40, metric="precomputed", optimizer="lazy").fit(s)
    assert ours.rows.tolist() == theirs.ranking.tolist()
    assert facility_location_of(s, 40).rows.tolist() == theirs.ranking.tolist()
    other = submodlib.FacilityLocationFunction(
        n=400, mode="dense", sijs=s.astype(np.float32), separate_rep=False
    ).maximize(budget=40, optimizer="NaiveGreedy", show_progress=False)
    assert ours.rows.tolist() == [row for row, _ in other]
    assert ours.objective == pytest.approx(sum(gain for _, gain in other), rel=1e-3)
