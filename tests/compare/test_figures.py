"""The measures, by hand and by brute force."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.compare.figures import (
    coverage,
    imbalance,
    median_of,
    near_duplicates,
    nearest,
    surprise,
    target_distance,
    variety,
)
from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.measure.divergence import SMOOTHING, counts_in
from tamis.measure.diversity import vendi
from tamis.signals.language_model import train

ENGINE = Local(1)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def text(*texts: str) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def test_target_distance_by_hand() -> None:
    """Records with the buckets (0, 0), (1), (0, 1) in two fragments; the target has bucket 0 alone."""
    parts = [
        (0, np.array([0, 0, 1], np.uint16), np.array([0, 2, 3], np.int64)),
        (2, np.array([0, 1], np.uint16), np.array([0, 2], np.int64)),
    ]
    found = target_distance(np.array([7, 0]), parts, [rows(0), rows(1), rows(0, 2), rows()])
    log = math.log
    assert found[0] == pytest.approx(0.0)
    assert found[1] == pytest.approx(log(1 + SMOOTHING) - log(SMOOTHING))
    assert found[2] == pytest.approx(log(1 + SMOOTHING) - log(0.75 + SMOOTHING))
    assert math.isnan(found[3])


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=12), st.integers(1, 5), st.data())
def test_counts_do_not_depend_on_fragments(records: list[list[int]], size: int, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sets(st.integers(0, len(records) - 1)), min_size=1, max_size=3))
    parts = []
    for first in range(0, len(records), size):
        some = records[first : first + size]
        offsets = np.cumsum([0, *map(len, some)]).astype(np.int64)
        parts.append((first, np.array([v for one in some for v in one], np.uint16), offsets))
    sets = [np.array(sorted(one), np.int64) for one in wanted]
    expected = [np.bincount([v for r in sorted(one) for v in records[r]], minlength=6) for one in wanted]
    assert counts_in(parts, sets, 6).tolist() == [one.tolist() for one in expected]


def test_surprise_is_that_of_the_model_and_leaves_out_what_is_asked() -> None:
    pool = text("the cat sat", "the dog ran", "a bird flew", "the cat sat", "")
    asked = text("the dog sat", "a bird flew")
    found = surprise(pool, [rows(0, 1), rows(0, 1, 2), rows(1, 0, 4), rows(2), rows(4)], asked)
    bits = train([(pool, rows(0, 1))]).score(asked).bits.sum()
    assert found[0] == pytest.approx(bits / 22)
    assert found[1] == found[0]  # "a bird flew" is asked: nobody learns from it
    assert found[2] == found[0]
    assert math.isnan(found[3])
    assert math.isnan(found[4])
    assert math.isnan(surprise(pool, [rows(0)], text(""))[0])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_nearest_is_that_of_all_pairs(m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked, chosen = rng.normal(size=(m, 5)), rng.normal(size=(k, 5))
    chosen[0] = asked[0] * 3
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, chosen)]
    found = nearest(asked, chosen, ENGINE)
    assert np.allclose(found, (1 - unit[0] @ unit[1].T).min(axis=1), atol=1e-5)
    assert found[0] == 0


def test_nearest_over_several_tiles() -> None:
    rng = np.random.default_rng(2)
    asked, chosen = rng.normal(size=(1500, 3)).astype(np.float32), rng.normal(size=(2100, 3)).astype(np.float32)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, chosen)]
    one, two = nearest(asked, chosen, ENGINE), nearest(asked, chosen, Local(2))
    assert np.allclose(one, (1 - unit[0] @ unit[1].T).min(axis=1), atol=1e-5)
    assert one.tobytes() == two.tobytes()


def test_coverage_by_hand() -> None:
    """Four directions in the plane, 90 degrees apart, and a record without a vector."""
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]], np.float32)
    found, radius = coverage(vectors, rows(0, 1, 2, 3, 4), [rows(0), rows(0, 2, 4)], rows(1), ENGINE)
    assert radius == pytest.approx(1.0)  # distances of the four to the second: 1, 0, 1, 2
    assert found["coverage"] == [0.75, 1.0]
    assert found["nearest"] == pytest.approx([1.0, 0.5])
    assert found["radius"] == pytest.approx([2.0, 1.0])
    assert coverage(vectors, rows(0), [rows(4)], rows(1), ENGINE)[0] == {}


def test_variety_leaves_out_records_without_a_vector() -> None:
    vectors = np.array([[1, 0], [0, 0], [0, 2]], np.float32)
    found = variety(vectors, [rows(0, 1, 2), rows(0, 1), rows(1)])
    assert found[:2] == pytest.approx([vendi(vectors[[0, 2]]), 1.0])
    assert math.isnan(found[2])


@given(st.lists(st.sets(st.integers(0, 12), max_size=8), min_size=1, max_size=14), st.sampled_from([0.3, 0.5, 0.8]))
def test_near_duplicates_are_those_of_all_pairs(records: list[set[int]], least: float) -> None:
    ends = np.cumsum([0, *map(len, records)])
    values = np.array([v for one in records for v in sorted(one)], np.uint64)
    spans = np.stack([ends[:-1], ends[1:]], axis=1).astype(np.int64)

    def alike(i: int, j: int) -> bool:
        return bool(records[i]) and len(records[i] & records[j]) / len(records[i] | records[j]) >= least

    half = list(range(0, len(records), 2))
    sets = [list(range(len(records))), half]
    expected = [sum(any(i != j and alike(i, j) for j in one) for i in one) / len(one) for one in sets]
    together = np.zeros(len(records), np.int64)
    assert near_duplicates(together, values, spans, [rows(*one) for one in sets], least) == pytest.approx(expected)
    assert near_duplicates(together - 1, values, spans, [rows(*half)], least) == [0.0]
    apart = np.arange(len(records), dtype=np.int64)
    assert near_duplicates(apart, values, spans, [rows(*half)], least) == [0.0]


def test_imbalance_by_hand() -> None:
    """A pool of 2 to 2: all of one kind is half away, 3 to 1 a quarter."""
    codes = np.array([0, 0, 1, 1], np.int32)
    found = imbalance(codes, rows(0, 1, 2, 3), [rows(0, 1), rows(0, 2), rows(0, 0, 1, 2), rows()])
    assert found[:3] == pytest.approx([0.5, 0.0, 0.25])
    assert math.isnan(found[3])


def test_median_by_hand() -> None:
    assert median_of(np.array([5, 1, 3]), [rows(0, 1, 2), rows(0, 2)]) == [3.0, 4.0]
    assert math.isnan(median_of(np.array([5]), [rows()])[0])
