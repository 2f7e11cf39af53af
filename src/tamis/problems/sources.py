"""Problems of sources: a target that mixes some of them, and skills that a model has lost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.problems.base import Problem, Way, check_size, records, texts, vocabulary

__all__ = ["mixture", "skills"]

_WORDS, _WIDTH = 1_500, 24
_SHARES = np.array([0.6, 0.3, 0.1, 0.0, 0.0])
_SKILLS, _LOST = 10, (1, 4, 7)


def _drawn(
    random: np.random.Generator, source: NDArray[np.int64], words: list[str], chances: NDArray[np.float64]
) -> list[str]:
    """Return a text for each record, its words by the chances of its source."""
    lengths = random.integers(25, 60, len(source))
    out = [""] * len(source)
    for one in np.unique(source).tolist():
        rows = np.flatnonzero(source == one)
        for row, text in zip(rows.tolist(), texts(random, words, lengths[rows], chances[one]), strict=True):
            out[row] = text
    return out


def _chances(random: np.random.Generator, sources: int) -> NDArray[np.float64]:
    """Return each source's chances of words: Zipf's law, of half of the words in an order of its own."""
    common = 1.0 / (1 + np.arange(_WORDS))
    out = np.empty((sources, _WORDS))
    for one in range(sources):
        out[one] = common + common[random.permutation(_WORDS)]
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def mixture(n: int, seed: int) -> Problem:
    """Five sources in equal parts; the target mixes three of them 6 : 3 : 1."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    words = vocabulary(random, _WORDS)
    chances = _chances(random, len(_SHARES))
    source = random.permutation(np.arange(n) % len(_SHARES))
    wanted = np.repeat(np.arange(len(_SHARES)), np.round(200 * _SHARES).astype(np.int64))
    centres = 1.5 * random.standard_normal((len(_SHARES), _WIDTH))
    vectors = [centres[of] + random.standard_normal((len(of), _WIDTH)) for of in (source, wanted)]
    pool_texts, target_texts = (_drawn(random, of, words, chances) for of in (source, wanted))

    def judge(rows: NDArray[np.int64]) -> float:
        found = np.bincount(source[rows], minlength=len(_SHARES)) / len(rows)
        return float(np.abs(found - _SHARES).sum() / 2)

    return Problem(
        "mixture",
        "A target that mixes three sources",
        "Five sources with words of their own, in equal parts; the target mixes three of them 6 : 3 : 1.",
        records(pool_texts, vectors[0], score=random.normal(size=n)),
        records(target_texts, vectors[1]),
        n * 3 // 40,
        "distance between the shares of the sources and the target's (total variation)",
        "lower",
        judge,
        (
            Way("dsir", {}, True),
            Way("dsir", {"top_k": True}, True),
            Way("mmr", {"quality": "ratio", "balance": 0.8}, True),
            Way("like", {}, True),
            Way("like", {"form": "gcmi"}),
            Way("semcomp"),
            Way("unlike", {}, False),
            Way("top", {"by": "perplexity:asc"}),
            Way("top", {"by": "ratio"}),
            Way("facility", {}, False),
            Way("kmq", {"quality": "tokens"}, False),
            Way("length", {}, False),
        ),
    )


def skills(n: int, seed: int) -> Problem:
    """Ten skills; on the records of three of them a model has become worse."""
    n = check_size(n)
    random = np.random.default_rng(seed)
    words = vocabulary(random, _WORDS)
    skill = random.permutation(np.arange(n) % _SKILLS)
    centres = np.linalg.qr(random.standard_normal((_WIDTH, _WIDTH)))[0][:_SKILLS]
    vectors = centres[skill] + 0.08 * random.standard_normal((n, _WIDTH))
    lost = np.isin(skill, _LOST)
    damage = random.gamma(2.0, 0.1, n) + np.where(lost, random.gamma(4.0, 0.25, n), 0.0)
    fields: dict[str, Any] = {
        "damage": damage.round(5),
        "loss": (1.0 + damage + random.gamma(2.0, 0.2, n)).round(5),
        "entropy": random.gamma(4.0, 0.2, n).round(5),
        "score": random.normal(size=n),
    }

    def judge(rows: NDArray[np.int64]) -> float:
        return float(lost[rows].mean())

    return Problem(
        "skills",
        "Skills that a model has lost",
        f"Ten skills in equal parts; on {len(_LOST)} of them the damage (a field) is about six times as high.",
        records(_drawn(random, skill, words, _chances(random, _SKILLS)), vectors, **fields),
        [],
        n // 10,
        "share of the chosen from the skills that were lost",
        "higher",
        judge,
        (
            Way("top", {"by": "damage"}, True),
            Way("importance", {"by": "damage"}, True),
            Way("paser", {"damage": "damage"}, True),
            Way("quad", {"influence": "damage", "clusters": 10, "arms": 3, "gamma": 8}),
            Way("adapt", {"signals": "damage,entropy"}),
            Way("d3", {"loss": "loss", "entropy": "entropy", "vocabulary": 1000}),
            Way("kmq", {"quality": "damage"}),
            Way("d2", {"by": "damage"}),
            Way("ccs", {"by": "damage"}),
            Way("facility", {}, False),
            Way("length", {}, False),
        ),
    )
