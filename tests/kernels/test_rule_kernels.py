"""The kernels of the rules against slow, obvious Python: every measure of every text, to the last bit."""

from __future__ import annotations

import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rule_reference as reference
from tamis.corpus.chunk import Text
from tamis.kernels.rules import MEASURES, measure, room, slots, word_hash
from tamis.kernels.rules_chars import ALNUM, LETTER, SPACE, classes

STOPS = [{"the", "of", "a"}, {"die", "the", "für"}]

# Pieces at which words, lines, phrases and counts begin and end, so that they meet in every way.
_PIECES = [
    *re.split(" ", "a B s S 5 1 12 é ß ª ² Ⅷ ǅ 日本 𝔘 。 😀 € $ ' ’ n't don't I'm we'll dog's U.S Jr x=5 abcdefgh"),
    *re.split(" ", '. .. ... … , : ; / @ :// www. - – — -- [1] [edit] [ ] { # + % • ~ * ^ < > _ \\ | ! ? " ( )'),
    *re.split("[|]", " |  |\n|\n\n|\r\n|\r|\v|\x85|\u2028|\xa0|\u3000|\u200b|\x7f|\t|\x1c"),
    *re.split("[|]", "the|of|für|die|ab cd ab cd ab cd|word of length|[citation needed]|lorem ipsum|lorem |ipsum"),
    *re.split("[|]", "javascript|JavaScript|use cookies|reuse of cookies|cookie policy|privacy policy|terms of use."),
]
_texts = st.one_of(
    st.lists(st.sampled_from(_PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(["a", "b", "c d", "a b c d e f g h i j k l"]), max_size=60).map(" ".join),
    st.lists(
        st.sampled_from(["a", "b c d.", "", " ", "Hello there you.", "e f g[1]. X y!", "U" * 40]), max_size=20
    ).map("\n".join),
    st.text(st.characters(exclude_categories=["Cn", "Cs"]), max_size=60),  # planes 2 and 3 are ideographs to us
)


def measured(texts: list[str], on: list[bool] | None = None, stops: list[set[str]] = STOPS) -> np.ndarray:
    column = Text.of(pa.array(texts, pa.large_string()))
    words = [(w, bit) for bit, some in enumerate(stops) for w in sorted(some)]
    hashes = np.array([word_hash(w.encode()) for w, _ in words], np.uint64)
    keys, languages = slots(hashes, np.array([1 << bit for _, bit in words], np.uint64))
    memory, regions = room(int(np.diff(column.offsets).max(initial=0)))
    out = np.zeros((len(texts), len(MEASURES)))
    lines = np.array(on or [True] * 5)
    measure(column.data, column.offsets, classes(), keys, languages, len(stops), lines, regions, memory, out)
    return out


def check(texts: list[str], on: list[bool]) -> None:
    """Compare every measure of every text with the reference."""
    switched = dict(zip(reference.C4_LINE_RULES, on, strict=True))
    for text, row in zip(texts, measured(texts, on), strict=True):
        expected = reference.measures(text, STOPS, switched)
        found = dict(zip(MEASURES, row.tolist(), strict=True))
        assert found == (expected or dict.fromkeys(MEASURES, 0.0)), text


@given(st.lists(_texts, max_size=6), st.lists(st.booleans(), min_size=5, max_size=5))
@example(["\n", "\n\n", " \n ", "a\n\nb\n\na\n\n", "x\r\ny\r\n", "a\x0b", ""], [True] * 5)
@example(["one of the[1] ends.[2]", "one of the ends. [2]", "[[1]] a b c.", "a b c[citation needed]."], [True] * 5)
def test_measures_equal_slow_python(texts: list[str], on: list[bool]) -> None:
    check(texts, on)


@pytest.mark.parametrize("words", [2, 6, 30])
def test_repeats_equal_slow_python_text_after_text(words: int) -> None:
    """Many texts of few words in one call: what one text leaves in the scratch memory is nothing to the next."""
    chance = random.Random(words)
    known = [chance.choice("abcdefgh") * chance.randint(1, 3) + str(i) for i in range(words)]
    texts = [" ".join(chance.choices(known, k=chance.randint(1, 90))) for _ in range(300)]
    check(texts, [True] * 5)


def test_dense_texts_equal_slow_python() -> None:
    """Pieces stuck together at random, more of them than hypothesis has time for."""
    chance = random.Random(0)
    check(["".join(chance.choices(_PIECES, k=chance.choice([2, 3, 4, 6, 9, 30]))) for _ in range(4_000)], [True] * 5)


@given(st.lists(_texts, min_size=1, max_size=5))
def test_a_text_is_measured_the_same_wherever_it_stands(texts: list[str]) -> None:
    together = measured(texts)
    assert np.array_equal(together, np.concatenate([measured([text]) for text in texts]))
    assert np.array_equal(together[::-1], measured(texts[::-1]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("well-known and/or 3-4, 2*3", "well - known and / or 3 - 4 , 2 * 3"),
        ("don't I'm we'll dog's, o'clock", "do n't I 'm we 'll dog 's , o'clock"),
        ("don’t l'homme can't", "do n’t l'homme ca n't"),
        ("U.S. e.g. x. end. NASA. NaI. it.Then", "U.S. e.g. x. end . NASA . NaI. it . Then"),
        ("1,000 3.14 3:30 covid-19 x=5 a,b k:v", "1,000 3.14 3:30 covid-19 x=5 a , b k : v"),
        ('("Hi," [1]).', '( " Hi , " [ 1 ] ) .'),
        ("$100 10% 5€ c++ +5 +x", "$ 100 10 % 5 € c++ +5 + x"),
        ("what... ...no ..", "what ... ... no .."),
        ("http://a.b/c-d www.x-y.org me@x-y.org", "http://a.b/c-d www.x-y.org me@x-y.org"),
        ("--- a--b a---b a----b -x x- –y", "--- a -- b a --- b a----b -x x- – y"),
        ("É. aÉ. ÉÉ. né. Ж. ж. (É). x.É", "É. aÉ. ÉÉ . né . Ж. ж. ( É ) . x . É"),
        ("5 m². 5%. a-. 5+. a/. me@. s'.", "5 m² . 5 % . a- . 5 + . a/. me@. s ' ."),
        ("#### f(x) snake_case _x_ <br>", "# # # # f(x ) snake_case _ x _ < br >"),
        ("naïve 日本。 nice😀day", "naïve 日本 。 nice 😀 day"),
    ],
)
def test_words_by_hand(text: str, words: str) -> None:
    """What a word is, in the reference; the kernel finds each of them, and as many characters."""
    assert reference.words(text) == words.split()
    every = set(words.split())
    found = dict(zip(MEASURES, measured([text], stops=[every])[0].tolist(), strict=True))
    assert found == reference.measures(text, [every], dict.fromkeys(reference.C4_LINE_RULES, True))
    assert found["stop_words"] == len(every)


def test_most_frequent_and_seen_again_by_hand() -> None:
    """Characters of repeated n-grams.

    In "a b a b a b" the pair a b stands 3 times: 3 x 3 = 9 of 11 characters; the triple a b a twice: 2 x 5 = 10.
    Of ten different letters twice, the second a-e was seen before (5 characters), then f-j (5): 10 of 39.
    """
    rows = measured(["a b a b a b", " ".join("abcdefghij" * 2)])
    assert rows[0, MEASURES.index("top_2_gram")] == 9 / 11
    assert rows[0, MEASURES.index("top_3_gram")] == 10 / 11
    assert rows[1, MEASURES.index("repeated_5_grams")] == 10 / 39
    assert rows[1, MEASURES.index("repeated_10_grams")] == 10 / 39


def test_a_megabyte_line_and_a_megabyte_of_lines() -> None:
    """Long texts, of one word, of one kind of word and of empty lines, beside a short one."""
    texts = ["x" * 1_000_000, "ab " * 333_333, "\n" * 1_000_000, "." * 1_000_000, "é" * 500_000, "# " * 500_000, "a b"]
    rows = measured(texts)
    column = dict(zip(MEASURES, rows.T, strict=True))
    assert column["words"].tolist() == [1, 333_333, 0, 0, 1, 0, 2]
    assert column["word_characters"].tolist() == [1_000_000, 2, 0, 0, 500_000, 0, 1]
    assert column["hashes_per_word"].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert column["ellipses_per_word"].tolist() == [0, 0, 0, 333_333, 0, 0, 0]
    assert column["repeated_lines"].tolist() == [0, 0, 0.5, 0, 0, 0, 0]
    assert column["top_2_gram"][1] == 333_332 * 5 / 999_999
    assert column["c4_long_word_lines"].tolist() == [1, 0, 0, 1, 1, 0, 0]


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text_do_no_harm(raw: bytes) -> None:
    data = np.frombuffer(raw, np.uint8)
    memory, regions = room(len(raw))
    out = np.zeros((1, len(MEASURES)))
    keys, languages = slots(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    offsets = np.array([0, len(raw)])
    measure(data, offsets, classes(), keys, languages, 1, np.ones(5, bool), regions, memory, out)
    assert np.isfinite(out).all()


def test_classes_are_pythons() -> None:
    table = classes()
    for code in (*range(0x3000), 0x3042, 0x4E00, 0xFF01, 0x1D518, 0x1F600):
        character = chr(code)
        assert bool(table[code] & LETTER) == character.isalpha()
        assert bool(table[code] & ALNUM) == character.isalnum()
        assert bool(table[code] & SPACE) == character.isspace()


@given(st.binary(max_size=30))
def test_stop_words_are_found_by_the_hash_of_the_kernel(raw: bytes) -> None:
    word = "".join(chr(97 + b % 26) for b in raw) or "x"
    column = Text.of(pa.array([f"so {word} it"], pa.large_string()))
    keys, languages = slots(np.array([word_hash(word.encode())], np.uint64), np.array([4], np.uint64))
    memory, regions = room(len(column.data))
    out = np.zeros((1, len(MEASURES)))
    measure(column.data, column.offsets, classes(), keys, languages, 3, np.ones(5, bool), regions, memory, out)
    assert out[0, MEASURES.index("stop_words")] == 1
