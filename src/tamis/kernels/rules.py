"""Everything the Gopher, C4 and FineWeb rules measure, for many texts in one compiled pass.

`measure` walks each text once byte by byte (`rules_scan`, `rules_words`), then its words
(`rules_repeats`) and lines (`rules_lines`), in scratch memory that texts share one after another:
about 100 bytes are set aside for each byte of the longest text, of which only what a text's words
and lines need is ever touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.rules_c4 import c4_lines
from tamis.kernels.rules_lines import Scratch, bullets_and_ellipses, feed_lines, paragraphs
from tamis.kernels.rules_memory import get32, get64, inner
from tamis.kernels.rules_repeats import Repeats, ngram_repeats, word_ids
from tamis.kernels.rules_scan import LINE, scan
from tamis.kernels.rules_words import HAS_LETTER, NOT_SYMBOL, SEED, TURN, Words
from tamis.kernels.vector import address, load8

__all__ = ["LINE_RULES", "MEASURES", "measure", "room", "slots", "word_hash"]

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
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled


def slots(hashes: NDArray[np.uint64], languages: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return stop words as a table for `measure`: (hashes, the languages of each, one bit a language).

    Open addressing by the low bits, a power of 2 at least four times as many as there are words;
    a free slot has no language.
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


def word_hash(word: bytes) -> int:
    """Return the hash that `measure` finds stop words by."""
    h, mask = int(SEED), 2**64 - 1
    for i in range(0, len(word) + 1, 8):
        h ^= int.from_bytes(word[i : i + 8], "little")
        if i + 8 > len(word):
            h ^= len(word)
        product = h * int(TURN)
        h = (product >> 64) ^ (product & mask)
    return h


def room(longest: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return scratch memory for texts of at most `longest` bytes and the addresses of its 20 regions.

    It is about 100 bytes for each, of which what a text needs is touched. The regions are those of
    `Words` twice, of `Repeats` and of `Scratch`, in their order.
    """
    n = (longest + 23) & -8
    words = (8 * n, 4 * n, n, 16)
    table = 4 << (2 * n - 1).bit_length()
    sizes = (*words, *words, table, *[4 * n] * 5, 4 * LINE * n, 8 * n, 4 * n, n, n, 4 * LINE)
    memory = np.empty(sum(sizes) + 64 * (len(sizes) + 1), np.uint8)
    # Each begins on a cache line of its own.
    starts = np.cumsum([0, *((size + 63) & -64 for size in sizes[:-1])])
    return memory, starts + ((memory.ctypes.data + 63) & -64)


@inner
def _per(part: int, whole: int) -> float:
    """Return `part / whole`; of nothing, 0."""
    return part / whole if whole else 0.0


@inner
def _word_measures(words: Words, n: int, row: NDArray[np.float64]) -> None:
    real, characters, letters, before = _NONE, _NONE, _NONE, _NONE
    for k in range(n):
        mark, end = load8(words.marks + k), get32(words.ends, k + 1)
        letters += mark & HAS_LETTER
        if mark & NOT_SYMBOL:
            real += 1
            characters += end - before
        before = end
    row[0] = real
    row[1] = _per(characters, real)
    row[2] = _per(get32(words.tally, 0), n)
    row[3] = _per(get32(words.tally, 1), n)
    row[6] = _per(letters, n)


@inner
def _stop_words(
    hashes: int,
    n: int,
    news: int,
    keys: NDArray[np.uint64],
    languages: NDArray[np.uint64],
    counts: NDArray[np.int64],
) -> int:
    """Return the different stop words among the `n` different words at `news`, of the language that has most."""
    counts[:] = 0
    last = np.uint64(len(keys) - 1)
    for j in range(n):
        h = get64(hashes, get32(news, j))
        slot = h & last
        while languages[slot]:
            if keys[slot] == h:
                for bit in range(len(counts)):
                    counts[bit] += np.int64((languages[slot] >> np.uint64(bit)) & np.uint64(1))
                break
            slot = (slot + np.uint64(1)) & last
    most = 0
    for bit in range(len(counts)):
        most = max(most, counts[bit])
    return most


@inner
def _line_measures(
    feeds: NDArray[np.int64],
    paras: NDArray[np.int64],
    c4: NDArray[np.int64],
    edges: int,
    characters: int,
    n: int,
    row: NDArray[np.float64],
) -> None:
    """Turn counts of the lines of a text of `n` words into measures; `edges`: ends of it, of 2, that are line feeds."""
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
    classes: NDArray[np.uint16],
    keys: NDArray[np.uint64],
    languages: NDArray[np.uint64],
    n_languages: int,
    on: NDArray[np.bool_],
    at: NDArray[np.int64],
    memory: NDArray[np.uint8],  # noqa: ARG001 (held while its addresses are in use)
    out: NDArray[np.float64],
) -> None:
    """Fill `out` (`n x len(MEASURES)`, zeros) with the measures of `n` texts, columns as in `MEASURES`.

    `classes` is that of `rules_chars`; `keys` and `languages` are `slots` of the stop words, bits below
    `n_languages`; `on` (5): which of C4's line rules drop lines; `memory` and `at`: a `room` for the
    longest text.
    """
    base, table, counts = address(data), address(classes), np.empty(n_languages, np.int64)
    words, aside = Words(at[0], at[1], at[2], at[3]), Words(at[4], at[5], at[6], at[7])
    repeats = Repeats(at[8], at[9], at[10], at[11], at[12], at[13])
    scratch = Scratch(at[14], at[15], at[16], at[17], at[18], at[19], aside)
    c4, feeds, paras = np.empty(_C4, np.int64), np.empty(_FEEDS, np.int64), np.empty(_PARAGRAPHS, np.int64)
    grams = np.empty(_GRAMS, np.int64)
    for r in range(len(offsets) - 1):
        first, stop, row = base + offsets[r], base + offsets[r + 1], out[r]
        if first == stop:
            continue
        n_words, n_lines, characters = scan(first, stop, table, words, scratch.lines)
        _word_measures(words, n_words, row)
        bullets, ellipses = bullets_and_ellipses(first, n_lines, scratch.lines, table)
        row[4], row[5] = _per(bullets, n_lines), _per(ellipses, n_lines)
        places, different = word_ids(words.hashes, n_words, repeats, scratch.sizes)
        row[7] = _stop_words(words.hashes, different, scratch.sizes, keys, languages, counts)
        ngram_repeats(words.ends, n_words, places, repeats, grams)
        for j in range(_GRAMS):
            row[12 + j] = _per(grams[j], characters)
        feed_lines(first, stop, n_lines, characters, table, scratch, repeats, feeds)
        paragraphs(first, stop, n_lines, table, scratch, repeats, paras)
        c4_lines(first, n_lines, table, words, scratch, on, c4)
        edges = np.int64(load8(first) == 0x0A) + np.int64(load8(stop - 1) == 0x0A)
        _line_measures(feeds, paras, c4, edges, characters, n_words, row)
