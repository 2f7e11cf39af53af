"""Threads over fragments: order, bounds and errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.engine import Local


@settings(max_examples=20)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 5), st.integers(1, 8))
def test_map_keeps_the_order(values: list[int], threads: int, in_flight: int) -> None:
    assert list(Local(threads, in_flight).map(lambda value: value + 1, values)) == [value + 1 for value in values]


def test_map_draws_no_more_than_is_in_flight() -> None:
    """Memory is bounded: a task is drawn only when one of those before has been handed over."""
    drawn = 0

    def tasks() -> Iterator[int]:
        nonlocal drawn
        for i in range(20):
            drawn += 1
            yield i

    taken = 0
    for _ in Local(2, 3).map(lambda i: i, tasks()):
        taken += 1
        assert drawn - taken <= 3
    assert taken == 20


def test_map_raises_the_first_error_in_order() -> None:
    def work(i: int) -> int:
        if i >= 3:
            time.sleep(0.05 * (i == 3))
            raise ValueError(i)
        return i

    found = []
    with pytest.raises(ValueError, match="3"):
        found.extend(Local(4).map(work, range(10)))
    for value in Local(4).map(work, range(3)):
        found.append(value)
    assert found[-3:] == [0, 1, 2]


def test_map_may_be_left_early() -> None:
    """Whoever stops asking leaves no thread behind."""
    before = threading.active_count()
    for value in Local(3).map(lambda i: i, range(100)):
        if value == 5:
            break
    assert threading.active_count() <= before + 1


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=5), st.integers(1, 4))
def test_unordered_runs_everything_once(streams: list[list[int]], threads: int) -> None:
    found = list(Local(threads).unordered(lambda value: value, [iter(stream) for stream in streams]))
    assert sorted(found) == sorted(value for stream in streams for value in stream)


def test_unordered_draws_a_stream_by_one_worker_at_a_time() -> None:
    """A stream is never entered twice at once, though workers share it; its tasks run side by side."""
    inside = threading.Lock()
    most = running = 0
    count = threading.Lock()

    def stream() -> Iterator[int]:
        for i in range(12):
            assert inside.acquire(blocking=False)
            time.sleep(0.001)
            inside.release()
            yield i

    def work(i: int) -> int:
        nonlocal most, running
        with count:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with count:
            running -= 1
        return i

    assert sorted(Local(3).unordered(work, [stream()])) == list(range(12))
    assert 2 <= most <= 3


def test_unordered_errors() -> None:
    """An error in a task or in a stream is raised, and the workers end."""
    before = threading.active_count()

    def bad() -> Iterator[int]:
        yield 1
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        list(Local(3).unordered(lambda i: i, [iter([1, 2]), bad(), iter([3])]))
    with pytest.raises(ZeroDivisionError):
        list(Local(3).unordered(lambda i: 1 // i, [iter([1, 0, 1]), iter([1])]))
    assert threading.active_count() == before


def test_unordered_may_be_left_early() -> None:
    before = threading.active_count()
    results = Local(3).unordered(lambda i: i, [iter(range(1000)), iter(range(1000))])
    assert next(results) >= 0
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_unordered_of_nothing() -> None:
    assert list(Local(2).unordered(lambda i: i, [])) == []
    assert list(Local(2).unordered(lambda i: i, [iter([]), iter([])])) == []
