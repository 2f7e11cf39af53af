"""InsTag: by hand, the plain passes, what the first pass covers, what quotas and pins do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import tamis
from data import real
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.given.labels import Labels
from tamis.select.instag import Instag, instag

SETS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=5), min_size=1, max_size=40)


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def pool_of(tags: list[list[str]]) -> Pool:
    return Pool(keys(len(tags)), {"tags": Labels.of(tags)})


def plain(tags: list[list[str]], k: int) -> list[int]:
    """The published loop: pass after pass over all records, each with an empty set."""
    order = sorted(range(len(tags)), key=lambda i: -len(set(tags[i])))
    picks: list[int] = []
    while len(picks) < k:
        covered: set[str] = set()
        before = len(picks)
        for row in order:
            if len(picks) < k and row not in picks and set(tags[row]) - covered:
                picks.append(row)
                covered |= set(tags[row])
        if len(picks) == before:  # what is left has no tags
            picks += [row for row in order if row not in picks][: k - before]
            break
    return picks


def test_by_hand() -> None:
    """Tags: 0 {a, b}, 1 {a, b, c}, 2 {c}, 3 {d}, 4 {b, c}, 5 none. Order by number: 1, 0, 4, 2, 3, 5.

    First pass: 1 (a, b, c); 0, 4 and 2 add nothing; 3 (d). Second: 0 (a, b), 4 adds c; 2 nothing. Third: 2. Then 5.
    """
    tags = [["a", "b"], ["a", "b", "c"], ["c"], ["d"], ["b", "c"], []]
    assert instag(tags, 6).tolist() == [1, 3, 0, 4, 2, 5]
    chosen = Instag(tags="tags").select(pool_of(tags), Constraints(Budget("rows", 4)))
    assert chosen.rows.tolist() == [1, 3, 0, 4]
    assert chosen.score.tolist() == [2, 3, 1, 1, 2, 0]
    assert chosen.facts == {"names": 4, "without_tags": 1, "passes": 2, "first_pass": 2}
    assert chosen.reasons[chosen.reason[1]] == "instag: most tags first, each adding one to its pass"


@settings(max_examples=200, deadline=None)
@given(SETS, st.integers(1, 45))
def test_the_passes_are_those_of_a_scan(tags: list[list[str]], k: int) -> None:
    assert instag(tags, k).tolist() == plain(tags, k)


@settings(max_examples=50, deadline=None)
@given(SETS)
def test_the_first_pass_is_a_cover(tags: list[list[str]]) -> None:
    """As many as the first pass takes have every tag of the pool, and each had one that those before lacked."""
    pool = pool_of(tags)
    first = Instag(tags="tags").select(pool, Constraints(Budget("rows", len(tags)))).facts["first_pass"]
    covered: set[str] = set()
    for row in instag(tags, max(1, first)).tolist()[:first]:
        assert set(tags[row]) - covered
        covered |= set(tags[row])
    assert covered == {tag for one in tags for tag in one}


def test_ties_go_by_key_whatever_the_order() -> None:
    random = np.random.default_rng(3)
    tags = [[f"t{j}" for j in random.integers(0, 30, 3)] for _ in range(200)]
    names = random.integers(0, 2**60, (200, 2), np.uint64)
    first = instag(tags, 60, keys=names)
    turn = random.permutation(200)
    assert turn[instag([tags[i] for i in turn], 60, keys=names[turn])].tolist() == first.tolist()


def test_pins_and_quotas_count_in_the_passes() -> None:
    """By hand: 2 {c} must be in, so c is in the first set. Without 1 there are 0 {a, b}, 3 {d}; 4 adds c in the second.

    Where only one of group x (1, 0) may be in, 1 is taken and 0 is refused: its tags stay open for the others.
    """
    tags = [["a", "b"], ["a", "b", "c"], ["c"], ["d"], ["b", "c"], ["b"]]
    keep, drop = np.zeros(6, bool), np.zeros(6, bool)
    keep[2], drop[1] = True, True
    chosen = Instag(tags="tags").select(pool_of(tags), Constraints(Budget("rows", 4), keep=keep, drop=drop))
    assert chosen.rows.tolist() == [2, 0, 3, 4]
    tags = [["a", "b"], ["a", "c", "d"], ["b"], ["e"]]
    groups = Groups.of(["x", "x", "y", "y"])
    constraints = Constraints(Budget("rows", 3), quotas=[Quota.parse("g=x<=1")], groups={"g": groups})
    assert Instag(tags="tags").select(pool_of(tags), constraints).rows.tolist() == [1, 2, 3]


def test_cleaning() -> None:
    """Cases are one, and a tag on fewer than two records does not count."""
    tags = [["Math", "math", "odd"], ["MATH"], ["code"], ["Code", "x"]]
    pool = pool_of(tags)
    assert Instag(tags="tags").rank(pool, 0).score.tolist() == [2, 1, 1, 2]
    assert Instag(tags="tags", lower=False).rank(pool, 0).score.tolist() == [3, 1, 1, 2]
    assert Instag(tags="tags", minimum=2).rank(pool, 0).score.tolist() == [1, 1, 1, 1]


def test_bad_input() -> None:
    with pytest.raises(BudgetError, match="k: expected a whole number of at least 1, got 0"):
        instag([["a"]], 0)
    with pytest.raises(InputError, match=r"expected a list of texts.* got 3 at record 1"):
        instag([["a"], 3], 1)
    with pytest.raises(InputError, match=r"got \['a', 7\] at record 0"):
        instag([["a", 7]], 1)
    with pytest.raises(OptionError, match="needs the option 'tags'"):
        Instag()


def test_real_categories_are_covered() -> None:
    """Papers and their categories: the first pass has all of them, in records of more tags than the pool's mean."""
    folder = real("corpus_arxiv")
    path = str(folder / "arxiv_stat.jsonl.xz")
    with tamis.select(path, n=500, id="id", text="abstract", method="instag", tags="categories") as chosen:
        facts = chosen.choice.reports["method"]
        records = [record["categories"].split(",") for record in chosen.to_dicts()]
    assert facts["first_pass"] < 500
    assert len({tag for one in records for tag in one}) == facts["names"] > 100
    assert np.mean([len(one) for one in records]) > 3
