"""Beside coreax: the same herding, the same halves from the same coins, the same exchange; and sums that ours keep.

coreax computes in single precision on many threads of its own, so it runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tamis.select.herding import herding
from tamis.select.steps import halving
from tamis.select.steps.embedding import Embedding
from tamis.select.steps.halving import Halver
from tamis.select.steps.summaries import caratheodory
from tamis.select.thinning import thinning

pytestmark = pytest.mark.peers

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

SCRIPT = """
import sys
import jax
import numpy as np
from coreax import Data
from coreax.coreset import Coresubset
from coreax.kernels import SquaredExponentialKernel
from coreax.solvers import CaratheodoryRecombination, KernelHerding, KernelThinning, TreeRecombination

given = np.load(sys.argv[1])
x, out = given["x"], {}
kernel = SquaredExponentialKernel(length_scale=float(1 / np.sqrt(2 * given["gamma"])))
rows = lambda found: np.asarray(found.unweighted_indices).astype(np.int64)
for name, unique in (("once", True), ("repeats", False)):
    out[name] = rows(KernelHerding(100, kernel, unique=unique).reduce(Data(x))[0])
start = Coresubset(Data(np.asarray(given["start"])), Data(x))
out["exchanged"] = rows(KernelHerding(len(given["start"]), kernel).refine(start)[0])
thinner = lambda n, k, seed: KernelThinning(k, kernel, jax.random.key(seed), 0.5 / n, kernel)
for seed in range(2):
    out[f"thinned {seed}"] = rows(thinner(len(x), 64, seed).reduce(Data(x))[0])
first, second = thinner(256, 128, 7).kt_half(Data(x[:256]))
out["left"], out["right"] = rows(first), rows(second)
coins, key = [], jax.random.key(7)
for _ in range(128):
    one, key = jax.random.split(key)
    coins.append(float(jax.random.uniform(one)))
out["coins"] = np.array(coins)
for name in ("plain", "scaled", "far"):
    for how, solver in (("whole", CaratheodoryRecombination), ("tree", TreeRecombination)):
        found = solver(test_functions=None, mode="explicit").reduce(Data(given[name]))[0]
        out[f"{name} {how} rows"] = rows(found)
        out[f"{name} {how} weights"] = np.asarray(found.indices.weights).astype(np.float64)
jax.config.update("jax_enable_x64", True)
try:
    thinner(64, 16, 0).reduce(Data(x[:64].astype(np.float64)))
    out["double"] = np.array("")
except TypeError as error:
    out["double"] = np.array(str(error))
