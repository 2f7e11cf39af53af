"""Arrays made into a pool, and the records of a pool that have a vector and a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as tried
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tamis.errors import BudgetError, InputError, OptionError, RecordError
from tamis.select.base import Pool
from tamis.select.given.arrays import choose, given, one_each, places
from tamis.select.given.embedded import Embedded
from tamis.select.importance import Importance
from tamis.select.kcenter import Kcenter
from tamis.select.top import Top


def test_rows_keep_their_numbers_in_canonical_order() -> None:
    """Keys (2, 0, 1) put row 1 first, then 2, then 0, each with its number; records go back to rows."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    keys = np.array([[0, 2], [0, 0], [0, 1]], np.uint64)
    found = given(x, keys, quality=[10, 20, 30], worth=None)
    assert found.pool.columns["vectors"].tolist() == [[0, 1], [1, 1], [1, 0]]
    assert found.pool.columns["quality"].tolist() == [20, 30, 10]
    assert set(found.pool.columns) == {"vectors", "quality"}
    assert found.back(np.array([0, 2])).tolist() == [1, 0]


@tried(arrays(np.float32, (7, 3), elements=st.floats(-1, 1, width=32)), st.permutations(range(7)))
def test_the_same_rows_whatever_their_order(x, order) -> None:
    """A permutation of the rows permutes the answer alone, as rows are named by what they hold."""
    x[:, 0] = np.arange(1, 8)  # all different, none zero
    rows, chosen = choose(Kcenter(), 3, x)
    again, other = choose(Kcenter(), 3, x[list(order)])
    assert x[rows].tolist() == x[list(order)][again].tolist()
    assert chosen.facts == other.facts


def test_without_vectors_rows_are_named_by_their_place() -> None:
    """Ties of a score go to the first row."""
    assert choose(Top(by="s"), 2, None, s=[1.0, 3.0, 3.0, 3.0])[0].tolist() == [1, 2]
    assert places(2).tolist() == [[0, 0], [0, 1]]


def test_bad_arrays_are_named() -> None:
    """What is not one number a row, no vectors, or no budget is told with what was expected."""
    x = np.eye(3)
    with pytest.raises(InputError, match=r"quality: expected 3 numbers, one a row, got an array of shape \(2,\)"):
        given(x, quality=[1, 2])
    with pytest.raises(InputError, match=r"quality: expected 3 numbers, one a row, got \['a'"):
        given(x, quality=["a", "b", "c"])
    with pytest.raises(InputError, match="expected n x d numbers"):
        given(np.zeros(3))
    with pytest.raises(InputError, match="keys: expected 3"):
        given(x, places(2))
    with pytest.raises(BudgetError):
        choose(Kcenter(), 0, x)
    assert one_each([1, 2], np.array([1, 0]), 2, "worth").tolist() == [2.0, 1.0]


def records() -> Pool:
    """Five records: the second has no vector, the third no quality, the fourth neither."""
    x = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [1, 1]], np.float32)
    return Pool(places(5), {"vectors": x, "edu": np.array([1.0, 2.0, np.nan, np.nan, 5.0])})


def test_who_has_a_vector_and_a_value() -> None:
    """Records 0 and 4 are in; the vector is the first reason to be set aside."""
    found = Embedded(records(), "near", {"quality": "edu"})
    assert found.rows.tolist() == [0, 4]
    assert len(found) == 2
    assert found.aside.tolist() == [-1, 0, 1, 0, -1]
    assert found.asides == ("near: no vector (all zeros)", "near: no quality (NaN)")
    assert found.x.tolist() == [[1, 0], [1, 1]]
    assert found.values("quality").tolist() == [1.0, 5.0]
    assert found.keys[:, 1].tolist() == [0, 4]
    assert found.among(np.array([4, 1, 0])).tolist() == [1, 0]
    found.score[found.rows] = 7
    ranking = found.ranking(found.rows[::-1], "near: close", {"a": 1})
    assert ranking.order.tolist() == [4, 0]
    assert np.isnan(ranking.score).tolist() == [False, True, True, True, False]
    assert ranking.facts == {"a": 1}


def test_some_are_in_without_their_values() -> None:
    """A must-keep record needs a vector, but no value."""
    found = Embedded(records(), "near", {"quality": "edu"}, besides=np.array([2, 3]))
    assert found.rows.tolist() == [0, 2, 4]
    assert np.isnan(found.values("quality")).tolist() == [False, True, False]


def test_all_have_a_vector() -> None:
    """Nothing is copied then, and a column that is missing is named."""
    pool = Pool(places(2), {"vectors": np.eye(2, dtype=np.float32)})
    assert Embedded(pool, "near").x is pool.columns["vectors"]
    with pytest.raises(OptionError, match="'near' needs the column 'edu'"):
        Embedded(pool, "near", {"quality": "edu"})


def test_a_value_that_cannot_be_used_is_told_by_its_row() -> None:
    """Whatever the order that keys put rows in."""
    keys = np.array([[0, 2], [0, 0], [0, 1]], np.uint64)
    with pytest.raises(RecordError, match=r"finite numbers of at least 0, got -5 at record 0\.$") as found:
        choose(Importance(by="s"), 2, None, keys=keys, s=[-5.0, 1.0, 2.0])
    assert str(found.value.told("in a.jsonl, line 7")).endswith("got -5 in a.jsonl, line 7.")
