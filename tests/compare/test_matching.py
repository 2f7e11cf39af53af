"""The records of a selection are found in the pool, each as often as it is there."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.compare.matching import found_in, match
from tamis.corpus.corpus import Corpus, Settings
from tamis.corpus.objects import chunks_of
from tamis.corpus.sources import from_chunks
from tamis.corpus.store import Store
from tamis.errors import InputError

KEYS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=12)


def keys(found: list[tuple[int, int]]) -> np.ndarray:
    return np.array(found, np.uint64).reshape(-1, 2)


def test_match_by_hand() -> None:
    pool = keys([(1, 1), (2, 2), (1, 1), (3, 3)])
    wanted = keys([(3, 3), (1, 1), (4, 4), (1, 1), (1, 1)])
    assert match(pool, wanted).tolist() == [3, 0, -1, 2, -1]


@given(KEYS, KEYS)
def test_match_takes_copies_in_order(pool: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    left: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, key in enumerate(pool):
        left[key].append(place)
    expected = [left[key].pop(0) if left[key] else -1 for key in wanted]
    assert match(keys(pool), keys(wanted)).tolist() == expected


def corpus(store: Store, records: list[dict[str, object]], **settings: str) -> Corpus:
    made = Corpus([from_chunks("<records>", chunks_of(records))], store, Settings(**settings))
    made.scan()
    return made


def test_other_keys_are_found_by_text() -> None:
    """Records with a member more have other keys; two of one text are two records."""
    with closing(Store(Path("store"), "test")) as store:
        pool = corpus(store, [{"text": word} for word in ("a", "b", "c", "b", "d")])
        same = corpus(store, [{"text": "d"}, {"text": "b"}])
        assert [rows.tolist() for rows, _ in [found_in(pool, same)]] == [[1, 4]]
        noted = corpus(store, [{"text": "b", "more": 1}, {"text": "b", "more": 2}, {"text": "d"}])
        rows, by_text = found_in(pool, noted)
        assert (rows.tolist(), by_text) == ([1, 3, 4], 2)


def test_ids_find_records_whatever_else_changed() -> None:
    with closing(Store(Path("store"), "test")) as store:
        pool = corpus(store, [{"n": f"r{i}", "text": f"text {i}"} for i in range(4)], id_field="n")
        chosen = corpus(store, [{"n": "r2", "text": "said otherwise"}], id_field="n")
        assert found_in(pool, chosen)[0].tolist() == [2]


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([{"text": "a"}, {"text": "a"}], "1 of 2 records of the selection are not in the pool, or not so often"),
        ([{"text": "a"}, {"text": "z"}], r"1 of 2 .* The first: <records>, line 2\. Expected --against"),
        ([{"text": "a"}, {"text": ""}], "selection: 1 of 2 records cannot be used. The first: <records>, line 2"),
    ],
)
def test_what_is_not_there_is_told(records: list[dict[str, object]], told: str) -> None:
    with closing(Store(Path("store"), "test")) as store:
        pool = corpus(store, [{"text": "a"}, {"text": "b"}])
        chosen = corpus(store, records)
        with pytest.raises(InputError, match=told):
            found_in(pool, chosen)
