"""Words, shingles, signatures and sets: against plain Python, by hand, and the estimate's error."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import salt
from tamis.kernels.minhash import EMPTY, band_hashes, jaccard, permutations, shingle_sets, signatures
from tamis.kernels.shingles import window_hashes, word_hashes

_A, _B = permutations(128, salt(0, "test"))
_PIECES = (
    "a|B|the|The|x_1|2024| |  |\n|,|. |--|“|”|naïve|Ärger|é|e\u0301|日本|語|ไทย|ひら|привет|Мир|한국|हिन्दी"
    "|\u00a0|—|\u200b|longestwordofall|😀|ß|İ|\u212a"
)
_texts = st.lists(st.sampled_from(_PIECES.split("|")), max_size=30).map("".join)


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


_UNSPACED = [
    (0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3041, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF),
]  # fmt: skip


def _words(text: str) -> list[str]:
    """The rule of `kernels.shingles`, written down a second time."""
    words: list[str] = []
    joins = False
    for c in text:
        if not (ord(c) > 0xFFFF or c == "_" or c.isalnum() or unicodedata.category(c)[0] == "M"):
            joins = False
            continue
        low = c.lower() if ord(c) <= 0xFFFF else c
        c = c if len(low) > 1 or (ord(low) < 128) != (ord(c) < 128) else low
        single = any(first <= ord(c) <= last for first, last in _UNSPACED)
        if joins and not single:
            words[-1] += c
        else:
            words.append(c)
        joins = not single
    return words


def _shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))} if words else set()


def _sets(texts: list[str], size: int = 5, chars: bool = False) -> list[set[int]]:
    text = _text(texts)
    values, offsets = shingle_sets(text.data, text.offsets, chars, size, np.arange(len(texts)))
    return [set(values[a:b].tolist()) for a, b in itertools.pairwise(offsets.tolist())]


def _spans(text: str) -> list[str]:
    data = np.frombuffer(text.encode(), np.uint8)
    hashes, spans = np.empty(len(data), np.uint64), np.empty(2 * len(data), np.int64)
    count = word_hashes(data, 0, len(data), hashes, spans)
    return [data[a:b].tobytes().decode() for a, b in spans[: 2 * count].reshape(-1, 2).tolist()]


@given(_texts)
def test_words_are_those_of_the_rule(text: str) -> None:
    """Where words begin and end, in every script; what they hash to depends on their lower case alone."""
    found = _spans(text)
    assert [_words(word)[0] for word in found] == _words(text)
    assert all(len(_words(word)) == 1 for word in found)


def test_words_by_hand() -> None:
    """Punctuation, wide spaces and quotes separate; scripts without spaces have a word a character."""
    assert _spans("Don't “Stop” x_1—now\u00a0§ 5") == ["Don", "t", "Stop", "x_1", "now", "5"]
    assert _spans("日本語のtest") == ["日", "本", "語", "の", "test"]
    assert _spans("Ärger, naïve café") == ["Ärger", "naïve", "café"]
    assert _spans("... !?") == []


@given(_texts, _texts, st.integers(1, 6))
def test_jaccard_is_that_of_the_words(first: str, second: str, size: int) -> None:
    """Sets of 64-bit hashes have the similarity of the sets of tuples of words."""
    a, b = _shingles(first, size), _shingles(second, size)
    x, y = _sets([first, second], size)
    assert (len(x), len(y), len(x & y)) == (len(a), len(b), len(a & b))


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_jaccard_of_sets(first: set[int], second: set[int], least: float) -> None:
    """The merge gives the similarity where it is at least `least`, even exactly there, else -1."""
    values = np.array([*sorted(first), *sorted(second)], np.uint64)
    found = jaccard(values, 0, len(first), len(first), len(values), least, 0)
    exact = len(first & second) / len(first | second) if first and second else -1.0
    assert found == (exact if exact >= least else -1.0)


def test_a_threshold_met_exactly_counts() -> None:
    """4 of 5 is 0.8 and 9 of 10 is 0.9, though neither is a binary fraction."""
    for both, either in ((4, 5), (9, 10), (7, 10), (2, 3), (99, 100)):
        values = np.array([*range(both), *range(either)], np.uint64)
        assert jaccard(values, 0, both, both, both + either, both / either, 0) == both / either


def test_signature_by_hand() -> None:
    """Two permutations of three numbers: a = 1, b = 0 is the least itself; a = 3, b = 1 the least 3 x + 1."""
    text = _text(["a b c d e f g", ""])
    a, b = np.array([1, 3], np.uint32), np.array([0, 1], np.uint32)
    exact, minima, mark = signatures(text.data, text.offsets, False, 5, a, b)
    hashes = np.empty(7, np.uint64)
    words = np.empty(7, np.uint64)
    assert word_hashes(text.data, 0, len(text.data), words, np.empty(0, np.int64)) == 7
    assert window_hashes(words, 7, 5, hashes) == 3
    high = [int(h) >> 32 for h in hashes[:3]]
    assert minima[0].tolist() == [min(high), min((3 * x + 1) % 2**32 for x in high)]
    assert mark[0] == min(int(h) & 0xFFFFFFFF for h in hashes[:3])
    assert minima[1].tolist() == [EMPTY, EMPTY]
    assert exact[0].all()
    assert not exact[1].any()


@given(st.lists(_texts, min_size=1, max_size=6), st.booleans(), st.integers(1, 6))
def test_equal_sets_have_equal_signatures(texts: list[str], chars: bool, size: int) -> None:
    """Texts with the same shingles have the same minima; with the same words also the same exact hash."""
    text = _text([*texts, *(t.upper().lower() for t in texts)])
    _, minima, mark = signatures(text.data, text.offsets, chars, size, _A, _B)
    sets = _sets([*texts, *(t.upper().lower() for t in texts)], size, chars)
    for i, j in itertools.combinations(range(len(sets)), 2):
        if sets[i] == sets[j]:
            assert (minima[i] == minima[j]).all()
            assert mark[i] == mark[j]


@given(_texts, _texts)
def test_exact_hash_is_of_the_words(first: str, second: str) -> None:
    """Equal for the same words in the same order, and only then; zeros without words."""
    text = _text([first, second, "  " + first.replace(" ", "\n\n") + " !?"])
    exact = signatures(text.data, text.offsets, False, 5, _A, _B)[0].tolist()
    assert (exact[0] == exact[1]) == (_words(first) == _words(second))
    assert (exact[0] == [0, 0]) == (not _words(first))
    assert exact[0] == exact[2]


def test_shingles_of_characters() -> None:
    """Runs of 3 characters of the words with one space between: by hand."""
    assert [len(s) for s in _sets(["Ab, cd!", "ab  CD", "ab", "", "abcab"], 3, chars=True)] == [3, 3, 1, 0, 3]
    x, y, *_ = _sets(["Ab, cd!", "ab  CD"], 3, chars=True)
    assert x == y


def test_estimates_are_unbiased_with_the_variance_of_min_hash() -> None:
    """Pairs of known similarity: mean error within 4 standard errors of 0, variance within 15 % of s (1 - s) / P."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(50_000)]
    for share in (0.2, 0.5, 0.8, 0.95):
        texts = []
        for _ in range(1500):
            common = int(200 * share)
            picked = rng.choice(len(words), 400 - common, replace=False)
            rest = (400 - 2 * common) // 2
            texts.append(" ".join(words[i] for i in picked[: common + rest]))
            texts.append(" ".join(words[i] for i in [*picked[:common], *picked[common + rest :]]))
        text = _text(texts)
        _, minima, _ = signatures(text.data, text.offsets, False, 1, _A, _B)
        sets = _sets(texts, 1)
        exact = np.array([len(a & b) / len(a | b) for a, b in zip(sets[::2], sets[1::2], strict=True)])
        error = (minima[::2] == minima[1::2]).mean(axis=1) - exact
        expected = exact * (1 - exact) / 128
        assert abs(error.mean()) < 4 * np.sqrt(expected.mean() / len(error))
        assert (error**2).mean() == pytest.approx(expected.mean(), rel=0.15)
        # and the spread over pairs for each permutation, so that no single one is off
        hits = (minima[::2] == minima[1::2]).mean(axis=0)
        assert np.abs(hits - exact.mean()).max() < 5 * np.sqrt(exact.mean() * (1 - exact.mean()) / len(error))


