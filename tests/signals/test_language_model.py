"""The language model: one way to cut a text, every probability accounted for, and a hand-worked text."""

from __future__ import annotations

import itertools
import math
import pickle
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.errors import InputError, OptionError
from tamis.kernels.kneser_ney import UNIT, costs
from tamis.kernels.ngrams import WORD_CLASS
from tamis.signals.language_model import LanguageModel, train
from tamis.signals.word_stream import Pieces, segment

WORD, SPACED_WORD, OTHER, SPACED_OTHER, WHITE, BLANK, BEGIN = range(1, 8)
_WORDS = rb"[A-Za-z0-9_\x80-\xff]+"
_SPACES = rb"[\t-\r\x1c- ]"
_REST = rb"[^A-Za-z0-9_\x80-\xff\t-\r\x1c- ]+"
_PIECES = re.compile(rb"( ?)(?:(%s)|(%s))|(%s+(?= (?:%s|%s))|%s+)" % (_WORDS, _REST, _SPACES, _WORDS, _REST, _SPACES))

_byte = st.sampled_from(b"aZ9_ \n\t\x1f\x20\xc3.,(")
_bytes = st.lists(_byte | st.integers(0, 255), max_size=40).map(bytes)
_part = st.sampled_from(["a", " the", " cat", ".", "\n\n", " -", "  ", "naïve", " 日本", "\t", " x1"])
_texts = st.lists(st.lists(_part, max_size=15).map("".join), max_size=8)
_own = st.sampled_from([b"a", b"b1", b"\xc3\xa9", b".", b"--", b"\n", b"\t ", b""])


def _text(texts: list[str] | list[bytes]) -> Text:
    parts = [t.encode() if isinstance(t, str) else t for t in texts]
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    return Text(np.frombuffer(b"".join(parts), np.uint8), offsets)


def _segment(text: bytes) -> list[tuple[int, bytes, int]]:
    """Return (kind, own bytes, hash) of each piece."""
    n = max(len(text), 1)
    out = Pieces(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n, np.uint64))
    data = np.frombuffer(text, np.uint8)
    found = segment(data, 0, len(text), out)
    return [(int(out.kind[j]), text[out.start[j] : out.stop[j]], int(out.hash[j])) for j in range(found)]


def _whole(kind: int, own: bytes) -> bytes:
    return b" " + own if kind in (SPACED_WORD, SPACED_OTHER) else own + b" " if kind == BLANK else own


def _slow_segment(text: bytes) -> list[tuple[int, bytes]]:
    """Cut with a regular expression; trailing white space stays whole."""
    found = []
    for match in _PIECES.finditer(text):
        space, word, other, white = match.groups()
        if white is not None:
            found.append((BLANK, white[:-1]) if white.endswith(b" ") else (WHITE, white))
        else:
            kind = (WORD if word is not None else OTHER) + len(space)
            found.append((kind, word if word is not None else other))
    return found


def _symbols(model: LanguageModel, text: bytes) -> np.ndarray:
    known = {int(h): int(s) for h, s in model.vocabulary if h}
    body = [known.get(h, kind) for kind, _, h in _segment(text)]
    return np.array([len(model.words.kind) - 1, *body, 0], np.int32)


def _spelling_bits(model: LanguageModel, kind: int, own: bytes) -> float:
    order = own if kind < WHITE else own[::-1]
    symbols = [256 + kind, *(b + 1 for b in order), 0]
    return float(costs(model.spelling, np.array(symbols, np.int32)).sum()) / UNIT


@given(_bytes)
def test_pieces_are_the_text_and_equal_slow_python(text: bytes) -> None:
    found = _segment(text)
    assert b"".join(_whole(kind, own) for kind, own, _ in found) == text
    assert [(kind, own) for kind, own, _ in found] == _slow_segment(text)


@given(_bytes, _bytes)
def test_equal_pieces_have_equal_hashes_wherever_they_stand(before: bytes, text: bytes) -> None:
    seen = {(kind, own): h for kind, own, h in _segment(before)}
    for kind, own, h in _segment(text):
        assert seen.setdefault((kind, own), h) == h
    assert len(set(seen.values())) == len(seen)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(1, 6), _own), min_size=1, max_size=8))
