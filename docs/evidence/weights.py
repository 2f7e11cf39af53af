"""What the pages of importance, rs2, sensitivity and autocoreset claim to have measured, measured again.

    .venv/bin/python docs/evidence/weights.py [gradient] [rounds] [models]

On `cls_20newsgroups` (11,314 training texts, 7,532 test texts, 20 classes), by their built-in vectors. Models are
linear. Real data is looked for in `TAMIS_DATA`.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import sys
from typing import Any

import numpy as np

from tamis.select import get
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints
from tamis.select.rs2 import rounds
from tamis.select.steps.models import Clusters, Logistic, Squares
from vectors import DATA, encoded, say

PENALTY = 1e-4


def mean(values: list[float]) -> str:
    """Return a mean with its standard error."""
    return f"{np.mean(values):.3f} ± {np.std(values) / math.sqrt(max(len(values) - 1, 1)):.3f}"


class Data:
    """The training texts as a pool, the test texts beside it."""

    def __init__(self) -> None:
        with gzip.open(DATA / "cls_20newsgroups" / "20news_bydate.jsonl.gz", "rt", encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        train = np.array([record["split"] == "train" for record in records])
        x, keys = encoded([record["text"] for record in records])
        keys[:, 1] += np.arange(len(keys), dtype=np.uint64)  # copies have keys of their own
        label = np.array([record["label"] for record in records], object)
        length = np.log1p([len(record["text"]) for record in records])
        columns = {"vectors": x[train], "label": label[train], "length": length[train]}
        self.pool = Pool.build(keys[train], columns)[0]
        self.x = self.pool.vectors("vectors", "evidence")
        self.labels = self.pool.groups("label", "evidence")
        self.length = self.pool.numbers("length", "evidence").astype(np.float64)
        self.n = len(self.pool)
        self.test = Logistic(x[~train], Groups.of(label[~train]), PENALTY)
        self.scale = float(self.test.rows.factor[0] / Logistic(self.x, self.labels, PENALTY).rows.factor[0])

    def accuracy(self, parameters: np.ndarray) -> float:
        """Return the share of test texts that a model of the training texts gets right."""
        scaled = parameters.copy()
        scaled[:-1] /= self.scale  # each set of vectors is divided by its own mean length
        return float((self.test.predicted(scaled) == self.test.codes).mean())


def gradient(data: Data) -> None:
    """Estimate the mean gradient of the last layer from 500 of the texts."""
    model = Logistic(data.x, data.labels, PENALTY)
    start = np.argsort(data.pool.keys[:, 0])[::11].copy()
    parameters = model.fit(start, np.ones(len(start)))
    scores = model._scores(parameters)
    off = np.exp(scores - scores.max(axis=1, keepdims=True))
    off /= off.sum(axis=1, keepdims=True)
    off[np.arange(data.n), model.codes] -= 1
    features = model._some(np.arange(data.n))
    lengths = np.linalg.norm(off, axis=1) * np.linalg.norm(features, axis=1)
    full = features.T @ off / data.n
    ratio = lengths.mean() ** 2 / (lengths**2).mean()
    say(f"gradient: second moment over that of equal shares, by the formula: {ratio:.3f}")
    pool = Pool(data.pool.keys, {"vectors": data.x, "gradient": lengths, "label": data.labels})
    for method, options in (
        ("random", {}),
        *(("importance", {"by": "gradient", "mix": mix}) for mix in (0.0, 0.1, 0.5)),
        ("importance", {"by": "gradient", "weights": False}),
    ):
        errors, right, loss = [], [], []
        for seed in range(20):
            chosen = get(method)(**options).select(pool, Constraints(Budget("rows", 500)), seed)
            weight = chosen.weight[chosen.rows] / chosen.weight.sum()
            guess = features[chosen.rows].T @ (off[chosen.rows] * weight[:, None])
            if options.get("weights", True) and method == "importance":
                guess *= chosen.weight.sum() / data.n
            errors.append(float(((guess - full) ** 2).sum() / (full**2).sum()))
            if seed < 10:
                fitted = model.fit(chosen.rows, chosen.weight[chosen.rows])
                right.append(data.accuracy(fitted))
                loss.append(float(model.loss(fitted).mean()))
        fit = f"fit: accuracy {mean(right)}, loss {mean(loss)}"
        say(f"gradient, 500 by {method} {options}: squared error {mean(errors)}; {fit}")


def trained(data: Data, subsets: list[np.ndarray], seed: int) -> float:
    """Return the accuracy after stochastic gradient descent through subsets, batches of 64, the rate falling to 0."""
    model = Logistic(data.x, data.labels, PENALTY)
    random, parameters = np.random.default_rng(seed), np.zeros((data.x.shape[1] + 1, model.classes))
    steps = [b for rows in subsets for b in np.array_split(random.permutation(rows), max(1, len(rows) // 64))]
    for t, batch in enumerate(steps):
        features = model._some(batch)
        off = np.exp(features @ parameters)
        off /= off.sum(axis=1, keepdims=True)
        off[np.arange(len(batch)), model.codes[batch]] -= 1
        rate = 4 * 0.5 * (1 + math.cos(math.pi * t / len(steps)))
        parameters -= rate * (features.T @ off / len(batch) + PENALTY * parameters)
    return data.accuracy(parameters)


def fresh_rounds(data: Data) -> None:
    """Train for 30 rounds on 10, 3 or 1 %: the same part each time, or a fresh one."""
    for share in (0.1, 0.03, 0.01):
        k, found = int(share * data.n), {}
        for seed in range(5):
            turn = list(itertools.islice(rounds(data.pool.keys, k, seed=seed), 30))
            again = list(itertools.islice(rounds(data.pool.keys, k, replacement=True, seed=seed), 30))
            for name, subsets in (("fixed", turn[:1] * 30), ("rs2", turn), ("rs2 with replacement", again)):
                found.setdefault(name, []).append(trained(data, subsets, seed))
        say(f"rounds of {k}: " + "; ".join(f"{name} {mean(values)}" for name, values in found.items()))


def arms(loss: str, label: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the methods to compare for a loss."""
    found: list[tuple[str, dict[str, Any]]] = [("random", {}), ("best of 8 random", {})]
    if loss == "squares":
        found += [("sensitivity", {"label": label}), ("sensitivity", {"label": label, "mix": 0.5})]
    elif loss == "logistic":
        found += [("sensitivity", {"loss": loss}), ("sensitivity", {"loss": loss, "bound": "lewis"})]
    else:
        found += [("sensitivity", {"loss": loss}), ("sensitivity", {"loss": loss, "clusters": 20})]
    extra = {"clusters": 20} if loss == "kmeans" else {"label": label, "penalty": PENALTY}
    found += [("autocoreset", {"loss": loss, "summary": s, **extra}) for s in ("caratheodory", "norm", "mean")]
    return found


