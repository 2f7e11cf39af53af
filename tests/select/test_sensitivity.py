"""Sensitivity sampling: the bounds by brute force, losses without bias, and within the promised part of the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.sensitivity import Sensitivity, sensitivity
from tamis.select.steps.determinantal import Rows
from tamis.select.steps.leverage import design, lewis, scores
from tamis.vectors.kmeans import kmeans

Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def score(x: Floats, label: Floats | None = None, **options: Any) -> Floats:
    """Return each row's probability."""
    columns = {"vectors": x.astype(np.float32)} | ({} if label is None else {"y": label})
    method = Sensitivity(**options, **({} if label is None else {"label": "y"}))
    return method.shares(Pool(in_place(len(x)), columns), 0)[0]


def hat(x: Floats) -> Floats:
    """Return leverages by a library's QR."""
    return (np.linalg.qr(x)[0] ** 2).sum(axis=1)


def planted(n: int = 3000, rare: int = 3, seed: int = 0) -> tuple[Floats, Floats]:
    """Return vectors (`n x 5`) of which a few point in a direction that the others do not have, and labels."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5)).astype(np.float32).astype(float)
    x[:, 4] = 0
    x[:rare, 4] = 20
    return x, x @ np.array([1, -2, 0.5, 0, 3.0]) + random.normal(size=n)


def test_by_hand() -> None:
    """Numbers 1, 1 and 2 without a constant: leverages 1/6, 1/6, 4/6; roots plus 1/3; distances 1/9, 1/9, 4/9."""
    x = np.array([[1.0], [1], [2]])
    assert score(x, intercept=False) == pytest.approx([1 / 6, 1 / 6, 4 / 6])
    roots = np.sqrt([1 / 6, 1 / 6, 4 / 6]) + 1 / 3
    assert score(x, loss="logistic", intercept=False) == pytest.approx(roots / roots.sum())
    assert score(x, loss="kmeans") == pytest.approx(0.5 * np.array([1, 1, 4]) / 6 + 1 / 6)
    rows, weight = sensitivity(x, 4, intercept=False, keys=in_place(3), seed=1)
    assert weight == pytest.approx(np.array([6, 6, 1.5])[rows] / 4)


def test_bounds_by_brute_force() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 6)).astype(np.float32).astype(float) * random.gamma(1, 1, (400, 1)) + 3
    x = x.astype(np.float32).astype(float)
    y = random.normal(size=400) * 1e4 + 7e4
    one = np.column_stack([x, np.ones(400)])
    assert score(x) == pytest.approx(hat(one) / 7, rel=1e-3)
    assert score(x, intercept=False) == pytest.approx(hat(x) / 6, rel=1e-3)
    assert score(x, y) == pytest.approx(hat(np.column_stack([one, y])) / 8, rel=1e-3)
    assert score(x, mix=0.25) == pytest.approx(0.75 * hat(one) / 7 + 0.25 / 400, rel=1e-3)
    # Lewis weights are their own leverages, and add up to the rank.
    found = score(x, loss="logistic", bound="lewis") * 8 - 1 / 400
    assert found.sum() == pytest.approx(7, rel=1e-3)
    assert hat(one / np.sqrt(found)[:, None]) == pytest.approx(found, rel=2e-3)


def test_kmeans_bounds_by_brute_force() -> None:
    """For many sets of four centres, no row is a larger part of the cost than its bound; bounds as in a slow sum."""
    random = np.random.default_rng(0)
    x = (random.normal(size=(200, 3)) * random.gamma(1, 2, (200, 1))).astype(np.float32)
    found = kmeans(x, 4, keys=in_place(200))
    square = ((x[:, None].astype(float) - found.centroids) ** 2).sum(axis=2).min(axis=1)
    bounds, alpha = np.empty(200), 16 * (2 + 2)
    for i, cluster in enumerate(found.labels):
        those = found.labels == cluster
        bounds[i] = alpha * (square[i] + 2 * square[those].mean()) / square.mean() + 4 * 200 / those.sum()
    assert score(x, loss="kmeans", clusters=4) == pytest.approx(bounds / bounds.sum(), rel=1e-3)
    for _ in range(300):
        centres = x[random.choice(200, 4, replace=False)] + random.normal(size=3) * random.choice([0, 1, 10])
        cost = ((x[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
        assert (cost / cost.mean() <= bounds).all()


def test_sensitivity_is_the_largest_part() -> None:
    """No parameters make a record a larger part of the squared loss than its leverage; some make it that."""
    x, y = planted(300)
    z = np.column_stack([x, np.ones(300), y])
    p, random = score(x, y) * 7, np.random.default_rng(1)
    for _ in range(500):
        square = (z @ random.normal(size=7)) ** 2
        assert (square / square.sum() <= p * (1 + 1e-3)).all()
    inverse = np.linalg.inv(z.T @ z)
    for row in (0, 5, 99):
        square = (z @ inverse @ z[row]) ** 2
        assert square[row] / square.sum() == pytest.approx(p[row], rel=1e-3)


def log_loss(x: Floats, y: Floats, b: Floats) -> Floats:
    return np.logaddexp(0, -y * (x @ b[:-1] + b[-1]))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "logistic"},
        {"loss": "logistic", "bound": "lewis"},
        {"loss": "kmeans"},
        {"loss": "kmeans", "clusters": 3},
    ],
    ids=str,
)
def test_losses_have_no_bias(options: dict[str, Any]) -> None:
    """The mean of weighted losses, of any function of the records, is that of the pool; with repeats and without."""
    x, y = planted(200)
    value = log_loss(x, np.sign(y), np.array([1, 1, -1, 0.5, 0.3, 0]))
    for repeats in (True, False):
        found = []
        for seed in range(600):
            rows, weight = sensitivity(x, 30, repeats=repeats, seed=seed, keys=in_place(200), **options)
            found.append((weight * value[rows]).sum())
        assert abs(np.mean(found) - value.sum()) < 5 * np.std(found) / math.sqrt(600)


def spread(x: Floats, rows: NDArray[np.int64], weight: Floats) -> float:
    """Return the largest relative error of the weighted squared loss, over all parameters."""
    root = np.linalg.cholesky(np.linalg.inv(x.T @ x))
    part = (x[rows] * weight[:, None]).T @ x[rows]
    return float(np.abs(np.linalg.eigvalsh(root.T @ part @ root) - 1).max())


def test_squares_hold_for_all_parameters() -> None:
    """3 d ln(2 d / delta) / eps^2 draws: d = 7 with label and constant, eps = 0.5, delta = 0.01: 610 of 3,000.

    Uniform samples of that size miss the three records of the rare direction two times in three.
    """
    x, y = planted()
    z, k = np.column_stack([x, np.ones(len(x)), y]), math.ceil(3 * 7 * math.log(2 * 7 / 0.01) / 0.25)
    random = np.random.default_rng(0)
    ours, alone, chance = [], [], []
    for seed in range(40):
        ours.append(spread(z, *sensitivity(x, k, labels=y, seed=seed, keys=in_place(len(x)))))
        alone.append(spread(z, *sensitivity(x, k, labels=y, repeats=False, seed=seed, keys=in_place(len(x)))))
        chance.append(spread(z, random.choice(len(x), k, replace=False), np.full(k, len(x) / k)))
    assert max(ours) < 0.5
    assert max(alone) < 0.5  # what is certain to be drawn weighs 1: better still
    assert np.mean(alone) < np.mean(ours)
    assert np.mean(np.array(chance) > 0.5) > 0.9


@pytest.mark.parametrize("bound", ["root", "lewis"])
def test_logistic_loss_within_a_part_of_the_whole(bound: str) -> None:
    """1,000 of 3,000: losses at many parameters, also along the rare direction, near the pool's; uniform are not."""
    x, y = planted()
    y = np.sign(y)
    y[:2] = [1, -1]  # the rare direction is not separable
    random = np.random.default_rng(0)
    parameters = [random.normal(size=6) * size for size in (0.1, 1, 10) for _ in range(10)]
    parameters += [np.array([0, 0, 0, 0, s, 0.0]) for s in (-10, 10, 100)]
    whole = np.array([log_loss(x, y, b).sum() for b in parameters])

    def error(rows: NDArray[np.int64], weight: Floats) -> float:
        part = np.array([(weight * log_loss(x[rows], y[rows], b)).sum() for b in parameters])
        return float(np.abs(part / whole - 1).max())

    ours, chance = [], []
    for seed in range(20):
        ours.append(error(*sensitivity(x, 1000, loss="logistic", bound=bound, seed=seed, keys=in_place(3000))))
        rows = random.choice(3000, 1000, replace=False)
        chance.append(error(rows, np.full(1000, 3.0)))
    assert max(ours) < 0.6
    assert np.mean(ours) < 0.25
    assert np.mean(chance) > 2 * np.mean(ours)


