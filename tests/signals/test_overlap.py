"""N-grams in common with other texts: by hand, and against a plain search over lists of words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.errors import OptionError
from tamis.signals.overlap import HOLDERS, Grams, NgramIndex, Overlap

_words = st.lists(st.sampled_from("abcd"), max_size=10)


def _text(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


def _index(others: list[str], n: int, shortest: int, cuts: int = 1, order: list[int] | None = None) -> NgramIndex:
    parts = [others[i::1][:1] for i in range(len(others))] if cuts > 1 else [others]
    return NgramIndex(
        [Grams.of(_text(part), n, shortest) for part in parts], None if order is None else np.array(order)
    )


def test_by_hand() -> None:
    """Runs of 3 words. The text holds "b c d e" of the first: 2 of its 3 runs, bytes 5 to 13.

    Of the second, of two words and looked for whole, it holds everything, so that one is named
    where both are held.
    """
    index = _index(["A b, c d e!", "y z"], 3, 2)
    assert index.sizes.tolist() == [3, 2]
    assert index.total.tolist() == [3, 1]
    column = Overlap(index).column(_text(["q q (B c; D e) f", "no such run", "b c d y, z", "a b"]))
    assert column.to_pylist() == [
        {"other": 0, "share": 2 / 3, "start": 5, "stop": 13, "matched": "B c; D e"},
        None,
        {"other": 1, "share": 1.0, "start": 6, "stop": 10, "matched": "y, z"},
        None,
    ]
    assert Overlap(index, share=0.9).column(_text(["q q (B c; D e) f"])).null_count == 1


@given(st.lists(_words, min_size=1, max_size=5), st.lists(_words, min_size=1, max_size=5), st.integers(1, 4))
def test_against_a_plain_search(texts: list[list[str]], others: list[list[str]], n: int) -> None:
    """Which other text is named, how much of it is held, and a span that is the longest covered run."""
    shortest = max(1, n - 1)

    def runs(words: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}

    sizes = [min(len(words), n) if len(words) >= shortest else 0 for words in others]
    index = _index([" ".join(words) for words in others], n, shortest)
    assert index.too_short == sum(0 < len(words) < shortest for words in others)
    column = Overlap(index).column(_text([" ".join(words) for words in texts])).to_pylist()
    for words, found in zip(texts, column, strict=True):
        held = [
            (len(runs(o, s) & runs(words, s)) / len(runs(o, s)), len(runs(o, s) & runs(words, s)), -i)
            for i, (o, s) in enumerate(zip(others, sizes, strict=True))
            if s and runs(o, s) & runs(words, s)
        ]
        if not held:
            assert found is None
            continue
        share, _, number = max(held)
        assert (found["other"], found["share"]) == (-number, share)
        other, size = others[-number], sizes[-number]
        covered = np.zeros(len(words) + 1, bool)
        joined = np.zeros(len(words) + 1, bool)  # whether word i and the one before are in one run
        for i in range(len(words) - size + 1):
            if tuple(words[i : i + size]) in runs(other, size):
                covered[i : i + size] = True
                joined[i + 1 : i + size] = True
        longest, length = 0, 0
        for i in range(len(words)):
            length = length + 1 if covered[i] and joined[i] else int(covered[i])
            longest = max(longest, length)
        assert len(found["matched"].split()) == longest
        assert " ".join(words)[found["start"] : found["stop"]] == found["matched"]


@given(st.lists(_words.map(" ".join), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_index_does_not_depend_on_cuts_or_order(others: list[str], rng) -> None:
    """One fragment or many; and the same records in another order, with the order given, name the same record."""
    others = list(dict.fromkeys(others))
    whole = _index(others, 3, 2)
    assert whole.digest() == _index(others, 3, 2, cuts=2).digest()
    order = list(range(len(others)))
    rng.shuffle(order)
    moved = _index([others[i] for i in order], 3, 2, order=np.argsort(order).tolist())
    assert moved.digest() == whole.digest()
    text = _text([" ".join(others)])
    assert Overlap(moved).column(text).to_pylist() == Overlap(whole).column(text).to_pylist()


def test_a_phrase_of_many_records_counts_for_the_first_of_them() -> None:
    """The cost of a hit does not grow with the records that share it."""
    index = _index(["x y z"] * (HOLDERS + 50), 3, 3)
    assert index.bounds.tolist() == [0, HOLDERS]
    assert index.total.tolist() == [1] * HOLDERS + [0] * 50
    assert Overlap(index).column(_text(["x y z"])).to_pylist()[0]["other"] == 0


def test_nothing_to_look_for() -> None:
    """No records, or none long enough: nothing is found, and the too short ones are counted."""
    assert Overlap(NgramIndex([])).column(_text(["a b c"])).null_count == 1
    index = _index(["a b", "", "!"], 5, 3)
    assert index.too_short == 1
    assert Overlap(index).column(_text(["a b"])).null_count == 1


def test_key_names_what_is_looked_for() -> None:
    """Other n-grams or another share are another column."""
    one, other = _index(["a b c"], 3, 3), _index(["a b d"], 3, 3)
    assert len({Overlap(one).key(), Overlap(other).key(), Overlap(one, share=0.5).key()}) == 3
    with pytest.raises(OptionError, match="expected 0 to 1"):
        Overlap(one, share=1.5)
