"""What the pages of adapt, kmq (in rounds), quad and paser claim to have measured, measured again.

    .venv/bin/python docs/evidence/skills.py [adapt] [rounds] [quad] [paser]

Choices of `alpaca_52k` beside random ones: "cover" is the mean cosine of all records of the pool to the chosen
record nearest to each. Choices of `banking77` (10,003 questions to a bank, 77 kinds): the accuracy on its test set of
a small model, softmax regression on the vectors, trained on the chosen. Where a method asks a model, it asks that
one. Real data is looked for in `TAMIS_DATA`.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scores import columns

from tamis.select import get
from tamis.select.base import Chosen, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.paser import jsd
from tamis.select.steps.kfac import kfac_influence
from vectors import DATA, cover, encoded, say

SEEDS = 3
DECAY = 1e-4
TRIED = ((0.5, 1.0), (0.9, 1.0), (0.9, 0.0))


@cache
def pool() -> Pool:
    """Return alpaca with its vectors and signals, and the lengths of outputs and of the whole."""
    found = columns()
    rare = -np.log(found.numbers("perplexity", "skills"))
    return Pool(found.keys, {**found.columns, "order": np.arange(len(found)), "easy": rare})


def choose(method: str, k: int, seed: int, records: Pool | None = None, **options: Any) -> tuple[Chosen, float]:
    """Return a choice and the seconds it took."""
    made, start = get(method)(**options), time.perf_counter()
    chosen = made.select(records or pool(), Constraints(Budget("rows", k)), seed)
    return chosen, time.perf_counter() - start


def told(measure: Callable[[Chosen], tuple[float, ...]], method: str, k: int, **options: Any) -> str:
    """Return the mean over the seeds of what is measured, with the least and the most."""
    found = np.array([measure(choose(method, k, seed, **options)[0]) for seed in range(SEEDS)])
    return ", ".join(
        f"{m:.3f} ({a:.3f} to {b:.3f})"
        for m, a, b in zip(found.mean(axis=0), found.min(axis=0), found.max(axis=0), strict=True)
    )


def adapt() -> None:
    """Print cover and the median standing of both scores, for each way of choosing."""
    x = pool().vectors("vectors", "skills")

    def measure(chosen: Chosen) -> tuple[float, ...]:
        rows = chosen.rows
        return cover(x, rows), *(float(np.median(pool().numbers(s, "skills")[rows])) for s in ("perplexity", "output"))

    signals = "perplexity,output"
    for k in (520, 5200):
        say(f"{k:,} random: cover, perplexity, output {told(measure, 'random', k)}")
        say(f"{k:,} ccs: {told(measure, 'ccs', k, by='perplexity', clip=0.05)}")
        for options in ({}, {"budgets": "spread"}, {"inside": "middle"}, {"clusters": 100}):
            say(f"{k:,} adapt {options}: {told(measure, 'adapt', k, signals=signals, **options)}")
    chosen, took = choose("adapt", 5200, 0, signals=signals)
    say(f"adapt: {took:.1f} s")
    for skill in chosen.facts["skills"]:
        say(f"  {skill}")


class Bank:
    """The questions of banking77 as vectors of length 1 with a constant beside them, their kinds, and the pool."""

    def __init__(self) -> None:
        self.x, self.kind, self.keys = self._part("train.csv")
        self.test_x, self.test_kind, _ = self._part("test.csv")
        # Equal texts would have equal keys.
        keys = self.keys ^ (np.arange(len(self.keys), dtype=np.uint64)[:, None] * np.array([0, 1], np.uint64))
        self.pool, self.order = Pool.build(keys, {"vectors": self.x[:, :-1], "order": np.arange(len(self.x))})

    def _part(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with (DATA / "cls_banking77" / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        x, keys = encoded([row["text"] for row in rows])
        self.length = np.array([len(row["text"]) for row in rows]) if name == "train.csv" else self.length
        x = x.astype(np.float32)
        x /= np.maximum(np.sqrt((x * x).sum(axis=1, keepdims=True)), 1e-9)
        kinds = np.unique([row["category"] for row in rows], return_inverse=True)[1]
        return np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1), kinds, keys

    def fit(
        self, rows: np.ndarray, start: np.ndarray | None = None, steps: int = 40, decay: float = DECAY
    ) -> np.ndarray:
        """Return the weights (`77 x d`) of softmax regression on some rows of the pool, with a little decay.

        With `start` they go on from there, and what is 0 in it stays 0: decay is towards it.
        """
        base = np.zeros((77, self.x.shape[1])) if start is None else start
        free = np.ones(base.size) if start is None else (base != 0).ravel() * 1.0
        x, kind = self.x[rows].astype(np.float64), self.kind[rows]

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights, moved = flat.reshape(77, -1), flat - base.ravel()
            chance = chances(x, weights)
            grad = chance.copy()
            grad[np.arange(len(x)), kind] -= 1
            told = -np.log(np.maximum(chance[np.arange(len(x)), kind], 1e-300)).mean() + decay / 2 * (moved**2).sum()
            return float(told), ((grad.T @ x / len(x)).ravel() + decay * moved) * free

        found = minimize(loss, base.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps})
        return np.asarray(found.x).reshape(77, -1)

    def accuracy(self, rows: np.ndarray) -> float:
        """Return the share of the test set that a model trained on some rows of the pool gets right."""
        return float((chances(self.test_x, self.fit(rows)).argmax(axis=1) == self.test_kind).mean())


@cache
def bank() -> Bank:
    """Return banking77."""
    return Bank()


def chances(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the probability of each kind for each row."""
    scores = x @ weights.T
    found: np.ndarray = np.exp(scores - scores.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def arm(name: str, k: int, choose_rows: Callable[[int], np.ndarray], seeds: int = SEEDS) -> None:
    """Print the mean accuracy of choices, the least and the most."""
    found = [bank().accuracy(choose_rows(seed)) for seed in range(seeds)]
    say(f"banking77, {k:,} by {name}: {np.mean(found):.1%} ({min(found):.1%} to {max(found):.1%})")


def of_bank(method: str, k: int, **options: Any) -> Callable[[int], np.ndarray]:
    """Return what chooses rows of banking77, given a seed."""
    return lambda seed: bank().order[choose(method, k, seed, bank().pool, **options)[0].rows]


class Learner:
    """A model that learns what it is asked about: scores are how far its answers are from right, on halves."""

    def __init__(self) -> None:
        self.seen = np.empty(0, np.int64)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return log p(its answer) - log p(right) of each row, by the model trained on the half without it."""
        self.seen = np.concatenate([self.seen, rows])
        half = np.arange(len(self.seen)) % 2
        out = np.empty(len(self.seen))
        for side in (0, 1):
            asked = self.seen[half == side]
            chance = np.log(np.maximum(chances(bank().x[asked], bank().fit(self.seen[half != side])), 1e-300))
            out[half == side] = chance.max(axis=1) - chance[np.arange(len(asked)), bank().kind[asked]]
        return out[-len(rows) :]


def rounds() -> None:
    """Print accuracies of kmq, static and in rounds."""
    for k in (300,):
        arm("random", k, of_bank("random", k))
        for options in ({}, {"sizes": "equal"}):
            arm(f"kmq {options}", k, of_bank("kmq", k, **options))
        for update in ("clip", "softmax", "released"):
            arm(
                f"kmq in 3 rounds, {update}",
                k,
                lambda seed, k=k, update=update: of_bank("kmq", k, score=Learner(), rounds=3, update=update)(seed),
            )


class Influence:
    """What a question does for the loss on half of the test set, by a model trained on 300 questions at random."""

    def __init__(self) -> None:
        found = bank()
        self.first = of_bank("random", 300)(100)
        self.weights = found.fit(self.first)
        half = np.arange(0, len(found.test_x), 2)
        self.reference = found.test_x[half], self._errors(found.test_x[half], found.test_kind[half])
        self.factors = found.x[self.first], self._errors(found.x[self.first], found.kind[self.first])

    def _errors(self, x: np.ndarray, kind: np.ndarray) -> np.ndarray:
        chance = chances(x, self.weights)
        chance[np.arange(len(x)), kind] -= 1
        return chance

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the influence of rows of the pool."""
        x, kind = bank().x[rows], bank().kind[rows]
        return kfac_influence(x, self._errors(x, kind), *self.reference, factors=self.factors, damping=0.1)


def quad() -> None:
    """Print accuracies, on the other half of the test set, of 300 questions and 300 more."""
    found, score = bank(), Influence()
    start = time.perf_counter()
    every = np.asarray(score(found.order))
    say(f"all influences: {time.perf_counter() - start:.1f} s; standard deviation {every.std():.3g}")
    pool = Pool(found.pool.keys, {**found.pool.columns, "influence": every})
    other = np.arange(1, len(found.test_x), 2)
    for method, options in (
        ("random", {}),
        ("top", {"by": "influence"}),
        *(("quad", {"score": score, "arms": 10, "gamma": 8, "tau": tau, "alpha": a}) for tau, a in TRIED),
    ):
        told = []
        for seed in range(SEEDS):
            chosen, _ = choose(method, 300, seed, pool, **options)
            weights = found.fit(np.unique(np.concatenate([score.first, found.order[chosen.rows]])))
            right = (chances(found.test_x[other], weights).argmax(axis=1) == found.test_kind[other]).mean()
            told.append((right, every[chosen.rows].mean() / every.std(), chosen.facts.get("asked", 0) / len(every)))
        mean, least, most = (np.array(told).mean(axis=0), np.min(told, axis=0), np.max(told, axis=0))
        shown = {name: value for name, value in options.items() if name != "score"}
        say(f"{method} {shown}: accuracy {mean[0]:.1%} ({least[0]:.1%} to {most[0]:.1%}), mean influence")
        say(f"  {mean[1]:.2f} standard deviations, asked about {mean[2]:.1%} of the pool")


def paser() -> None:
    """Print accuracies of a pruned model, and of what 300 and 1,000 questions repair."""
    found = bank()
    whole = found.fit(np.arange(len(found.x)))
    cut = np.where(np.abs(whole) >= np.quantile(np.abs(whole), 0.9), whole, 0.0)

    def right(weights: np.ndarray) -> float:
        return float((chances(found.test_x, weights).argmax(axis=1) == found.test_kind).mean())

    say(f"whole {right(whole):.1%}, a tenth of the weights {right(cut):.1%}")
    damage = jsd(chances(found.x, whole), chances(found.x, cut))[found.order]
    columns = {**found.pool.columns, "damage": damage, "bytes": found.length[found.order], "tokens": 0 * found.order}
    pool = Pool(found.pool.keys, columns)
    for k in (300, 1000):
        for method, options in (
            ("random", {}),
            ("top", {"by": "damage"}),
            ("kmq", {"sizes": "equal", "clusters": 77}),
            ("paser", {"damage": "damage"}),
            ("paser", {"damage": "damage", "clusters": 77}),
        ):
            told = []
            for seed in range(SEEDS):
                rows = found.order[choose(method, k, seed, pool, **options)[0].rows]
                told.append(right(found.fit(rows, cut, 20, 1e-3)))
            say(f"{k:,} by {method} {options}: {np.mean(told):.1%} ({min(told):.1%} to {max(told):.1%})")
    chosen, took = choose("paser", 1000, 0, pool, damage="damage")
    say(f"paser took {took:.1f} s: {chosen.facts}")


PARTS: dict[str, Callable[[], None]] = {"adapt": adapt, "rounds": rounds, "quad": quad, "paser": paser}


def main() -> None:
    """Run the parts that are named, or all."""
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
