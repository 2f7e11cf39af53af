"""What a text repeats: its most frequent n-grams, n-grams it has had before, lines it has had before.

N-grams are compared by the words they hold, words and lines by 64-bit hashes. One table serves
all: open addressing, int32, twice as many slots as entries at least, cleared as far as it is used.

A text is looked through for repeated words, then for repeated pairs among neighbours that both
repeat, and so on: an n-gram can only occur twice where both of its (n-1)-grams do. Prose has few
of those, so ten levels cost little more than two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.kernels.rules_memory import get32, get64, inner, put32
from tamis.kernels.vector import load8, store8

__all__ = ["FIRST_LONG", "LAST", "Repeats", "ngram_repeats", "repeated", "word_ids"]

#: The n-grams looked at: the most frequent one for n of 2 to 4, those seen before for n of 5 to 10.
FIRST_LONG, LAST = 5, 10

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.int64(-1)
_NONE: Any = np.int64(0)  # typed, or each literal number would have its own code compiled


class Repeats(NamedTuple):
    """Room for the n-grams of one text: addresses, int32 all.

    The `table`; for each word where its n-gram first stood and where the (n-1)-gram did (`now`,
    `before`), and how often (`times`); the `places` that repeat, and the `rank` of each place among them.
    """

    table: int
    now: int
    before: int
    times: int
    places: int
    rank: int


@inner
def _clear(table: int, entries: int) -> tuple[np.uint64, int]:
    """Clear as many slots as `entries` need; return (the shift from a 64-bit hash to a slot, the last slot)."""
    size, shift = 16, np.uint64(60)
    while size < 2 * entries:
        size *= 2
        shift -= np.uint64(1)
    for slot in range(size):
        put32(table, slot, _FREE)
    return shift, size - 1


@inner
def word_ids(hashes: int, n: int, room: Repeats, news: int) -> tuple[int, int]:
    """Give each of `n` words the number of its first occurrence, in `room.now`.

    Return how many words stand at `room.places`, those that occur more than once, and how many
    different ones at `news` (int32); both ascending.
    """
    table, ids, count = room.table, room.now, room.times
    shift, last = _clear(table, n)
    different = 0
    for j in range(n):
        h = get64(hashes, j)
        slot = np.int64(h >> shift)
        while True:
            first = get32(table, slot)
            if first == _FREE:
                put32(table, slot, j)
                put32(ids, j, j)
                put32(news, different, j)
                put32(count, j, 1)
                different += 1
                break
            if get64(hashes, first) == h:
                put32(ids, j, first)
                put32(count, first, get32(count, first) + 1)
                break
            slot = (slot + 1) & last
    places = 0
    for j in range(n):
        put32(room.places, places, j)
        places += get32(count, get32(ids, j)) > 1
    return places, different


@inner
def _pair_ids(n: int, room: Repeats, before: int, now: int) -> int:
    """Find where each n-gram that may repeat first stood, in `now`; return how many there are.

    `before` numbers the (n-1)-grams; the `n` of them at `room.places` repeat. The places of the
    n-grams replace theirs.
    """
    table, count, places = room.table, room.times, room.places
    kept = _NONE
    for t in range(n - 1):
        j = get32(places, t)
        put32(places, kept, j)
        kept += get32(places, t + 1) == j + 1
    shift, last = _clear(table, kept)
    for t in range(kept):
        j = get32(places, t)
        a, b = get32(before, j), get32(before, j + 1)
        slot = np.int64((((np.uint64(a) << np.uint64(32)) | np.uint64(b)) * _SPREAD) >> shift)
        while True:
            first = get32(table, slot)
            if first == _FREE:
                put32(table, slot, j)
                put32(now, j, j)
                put32(count, j, 1)
                break
            if get32(before, first) == a and get32(before, first + 1) == b:
                put32(now, j, first)
                put32(count, first, get32(count, first) + 1)
                break
            slot = (slot + 1) & last
    return int(kept)


@inner
def _top(kept: int, room: Repeats, now: int) -> tuple[int, int]:
    """Return (first occurrence, count) of the most frequent n-gram, the earliest where several are.

    Where none repeats that is the first n-gram of the text.
    """
    best, where = 1, 0
    for t in range(kept):
        first = get32(now, get32(room.places, t))
        count = get32(room.times, first)
        if count > best:  # places ascend, so the first of equals stays
            best, where = count, first
    return where, best


@inner
def _seen_before(n: int, kept: int, ends: int, room: Repeats, now: int) -> int:
    """Return the characters of n-grams seen before, read from the front: after one of them, on behind it.

    Only n-grams that the reading came by count as seen. Uses `room.table`, whose slots are done with.
    """
    seen = room.table
    for t in range(kept):
        store8(seen + t, 0)
        put32(room.rank, get32(room.places, t), t)
    characters, free = 0, 0
    for t in range(kept):
        j = get32(room.places, t)
        if j < free:
            continue
        which = seen + get32(room.rank, get32(now, j))
        if load8(which):
            characters += get32(ends, j + n) - get32(ends, j)
            free = j + n
        store8(which, 1)
    return characters


@inner
def ngram_repeats(ends: int, words: int, places: int, room: Repeats, out: NDArray[np.int64]) -> None:
    """Fill `out` (9): characters of the most frequent 2- to 4-gram, of 5- to 10-grams seen before.

    Follows `word_ids`; `places` is what it returned, `ends` as in `Words`. The most frequent n-gram
    counts with a space between its words, as often as it occurs (overlaps included); those seen
    before count without.
    """
    before, now = room.now, room.before
    for n in range(2, LAST + 1):
        kept = _NONE
        if places > 1:
            kept = _pair_ids(places, room, before, now)
        characters = 0
        if n >= FIRST_LONG:
            if kept:
                characters = _seen_before(n, kept, ends, room, now)
        elif words >= n:
            where, best = _top(kept, room, now)
            characters = best * (get32(ends, where + n) - get32(ends, where) + n - 1)
        out[n - 2] = characters
        places = 0
        for t in range(kept):
            j = get32(room.places, t)
            put32(room.places, places, j)
            places += get32(room.times, get32(now, j)) > 1
        before, now = now, before


@inner
def repeated(hashes: int, n: int, room: Repeats, found: int) -> None:
    """Set `found` (uint8) to 1 for each of `n` hashes (uint64) that came before, else to 0."""
    shift, last = _clear(room.table, n)
    for j in range(n):
        h = get64(hashes, j)
        slot = np.int64(h >> shift)
        first = get32(room.table, slot)
        while first != _FREE and get64(hashes, first) != h:
            slot = (slot + 1) & last
            first = get32(room.table, slot)
        store8(found + j, first != _FREE)
        if first == _FREE:
            put32(room.table, slot, j)
