"""Committees: by hand, the best of all sets under quotas, diminishing returns, and what quotas undo."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.given.judges import points
from tamis.select.multiwinner import Multiwinner, committee, multiwinner


def grouped(k: int, codes: NDArray[np.int32], *quotas: str) -> Constraints:
    groups = Groups(codes.astype(np.int32), tuple(str(i) for i in range(int(codes.max()) + 1)))
    return Constraints(Budget("rows", k), None, [Quota.parse(q) for q in quotas], {"g": groups})


SCORES = np.array([[5.0, 1.0, 3.0], [4.0, 4.0, 4.0], [3.0, 2.0, 5.0], [2.0, 5.0, 1.0], [1.0, 3.0, 2.0]])
"""Five records, three judges, ranks 1 to 5 as 5 to 1: points are score - 1."""


def test_by_hand() -> None:
    """Points: (4, 0, 2), (3, 3, 3), (2, 1, 4), (1, 4, 0), (0, 2, 1); sums 6, 9, 7, 5, 3.

    borda: 1, 2, 0. sntv: 0, 2 and 3 have one first place each, by sums 2, 0, 3; then 1. cc: 1 adds 9; then 0, 2
    and 3 add 1 each, by sums 2, 0, 3. cc with best=2: after 1 every other adds its whole sum: 2 (7), and then, over
    the second best (2, 1, 3), 0 adds 2 and 3 adds 3.
    """
    assert points(SCORES).tolist() == (2 * (SCORES - 1)).astype(int).tolist()
    assert multiwinner(SCORES, 3).tolist() == [1, 2, 0]
    assert multiwinner(SCORES, 4, rule="sntv").tolist() == [2, 0, 3, 1]
    assert multiwinner(SCORES, 4, rule="cc").tolist() == [1, 2, 0, 3]
    assert multiwinner(SCORES, 3, rule="cc", best=2).tolist() == [1, 2, 3]
    assert multiwinner(SCORES, 3, rule="sntv", top=2).tolist() == [1, 2, 0]  # in the top two: 3, 1, 1, 1, 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 9), st.integers(1, 4), st.sampled_from(["borda", "sntv"]), st.booleans())
def test_separable_scores_are_the_highest_under_quotas(seed: int, n: int, m: int, rule: str, capped: bool) -> None:
    """Every set that holds a floor on one group and a cap on another is tried."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, (n, m)).astype(float)
    codes, k = random.integers(0, 3, n).astype(np.int32), int(random.integers(1, n + 1))
    there = np.bincount(codes, minlength=3)
    floor = int(min(there[0], k) * random.random())
    cap = int(max(k - there[0] - there[1], there[2] * random.random())) if capped else n
    top = int(random.integers(1, n))
    limits = grouped(k, np.append(codes, 2)[:n], f"g=0>={floor}", f"g=2<={cap}")
    rows = multiwinner(scores, k, rule=rule, top=top, constraints=limits)
    each = points(scores)
    sound = [
        committee(each, np.array(s), rule=rule, top=top)
        for s in itertools.combinations(range(n), k)
        if (codes[list(s)] == 0).sum() >= floor and (codes[list(s)] == 2).sum() <= cap
    ]
    assert len(rows) == k
    assert committee(each, rows, rule=rule, top=top) == max(sound)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 5), st.integers(1, 3))
