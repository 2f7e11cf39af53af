"""Sampling in proportion to a signal: sums without bias under every budget, the least variance where it should be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget import fair
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.budget.fair import arrivals, different
from tamis.select.importance import Importance, importance, recorded, shares

Floats = NDArray[np.float64]
RANDOM = np.random.default_rng(0)
N = 60
SIGNAL, VALUE = RANDOM.gamma(1, 1, N), RANDOM.normal(2, 1, N)
COST = RANDOM.integers(1, 40, N)
GROUPS = {
    "s": Groups.of(np.array(list("abc"))[RANDOM.integers(0, 3, N)]),
    "t": Groups.of(np.array(list("xy"))[RANDOM.integers(0, 2, N)]),
}
KEEP, DROP = np.arange(N) == 3, np.arange(N) == 5


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def unbiased(found: list[float], expected: float) -> None:
    """The mean is what is expected, within five standard errors."""
    assert abs(np.mean(found) - expected) < 5 * np.std(found) / math.sqrt(len(found))


def test_by_hand() -> None:
    """Signals 1 and 3, one draw: shares 1/4 and 3/4, arrival u / p; the arrival T of the other gives 1 / min(1, pT)."""
    keys = in_place(2)
    assert shares(np.array([1.0, 3.0]), 0.0).tolist() == [0.25, 0.75]
    assert shares(np.array([1.0, 3.0, np.nan]), 0.5).tolist() == [0.375, 0.625, 0]
    for seed in range(50):
        rows, weight = importance([1.0, 3.0], 1, mix=0, seed=seed, keys=keys)
        time, order = arrivals(np.array([0.25, 0.75]), keys, seed, "importance")
        assert rows[0] == order[0]
        assert weight[0] == max(1.0, 1 / ([0.25, 0.75][rows[0]] * time[order[1]]))
    rows, weight = importance([1.0, 3.0], 5, mix=0, repeats=True)
    assert weight == pytest.approx(np.array([4 / 5, 4 / 15])[rows])


@pytest.mark.parametrize(
    ("constraints", "times"),
    [
        (Constraints(Budget("rows", 10)), 2000),
        (Constraints(Budget("tokens", 200), COST), 2000),
        (Constraints(Budget("tokens", 60), COST), 2000),
        (Constraints(Budget("rows", 12), None, (), {}, KEEP, DROP), 2000),
        (Constraints(Budget("tokens", 200), COST, (), {}, KEEP, DROP), 2000),
        (Constraints(Budget("rows", 12), None, [Quota.parse("s=a<=20%"), Quota.parse("s=b>=50%")], GROUPS), 1500),
        (Constraints(Budget("tokens", 200), COST, [Quota.parse("s=a<=20%")], GROUPS), 600),
        (Constraints(Budget("rows", 12), None, [Quota.parse("s=a<=20%"), Quota.parse("t=x<=40%")], GROUPS), 600),
    ],
    ids=["rows", "tokens", "few tokens", "pins", "tokens and pins", "quotas", "tokens and a cap", "two fields"],
)
def test_weighted_sums_are_those_of_the_pool(constraints: Constraints, times: int) -> None:
    """The mean over seeds of the weighted sum is the sum over all that were not dropped."""
    pool, method = Pool(in_place(N), {"signal": SIGNAL}), Importance(by="signal")
    found = [float((method.select(pool, constraints, seed).weight * VALUE).sum()) for seed in range(times)]
    unbiased(found, VALUE[~DROP].sum() if constraints.drop is not None else VALUE.sum())


def test_quotas_in_tokens_for_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of about one length share a trial: the weights of the same draws are close to those of a trial each."""
    random = np.random.default_rng(0)
    signal, value, cost = random.gamma(1, 1, 2000), random.normal(2, 1, 2000), random.integers(20, 800, 2000)
    groups = {"s": Groups.of(np.array(list("abc"))[random.integers(0, 3, 2000)])}
    pool, method = Pool(in_place(2000), {"signal": signal}), Importance(by="signal")
    constraints = Constraints(Budget("tokens", 40_000), cost, [Quota.parse("s=a<=20%")], groups)
    sums = []
    for trials, levels in ((fair._TRIALS, 32), (0, 32), (0, 1)):
        monkeypatch.setattr(fair, "_TRIALS", trials)
        monkeypatch.setattr(fair, "_LEVELS", levels)
        weighted = [(method.select(pool, constraints, seed).weight * value).sum() for seed in range(20)]
        sums.append(np.mean(weighted) / value.sum())
    assert abs(sums[1] - sums[0]) < 0.01
    assert abs(sums[2] - sums[0]) < 0.1


def test_without_weights_the_estimate_is_biased() -> None:
    """The mean of a signal drawn by itself: with weights mean(g); without, as released, mean(g^2) / mean(g)."""
    g, k = SIGNAL, 20
    draws = [importance(g, k, mix=0, repeats=True, seed=seed, keys=in_place(N)) for seed in range(2000)]
    plain = [float(g[rows].mean()) for rows, _ in draws]
    unbiased(plain, float((g**2).mean() / g.mean()))
    assert np.mean(plain) > 1.5 * g.mean()
    unbiased([float((VALUE[rows] * weight).sum()) for rows, weight in draws], VALUE.sum())
    none = Importance(by="signal", weights=False).select(
        Pool(in_place(N), {"signal": g}), Constraints(Budget("rows", 9))
    )
    assert set(none.weight[none.rows]) == {1.0}