def fitted(data: Data, model: Any, method: str, options: dict[str, Any], k: int, seed: int) -> tuple[Any, ...]:
    """Return the loss on all of a fit to `k` chosen by a method; the fit, the rows and their weights."""
    chosen = get(method.split()[-1])(**options).select(data.pool, Constraints(Budget("rows", k)), seed)
    rows = np.sort(chosen.rows)
    weight = chosen.weight[rows] * (data.n / k if method.endswith("random") else 1.0)
    parameters = model.fit(rows, weight * (data.n / weight.sum()))
    return float(model.loss(parameters).sum()), parameters, rows, weight


def models(data: Data) -> None:
    """Fit to a few, with weights, and compare the loss on all with that of the fit to all."""
    for loss, label in (("squares", "length"), ("logistic", "label"), ("kmeans", None)):
        model: Any = (
            Squares(data.x, data.length, PENALTY)
            if loss == "squares"
            else Logistic(data.x, data.labels, PENALTY)
            if loss == "logistic"
            else Clusters(data.x, 20)
        )
        full = model.fit(np.arange(data.n), np.ones(data.n))
        least = float(model.loss(full).sum())
        told = f", accuracy {data.accuracy(full):.3f}" if loss == "logistic" else ""
        say(f"{loss}: the fit to all {data.n}: loss {least / data.n:.4f}{told}")
        for k in (500, 2000):
            for method, options in arms(loss, label):
                above, right, own = [], [], []
                for seed in range(10):
                    times = 8 if method == "best of 8 random" else 1
                    tried = [fitted(data, model, method, options, k, 8 * seed + t) for t in range(times)]
                    cost, parameters, rows, weight = min(tried, key=lambda one: one[0])
                    above.append(cost / least - 1)
                    own.append(abs(float((weight * model.loss(full)[rows]).sum()) / least - 1))
                    right.append(data.accuracy(parameters) if loss == "logistic" else math.nan)
                told = f", accuracy {mean(right)}" if loss == "logistic" else ""
                say(f"{loss}, {k} by {method} {options}: loss above {mean(above)}, estimate off by {mean(own)}{told}")


def main() -> None:
    """Run what is asked for, by default all."""
    data = Data()
    for name, part in (("gradient", gradient), ("rounds", fresh_rounds), ("models", models)):
        if name in sys.argv[1:] or len(sys.argv) == 1:
            part(data)


if __name__ == "__main__":
    main()
