"""AutoCoreset: exact summaries, the kept cost, any model by callbacks; and the built-in models against libraries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.autocoreset import Autocoreset, autocoreset
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.steps import summaries
from tamis.select.steps.models import Clusters, Logistic, Squares
from tamis.select.steps.summaries import best_mean, by_norm, caratheodory

Floats = NDArray[np.float64]
RANDOM = np.random.default_rng(0)


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def exact(points: Floats, weights: Floats | None, k: int | None) -> None:
    """As many rows as asked for, weights above 0, the sum and the weight of all to 1e-9."""
    rows, found = caratheodory(points, weights, k)
    given_ = np.ones(len(points)) if weights is None else weights
    assert len(rows) == len(set(rows.tolist())) == min(k or points.shape[1] + 1, len(points))
    assert (found > 0).all()
    assert found.sum() == pytest.approx(given_.sum(), rel=1e-9)
    whole = (np.abs(points) * given_[:, None]).sum(axis=0)
    assert (np.abs(found @ points[rows] - given_ @ points) <= 1e-9 * whole).all()


def test_by_hand() -> None:
    """Losses 0, 1, 2, 3 and 4, weight 1 each, sum 10: two rows keep it, for instance 0 and 4 with 2.5 each."""
    points = np.arange(5.0)[:, None]
    rows, weights = caratheodory(points)
    assert len(rows) == 2
    assert weights.sum() == pytest.approx(5)
    assert weights @ points[rows, 0] == pytest.approx(10)
    # By length: shares 0.1, 0.2, 0.3, 0.4 of rows 1 to 4; two draws weigh 10 / (2 length) each time drawn.
    rows, weights = by_norm(points, 2, repeats=True, seed=3)
    assert weights @ points[rows, 0] == pytest.approx(10)  # each draw adds 5
    # The best of many samples of two has the mean of all, 2.
    rows, weights = best_mean(points, 2)
    assert points[rows].mean() == 2
    assert weights.tolist() == [2.5, 2.5]


@pytest.mark.parametrize(("n", "t", "k"), [(5, 1, None), (300, 3, None), (3000, 9, None), (3000, 4, 700), (40, 6, 100)])
def test_caratheodory_is_exact(n: int, t: int, k: int | None) -> None:
    exact(RANDOM.gamma(1, 1, (n, t)), None, k)
    exact(RANDOM.normal(0, 1, (n, t)) * 10.0 ** RANDOM.integers(-6, 6, t), RANDOM.gamma(1, 1, n) + 1e-3, k)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 4), st.integers(0, 30), st.integers(2, 4))
def test_caratheodory_of_few_different_rows(seed: int, n: int, t: int, more: int, values: int) -> None:
    """Rows that are alike or depend on each other: as many as asked for all the same."""
    exact(np.random.default_rng(seed).integers(0, values, (n, t)).astype(float), None, t + 1 + more)


def test_caratheodory_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    points = RANDOM.gamma(1, 1, (20_000, 5))
    plain = caratheodory(points, None, 50)[0].tolist()
    monkeypatch.setattr(summaries, "_MOST", 0.0)
    exact(points, None, 50)
    exact(points, RANDOM.gamma(1, 1, 20_000) + 1e-3, None)
    assert caratheodory(points, None, 50)[0].tolist() != plain


def test_caratheodory_needs_no_more_than_a_linear_program() -> None:
    """A basic solution of 'weights at least 0 with these sums' has at most t + 1 rows; so has ours."""
    points = RANDOM.normal(size=(60, 5))
    sums = np.concatenate([points.sum(axis=0), [60.0]])
    found = linprog(RANDOM.normal(size=60), A_eq=np.column_stack([points, np.ones(60)]).T, b_eq=sums, method="highs-ds")
    assert (found.x > 1e-9).sum() <= 6
    assert len(caratheodory(points)[0]) == 6


def test_by_norm_is_fair() -> None:
    points = RANDOM.gamma(1, 1, (80, 3))
    for repeats in (True, False):
        sums = []
        for seed in range(2000):
            rows, weights = by_norm(points, 20, repeats=repeats, seed=seed)
            sums.append(weights @ points[rows])
        error = np.std(sums, axis=0) / math.sqrt(2000)
        assert (np.abs(np.mean(sums, axis=0) - points.sum(axis=0)) < 5 * error).all()
    # The best of a hundred samples is nearer to the mean than one.
    apart = [
        np.linalg.norm(points[best_mean(points, 20, draws=d, seed=1)[0]].mean(axis=0) - points.mean(axis=0))
        for d in (1, 100)
    ]
    assert apart[1] < apart[0]


def test_squares_and_logistic_are_those_of_a_library() -> None:
    x = RANDOM.normal(size=(200, 4)).astype(np.float32)
    y = x @ np.array([1, 2, 0, -1.0]) * 1e3 + RANDOM.normal(size=200) + 5e4
    rows, weights = np.arange(0, 200, 2), RANDOM.gamma(1, 1, 100)
    model = Squares(x, y, 0.0)
    one = np.column_stack([x, np.ones(200)])
    root = np.sqrt(weights)
    best = np.linalg.lstsq(one[rows] * root[:, None], y[rows] * root, rcond=None)[0]
    assert model.loss(model.fit(rows, weights)) == pytest.approx((one @ best - y) ** 2, rel=1e-3, abs=1e-3)

    classes = Groups.of(np.array(list("abc"))[np.argmax(x[:, :3] + RANDOM.normal(size=(200, 3)), axis=1)])
    logistic = Logistic(x, classes, 1e-2)
    features = np.column_stack([x * logistic.rows.factor[:, None], np.ones(200)])

    def whole(flat: Floats) -> float:
        scores = features[rows] @ flat.reshape(5, 3)
        losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(100), classes.codes[rows]]
        return float(weights @ losses + 1e-2 * weights.sum() / 2 * (flat**2).sum())

    found = logistic.fit(rows, weights)
    assert found.ravel() == pytest.approx(minimize(whole, np.zeros(15), tol=1e-10).x, abs=2e-3)
    scores = features @ found
    expected = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(200), classes.codes]
    assert logistic.loss(found) == pytest.approx(expected)
    assert logistic.predicted(found).tolist() == scores.argmax(axis=1).tolist()


def test_clusters_take_weights_as_copies() -> None:
    """Two far groups: the centres are weighted means; losses are squared distances to the nearer one."""
    x = np.concatenate([RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(30, 3)) + 20]).astype(np.float32)
    model, weights = Clusters(x, 2), RANDOM.integers(1, 5, 60).astype(float)
    points = x * model.rows.factor[:, None]
    centres = model.fit(np.arange(60), weights)
    means = np.stack([np.average(points[half], axis=0, weights=weights[half]) for half in (slice(30), slice(30, 60))])
    assert sorted(map(tuple, centres.round(6))) == sorted(map(tuple, means.round(6)))
    assert model.loss(centres) == pytest.approx(((points[:, None] - means) ** 2).sum(axis=2).min(axis=1))
    assert len(Clusters(np.ones((4, 2), np.float32), 3).fit(np.arange(4), np.ones(4))) <= 3


class Median:
    """A model of the user's own: the weighted median of numbers; the loss is the distance to it."""

    def __init__(self, numbers: Floats) -> None:
        self.numbers = numbers

    def fit(self, rows: NDArray[np.int64], weights: Floats) -> float:
        order = np.argsort(self.numbers[rows])
        reached = np.cumsum(weights[order])
        return float(self.numbers[rows][order][np.searchsorted(reached, reached[-1] / 2)])

    def loss(self, model: float) -> Floats:
        return np.abs(self.numbers - model)


