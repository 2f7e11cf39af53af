"""What a text repeats: its most frequent n-grams, n-grams it has had before, lines it has had before.

N-grams are compared by the words they hold, words and lines by 64-bit hashes. One table serves
all: open addressing, int32, twice as many slots as entries at least, cleared as far as it is used.

A text is looked through for repeated words, then for repeated pairs among neighbours that both
repeat, and so on: an n-gram can only occur twice where both of its (n-1)-grams do. Prose has few
of those, so ten levels cost little more than two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FIRST_LONG", "LAST", "Repeats", "ngram_repeats", "repeated", "word_ids"]

#: The n-grams looked at: the most frequent one for n of 2 to 4, those seen before for n of 5 to 10.
FIRST_LONG, LAST = 5, 10

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_FREE = -1


class Repeats(NamedTuple):
    """Room for one text, int32 each: the `table`; for each word where its n-gram first stood and
    where the (n-1)-gram did (`now`, `before`), how often (`count`); the `places` that repeat, and the `rank` of each place among them.
    """

    table: NDArray[np.int32]
    now: NDArray[np.int32]
    before: NDArray[np.int32]
    count: NDArray[np.int32]
    places: NDArray[np.int32]
    rank: NDArray[np.int32]


@njit(nogil=True, cache=True)
def _clear(table: NDArray[np.int32], entries: int) -> tuple[np.uint64, int]:
    """Clear as many slots as `entries` need; return (the shift from a 64-bit hash to a slot, the last slot)."""
    size, shift = 16, np.uint64(60)
    while size < 2 * entries:
        size *= 2
        shift -= np.uint64(1)
    table[:size] = _FREE
    return shift, size - 1


@njit(nogil=True, cache=True)
def word_ids(hashes: NDArray[np.uint64], n: int, room: Repeats, news: NDArray[np.int32]) -> tuple[int, int]:
    """Give each of `n` words the number of its first occurrence, in `room.now`.

    Return how many words stand at `room.places`, those that occur more than once, and how many
    different ones at `news`; both ascending.
    """
    table, ids, count = room.table, room.now, room.count
    shift, last = _clear(table, n)
    different = 0
    for j in range(n):
        h = hashes[j]
        slot = np.int64(h >> shift)
        while True:
            first = table[slot]
            if first == _FREE:
                table[slot] = j
                ids[j] = j
                news[different] = j
                count[j] = 1
                different += 1
                break
            if hashes[first] == h:
                ids[j] = first
                count[first] += 1
                break
            slot = (slot + 1) & last
    places = 0
    for j in range(n):
        room.places[places] = j
        places += count[ids[j]] > 1
    return places, different


@njit(nogil=True, cache=True)
def _pair_ids(n: int, room: Repeats, before: NDArray[np.int32], now: NDArray[np.int32]) -> int:
    """Number the n-grams that may repeat by their first occurrence, in `now`; return how many there are.

    `before` numbers the (n-1)-grams; the `n` of them at `room.places` repeat. The places of the n-grams replace theirs.
    """
    table, count, places = room.table, room.count, room.places
    kept = 0
    for t in range(n - 1):
        j = places[t]
        places[kept] = j
        kept += places[t + 1] == j + 1
    shift, last = _clear(table, kept)
    for t in range(kept):
        j = places[t]
        a, b = before[j], before[j + 1]
        slot = np.int64((((np.uint64(a) << np.uint64(32)) | np.uint64(b)) * _SPREAD) >> shift)
        while True:
            first = table[slot]
            if first == _FREE:
                table[slot] = j
                now[j] = j
                count[j] = 1
                break
            if before[first] == a and before[first + 1] == b:
                now[j] = first
                count[first] += 1
                break
            slot = (slot + 1) & last
    return kept


@njit(nogil=True, cache=True)
def _top(kept: int, room: Repeats, now: NDArray[np.int32]) -> tuple[int, int]:
    """Return (first occurrence, count) of the most frequent n-gram, the earliest where several are.

    Where none repeats that is the first n-gram of the text.
    """
    best, where = 1, 0
    for t in range(kept):
        first = now[room.places[t]]
        if room.count[first] > best:  # places ascend, so the first of equals stays
            best, where = room.count[first], first
    return where, best


@njit(nogil=True, cache=True)
def _seen_before(n: int, kept: int, ends: NDArray[np.int32], room: Repeats, now: NDArray[np.int32]) -> int:
    """Return the characters of n-grams seen before, read from the front: after one of them, on behind it.

    Only n-grams that the reading came by count as seen. Uses `room.table`, whose slots are done with.
    """
    seen = room.table
    for t in range(kept):
        seen[t] = 0
        room.rank[room.places[t]] = t
    characters, free = 0, 0
    for t in range(kept):
        j = room.places[t]
        if j < free:
            continue
        which = room.rank[now[j]]
        if seen[which]:
            characters += ends[j + n] - ends[j]
            free = j + n
        seen[which] = 1
    return characters


@njit(nogil=True, cache=True)
def ngram_repeats(ends: NDArray[np.int32], words: int, places: int, room: Repeats, out: NDArray[np.int64]) -> None:
    """Fill `out` (9): characters of the most frequent 2- to 4-gram, of 5- to 10-grams seen before.

    Follows `word_ids`; `places` is what it returned, `ends` as in `Words`. The most frequent n-gram
    counts with a space between its words, as often as it occurs (overlaps included); those seen
    before count without.
    """
    out[:] = 0
    before, now = room.now, room.before
    for n in range(2, LAST + 1):
        kept = 0
        if places > 1:
            kept = _pair_ids(places, room, before, now)
        if n < FIRST_LONG:
            if words >= n:
                where, best = _top(kept, room, now)
                out[n - 2] = best * (ends[where + n] - ends[where] + n - 1)
        elif kept:
            out[n - 2] = _seen_before(n, kept, ends, room, now)
        else:
            return
        places = 0
        for t in range(kept):
            j = room.places[t]
            room.places[places] = j
            places += room.count[now[j]] > 1
        before, now = now, before


@njit(nogil=True, cache=True)
def repeated(hashes: NDArray[np.uint64], n: int, room: Repeats, found: NDArray[np.int32]) -> None:
    """Set `found[j]` to 1 for each of `n` hashes that came before, else to 0."""
    shift, last = _clear(room.table, n)
    for j in range(n):
        h = hashes[j]
        slot = np.int64(h >> shift)
        while room.table[slot] != _FREE and hashes[room.table[slot]] != h:
            slot = (slot + 1) & last
        found[j] = room.table[slot] != _FREE
        if not found[j]:
            room.table[slot] = j
