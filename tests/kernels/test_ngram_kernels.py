"""The n-gram kernels against slow, obvious Python."""

from __future__ import annotations

import hashlib
import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.kernels.ngrams import WORD_CLASS, count_buckets, ngram_buckets, score_buckets
from tamis.kernels.wordpunct import non_ascii, sha256_ngram_buckets

_MASK = 2**64 - 1
_S0, _S1 = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
_S2, _S3 = 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3
_WORDS = re.compile(rb"[A-Za-z0-9_\x80-\xff]+|[^A-Za-z0-9_\x80-\xff\t-\r\x1c- ]+")

# Mostly the bytes at the edges of classes, so that runs form and break everywhere.
_byte = st.sampled_from(b"aZz@[`{/09:_^ \t\n\x1b\x1c\x1f\x20!\x7f\x80\xc3\xff\x00-.,")
_texts = st.lists(
    st.lists(st.one_of(_byte, st.integers(0, 255)), max_size=60).map(bytes)
    | st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass")),
    max_size=6,
)


def _layout(texts: list[bytes], before: bytes = b"", after: bytes = b"") -> tuple[np.ndarray, np.ndarray]:
    offsets = len(before) + np.cumsum([0] + [len(t) for t in texts])
    return np.frombuffer(before + b"".join(texts) + after, np.uint8), offsets.astype(np.int64)


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product >> 64) ^ (product & _MASK)


def _word_hash(word: bytes) -> int:
    h = _S0
    if WORD_CLASS[word[0]] == 1:
        blocks = [word[i : i + 8] for i in range(0, len(word), 8)]
        for block in blocks:
            value = int.from_bytes(block, "little")
            h = _fold(h ^ value, _S1) if len(block) == 8 else h ^ value
    else:
        for byte in word:
            h = _fold(h ^ byte, _S1)
    return _fold(h ^ len(word), _S1)


def _slow(text: bytes, n: int, buckets: int) -> list[int]:
    words = [_word_hash(w) for w in _WORDS.findall(text.lower())]
    out = []
    for t in range(len(words)):
        for j in (0, *range(min(n - 1, t), 0, -1)):
            h = words[t - j]
            for word in words[t - j + 1 : t + 1]:
                h = _fold(h ^ _S2, word ^ _S3)
            out.append((h & 0xFFFFFFFF) * buckets >> 32)
    return out


@given(
    texts=_texts,
    n=st.integers(1, 4),
    buckets=st.sampled_from([1, 7, 10_000, 65_536]),
    edge=st.binary(max_size=9),
)
def test_kernel_equals_slow_python(texts: list[bytes], n: int, buckets: int, edge: bytes) -> None:
    data, offsets = _layout(texts, edge, edge)
    values, out = ngram_buckets(data, offsets, n, buckets)
    assert [values[a:b].tolist() for a, b in itertools.pairwise(out)] == [_slow(t, n, buckets) for t in texts]


@given(texts=st.lists(st.text(st.characters(max_codepoint=127), max_size=60), max_size=5), n=st.integers(1, 3))
def test_ascii_words_are_those_of_wordpunct(texts: list[str], n: int) -> None:
    data, offsets = _layout([t.encode() for t in texts])
    words = [len(re.findall(r"\w+|[^\w\s]+", t.lower())) for t in texts]
    expected = [sum(max(w - j, 0) for j in range(n)) for w in words]
    assert np.diff(ngram_buckets(data, offsets, n, 100)[1]).tolist() == expected
    nothing = np.zeros(len(texts), bool)
    assert np.diff(sha256_ngram_buckets(data, offsets, nothing, n, 100)[1]).tolist() == expected


@given(texts=st.lists(st.text(st.characters(max_codepoint=127), max_size=60), max_size=5), n=st.integers(1, 3))
def test_sha256_kernel_equals_slow_python(texts: list[str], n: int) -> None:
    data, offsets = _layout([t.encode() for t in texts])
    values, out = sha256_ngram_buckets(data, offsets, np.zeros(len(texts), bool), n, 10_000)
    for i, text in enumerate(texts):
        words = re.findall(r"\w+|[^\w\s]+", text.lower())
        grams = [" ".join(words[t - j : t + 1]) for t in range(len(words)) for j in range(min(n, t + 1))]
        expected = [int(hashlib.sha256(g.encode()).hexdigest(), 16) % 10_000 for g in grams]
        assert values[out[i] : out[i + 1]].tolist() == expected