np.savez(sys.argv[2], **out)
"""


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def blobs(n: int) -> NDArray[np.float32]:
    random = np.random.default_rng(11)
    centres = 2 * random.normal(size=(8, 6))
    return (centres[random.integers(0, 8, n)] + random.normal(size=(n, 6))).astype(np.float32)


def points() -> dict[str, _Floats]:
    """Return rows of five numbers: as they are, one of them a millionth as large, and far from 0."""
    plain = np.random.default_rng(1).normal(size=(300, 5))
    return {"plain": plain, "scaled": plain * np.array([1, 1, 1, 1, 1e-6]), "far": plain + 1000}


X = blobs(512)
WIDE = X.astype(np.float64)
APART = ((WIDE[:, None] - WIDE[None]) ** 2).sum(axis=2)
GAMMA = float(1 / APART.mean())
KERNEL = np.exp(-GAMMA * APART)


def mmd(rows: _Ints) -> float:
    return float(np.sqrt(max(KERNEL[np.ix_(rows, rows)].mean() - 2 * KERNEL[rows].mean() + KERNEL.mean(), 0)))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.generic]]:
    if find_spec("coreax") is None:
        pytest.skip("coreax is not installed")
    folder: Path = tmp_path_factory.mktemp("coreax")
    start = thinning(X, 64, 3, kernel="rbf", gamma=GAMMA, swap=False, keys=in_place(512))
    np.savez(folder / "given.npz", x=X, gamma=GAMMA, start=start, **points())
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder / "given.npz"), str(folder / "found.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "found.npz"))


@pytest.mark.parametrize("repeats", [False, True])
def test_herding_is_the_same(theirs: dict[str, NDArray[np.int64]], repeats: bool) -> None:
    ours = herding(X, 100, kernel="rbf", gamma=GAMMA, repeats=repeats, keys=in_place(512))
    found = theirs["repeats" if repeats else "once"]
    if ours.tolist() != found.tolist():  # a tie up to their rounding: then what was chosen is as good
        at = int(np.flatnonzero(ours != found)[0])
        value = KERNEL.mean(axis=1) - KERNEL[:, ours[:at]].sum(axis=1) / (at + 1)
        assert value[found[at]] == pytest.approx(value[ours[at]], abs=2e-6)
    assert mmd(ours) == pytest.approx(mmd(found), rel=0.02)


def test_the_same_coins_make_the_same_halves(
    theirs: dict[str, NDArray[np.generic]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs says how likely the second of a pair goes left, ours the first: a coin of 1 - u."""
    coins = np.repeat(1 - np.asarray(theirs["coins"], np.float64), 2)
    monkeypatch.setattr(halving, "uniforms", lambda keys, _salt: coins[keys[:, 0].astype(np.int64)])
    found = Embedding(X[:256], "rbf", GAMMA, in_place(256))
    left, right = Halver(found, in_place(256), 0).split(np.arange(256), 1)
    assert left.tolist() == theirs["left"].tolist()
    assert right.tolist() == theirs["right"].tolist()


def test_the_exchange_is_the_same(theirs: dict[str, NDArray[np.int64]]) -> None:
    ours = thinning(X, 64, 3, kernel="rbf", gamma=GAMMA, keys=in_place(512))
    assert ours.tolist() == theirs["exchanged"].tolist()


def test_thinned_as_near(theirs: dict[str, NDArray[np.int64]]) -> None:
    """Their halvings all use one and the same row of coins and take the pool in its order; ours have their own."""
    found = np.mean([mmd(theirs[f"thinned {seed}"]) for seed in range(2)])
    ours = np.mean([mmd(thinning(X, 64, s, gamma=GAMMA, keys=in_place(512))) for s in range(4)])
    assert ours < 1.1 * found


def test_theirs_cannot_thin_in_double_precision(theirs: dict[str, NDArray[np.str_]]) -> None:
    """Its threshold starts in single precision whatever the vectors are; ours adds up in double precision."""
    assert "float64" in str(theirs["double"])


def off(rows: _Ints, weights: _Floats, x: _Floats) -> float:
    """Return how far the weighted mean is off in the worst column, in standard deviations."""
    return float((np.abs(weights @ x[rows] - x.mean(axis=0)) / x.std(axis=0)).max())


def test_few_weighted_rows_keep_the_mean(theirs: dict[str, NDArray[np.generic]]) -> None:
    """Ours whatever the columns' scale and place; theirs loses small columns, and its tree those far from 0."""
    told: dict[str, float] = {}
    for name, x in points().items():
        rows, weights = caratheodory(x)
        assert len(rows) == 6
        assert off(rows, weights / len(x), x) < 1e-9
        for how in ("whole", "tree"):
            found = np.asarray(theirs[f"{name} {how} rows"], np.int64)
            assert len(found) == (6 if name == "plain" else 5)  # a column lost is a row less
            told[f"{name} {how}"] = off(found, np.asarray(theirs[f"{name} {how} weights"], np.float64), x)
    assert max(told["plain whole"], told["plain tree"]) < 1e-5
    assert min(told["scaled whole"], told["scaled tree"], told["far tree"]) > 0.05
    assert abs(float(np.asarray(theirs["far whole weights"], np.float64).sum()) - 1) > 1e-5  # no mean any more
