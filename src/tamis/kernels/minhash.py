"""Min-hash signatures of texts, their shingle sets, and what two of either have in common.

A signature holds, for each of `P` permutations of the 32-bit numbers, the least image of a text's
shingles. Two texts agree in a place with the probability of their Jaccard similarity `s`, so the
share of places in which they agree estimates it, with variance ``s (1 - s) / P`` (Broder 1997).
The permutations are ``x -> a x + b`` modulo 2**32 with `a` odd, on the high words of mixed 64-bit
shingle hashes. An image is one multiplication, and a vector unit does 8 or 16 at once: the loop
takes 8 shingles and all permutations at a time, so a minimum is loaded and stored once in 8.

Measured on one core of a 2-core AMD EPYC virtual machine (AVX-512), abstracts of 1 KB: 128
permutations of 150 shingles take 0.5 microseconds, finding and hashing the words 1.5.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.hashing import mix64
from tamis.kernels.shingles import char_stream, window_hashes, word_hashes
from tamis.kernels.simd import fold64

__all__ = ["EMPTY", "band_hashes", "jaccard", "permutations", "shingle_sets", "signatures"]

#: The minimum over no shingle: what fills the signature of a text without words.
EMPTY = np.uint32(0xFFFFFFFF)

_HALF, _ONE = np.uint64(32), np.uint64(1)
_T0, _T1 = np.uint64(0x2D358DCCAA6C78A5), np.uint64(0x8BB84B93962EACC9)
_BASE = np.uint64(0xD1342543DE82EF95)


def permutations(count: int, salt: np.uint64) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the multipliers (odd) and addends of `count` permutations, a pure function of `salt`."""
    words = _mixed(count, salt)
    return (words >> _HALF).astype(np.uint32) | np.uint32(1), words.astype(np.uint32)


@njit(nogil=True, cache=True)
def _mixed(count: int, salt: np.uint64) -> NDArray[np.uint64]:
    words = np.empty(count, np.uint64)
    for i in range(count):
        words[i] = mix64(mix64(np.uint64(salt)) + np.uint64(i))
    return words


@njit(nogil=True, cache=True)
def _items(data: NDArray[np.uint8], first: int, stop: int, chars: bool, items: NDArray[np.uint64]) -> int:
    if chars:
        return char_stream(data, first, stop, items)  # type: ignore[no-any-return]
    return word_hashes(data, first, stop, items, np.empty(0, np.int64))  # type: ignore[no-any-return]


@njit(nogil=True, cache=True)
def _minima(
    x: NDArray[np.uint32], count: int, a: NDArray[np.uint32], b: NDArray[np.uint32], out: NDArray[np.uint32]
) -> None:
    """Fill `out` with the least ``a x + b`` of the first `count` numbers, for each pair of `a` and `b`.

    `x` has room for 7 more than `count`: the last block is filled up with copies, which change no
    minimum.
    """
    width = len(a)
    out[:] = EMPTY
    if count == 0:
        return
    for j in range(count, (count + 7) & ~7):
        x[j] = x[count - 1]
    for i in range(0, count, 8):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        x4, x5, x6, x7 = x[i + 4], x[i + 5], x[i + 6], x[i + 7]
        for p in range(width):
            c, d = a[p], b[p]
            y0 = min(np.uint32(x0 * c + d), np.uint32(x1 * c + d))
            y1 = min(np.uint32(x2 * c + d), np.uint32(x3 * c + d))
            y2 = min(np.uint32(x4 * c + d), np.uint32(x5 * c + d))
            y3 = min(np.uint32(x6 * c + d), np.uint32(x7 * c + d))
            out[p] = min(out[p], y0, y1, y2, y3)