def test_small_sets_are_estimated_without_bias() -> None:
    """Sets of 2 to 6 shingles: where a weak family of permutations would show."""
    rng = np.random.default_rng(1)
    texts = []
    for _ in range(4000):
        names = [f"n{i}" for i in rng.choice(10**6, 6, replace=False)]
        texts += [" ".join(names[:4]), " ".join(names[2:])]  # 2 of 6 in common
    text = _text(texts)
    _, minima, _ = signatures(text.data, text.offsets, False, 1, _A, _B)
    share = (minima[::2] == minima[1::2]).mean()
    assert share == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / 128 / 4000))


def test_permutations_are_counted_not_drawn() -> None:
    """More of them begin with the same ones; multipliers are odd."""
    a, b = permutations(300, salt(0, "test"))
    assert (a[:128] == _A).all()
    assert (b[:128] == _B).all()
    assert (a & 1).all()
    assert len(set(a.tolist())) == 300


def test_bands_agree_where_all_their_places_do() -> None:
    """Band hashes are equal exactly where the places are, and differ from band to band."""
    minima = np.arange(24, dtype=np.uint32).reshape(2, 12) % 12
    minima[1, 5] = 99
    hashes = band_hashes(minima, np.array([0, 1]), 4, 3)
    assert (hashes[:, 0] == hashes[:, 1]).tolist() == [True, False, True, True]
    same = band_hashes(np.zeros((1, 12), np.uint32), np.array([0]), 4, 3)
    assert len(set(same[:, 0].tolist())) == 4
