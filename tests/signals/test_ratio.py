"""The n-gram, n-gram count and ratio signals: hand-worked weights, and cuts that do not matter."""

from __future__ import annotations

import itertools
import math
import pickle
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError
from tamis.signals.ngrams import NgramCount, Ngrams, lists
from tamis.signals.ratio import Ratio, chunk_ngrams, count_ngrams, log_ratio, log_weights

_words = st.lists(st.sampled_from(["a", "b", "c", "The", "naïve", "x_1", "--", "日本"]), max_size=12)
_pools = st.lists(_words.map(" ".join), min_size=1, max_size=12)


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def _columns(features: Ngrams, texts: list[str]) -> dict[str, pa.Array]:
    return {"ngrams": features.column(_text(texts))}


def _counts(features: Ngrams, texts: list[str]) -> np.ndarray:
    return count_ngrams([features.column(_text(texts))], features.buckets)


def _weigh(signal: Ratio, texts: list[str], cuts: tuple[int, ...] = ()) -> list[float]:
    edges = [0, *cuts, len(texts)]
    parts = [_columns(signal.ngrams, texts[a:b]) for a, b in itertools.pairwise(edges)]
    state = signal.merge(signal.summary(part) for part in parts)
    return [w for part in parts for w in signal.column(part, state).to_pylist()]


def test_a_weight_by_hand() -> None:
    """Unigrams alone, words "a" and "b" in buckets of their own.

    Target "a a a b": p(a) = 3/4, p(b) = 1/4. Pool "a b", "b b": p(a) = 1/4, p(b) = 3/4. Then
    delta(a) = log(.75 + 1e-8) - log(.25 + 1e-8) = 1.0986122621, delta(b) = -delta(a). "a b" weighs
    0 and "b b" -2.1972245242 as sums. In chunks of one word (G = 1) each weighs half of that, less
    what the average word of the pool does: (1.0986122621 - 3 x 1.0986122621) / 4 = -0.5493061310.
    """
    features = Ngrams(n=1, buckets=1000)
    assert len(set(lists(features.column(_text(["a b"])))[0].tolist())) == 2
    target = _counts(features, ["a a a b"])
    plain = Ratio(target, ngrams=features, chunk=None)
    assert _weigh(plain, ["a b", "b b"]) == pytest.approx([0.0, -2.1972245242], abs=1e-9)
    chunked = Ratio(target, ngrams=features, chunk=1)
    assert _weigh(chunked, ["a b", "b b"]) == pytest.approx([0.5493061310, -0.5493061310], abs=1e-9)


def test_length_does_not_decide() -> None:
    """With chunks of 4 words (G = 7) a text said over and over keeps its weight.

    A shorter one, of N n-grams, weighs its sum plus what 7 - N average n-grams do, and 7 average
    n-grams are taken off all texts: its sum less N times the average.
    """
    features = Ngrams(buckets=5000)
    signal = Ratio(_counts(features, ["alpha beta " * 50]), ngrams=features, chunk=4)
    texts = ["alpha", "alpha beta", "alpha beta " * 20, "alpha beta " * 200, "gamma delta " * 100, ""]
    short, pair, longer, longest, other, empty = _weigh(signal, texts)
    plain = _weigh(Ratio(signal.target, ngrams=features, chunk=None), texts)
    pool = _counts(features, texts)
    average = float(pool @ log_ratio(signal.target, pool)) / pool.sum()
    assert average < 0
    assert (short, pair, empty) == (pytest.approx(plain[0] - average), pytest.approx(plain[1] - 3 * average), 0.0)
    assert longest == pytest.approx(longer, rel=0.02)
    assert longest == pytest.approx((plain[3] / (2 * 400 - 1) - average) * 7)
    assert other < 0 < longest
    assert plain[3] > 9 * plain[2]


def test_short_texts_of_the_average_kind_do_not_rank_first() -> None:
    """A small target lacks most n-grams, so sums are far below 0 and the shortest text has the least of it."""
    words = [f"w{i}" for i in range(400)]
    pool = [" ".join(words[i : i + n]) for i, n in enumerate([3] * 50 + [120] * 50)]
    signal = Ratio(_counts(Ngrams(), ["unlike all of it"]), ngrams=Ngrams())
    plain = np.array(_weigh(Ratio(signal.target, chunk=None), pool))
    chunked = np.array(_weigh(signal, pool))
    assert plain[:50].min() > plain[50:].max()
    gap = plain[:50].mean() - plain[50:].mean()
    assert abs(chunked[:50].mean() - chunked[50:].mean()) < 0.05 * gap


def test_a_chunk_of_128_words_has_255_ngrams() -> None:
    assert chunk_ngrams(128, 2) == 255
    assert chunk_ngrams(4, 3) == 4 + 3 + 2
    features = Ngrams(n=3)
    assert len(features.column(_text(["a b c d"]))[0]) == chunk_ngrams(4, 3)


