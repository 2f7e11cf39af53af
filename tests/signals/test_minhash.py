"""The minhash signal and its bands: what a column holds, published optima, parity with datasketch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.signals.lsh import candidate_probability, lsh_parameters
from tamis.signals.minhash import MinHash, Signatures


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def test_a_column_and_back() -> None:
    """The struct gives back hash, mark and minima, sliced columns and columns of no record too."""
    signal = MinHash(permutations=16)
    column = signal.column(_text(["one two three four five six", "", "ONE, two: three four five six!"]))
    assert column.type.field("minima").type == pa.list_(pa.uint32(), 16)
    found = Signatures.of(column)
    assert found.minima.shape == (3, 16)
    assert (found.minima[0] == found.minima[2]).all()
    assert (found.exact[0] == found.exact[2]).all()
    assert not found.exact[1].any()
    sliced = Signatures.of(column.slice(1, 2))
    assert (sliced.minima == found.minima[1:]).all()
    assert (sliced.exact == found.exact[1:]).all()
    assert (sliced.mark == found.mark[1:]).all()
    assert Signatures.of(signal.column(_text([]))).minima.shape == (0, 16)


@given(st.lists(st.text("ab ,", max_size=12), min_size=1, max_size=8), st.integers(0, 8))
def test_a_column_does_not_depend_on_the_cut(texts: list[str], cut: int) -> None:
    """Fragments computed apart are the fragments of the whole."""
    signal = MinHash(size=2, permutations=8)
    whole = signal.column(_text(texts)).to_pylist()
    parts = [signal.column(_text(part)).to_pylist() for part in (texts[:cut], texts[cut:])]
    assert whole == parts[0] + parts[1]


def test_parameters_name_the_column() -> None:
    """Whatever changes the values changes the key."""
    kinds = [
        MinHash(),
        MinHash(unit="chars"),
        MinHash(size=4),
        MinHash(permutations=64),
        MinHash(seed=1),
    ]
    assert len({kind.key() for kind in kinds}) == len(kinds)
    assert MinHash().key() == MinHash(size=5).key()


@pytest.mark.parametrize("wrong", [{"unit": "bytes"}, {"size": 0}, {"permutations": 0}, {"permutations": 5000}])
def test_wrong_options_are_told(wrong: dict) -> None:
    with pytest.raises(OptionError, match="expected"):
        MinHash(**wrong)


@pytest.mark.parametrize(
    ("threshold", "permutations", "bands"),
    [(0.5, 128, (25, 5)), (0.7, 128, (14, 9)), (0.8, 128, (9, 13)), (0.9, 128, (5, 25)), (0.7, 240, (24, 10))],
)
def test_bands_at_equal_weights_are_those_published(threshold, permutations, bands) -> None:
    """With a miss and an alarm weighed alike the optimum is that of datasketch (read off its code)."""
    found = lsh_parameters(threshold, permutations, miss_weight=0.5)
    assert (found.bands, found.rows) == bands


def test_candidate_probability_by_hand() -> None:
    """14 bands of 8 rows, as FineWeb: at 0.7 it is 1 - (1 - 0.7**8)**14 = 0.5645, at 0.8 0.9235."""
    found = candidate_probability(np.array([0.5, 0.7, 0.8, 0.9]), 14, 8)
    assert found == pytest.approx([0.0533, 0.5645, 0.9235, 0.9996], abs=5e-5)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_default_bands_miss_little(threshold: float) -> None:
    """Fewer than 1 % of pairs above the threshold are expected to be missed, 5 % exactly at it."""
    found = lsh_parameters(threshold)
    assert found.bands * found.rows <= 128
    assert found.miss < 0.01
    assert found.edge < 0.05
    assert 0 <= found.alarm < 0.6


def test_expected_misses_are_what_happens() -> None:
    """Signatures drawn place by place with a known chance to agree: as many become candidates as said."""
    rng = np.random.default_rng(0)
    plan = lsh_parameters(0.8)
    similarity = rng.uniform(0.8, 1.0, 100_000)
    agree = rng.random((100_000, plan.bands, plan.rows), np.float32) < similarity[:, None, None]
    missed = 1 - agree.all(axis=2).any(axis=1).mean()
    assert missed == pytest.approx(plan.miss, abs=4 * np.sqrt(plan.miss / 100_000))


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_wrong_thresholds_are_told(threshold: float) -> None:
    with pytest.raises(OptionError, match="above 0 and at most 1"):
        lsh_parameters(threshold)


@pytest.mark.peers
def test_estimates_are_as_good_as_those_of_datasketch() -> None:
    """The same shingle sets, 400 pairs from 0.05 to 0.95: equal mean and spread of the error, within noise."""
    peer = pytest.importorskip("datasketch", reason="pip install datasketch==2.0.0")
    rng = np.random.default_rng(3)
    ours, theirs = [], []
    signal = MinHash(size=1)
    for _ in range(400):
        share = rng.uniform(0.05, 0.95)
        pool = [f"t{i}" for i in rng.choice(10**6, 300, replace=False)]
        common = int(150 * share)
        first, second = pool[:150], pool[150 - common : 300 - common]
        exact = common / (300 - common)
        sketches = []
        for words in (first, second):
            sketch = peer.MinHash(num_perm=128)
            sketch.update_batch([w.encode() for w in words])
            sketches.append(sketch)
        theirs.append(sketches[0].jaccard(sketches[1]) - exact)
        minima = Signatures.of(signal.column(_text([" ".join(first), " ".join(second)]))).minima
        ours.append((minima[0] == minima[1]).mean() - exact)
    mine, peers = np.array(ours), np.array(theirs)
    assert abs(mine.mean()) < 4 * mine.std() / 20
    assert (mine**2).mean() < 1.25 * (peers**2).mean()
