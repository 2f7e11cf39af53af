"""Everything the Gopher, C4 and FineWeb rules measure, for many texts in one compiled pass.

`measure` walks each text once byte by byte (`rules_scan`, `rules_words`), then its words
(`rules_repeats`) and lines (`rules_lines`), in scratch memory that texts share one after another:
about 60 bytes for each byte of the longest text are set aside, of which only what a text's words and
lines need is ever touched.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.rules_lines import Scratch, bullets_and_ellipses, c4_lines, feed_lines, paragraphs
from tamis.kernels.rules_repeats import Repeats, ngram_repeats, word_ids
from tamis.kernels.rules_scan import scan
from tamis.kernels.rules_words import HAS_LETTER, NOT_SYMBOL, Words

__all__ = ["LINE_RULES", "MEASURES", "measure", "slots", "word_hashes"]

MEASURES: tuple[str, ...] = (
    "words",
    "word_characters",
    "hashes_per_word",
    "ellipses_per_word",
    "bullet_lines",
    "ellipsis_lines",
    "alphabetic_words",
    "stop_words",
    "repeated_paragraphs",
    "repeated_paragraph_characters",
    "repeated_lines",
    "repeated_line_characters",
    "top_2_gram",
    "top_3_gram",
    "top_4_gram",
    "repeated_5_grams",
    "repeated_6_grams",
    "repeated_7_grams",
    "repeated_8_grams",
    "repeated_9_grams",
    "repeated_10_grams",
    "c4_long_word_lines",
    "c4_unterminated_lines",
    "c4_few_word_lines",
    "c4_javascript_lines",
    "c4_policy_lines",
    "lorem_ipsum_lines",
    "curly_bracket_lines",
    "sentences",
    "terminated_lines",
    "short_lines",
    "repeated_line_share",
    "newlines_per_word",
)
"""The columns of what `measure` returns, in order; `tamis.signals.rule_sets` says what each is."""

LINE_RULES = 5
"""How many rules of C4 drop lines."""

_C4, _FEEDS, _PARAGRAPHS, _GRAMS = 9, 8, 3, 9


def slots(hashes: NDArray[np.uint64], languages: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return stop words as a table for `measure`: (hashes, the languages of each, one bit a language).

    Open addressing by the low bits, a power of 2 at least four times as many as there are words; a free slot has no language.
    """
    size = 1 << max(4, (4 * len(hashes)).bit_length())
    keys, bits = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for h, language in zip(hashes.tolist(), languages.tolist(), strict=True):
        slot = h & (size - 1)
        while bits[slot] and int(keys[slot]) != h:
            slot = (slot + 1) & (size - 1)
        keys[slot] = h
        bits[slot] |= np.uint64(language)
    return keys, bits


@njit(nogil=True, cache=True)
def _words(longest: int) -> Words:
    return Words(
        np.empty(longest, np.uint64), np.empty(longest + 1, np.int32), np.empty(longest, np.uint8), np.zeros(3, np.int64)
    )


@njit(nogil=True, cache=True)
def _scratch(longest: int) -> tuple[Words, Repeats, Scratch]:
    size = 16
    while size < 2 * longest:
        size *= 2
    room = Repeats(
        np.empty(size, np.int32),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
    )
    scratch = Scratch(
        np.empty((longest, 5), np.int32),
        np.empty(longest, np.uint64),
        np.empty(longest, np.int32),
        np.empty(longest, np.int32),
        np.empty(longest, np.uint8),
        _words(longest),
        np.empty((2, 5), np.int32),
    )
    return _words(longest), room, scratch


@njit(nogil=True, cache=True)
def _per(part: float, whole: float) -> float:
    """Return `part / whole`; of nothing, 0."""
    return part / whole if whole else 0.0


@njit(nogil=True, cache=True)
def _word_measures(words: Words, n: int, row: NDArray[np.float64]) -> None:
    marks, ends = words.marks, words.ends
    real, characters, letters = 0, 0, 0
    for k in range(n):
        letters += marks[k] & HAS_LETTER
        if marks[k] & NOT_SYMBOL:
            real += 1
            characters += ends[k + 1] - ends[k]
    row[0] = real
    row[1] = _per(characters, real)
    row[2] = _per(words.tally[0], n)
    row[3] = _per(words.tally[1], n)
    row[6] = _per(letters, n)