@pytest.mark.parametrize("summary", ["caratheodory", "norm", "mean"])
def test_any_model_and_the_kept_cost(summary: str) -> None:
    """The kept cost is the least of all; with exact summaries the set has the pool's loss for the models before it."""
    model = Median(RANDOM.gamma(0.5, 1, 500))
    found = autocoreset(500, 20, model.fit, model.loss, summary=summary, draws=20, seed=1)
    assert len(found.rows) == len(found.weights) == 20
    assert found.weights.sum() == pytest.approx(500)
    assert (found.weights > 0).all()
    assert found.cost == min(found.costs) <= min(found.costs[:3])
    assert model.loss(found.model).sum() == pytest.approx(found.cost)
    assert found.model == model.fit(found.rows, found.weights)
    assert found.losses.shape == (500, len(found.costs))
    assert len(found.costs) - 1 - found.costs.index(found.cost) in (5, len(found.costs) - 1)
    if summary == "caratheodory" and found.costs.index(found.cost) >= 3:
        before = found.losses[:, : found.costs.index(found.cost)]
        assert found.weights @ before[found.rows] == pytest.approx(before.sum(axis=0), rel=1e-9)


def test_exact_sums_on_the_set_of_a_round() -> None:
    """Each set after the start, whatever is kept: its weighted sums of the columns so far are the pool's."""
    model, seen = Median(RANDOM.gamma(0.5, 1, 300)), []
    sets: list[tuple[Any, Any]] = []

    def fit(rows: NDArray[np.int64], weights: Floats) -> float:
        sets.append((rows, weights))
        return model.fit(rows, weights)

    def loss(parameters: float) -> Floats:
        seen.append(model.loss(parameters))
        return seen[-1]

    autocoreset(300, 15, fit, loss, patience=4, seed=2)
    assert len(sets) > 5
    for at in range(3, len(sets)):
        rows, weights = sets[at]
        for column in seen[:at]:
            assert weights @ column[rows] == pytest.approx(column.sum(), rel=1e-9)


