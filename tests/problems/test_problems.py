"""Problems with planted answers: the answers are what they are said to be, and methods do what is expected of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tamis.compare.trying import try_ways
from tamis.errors import OptionError
from tamis.problems import PROBLEMS, get
from tamis.problems.base import Problem, Way
from tamis.select import METHODS
from tamis.select import get as get_method


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    return get(request.param, 1_000)


def test_the_pool_is_whole_and_comes_back(problem: Problem) -> None:
    """The seed makes the pool; ids are unique; no field holds the answer's name."""
    again = get(problem.name, 1_000)
    assert again.records == problem.records
    assert get(problem.name, 1_000, seed=1).records != problem.records
    assert len(problem.records) == 1_000 == len({record["id"] for record in problem.records})
    assert all(record["text"].strip() for record in problem.records)
    assert not {"kind", "source", "skill", "quality", "utility"} & set(problem.records[0])


def test_ways_are_known_methods(problem: Problem) -> None:
    assert {way.method for way in problem.ways} <= set(METHODS)
    assert any(way.expected for way in problem.ways)
    assert any(way.expected is False for way in problem.ways)


def test_methods_succeed_and_fail_as_expected(problem: Problem) -> None:
    """Through files, signals and constraints, as a user's records go; each beside 20 random selections."""
    ways = tuple(way for way in problem.ways if way.expected is not None)
    for tried in try_ways(problem, ways):
        better = tried.standing.better is True
        assert better == tried.way.expected, f"{problem.name}, {tried.way}: {tried.standing.words}"


def test_clusters_judge_counts_kinds() -> None:
    """All records hit 16 kinds; the one kind of any single record is 1; sizes are 35 % and 0.65 times as many each."""
    clusters = get("clusters", 2_000)
    assert clusters.judge(np.arange(2_000)) == 16
    assert clusters.judge(np.array([5])) == 1
    x = np.array([record["vector"] for record in clusters.records])
    near = (x @ x.T > 0.5).sum(axis=1)  # kinds are orthogonal: a record's kind is its neighbours at the cosine
    assert near.min() == 2
    assert 690 <= np.median(near[near > 600]) <= 715


def test_mixture_judge_is_a_distance_of_shares() -> None:
    """All of the pool: (0.2 x 5) against (0.6, 0.3, 0.1, 0, 0): (0.4 + 0.1 + 0.1 + 0.2 + 0.2) / 2 = 0.5."""
    mixture = get("mixture", 1_000)
    assert mixture.judge(np.arange(1_000)) == pytest.approx(0.5)
    assert len(mixture.target) == 200


def test_duplicates_judge_counts_originals() -> None:
    """Of 1,000 records 100 have 4 copies: 600 originals."""
    duplicates = get("duplicates", 1_000)
    assert duplicates.judge(np.arange(1_000)) == pytest.approx(0.6)
    words = [set(record["text"].rstrip(".").split()) for record in duplicates.records]
    close = sum(
        len(words[i] & words[j]) / len(words[i] | words[j]) > 0.6 for i in range(1_000) for j in range(i + 1, 1_000)
    )
    assert close >= 0.95 * 100 * 10  # pairs among five: ten


def test_bias_halves_what_is_seen() -> None:
    bias = get("bias", 4_000)
    seen = {
        group: np.mean([record["judge1"] for record in bias.records if record["group"] == group])
        for group in ("small", "large")
    }
    assert seen["small"] / seen["large"] == pytest.approx(0.5, abs=0.05)
    assert bias.judge(np.arange(4_000)) > 1  # more records than the best selection has


def test_a_quota_mends_the_bias() -> None:
    """The judges' favourites lose utility that a lower bound on the small group brings back."""
    ways = (Way("top", {"by": "judge1"}), Way("top", {"by": "judge1", "quota": "group=small>=30%"}))
    plain, fair = try_ways(get("bias"), ways, repeat=2)
    assert fair.standing.chosen > plain.standing.chosen + 0.01


def test_write(tmp_path: Path) -> None:
    problem = get("mixture", 500)
    problem.write(tmp_path / "new")
    lines = (tmp_path / "new" / "pool.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == problem.records
    assert len((tmp_path / "new" / "target.jsonl").read_text(encoding="utf-8").splitlines()) == 200


def test_mistakes() -> None:
    with pytest.raises(OptionError, match=r"unknown problem 'cluster'\. Did you mean 'clusters'"):
        get("cluster")
    with pytest.raises(OptionError, match="at least 500 records, got 10"):
        get("clusters", 10)
    with pytest.raises(OptionError, match="at least 2 random selections"):
        try_ways(get("clusters", 500), repeat=1)


def test_every_method_is_on_a_problem() -> None:
    """Those left out, by name, have no planted answer here."""
    tried = {way.method for name in PROBLEMS for way in get(name, 500).ways}
    left = {name for name in METHODS if name not in tried and not get_method(name).flags.streams}
    assert left <= {"auto", "random", "ccnet"}, f"no problem tries {', '.join(sorted(left))}"
