"""The search for QuaDMix's parameters: random ones, a regression on proxies trained by the user, the mean of the best.

`draw` gives random parameters; the user trains a small model on the choice that each of them makes and tells its loss
on the target; `search` fits a regression to these pairs, predicts the loss of many more random parameters, takes the
mean of the best few and predicts that again: the mean of good parameters need not be good.

Source: QuaDMix (2025): 3,000 proxies, LightGBM, 100,000 random parameters, the mean of the best 10. The paper does not
say how weights are drawn; ours: from Dirichlet(1) over the signals, and for each domain from a Dirichlet around that.
Ours too: the losses held out are seen by nothing but the rank correlation that is reported, the fit stops on no loss,
and the last fit, with all pairs, is done with what was set before. The regression of the core is a ridge on parameters
and their squares; LightGBM is an extra.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import gammaincinv
from scipy.stats import spearmanr

from tamis.errors import InputError, OptionError, missing_extra
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import check_amount

__all__ = ["Found", "Regressor", "Ridge", "draw", "proxies", "search", "theta_text"]

_Floats = NDArray[np.float64]
_TOP = np.array([1000.0, 0.1, 1.0, 1e-3])  # slope, omega, eta, epsilon are uniform from 0 to these


class Regressor(Protocol):
    """Anything with `fit` and `predict`, such as those of scikit-learn."""

    def fit(self, x: _Floats, y: _Floats) -> Any:
        """Learn from `n x p` parameters and `n` losses."""

    def predict(self, x: _Floats) -> Any:
        """Return the losses (`n`) of `n x p` parameters."""


class Ridge:
    """Least squares on the parameters, standardised, and their squares, with `penalty` a pair on their weights."""

    def __init__(self, penalty: float = 1e-3) -> None:
        self.penalty = penalty

    def fit(self, x: _Floats, y: _Floats) -> Ridge:
        """Learn from `n x p` parameters and `n` losses."""
        self._mean, spread = x.mean(axis=0), x.std(axis=0)
        self._spread = np.where(spread > 1e-12, spread, 1.0)
        self._base = float(y.mean())
        a = self._features(x)
        self._middle = a.mean(axis=0)
        a = a - self._middle
        # einsum adds up in one order; a library's matrix product depends on threads.
        square = np.einsum("ni,nj->ij", a, a) + self.penalty * len(x) * np.eye(a.shape[1])
        self._weights = cho_solve(cho_factor(square), np.einsum("ni,n->i", a, y - self._base))
        return self

    def predict(self, x: _Floats) -> _Floats:
        """Return the losses (`n`) of `n x p` parameters."""
        return np.asarray(self._base + np.einsum("ni,i->n", self._features(x) - self._middle, self._weights))

    def _features(self, x: _Floats) -> _Floats:
        z = (x - self._mean) / self._spread
        return np.concatenate([z, z * z], axis=1)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found, for `m` signals and `c` domains.

    Attributes
    ----------
    theta : float64 array of shape (c, m + 4)
        The mean of the best: a domain's weights, slope, omega, eta and epsilon.
    predicted : float
        Its loss, predicted for itself.
    best : float64 array of shape (b, c, m + 4)
        The parameters of the least predicted losses, the least first.
    best_predicted : float64 array of shape (b,)
        Their losses, as predicted: lower than they will be, as they are the least of many.
    correlation : float
        Spearman's, between predicted and true losses of the pairs held out; NaN where all are the same.
    held_out : int
        How many pairs those are.
    """

    theta: _Floats
    predicted: float
    best: _Floats
    best_predicted: _Floats
    correlation: float
    held_out: int


def draw(count: int, signals: int, domains: int = 1, seed: int = 0, *, purpose: str = "proxies") -> _Floats:
    """Return `count` random parameters, `count x domains x (signals + 4)`: weights, slope, omega, eta, epsilon.

    Parameter `i` is the same however many are drawn, and differs with `purpose`.

    Raises
    ------
    BudgetError
        A number that is no whole one of at least 1.
    """
    count, m, c = check_amount(count, "count"), check_amount(signals, "signals"), check_amount(domains, "domains")
    width = m + c * (m + 4)
    keys = np.stack([np.repeat(np.arange(count), width), np.tile(np.arange(width), count)], axis=1).astype(np.uint64)
    u = np.asarray(uniforms(keys, salt(seed, f"quadmix search: {purpose}"))).reshape(count, width)
    common = -np.log(u[:, :m])
    common /= common.sum(axis=1, keepdims=True)
    own = u[:, m:].reshape(count, c, m + 4)
    # A Dirichlet is gamma variates over their sum; shapes add up to m, so one of them is at least 1 and not all vanish.
    weights = gammaincinv(m * common[:, None, :], own[:, :, :m])
    weights /= weights.sum(axis=2, keepdims=True)
    return np.concatenate([weights, own[:, :, m:] * _TOP], axis=2)


