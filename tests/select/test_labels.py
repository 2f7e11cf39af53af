"""Label sets: the same from any shape, as plain sets have it; cleaned, taken, told apart from other columns."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.given.labels import Labels

NAMES = st.text("abA é", max_size=3)
SETS = st.lists(st.lists(NAMES, max_size=4), max_size=12)


def sets_of(labels: Labels) -> list[set[str]]:
    parts = np.split(labels.codes, labels.offsets[1:-1]) if len(labels) else []
    assert all((np.diff(part) > 0).all() for part in parts)
    return [{labels.names[code] for code in part} for part in parts]


def plain(values: list[list[str]]) -> list[set[str]]:
    return [{name.strip() for name in one} - {""} for one in values]


@given(SETS)
def test_any_shape_gives_the_sets(values: list[list[str]]) -> None:
    """Lists, objects, Arrow lists, dictionaries, texts with a separator, JSON."""
    expected = plain(values)
    shapes = [
        values,
        [[{"tag": name, "explanation": None} for name in one] for one in values],
        [json.dumps(one) for one in values],
        ["|".join(one) for one in values],
        pa.array(values, pa.list_(pa.string())),
        pa.array(values, pa.large_list(pa.dictionary(pa.int32(), pa.string()))),
        pa.array([[{"tag": name} for name in one] for one in values], pa.list_(pa.struct([("tag", pa.string())]))),
        pa.chunked_array([pa.array(["|".join(one) for one in values], pa.string())]),
    ]
    for shape in shapes:
        labels = Labels.of(shape, "|")
        assert sets_of(labels) == expected
        assert list(labels.names) == sorted(set().union(*expected))
        assert labels.sizes().tolist() == [len(one) for one in expected]
        assert labels.counts().tolist() == [sum(name in one for one in expected) for name in labels.names]


@given(SETS, st.integers(1, 3), st.booleans(), st.randoms())
def test_cleaned_and_taken(values: list[list[str]], minimum: int, lower: bool, random: st.DataObject) -> None:
    expected = [{name.lower() if lower else name for name in one} for one in plain(values)]
    often = [name for name in set().union(*expected) if sum(name in one for one in expected) >= minimum]
    labels = Labels.of(values).cleaned(lower=lower, minimum=minimum)
    assert sets_of(labels) == [one & set(often) for one in expected]
    rows = [random.randrange(len(values)) for _ in values]  # type: ignore[attr-defined]
    taken = labels.take(np.array(rows, np.int64))
    assert sets_of(taken) == [sets_of(labels)[row] for row in rows]
    assert set(taken.names) == set().union(*sets_of(taken))


def test_nulls_are_no_labels() -> None:
    assert sets_of(Labels.of([None, ["a", None], [], float("nan"), "a,,b"])) == [set(), {"a"}, set(), set(), {"a", "b"}]
    assert sets_of(Labels.of(pa.nulls(2))) == [set(), set()]
    assert sets_of(Labels.of(pa.array([None, ["a", None]]))) == [set(), {"a"}]
    assert sets_of(Labels.of(["[not JSON, but a text"])) == [{"[not JSON", "but a text"}]


def test_something_else_is_told() -> None:
    with pytest.raises(InputError, match=r"labels: expected a list of texts.*got 1.5 at record 1"):
        Labels.of([["a"], 1.5])
    with pytest.raises(InputError, match=r"got \[1, 2\] at record 0"):
        Labels.of(pa.array([[1, 2]]))
    with pytest.raises(InputError, match=r"got int64"):
        Labels.of(pa.array([1, 2]))
    with pytest.raises(InputError, match=r"got \[\{'name': 'a'\}\] at record 0"):
        Labels.of([[{"name": "a"}]])


def test_a_pool_keeps_them_apart() -> None:
    keys = np.array([[2, 0], [1, 0]], np.uint64)
    pool, _ = Pool.build(keys, {"tags": Labels.of([["a"], ["b", "c"]]), "score": np.arange(2)})
    assert sets_of(pool.labels("tags", "x")) == [{"b", "c"}, {"a"}]
    for asks in (pool.numbers, pool.groups, pool.vectors):
        with pytest.raises(OptionError, match=r"method 'x', column 'tags': expected"):
            asks("tags", "x")
    with pytest.raises(InputError, match=r"method 'x', column 'score': expected .* got 1 at record 0"):
        pool.labels("score", "x")
