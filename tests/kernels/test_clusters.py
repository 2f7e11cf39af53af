"""Buckets, the greedy pass, groups and exact pairs, each against a slow, plain version."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tamis.kernels.clusters import FIXED, FREE, PROBE, buckets, components, connect, exact_pairs, settle, unite

_sets = st.lists(st.sets(st.integers(0, 12), min_size=1, max_size=8), min_size=1, max_size=25)


def _flat(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, sets)])
    return np.array([x for s in sets for x in sorted(s)], np.uint64), offsets


def _jaccard(a: set[int], b: set[int]) -> float:
    return len(a & b) / len(a | b)


def _one_bucket(n: int) -> np.ndarray:
    return np.zeros((1, n), np.int32)


def _run(sets: list[set[int]], least: float, role: list[int] | None = None, limit: int = 100):
    values, offsets = _flat(sets)
    spans = np.stack([offsets[:-1], offsets[1:]], axis=1)
    parent = np.arange(len(sets), dtype=np.int32)
    roles = np.array(role or [FREE] * len(sets), np.uint8)
    bucket = _one_bucket(len(sets))
    neighbour, similarity, told = settle(bucket, 1, roles, values, spans, least, 0, limit, parent)
    connect(bucket, 1, values, spans, least, 0, neighbour, parent)
    return neighbour, similarity, told, components(parent)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_union_find(edges: list[tuple[int, int]]) -> None:
    """Groups are those that a search over the edges finds; each is called by its least member."""
    parent = np.arange(20, dtype=np.int32)
    for x, y in edges:
        unite(parent, x, y)
    near = {x: {x} for x in range(20)}
    for x, y in edges:
        near[x].add(y)
        near[y].add(x)
    for x, root in enumerate(components(parent).tolist()):
        reached, fresh = {x}, {x}
        while fresh:
            fresh = {z for y in fresh for z in near[y]} - reached
            reached |= fresh
        assert root == min(reached)


@given(st.lists(st.integers(0, 8), max_size=30))
def test_buckets_join_equal_hashes(hashes: list[int]) -> None:
    """Equal hashes share a number, a hash that occurs once has none, and the numbers are 0, 1, 2 ..."""
    found, count = buckets(np.array(hashes, np.uint64))
    for (h, f), (k, g) in itertools.combinations(zip(hashes, found.tolist(), strict=True), 2):
        assert (h == k) == (f == g and f >= 0)
    assert sorted(set(found.tolist()) - {-1}) == list(range(count))


@given(_sets, st.sampled_from([0.3, 0.5, 0.75, 1.0]))
def test_the_greedy_pass(sets: list[set[int]], least: float) -> None:
    """The pass is the definition: compared with all before it that stay, the most similar named."""
    neighbour, similarity, _, group = _run(sets, least)
    stay: list[int] = []
    for v, mine in enumerate(sets):
        near = max(((_jaccard(sets[u], mine), -u) for u in stay), default=(0.0, 0))
        if near[0] >= least:
            assert neighbour[v] == -near[1]
            assert similarity[v] == near[0]
        else:
            assert neighbour[v] == -1
            assert np.isnan(similarity[v])
            stay.append(v)
    edges = np.array([[_jaccard(a, b) >= least for b in sets] for a in sets])
    for _ in sets:
        edges = edges @ edges
    assert group.tolist() == [int(np.flatnonzero(row)[0]) for row in edges]


def test_pinned_and_probing_records() -> None:
    """A pinned record stays beside its like; a probe is found out but holds no other out."""
    neighbour, *_ = _run([{1, 2}, {1, 2}, {1, 2}], 0.5, [FIXED, FIXED, FREE])
    assert neighbour.tolist() == [-1, -1, 0]
    neighbour, *_ = _run([{1, 2}, {7}, {7}, {1, 2}], 0.5, [FIXED, PROBE, PROBE, PROBE])
    assert neighbour.tolist() == [-1, -1, -1, 0]


def test_the_limit_is_counted() -> None:
    """A record compared with as many as allowed is counted, and the smallest bucket comes first."""
    sets = [{i, 100} for i in range(10)] + [{3, 100}]
    values, offsets = _flat(sets)
    spans = np.stack([offsets[:-1], offsets[1:]], axis=1)
    crowded, rare = np.zeros(11, np.int32), np.full(11, -1, np.int32)
    rare[[3, 10]] = 1
    parent = np.arange(11, dtype=np.int32)
    neighbour, _, told = settle(np.stack([crowded, rare]), 2, np.zeros(11, np.uint8), values, spans, 0.9, 0, 2, parent)
    assert neighbour[10] == 3
    assert told[2] == 9  # all but the first two
    assert told[0] <= 2 * 11


def test_alike_records_are_not_compared_all_with_all() -> None:
    """A group of n copies takes n - 1 comparisons, and connecting it none."""
    _, _, told, group = _run([{1, 2, 3}] * 500, 0.8)
    assert told.tolist() == [499, 499, 0]
    assert (group == 0).all()


@given(_sets, st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_exact_pairs(sets: list[set[int]], least: float) -> None:
    """All pairs at or above the threshold, and no other."""
    pairs, similarity, complete = exact_pairs(*_flat(sets), least)
    expected = {
        (i, j): _jaccard(sets[i], sets[j])
        for i, j in itertools.combinations(range(len(sets)), 2)
        if _jaccard(sets[i], sets[j]) >= least
    }
    assert complete
    assert dict(zip(map(tuple, pairs.tolist()), similarity.tolist(), strict=True)) == expected
    assert pairs.tolist() == sorted(pairs.tolist())


def test_exact_pairs_stop_at_their_limit() -> None:
    """Too many pairs are answered by saying so."""
    pairs, _, complete = exact_pairs(*_flat([{1, 2, 3}] * 40), 0.8, limit=100)
    assert not complete
    assert len(pairs) == 100
