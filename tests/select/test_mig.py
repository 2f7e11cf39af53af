"""MIG: a case with known numbers, the plain definition on dense matrices, its promise, tags and clusters."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import tamis
from tamis.errors import BudgetError, InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.gain.label_graph import alike, reach
from tamis.select.gain.label_graph import given as given_links
from tamis.select.given.labels import Labels
from tamis.select.mig import Mig, mig

_Floats = NDArray[np.float64]
W = np.array([[1, 0.95, 0], [0.95, 1, 0], [0, 0, 1]])
TAGS = [["a"], ["b"], ["c"], ["a", "c"]]
QUALITY = np.array([1, 0.9, 0.5, 0.6])


def keys(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def phi(z: _Floats, kind: str, power: float) -> _Floats:
    return 1 - np.exp(-z) if kind == "exponential" else (z + 1e-6) ** power


def slope(z: _Floats, kind: str, power: float) -> _Floats:
    return np.exp(-z) if kind == "exponential" else power * (z + 1e-6) ** (power - 1)


class Dense:
    """The definition on dense matrices."""

    def __init__(self, tags: list[list[str]], worth: _Floats, w: _Floats, **options: Any) -> None:
        names = sorted({tag for one in tags for tag in one})
        given_each = worth / np.maximum([len(set(one)) for one in tags], 1) if options.get("norm") else worth
        e = np.array([[(name in one) * s for name in names] for one, s in zip(tags, given_each, strict=True)])
        a, w = options.get("spread", 1.0), np.where(w >= options.get("threshold", 0.9), w, 0.0)
        np.fill_diagonal(w, 1.0)
        others = w - np.eye(len(w))
        share = (np.eye(len(w)) + a * others) / (1 + a * others.sum(axis=1, keepdims=True))
        self.b = e.reshape(len(tags), len(names)) @ share.T
        self.phi = (options.get("phi", "power"), options.get("power", 0.8))
        self.exact = options.get("gain") == "exact"

    def value(self, rows: Any) -> float:
        return float(phi(self.b[list(rows)].sum(axis=0), *self.phi).sum())

    def gains(self, rows: list[int]) -> _Floats:
        z = self.b[rows].sum(axis=0)
        if self.exact:
            return np.asarray((phi(z + self.b, *self.phi) - phi(z, *self.phi)).sum(axis=1))
        return np.asarray(self.b @ slope(z, *self.phi))


def test_the_known_case() -> None:
    """Labels a, b, c, a and b joined by 0.95: A = [[.513, .487, 0], [.487, .513, 0], [0, 0, 1]].

    At z = 0 the slope is 0.8 (1e-6)^-0.2 = 12.679 for all, so first gains are that times 1, .9, .5 and 1.2. Record 3
    is first, with F = .308^.8 + .292^.8 + .6^.8 = 1.4279; then 0 (2.3375) and 1 (3.0554).
    """
    pool = Pool(keys(4), {"tags": Labels.of(TAGS), "q": QUALITY})
    dense = Dense(TAGS, QUALITY, W)
    assert mig(TAGS, 3, QUALITY, similarity=W).tolist() == [3, 0, 1]
    for k, value in ((1, 1.4279), (2, 2.3375), (3, 3.0554)):
        assert dense.value([3, 0, 1][:k]) == pytest.approx(value, abs=5e-5)
        method = Mig(tags="tags", quality="q")
        method._links = given_links(W, 3, 0.9)
        chosen = method.select(pool, Constraints(Budget("rows", k)))
        assert chosen.facts["coverage"] == pytest.approx(value, abs=5e-5)
    first = [12.679, 11.411, 6.340, 15.215]
    assert dense.gains([]) == pytest.approx(first, abs=5e-4)
    for row in range(4):  # the score of what is taken is its gain: let each be the only one that may be
        keep_out = np.arange(4) != row
        constraints = Constraints(Budget("rows", 1), drop=keep_out)
        method = Mig(tags="tags", quality="q")
        method._links = given_links(W, 3, 0.9)
        assert method.select(pool, constraints).score[row] == pytest.approx(first[row], abs=5e-4)


def test_exact_and_linear_gains_differ() -> None:
    """By hand, tags a (1), b (0.5) and a and b (0.6 each), phi 1 - exp(-z).

    To first order 1, 0.5 and 1.2: the third, then a. Exactly .632, .393 and .902: the third too; then a adds
    exp(-.6) - exp(-1.6) = .347, b exp(-.6) - exp(-1.1) = .216. With 1.3 and 1 for a and b: 1.3 and 1.2 to first
    order, .727 and .902 exactly.
    """
    tags, w = [["a"], ["b"], ["a", "b"]], np.eye(2)
    assert mig(tags, 3, [1, 0.5, 0.6], similarity=w, phi="exponential").tolist() == [2, 0, 1]
    assert mig(tags, 1, [1.3, 1, 0.6], similarity=w, phi="exponential").tolist() == [0]
    assert mig(tags, 1, [1.3, 1, 0.6], similarity=w, phi="exponential", gain="exact").tolist() == [2]


def instance(seed: int, n: int) -> tuple[list[list[str]], _Floats, _Floats]:
    random = np.random.default_rng(seed)
    m = int(random.integers(1, 9))
    tags = [[f"t{j}" for j in random.choice(m, random.integers(0, min(m, 4) + 1), replace=False)] for _ in range(n)]
    names = {tag for one in tags for tag in one}
    w = random.random((len(names), len(names)))
    w = np.maximum(w, w.T)
    np.fill_diagonal(w, 1)
    return tags, random.random(n).round(1), w


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 40), st.sampled_from(["linear", "exact"]),
    st.sampled_from(["power", "exponential"]), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1),
)  # fmt: skip
def test_each_pick_has_the_largest_gain_of_the_definition(
    seed: int, n: int, gain: str, kind: str, norm: bool, spread: float, threshold: float
) -> None:
    tags, quality, w = instance(seed, n)
    options = {"gain": gain, "phi": kind, "norm": norm, "spread": spread, "threshold": threshold}
    dense = Dense(tags, quality, w.copy(), **options)
    rows = mig(tags, n, quality, similarity=w, **options).tolist()
    assert sorted(rows) == list(range(n))
    left = list(range(n))
    for at, row in enumerate(rows):
        gains = dense.gains(rows[:at])[left]
        assert dense.gains(rows[:at])[row] >= gains.max() - 1e-9 * (1 + gains.max())
        left.remove(row)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from(["power", "exponential"]))
def test_exact_gains_keep_the_promise(seed: int, k: int, kind: str) -> None:
    """At least 63 % of what the best set adds to nothing at all, by looking at every set."""
    tags, quality, w = instance(seed, 8)
    dense = Dense(tags, quality, w, phi=kind)
    none = dense.value([])
    best = max(dense.value(rows) for rows in itertools.combinations(range(8), k)) - none
    rows = mig(tags, k, quality, similarity=w, gain="exact", phi=kind)
    assert dense.value(rows) - none >= (1 - 1 / np.e) * best - 1e-9


def test_what_is_reached() -> None:
    """By hand: labels a, b, c, a - b 0.5, a - c 0.25. Receivers' totals 1.75, 1.5, 1.25.

    A record of worth 2 with a and b gives a 2 (1 + 0.5) / 1.75, b 2 (1 + 0.5) / 1.5, c 2 * 0.25 / 1.25.
    """
    w = np.array([[1, 0.5, 0.25], [0.5, 1, 0], [0.25, 0, 1]])
    labels = Labels(np.array([0, 2, 2, 3]), np.array([0, 1, 2], np.int32), ("a", "b", "c"))
    found = reach(labels, np.array([2.0, 1.0, 0.0]), given_links(w, 3, 0.2), 1.0)
    assert found.starts.tolist() == [0, 3, 3, 3]
    assert found.to.tolist() == [0, 1, 2]
    assert found.mass == pytest.approx([3 / 1.75, 3 / 1.5, 0.5 / 1.25])


def test_records_of_one_label_share_what_it_reaches() -> None:
    """By hand as above: each gives its worth times what its label gives; one without a label gives nothing."""
    w = np.array([[1, 0.5, 0.25], [0.5, 1, 0], [0.25, 0, 1]])
    labels = Labels(np.array([0, 1, 1, 2, 3]), np.array([0, 0, 2], np.int32), ("a", "b", "c"))
    found = reach(labels, np.array([2.0, 1.0, 3.0, 1.0]), given_links(w, 3, 0.2), 1.0)
    assert len(found) == 4
    assert found.way.tolist() == [0, -1, 0, 2]
    assert found.worth.tolist() == [2, 1, 3, 1]
    assert found.starts.tolist() == [0, 3, 5, 7]
    assert found.mass == pytest.approx([1 / 1.75, 0.5 / 1.5, 0.25 / 1.25, 0.5 / 1.75, 1 / 1.5, 0.25 / 1.75, 1 / 1.25])


def test_a_graph_that_joins_too_much_is_refused() -> None:
    """8 labels are reached of 12 bytes each, 5 where each is on its own; what else is held takes 100 bytes a record."""
    pool = Pool(keys(4), {"tags": Labels.of(TAGS)})
    for spread, bytes_ in ((1.0, 96), (0.0, 60)):
        method = Mig(tags="tags", spread=spread)
        method._links = given_links(W, 3, 0.9)
        assert len(method.within(400 + bytes_, 4).select(pool, Constraints(Budget("rows", 2)))) == 2
        with pytest.raises(OptionError, match=rf"fit into {bytes_ - 1} bytes, got {bytes_} by .* Raise the threshold"):
            method.within(400 + bytes_ - 1, 4).select(pool, Constraints(Budget("rows", 2)))


def test_joined_labels_are_those_of_all_pairs() -> None:
    """More labels than a tile holds."""
    x = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    x[7] = 0
    links = alike(x, 0.8)
    unit = x.astype(np.float64) / np.maximum(np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 0)
    assert np.abs(cosine - 0.8).min() > 1e-7  # none is decided by rounding
    rows = np.repeat(np.arange(1500), np.diff(links.starts))
    assert np.array_equal(np.argwhere(cosine >= 0.8), np.stack([rows, links.to], axis=1))
    assert links.weight == pytest.approx(cosine[rows, links.to], abs=1e-6)


def test_tags_that_mean_nearly_the_same_are_joined() -> None:
    """Two spellings count as one; with spread 0 each is on its own. The first is worth a little more."""
    tags, quality = [["data analysis"], ["data analysis!"], ["poetry"]], [1.1, 1, 0.9]
    assert mig(tags, 2, quality).tolist() == [0, 2]
    assert mig(tags, 2, quality, spread=0).tolist() == [0, 1]
    pool = Pool(keys(3), {"tags": Labels.of(tags)})
    assert Mig(tags="tags").select(pool, Constraints(Budget("rows", 1))).facts["edges"] == 1


def test_pins_and_quotas() -> None:
    """What must be kept covers its labels, quality or not; what a quota refuses covers none."""
    tags = [["a"], ["a"], ["b"], ["c"]]
    quality = np.array([np.nan, 1.0, 0.5, 0.4])
    pool = Pool(keys(4), {"tags": Labels.of(tags), "q": quality})
    keep = np.array([False, True, False, False])
    chosen = Mig(tags="tags", quality="q").select(pool, Constraints(Budget("rows", 2), keep=keep))
    assert chosen.rows.tolist() == [1, 2]
    assert chosen.reasons[chosen.reason[0]] == "mig: no quality (NaN)"
    keep = np.array([True, False, False, False])
    chosen = Mig(tags="tags", quality="q").select(pool, Constraints(Budget("rows", 2), keep=keep))
    assert chosen.rows.tolist() == [0, 1]  # without quality it is in, and covers nothing
    groups = Groups.of(["x", "x", "x", "y"])
    quota = Constraints(Budget("rows", 2), quotas=[Quota.parse("g=x<=1")], groups={"g": groups})
    assert Mig(tags="tags", quality="q").select(pool, quota).rows.tolist() == [1, 3]


def test_a_token_budget_compares_gains_a_token() -> None:
    """0 gives 1 for 100 tokens, 1 and 2 give 0.9 for 50 each: both fit in its place."""
    pool = Pool(keys(3), {"tags": Labels.of([["a"], ["b"], ["c"]]), "q": np.array([1, 0.9, 0.9])})
    constraints = Constraints(Budget("tokens", 100), np.array([100, 50, 50]))
    assert Mig(tags="tags", quality="q").select(pool, constraints).rows.tolist() == [1, 2]
    assert Mig(tags="tags", quality="q", per_token=False).select(pool, constraints).rows.tolist() == [0]


def test_clusters_stand_for_tags() -> None:
    """Four blobs, one of them small: one record of each comes before a second of any, the best of each first."""
    random = np.random.default_rng(0)
    blob = np.repeat(np.arange(4), [30, 30, 30, 5])
    x = (np.eye(4)[blob] + 0.05 * random.normal(size=(95, 4))).astype(np.float32)
    quality = random.permutation(95) / 95
    x[0] = 0
    pool = Pool(keys(95), {"vectors": x, "q": quality})
    chosen = Mig(clusters=4, quality="q").select(pool, Constraints(Budget("rows", 4)))
    best = [max((i for i in range(1, 95) if blob[i] == b), key=lambda i: quality[i]) for b in range(4)]
    assert sorted(chosen.rows.tolist()) == sorted(best)
    assert chosen.reasons[chosen.reason[0]] == "mig: no vector (all zeros)"
    assert chosen.facts["names"] == 4
    assert Mig().flags.random
    assert not Mig(tags="tags").flags.random


def test_gains_are_computed_only_where_they_may_matter() -> None:
    """20,000 records, 500 chosen: far fewer gains than 500 times all, and the choice of plain greedy."""
    random = np.random.default_rng(0)
    tags = [[f"t{j}" for j in np.unique(random.zipf(1.5, 4).clip(1, 300))] for _ in range(20_000)]
    pool = Pool(keys(20_000), {"tags": Labels.of(tags), "q": random.random(20_000)})
    method = Mig(tags="tags", quality="q", spread=0)
    rows = method.select(pool, Constraints(Budget("rows", 500))).rows
    assert method.operations() < 20 * 20_000
    dense = Dense(tags, np.asarray(pool.columns["q"]), np.eye(len({t for one in tags for t in one})))
    picks: list[int] = []
    gains = dense.gains(picks)
    for row in rows[:40].tolist():
        gains = dense.gains(picks)
        gains[picks] = -1
        assert row == int(gains.argmax())
        picks.append(row)


def test_bad_input() -> None:
    with pytest.raises(BudgetError, match="got 0"):
        mig(TAGS, 0)
    with pytest.raises(InputError, match=r"quality: expected 4 numbers, one a record, got an array of shape \(3,\)"):
        mig(TAGS, 1, [1, 2, 3])
    with pytest.raises(InputError, match="expected finite numbers of at least 0, got -1 at record 1"):
        mig(TAGS, 1, [1, -1, 3, 4])
    with pytest.raises(InputError, match=r"similarity: expected 3 x 3 numbers, .* got \(2, 2\)"):
        mig(TAGS, 1, similarity=np.eye(2))
    with pytest.raises(InputError, match=r"the same both ways, got 0\.5 for labels 0 and 1, 0 the other way"):
        mig(TAGS, 1, similarity=[[1, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(OptionError, match="option 'gain': expected one of linear, exact"):
        Mig(gain="both")


def test_from_files(tmp_path: Path) -> None:
    """Tags of a tagger and a field of quality; without tags, clusters of the texts."""
    path = tmp_path / "pool.jsonl"
    topics = ("poetry", "chemistry", "law", "cooking", "football")
    rows = [
        {"id": str(i), "text": f"text {i} of {i % 5}", "tags": [{"tag": topics[i % 5], "explanation": ""}], "q": i}
        for i in range(30)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with tamis.select(str(path), n=5, id="id", text="text", method="mig", tags="tags", quality="q") as chosen:
        assert {int(name) % 5 for name in chosen.ids.to_pylist()} == set(range(5))
        assert min(int(name) for name in chosen.ids.to_pylist()) >= 25
        assert chosen.choice.reports["method"]["names"] == 5
    with tamis.select(str(path), n=5, id="id", text="text", method="mig", quality="q", clusters=3) as chosen:
        assert len(chosen) == 5
        assert chosen.choice.reports["method"]["names"] == 3
