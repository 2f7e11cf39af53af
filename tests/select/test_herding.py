"""Kernel herding: by hand, the published rule, the discrepancy beside random, its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.herding import Herding, herding
from tamis.select.steps.embedding import Embedding

_Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def gram(x: NDArray[np.float32], kernel: str, gamma: float | None = None) -> _Floats:
    """Return the kernel of all rows with all, as defined."""
    wide = x.astype(np.float64)
    if kernel == "cosine":
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    if kernel == "linear":
        wide = wide / np.sqrt((wide**2).sum(axis=1).mean())
    if kernel != "rbf":
        return np.asarray(wide @ wide.T)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-(gamma or 1 / apart.mean()) * apart))


def mmd(k: _Floats, rows: list[int]) -> float:
    return float(np.sqrt(max(k[np.ix_(rows, rows)].mean() - 2 * k[rows].mean() + k.mean(), 0)))


def reference(k: _Floats, count: int, repeats: bool) -> list[int]:
    """The published weights: w += mean - feature, the next is argmax <w, feature>; in the kernel's own space."""
    weights, picks = k.mean(axis=1), []
    for _ in range(count):
        value = weights.copy()
        if not repeats:
            value[picks] = -np.inf
        picks.append(int(np.argmax(value)))
        weights = weights + k.mean(axis=1) - k[:, picks[-1]]
    return picks


def test_by_hand() -> None:
    """Vectors at 0, 0, 0 and 90 degrees: mean likeness 3/4, 3/4, 3/4, 1/4.

    First 0. Then 3/4 - 1/2 = 1/4 for 0 and 1/4 - 0 for 90, a tie: the lower, which is 1. Then 3/4 - 2/3 and 1/4: 90.
    The mean of these three is (2/3, 1/3), that of all (3/4, 1/4): 1/12 off along both axes.
    """
    x = np.array([[1, 0], [2, 0], [5, 0], [0, 1]], np.float32)
    assert herding(x, 4, keys=in_place(4)).tolist() == [0, 1, 3, 2]
    assert herding(x, 4, keys=in_place(4), repeats=True).tolist() == [0, 0, 3, 0]
    chosen = Herding().select(Pool(in_place(4), {"vectors": x}), Constraints(Budget("rows", 3)))
    assert chosen.facts["discrepancy"] == pytest.approx(np.sqrt(2) / 12)
    assert chosen.facts["at_random"] == pytest.approx(np.sqrt((1 - 10 / 16) / 3 / 3))
    assert chosen.score[[0, 1, 3]].tolist() == pytest.approx([3 / 4, 1 / 4, 1 / 4])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from(["cosine", "linear", "rbf"]), st.booleans())
