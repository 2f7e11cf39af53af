"""The table of pieces: cuts where they are allowed, keys that tell pieces apart, sums that add up."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.kernels.pieces import LONGEST, WHITE, WHOLE, cut_after, find, insert, piece_key, rehash
from tamis.signals import pieces as module
from tamis.signals.pieces import Pieces

ALL = sum(WHITE.values())
#: White and invisible space beyond ASCII: no cut follows it.
BLOCKED = (
    "\x85\xa0\u1680\u180e\u2581\u3000\ufeff"
    + "".join(map(chr, itertools.chain(range(0x2000, 0x2010), range(0x2028, 0x2030), range(0x205F, 0x2070))))
)  # fmt: skip


def table(bits: int) -> NDArray[np.uint8]:
    cuts = np.zeros(256, np.uint8)
    cuts[0x21:0x7F] = bits
    cuts[0x80:] = bits
    return cuts


def cut_slowly(text: str, bits: int) -> list[str]:
    """Cut a text character by character."""
    out, start = [], 0
    for i in range(1, len(text)):
        before, here = text[i - 1], text[i]
        visible = 0x21 <= ord(before) <= 0x7E or (ord(before) >= 0x80 and before not in BLOCKED)
        if visible and here in " \t\n\r" and bits & WHITE[ord(here)]:
            out.append(text[start:i])
            start = i
    return [*out, text[start:]] if text else []


def cut_fast(text: str, bits: int, margin: int = 0) -> list[str]:
    raw = text.encode()
    data = np.frombuffer(b"x" * margin + raw + b" x" * margin, np.uint8)
    cuts, out, start = table(bits), [], margin
    while start < margin + len(raw):
        stop = cut_after(data, start, margin + len(raw), cuts)
        out.append(bytes(data[start:stop]).decode())
        start = stop
    return out


words = st.lists(
    st.sampled_from([" ", "  ", "\n", "\t", "\r", "a", "word", "\u00e9", "\u4f60", "\U0001f600"])
    | st.sampled_from(["\x00", "\x1f", "\x7f"])
    | st.sampled_from(list(BLOCKED))
    | st.text(max_size=3)
    | st.integers(0, 80).map("z".__mul__)
).map("".join)  # fmt: skip


@given(words, st.integers(0, ALL), st.sampled_from([0, 1, 40]))
def test_cuts_are_those_of_the_slow_way(text: str, bits: int, margin: int) -> None:
    assert cut_fast(text, bits, margin) == cut_slowly(text, bits)


def test_cuts_worked_by_hand() -> None:
    assert cut_fast(" The  end\n\nof\u00a0 it.\t", WHITE[0x20]) == [" The", "  end\n\nof\u00a0 it.\t"]
    assert cut_fast(" The  end\n\nof\u00a0 it.\t", ALL) == [" The", "  end", "\n\nof\u00a0 it.", "\t"]


def test_every_character_is_cut_after_or_blocked() -> None:
    """The whole of Unicode: only those of `BLOCKED` (and ASCII that is not visible) hold a space back."""
    for block in range(0x80, 0x110000, 0x1000):
        letters = [chr(c) for c in range(block, block + 0x1000) if not 0xD800 <= c < 0xE000 and c < 0x110000]
        text = " ".join(letters)
        assert cut_fast(text, ALL) == cut_slowly(text, ALL)


@given(st.lists(st.binary(min_size=1, max_size=LONGEST), unique=True), st.booleans())
def test_keys_tell_pieces_apart(pieces: list[bytes], first: bool) -> None:
    keys = set()
    for piece in pieces:
        data = np.frombuffer(b"ab" + piece + b"cdefghijklmnopqrst", np.uint8)
        key = piece_key(data, 2, 2 + len(piece), first)
        # The same wherever it lies, and another one where it does not open a text.
        alone = np.frombuffer(piece, np.uint8)
        assert piece_key(alone, 0, len(piece), first) == key
        assert piece_key(alone, 0, len(piece), not first) != key
        keys.add(key)
    assert len(keys) == len(pieces)


def test_a_long_piece_with_anothers_key_is_not_taken_for_it() -> None:
    """Two pieces of 20 bytes forced to one key: the bytes decide."""
    data = np.frombuffer(b"a" * 20 + b"b" * 20, np.uint8)
    rows, bytes_ = np.zeros((8, 4), np.uint64), np.zeros(64, np.uint8)
    low, high = map(np.uint64, piece_key(data, 0, 20, False))
    new, filled = insert(rows, bytes_, data, np.array([[0, 20, 0]]), np.array([5], np.int32), 0)
    assert (new, filled) == (1, 20)
    assert rows[find(rows, bytes_, data, 0, 20, low, high), 2] == 5
    assert find(rows, bytes_, data, 20, 40, low, high) < 0


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, unique=True))
def test_a_table_that_grew_still_finds_everything(pieces: list[bytes]) -> None:
    data = np.frombuffer(b"".join(pieces), np.uint8)
    stops = np.cumsum([len(piece) for piece in pieces])
    spans = np.stack([stops - [len(piece) for piece in pieces], stops, np.zeros_like(stops)], axis=1)
    size = 1 << (2 * len(pieces)).bit_length()
    rows, bytes_ = np.zeros((size, 4), np.uint64), np.zeros(len(data), np.uint8)
    insert(rows, bytes_, data, spans, np.arange(len(pieces), dtype=np.int32), 0)
    larger = np.zeros((4 * size, 4), np.uint64)
    rehash(rows, larger)
    for i, (start, stop, _) in enumerate(spans.tolist()):
        low, high = map(np.uint64, piece_key(data, start, stop, False))
        assert larger[find(larger, bytes_, data, start, stop, low, high), 2] == i


class Lengths:
    """Values a piece by its length, plus 1000 if it opens its text; counts how often it is asked."""

    def __init__(self, whole: bytes = b"") -> None:
        self.whole = whole
        self.asked: list[bytes] = []

    def __call__(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int32]:
        found = [bytes(data[a:b]) for a, b, _ in spans.tolist()]
        self.asked += found
        values = (spans[:, 1] - spans[:, 0] + 1000 * spans[:, 2]).astype(np.int32)
        values[[bool(self.whole) and self.whole in piece for piece in found]] = WHOLE
        return values


def lengths(texts: list[str]) -> list[int]:
    return [len(text.encode()) + 1000 if text else 0 for text in texts]


def text_of(texts: list[str]) -> Text:
    return Text.of(pa.array(texts, pa.large_string()))


@given(st.lists(words), st.integers(0, 20), st.integers(1, 9))
def test_sums_add_up_whatever_the_limits(texts: list[str], limit: int, batch: int) -> None:
    """Tables that are full at once and buffers of a few pieces change how, not what."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH", batch)
        table_ = Pieces(table(ALL), Lengths(), limit)
        got = table_.sums(text_of(texts))
    # More pieces to value apart than a buffer holds: the caller is told to take the text whole.
    crowded = got == WHOLE
    assert all(len(cut_slowly(text, ALL)) > batch for text, is_ in zip(texts, crowded, strict=True) if is_)
    assert got[~crowded].tolist() == [n for n, is_ in zip(lengths(texts), crowded, strict=True) if not is_]
    assert table_.snapshot.held <= limit