@njit(nogil=True, cache=True)
def signatures(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    chars: bool,
    size: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32]]:
    """Return what tells `n` texts apart: an exact hash, the minima, and one minimum more to sample by.

    Text `r` is ``data[offsets[r]:offsets[r + 1]]``; its shingles are runs of `size` words, or of
    characters where `chars` holds.

    Returns
    -------
    exact : uint64 array of shape (n, 2)
        A 128-bit hash of the sequence of words (of characters): equal for texts that differ in
        case, spacing and punctuation alone; zeros for a text without words.
    minima : uint32 array of shape (n, len(a))
        Least images of the shingles; `EMPTY` throughout for a text without words.
    mark : uint32 array of shape (n,)
        The least low word of the shingles' hashes. The minima know only the high words, so texts
        that share a mark are a sample of similar pairs that no permutation had a hand in.
    """
    n = len(offsets) - 1
    mark = np.empty(n, np.uint32)
    exact = np.zeros((n, 2), np.uint64)
    minima = np.empty((n, len(a)), np.uint32)
    longest = 0
    for r in range(n):
        longest = max(longest, offsets[r + 1] - offsets[r])
    items = np.empty(longest, np.uint64)
    hashes = np.empty(longest, np.uint64)
    x = np.empty(longest + 8, np.uint32)
    for r in range(n):
        count = _items(data, offsets[r], offsets[r + 1], chars, items)
        high, low = _T0, _T1
        for j in range(count):
            high = fold64(high ^ items[j], _T1)
            low = low * _BASE + items[j]
        if count:
            exact[r, 0] = fold64(high ^ np.uint64(count), _T0)
            exact[r, 1] = mix64(low) | _ONE  # never both zero
        shingles = window_hashes(items, count, size, hashes)
        least = EMPTY
        for j in range(shingles):
            x[j] = np.uint32(hashes[j] >> _HALF)
            least = min(least, np.uint32(hashes[j]))
        mark[r] = least
        _minima(x, shingles, a, b, minima[r])
    return exact, minima, mark


@njit(nogil=True, cache=True)
def shingle_sets(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], chars: bool, size: int, rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the distinct shingle hashes of some texts, ascending, as (values, offsets).

    The set of text ``rows[i]`` is ``values[out[i]:out[i + 1]]``; shingles as in `signatures`.
    """
    longest, room = 0, 0
    for r in rows:
        longest = max(longest, offsets[r + 1] - offsets[r])
        room += offsets[r + 1] - offsets[r]
    items = np.empty(longest, np.uint64)
    hashes = np.empty(longest, np.uint64)
    values = np.empty(room, np.uint64)  # the end is never touched, so never backed by memory
    out = np.zeros(len(rows) + 1, np.int64)
    k = 0
    for i in range(len(rows)):
        r = rows[i]
        count = _items(data, offsets[r], offsets[r + 1], chars, items)
        shingles = window_hashes(items, count, size, hashes)
        ordered = np.sort(hashes[:shingles])
        for j in range(shingles):
            if j == 0 or ordered[j] != ordered[j - 1]:
                values[k] = ordered[j]
                k += 1
        out[i + 1] = k
    return values[:k].copy(), out


@njit(nogil=True, cache=True)
def jaccard(values: NDArray[np.uint64], a: int, a_stop: int, b: int, b_stop: int, least: float, places: int) -> float:
    """Return the similarity of two ascending runs of `values`, or -1 where it is below `least`.

    With `places` 0 the runs are sets and it is their Jaccard similarity; else they are signatures
    of that many places and it is the share of places that agree. Two empty sets have none: -1.
    """
    first, second = a_stop - a, b_stop - b
    both = 0
    if first == 0 or second == 0:
        return -1.0
    # For s >= least the common part is at least `need`; the slack of 1e-9 is below half an element.
    need = least * places if places else least / (1.0 + least) * (first + second)
    need -= 1e-9 * (1.0 + need)
    while a < a_stop and b < b_stop:
        if both + min(a_stop - a, b_stop - b) < need:
            return -1.0
        x, y = values[a], values[b]
        both += x == y
        a += x <= y
        b += y <= x
    found = both / places if places else both / (first + second - both)
    return found if found >= least else -1.0


@njit(nogil=True, cache=True)
def band_hashes(minima: NDArray[np.uint32], rows: NDArray[np.int64], bands: int, width: int) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each band of the signatures ``minima[rows]``, as `bands x len(rows)`.

    Band `j` is the places ``j * width`` to ``(j + 1) * width``; hashes of different bands differ.
    """
    out = np.empty((bands, len(rows)), np.uint64)
    for i in range(len(rows)):
        r = rows[i]
        for j in range(bands):
            h = _T0 ^ np.uint64(j)
            for p in range(j * width, (j + 1) * width):
                h = fold64(h ^ np.uint64(minima[r, p]), _T1)
            out[j, i] = mix64(h)
    return out
