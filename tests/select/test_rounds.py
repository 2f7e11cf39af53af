"""Draws in rounds: weights follow what a model made of the last draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tamis
from tamis.errors import InputError, OptionError
from tamis.run.options import Runtime
from tamis.run.rerun import rerun
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.budget.rounds import UPDATES, updated
from tamis.select.kmq import Kmq, kmq

THIRD = np.ones(3) / 3


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.zeros(n), np.arange(n)], axis=1).astype(np.uint64)


def corners(*sizes: int) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, 0.1, x.shape)).astype(np.float32)


def test_updates_by_hand() -> None:
    """Weights 1/2, 1/4, 1/4 and means 1, 2, 5: in proportion to 2, 2, 5.

    Means 1, -2, 5 clipped: 2, 0, 5. The released form forgets the weights: e, e^2, e^5. A cluster without a draw
    keeps its part: of 1/2 x 1 and 1/4 x 3, 3/4 became 5/4, so its 1/4 becomes 5/12.
    """
    before = np.array([0.5, 0.25, 0.25])
    means = np.array([1.0, 2.0, 5.0])
    assert np.allclose(updated(before, means, "clip"), np.array([2, 2, 5]) / 9)
    assert np.allclose(updated(before, np.array([1, -2, 5.0]), "clip"), np.array([2, 0, 5]) / 7)
    assert np.allclose(updated(before, means, "softmax"), before * np.exp(means) / (before * np.exp(means)).sum())
    assert np.allclose(updated(before, means, "released"), np.exp(means) / np.exp(means).sum())
    one_unseen = np.array([0.5, 0.75, 5 / 12])
    assert np.allclose(updated(before, np.array([1, 3, np.nan]), "clip"), one_unseen / one_unseen.sum())


@pytest.mark.parametrize("update", UPDATES)
@given(score=st.floats(0.01, 50), clusters=st.integers(1, 9))
def test_equal_scores_leave_equal_weights(update: str, score: float, clusters: int) -> None:
    equal = np.ones(clusters) / clusters
    assert np.allclose(updated(equal, np.full(clusters, score), update), equal)
    assert np.allclose(updated(equal, np.full(clusters, np.nan), update), equal)
    assert np.allclose(updated(equal, np.full(clusters, -score), update), equal)  # clipped: nothing to go by


@settings(deadline=None)
@given(st.lists(st.floats(-800, 800) | st.just(float("nan")), min_size=1, max_size=8), st.sampled_from(UPDATES))
def test_weights_stay_shares(means: list[float], update: str) -> None:
    found = updated(np.ones(len(means)) / len(means), np.array(means), update)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)


def test_rounds_by_hand() -> None:
    """Three corners of 40 in two rounds: 5 of each; then the second alone is worth something, and gets all 15."""
    x, asked = corners(40, 40, 40), []

    def score(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return (rows // 40 == 1) * 2.0

    rows = kmq(x, 30, clusters=3, score=score, rounds=2)
    assert [len(one) for one in asked] == [15]  # not about the last: nothing would follow from it
    assert np.bincount(asked[0] // 40).tolist() == [5, 5, 5]
    assert rows[:15].tolist() == asked[0].tolist()
    assert np.bincount(rows // 40).tolist() == [5, 20, 5]
    drained = kmq(x, 90, clusters=3, score=score, rounds=2)  # 15 each, then 25 are left there: 20 go to the others
    assert np.bincount(drained // 40, minlength=3).tolist() == [25, 40, 25]


def test_equal_scores_are_equal_rounds() -> None:
    """With scores all alike three rounds give what one gives: the same records, equal numbers of each corner."""
    x = corners(50, 50)
    plain = kmq(x, 24, sizes="equal", clusters=2, seed=3)
    rounds = kmq(x, 24, clusters=2, seed=3, score=lambda rows: np.ones(len(rows)))
    assert sorted(plain.tolist()) == sorted(rounds.tolist())


@pytest.mark.parametrize("budget", [Budget("rows", 20), Budget("tokens", 2000), Budget("fraction", 0.2)])
def test_budget_quotas_and_pins_hold_and_only_what_is_taken_is_scored(budget: Budget) -> None:
    n = 100
    x, cost = corners(40, 30, 30), np.random.default_rng(1).integers(20, 180, n)
    source = Groups.of(np.array(["a", "b"], object)[np.arange(n) % 2])
    keep, drop = np.isin(np.arange(n), [3, 77]), np.isin(np.arange(n), [4, 50])
    asked: list[int] = []

    def score(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return np.sin(rows)

    pool = Pool(keys_of(n), {"vectors": x, "order": np.arange(n)})
    constraints = Constraints(budget, cost, [Quota.parse("source=a<=40%")], {"source": source}, keep, drop)
    method = Kmq(score=score, clusters=3, rounds=4, update="softmax")
    chosen = method.select(pool, constraints, seed=5)
    assert set(asked) <= set(chosen.rows.tolist())
    assert {3, 77} <= set(asked)
    assert not {4, 50} & set(asked)
    assert len(asked) == len(set(asked)) >= len(chosen) // 2
    unit = cost if budget.unit == "tokens" else np.ones(n, int)
    limit = budget.amount if budget.unit == "tokens" else budget.rows(98)
    assert unit[chosen.rows].sum() <= limit
    assert unit[chosen.rows][source.codes[chosen.rows] == 0].sum() <= 0.4 * limit
    assert budget.unit == "tokens" or len(chosen) == limit
    assert chosen.facts["rounds"][0]["records"] >= 2
    assert len(chosen.facts["rounds"]) == 4


def test_the_order_of_rows_does_not_matter() -> None:
    x, value, keys = corners(30, 20), np.random.default_rng(2).random(50), keys_of(50)
    turned = np.random.default_rng(3).permutation(50)
    first = kmq(x, 17, clusters=2, keys=keys, score=lambda rows: value[rows])
    again = kmq(x[turned], 17, clusters=2, keys=keys[turned], score=lambda rows: value[turned][rows])
    assert turned[again].tolist() == first.tolist()


def test_what_a_function_may_not_say() -> None:
    x = corners(9, 9)

    def refused(match: str, answer: Any) -> None:
        with pytest.raises(InputError, match=match):
            kmq(x, 6, clusters=2, score=lambda _: answer)

    refused(r"expected 2 numbers from the function, one a record, got an array of shape \(3,\)", np.ones(3))
    refused("expected finite numbers from the function, got inf for record", [np.inf, 1])
    refused("expected 2 numbers from the function, got list", ["good", "bad"])
    assert len(kmq(x, 6, clusters=2, score=lambda rows: np.full(len(rows), np.nan))) == 6  # NaN: nothing to go by
    with pytest.raises(ZeroDivisionError):  # what goes wrong inside is the caller's to see
        kmq(x, 6, clusters=2, score=lambda rows: [1 / 0 for _ in rows])


def test_the_command_line_is_told_that_it_needs_python() -> None:
    with pytest.raises(OptionError, match="option 'score': expected a function, which only Python can give, got 'f'"):
        Kmq(score="f")
    with pytest.raises(OptionError, match=r"option 'rounds': expected 'score' with it.* It needs Python: tamis.select"):
        Kmq(rounds="3")


def test_from_python_with_a_manifest_that_cannot_be_run_again(tmp_path: Path) -> None:
    """Positions are those of the input; the manifest names the function, and a rerun says why it cannot."""
    pool = tmp_path / "pool.jsonl"
    lines = [json.dumps({"text": f"{'cats and dogs' if i % 2 else 'sums of numbers'} {i}"}) for i in range(60)]
    pool.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked: list[int] = []

    def pets(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return rows % 2 + 0.1

    with tamis.select(pool, n=20, method="kmq", clusters=2, rounds=2, score=pets) as chosen:
        chosen.write(tmp_path / "chosen.jsonl")
    odd = sum("cats" in line for line in (tmp_path / "chosen.jsonl").read_text(encoding="utf-8").splitlines())
    assert len(asked) == 10
    assert sum(row % 2 for row in asked) == 5
    assert odd >= 13
    told = json.loads((tmp_path / "chosen.manifest.json").read_text(encoding="utf-8"))
    assert told["job"]["options"]["score"].startswith("<test_from_python")
    assert told["method"]["options"]["score"] == told["job"]["options"]["score"]
    with pytest.raises(InputError, match=r"asked the function <.*pets> \(option 'score'\), which is not in a manifest"):
        rerun(tmp_path / "chosen.manifest.json", Runtime())
