"""Volume-rescaled sampling: leverages, weights that are fair, least squares without bias."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.volume import Volume, volume

Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def cubics(n: int) -> Floats:
    """Cubic polynomials on a grid from -1 to 1, as the vectors will be read (`n x 4`)."""
    return (np.linspace(-1, 1, n)[:, None] ** np.arange(4)).astype(np.float32).astype(float)


def fitted(x: Floats, y: Floats, weight: Floats) -> Floats:
    root = np.sqrt(weight)
    return np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]


def test_by_hand() -> None:
    """Numbers 1, 1 and 2 on one direction: leverages 1/6, 1/6 and 4/6, so one draw weighs 6, 6 or 1.5."""
    x = np.array([[1.0], [1.0], [2.0]])
    drawn = [volume(x, 1, seed, keys=in_place(3)) for seed in range(600)]
    rows = np.array([rows[0] for rows, _ in drawn])
    assert all(weight[0] == pytest.approx((6, 6, 1.5)[rows[0]]) for rows, weight in drawn)
    assert abs((rows == 2).sum() - 400) < 4 * math.sqrt(600 * 2 / 9)
    # Two draws, one of them independent: half the weight each.
    rows, weight = volume(x, 2, 0, keys=in_place(3))
    assert weight == pytest.approx(np.array([3, 3, 0.75])[rows])


def test_interpolation_and_least_squares_have_no_bias() -> None:
    """The mean of fits to a few drawn points is the fit to all, up to its error; without weights it is not."""
    x = cubics(60)
    y = np.exp(2 * x[:, 1]) + np.sin(9 * x[:, 1]) + 3 * np.abs(x[:, 1])
    full = np.linalg.lstsq(x, y, rcond=None)[0]
    for k, times in ((4, 4000), (20, 2000)):
        fits, plain = [], []
        for seed in range(times):
            rows, weight = volume(x, k, seed, keys=in_place(60))
            fits.append(fitted(x[rows], y[rows], weight))
            plain.append(fitted(x[rows], y[rows], np.ones(k)))
        error = np.std(fits, axis=0) / math.sqrt(times)
        assert (np.abs(np.mean(fits, axis=0) - full) < 5 * error).all()
        if k > 4:
            assert (np.abs(np.mean(plain, axis=0) - full) > 5 * error).any()


@pytest.mark.parametrize("k", [4, 5, 10, 40, 59])
def test_weighted_sums_are_those_of_the_pool(k: int) -> None:
    """Both forms: the mean of weighted sums is the sum, and the one without repeats holds `k` records."""
    x = cubics(60)
    y, times = np.cos(5 * x[:, 1]) + 2, 1500
    pool, sums, others = Pool(in_place(60), {"vectors": x.astype(np.float32)}), [], []
    for seed in range(times):
        rows, weight = volume(x, k, seed, keys=in_place(60))
        sums.append((weight * y[rows]).sum())
        chosen = Volume().select(pool, Constraints(Budget("rows", k)), seed)
        assert len(chosen) == k
        others.append((chosen.weight * y).sum())
    for found in (sums, others):
        assert abs(np.mean(found) - y.sum()) < 5 * np.std(found) / math.sqrt(times)


def test_records_without_repeats_fit_as_well() -> None:
    """Five draws a coefficient: the error of the fit is near the best, and below that of as many at random."""
    x, random = cubics(2000), np.random.default_rng(0)
    y = np.exp(2 * x[:, 1]) + random.normal(size=2000)
    pool, best = Pool(in_place(2000), {"vectors": x.astype(np.float32)}), fitted(x, y, np.ones(2000))
    least = ((x @ best - y) ** 2).sum()
    ours, chance = [], []
    for seed in range(200):
        chosen = Volume().select(pool, Constraints(Budget("rows", 20)), seed)
        found = fitted(x[chosen.rows], y[chosen.rows], chosen.weight[chosen.rows])
        ours.append(((x @ found - y) ** 2).sum() / least)
        rows = random.choice(2000, 20, replace=False)
        chance.append(((x @ fitted(x[rows], y[rows], np.ones(20)) - y) ** 2).sum() / least)
    assert np.mean(ours) < 1.5
    assert np.mean(ours) < np.mean(chance)


def test_pins_all_and_few() -> None:
    x = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    x[9] = 0
    pool = Pool(in_place(50), {"vectors": x})
    keep, drop = np.arange(50) == 3, np.arange(50) == 4
    chosen = Volume().select(pool, Constraints(Budget("rows", 12), keep=keep, drop=drop))
    assert chosen.rows[0] == 3
    assert chosen.weight[3] == 1
    assert chosen.weight[4] == 0
    everything = Volume().select(pool, Constraints(Budget("rows", 50)))
    assert len(everything) == 49
    assert everything.reasons[everything.reason[9]] == "volume: no vector (all zeros)"
    assert np.array_equal(everything.weight, (np.arange(50) != 9).astype(float))
    assert Volume().select(pool, Constraints(Budget("rows", 3))).facts["directions"] == 3
    assert Volume(directions=2).select(pool, Constraints(Budget("rows", 30))).facts["directions"] == 2
    few = Volume(directions=2).select(pool, Constraints(Budget("rows", 2)))
    assert few.weight[few.rows] == pytest.approx(1 / few.score[few.rows])


def test_the_same_in_any_order() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(300, 5)).astype(np.float32)
    turned = random.permutation(300)
    rows, weight = volume(x, 20, 4)
    other, same = volume(x[turned], 20, 4)
    assert turned[other].tolist() == rows.tolist()
    assert np.array_equal(weight, same)
    assert volume(x, 20, 5)[0].tolist() != rows.tolist()


def test_bad_input() -> None:
    x = np.eye(5)
    with pytest.raises(BudgetError, match="expected k of at least 5, the number of directions, got 3"):
        volume(x, 3)
    with pytest.raises(BudgetError, match="at least 1"):
        volume(x, 0, directions=1)
    with pytest.raises(InputError, match="not all zeros"):
        volume(0 * x, 3)
    with pytest.raises(OptionError, match="directions"):
        Volume(directions=0)
