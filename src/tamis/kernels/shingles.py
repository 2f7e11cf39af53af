r"""Words of texts in any script, and shingles: the hashes of runs of words or of characters.

A word is a maximal run of word characters: letters, digits and marks of Unicode, and the
underscore. Everything else (white space, punctuation, symbols) only separates words. Letters are
lowercased one by one. Scripts written without spaces (Chinese, Japanese kana, Thai, Lao, Khmer,
Burmese) have a word a character. On ASCII these are the words of `kernels.ngrams` without its
runs of punctuation. Characters beyond U+FFFF are word characters.

ASCII words are hashed 8 bytes at a time as they are found; a word with any other character is
read again, code point by code point. So case, spacing and punctuation never change a shingle.

Measured on one core of a 2-core AMD EPYC virtual machine, English abstracts: 11 ns a word.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import remainder64
from tamis.kernels.simd import count_trailing_zeros, fold64, load64

__all__ = ["UNICODE", "char_stream", "window_hashes", "word_hashes"]

#: The version of Unicode, Python's, that says what a letter is: signals of words name it in their parameters.
UNICODE = unicodedata.unidata_version

_NONE, _WORD, _SINGLE = 0, 1, 2

#: Thai and Lao, Burmese, Khmer, kana, Han and its compatibility forms: first and last code point.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3041, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
)  # fmt: skip


def _folded() -> NDArray[np.uint32]:
    """Return for each of the first 65,536 code points its lower case, and above bit 16 its kind."""
    table = np.zeros(1 << 16, np.uint32)
    for point in range(1 << 16):
        character = chr(point)
        if character == "_" or character.isalnum() or unicodedata.category(character)[0] == "M":
            lower = character.lower()
            # A few letters have a longer lower case, the Kelvin sign an ASCII one: they stay as they are.
            same = len(lower) != 1 or (ord(lower) < 128) != (point < 128)
            table[point] = (point if same else ord(lower)) | (_WORD << 16)
    for first, last in _UNSPACED:
        known = table[first : last + 1]
        known[known > 0] = (known[known > 0] & 0xFFFF) | (_SINGLE << 16)
    return table


_FOLD = _folded()
_ASCII_WORD = (_FOLD[:128] > 0).astype(np.uint8)


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


# Adding 0x80 - c to a byte below 0x80 sets its top bit when it is >= c: see kernels.ngrams.
_LOW7, _TOP = _each(0x7F), _each(0x80)
_FROM_A, _PAST_Z = _each(0x80 - ord("A")), _each(0x80 - ord("Z") - 1)
_FROM_a, _PAST_z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_0, _PAST_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_UNDERSCORE = _each(ord("_"))
_TWO, _THREE, _ZERO, _SEVEN = np.uint64(2), np.uint64(3), np.uint64(0), np.uint64(7)
_ALL = np.uint64(2**64 - 1)
_S0, _S1 = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
_S2, _S3 = np.uint64(0x8EBC6AF09C88C6E3), np.uint64(0x589965CC75374CC3)
#: Odd, and 5 modulo 8: powers of it differ in their low bits.
_BASE = np.uint64(0x9FB21C651E98DF25)
_SPACE = np.uint64(0x20)


@njit(nogil=True, cache=True, forceinline=True)
def _lower(x: np.uint64) -> np.uint64:
    """Return the eight bytes of `x` with ASCII letters lowercased."""
    low = x & _LOW7
    upper = (low + _FROM_A) & ~(low + _PAST_Z) & ~x & _TOP
    return np.uint64(x | (upper >> _TWO))


@njit(nogil=True, cache=True, forceinline=True)
def _no_ascii_word(lowered: np.uint64) -> np.uint64:
    """Return the top bit of each of the eight bytes that is no ASCII word character (lowercased)."""
    low = lowered & _LOW7
    letter = (low + _FROM_a) & ~(low + _PAST_z)
    digit = (low + _FROM_0) & ~(low + _PAST_9)
    underscore = ~((low ^ _UNDERSCORE) + _LOW7)
    return np.uint64((~(letter | digit | underscore) | lowered) & _TOP)


@njit(nogil=True, cache=True)
def _decode(data: NDArray[np.uint8], i: int, stop: int) -> tuple[int, int]:
    """Return the code point of the UTF-8 sequence at `i` and the position after it.

    Bytes that are no UTF-8 stand for themselves: nothing outside `i` to `stop` is read.
    """
    lead = np.int64(data[i])
    if lead < 0xC2 or lead > 0xF4:
        return lead, i + 1  # type: ignore[return-value]
    length = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    if i + length > stop:
        return lead, i + 1  # type: ignore[return-value]
    point = lead & (0x7F >> length)
    for j in range(1, length):
        point = (point << 6) | np.int64(data[i + j] & 0x3F)
    return point, i + length  # type: ignore[return-value]


@njit(nogil=True, cache=True, forceinline=True)
def _kind(point: int) -> int:
    if point < 0x10000:
        return np.int64(_FOLD[point] >> 16)  # type: ignore[return-value]
    return _SINGLE if 0x20000 <= point < 0x40000 else _WORD


@njit(nogil=True, cache=True, forceinline=True)
def _fold(point: int) -> np.uint64:
    return np.uint64(_FOLD[point] & 0xFFFF) if point < 0x10000 else np.uint64(point)


@njit(nogil=True, cache=True)
def _wide_word(data: NDArray[np.uint8], start: int, stop: int) -> tuple[int, np.uint64]:
    """Return where the word at `start` ends and its hash, read code point by code point."""
    i = start
    h = _S2
    while i < stop:
        point, after = _decode(data, i, stop)
        kind = _kind(point)
        if kind == _WORD or (kind == _SINGLE and i == start):
            h = fold64(h ^ _fold(point), _S3)
            i = after
        if kind != _WORD:
            break
    return i, h


@njit(nogil=True, cache=True)
def word_hashes(
    data: NDArray[np.uint8], first: int, stop: int, hashes: NDArray[np.uint64], spans: NDArray[np.int64]
) -> int:
    """Fill `hashes` with a 64-bit hash of each word of ``data[first:stop]`` and return how many there are.

    `hashes` has room for `stop - first` words. With room for twice as many, `spans` gets the first
    byte of each word and the byte after it; with room for none it is left alone.
    """
    told = len(spans) > 0
    i, k = first, 0
    while i < stop:
        byte = data[i]
        start = i
        h = _ZERO
        if byte < 0x80:
            if not _ASCII_WORD[byte]:
                i += 1
                continue
            h = _S0
            while True:
                # Past the end of the text come zeros, which are no word characters.
                x = _lower(load64(data, i) if i + 8 <= stop else remainder64(data, first, i, stop))
                ends = _no_ascii_word(x)
                if ends == _ZERO:
                    h = fold64(h ^ x, _S1)
                    i += 8
                else:
                    bits = count_trailing_zeros(ends) & ~_SEVEN
                    if bits:
                        h ^= x & ~(_ALL << bits)
                    i += np.int64(bits >> _THREE)  # type: ignore[assignment]
                    break
            h = fold64(h ^ np.uint64(i - start), _S1)
            if i < stop and data[i] >= 0x80 and _kind(_decode(data, i, stop)[0]) == _WORD:
                i, h = _wide_word(data, start, stop)
        else:
            point, after = _decode(data, i, stop)
            if _kind(point) == _NONE:
                i = after
                continue
            i, h = _wide_word(data, start, stop)
        hashes[k] = h
        if told:
            spans[2 * k] = start
            spans[2 * k + 1] = i
        k += 1
    return k


@njit(nogil=True, cache=True)
def char_stream(data: NDArray[np.uint8], first: int, stop: int, stream: NDArray[np.uint64]) -> int:
    """Fill `stream` with the word characters of ``data[first:stop]``, lowercased, and return how many.

    Whatever separates words is one space between them; there is none at either end. `stream` has
    room for `stop - first` code points.
    """
    i, k = first, 0
    gap = False
    while i < stop:
        point, i = _decode(data, i, stop) if data[i] >= 0x80 else (np.int64(data[i]), i + 1)
        if _kind(point) == _NONE:
            gap = k > 0
            continue
        if gap:
            stream[k] = _SPACE
            k += 1
            gap = False
        stream[k] = _fold(point)
        k += 1
    return k


@njit(nogil=True, cache=True)
def window_hashes(items: NDArray[np.uint64], count: int, size: int, out: NDArray[np.uint64]) -> int:
    """Fill `out` with a hash of every run of `size` of the first `count` items; return how many.

    Fewer items than `size` are one run; none have no run. `out` has room for `count` and is not
    `items`. The hash is a polynomial of the items, rolled on and then mixed.
    """
    if count == 0:
        return 0
    width = min(size, count)
    gone = np.uint64(1)
    for _ in range(width):
        gone *= _BASE
    rolled = _ZERO
    for j in range(width):
        rolled = rolled * _BASE + items[j]
    seed = _S2 ^ np.uint64(width)
    out[0] = fold64(rolled ^ seed, _S3)
    for j in range(width, count):
        rolled = rolled * _BASE + items[j] - items[j - width] * gone
        out[j - width + 1] = fold64(rolled ^ seed, _S3)
    return count - width + 1