def test_the_picks_are_those_of_the_published_weights(seed: int, n: int, kernel: str, repeats: bool) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(0.5, 1, (n, 5)).astype(np.float32)
    k = gram(x, kernel)
    count = max(1, n // 2)
    found = herding(x, count, kernel=kernel, repeats=repeats, keys=in_place(n)).tolist()
    wanted = reference(k, count, repeats)
    if found != wanted:  # a tie up to rounding: then what was chosen is as good
        at = next(i for i in range(count) if found[i] != wanted[i])
        value = k.mean(axis=1) - k[:, wanted[:at]].sum(axis=1) / (at + 1)
        assert value[found[at]] == pytest.approx(value[wanted[at]], abs=1e-6)


@pytest.mark.parametrize("kernel", ["cosine", "linear", "rbf"])
def test_the_discrepancy_is_that_of_its_definition(kernel: str) -> None:
    random = np.random.default_rng(3)
    x = random.normal(0.3, 1, (1500, 7)).astype(np.float32)  # more than a tile
    k, rows = gram(x, kernel), sorted(random.permutation(1500)[:40].tolist())
    found = Embedding(x, kernel, None, in_place(1500))
    assert found.mean == pytest.approx(k.mean(axis=1), abs=1e-6)
    assert found.size == pytest.approx(k.mean(), abs=1e-6)
    assert found.column(7) == pytest.approx(k[:, 7], abs=1e-6)
    assert found.discrepancy(np.array(rows)) == pytest.approx(mmd(k, rows), abs=1e-5)
    seen = np.mean([mmd(k, random.permutation(1500)[:40].tolist()) ** 2 for _ in range(400)])
    assert found.at_random(40) == pytest.approx(np.sqrt(seen), rel=0.05)


def test_a_function_of_the_features_is_averaged_better_than_by_random_records() -> None:
    """The discrepancy falls by more than the square root: from 20 to 320 chosen to a tenth of what random ones have."""
    random = np.random.default_rng(0)
    x = (random.normal(size=(3000, 6)) + 2 * np.eye(6)[random.integers(0, 6, 3000)]).astype(np.float32)
    for kernel in ("cosine", "linear", "rbf"):
        found = Embedding(x, kernel, None, in_place(3000))
        order = herding(x, 320, kernel=kernel, keys=in_place(3000))
        share = [found.discrepancy(order[:k]) / found.at_random(k) for k in (20, 80, 320)]
        assert share[0] < 0.7
        assert share[1] < share[0]
        assert share[2] < (0.1 if kernel != "rbf" else 0.45)  # rbf has directions without end
        again = herding(x, 320, kernel=kernel, repeats=True, keys=in_place(3000))
        assert found.discrepancy(again) < 0.45 * found.at_random(320)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["cosine", "rbf"]))
def test_the_bound_with_repeats(seed: int, kernel: str) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(random.uniform(0, 2), 1, (40, 4)).astype(np.float32)
    k = gram(x, kernel)
    order = herding(x, 60, kernel=kernel, repeats=True, keys=in_place(40)).tolist()
    assert all(mmd(k, order[:t]) <= 2 / np.sqrt(t) + 2 / t for t in range(1, 61))


def test_a_reference_stands_for_the_pool() -> None:
    random = np.random.default_rng(5)
    x = random.normal(0.5, 1, (3000, 4)).astype(np.float32)
    whole, part = (Embedding(x, "rbf", None, in_place(3000), r) for r in (3000, 600))
    assert np.abs(whole.mean - part.mean).max() < 0.05
    chosen = herding(x, 50, kernel="rbf", reference=600, keys=in_place(3000))
    assert whole.discrepancy(chosen) < 0.6 * whole.at_random(50)
    assert part.evaluated == 3000 * 600


def test_order_pins_zeros_and_bad_input() -> None:
    random = np.random.default_rng(6)
    x = random.normal(0.5, 1, (90, 4)).astype(np.float32)
    turned = random.permutation(90)
    for kernel in ("cosine", "rbf"):
        assert turned[herding(x[turned], 20, kernel=kernel)].tolist() == herding(x, 20, kernel=kernel).tolist()
    x[4] = 0
    keep = np.zeros(90, bool)
    keep[[4, 7]] = True
    chosen = Herding().select(Pool(in_place(90), {"vectors": x}), Constraints(Budget("rows", 5), keep=keep))
    assert set(chosen.rows[:2].tolist()) == {4, 7}
    k = np.delete(np.delete(gram(x + (x == 0), "cosine"), 4, 0), 4, 1)  # without the row of zeros
    third = int(np.argmax(np.where(np.arange(89) == 6, -np.inf, k.mean(axis=1) - k[:, 6] / 2)))
    assert chosen.rows[2] == third + (third >= 4)
    chosen = Herding().select(Pool(in_place(90), {"vectors": x}), Constraints(Budget("rows", 90)))
    assert chosen.reasons[chosen.reason[4]] == "herding: no vector (all zeros)"
    assert herding(np.zeros((3, 2)), 2).tolist() == []
    with pytest.raises(BudgetError):
        herding(x, 0)
    with pytest.raises(OptionError, match="kernel"):
        herding(x, 3, kernel="laplace")
    with pytest.raises(InputError, match="n x d"):
        herding([1.0, 2.0], 1)
