"""Features of records, and what records would add to concave sums of them."""

from __future__ import annotations

import numpy as np
import pytest

from tamis.errors import InputError
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.gain.amounts import Source, counts, numbers
from tamis.select.gain.concave import PHI, Concave, Sums, grow

WRITTEN = {"sqrt": np.sqrt, "log": np.log1p, "saturating": lambda c: c / (1 + c)}


def test_counts_by_hand() -> None:
    """Lists (3, 1, 3), () and (2): once each, those that occur once first."""
    found = counts(np.array([3, 1, 3, 2], np.uint16), np.array([0, 3, 3, 4]), 4)
    assert found.at.tolist() == [1, 3, 2]
    assert found.amount.tolist() == [1, 2, 1]
    assert found.offsets.tolist() == [0, 2, 2, 3]
    assert found.more.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="expected buckets below 3, got 3"):
        counts(np.array([3], np.uint16), np.array([0, 1]), 3)


@pytest.mark.parametrize("phi", PHI)
@pytest.mark.parametrize("d", [1, 7, 32])
def test_gains_are_differences_of_the_objective(phi: str, d: int) -> None:
    """Of numbers with their signs, and of the same amounts as counts."""
    random = np.random.default_rng(d)
    x = random.poisson(0.8, (30, d)).astype(np.float32)
    weights = random.gamma(1, 1, d)
    lists = [np.repeat(np.arange(d), row.astype(int)) for row in x]
    offsets = np.cumsum([0, *map(len, lists)])
    listed = counts(np.concatenate(lists).astype(np.uint16), offsets, d)
    dense, sparse = Sums.of(np.tile(weights, (2, 1)), phi), Sums.of(weights[None], phi)
    signed = np.where(np.arange(30)[:, None] % 2, x, -x)
    states = (Concave(numbers(signed), dense), Concave(listed, sparse))
    there = np.zeros((2, d))
    for step in range(12):
        by_sign = np.stack([np.maximum(signed, 0), np.maximum(-signed, 0)], axis=1)
        after, before = WRITTEN[phi](there + by_sign), WRITTEN[phi](there)
        assert states[0].gains(np.arange(30)) == pytest.approx((weights * (after - before)).sum(axis=(1, 2)), abs=1e-12)
        both = there.sum(axis=0)
        one_way = (weights * (WRITTEN[phi](both + x) - WRITTEN[phi](both))).sum(axis=1)
        assert states[1].gains(np.arange(30)) == pytest.approx(one_way, abs=1e-12)
        there += by_sign[step]
        for state in states:
            state.add(step)
    assert dense.objective() == pytest.approx(float((weights * WRITTEN[phi](there)).sum()))
    assert dense.sums.sum() == sparse.sums.sum() == x[:12].sum()
    again = Sums.of(weights[None], phi)
    again.take(counts(listed.at[:0], np.zeros(1, np.int64), d))
    assert again.objective() == 0


def test_equal_records_are_taken_in_their_order() -> None:
    """Gains that are equal but for rounding do not hide one another: as plainly, the first of the highest."""
    x = np.tile(np.random.default_rng(0).gamma(1, 1, (5, 9)).astype(np.float32), (8, 1))
    state = Concave(numbers(x), Sums.of(np.ones((2, 9)), "sqrt"))
    plain, picks = Concave(numbers(x), Sums.of(np.ones((2, 9)), "sqrt")), []
    for _ in range(40):
        gains = plain.gains(np.arange(40))
        gains[picks] = -np.inf
        picks.append(int(np.argmax(gains)))
        plain.add(picks[-1])
    filling = Constraints(Budget("rows", 40)).open(40)
    taken, score = grow(state, filling, np.arange(40), np.ones(40))
    assert taken.tolist() == picks
    assert (np.diff(score[taken]) <= 1e-12).all()


def test_no_more_than_wanted() -> None:
    x = np.eye(6, dtype=np.float32)
    state = Concave(numbers(x), Sums.of(np.ones((2, 6)), "log"))
    taken, _ = grow(state, Constraints(Budget("rows", 5)).open(6), np.arange(6), np.ones(6), most=2)
    assert taken.tolist() == [0, 1]


def test_records_without_features() -> None:
    source = Source.of_vectors(np.array([[0, 0], [1, 0]], np.float32))
    assert source.sizes.tolist() == [0, 2]
    none = Concave(source.read(np.zeros(0, np.int64)), Sums.of(source.weights, "sqrt"))
    assert len(none) == 0
    assert none.gains(np.zeros(0, np.int64)).tolist() == []