@njit(nogil=True, cache=True)
def _stop_words(
    hashes: NDArray[np.uint64],
    n: int,
    news: NDArray[np.int32],
    keys: NDArray[np.uint64],
    languages: NDArray[np.uint64],
    counts: NDArray[np.int64],
) -> int:
    """Return the different stop words among `n` different words, of the language that has most."""
    counts[:] = 0
    last = np.uint64(len(keys) - 1)
    for j in range(n):
        h = hashes[news[j]]
        slot = h & last
        while languages[slot]:
            if keys[slot] == h:
                for bit in range(len(counts)):
                    counts[bit] += np.int64((languages[slot] >> np.uint64(bit)) & np.uint64(1))
                break
            slot = (slot + np.uint64(1)) & last
    return counts.max()


@njit(nogil=True, cache=True)
def _line_measures(
    feeds: NDArray[np.int64], paras: NDArray[np.int64], c4: NDArray[np.int64], edges: int, text: tuple[int, int], row: NDArray[np.float64]
) -> None:
    """Turn counts of lines into measures; `edges`: of 2, how many ends of the text are line feeds; `text`: (characters, words)."""
    characters, n = text
    row[8] = _per(paras[1], paras[0])
    row[9] = _per(paras[2], characters)
    # The original's split leaves an empty line before a first and behind a last line feed.
    row[10] = _per(feeds[1] + (edges == 2), feeds[0] + edges)
    row[11] = _per(feeds[2], characters)
    for rule in range(LINE_RULES):
        row[21 + rule] = _per(c4[rule], c4[8])
    row[26], row[27], row[28] = c4[5], c4[6], c4[7]
    row[29] = _per(feeds[4], feeds[3])
    row[30] = _per(feeds[5], feeds[3])
    row[31] = _per(feeds[6], characters - feeds[7])
    row[32] = _per(feeds[7], n)


@njit(nogil=True, cache=True)
def measure(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    table: NDArray[np.uint16],
    keys: NDArray[np.uint64],
    languages: NDArray[np.uint64],
    n_languages: int,
    on: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the measures of `n` texts, `n x len(MEASURES)`, columns as in `MEASURES`.

    `table` is `rules_chars.classes()`; `keys` and `languages` are `slots` of the stop words, bit
    `i` of a language below `n_languages` (at least 1); `on` (5): which of C4's line rules drop lines.
    """
    n = len(offsets) - 1
    out = np.zeros((n, len(MEASURES)))
    longest = 0
    for r in range(n):
        longest = max(longest, offsets[r + 1] - offsets[r])
    words, repeats, room = _scratch(longest + 16)
    c4, feeds, paras = np.empty(_C4, np.int64), np.empty(_FEEDS, np.int64), np.empty(_PARAGRAPHS, np.int64)
    grams, counts = np.empty(_GRAMS, np.int64), np.empty(n_languages, np.int64)
    for r in range(n):
        first, stop, row = offsets[r], offsets[r + 1], out[r]
        if first == stop:
            continue
        n_words, n_lines, characters = scan(data, first, stop, table, words, room.lines)
        _word_measures(words, n_words, row)
        bullets, ellipses = bullets_and_ellipses(data, first, n_lines, room.lines, table)
        row[4], row[5] = _per(bullets, n_lines), _per(ellipses, n_lines)
        places, different = word_ids(words.hashes, n_words, repeats, room.found)
        row[7] = _stop_words(words.hashes, different, room.found, keys, languages, counts)
        ngram_repeats(words.ends, n_words, places, repeats, grams)
        for j in range(_GRAMS):
            row[12 + j] = _per(grams[j], characters)
        feed_lines(data, first, stop, n_lines, characters, table, room, repeats, feeds)
        paragraphs(data, first, stop, n_lines, table, room, repeats, paras)
        c4_lines(data, first, n_lines, table, words, room, on, c4)
        edges = np.int64(data[first] == 0x0A) + np.int64(data[stop - 1] == 0x0A)
        _line_measures(feeds, paras, c4, edges, (characters, n_words), row)
    return out


@njit(nogil=True, cache=True)
def word_hashes(data: NDArray[np.uint8], table: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return the hash of each word of one text."""
    words, _, room = _scratch(len(data) + 16)
    n, _, _ = scan(data, 0, len(data), table, words, room.lines)
    return words.hashes[:n].copy()
