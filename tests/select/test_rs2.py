"""Fresh subsets for every round: each record in its turn, under every budget."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.rs2 import Rs2, rounds, rs2


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)


def test_by_hand() -> None:
    """Five records, two a round: rounds 1 and 2 take four; round 3 the fifth and the first of the next permutation.

    If the fifth itself is first there, the one after it comes, and the fifth waits its turn in that permutation.
    """
    for seed in range(20):
        first, second = (np.argsort(uniforms(in_place(5), salt(seed, f"rs2: pass {p}"))).tolist() for p in (0, 1))
        again = next(row for row in second if row != first[4])
        found = [rows.tolist() for rows in itertools.islice(rounds(5, 2, seed=seed), 5)]
        assert found[:3] == [first[:2], first[2:4], [first[4], again]]
        assert found[3] + found[4] == [row for row in second if row != again]


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 12), st.integers(0, 9))
def test_each_in_its_turn(n: int, k: int, count: int, seed: int) -> None:
    """After any round the numbers of times differ by at most one; after ceil(1/r) rounds all were seen."""
    seen = np.zeros(n, int)
    for at, rows in enumerate(itertools.islice(rounds(n, k, seed=seed), count)):
        assert len(set(rows.tolist())) == len(rows) == min(k, n)
        seen[rows] += 1
        assert seen.max() - seen.min() <= 1
        assert (at + 1) * k < n or seen.min() >= 1
    if n % k == 0 and count == n // k:
        assert (seen == 1).all()


def test_with_replacement_the_unseen_share_falls_as_a_power() -> None:
    """(1 - r)^t of 4,000 records are unseen after t rounds of r = 10 %."""
    seen = np.zeros(4000, bool)
    for t, rows in enumerate(itertools.islice(rounds(4000, 400, replacement=True, seed=1), 12), 1):
        seen[rows] = True
        share = 0.9**t
        assert abs((~seen).mean() - share) < 5 * np.sqrt(share * (1 - share) / 4000)
    assert not seen.all()


def test_the_command_gives_the_rounds_of_the_function() -> None:
    pool = Pool(in_place(50), {})
    for replacement in (False, True):
        found = list(itertools.islice(rounds(50, 8, replacement=replacement, seed=3), 15))
        for r in (1, 2, 7, 15):
            chosen = Rs2(round=r, replacement=replacement).select(pool, Constraints(Budget("rows", 8)), 3)
            assert chosen.rows.tolist() == found[r - 1].tolist()
            assert rs2(50, 8, r, replacement=replacement, seed=3).tolist() == found[r - 1].tolist()
    assert Rs2(round=6).select(pool, Constraints(Budget("rows", 8))).facts == {"round": 6, "seen": 48}
    assert Rs2(round=7).select(pool, Constraints(Budget("rows", 8))).facts == {"round": 7, "seen": 50}
    keys = np.random.default_rng(0).integers(0, 2**63, (50, 2), np.uint64)
    turned = np.random.default_rng(1).permutation(50)
    assert turned[rs2(keys[turned], 8, 9)].tolist() == rs2(keys, 8, 9).tolist()


def times(constraints: Constraints, n: int, count: int) -> NDArray[np.int64]:
    """Return in how many of `count` rounds each record is."""
    pool, out = Pool(in_place(n), {}), np.zeros(n, np.int64)
    for r in range(1, count + 1):
        out[Rs2(round=r).select(pool, constraints, 2).rows] += 1
    return out


def test_tokens_quotas_and_pins_in_turn() -> None:
    random = np.random.default_rng(0)
    cost = random.integers(1, 40, 60)
    cost[7] = 500  # never fits: the others go round all the same
    seen = times(Constraints(Budget("tokens", 200), cost), 60, 40)
    assert seen[7] == 0
    others = np.delete(seen, 7)
    assert others.min() >= 0.5 * others.mean()  # the short also fill what is left at the end of a round
    groups = {"s": Groups.of(np.array(list("aaaab") * 12))}
    keep, drop = np.arange(60) == 0, np.arange(60) == 1
    seen = times(Constraints(Budget("rows", 13), None, [Quota.parse("s=a<=50%")], groups, keep, drop), 60, 16)
    assert (seen[0], seen[1]) == (16, 0)
    for name in "ab":  # each group in its own turn, whatever its share
        inside = seen[2:][np.array(list("aaaab") * 12)[2:] == name]
        assert inside.max() - inside.min() <= 1


def test_the_released_wrap_loses_one() -> None:
    """(end + k) mod (n + 1) as released: of 10 records, 4 a round, round 3 has 3, one of which was there in round 1."""
    n, k, order = 10, 4, np.arange(10)
    start, end, found = 0, 4, [order[:4]]
    for _ in range(2):
        start, end = end, (end + k) % (n + 1)
        found.append(order[start:end] if start < end else np.concatenate([order[start:], order[:end]]))
    assert [len(rows) for rows in found] == [4, 4, 3]
    assert set(found[2].tolist()) & set(found[0].tolist()) == {0}
    ours = list(itertools.islice(rounds(n, k), 5))
    assert [len(rows) for rows in ours] == [4] * 5
    assert (np.bincount(np.concatenate(ours)) == 2).all()


def test_bad_input() -> None:
    with pytest.raises(BudgetError, match="round: expected a whole number of at least 1, got 0"):
        rs2(5, 2, 0)
    with pytest.raises(BudgetError, match="at least 1"):
        rounds(5, 0)
    with pytest.raises(InputError, match="at least 1, got none"):
        rounds(0, 2)
    with pytest.raises(InputError, match="uint64 n x 2, got float64"):
        rounds(np.zeros(3), 2)  # type: ignore[arg-type]