@given(pool=_pools, target=_words.filter(bool), cut=st.integers(0, 12), compat=st.booleans())
def test_weights_equal_a_dictionary_of_counts(pool: list[str], target: list[str], cut: int, compat: bool) -> None:
    """Against plain Python over buckets, however the pool is cut into fragments."""
    features = Ngrams(buckets=50, compat=compat)
    signal = Ratio(_counts(features, [" ".join(target)]), ngrams=features, chunk=3)
    rows = [r.as_py() for r in features.column(_text(pool))]
    total = sum(map(len, rows))
    raw = [sum(r.count(b) for r in rows) / max(total, 1) for b in range(50)]
    aim = signal.target / signal.target.sum()
    delta = [math.log(aim[b] + 1e-8) - math.log(raw[b] + 1e-8) for b in range(50)]
    average = sum(delta[b] for r in rows for b in r) / max(total, 1)
    expected = [sum(delta[b] - average for b in r) * min(1, 5 / max(len(r), 1)) for r in rows]
    assert _weigh(signal, pool, (min(cut, len(pool)),)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(pool=_pools, cuts=st.lists(st.integers(0, 12), max_size=4), fit=st.integers(1, 60))
def test_a_limited_fit_stops_at_the_same_record_however_the_pool_is_cut(
    pool: list[str], cuts: list[int], fit: int
) -> None:
    features = Ngrams(buckets=64)
    signal = Ratio(_counts(features, ["a b c"]), ngrams=features, chunk=None, fit=fit)
    counts = np.zeros(64, np.int64)
    for text in pool:  # the reference package's loop
        counts += _counts(features, [text])
        if counts.sum() > fit:
            break
    delta = log_ratio(signal.target, counts)
    expected = log_weights(features.column(_text(pool)), delta, None)
    got = _weigh(signal, pool, tuple(sorted(min(c, len(pool)) for c in cuts)))
    np.testing.assert_array_equal(got, expected)


def test_a_limited_fit_takes_no_more_fragments_than_needed() -> None:
    features = Ngrams(buckets=64)
    signal = Ratio(_counts(features, ["a"]), ngrams=features, fit=2)
    taken = []

    def fragments():  # type: ignore[no-untyped-def]
        for i in range(5):
            taken.append(i)
            yield signal.summary(_columns(features, ["a b"]))

    signal.merge(fragments())
    assert taken == [0]


def test_summaries_travel() -> None:
    features = Ngrams()
    signal = Ratio(_counts(features, ["a b"]), ngrams=features)
    summary = signal.summary(_columns(features, ["b c", "d"]))
    assert len(pickle.dumps(summary)) < 100_000
    np.testing.assert_array_equal(signal.merge([pickle.loads(pickle.dumps(summary))]), signal.merge([summary]))


@pytest.mark.parametrize("compat", [False, True])
@given(texts=_pools)
def test_columns_of_slices_are_slices_of_columns(compat: bool, texts: list[str]) -> None:
    features = Ngrams(compat=compat)
    whole = features.column(_text(texts))
    values, offsets = lists(whole[1:])
    assert [values[a:b].tolist() for a, b in itertools.pairwise(offsets)] == [
        features.column(_text([t]))[0].as_py() for t in texts[1:]
    ]
    assert whole.type == pa.large_list(pa.uint16())


def test_beyond_ascii() -> None:
    """Without compat, letters beyond ASCII are word characters as they are; with it, Python's rules hold."""
    texts = ["Ä ä", "—a—", "naïve NAÏVE", "x½ y"]
    plain = [len(r) for r in Ngrams(n=1).column(_text(texts)).to_pylist()]
    assert plain == [2, 1, 2, 2]
    assert Ngrams(n=1).column(_text(["Ä ä"]))[0].as_py()[0] != Ngrams(n=1).column(_text(["Ä ä"]))[0].as_py()[1]
    exact = Ngrams(n=1, compat=True).column(_text(texts)).to_pylist()
    assert [len(r) for r in exact] == [len(re.findall(r"\w+|[^\w\s]+", t)) for t in texts] == [2, 3, 2, 2]
    assert exact[0][0] == exact[0][1]
    assert exact[2][0] == exact[2][1]


def test_counts_of_ngrams() -> None:
    features = Ngrams()
    signal = NgramCount(features)
    columns = _columns(features, ["Alice went to the store", "", "one"])
    assert signal.column(columns, signal.merge([signal.summary(columns)])).to_pylist() == [9, 0, 1]
    assert signal.inputs == (features,)


def test_keys_name_everything_the_values_depend_on() -> None:
    a, b = _counts(Ngrams(), ["a"]), _counts(Ngrams(), ["b"])
    wide = _counts(Ngrams(n=3), ["a"])
    signals = [
        Ratio(a),
        Ratio(b),
        Ratio(a, chunk=64),
        Ratio(a, chunk=None),
        Ratio(a, fit=9),
        Ratio(wide, ngrams=Ngrams(n=3)),
        Ratio(a, ngrams=Ngrams(compat=True)),
    ]
    assert len({s.key() for s in signals}) == len(signals)
    assert Ratio(a.copy()).key() == Ratio(a).key()
    assert len({Ngrams().key(), Ngrams(n=1).key(), Ngrams(buckets=9).key(), Ngrams(compat=True).key()}) == 4


def test_a_target_without_text_is_refused() -> None:
    with pytest.raises(InputError, match="a target without text"):
        Ratio(_counts(Ngrams(), ["", "  \n"]))
    with pytest.raises(InputError, match="expected 10000 buckets"):
        Ratio(np.ones(5, np.int64))


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 9}, {"buckets": 0}, {"buckets": 65_537}])
def test_features_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="expected 1 to"):
        Ngrams(**options)


def test_ratio_options_out_of_range_are_refused() -> None:
    target = _counts(Ngrams(), ["a"])
    with pytest.raises(OptionError, match="at least 2 words"):
        Ratio(target, chunk=1)
    with pytest.raises(OptionError, match="at least 1 n-gram"):
        Ratio(target, fit=0)