def test_variance_is_least_in_proportion_to_the_length() -> None:
    """Second moments of (1 / (n p)) g: over that of equal shares, (mean|g|)^2 / mean(g^2), and no shares do better."""
    g = RANDOM.normal(0, 1, N) * RANDOM.gamma(1, 2, N)

    def moment(p: Floats) -> float:
        return float((g**2 / p).sum() / N**2)

    best, equal = moment(shares(np.abs(g), 0.0)), moment(np.full(N, 1 / N))
    assert best / equal == pytest.approx(np.abs(g).mean() ** 2 / (g**2).mean())
    for mix in (0.1, 0.5, 0.9):
        assert best < moment(shares(np.abs(g), mix)) < equal
    for _ in range(200):
        other = np.abs(g) * np.exp(RANDOM.normal(0, 0.5, N))
        assert moment(shares(other, 0.0)) > best
    found = {}
    for mix in (0.0, 1.0):
        draws = [importance(np.abs(g), 1, mix=mix, repeats=True, seed=s, keys=in_place(N)) for s in range(4000)]
        found[mix] = np.mean([(weight[0] * g[rows[0]] / N) ** 2 for rows, weight in draws])
    assert found[0.0] == pytest.approx(best)  # each draw has the same square
    assert found[1.0] == pytest.approx(equal, rel=0.2)


def test_without_repeats_varies_less() -> None:
    """The sum of the signal itself and of one near to it: far less error than equal shares, and as without repeats."""
    value = SIGNAL * RANDOM.uniform(0.8, 1.2, N)
    spread = {}
    for mix in (0.0, 1.0):
        draws = [importance(SIGNAL, 20, mix=mix, seed=s, keys=in_place(N)) for s in range(1000)]
        sums = [float((weight * value[rows]).sum()) for rows, weight in draws]
        unbiased(sums, value.sum())
        spread[mix] = np.std(sums)
    assert spread[0.0] < 0.6 * spread[1.0]
    # Priority sampling of k rows: at most sum / sqrt(k - 2) off, whatever the values (Szegedy 2006).
    assert spread[0.0] < value.sum() / math.sqrt(18)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 5))
def test_rows_and_weights(signal: list[float], k: int, seed: int) -> None:
    """All that can be drawn, up to k; weights of at least 1; the whole pool weighs 1 each; any order."""
    values = np.array(signal)
    some = int((shares(values, 0.0) > 0).sum())
    rows, weight = importance(values, k, mix=0, seed=seed)
    assert len(rows) == len(set(rows.tolist())) == min(k, some)
    assert (values[rows] > 0).all()
    assert (weight >= 1).all()
    assert k < some or (weight == 1).all()
    turned, keys = np.arange(len(values))[::-1], in_place(len(values))
    other, same = importance(values[turned], k, mix=0, seed=seed, keys=keys[turned])
    rows, weight = importance(values, k, mix=0, seed=seed, keys=keys)
    assert turned[other].tolist() == rows.tolist()
    assert np.array_equal(weight, same)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=25), st.integers(1, 80), st.integers(0, 50))
def test_the_weights_are_those_of_the_slow_definition(cost: list[int], budget: int, seed: int) -> None:
    """Left out in turn, each chosen record is replaced: the first that comes in bounds when it might have come."""
    n, costs = len(cost), np.array(cost)
    share = shares(np.arange(1.0, n + 1), 0.2)
    constraints = Constraints(Budget("tokens", budget), costs)
    pool = Pool(in_place(n), {"signal": np.arange(1.0, n + 1)})
    chosen = Importance(by="signal", mix=0.2).select(pool, constraints, seed)
    time, order = arrivals(share, pool.keys, seed, "importance")
    for row in chosen.rows.tolist():
        without = constraints.fill(order[order != row], n).rows
        new = np.setdiff1d(without, chosen.rows)
        until = time[new].min() if len(new) else np.inf
        assert chosen.weight[row] == pytest.approx(1 / min(1.0, share[row] * until))


def test_different_draws_are_those_of_the_method() -> None:
    rows, weight = importance(SIGNAL, 12, mix=0, seed=3, keys=in_place(N))
    same, weights = different(shares(SIGNAL, 0.0), 12, in_place(N), 3, "importance")
    assert rows.tolist() == same.tolist()
    assert np.array_equal(weight, weights)


def test_zeros_are_set_aside_and_what_was_seen_is_kept() -> None:
    pool = Pool(in_place(4), {"g": np.array([0.0, 1, np.nan, 2])})
    chosen = Importance(by="g", mix=0).select(pool, Constraints(Budget("rows", 4)))
    assert set(chosen.rows.tolist()) == {1, 3}
    assert chosen.reasons[chosen.reason[0]] == "importance: a value of 0 is never drawn"
    assert chosen.reasons[chosen.reason[2]] == "importance: no value (NaN)"
    assert set(Importance(by="g").select(pool, Constraints(Budget("rows", 4))).rows.tolist()) == {0, 1, 3}
    # Row 0 came up twice with 2 and 4: their mean. Row 2 did not: it keeps its 5.
    assert recorded([1.0, 1, 5], [0, 1, 0], [2.0, 7, 4]).tolist() == [3, 7, 5]
    assert importance([1e308, 1e308], 2, seed=1)[1].tolist() == [1, 1]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="at least 0, got -1 at record 1"):
        importance([1.0, -1.0], 1, keys=in_place(2))
    with pytest.raises(InputError, match="got inf at record 0"):
        importance([np.inf, 1.0], 1, keys=in_place(2))
    with pytest.raises(InputError, match="above 0 to draw by, got none among 2"):
        importance([0.0, np.nan], 1, mix=0, repeats=True)
    with pytest.raises(InputError, match="expected n numbers"):
        importance([[1.0]], 1)
    with pytest.raises(BudgetError, match="at least 1"):
        importance([1.0], 0)
    with pytest.raises(OptionError, match="mix"):
        importance([1.0], 1, mix=2)
    with pytest.raises(OptionError, match="without :asc"):
        Importance(by="g:asc")