def theta_text(theta: Any, domains: Sequence[str]) -> str:
    """Return parameters (`c x (m + 4)`) of `c` domains as the JSON that the method's option `theta` takes."""
    theta = np.asarray(theta, np.float64)
    if theta.ndim != 2 or len(theta) != len(domains):
        raise InputError(f"theta: expected {len(domains)} x (m + 4) numbers, got an array of shape {theta.shape}.")
    names = ("slope", "omega", "eta", "epsilon")
    rows = {
        name: {"weights": row[:-4], **dict(zip(names, row[-4:], strict=True))}
        for name, row in zip(domains, theta.tolist(), strict=True)
    }
    return json.dumps(rows)


def proxies(theta: _Floats, loss: Callable[[_Floats], float]) -> _Floats:
    """Return the loss of each of `theta` (`n x c x (m + 4)`), from `loss`, which trains a proxy and measures it."""
    return np.array([float(loss(one)) for one in theta])


def search(
    theta: Any,
    losses: Any,
    *,
    regressor: str | Callable[[], Regressor] = "ridge",
    candidates: int = 100_000,
    best: int = 10,
    held_out: float = 1 / 15,
    seed: int = 0,
) -> Found:
    """Return the parameters that a regression on `theta` (`n x c x (m + 4)`) and `losses` (`n`) predicts to be best.

    `regressor` is "ridge", "lightgbm", or makes an object with `fit` and `predict`: one for the pairs not held out, a
    fresh one for all.

    Raises
    ------
    InputError
        Other shapes, a number that is not finite, fewer than 4 pairs.
    OptionError
        Another regressor, `held_out` outside (0, 1).
    UserError
        LightGBM is not installed.
    """
    theta, y = np.asarray(theta, np.float64), np.asarray(losses, np.float64)
    if theta.ndim != 3 or theta.shape[2] < 5 or y.shape != (len(theta),) or len(y) < 4:
        raise InputError(
            f"quadmix search: expected n x c x (m + 4) parameters and n losses, n at least 4, got {theta.shape} and"
            f" {y.shape}."
        )
    if not np.isfinite(theta).all() or not np.isfinite(y).all():
        at = int(np.argmax(~np.isfinite(theta).all(axis=(1, 2)) | ~np.isfinite(y)))
        raise InputError(f"quadmix search: expected finite parameters and losses, got others at pair {at}.")
    if not 0 < held_out < 1:
        raise OptionError(f"quadmix search, held_out: expected a share above 0 and below 1, got {held_out!r}.")
    make, n = _maker(regressor), len(y)
    x = theta.reshape(n, -1)
    keys = np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)
    order = np.argsort(uniforms(keys, salt(seed, "quadmix search: held out")), kind="stable")
    count = min(n - 2, max(2, round(held_out * n)))
    out, rest = np.sort(order[:count]), np.sort(order[count:])
    first = make()
    first.fit(x[rest], y[rest])
    correlation = _correlation(np.asarray(first.predict(x[out]), np.float64), y[out])
    last = make()
    last.fit(x, y)
    many = draw(candidates, theta.shape[2] - 4, theta.shape[1], seed, purpose="candidates")
    told = np.asarray(last.predict(many.reshape(len(many), -1)), np.float64)
    rows = np.argsort(told, kind="stable")[: check_amount(best, "best")]
    mean = many[rows].mean(axis=0)
    predicted = float(np.asarray(last.predict(mean.reshape(1, -1)))[0])
    return Found(mean, predicted, many[rows], told[rows], correlation, count)


def _correlation(a: _Floats, b: _Floats) -> float:
    return float(spearmanr(a, b).statistic) if np.ptp(a) and np.ptp(b) else float("nan")


def _maker(regressor: str | Callable[[], Regressor]) -> Callable[[], Regressor]:
    if callable(regressor):
        return regressor
    if regressor == "ridge":
        return Ridge
    if regressor != "lightgbm":
        raise OptionError(f"quadmix search, regressor: expected ridge, lightgbm or a callable, got {regressor!r}.")
    try:
        import lightgbm
    except ImportError as error:
        raise missing_extra("lightgbm", "lightgbm", "a search with LightGBM") from error
    return lambda: _Boosted(lightgbm)


class _Boosted:
    """Trees of LightGBM, a fixed number: no early stopping, as the pairs held out are for the correlation alone.

    Its own interface: the one with `fit` and `predict` needs scikit-learn.
    """

    def __init__(self, lightgbm: Any) -> None:
        self.lightgbm = lightgbm

    def fit(self, x: _Floats, y: _Floats) -> None:
        options = {
            "objective": "regression", "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 10,
            "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 0, "verbose": -1,
        }  # fmt: skip
        self.booster = self.lightgbm.train(options, self.lightgbm.Dataset(x, y), num_boost_round=400)

    def predict(self, x: _Floats) -> Any:
        return self.booster.predict(x, num_threads=1)