def test_what_may_follow_is_exactly_what_cutting_can_give(parts: list[tuple[int, bytes]]) -> None:
    """A sequence of pieces is one the model allows if and only if cutting its bytes gives it back."""
    classes = {WORD: 1, SPACED_WORD: 1, OTHER: 2, SPACED_OTHER: 2, WHITE: 0, BLANK: 0}
    model = train([_text(["a b. c\n\n d  e"])])
    for kind, own in parts:
        empty_or_wrong = any(WORD_CLASS[b] != classes[kind] for b in own) or (not own and kind != BLANK)
        if empty_or_wrong or (kind == WHITE and own.endswith(b" ")):
            return
    kinds = [BEGIN, *(kind for kind, _ in parts), 0]
    allowed = all(model.words.allowed[a, b] for a, b in itertools.pairwise(kinds))
    back = [(kind, own) for kind, own, _ in _segment(b"".join(_whole(*part) for part in parts))]
    assert (back == parts) == allowed


@given(texts=_texts.filter(any), probe=_bytes.filter(bool), order=st.integers(2, 4))
def test_bits_are_those_of_the_two_models(texts: list[str], probe: bytes, order: int) -> None:
    """A text costs its symbols, and for unknown pieces their spelling, scaled by what the vocabulary leaves."""
    model = train([_text(texts)], order=order)
    expected = costs(model.words, _symbols(model, probe)).sum() / UNIT
    for (kind, own, _), symbol in zip(_segment(probe), _symbols(model, probe)[1:], strict=False):
        if symbol < BEGIN:
            expected += _spelling_bits(model, kind, own) + model.unknown[kind] / UNIT
    found = model.score(_text([probe]))
    assert found.bits[0] == pytest.approx(expected, abs=1e-9)
    assert found.pieces[0] == len(_segment(probe))


@given(texts=_texts.filter(any))
def test_unknown_spellings_share_what_the_vocabulary_leaves(texts: list[str]) -> None:
    """By kind: 1 minus the spellings of all known pieces is what unknown ones are divided by."""
    model = train([_text(texts)])
    pieces = {(k, own): h for t in texts for k, own, h in _segment(t.encode())}
    known = {int(h) for h, _ in model.vocabulary if h}
    for kind in range(1, 7):
        mass = sum(2.0 ** -_spelling_bits(model, k, own) for (k, own), h in pieces.items() if k == kind and h in known)
        assert 2.0 ** (model.unknown[kind] / UNIT) == pytest.approx(max(1 - mass, 2.0**-10), rel=1e-5)


@given(texts=_texts.filter(any), after=_bytes)
def test_probabilities_of_the_next_piece_and_of_the_next_byte_sum_to_one(texts: list[str], after: bytes) -> None:
    model = train([_text(texts)])
    pieces = _symbols(model, after)[:-1]
    kind = model.words.kind
    may = [w for w in range(len(kind) - 1) if model.words.allowed[kind[pieces[-1]], kind[w]]]
    last = [costs(model.words, np.append(pieces, w).astype(np.int32))[-1] for w in may]
    assert sum(2.0 ** (-c / UNIT) for c in last) == pytest.approx(1, abs=1e-5)
    for k, own, _ in _segment(after)[:3]:
        order = own if k < WHITE else own[::-1]
        letters = [256 + k, *(b + 1 for b in order)]
        kind = model.spelling.kind
        may = [w for w in range(257) if model.spelling.allowed[kind[letters[-1]], kind[w]]]
        last = [costs(model.spelling, np.array([*letters, w], np.int32))[-1] for w in may]
        assert sum(2.0 ** (-c / UNIT) for c in last) == pytest.approx(1, abs=1e-5)


def test_all_short_strings_together_stay_below_one() -> None:
    """All 65,792 strings of one and two bytes have less than probability 1; after "ab" alone they have most."""
    short = [bytes([a]) for a in range(256)] + [bytes([a, b]) for a in range(256) for b in range(256)]
    wide = train([_text(["ab", "xyz zyx", "a b"])])
    assert 0.01 < np.exp2(-wide.score(_text(short)).bits).sum() < 1
    narrow = train([_text(["ab"] * 1000)])
    assert 0.9 < np.exp2(-narrow.score(_text(short)).bits).sum() < 1