def test_few_and_all() -> None:
    """Fewer rows than columns + 1: the best uniform sample; all rows: weight 1 each."""
    model = Median(RANDOM.gamma(0.5, 1, 50))
    few = autocoreset(50, 2, model.fit, model.loss)
    assert len(few.costs) == 3
    assert set(few.weights.tolist()) == {25.0}
    whole = autocoreset(50, 80, model.fit, model.loss)
    assert whole.rows.tolist() == list(range(50))
    assert set(whole.weights.tolist()) == {1.0}


def test_a_set_is_better_than_its_uniform_starts_on_planted_data() -> None:
    """One in a hundred lies far away and decides the fit: the set finds them, uniform samples of 40 hardly."""
    x = RANDOM.normal(size=(2000, 3)).astype(np.float32)
    x[:20] += 15
    y = x @ np.array([1.0, -1, 2]) + np.where(np.arange(2000) < 20, 30, 0) + RANDOM.normal(size=2000)
    model = Squares(x, y, 1e-6)
    least = model.loss(model.fit(np.arange(2000), np.ones(2000))).sum()
    above: list[list[float]] = [[], []]
    for seed in range(6):
        found = autocoreset(2000, 40, model.fit, model.loss, seed=seed)
        above[0].append(found.cost / least - 1)
        above[1].append(float(np.mean(found.costs[:3])) / least - 1)
    assert np.mean(above[0]) < 0.5 * np.mean(above[1])


def test_selection_with_constraints_and_any_order() -> None:
    x = RANDOM.normal(size=(120, 4)).astype(np.float32)
    x[7] = 0
    label = RANDOM.choice(np.array(["a", "b", "c"], object), 120)
    label[8] = None
    pool = Pool(in_place(120), {"vectors": x, "y": Groups.of(label)})
    keep, drop = np.arange(120) == 3, np.arange(120) == 4
    quota = Constraints(Budget("rows", 30), None, [Quota.parse("y=a<=20%")], {"y": Groups.of(label)}, keep, drop)
    for constraints in (Constraints(Budget("rows", 30), keep=keep, drop=drop), quota):
        chosen = Autocoreset(loss="logistic", label="y").select(pool, constraints, 1)
        assert chosen.weight[3] == 1
        assert chosen.weight.sum() == pytest.approx(1 + 120 - 4)  # less the kept, the dropped and two set aside
        assert chosen.facts["cost"] == min(chosen.facts["costs"])
        reasons = [chosen.reasons[code] for code in chosen.reason]
        assert reasons[7] == "autocoreset: no vector (all zeros)"
        assert reasons[8] == "autocoreset: no label (NaN or null)"
    everything = Autocoreset(clusters=3).select(pool, Constraints(Budget("rows", 120)))
    assert sorted(set(everything.weight.tolist())) == [0, 1]
    assert sorted(Autocoreset(clusters=3).rank(pool, 0).order.tolist()) == [i for i in range(120) if i != 7]


def test_bad_input() -> None:
    model = Median(np.arange(5.0))
    with pytest.raises(
        InputError, match=r"loss of model 0: expected 5 numbers, one a row, got an array of shape \(4,\)"
    ):
        autocoreset(5, 2, model.fit, lambda _: np.ones(4))
    with pytest.raises(InputError, match="expected finite numbers, got nan at row 2"):
        autocoreset(5, 2, model.fit, lambda _: np.array([1, 1, np.nan, 1, 1]))
    with pytest.raises(BudgetError, match="at least 1"):
        autocoreset(5, 0, model.fit, model.loss)
    with pytest.raises(InputError, match="at least 1 row"):
        autocoreset(0, 2, model.fit, model.loss)
    with pytest.raises(OptionError, match="summary"):
        autocoreset(5, 2, model.fit, model.loss, summary="coarse")
    with pytest.raises(BudgetError, match="k of at least 4, one more than the columns, got 2"):
        caratheodory(np.ones((5, 3)), None, 2)
    with pytest.raises(InputError, match="weights: expected 5 finite numbers above 0"):
        caratheodory(np.ones((5, 3)), np.zeros(5))
    with pytest.raises(InputError, match="n x t finite numbers"):
        by_norm(np.array([[np.inf]]), 1)
    with pytest.raises(OptionError, match="needs the option 'label': expected a field for loss=logistic"):
        Autocoreset(loss="logistic")
    with pytest.raises(OptionError, match="option 'label': expected loss=squares or logistic, got loss=kmeans"):
        Autocoreset(label="y")
