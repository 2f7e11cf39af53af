"""The block helpers against a loop over bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from tamis.kernels import vector

CLASSES = {
    "special32": lambda c: c in b'"\\' or c < 0x20,
    "structure32": lambda c: c in b'"[]{}',
    "space32": lambda c: c in b'" \t\r\n',
    "high32": lambda c: c >= 0x80,
    "newline32": lambda c: c == 0x0A,
}


def masks(helper):
    @njit
    def run(data):
        out = np.empty(len(data) - 31, np.uint32)
        for i in range(len(out)):
            out[i] = helper(vector.address(data) + i)
        return out

    return run


@pytest.mark.parametrize("name", CLASSES)
def test_masks_mark_the_bytes_of_their_class_at_any_alignment(name):
    data = np.concatenate([np.arange(256), np.random.default_rng(0).integers(0, 256, 200)]).astype(np.uint8)
    got = masks(getattr(vector, name))(data)
    bits = np.array([CLASSES[name](int(c)) for c in data])
    for i, mask in enumerate(got):
        assert [(int(mask) >> j) & 1 for j in range(32)] == bits[i : i + 32].astype(int).tolist()


@njit
def copied(data, out, at):
    return vector.copy32(vector.address(data), vector.address(out) + at)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 8))
def test_a_copied_block_tells_its_backslashes(block, at):
    out = np.full(40, 7, np.uint8)
    mask = copied(np.frombuffer(bytearray(block), np.uint8), out, at)
    assert out.tobytes() == b"\7" * at + block + b"\7" * (8 - at)
    assert [j for j in range(32) if (mask >> j) & 1] == [j for j, c in enumerate(block) if c == ord("\\")]


@njit
def counted(mask):
    return vector.trailing_zeros(np.uint32(mask)), vector.ones(np.uint32(mask))


@given(st.integers(1, 2**32 - 1))
def test_bits_are_counted(mask):
    assert counted(np.uint32(mask)) == ((mask & -mask).bit_length() - 1, mask.bit_count())


@njit
def stored(words, data):
    vector.store_word(vector.address(words) + 8, -5)
    vector.store8(vector.address(data) + 1, 0x1FF)
    return vector.load_word(vector.address(words) + 8), vector.load8(vector.address(data) + 1)


def test_words_and_bytes_are_written_where_they_are_read():
    words, data = np.zeros(3, np.int64), np.zeros(3, np.uint8)
    assert stored(words, data) == (-5, 0xFF)
    assert (words.tolist(), data.tolist()) == ([0, -5, 0], [0, 255, 0])