def test_alice_has_nine_ngrams() -> None:
    """Alice, went, to, the, store and the four bigrams: 9; the first bucket is 6720, the third 114."""
    data, offsets = _layout([b"Alice went to the store"])
    assert ngram_buckets(data, offsets, 2, 10_000)[1].tolist() == [0, 9]
    values, out = sha256_ngram_buckets(data, offsets, np.zeros(1, bool), 2, 10_000)
    assert out.tolist() == [0, 9]
    assert (values[0], values[2]) == (6720, 114)


def test_case_space_and_neighbours_do_not_matter() -> None:
    same = [b"The cat -- sat", b"the  CAT\t--\nSAT ", b" tHE cAt--saT"]
    data, offsets = _layout(same)
    values, out = ngram_buckets(data, offsets, 3, 65_536)
    rows = [values[a:b].tolist() for a, b in itertools.pairwise(out)]
    assert rows[0] == rows[1] == rows[2]
    alone, alone_out = ngram_buckets(*_layout(same[:1]), 3, 65_536)
    assert alone.tolist() == rows[0]
    assert len(rows[0]) == alone_out[1] == 4 + 3 + 2


def test_texts_of_one_byte_words_outgrow_the_first_allocation() -> None:
    text = b"a." * 5_000
    values, out = ngram_buckets(*_layout([text, b"", text]), 3, 1_000)
    assert out.tolist() == [0, 29_997, 29_997, 59_994]
    assert values[:29_997].tolist() == values[29_997:].tolist() == _slow(text, 3, 1_000)


def test_order_of_words_matters_to_bigrams() -> None:
    values, _ = ngram_buckets(*_layout([b"a b", b"b a"]), 2, 65_536)
    assert sorted([values[0], values[1]]) == sorted([values[3], values[4]])
    assert values[2] != values[5]


def test_buckets_are_evenly_filled() -> None:
    """200,000 different words and bigrams in 1,000 buckets: chi-square within 5 standard deviations."""
    words = [b"w%d" % i for i in range(100_000)]
    values, _ = ngram_buckets(*_layout([b" ".join(words)]), 2, 1_000)
    counts = count_buckets(values, 1_000)
    mean = len(values) / 1_000
    assert abs(((counts - mean) ** 2 / mean).sum() - 999) < 5 * np.sqrt(2 * 999)


def test_no_texts_and_empty_texts() -> None:
    values, out = ngram_buckets(np.empty(0, np.uint8), np.zeros(1, np.int64), 2, 10)
    assert (len(values), out.tolist()) == (0, [0])
    values, out = ngram_buckets(*_layout([b"", b"  ", b"x"]), 2, 10)
    assert out.tolist() == [0, 0, 0, 1]


@given(st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=6))
def test_counts_and_scores(rows: list[list[int]]) -> None:
    values = np.array([bucket for row in rows for bucket in row], np.uint16)
    offsets = np.cumsum([0] + [len(r) for r in rows]).astype(np.int64)
    weights = np.random.default_rng(0).normal(size=10)
    assert count_buckets(values, 10).tolist() == np.bincount(values, minlength=10).tolist()
    expected = []
    for row in rows:
        total = 0.0
        for bucket in row:
            total += float(weights[bucket])
        expected.append(total)
    assert score_buckets(values, offsets, weights).tolist() == expected  # the same order, so the same bits


def test_non_ascii() -> None:
    assert non_ascii(*_layout([b"abc", b"", "é".encode(), b"\x7f"])).tolist() == [False, False, True, False]


@pytest.mark.parametrize("byte", range(128))
def test_classes_are_those_of_the_pattern(byte: int) -> None:
    character = chr(byte)
    expected = 1 if re.match(r"\w", character) else 0 if re.match(r"\s", character) else 2
    assert WORD_CLASS[byte] == expected
