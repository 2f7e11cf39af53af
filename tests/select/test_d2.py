"""D2 pruning: by hand, the plain definition, copies and isolated records, approximate neighbours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import tamis.select.d2 as module
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.d2 import D2, d2


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def line(*places: float) -> NDArray[np.float32]:
    return np.array([[place, 1.0] for place in places], np.float32)


def reference(
    x: NDArray[np.float32],
    k: int,
    hard: NDArray[np.float64],
    neighbours: int,
    gammas: tuple[float, float] = (1.0, 1.0),
    product: bool = False,
    power: int = 1,
) -> list[int]:
    """The definition on the whole matrix of distances."""
    apart = np.sqrt(((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2))
    joined = np.zeros(apart.shape, bool)
    for i in range(len(x)):
        nearest = [j for j in np.argsort(apart[i], kind="stable") if j != i][:neighbours]
        joined[i, nearest] = joined[nearest, i] = True
    told = (joined * np.exp(-gammas[0] * apart**power)) @ hard
    value = hard * told if product else hard + told
    picks: list[int] = []
    for _ in range(k):
        left = [i for i in range(len(x)) if i not in picks]
        best = max(left, key=lambda i: (value[i], -i))
        picks.append(best)
        value = value - joined[best] * np.exp(-gammas[1] * apart[best] ** power) * value[best]
    return picks


def test_by_hand() -> None:
    """Places 0, ln 2 and 10 of a line, difficulty 4, 3, 2, one neighbour each, gammas 1.

    The first two are each other's neighbours (weight 1/2); the second is the third's, far away (about 1e-4). Forward:
    4 + 3/2 = 5.5, 3 + 4/2 = 5, 2. The first is taken and the second loses 5.5 / 2: 2.25, still above 2. It takes
    next to nothing from the third. By squares, ln 2 squared is 0.48, the weight 0.62: the second is left with 2.08.
    """
    x, hard = line(0, np.log(2), 10), np.array([4.0, 3, 2])
    pool = Pool(keys(3), {"vectors": x, "hard": hard})
    method = D2(by="hard", neighbours=1, metric="euclidean")
    chosen = method.select(pool, Constraints(Budget("rows", 3)))
    assert chosen.rows.tolist() == [0, 1, 2]
    assert chosen.score == pytest.approx([5.5, 2.25, 2], abs=1e-3)
    assert chosen.facts == {"edges": 2, "recall": 1.0}
    assert d2(x, 2, [4, 3, 2.3], neighbours=1, metric="euclidean", keys=keys(3)).tolist() == [0, 2]
    chosen = D2(by="hard", neighbours=1, metric="euclidean", squared=True).select(pool, Constraints(Budget("rows", 3)))
    weight = np.exp(-(np.log(2) ** 2))
    assert chosen.score[1] == pytest.approx(3 + 4 * weight - weight * (4 + 3 * weight), abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(2, 60),
    st.integers(1, 8),
    st.sampled_from([(1.0, 1.0), (0.5, 3.0), (2.0, 0.0)]),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_the_picks_are_those_of_the_definition(
    seed: int, n: int, neighbours: int, gammas: tuple[float, float], product: bool, power: int
) -> None:
    random = np.random.default_rng(seed)
    x, hard = random.normal(size=(n, 3)).astype(np.float32), random.random(n)
    rows = d2(
        x,
        n,
        hard,
        neighbours=neighbours,
        gamma_f=gammas[0],
        gamma_r=gammas[1],
        forward="product" if product else "sum",
        squared=power == 2,
        metric="euclidean",
        keys=keys(n),
    )
    assert rows.tolist() == reference(x, n, hard, neighbours, gammas, product, power)


def test_isolated_records_go_by_difficulty() -> None:
    """So far apart that nothing is passed on."""
    hard = np.random.default_rng(0).permutation(30).astype(np.float64)
    rows = d2(np.eye(30, dtype=np.float32) * 1e4, 30, hard, metric="euclidean", keys=keys(30))
    assert rows.tolist() == np.argsort(-hard).tolist()


def test_a_copy_loses_its_full_value() -> None:
    """Pairs of copies, one neighbour each: all first ones come before any second one, which are worth 0."""
    random = np.random.default_rng(1)
    x = random.normal(size=(20, 6)).astype(np.float16)
    hard = np.tile(random.random(20), 2)
    pool = Pool(keys(40), {"vectors": np.concatenate([x, x]), "hard": hard})
    chosen = D2(by="hard", neighbours=1).select(pool, Constraints(Budget("rows", 40)))
    assert chosen.rows[:20].tolist() == np.argsort(-hard[:20], kind="stable").tolist()
    assert (chosen.score[20:] == 0).all()
    assert chosen.score[:20] == pytest.approx(2 * hard[:20])


def test_it_spreads_where_the_hardest_are_alike() -> None:
    """The hardest 50 of 300 are one cluster: by difficulty alone all are from it; here few are."""
    random = np.random.default_rng(2)
    centres = np.repeat(np.eye(6), 50, axis=0)
    x = (centres + 0.1 * random.normal(size=(300, 6))).astype(np.float32)
    hard = random.random(300) + np.repeat([0.5, 0, 0, 0, 0, 0], 50)
    rows = d2(x, 30, hard, gamma_r=0.1)
    found = np.bincount(rows // 50, minlength=6)
    assert (found > 0).all()
    assert found[0] < 20
    assert np.bincount(np.argsort(-hard)[:30] // 50, minlength=6)[0] > 20


def test_less_is_harder_ranks_and_row_order() -> None:
    random = np.random.default_rng(3)
    x, margin = random.normal(size=(80, 4)).astype(np.float32), random.normal(size=80)
    pool = Pool(keys(80), {"vectors": x, "margin": margin, "hard": margin.max() - margin})
    budget = Constraints(Budget("rows", 20))
    by_margin = D2(by="margin:asc").select(pool, budget)
    assert by_margin.rows.tolist() == D2(by="hard").select(pool, budget).rows.tolist()
    by_rank = D2(by="margin:asc", scale="ranks").select(pool, budget)
    ranks = (79 - np.argsort(np.argsort(margin))) / 79
    assert by_rank.rows.tolist() == d2(x, 20, ranks, keys=keys(80)).tolist()
    turned = random.permutation(80)
    assert turned[d2(x[turned], 20, ranks[turned])].tolist() == d2(x, 20, ranks).tolist()


def test_pinned_records_take_from_their_neighbours() -> None:
    x, hard = line(0, np.log(2), 10), np.array([4.0, 3, 2])
    pool = Pool(keys(3), {"vectors": x, "hard": hard})
    method = D2(by="hard", neighbours=1, metric="euclidean")
    chosen = method.select(pool, Constraints(Budget("rows", 2), keep=np.arange(3) == 1))
    assert chosen.rows.tolist() == [1, 0]
    assert chosen.score == pytest.approx([3, 5, 2], abs=1e-3)  # 5.5 - 5 / 2
    chosen = method.select(pool, Constraints(Budget("rows", 2), drop=np.arange(3) == 0))
    assert chosen.rows.tolist() == [1, 2]
    assert chosen.score[1] == pytest.approx(5, abs=1e-3)  # one that is not taken takes nothing


def test_neighbours_above_the_limit_are_approximate(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    x = (np.repeat(random.normal(size=(30, 8)), 30, axis=0) + 0.3 * random.normal(size=(900, 8))).astype(np.float32)
    pool = Pool(keys(900), {"vectors": x, "hard": random.random(900)})
    budget = Constraints(Budget("rows", 90))
    plain = D2(by="hard").select(pool, budget)
    monkeypatch.setattr(module, "_EXACT", 100)
    near = D2(by="hard").select(pool, budget)
    assert plain.facts["recall"] == 1
    assert 0.95 <= near.facts["recall"] <= 1
    assert len(set(plain.rows.tolist()) & set(near.rows.tolist())) >= 75
    assert D2(by="hard", recall=1).select(pool, budget).rows.tolist() == plain.rows.tolist()


def test_distances_are_counted() -> None:
    random = np.random.default_rng(5)
    counts = []
    for n in (50, 100):
        method = D2(by="hard", neighbours=3)
        pool = Pool(keys(n), {"vectors": random.normal(size=(n, 4)).astype(np.float32), "hard": random.random(n)})
        chosen = method.select(pool, Constraints(Budget("rows", 1)))
        assert n * n + chosen.facts["edges"] <= method.operations() <= n * n + 3 * chosen.facts["edges"]
        counts.append(method.operations())
    assert all(after <= 4.5 * before for before, after in itertools.pairwise(counts))


def test_what_is_set_aside_and_bad_input() -> None:
    x, hard = line(1, 2, 3, 4), np.array([1.0, np.nan, 3, -1])
    x[2] = 0
    pool = Pool(keys(4), {"vectors": x, "hard": hard})
    chosen = D2(by="hard", scale="ranks").select(pool, Constraints(Budget("rows", 4)))
    assert sorted(chosen.rows.tolist()) == [0, 3]
    assert chosen.reasons[chosen.reason[1]] == "d2: no score (NaN)"
    assert chosen.reasons[chosen.reason[2]] == "d2: no vector (all zeros)"
    message = r"expected finite numbers of at least 0 to pass on, got -1 at record 3. scale=ranks takes any numbers"
    with pytest.raises(InputError, match=message):
        D2(by="hard").select(pool, Constraints(Budget("rows", 4)))
    with pytest.raises(InputError, match="got inf at record 0"):
        d2(x[:2], 1, [np.inf, 1], keys=keys(2))
    assert d2(x[:1], 1, [1.0]).tolist() == [0]
    assert d2(np.zeros((2, 2)), 1, [1.0, 2]).tolist() == []
    with pytest.raises(InputError, match="one a row"):
        d2(x, 1, [1.0])
    with pytest.raises(OptionError, match="gamma_r"):
        D2(by="hard", gamma_r=-1)
    with pytest.raises(OptionError, match="by"):
        D2(by="hard:up")
    with pytest.raises(BudgetError, match="got 0"):
        d2(x, 0, hard)
