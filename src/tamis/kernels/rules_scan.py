"""One pass over the bytes of a text: its words, and where its lines end.

Eight bytes at a time: a chunk of ASCII letters and digits, alone or with one mark behind it, is
hashed as its end is found; any other chunk goes to `rules_words`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import remainder64
from tamis.kernels.rules_chars import ALNUM, LETTER, SPACE, char_at, class_of
from tamis.kernels.rules_words import ALL_PUNCT, ENDS, HAS_LETTER, NOT_SYMBOL, SEED, TURN, Words, split_chunk
from tamis.kernels.simd import count_trailing_zeros, fold64, load64

__all__ = ["BRACE", "BRACKET", "CHARACTERS", "CHUNKS", "FLAGS", "JAVASCRIPT", "LONG", "LOREM", "LF", "POLICY", "STOP", "WORDS", "scan"]

# The columns of a line, each but the flags a count from the start of the text to the line's end.
STOP, WORDS, CHUNKS, CHARACTERS, FLAGS = 0, 1, 2, 3, 4

# The flags of a line.
LF = 1  # it ends in a line feed
LONG = 2  # a chunk of more than 1000 characters
LOREM, JAVASCRIPT, POLICY = 4, 8, 16  # "lorem ipsum", "javascript", one of the phrases about cookies and terms
BRACE, BRACKET = 32, 64  # "{", "["

_LONGEST = 1000
_BLANK, _ALNUM, _OTHER, _WIDE = 0, 1, 2, 3


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, _WIDE, np.uint8)
    for byte in range(128):
        character = chr(byte)
        kinds[byte] = _BLANK if character.isspace() else _ALNUM if character.isalnum() else _OTHER
    return kinds


def _holds(characters: str) -> NDArray[np.bool_]:
    return np.isin(np.arange(256), [ord(c) for c in characters])


_KIND = _kinds()
_BREAKS = _holds("\n\r\v\f\x1c\x1d\x1e")
_TAIL = _holds("!\"'),.:;?]}")  # what comes off the back of a chunk, whatever is before it; the period has its rule
_ENDING = _holds("!.?")
_FIRSTS = _holds("IiPpCcUu")  # of ipsum, policy, cookies, use


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


# As in `ngrams`: adding 0x80 - c to a byte below 0x80 sets its top bit when it is >= c.
_LOW7, _TOP, _CASE = _each(0x7F), _each(0x80), _each(0x20)
_FROM_A, _PAST_Z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_0, _PAST_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_ZERO, _ALL, _SEVEN, _THREE = np.uint64(0), np.uint64(2**64 - 1), np.uint64(7), np.uint64(3)


def _mask(word: bytes) -> tuple[np.uint64, np.uint64]:
    return np.uint64((1 << 8 * len(word)) - 1), np.uint64(int.from_bytes(word, "little"))


(_IPSUM_M, _IPSUM), (_POLICY_M, _POLICY) = _mask(b"ipsum"), _mask(b"policy")
(_COOKIES_M, _COOKIES), (_USE_M, _USE) = _mask(b"cookies"), _mask(b"use")
_BEFORE_IPSUM, _JAVASCRIPT = np.frombuffer(b"lorem ", np.uint8), np.frombuffer(b"javascript", np.uint8)
_BEFORE_POLICY = (np.frombuffer(b"privacy ", np.uint8), np.frombuffer(b"cookie ", np.uint8))
_BEFORE_COOKIES = (np.frombuffer(b"uses ", np.uint8), np.frombuffer(b"use of ", np.uint8), np.frombuffer(b"use ", np.uint8))
_BEFORE_USE = np.frombuffer(b"terms of ", np.uint8)


@njit(nogil=True, cache=True)
def _same(data: NDArray[np.uint8], i: int, first: int, stop: int, word: NDArray[np.uint8]) -> bool:
    """Return whether `word` (lower case) stands at byte `i`, in any ASCII case."""
    if i < first or i + len(word) > stop:
        return False
    for j in range(len(word)):
        c = data[i + j]
        if c != word[j] and (c | 0x20 != word[j] or not 0x41 <= c <= 0x5A):
            return False
    return True


@njit(nogil=True, cache=True)
def _phrase(data: NDArray[np.uint8], first: int, i: int, stop: int) -> int:
    """Return the flag of a phrase whose last word a chunk at byte `i` begins with, 0 if none."""
    x = (load64(data, i) if i + 8 <= stop else remainder64(data, first, i, stop)) | _CASE
    if x & _USE_M == _USE:
        return POLICY if _same(data, i - 9, first, i, _BEFORE_USE) else 0
    if x & _IPSUM_M == _IPSUM:
        return LOREM if _same(data, i - 6, first, i, _BEFORE_IPSUM) else 0
    if x & _POLICY_M == _POLICY:
        a, b = _BEFORE_POLICY
        return POLICY if _same(data, i - 8, first, i, a) or _same(data, i - 7, first, i, b) else 0
    if x & _COOKIES_M == _COOKIES:
        d, e, f = _BEFORE_COOKIES
        found = _same(data, i - 5, first, i, d) or _same(data, i - 7, first, i, e) or _same(data, i - 4, first, i, f)
        return POLICY if found else 0
    return 0


@njit(nogil=True, cache=True)
def _javascript(data: NDArray[np.uint8], start: int, stop: int) -> int:
    for i in range(start, stop - 9):
        if data[i] | 0x20 == 0x6A and _same(data, i, start, stop, _JAVASCRIPT):
            return JAVASCRIPT
    return 0


@njit(nogil=True, cache=True)
def _wide_word(
    data: NDArray[np.uint8], start: int, stop: int, table: NDArray[np.uint16]
) -> tuple[int, int]:
    """Return how many characters a run has and its mark; -1 characters if not all are letters or digits."""
    i, characters, some = start, 0, 0
    while i < stop:
        code, length = char_at(data, i, stop)
        kind = class_of(table, code)
        if not kind & ALNUM:
            return -1, 0
        some |= kind
        characters += 1
        i += length
    return characters, NOT_SYMBOL | (HAS_LETTER if some & LETTER else 0)


@njit(nogil=True, cache=True)
def _chunk_end(data: NDArray[np.uint8], i: int, stop: int, table: NDArray[np.uint16]) -> tuple[int, int]:
    """Return where the chunk around byte `i` ends, and how many bytes from there back to `i` continue a character."""
    more = 0
    while i < stop:
        c = data[i]
        if _KIND[c] == _BLANK:
            break
        if _KIND[c] == _WIDE:
            code, length = char_at(data, i, stop)
            if class_of(table, code) & SPACE:
                break
            more += length - 1
            i += length
        else:
            i += 1
    return i, more


@njit(nogil=True, cache=True, forceinline=True)
def _run(data: NDArray[np.uint8], first: int, i: int, stop: int) -> tuple[int, np.uint64, np.uint64, np.uint64]:
    """Return (end, hash, letters, wide) of the run of ASCII letters, digits and wide bytes from byte `i`.

    `letters` and `wide` are not 0 where the run holds such bytes.
    """
    start, h, letters, wides = i, SEED, _ZERO, _ZERO
    while True:
        # Past the end of the text come zeros, which end a run.
        x = load64(data, i) if i + 8 <= stop else remainder64(data, first, i, stop)
        low = x & _LOW7
        lowered = low | _CASE
        letter = (lowered + _FROM_A) & ~(lowered + _PAST_Z) & ~x & _TOP
        digit = (low + _FROM_0) & ~(low + _PAST_9)
        wide = x & _TOP
        ends = ~(letter | digit | wide) & _TOP
        if ends == _ZERO:
            h = fold64(h ^ x, TURN)
            letters |= letter
            wides |= wide
            i += 8
            continue
        bits = count_trailing_zeros(ends) & ~_SEVEN
        within = ~(_ALL << bits)
        if bits:
            h ^= x & within
        i += np.int64(bits >> _THREE)
        h = fold64(h ^ np.uint64(i - start), TURN)
        return i, h, letters | (letter & within), wides | (wide & within)


@njit(nogil=True, cache=True, forceinline=True)
def _put(words: Words, k: int, h: np.uint64, characters: int, mark: int) -> int:
    words.hashes[k] = h
    words.ends[k + 1] = words.ends[k] + characters
    words.marks[k] = mark
    return k + 1


@njit(nogil=True, cache=True, forceinline=True)
def _plain_tail(data: NDArray[np.uint8], start: int, i: int, stop: int) -> bool:
    """Return whether a chunk of ASCII letters and digits up to byte `i` ends in one mark that is a word."""
    c = data[i]
    if not _TAIL[c] or (i + 1 < stop and _KIND[data[i + 1]] != _BLANK):
        return False
    if c != 0x2E:
        return True
    last = data[i - 1]
    if last < 0x41:
        return True
    return i - start > 1 and (last > 0x5A or 0x41 <= data[i - 2] <= 0x5A)


@njit(nogil=True, cache=True)
def scan(
    data: NDArray[np.uint8], first: int, stop: int, table: NDArray[np.uint16], words: Words, lines: NDArray[np.int32]
) -> tuple[int, int, int]:
    """Find the words and lines of ``data[first:stop]``; return (words, lines, characters).

    `lines` (at least as many rows as bytes, 5) gets a row a line: what ends it is a line feed,
    a carriage return (with the line feed after it), or one of the rarer line ends of Unicode.
    """
    i, k, m, chunks, more, flags, ended = first, 0, 0, 0, 0, 0, first
    words.ends[0] = 0
    words.tally[:] = 0
    while i < stop:
        c = data[i]
        kind = _KIND[c]
        if kind == _BLANK or kind == _WIDE:
            code, length = char_at(data, i, stop)
            if kind == _BLANK or class_of(table, code) & SPACE:
                more += length - 1
                breaks = _BREAKS[c] if kind == _BLANK else code == 0x85 or code == 0x2028 or code == 0x2029
                if breaks and not (c == 0x0D and i + 1 < stop and data[i + 1] == 0x0A):
                    lines[m, STOP], lines[m, WORDS], lines[m, CHUNKS] = i - first, k, chunks
                    lines[m, CHARACTERS] = i + length - 1 - first - more
                    lines[m, FLAGS] = flags | (LF if c == 0x0A else 0)
                    m, flags, ended = m + 1, 0, i + length
                i += length
                continue
        start = i
        chunks += 1
        if _FIRSTS[c]:
            flags |= _phrase(data, first, i, stop)
        i, h, letters, wides = _run(data, first, i, stop)
        characters, mark = i - start, NOT_SYMBOL | (HAS_LETTER if letters else 0)
        if wides:
            characters, mark = _wide_word(data, start, i, table)
        if characters > 0 and (i == stop or _KIND[data[i]] == _BLANK):
            k = _put(words, k, h, characters, mark)
            more += i - start - characters
        elif characters > 0 and not wides and _plain_tail(data, start, i, stop):
            k = _put(words, k, h, characters, mark)
            h = fold64(SEED ^ np.uint64(data[i]) ^ np.uint64(1), TURN)
            k = _put(words, k, h, 1, ALL_PUNCT | (ENDS if _ENDING[data[i]] else 0))
            i += 1
        else:
            i, extra = _chunk_end(data, start, stop, table)
            words.tally[2] = 0
            k = split_chunk(data, start, i, table, words, k)
            flags |= (BRACE if words.tally[2] & 1 else 0) | (BRACKET if words.tally[2] & 2 else 0)
            more += extra
            characters = i - start - extra
        if i - start >= 10:
            flags |= _javascript(data, start, i)
            if i - start > _LONGEST and characters > _LONGEST:
                flags |= LONG
    if ended < stop:
        lines[m, STOP], lines[m, WORDS], lines[m, CHUNKS] = stop - first, k, chunks
        lines[m, CHARACTERS], lines[m, FLAGS] = stop - first - more, flags
        m += 1
    return k, m, stop - first - more
