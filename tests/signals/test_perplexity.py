"""Perplexity: bits per byte against a reference and out of fold, on made and on real texts."""

from __future__ import annotations

import json
import lzma
import pickle
import random
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import real
from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.kernels.hashing import hash_spans
from tamis.signals.language_model import LanguageModel, train
from tamis.signals.perplexity import Perplexity, PoolPerplexity, Texts, bits_per_byte, per_piece

_texts = st.lists(st.lists(st.sampled_from(["alpha", "beta", "of", "the", "x", "\n"]), max_size=12).map(" ".join),
                  min_size=1, max_size=12)  # fmt: skip


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def _columns(texts: list[str], names: list[str] | None = None) -> dict[str, pa.Array]:
    """Return the columns of a fragment; a record's key is the hash of its name, by default its text."""
    named = _text(names if names is not None else texts)
    keys = hash_spans(named.data, named.offsets[:-1], named.offsets[1:], np.uint64(0))
    parts = [pa.array(np.ascontiguousarray(keys[:, j])) for j in range(2)]
    return {"text": Texts().column(_text(texts)), "key": pa.StructArray.from_arrays(parts, ["hi", "lo"])}


def _scores(signal: PoolPerplexity, *fragments: dict[str, pa.Array]) -> list[float]:
    state = signal.merge(signal.summary(columns) for columns in fragments)
    return [value for columns in fragments for value in signal.column(columns, state).to_pylist()]