def test_kmeans_cost_with_a_far_cluster() -> None:
    """Ten of 3,000 lie far away: cost for centres that leave them out, from 100 records."""
    random = np.random.default_rng(0)
    x = random.normal(size=(3000, 4)).astype(np.float32)
    x[:10] += 30
    centres = random.normal(size=(5, 4))
    cost = ((x[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
    errors: dict[str, list[float]] = {"kmeans": [], "clusters": [], "chance": []}
    for seed in range(40):
        for name, options in (("kmeans", {}), ("clusters", {"clusters": 1})):
            rows, weight = sensitivity(x, 100, loss="kmeans", seed=seed, keys=in_place(3000), **options)  # type: ignore[arg-type]
            errors[name].append(abs((weight * cost[rows]).sum() / cost.sum() - 1))
        rows = random.choice(3000, 100, replace=False)
        errors["chance"].append(abs(cost[rows].mean() / cost.mean() - 1))
    assert np.mean(errors["kmeans"]) < 0.2 * np.mean(errors["chance"])
    assert np.mean(errors["clusters"]) < 0.2 * np.mean(errors["chance"])


def test_what_is_set_aside_and_any_order() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=(300, 5)).astype(np.float32), random.normal(size=300)
    turned = random.permutation(300)
    for options in ({"labels": True}, {"loss": "logistic"}, {"loss": "kmeans", "clusters": 5}):
        given = [{**options, "labels": y}, {**options, "labels": y[turned]}] if "labels" in options else [options] * 2
        rows, weight = sensitivity(x, 20, seed=4, **given[0])  # type: ignore[arg-type]
        other, same = sensitivity(x[turned], 20, seed=4, **given[1])  # type: ignore[arg-type]
        assert turned[other].tolist() == rows.tolist()
        assert np.array_equal(weight, same)
    x[3], y[4] = 0, np.nan
    chosen = Sensitivity(label="y").select(
        Pool(in_place(300), {"vectors": x, "y": y}), Constraints(Budget("rows", 300))
    )
    assert len(chosen) == 298
    assert chosen.reasons[chosen.reason[3]] == "sensitivity: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[4]] == "sensitivity: no label (NaN)"
    assert sorted(set(chosen.weight.tolist())) == [0, 1]
    same = np.ones((6, 2))  # all alike: equal shares
    assert score(same, loss="kmeans") == pytest.approx(np.full(6, 1 / 6))
    assert score(same, loss="kmeans", clusters=2) == pytest.approx(np.full(6, 1 / 6))
    assert score(same) == pytest.approx(np.full(6, 1 / 6))


def test_leverage_and_lewis_weights_are_what_they_say() -> None:
    """Leverage is the diagonal of the projection on the columns; a Lewis weight that of rows over its root."""
    x = np.random.default_rng(3).normal(size=(40, 4)).astype(np.float32)
    wide = x.astype(np.float64)
    projection = wide @ np.linalg.inv(wide.T @ wide) @ wide.T
    assert scores(Rows(x, "linear")) == pytest.approx(np.diag(projection), abs=1e-9)
    weight = lewis(Rows(x, "linear"))
    over = wide / np.sqrt(weight)[:, None]
    assert weight == pytest.approx(np.diag(over @ np.linalg.inv(over.T @ over) @ over.T), rel=1e-3)
    assert weight.sum() == pytest.approx(4, rel=1e-3)
    made = design(x, wide[:, 0], centred=True, constant=True)
    assert made.shape == (40, 6)
    assert made[:, :5].mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)


def test_bad_input() -> None:
    x = np.eye(5)
    with pytest.raises(BudgetError, match="at least 1"):
        sensitivity(x, 0)
    with pytest.raises(InputError, match="not all zeros, got 5 rows"):
        sensitivity(0 * x, 3)
    with pytest.raises(InputError, match="labels: expected 5 finite numbers"):
        sensitivity(x, 3, labels=np.ones(4))
    with pytest.raises(OptionError, match="option 'label': expected loss=squares, got loss=logistic"):
        sensitivity(x, 3, loss="logistic", labels=np.ones(5))
    with pytest.raises(OptionError, match="option 'clusters': expected loss=kmeans"):
        Sensitivity(clusters=3)
    with pytest.raises(OptionError, match="loss"):
        Sensitivity(loss="hinge")
