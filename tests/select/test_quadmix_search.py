"""The search for QuaDMix's parameters: draws, a planted optimum, held-out pairs that nothing sees."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tamis.errors import BudgetError, InputError, OptionError, UserError
from tamis.select.quadmix import Quadmix
from tamis.select.steps.quadmix_search import Ridge, draw, proxies, search, theta_text

SCALE = np.array([1, 1, 1000, 0.1, 1, 1e-3])
PLANTED = np.array([[0.7, 0.3, 300, 0.06, 0.4, 5e-4], [0.2, 0.8, 700, 0.03, 0.6, 5e-4]])


def loss(theta: np.ndarray) -> float:
    """Squared distance to what is planted, each parameter by its range."""
    return float((((theta - PLANTED) / SCALE) ** 2).sum())


def test_draws_are_in_their_ranges_and_counted() -> None:
    found = draw(4000, 3, 2, seed=1)
    assert found.shape == (4000, 2, 7)
    assert np.allclose(found[:, :, :3].sum(axis=2), 1)
    assert (found >= 0).all()
    for column, top in enumerate((1000, 0.1, 1, 1e-3), 3):
        assert found[:, :, column].max() < top
        assert found[:, :, column].mean() == pytest.approx(top / 2, rel=0.03)
    assert np.allclose(found[:, :, :3].mean(axis=(0, 1)), 1 / 3, atol=0.01)
    assert draw(7, 3, 2, seed=1).tobytes() == found[:7].tobytes()
    assert not np.array_equal(draw(7, 3, 2, seed=2), found[:7])
    # Domains share what is common: their weights agree more than those of two draws.
    together = np.abs(found[:, 0, :3] - found[:, 1, :3]).sum(axis=1).mean()
    assert together < 0.9 * np.abs(found[1:, 0, :3] - found[:-1, 0, :3]).sum(axis=1).mean()


def test_a_planted_optimum_is_found() -> None:
    """400 proxies: the mean of the best predicted lies nearer to it than any of 400 drawn, and re-predicts as low."""
    theta = draw(400, 2, 2)
    losses = proxies(theta, loss) + np.random.default_rng(0).normal(0, 0.02, 400)
    found = search(theta, losses, candidates=20_000)
    assert found.correlation > 0.95
    assert found.held_out == 27
    assert loss(found.theta) < min(map(loss, theta))
    assert loss(found.theta) < 0.15 < np.mean([loss(one) for one in theta])
    assert found.predicted == pytest.approx(loss(found.theta), abs=0.1)
    assert found.best.shape == (10, 2, 6)
    assert (np.diff(found.best_predicted) >= 0).all()
    assert np.allclose(found.theta, found.best.mean(axis=0))


@pytest.mark.peers
def test_lightgbm_finds_it_too() -> None:
    pytest.importorskip("lightgbm")
    theta = draw(600, 2, 2)
    losses = proxies(theta, loss) + np.random.default_rng(0).normal(0, 0.02, 600)
    found = search(theta, losses, regressor="lightgbm", candidates=20_000)
    assert found.correlation > 0.8
    assert loss(found.theta) < np.quantile([loss(one) for one in theta], 0.02)


def test_noise_has_no_correlation_and_the_held_out_are_seen_by_nothing() -> None:
    theta = draw(600, 2)
    seen: list[np.ndarray] = []

    class Watched(Ridge):
        def fit(self, x: np.ndarray, y: np.ndarray) -> Ridge:
            seen.append(y)
            return super().fit(x, y)

    noise = np.random.default_rng(3).normal(size=600)
    found = search(theta, noise, regressor=Watched, candidates=100, held_out=0.5)
    assert abs(found.correlation) < 0.2
    first, last = seen
    assert (len(first), len(last), found.held_out) == (300, 600, 300)
    changed = np.where(np.isin(noise, first), noise, 100.0)  # other losses held out: the first fit is the same
    search(theta, changed, regressor=Watched, candidates=100, held_out=0.5)
    assert np.array_equal(seen[2], first)


def test_the_mean_of_the_best_is_predicted_again() -> None:
    """Two valleys with a hill between: the best lie in both, their mean on the hill, and the prediction says so."""

    class Valleys:
        def fit(self, x: np.ndarray, y: np.ndarray) -> None: ...

        def predict(self, x: np.ndarray) -> np.ndarray:
            return -np.abs(x[:, 3] / 0.1 - 0.5)  # with omega near 0 or 0.1 it is low

    found = search(draw(30, 2), np.arange(30.0), regressor=Valleys, candidates=5000, best=200)
    assert found.best_predicted.max() < -0.45
    assert found.predicted > -0.2


def test_what_is_found_is_an_option_of_the_method() -> None:
    text = theta_text(PLANTED, ["web", "code"])
    method = Quadmix(signals="a,b", domains="d", theta=text)
    assert method.shapes["code"].weights == (0.2, 0.8)
    assert method.shapes["web"].omega == 0.06
    assert json.loads(text)["code"]["slope"] == 700


def test_bad_input_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    theta, losses = draw(9, 2), np.arange(9.0)
    with pytest.raises(BudgetError, match="signals: expected a whole number"):
        draw(3, 0)
    with pytest.raises(InputError, match=r"got \(9, 1, 6\) and \(8,\)"):
        search(theta, losses[:8])
    with pytest.raises(InputError, match="others at pair 4"):
        search(theta, np.where(losses == 4, np.nan, losses))
    with pytest.raises(OptionError, match="expected ridge, lightgbm or a callable, got 'forest'"):
        search(theta, losses, regressor="forest")
    with pytest.raises(OptionError, match="held_out: expected a share above 0 and below 1, got 1"):
        search(theta, losses, held_out=1)
    with pytest.raises(InputError, match=r"theta: expected 3 x \(m \+ 4\)"):
        theta_text(PLANTED, ["a", "b", "c"])
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UserError, match=r"pip install 'tamis\[lightgbm\]'"):
        search(theta, losses, regressor="lightgbm")