def test_each_piece_is_learnt_once() -> None:
    learn = Lengths()
    table_ = Pieces(table(ALL), learn)
    texts = ["one two three", "two two one", "one", "two three" * 3] * 5
    for _ in range(3):
        assert table_.sums(text_of(texts)).tolist() == lengths(texts)
    assert len(learn.asked) == table_.snapshot.held
    assert sorted(learn.asked) == sorted([b"one", b" one", b"two", b" two", b" three", b" threetwo"])


def test_long_pieces_are_not_remembered() -> None:
    learn = Lengths()
    table_ = Pieces(table(ALL), learn)
    texts = ["a" * LONGEST, "b" * (LONGEST + 1), "c " + "d" * 100_000]
    assert table_.sums(text_of(texts)).tolist() == lengths(texts)
    assert table_.sums(text_of(texts)).tolist() == lengths(texts)
    assert table_.snapshot.held == 2
    assert len(learn.asked) == 2 + 2 * 2


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_piece_that_must_not_be_looked_at_alone(limit: int) -> None:
    table_ = Pieces(table(ALL), Lengths(b"<s>"), limit)
    texts = ["fine", "not <s> fine", "x<s>", "fine too"]
    for _ in range(2):
        assert table_.sums(text_of(texts)).tolist() == [1004, WHOLE, WHOLE, 1008]


def test_a_published_table_never_changes() -> None:
    table_ = Pieces(table(ALL), Lengths())
    table_.sums(text_of(["one two"]))
    before = table_.snapshot
    copy = before.rows.copy()
    table_.sums(text_of([f"more{i} of a_rather_long_piece_{i}" for i in range(3000)]))
    assert (before.rows == copy).all()
    assert table_.snapshot.held > 3000


def test_many_threads_lose_nothing() -> None:
    table_ = Pieces(table(ALL), Lengths())
    fragments = [[f"w{i * step} v{i % 50}" for i in range(2000)] for step in range(1, 7)]
    wrong: list[int] = []

    def work(number: int) -> None:
        for fragment in fragments[number:] + fragments[:number]:
            if table_.sums(text_of(fragment)).tolist() != lengths(fragment):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    distinct = {(i == 0, piece) for f in fragments for text in f for i, piece in enumerate(cut_slowly(text, ALL))}
    assert not wrong
    assert table_.snapshot.held == len(distinct)
