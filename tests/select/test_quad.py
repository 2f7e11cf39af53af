"""QuaD: a bandit that learns, asks about few, and obeys the budget; influence through a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tamis.errors import InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.quad import Quad, quad
from tamis.select.steps.bandit import Bandit
from tamis.select.steps.kfac import kfac_influence

MEANS = np.array([0.2, 0.3, 0.5, 0.6, 0.9])


def keys_of(n: int) -> np.ndarray:
    return np.stack([np.zeros(n), np.arange(n)], axis=1).astype(np.uint64)


def corners(*sizes: int) -> np.ndarray:
    """Return records near the axes, so many at each: clusters nobody can miss."""
    x = np.repeat(10 * np.eye(len(sizes)), sizes, axis=0)
    return (x + np.random.default_rng(0).normal(0, 0.1, x.shape)).astype(np.float32)


# --- the bandit


def played(width: float, pulls: int, seed: int) -> np.ndarray:
    """Return the regret after each of so many pulls of Gaussian arms (standard deviation 1/2)."""
    random, bandit, every = np.random.default_rng(seed), Bandit(5, seed=seed, width=width, start=0.5), np.ones(5, bool)
    noise, out = random.normal(0, 0.5, pulls), np.empty(pulls)
    for i in range(pulls):
        arm = bandit.pick(every)
        bandit.pulled(arm, MEANS[arm] + noise[i])
        out[i] = MEANS.max() - MEANS[arm[0]]
    return np.cumsum(out)


def test_regret_grows_like_the_logarithm() -> None:
    """UCB1: at most 8 log(t) times the sum of 1 / gap, and a bit; each doubling of t adds the same, not the double."""
    regret = np.mean([played(1.0, 3200, seed) for seed in range(8)], axis=0)
    gaps = MEANS.max() - MEANS[:-1]
    at = np.array([200, 400, 800, 1600, 3200])
    assert (regret[at - 1] <= 8 * np.log(at) * (1 / gaps).sum() + (1 + np.pi**2 / 3) * gaps.sum()).all()
    added = np.diff(regret[at - 1])
    assert added.max() <= 3 * added.min()  # were it linear, 8 times
    assert regret[-1] < 0.15 * gaps.mean() * 3200  # pulls at random would lose over six times that


def test_all_arms_are_visited_and_without_width_it_is_greedy() -> None:
    """With a width every arm is pulled; with none the one that is best so far, whatever the others might be."""
    bandit, every = Bandit(30, width=1.0), np.ones(30, bool)
    for _ in range(300):
        arm = bandit.pick(every)
        bandit.pulled(arm, np.array([1.0 if arm[0] == 7 else 0.0]))
    assert (bandit.pulls > 0).all()
    assert bandit.pulls.argmax() == 7
    greedy = Bandit(3, width=0.0, start=0.5)
    first = greedy.pick(np.ones(3, bool))
    greedy.pulled(first, np.array([1.0]))
    for _ in range(20):
        assert greedy.pick(np.ones(3, bool)).tolist() == first.tolist()
        greedy.pulled(first, np.array([0.9]))
    assert greedy.pulls[first] == 21
    assert greedy.bounds().tolist() == greedy.means().tolist()


def test_bounds_by_hand() -> None:
    """Two arms, rewards 1 and 0 with a virtual 1/2 each: means 3/4 and 1/4, four pulls in all, two of each."""
    bandit = Bandit(2, width=0.1, start=0.5)
    bandit.pulled(np.array([0, 1]), np.array([1.0, 0.0]))
    assert bandit.means().tolist() == [0.75, 0.25]
    assert np.allclose(bandit.bounds() - bandit.means(), 0.1 * np.sqrt(2 * np.log(4) / 2))
    assert bandit.pick(np.array([False, True]), 5).tolist() == [1]


# --- the method


def test_it_finds_the_good_cluster_and_asks_about_few() -> None:
    """One of 20 corners is good: most of 100 records come from it, and few records are asked about."""
    x, value = corners(*[200] * 20), np.random.default_rng(1).normal(0, 1, 4000)
    value[1400:1600] += 6
    rows, looked = quad(x, 100, value, clusters=20, arms=5, gamma=4, tau=0.9)
    assert len(set(rows.tolist())) == 100
    assert ((rows >= 1400) & (rows < 1600)).mean() > 0.6  # by chance 0.05
    assert len(looked) < 800
    assert set(rows.tolist()) <= set(looked.tolist())
    assert len(np.unique(looked // 200)) == 20  # every corner was looked into
    _, greedy = quad(x, 100, value, clusters=20, arms=5, gamma=4, alpha=0, seed=1)
    assert len(np.unique(greedy // 200)) < 20  # greedy stays where it was good at first


def test_a_function_is_asked_once_about_each_and_only_about_what_may_be_taken() -> None:
    x, asked = corners(50, 50), []

    def score(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return np.sin(rows)

    source = Groups.of(np.array(["a", "b"], object)[np.arange(100) % 2])
    keep, drop = np.isin(np.arange(100), [3]), np.isin(np.arange(100), [4, 60])
    pool = Pool(keys_of(100), {"vectors": x, "order": np.arange(100)})
    constraints = Constraints(Budget("rows", 20), None, [Quota.parse("source=a<=20%")], {"source": source}, keep, drop)
    method = Quad(score=score, clusters=2, arms=2, gamma=3)
    chosen = method.select(pool, constraints, seed=2)
    assert len(asked) == len(set(asked)) == method.operations() == chosen.facts["asked"]
    assert not {3, 4, 60} & set(asked)
    assert len(chosen) == 20
    assert (source.codes[chosen.rows] == 0).sum() == 4
    others = chosen.rows[chosen.rows != 3]
    assert (chosen.score[others] > chosen.facts["tau"]).all()
    assert chosen.facts["unasked"] == 1  # the one that must be kept
    by_signal = Quad(influence="value", clusters=2, arms=2, gamma=3)
    same = by_signal.select(Pool(pool.keys, {"vectors": x, "value": np.sin(np.arange(100))}), constraints, seed=2)
    assert same.rows.tolist() == chosen.rows.tolist()


def test_when_all_was_asked_the_best_below_follow_and_no_more_than_allowed_is_asked() -> None:
    """Nine of ten: the five above the median, and the four best below. Of half a pool asked about, half is taken."""
    x, value = corners(10), np.arange(10.0)
    rows, looked = quad(x, 9, value, clusters=1)
    assert sorted(rows.tolist()) == list(range(1, 10))
    assert len(looked) == 10
    rows, looked = quad(corners(100, 100), 120, np.random.default_rng(0).random(200), clusters=2, most=0.3, gamma=7)
    assert len(looked) == 60
    assert len(rows) == 120
    assert set(looked.tolist()) < set(rows.tolist())


def test_where_the_first_rounds_are_all_alike_it_looks_elsewhere() -> None:
    """One corner of ten is worth something, and two are looked into a round: it is found before others run dry."""
    rows, looked = quad(corners(*[100] * 10), 30, lambda rows: (rows // 100 == 7) * 1.0, clusters=10, arms=2, gamma=5)
    assert (rows // 100 == 7).all()
    assert len(looked) < 250


def test_the_order_of_rows_does_not_matter() -> None:
    x, value, keys = corners(60, 60, 60), np.random.default_rng(2).normal(size=180), keys_of(180)
    turned = np.random.default_rng(3).permutation(180)
    first, _ = quad(x, 30, value, clusters=3, gamma=5, keys=keys)
    again, _ = quad(x[turned], 30, value[turned], clusters=3, gamma=5, keys=keys[turned])
    assert turned[again].tolist() == first.tolist()


def test_what_is_missing_and_what_is_wrong() -> None:
    x = corners(5, 5)
    x[1] = 0
    value = np.arange(10.0)
    value[7] = np.nan
    pool = Pool(keys_of(10), {"vectors": x, "v": value})
    chosen = Quad(influence="v").select(pool, Constraints(Budget("rows", 10)))
    assert [chosen.reasons[chosen.reason[i]] for i in (1, 7)] == [
        "quad: no vector (all zeros)",
        "quad: no influence (NaN)",
    ]
    with pytest.raises(OptionError, match=r"in Python a function that computes them.*got neither"):
        Quad()
    with pytest.raises(OptionError, match="got both"):
        Quad(influence="v", score=len)
    with pytest.raises(OptionError, match="option 'score': expected a function, which only Python can give, got 'f'"):
        Quad(score="f")
    with pytest.raises(InputError, match=r"expected 10 numbers from the function.*array of shape \(\)"):
        quad(corners(5, 5), 2, lambda rows: 3.0, clusters=2)
    with pytest.raises(InputError, match="influence: expected 10 numbers, one a row"):
        quad(x, 2, np.ones(4))


# --- influence through a layer


def layer(seed: int = 0, p: int = 4, q: int = 6) -> tuple[Any, ...]:
    """Return inputs and gradients in which every input meets every gradient, so that they are independent."""
    random = np.random.default_rng(seed)
    a, d = random.normal(size=(9, p)), random.normal(size=(11, q))
    return np.repeat(a, 11, axis=0), np.tile(d, (9, 1)), random.normal(size=(5, p)), random.normal(size=(5, q))


def dense(a: Any, d: Any, ra: Any, rd: Any, damping: float) -> np.ndarray:
    """Return influences by the whole matrix, 24 x 24: the mean of the products of the gradients, and its inverse."""
    grads = np.einsum("nq,np->nqp", d, a).reshape(len(a), -1)
    fisher = grads.T @ grads / len(a)
    scale = np.trace(fisher) / len(fisher)
    wanted = np.einsum("nq,np->nqp", rd, ra).reshape(len(ra), -1).mean(axis=0)
    return np.asarray(grads @ np.linalg.solve(fisher + damping * scale * np.eye(len(fisher)), wanted))


def test_kronecker_influence_against_the_dense_inverse() -> None:
    """A 6 x 4 layer with independent inputs and errors: equal without damping; with it only where products are damped.

    Damping each factor, as K-FAC does, is the inverse of another matrix.
    """
    given = layer()
    for damp in ("products", "factors"):
        assert np.allclose(kfac_influence(*given, damping=0.0, damp=damp), dense(*given, 0.0))
    for damping in (0.01, 1.0):
        assert np.allclose(kfac_influence(*given, damping=damping), dense(*given, damping))
        assert not np.allclose(
            kfac_influence(*given, damping=damping, damp="factors"), dense(*given, damping), rtol=0.01
        )


def test_a_step_on_a_record_lowers_the_reference_loss_by_its_influence() -> None:
    """A layer's squared loss: a step along -(H + lambda I)^-1 g(z) changes the reference's loss by -influence."""
    random = np.random.default_rng(3)
    weights, x, y = random.normal(size=(3, 5)), random.normal(size=(40, 5)), random.normal(size=(40, 3))
    rx, ry = random.normal(size=(20, 5)), random.normal(size=(20, 3))

    def loss(w: np.ndarray) -> float:
        return float(((rx @ w.T - ry) ** 2).sum(axis=1).mean() / 2)

    errors, damping = x @ weights.T - y, 0.1
    found = kfac_influence(x, errors, rx, rx @ weights.T - ry, damping=damping)
    a, d = x.T @ x / 40, errors.T @ errors / 40
    matrix = np.kron(d, a)
    matrix += damping * np.trace(matrix) / 15 * np.eye(15)
    for z in (0, 7, 23):
        step = np.linalg.solve(matrix, np.outer(errors[z], x[z]).ravel()).reshape(3, 5)
        slope = (loss(weights + 1e-6 * step) - loss(weights - 1e-6 * step)) / 2e-6
        assert -slope == pytest.approx(-found[z], rel=1e-5)


def test_a_few_at_a_time_are_measured_by_the_same_factors() -> None:
    a, d, ra, rd = layer(2)
    found = [kfac_influence(a[i : i + 9], d[i : i + 9], ra, rd, factors=(a, d)) for i in range(0, 99, 9)]
    assert np.allclose(np.concatenate(found), kfac_influence(a, d, ra, rd))
    with pytest.raises(
        InputError, match="expected a sample for the factors as wide as the records, 4 and 6, got 3 and 6"
    ):
        kfac_influence(a, d, ra, rd, factors=(a[:, :3], d))


def test_documents_count_by_their_mean() -> None:
    """A document twice as long, of the same tokens, has the same influence."""
    a, d, ra, rd = layer(1)
    one = kfac_influence(a, d, ra, rd)
    document = np.arange(99) // 33
    assert np.allclose(kfac_influence(a, d, ra, rd, documents=document), one.reshape(3, 33).mean(axis=1))


def test_layers_that_do_not_fit() -> None:
    a, d, ra, rd = layer()
    with pytest.raises(
        InputError, match=r"expected n x p and n x q numbers, got arrays of shape \(99, 4\) and \(9, 6\)"
    ):
        kfac_influence(a, d[:9], ra, rd)
    with pytest.raises(InputError, match="expected a reference as wide as the records, 4 and 6, got 4 and 2"):
        kfac_influence(a, d, ra, rd[:, :2])
    with pytest.raises(InputError, match="expected finite numbers, got others in row 2"):
        kfac_influence(np.where(np.arange(99)[:, None] == 2, np.nan, a), d, ra, rd)
    with pytest.raises(InputError, match="expected factors of full rank where the damping is 0"):
        kfac_influence(a * [1, 0, 1, 1], d, ra, rd, damping=0)
    with pytest.raises(InputError, match="expected rows of each, got none of document 1"):
        kfac_influence(a, d, ra, rd, documents=2 * (np.arange(99) // 50))
    with pytest.raises(OptionError, match="expected a damping of at least 0"):
        kfac_influence(a, d, ra, rd, damping=-1)