def test_a_text_by_hand() -> None:
    """Learned from "a a", four times: pieces "a" and " a", both in the vocabulary; bigrams.

    Different symbols before: END 1, "a" 1, " a" 1; together 3, so discount 1/2 each; 9 symbols (END, six
    unknown, two known) share 3/2. P = (1/2 + 1/6) / 3 = 2/9 for the three, (1/6) / 3 = 1/18 for the rest.
    Bigrams BEGIN "a", "a" " a", " a" END, four times each: D3+ = 3/2, gamma = 3/8.
    BEGIN does not allow END: 7/9 are left. P("a") = 5/8 + 3/8 x (2/9) / (7/9) = 0.732143.
    After "a" no word run right after: 1 - 2/9 - 1/18 = 13/18 are left. P(" a") = 5/8 + 3/8 x 4/13 = 0.740385.
    After " a" the same: P(END) = 0.740385. Bits of "a a": 0.449803 + 2 x 0.433653 = 1.317109.
    """
    model = train([_text(["a a"] * 4)], order=2)
    found = model.score(_text(["a a", ""]))
    by_hand = -math.log2(5 / 8 + 3 / 28) - 2 * math.log2(5 / 8 + 3 / 8 * 4 / 13)
    assert by_hand == pytest.approx(1.317109, abs=1e-6)
    assert found.bits.tolist() == pytest.approx([by_hand, 0.0], abs=1e-5)
    assert found.pieces.tolist() == [2, 0]
    assert (model.known, model.trained_on, model.least) == (2, 8, 1)


@given(texts=_texts.filter(any), seed=st.integers(0, 99), cut=st.integers(0, 8))
def test_order_and_cuts_do_not_matter(texts: list[str], seed: int, cut: int) -> None:
    one = train([_text(texts)])
    other = [texts[i] for i in np.random.default_rng(seed).permutation(len(texts))]
    two = train([_text(other[:cut]), _text(other[cut:])])
    rows = np.arange(len(texts), dtype=np.int64)
    three = train([(_text([*texts, "left out"]), rows)])
    assert one.fingerprint == two.fingerprint == three.fingerprint
    assert pickle.loads(pickle.dumps(one)).fingerprint == one.fingerprint
    if len(set(texts)) > 1 and len(texts) > 1:
        assert train([_text([*texts, "more and more"])]).fingerprint != one.fingerprint


def test_many_types_and_long_texts_outgrow_the_first_rooms() -> None:
    words = [f"word{i}" for i in range(30_000)]
    long = " ".join(words)
    model = train([_text([long, "x", long])])
    assert (model.known, model.trained_on) == (30_000, 60_001)
    assert model.score(_text([long])).bits[0] < 3 * 30_000
    assert model.nbytes > 1_000_000


def test_the_most_frequent_words_are_known() -> None:
    model = train([_text(["x a a a a b b b c c d"])], vocabulary=2)
    assert model.known == 2
    assert (_symbols(model, b" a b")[1:-1] - BEGIN).tolist() == [0, 1]
    assert (_symbols(model, b" c d")[1:-1] < BEGIN).all()


def test_rows_are_scored_as_the_whole_is() -> None:
    text = _text(["one two", "", "three", "two one"])
    model = train([text])
    rows = np.array([3, 0], np.int64)
    whole, part = model.score(text), model.score(text, rows)
    assert part.bits.tolist() == whole.bits[rows].tolist()


def test_arrow_memory_is_read_as_it_is() -> None:
    array = pa.array(["aaaa bbbb", "cc dd", "eeee"], pa.large_string())
    model = train([Text.of(array)])
    sliced = model.score(Text.of(array[1:])).bits
    assert sliced.tolist() == model.score(Text.of(array)).bits[1:].tolist()


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="at least one text with a byte"):
        train([_text(["", ""])])
    with pytest.raises(InputError, match="got none"):
        train([])


@pytest.mark.parametrize("option", ["order", "spelling", "vocabulary", "limit"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=f"'{option}': expected .* got 0"):
        train([_text(["a"])], **{option: 0})
