"""SemDeDup: what goes is near to what stays, what stays is not near to any other that stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.semdedup import Deduplicated, Semdedup, semdedup
from tamis.vectors.kmeans import kmeans


def at(*degrees: float) -> np.ndarray:
    """Return vectors in the plane, of different lengths."""
    turn = np.radians(degrees)
    return (np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.arange(1, len(turn) + 1)[:, None]).astype(np.float32)


def pool_of(x: np.ndarray) -> Pool:
    return Pool(np.stack([np.zeros(len(x)), np.arange(len(x))], axis=1).astype(np.uint64), {"vectors": x})


def copies(n: int, width: int = 16, seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of which every third is a (noisy) copy of another, and which group each is of."""
    random = np.random.default_rng(seed)
    group = np.where(np.arange(n) % 3 == 2, random.integers(0, n, n), np.arange(n))
    group = group[group]
    return (random.normal(size=(n, width))[group] + noise * random.normal(size=(n, width))).astype(np.float32), group


def check(x: np.ndarray, found: Deduplicated, labels: np.ndarray) -> None:
    """What is promised, by brute force in float64."""
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    cosine = unit @ unit.T
    for row in np.flatnonzero(~found.kept):
        near = found.neighbour[row]
        assert found.kept[near]
        assert labels[near] == labels[row]
        assert np.isclose(cosine[row, near], found.similarity[row], atol=1e-5)
        assert found.similarity[row] > 1 - found.eps
    both = found.kept[:, None] & found.kept & (labels[:, None] == labels)
    np.fill_diagonal(both, False)
    assert (cosine[both] <= 1 - found.eps + 1e-5).all()


def test_worked_by_hand() -> None:
    """At 0, 10, 20 and 90 degrees, one cluster around 27: visited farthest first, 90, 0, 10, 20.

    With eps .02 (cosine above .98, 11.5 degrees): 90 and 0 stay; 10 goes, .985 from 0; 20 stays: it
    is .940 from 0, and 10, which is nearer, has gone. Nearest first: 20, 10, 0, 90: 10 goes, 0 stays.
    """
    x = at(0, 10, 20, 90)
    found = semdedup(x, 0.02, clusters=1)
    assert found.kept.tolist() == [True, False, True, True]
    assert found.neighbour.tolist() == [3, 0, 0, -1]
    assert np.allclose(found.similarity, [0, np.cos(np.radians(10)), np.cos(np.radians(20)), -1], atol=1e-6)
    easy = semdedup(x, 0.02, clusters=1, keep="easy")
    assert easy.kept.tolist() == [True, False, True, True]
    assert easy.neighbour.tolist() == [2, 2, -1, 2]
    assert semdedup(x, 0.1, clusters=1).kept.tolist() == [True, False, False, True]
    assert semdedup(x, 2, clusters=1).kept.sum() == 1


def test_of_exact_copies_one_stays() -> None:
    x, group = copies(900)
    found = semdedup(x, 1e-5, clusters=5)
    assert np.bincount(group[found.kept], minlength=900).max() == 1
    assert set(group[found.kept].tolist()) == set(group.tolist())
    assert (group[found.neighbour[~found.kept]] == group[~found.kept]).all()


@pytest.mark.parametrize("keep", ["hard", "easy", "random"])
@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
def test_promises_hold(keep: str, eps: float) -> None:
    x, _ = copies(1300, noise=0.1)
    labels = kmeans(x, 4, spherical=True).labels
    check(x, semdedup(x, eps, clusters=4, keep=keep), labels)


