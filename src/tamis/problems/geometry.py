"""Problems of geometry: kinds of very different sizes, and near copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.problems.base import Problem, Way, check_size, records, texts, vocabulary

__all__ = ["clusters", "duplicates"]

_KINDS, _WIDTH, _WORDS = 16, 24, 1_200


def clusters(n: int, seed: int) -> Problem:
    """Sixteen kinds; the smallest has two records, the largest about a third of the pool."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    sizes = np.maximum(2, np.round(n * 0.35 * 0.65 ** np.arange(_KINDS))).astype(np.int64)
    sizes[0] += n - int(sizes.sum())
    kind = random.permutation(np.repeat(np.arange(_KINDS), sizes))
    centres = np.linalg.qr(random.standard_normal((_WIDTH, _WIDTH)))[0][:_KINDS]
    vectors = centres[kind] + 0.1 * random.standard_normal((n, _WIDTH))
    words = vocabulary(random, _WORDS)
    lengths = random.integers(20, 60, n)
    pool_texts = [""] * n
    for one in range(_KINDS):
        chances = np.full(_WORDS, 0.3)
        chances[random.choice(_WORDS, 60, replace=False)] = 20.0
        rows = np.flatnonzero(kind == one)
        found = texts(random, words, lengths[rows], chances / chances.sum())
        for row, text in zip(rows.tolist(), found, strict=True):
            pool_texts[row] = text

    named = random.permutation(_WORDS)[: 4 * _KINDS].reshape(_KINDS, 4)  # each kind has four tags, a record two of them
    two = np.array([(a, b) for a in range(4) for b in range(a)])[random.integers(0, 6, n)]
    tags = [[words[i] for i in row] for row in named[kind[:, None], two].tolist()]

    def judge(rows: NDArray[np.int64]) -> float:
        return float(len(np.unique(kind[rows])))

    return Problem(
        "clusters",
        "Kinds of very different sizes",
        f"{_KINDS} kinds of records, from {sizes.max():,} of the largest to {sizes.min()}. Right: all of them.",
        records(pool_texts, vectors, score=random.normal(size=n), tags=tags),
        [],
        n // 40,
        f"kinds among the chosen, of {_KINDS}",
        "higher",
        judge,
        (
            Way("kcenter", {}, True),
            Way("facility", {}, True),
            Way("dpp", {}, True),
            Way("semdedup", {}, True),
            Way("mmr", {"quality": "score"}),
            Way("kmq", {"quality": "tokens"}),
            Way("kmq", {"sizes": "equal", "quality": "tokens"}),
            Way("instag", {"tags": "tags"}),
            Way("mig", {"tags": "tags"}, True),
            Way("mig"),
            Way("saturated"),
            Way("graphcut", {}, False),
            Way("features"),
            Way("sieve"),
            Way("kdpp"),
            Way("volume"),
            Way("sensitivity"),
            Way("autocoreset", {"clusters": 16}),
            Way("herding"),
            Way("thinning"),
            Way("cdas", {"by": "score", "limit": 9}),
            Way("rs2", {"round": 3}, False),
            Way("length", {}, False),
            Way("top", {"by": "score"}, False),
        ),
    )


def duplicates(n: int, seed: int) -> Problem:
    """Four near copies of a tenth of the records, which the score prefers."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    copied = n // 10
    originals = n - 4 * copied
    source = np.concatenate([np.arange(originals), np.repeat(np.arange(copied), 4)])
    words = vocabulary(random, _WORDS)
    lengths = random.integers(30, 60, originals)
    first = texts(random, words, lengths, np.full(_WORDS, 1 / _WORDS))
    base = random.standard_normal((originals, _WIDTH))
    vectors = base[source] + 0.02 * random.standard_normal((n, _WIDTH))
    pool_texts = list(first)
    for row in source[originals:].tolist():  # one word in twenty is another one
        parts = first[row].split(" ")
        for at in random.choice(len(parts), max(1, len(parts) // 20), replace=False).tolist():
            parts[at] = words[random.integers(_WORDS)]
        pool_texts.append(" ".join(parts))
    score = random.normal(size=originals)[source] + np.where(source < copied, 1.0, 0.0)
    order = random.permutation(n)
    source = source[order]

    def judge(rows: NDArray[np.int64]) -> float:
        return len(np.unique(source[rows])) / len(rows)

    return Problem(
        "duplicates",
        "Near copies that a score prefers",
        f"{copied:,} of {originals:,} records have four near copies (one word in twenty differs) and higher scores.",
        records([pool_texts[i] for i in order.tolist()], vectors[order], score=score[order]),
        [],
        n // 10,
        "share of the chosen that are copies of no other chosen one",
        "higher",
        judge,
        (
            Way("random", {"dedup": 0.5}, True),
            Way("semdedup", {}, True),
            Way("deita", {"quality": "score"}, True),
            Way("kcenter", {}, True),
            Way("dpp", {}, True),
            Way("facility"),
            Way("mmr", {"quality": "score"}),
            Way("d2", {"by": "bytes"}),
            Way("top", {"by": "score"}, False),
            Way("length", {}, False),
            Way("ccs", {"by": "score"}, False),
        ),
    )
