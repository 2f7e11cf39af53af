"""Problems of judgement: noisy scores with rubbish that one judge loves, and a group that judges undervalue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.problems.base import Problem, Way, check_size, records, texts, vocabulary

__all__ = ["bias", "noise"]

_WORDS, _WIDTH = 1_000, 16


def noise(n: int, seed: int) -> Problem:
    """Three judges with noise of their own; the first gives its highest scores to rubbish, a tenth of the pool."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    rubbish = random.permutation(np.arange(n) < n // 10)
    quality = np.where(rubbish, -3.0, random.normal(size=n))
    judges = {f"judge{j + 1}": quality + random.normal(0, 0.8, n) for j in range(3)}
    judges["judge1"] = np.where(rubbish, 3.0 + random.normal(0, 0.5, n), judges["judge1"])
    words = vocabulary(random, _WORDS)
    lengths = random.integers(20, 60, n)
    common = 1.0 / (5 + np.arange(_WORDS))
    pool_texts = texts(random, words, lengths, common / common.sum())
    signs = np.array(list("#@%&*+=~^|<>0123456789"))
    for row in np.flatnonzero(rubbish).tolist():
        size = random.integers(60, 200)
        pool_texts[row] = "".join(np.where(random.random(size) < 0.2, " ", random.choice(signs, size))).strip() or "#"
    vectors = random.standard_normal((n, _WIDTH)) * 0.3 + np.eye(_WIDTH)[0]
    vectors[rubbish] = 3.0 * random.standard_normal((int(rubbish.sum()), _WIDTH))

    def judge(rows: NDArray[np.int64]) -> float:
        return float(quality[rows].mean())

    return Problem(
        "noise",
        "Noisy scores, and rubbish that one judge loves",
        "Three judges see the true quality with noise; a tenth of the pool is rubbish, which judge1 scores highest.",
        records(pool_texts, vectors, **{name: values.round(4) for name, values in judges.items()}),
        [],
        n // 10,
        "mean true quality of the chosen",
        "higher",
        judge,
        (
            Way("top", {"by": "judge2"}, True),
            Way("top", {"by": "judge1", "where": "judge1 < 2.5"}, True),
            Way("rankfusion", {"signals": "judge1,judge2,judge3"}, True),
            Way("rankfusion", {"signals": "judge1,judge2,judge3", "rule": "rrf"}),
            Way("multiwinner", {"signals": "judge1,judge2,judge3"}, True),
            Way("quadmix", {"signals": "judge1,judge2,judge3", "omega": 0.1, "share": "records"}),
            Way("odis", {"signals": "judge1,judge2,judge3"}),
            Way("cdas", {"by": "judge2", "limit": 99}, True),
            Way("ccs", {"by": "judge1", "beta": 0.1}),
            Way("top", {"by": "judge1"}, False),
            Way("mmr", {"quality": "judge1"}, False),
            Way("kcenter", {}, False),
            Way("kcenter", {"outliers": 0.12}),
            Way("semdedup", {}, False),
            Way("facility"),
        ),
    )


def bias(n: int, seed: int) -> Problem:
    """Two groups with the same utilities; three judges halve those of the smaller group."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    small = random.permutation(np.arange(n) < n * 3 // 10)
    utility = random.gamma(2.0, 1.0, n)
    seen = utility * np.where(small, 0.5, 1.0)
    judges = {f"judge{j + 1}": (seen * np.exp(random.normal(0, 0.25, n))).round(4) for j in range(3)}
    words = vocabulary(random, _WORDS)
    pool_texts = texts(random, words, random.integers(20, 50, n), np.full(_WORDS, 1 / _WORDS))
    k = n // 10
    best = float(np.sort(utility)[-k:].sum())

    def judge(rows: NDArray[np.int64]) -> float:
        return float(utility[rows].sum()) / best

    fair = {"quota": "group=small>=30%"}
    return Problem(
        "bias",
        "A group that judges undervalue",
        "Two groups (70 % and 30 %) are as useful; three judges halve what they see of the small one.",
        records(pool_texts, random.standard_normal((n, _WIDTH)), group=np.where(small, "small", "large"), **judges),
        [],
        k,
        "true utility of the chosen, as a share of the best possible",
        "higher",
        judge,
        (
            Way("top", {"by": "judge1", **fair}, True),
            Way("top", {"by": "judge1"}, True),
            Way("multiwinner", {"signals": "judge1,judge2,judge3", **fair}, True),
            Way("multiwinner", {"signals": "judge1,judge2,judge3"}, True),
            Way("odis", {"signals": "judge1,judge2,judge3"}),
            Way("stratified", {"strata": "group"}, False),
            Way("length", {}, False),
        ),
    )