@given(st.integers(1, 40), st.integers(1, 3), st.floats(0.001, 1), st.integers(0, 99))
@settings(max_examples=60)
def test_equals_a_plain_loop(n: int, clusters: int, eps: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    cosine = unit @ unit.T
    assume(np.abs(cosine - (1 - eps)).min() > 1e-5)
    grouped = kmeans(x, clusters, spherical=True)
    assume(np.diff(np.sort(grouped.squared)).min(initial=1) > 1e-6)  # two of one cluster are as far from its centre
    stays: list[int] = []
    for row in np.argsort(-grouped.squared, kind="stable").tolist():
        if all(grouped.labels[i] != grouped.labels[row] or cosine[i, row] <= 1 - eps for i in stays):
            stays.append(row)
    assert np.flatnonzero(semdedup(x, eps, clusters=clusters).kept).tolist() == sorted(stays)


def test_order_does_not_matter() -> None:
    x, _ = copies(1100, noise=0.05)
    found = semdedup(x, 0.05, clusters=3)
    order = np.random.default_rng(3).permutation(len(x))
    again = semdedup(x[order], 0.05, clusters=3)
    assert (again.kept == found.kept[order]).all()
    assert (again.similarity == found.similarity[order]).all()
    gone = ~again.kept
    assert (order[again.neighbour[gone]] == found.neighbour[order][gone]).all()


def test_a_budget_finds_its_eps() -> None:
    """A third are noisy copies: a budget for the others leaves out those, and no more; a smaller one goes on."""
    x, group = copies(900, noise=0.02)
    distinct = len(set(group.tolist()))
    chosen = Semdedup(clusters=4).select(pool_of(x), Constraints(Budget("rows", distinct)))
    assert len(chosen) == distinct
    assert len(set(group[chosen.rows].tolist())) > 0.97 * distinct
    fewer = Semdedup(clusters=4).select(pool_of(x), Constraints(Budget("rows", 200)))
    assert len(fewer) == 200
    assert fewer.facts["eps"] > chosen.facts["eps"]
    stay = len(x) - fewer.facts["duplicates"]
    assert 200 <= stay <= 210


def test_every_removed_record_names_its_neighbour() -> None:
    x, _ = copies(300, noise=0.01)
    for method in (Semdedup(eps=0.01, clusters=2), Semdedup(clusters=2)):
        chosen = method.select(pool_of(x), Constraints(Budget("rows", 150)))
        assert chosen.neighbour is not None
        assert chosen.similarity is not None
        gone = np.array(["to a record that stays" in chosen.reasons[code] for code in chosen.reason])
        assert gone.sum() > 50
        assert (gone == (chosen.neighbour >= 0)).all()
        assert (gone == ~np.isnan(chosen.similarity)).all()
        assert not gone[chosen.rows].any()
        assert (chosen.similarity[gone] > 1 - chosen.facts["eps"]).all()


def test_a_given_eps_may_stay_below_the_budget() -> None:
    x = at(0, 0, 0, 90)
    method = Semdedup(eps=0.01, clusters=1)
    assert method.flags.at_most
    assert not Semdedup().flags.at_most
    assert len(method.select(pool_of(x), Constraints(Budget("rows", 4)))) == 2
    whole = Semdedup(clusters=1).select(pool_of(x), Constraints(Budget("rows", 3)))
    assert len(whole) == 3
    assert {3} < set(whole.rows.tolist())


def test_pins_come_before_duplicates() -> None:
    x = at(0, 0, 0, 90)
    keep, drop = np.array([True, True, False, False]), np.array([False, False, False, True])
    chosen = Semdedup(eps=0.01, clusters=1).select(pool_of(x), Constraints(Budget("rows", 4), keep=keep, drop=drop))
    assert {0, 1} <= set(chosen.rows.tolist())
    assert chosen.reasons[chosen.reason[3]] == "pinned: must drop"


def test_zeros_are_set_aside() -> None:
    x = at(0, 50, 90)
    x[1] = 0
    chosen = Semdedup().select(pool_of(x), Constraints(Budget("rows", 3)))
    assert chosen.reasons[chosen.reason[1]] == "semdedup: no vector (all zeros)"
    assert len(Semdedup().select(pool_of(0 * x), Constraints(Budget("rows", 3)))) == 0


def test_bad_input_is_answered() -> None:
    with pytest.raises(OptionError, match="eps: expected 0 to 2, got 3"):
        semdedup(at(0, 1), 3)
    with pytest.raises(OptionError, match="expected one of hard, easy, random, got 'best'"):
        semdedup(at(0, 1), 0.1, keep="best")
    x = at(0, 1, 2)
    x[1, 0] = np.inf
    with pytest.raises(InputError, match="expected finite numbers, got inf at record 1"):
        semdedup(x, 0.1)