def test_greedy_is_within_its_bound_of_the_best(seed: int, n: int, m: int, best: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 8, (n, m)).astype(float)
    each, k = points(scores), int(random.integers(1, min(n, 5) + 1))
    value = committee(each, multiwinner(scores, k, rule="cc", best=best), rule="cc", best=best)
    all_sets = [np.array(s) for s in itertools.combinations(range(n), k)]
    assert value >= (1 - 1 / np.e) * max(committee(each, s, rule="cc", best=best) for s in all_sets)
    codes = np.arange(n, dtype=np.int32) % 2
    rows = multiwinner(scores, k, rule="cc", best=best, constraints=grouped(k, codes, f"g=1>={k // 2}"))
    held = [s for s in all_sets if (codes[s] == 1).sum() >= k // 2]
    assert (codes[rows] == 1).sum() >= k // 2
    assert (
        committee(each, rows, rule="cc", best=best) >= max(committee(each, s, rule="cc", best=best) for s in held) / 2
    )


def test_the_greedy_steps_are_those_of_evaluating_every_set() -> None:
    random = np.random.default_rng(3)
    for best in (1, 2, 5):
        scores = random.permutation(np.arange(400.0)).reshape(100, 4)
        each, picks = points(scores), []
        while len(picks) < 12:
            made = [
                (committee(each, np.array([*picks, i]), rule="cc", best=best), each[i].sum(), -i)
                if i not in picks
                else (-1, 0, 0)
                for i in range(100)
            ]
            picks.append(max(range(100), key=made.__getitem__))
        assert multiwinner(scores, 12, rule="cc", best=best).tolist() == picks


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_cc_is_monotone_with_diminishing_returns(seed: int, best: int) -> None:
    """S within T, x outside T: what x adds to S is at least what it adds to T, and that is at least 0."""
    random = np.random.default_rng(seed)
    each = points(random.integers(0, 9, (12, 3)).astype(float))
    order = random.permutation(12)
    small, large = order[: random.integers(0, 5)], order[: random.integers(5, 11)]
    x = order[11:]

    def adds(s: NDArray[np.int64]) -> int:
        return committee(each, np.concatenate([s, x]), rule="cc", best=best) - committee(each, s, rule="cc", best=best)

    assert adds(small) >= adds(large) >= 0


def test_as_many_best_as_are_chosen_is_borda() -> None:
    scores = np.random.default_rng(5).normal(size=(80, 3))
    assert multiwinner(scores, 9, rule="cc", best=9).tolist() == multiwinner(scores, 9).tolist()


def elected(theta: float, rule: str, floor: bool, seed: int) -> float:
    """Return the true mean worth of 60 of 300 records, every second of which is seen `theta` times its worth."""
    random = np.random.default_rng(seed)
    worth = np.repeat(random.uniform(1, 2, 150), 2)  # twins, one in each group: the fair choice is half and half
    group = np.tile(np.array([0, 1], np.int32), 150)
    seen = worth[:, None] * random.uniform(0.9, 1.1, (300, 25)) * np.where(group == 1, theta, 1.0)[:, None]
    limits = grouped(60, group, *(["g=1>=50%"] if floor else []))
    return float(worth[multiwinner(seen, 60, rule=rule, top=60, best=12, constraints=limits)].mean())


@pytest.mark.parametrize("rule", ["borda", "sntv", "cc"])
def test_quotas_undo_the_bias_of_judges(rule: str) -> None:
    """Judges see group 1 at theta times its worth: the lower, the more a floor of one half gains; at 1 nothing."""
    gained = [
        np.mean([elected(theta, rule, True, s) - elected(theta, rule, False, s) for s in range(8)])
        for theta in (1.0, 0.85, 0.5)
    ]
    assert abs(gained[0]) < 0.01
    assert gained[0] < gained[1] < gained[2]
    assert gained[2] > 0.08
    fair = np.mean([elected(1.0, rule, False, s) for s in range(8)])
    biased = np.mean([elected(0.5, rule, True, s) for s in range(8)])
    assert biased > fair - 0.02  # what an unbiased election would have chosen


def test_pins_facts_and_reasons() -> None:
    keys = np.stack([np.arange(5, dtype=np.uint64)] * 2, axis=1)
    columns = {f"j{i}": SCORES[:, i].copy() for i in range(3)}
    columns["j0"][4] = np.nan
    pool = Pool(keys, columns)
    keep = np.array([False, False, False, True, False])
    method = Multiwinner(signals="j0,j1,j2", rule="cc")
    chosen = method.select(pool, Constraints(Budget("rows", 3), keep=keep))
    # Points of the four rated: (3, 0, 1), (2, 2, 2), (1, 1, 3), (0, 3, 0). With 3 in all others add 4, and 1 has
    # the largest sum; then 0 and 2 add 1 each, of sums 4 and 5.
    assert chosen.rows.tolist() == [3, 1, 2]
    assert chosen.score[[1, 2]].tolist() == pytest.approx([4 / 9, 1 / 9])
    assert chosen.facts["score"] == 2 + 3 + 3
    assert chosen.facts["judges"]["j0"] == pytest.approx(1 / 3, abs=1e-6)
    assert chosen.reasons[chosen.reason[4]] == "multiwinner: lacks a signal (NaN)"
    assert method.operations() == 2 * 4 * 3


def test_bad_input_is_answered() -> None:
    with pytest.raises(OptionError, match="expected different names"):
        Multiwinner(signals="a,a")
    with pytest.raises(OptionError, match="rule"):
        multiwinner(SCORES, 2, rule="stv")
    with pytest.raises(OptionError, match="best"):
        multiwinner(SCORES, 2, rule="cc", best=0)
    with pytest.raises(InputError, match="n x m"):
        multiwinner([1.0, 2.0], 1)
    with pytest.raises(BudgetError):
        multiwinner(SCORES, 0)