def _prose(words: int, seed: int) -> str:
    """Return sentences of a small grammar: the same for everyone, so a model can learn it."""
    rng = random.Random(seed)
    parts = (
        ["the model", "a sieve", "this corpus", "each record"],
        ["learns", "keeps", "reads"],
        ["from text", "it all"],
    )
    return " ".join(" ".join(rng.choice(p) for p in parts) + "." for _ in range(words // 4))


# -- against a reference


def test_reference_texts_score_lower_than_others_and_empty_ones_not_at_all() -> None:
    model = train([_text([_prose(400, seed) for seed in range(20)])])
    signal = Perplexity(model)
    own, shuffled, foreign, empty = signal.column(
        _text([_prose(100, 99), " ".join(sorted(_prose(100, 99).split())), "qwxz vbnm jkl! " * 20, ""])
    ).to_pylist()
    assert own < 0.5 * shuffled < shuffled < foreign
    assert np.isnan(empty)
    assert signal.key() == Perplexity(model).key() != Perplexity(train([_text(["other texts"])])).key()


def test_bits_per_byte_and_perplexity_are_one_number_in_two_units() -> None:
    """Ten bytes, four pieces and the end: 20 bits are 2 bits a byte and 2 ** (20 / 5) = 16 a piece."""
    assert per_piece(np.array([20.0]), np.array([4])).tolist() == [16.0]
    text = _text(["one two, one two", "x"])
    model = train([text])
    bits, pieces = model.score(text)
    assert bits_per_byte(model, text).tolist() == (bits / [16, 1]).tolist()
    assert per_piece(bits, pieces) == pytest.approx(2 ** (bits_per_byte(model, text) * [16, 1] / [6, 2]))


# -- out of fold


@given(texts=_texts, seed=st.integers(0, 99), cut=st.integers(0, 12), folds=st.integers(2, 4))
def test_cuts_and_row_order_do_not_matter(texts: list[str], seed: int, cut: int, folds: int) -> None:
    signal = PoolPerplexity(folds=folds)
    names = [f"{i}" for i in range(len(texts))]
    whole = _scores(signal, _columns(texts, names))
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    parts = [[order[i] for i in range(len(order)) if (i < cut) == first] for first in (True, False)]
    cut_up = _scores(signal, *(_columns([texts[i] for i in p], [names[i] for i in p]) for p in parts if p))
    np.testing.assert_array_equal(cut_up, [whole[i] for i in order])


@given(texts=_texts, folds=st.integers(2, 4), limit=st.sampled_from([20, 1 << 27]))
def test_each_fold_is_scored_by_a_model_of_the_others(texts: list[str], folds: int, limit: int) -> None:
    """What the model of a fold knows is what a model trained without the fold's records knows: bit for bit."""
    names = [f"{i}" for i in range(len(texts))]
    signal = PoolPerplexity(folds=folds, train_bytes=limit)
    columns = _columns(texts, names)
    models = signal.merge([signal.summary(columns)])
    for row in range(len(texts)):
        others = [texts[i] for i in range(len(texts)) if i != row]
        left = _columns(others, [n for i, n in enumerate(names) if i != row])
        if sum(len(t.encode()) for t in texts) > limit:
            break  # then a record that goes makes room for another
        fold = int(signal._fold(signal.summary(columns).keys)[row])
        without = signal.merge([signal.summary(left)])[fold]
        model = models[fold]
        assert (without is None) == (model is None)
        if model is not None and without is not None:
            assert model.fingerprint == without.fingerprint


def test_a_copy_in_another_fold_counts_and_nonsense_stays_unseen() -> None:
    """Ten unusual texts, each there twice under two names; where the two are in two folds, both cost less."""
    rng = random.Random(5)
    nonsense = ["".join(rng.choice("qwxzjk vby") for _ in range(200)) for _ in range(40)]
    pool = [_prose(100, seed) for seed in range(200)]
    texts = pool + nonsense + nonsense[:20]
    names = [f"{i}" for i in range(len(texts))]
    signal = PoolPerplexity()
    columns = _columns(texts, names)
    fold = signal._fold(signal.summary(columns).keys)
    scores = np.array(_scores(signal, columns))
    first, copy, single = np.arange(200, 220), np.arange(240, 260), np.arange(220, 240)
    apart = fold[first] != fold[copy]
    assert 4 <= np.count_nonzero(apart) <= 16
    seen = scores[np.concatenate([first[apart], copy[apart]])]
    unseen = np.concatenate([scores[single], scores[first[~apart]], scores[copy[~apart]]])
    assert scores[:200].max() < seen.max() < 0.6 * unseen.min()
    without = _scores(signal, _columns(texts[:240], names[:240]))
    assert (scores[first[apart]] < 0.6 * np.array(without)[first[apart]]).all()
    assert scores[first[~apart]] == pytest.approx(np.array(without)[first[~apart]], rel=0.2)


def test_folds_have_equal_shares() -> None:
    signal = PoolPerplexity(folds=4)
    fold = signal._fold(signal.summary(_columns([f"text {i}" for i in range(20_000)])).keys)
    assert np.abs(np.bincount(fold) / 20_000 - 0.25).max() < 0.015


def test_a_larger_pool_is_learned_from_in_part() -> None:
    """Of 2,000 texts about 200 fit; which ones does not depend on cuts; all are scored."""
    texts = [f"{i} " + _prose(12, i) for i in range(2_000)]
    signal = PoolPerplexity(train_bytes=sum(map(len, texts)) // 10)
    columns = _columns(texts)
    models = signal.merge([signal.summary(columns)])
    learned = [model.trained_on for model in models if model is not None]
    whole = [m.trained_on for m in PoolPerplexity().merge([signal.summary(columns)]) if m is not None]
    assert sum(learned) == pytest.approx(sum(whole) / 10, rel=0.05)
    halves = [_columns(texts[:700]), _columns(texts[700:])]
    assert _scores(signal, columns) == _scores(signal, *halves)
    assert not np.isnan(_scores(signal, columns)).any()


def test_where_nothing_can_be_learned_there_is_no_score() -> None:
    signal = PoolPerplexity()
    assert np.isnan(_scores(signal, _columns(["alone"]))).all()
    assert np.isnan(_scores(signal, _columns(["", ""], ["a", "b"]))).all()
    assert _scores(signal, _columns([])) == []


def test_summaries_and_models_travel() -> None:
    signal = PoolPerplexity(folds=3)
    columns = _columns([_prose(60, i) for i in range(9)])
    state = signal.merge([pickle.loads(pickle.dumps(signal.summary(columns)))])
    again = pickle.loads(pickle.dumps(state))
    assert signal.column(columns, again).equals(signal.column(columns, signal.merge([signal.summary(columns)])))


def test_keys_name_everything_the_values_depend_on() -> None:
    options = [{}, {"folds": 3}, {"order": 2}, {"spelling": 4}, {"train_bytes": 9}, {"seed": 1}]
    assert len({PoolPerplexity(**o).key() for o in options}) == len(options)
    assert PoolPerplexity().inputs[0].key() == Texts().key()


@pytest.mark.parametrize("options", [{"folds": 1}, {"folds": 17}, {"order": 1}, {"spelling": 13}, {"train_bytes": 0}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=rf"option '{next(iter(options))}': expected .*, got"):
        PoolPerplexity(**options)


# -- real texts


@pytest.fixture(scope="module")
def abstracts() -> list[str]:
    path = real("corpus_arxiv") / "arxiv_stat.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line, _ in zip(lines, range(6_000), strict=False)]
    return [f"{r['title']}. {r['abstract']}" for r in records]


@pytest.fixture(scope="module")
def laws() -> list[str]:
    path = real("corpus_gesetze_de") / "gesetze.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"][:3_000] for line, _ in zip(lines, range(60), strict=False)]


@pytest.fixture(scope="module")
def english(abstracts: list[str]) -> LanguageModel:
    return train([_text(abstracts[:5_000])])


def test_new_abstracts_cost_fewer_bits_than_compressors_need(abstracts: list[str], english: LanguageModel) -> None:
    held = abstracts[5_000:]
    joined = "\n".join(held).encode()
    bits = english.score(_text(held)).bits.sum() / len(joined)
    assert bits < 0.55 * 8 * len(zlib.compress(joined, 9)) / len(joined)
    assert bits < 0.7 * 8 * len(lzma.compress(joined)) / len(joined)
    assert 1.0 < bits < 1.6


def test_shuffled_words_and_other_languages_cost_more(
    abstracts: list[str], laws: list[str], english: LanguageModel
) -> None:
    held = abstracts[5_000:5_300]
    rng = random.Random(1)
    shuffled = [" ".join(rng.sample(t.split(), len(t.split()))) for t in held]
    own, mixed = bits_per_byte(english, _text(held)), bits_per_byte(english, _text(shuffled))
    assert np.mean(own < mixed) > 0.99
    assert mixed.mean() > 1.25 * own.mean()
    german = bits_per_byte(english, _text(laws))
    assert german.min() > np.quantile(own, 0.99)
    assert german.mean() > 2 * own.mean()


def test_strangers_in_the_pool_score_worst(abstracts: list[str], laws: list[str]) -> None:
    """Out of fold: five German laws among 2,000 abstracts are the worst five, shuffled abstracts in the upper sixth."""
    scores = np.array(_scores(PoolPerplexity(), _columns(abstracts[:2_000] + laws[:5])))
    assert sorted(np.argsort(-scores)[:5].tolist()) == [2_000, 2_001, 2_002, 2_003, 2_004]
    rng = random.Random(2)
    shuffled = [" ".join(rng.sample(t.split(), len(t.split()))) for t in abstracts[:10]]
    scores = np.array(_scores(PoolPerplexity(), _columns(abstracts[10:2_010] + shuffled)))
    assert (scores[2_000:] > np.quantile(scores[:2_000], 5 / 6)).all()
