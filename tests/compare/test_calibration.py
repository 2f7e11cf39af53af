"""Calibration: a random selection lands uniformly among random ones, and a planted cheat is caught.

The measures are those of a check, on a pool of 200 small records; the sets are drawn as a check draws them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare

from tamis.compare import figures
from tamis.compare.columns import Arms, draw_arms
from tamis.compare.statistics import Standing, standing
from tamis.corpus.chunk import Text
from tamis.engine.local import Local
from tamis.measure.chance import draw
from tamis.signals.minhash import MinHash
from tamis.signals.ngrams import Ngrams, lists

N, K, RANDOM, SIMULATED = 200, 20, 20, 1_000
ENGINE = Local(1)


class World:
    """A pool: records 0 to 39 are of the target's domain, 40 to 69 near-duplicates of each other, in tens."""

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        words = np.array([f"word{i}" for i in range(120)])

        def sentence(low: int, high: int, most: int = 14) -> list[str]:
            return rng.choice(words[low:high], rng.integers(6, most)).tolist()

        texts = [sentence(112, 120) for _ in range(40)]
        for _ in range(3):
            stem = sentence(0, 80, 40) + sentence(0, 80, 40) + sentence(0, 80, 40)
            texts += [[*stem, f"end{i}"] for i in range(10)]
        texts += [sentence(0, 100) for _ in range(N - len(texts))]
        self.text = Text.of(pa.array([" ".join(one) for one in texts], pa.large_string()))
        self.target = Text.of(pa.array([" ".join(sentence(112, 120)) for _ in range(12)], pa.large_string()))
        self.ngrams = Ngrams(buckets=500)
        aimed = lists(self.ngrams.column(self.target))
        self.aim = np.bincount(aimed[0], minlength=500).astype(np.int64)
        centre = rng.normal(size=(4, 8))
        kind = np.repeat([0, 1, 2, 3], [40, 30, 60, 70])
        self.vectors = (centre[kind] + 0.6 * rng.normal(size=(N, 8))).astype(np.float32)
        self.vectors[40:70] = centre[1] + 0.02 * rng.normal(size=(30, 8))
        self.codes = (kind // 2).astype(np.int32)
        self.bytes = np.diff(self.text.offsets)
        self.values, offsets = MinHash().sets(self.text, np.arange(N))
        self.spans = np.stack([offsets[:-1], offsets[1:]], axis=1)
        self.keys = rng.integers(0, 2**63, size=(N, 2)).astype(np.uint64)

    def arms(self, chosen: np.ndarray, number: int) -> Arms:
        return draw_arms(self.keys, np.arange(N), chosen, repeat=RANDOM, seed=100 * number, budget=K)

    def closeness(self, arms: Arms) -> dict[str, list[float]]:
        return {"kl": figures.target_distance(self.aim, [(0, *lists(self.ngrams.column(self.text)))], arms.sets)}

    def fluency(self, arms: Arms) -> dict[str, list[float]]:
        learned = arms.samples(15, "texts to learn from")
        held = self.text.array().take(pa.array(arms.sample(arms.pool, 10, "held out")))
        return {
            "target": figures.surprise(self.text, learned, self.target),
            "pool": figures.surprise(self.text, learned, Text.of(held)),
        }

    def geometry(self, arms: Arms) -> dict[str, list[float]]:
        pool = arms.sample(arms.pool, 120, "pool to be covered")
        found, _ = figures.coverage(self.vectors, pool, arms.sets, arms.reference, ENGINE)
        return found | {"vendi": figures.variety(self.vectors, arms.samples(15, "vectors"))}

    def counts(self, arms: Arms) -> dict[str, list[float]]:
        group = np.zeros(N, np.int64)
        return {
            "near_duplicates": figures.near_duplicates(group, self.values, self.spans, arms.sets),
            "sources": figures.imbalance(self.codes, arms.pool, arms.sets),
            "length": figures.median_of(self.bytes, arms.sets),
        }


WORLD = World()


@pytest.mark.parametrize("measure", [WORLD.closeness, WORLD.fluency, WORLD.geometry, WORLD.counts])
def test_a_random_selection_lands_uniformly(measure: Callable[[Arms], dict[str, list[float]]]) -> None:
    """The rank among 20 random ones has 21 values, each as likely (ties are dealt at random)."""
    rng = np.random.default_rng(3)
    ranks: dict[str, list[int]] = {}
    outside: dict[str, int] = {}
    simulated = SIMULATED // 5 if measure == WORLD.fluency else SIMULATED  # it trains 42 models each time
    for number in range(simulated):
        chosen = draw(WORLD.keys, K, 10**7 + number)
        for name, values in measure(WORLD.arms(chosen, number)).items():
            one = standing(values[0], values[1:]).place
            equal = one.of - one.below - one.above
            ranks.setdefault(name, []).append(one.below + int(rng.integers(0, equal + 1)))
            outside[name] = outside.get(name, 0) + one.outside
    for name, found in ranks.items():
        counts = np.bincount(found, minlength=RANDOM + 1)
        assert len(counts) == RANDOM + 1
        assert chisquare(counts).pvalue > 0.001, (name, counts)
        assert outside[name] / simulated < 2 / 21 + 0.04, name


def cheat(rows: np.ndarray, measure: Callable[[Arms], dict[str, list[float]]]) -> dict[str, Standing]:
    """Return where a selection of the given rows stands."""
    return {name: standing(values[0], values[1:]) for name, values in measure(WORLD.arms(np.sort(rows), 5)).items()}


def test_near_duplicates_are_caught() -> None:
    rows = np.arange(40, 60)
    found = cheat(rows, WORLD.counts) | cheat(rows, WORLD.geometry)
    assert found["near_duplicates"].chosen == 1.0
    assert found["near_duplicates"].place.below == RANDOM
    assert found["vendi"].place.above == RANDOM
    assert found["coverage"].place.above == RANDOM
    assert found["nearest"].place.below == RANDOM


def test_copies_of_the_target_s_domain_are_caught() -> None:
    rows = np.arange(20)
    found = cheat(rows, WORLD.closeness) | cheat(rows, WORLD.fluency)
    assert found["kl"].place.above == RANDOM
    assert found["target"].place.above == RANDOM
    assert cheat(rows, WORLD.counts)["sources"].place.below == RANDOM


def test_learning_the_answers_by_heart_does_not_pay() -> None:
    """A selection that holds the very texts that are asked learns nothing from them."""
    both = Text.of(pa.concat_arrays([WORLD.text.array(), WORLD.target.array()]))
    honest = np.arange(100, 115)
    copies = np.concatenate([honest, N + np.arange(12)])
    first, second = figures.surprise(both, [honest, copies], WORLD.target)
    assert first == second
