r"""Interpolated modified Kneser-Ney n-gram models over sequences of symbols: built, and asked for costs.

Source: Kneser and Ney 1995, "Improved backing-off for m-gram language modeling"; the three discounts
and their estimates are those of Chen and Goodman 1999. With `a` the count of an n-gram (at the highest
order and after a begin mark how often it occurs, below in how many different contexts),

    P(w | h) = (a(hw) - D(a(hw))) / sum_v a(hv) + gamma(h) P(w | h'),    h' = h without its oldest symbol

where gamma(h) is what the discounts free. The last h' is empty: there a share of 1 / symbols is added.
Ours: which symbol may follow which is known (`allowed`, by kinds of symbols), and the unigrams are scaled
to what may follow; so every conditional distribution sums to 1 over what can occur at all. Ours too:
costs are integers, units of 2**-20 bits, so sums do not depend on the order of their terms.

An n-gram is found by (node of its first n - 1 symbols, last symbol): exact keys of 64 bits, no hash of
words. Building sorts keys, order by order, so the result is the same whatever the order of sequences.

Measured on one core of a 2-core AMD EPYC virtual machine: see `docs/signals/perplexity.md`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.kernels.simd import fold64
from tamis.kernels.vector import address, load_word

__all__ = [
    "END",
    "MAX_SYMBOLS",
    "UNIT",
    "Places",
    "Trie",
    "build",
    "costs",
    "look_up",
    "places",
    "slot_of",
    "step",
]

#: The symbol that ends every sequence.
END = 0
#: Symbols of a model, at most.
MAX_SYMBOLS = 1 << 24
#: Units of a bit: a cost of `UNIT` is one bit.
UNIT = 1 << 20

_BITS = np.uint64(24)
_SYMBOL = np.uint64(MAX_SYMBOLS - 1)
_ZERO, _HALF, _LOW = np.uint64(0), np.uint64(32), np.uint64(2**32 - 1)
_S0, _S1 = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
#: Discounts where the counts of counts give none (too few n-grams to estimate from).
_DEFAULT = (0.5, 1.0, 1.5)


class Trie(NamedTuple):
    """A model of order `n` over `s` symbols, as arrays; costs in units of 2**-20 bits.

    Attributes
    ----------
    first : int64 array of shape (s, 2)
        Cost of each symbol by itself, and what to add to that of a symbol that comes after it.
    table : uint64 array of shape (slots, 2)
        Open addressing: the key ``node << 24 | symbol`` (0: free), and ``node << 32 | cost`` of the
        n-gram it makes. The nodes of single symbols are the symbols.
    regions : int64 array of shape (n + 1, 2)
        First slot and number of slots of the n-grams of each order from 2 on.
    back : int64 array
        Cost of falling back from a node to the one without its oldest symbol.
    discounts : float64 array of shape (n, 3)
        D1, D2, D3+ of each order.
    allowed : bool array of shape (kinds, kinds)
        Whether a symbol of the second kind may follow one of the first.
    kind : uint8 array of shape (s,)
        Kind of each symbol.
    """

    first: NDArray[np.int64]
    table: NDArray[np.uint64]
    regions: NDArray[np.int64]
    back: NDArray[np.int64]
    discounts: NDArray[np.float64]
    allowed: NDArray[np.bool_]
    kind: NDArray[np.uint8]


class Places(NamedTuple):
    """Where a `Trie` is in memory: plain numbers, which cost nothing to pass on (see `kernels.vector`)."""

    first: int
    table: int
    regions: int
    back: int
    order: int


@njit(nogil=True, cache=True)
def places(trie: Trie) -> Places:
    """Return the addresses of a trie's arrays, which the caller keeps alive."""
    return Places(
        address(trie.first), address(trie.table), address(trie.regions), address(trie.back), len(trie.regions) - 1
    )


# -- looking up -------------------------------------------------------------------------------------


@njit(nogil=True, cache=True, forceinline=True)
def slot_of(key: np.uint64, slots: int) -> int:
    """Return where the search for a key begins, below `slots` (and those below 2**32)."""
    return np.int64(((fold64(key ^ _S0, _S1) >> _HALF) * np.uint64(slots)) >> _HALF)  # type: ignore[return-value]


@njit(nogil=True, cache=True, forceinline=True)
def look_up(table: int, start: int, slots: int, key: np.uint64) -> int:
    """Return the address of the second word of a key's row, or -1; `table` is an address."""
    at = slot_of(key, slots)
    while True:
        there = np.uint64(load_word(table + 16 * (start + at)))
        if there == key:
            return table + 16 * (start + at) + 8  # type: ignore[no-any-return]
        if there == _ZERO:
            return -1
        at = at + 1 if at + 1 < slots else 0


@njit(nogil=True, cache=True, forceinline=True)
def step(at: Places, context: NDArray[np.int64], symbol: int) -> int:
    """Return the cost of `symbol` after a context, and move the context on by it.

    ``context[m]`` is the node of the last `m` symbols, -1 where the model has none; ``context[0]``
    is not looked at and ``context[1]`` is always there. It has `n` places or more.
    """
    old = context[1]
    cost = load_word(at.first + 16 * symbol) + load_word(at.first + 16 * old + 8)
    context[1] = symbol
    m = 2
    while m <= at.order and old >= 0:
        key = np.uint64(old) << _BITS | np.uint64(symbol)
        row = look_up(at.table, load_word(at.regions + 16 * m), load_word(at.regions + 16 * m + 8), key)
        if row < 0:
            break
        word = np.uint64(load_word(row))
        cost = np.int64(word & _LOW)
        if m < at.order:
            old, context[m] = context[m], np.int64(word >> _HALF)
        m += 1
    while m <= at.order:
        if old >= 0:
            cost += load_word(at.back + 8 * old)
        if m < at.order:
            old, context[m] = context[m], -1
        m += 1
    return cost  # type: ignore[no-any-return]


@njit(nogil=True, cache=True)
def costs(trie: Trie, symbols: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the cost of each symbol of a sequence after all before it; of the first, a begin mark, 0."""
    at = places(trie)
    found = np.zeros(len(symbols), np.int64)
    context = np.full(max(at.order, 2), -1, np.int64)
    context[1] = symbols[0]
    for i in range(1, len(symbols)):
        found[i] = step(at, context, symbols[i])
    return found


# -- building ---------------------------------------------------------------------------------------


@njit(nogil=True, cache=True)
def _keys(stream: NDArray[np.int32], node: NDArray[np.int32], begins: int, keys: NDArray[np.uint64]) -> int:
    """Write the key of each n-gram that ends in `stream` and return their number; `node` is the one before."""
    k = 0
    for i in range(1, len(stream)):
        if stream[i] < begins and node[i - 1] >= 0:
            keys[k] = np.uint64(node[i - 1]) << _BITS | np.uint64(stream[i])
            k += 1
    return k


@njit(nogil=True, cache=True)
def _runs(keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> int:
    """Reduce sorted `keys` to each once, in place, with how often it was there; return their number."""
    k = -1
    for i in range(len(keys)):
        if k < 0 or keys[i] != keys[k]:
            k += 1
            keys[k] = keys[i]
            counts[k] = 0
        counts[k] += 1
    return k + 1


@njit(nogil=True, cache=True)
def _insert(
    table: NDArray[np.uint64], keys: NDArray[np.uint64], counts: NDArray[np.int64], least: int, base: int
) -> None:
    """Enter the keys seen `least` times into a free table, with their node (`base` plus position) and no cost."""
    for i in range(len(keys)):
        if counts[i] >= least:
            at = slot_of(keys[i], len(table))
            while table[at, 0] != _ZERO:
                at = at + 1 if at + 1 < len(table) else 0
            table[at, 0] = keys[i]
            table[at, 1] = np.uint64(base + i) << _HALF


@njit(nogil=True, cache=True)
def _set_costs(table: NDArray[np.uint64], costs: NDArray[np.int64], base: int) -> None:
    for at in range(len(table)):
        if table[at, 0] != _ZERO:
            table[at, 1] |= np.uint64(costs[np.int64(table[at, 1] >> _HALF) - base])


@njit(nogil=True, cache=True)
def _advance(stream: NDArray[np.int32], node: NDArray[np.int32], begins: int, table: NDArray[np.uint64]) -> None:
    """Turn the node that ends at each place of `stream` into the one of a symbol more, -1 where none does."""
    base = address(table)
    for i in range(len(stream) - 1, 0, -1):
        if stream[i] < begins and node[i - 1] >= 0:
            key = np.uint64(node[i - 1]) << _BITS | np.uint64(stream[i])
            node[i] = np.int64(np.uint64(load_word(look_up(base, 0, len(table), key))) >> _HALF)
        else:
            node[i] = -1
    node[0] = -1


@njit(nogil=True, cache=True)
def _suffixes(
    keys: NDArray[np.uint64], shorter: NDArray[np.int32], base: int, table: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Return the node of each n-gram without its oldest symbol.

    `shorter` holds the same of the n-grams' contexts (nodes from `base` on); empty for bigrams.
    """
    found = np.empty(len(keys), np.int32)
    rows = address(table)
    for i in range(len(keys)):
        node, symbol = np.int64(keys[i] >> _BITS), keys[i] & _SYMBOL
        if len(shorter) == 0:
            found[i] = np.int64(symbol)
            continue
        key = np.uint64(shorter[node - base]) << _BITS | symbol
        found[i] = np.int64(np.uint64(load_word(look_up(rows, 0, len(table), key))) >> _HALF)
    return found


@njit(nogil=True, cache=True)
def _openings(keys: NDArray[np.uint64], shorter: NDArray[np.bool_], base: int) -> NDArray[np.bool_]:
    """Return which n-grams open with a begin mark, from the same of their contexts (nodes from `base` on)."""
    opens = np.empty(len(keys), np.bool_)
    for i in range(len(keys)):
        opens[i] = shorter[np.int64(keys[i] >> _BITS) - base]
    return opens


@njit(nogil=True, cache=True)
def _adjust(counts: NDArray[np.int64], opens: NDArray[np.bool_], longer: NDArray[np.int32], base: int) -> None:
    """Replace counts by the number of different symbols before an n-gram, but for those that open a sequence.

    `longer` says which node (from `base` on) each n-gram of the next order has as its end.
    """
    for i in range(len(counts)):
        if not opens[i]:
            counts[i] = 0
    for node in longer:
        if not opens[node - base]:
            counts[node - base] += 1


@njit(nogil=True, cache=True)
def _weigh(
    keys: NDArray[np.uint64],
    counts: NDArray[np.int64],
    least: int,
    discounts: NDArray[np.float64],
    lower: NDArray[np.float64],
    suffix: NDArray[np.int32],
    base: int,
    scale: NDArray[np.float64],
    back: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the probability of each n-gram, and set `back`, the weight of what is below, of each context.

    ``lower[suffix - base]`` is the probability without the oldest symbol, to be multiplied by the
    context's `scale` (bigrams) or by nothing (empty). N-grams seen fewer than `least` times leave
    all their weight to it.
    """
    out = np.empty(len(keys), np.float64)
    i = 0
    while i < len(keys):
        node = np.int64(keys[i] >> _BITS)
        total, free = 0, 0.0
        stop = i
        while stop < len(keys) and np.int64(keys[stop] >> _BITS) == node:
            count = counts[stop]
            total += count
            free += discounts[min(count, 3) - 1] if count >= least else np.float64(count)
            stop += 1
        back[node] = free / total
        share = free / total * (scale[node] if len(scale) else 1.0)
        for j in range(i, stop):
            out[j] = (counts[j] - discounts[min(counts[j], 3) - 1]) / total + share * lower[suffix[j] - base]
        i = stop
    return out


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return D1, D2, D3+ for adjusted counts, by Chen and Goodman's estimates where these exist."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == c)) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array(_DEFAULT)
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if np.all(found > 0) else np.array(_DEFAULT)


def _in_units(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    bits = np.log2(probabilities)
    bits *= -UNIT
    return np.rint(bits, out=bits).astype(np.int64)


class _Level(NamedTuple):
    """The n-grams of one order, by ascending key, and how to find them: before probabilities are known."""

    base: int
    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    suffix: NDArray[np.int32]
    table: NDArray[np.uint64]  # without rows at the highest order


def _count(stream: NDArray[np.int32], node: NDArray[np.int32], begins: int) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """Return the different keys of the n-grams that end in a stream, ascending, and how often each is there."""
    keys = np.empty(len(stream), np.uint64)
    keys.resize(_keys(stream, node, begins, keys), refcheck=False)
    keys.sort()
    counts = np.empty(len(keys), np.int64)  # what is not filled is never touched
    found = _runs(keys, counts)
    keys.resize(found, refcheck=False)
    return keys, counts[:found]


def _slots(rows: int) -> int:
    return rows * 8 // 5 + 4


def _levels(stream: NDArray[np.int32], symbols: int, begins: int, order: int) -> list[_Level]:
    """Return the n-grams of orders 2 to `order` with their adjusted counts."""
    levels: list[_Level] = []
    node = stream.copy()
    base, below = symbols, 0
    shorter, opens = np.empty(0, np.int32), np.arange(symbols) >= begins
    table = np.empty((0, 2), np.uint64)
    for n in range(2, order + 1):
        keys, counts = _count(stream, node, begins)
        suffix = _suffixes(keys, shorter, below, table)
        if levels:
            _adjust(levels[-1].counts, opens, suffix, below)
        if n < order:
            opens = _openings(keys, opens, below)
            table = np.zeros((_slots(len(keys)), 2), np.uint64)
            _insert(table, keys, counts, 1, base)
            _advance(stream, node, begins, table)
        else:
            table = np.empty((0, 2), np.uint64)
        levels.append(_Level(base, keys, counts, suffix, table))
        below, base, shorter = base, base + len(keys), suffix
    return levels


def _unigrams(
    single: NDArray[np.int64], kind: NDArray[np.uint8], allowed: NDArray[np.bool_], begins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return discounts, the probability of each symbol, and by what to multiply those after each symbol."""
    discounts = _discounts(single)
    p = np.zeros(len(kind))
    total = int(single.sum())
    taken = np.where(single > 0, discounts[np.clip(single, 1, 3) - 1], 0.0)
    p[:begins] = ((single - taken)[:begins] + taken.sum() / begins) / total if total else 1.0 / begins
    left = allowed @ np.bincount(kind, p, len(allowed))
    return discounts, p, (1.0 / np.where(left > 0, left, 1.0))[kind]


def build(
    stream: NDArray[np.int32],
    kind: NDArray[np.uint8],
    allowed: NDArray[np.bool_],
    begins: int,
    order: int,
    limit: int = 1 << 62,
) -> tuple[Trie, int]:
    """Return the model of order 2 or more of the sequences in a stream, and the least count it kept.

    Parameters
    ----------
    stream : int32 array
        Sequences one after another: each a begin mark, symbols, and `END`.
    kind : uint8 array of shape (s,)
        Kind of each of `s` symbols, at most `MAX_SYMBOLS`; the marks that begin a sequence are the
        last ones, from `begins` on.
    allowed : bool array of shape (kinds, kinds)
        What may follow what; the stream keeps to it, and something may follow every symbol but `END`.
    begins : int
        The first begin mark.
    order : int
        Symbols of the longest n-gram.
    limit : int
        The most n-grams of the highest order that are kept: where there are more, those seen once
        go, then those seen twice, and so on. Their weight goes to the lower orders.
    """
    symbols = len(kind)
    levels = _levels(stream, symbols, begins, order)
    highest = levels[-1].counts
    least = 1 if len(highest) <= limit else int(np.partition(highest, len(highest) - limit - 1)[-limit - 1]) + 1
    rows = [len(level.keys) for level in levels[:-1]]
    regions = np.zeros((order + 1, 2), np.int64)
    regions[2:, 1] = [_slots(n) for n in (*rows, int(np.count_nonzero(highest >= least)))]
    regions[3:, 0] = np.cumsum(regions[2:-1, 1])
    table = np.zeros((int(regions[:, 1].sum()), 2), np.uint64)
    discounts, back = np.zeros((order, 3)), np.ones(symbols + sum(rows))
    single = np.bincount(levels[0].suffix, minlength=symbols)
    discounts[0], p, after = _unigrams(single, kind, allowed, begins)
    first = np.zeros((symbols, 2), np.int64)
    first[:begins, 0], first[:, 1] = _in_units(p[:begins]), _in_units(after)
    below, scale = 0, after
    for n, level in enumerate(levels, 2):
        part = table[regions[n, 0] : regions[n, 0] + regions[n, 1]]
        seen = least if n == order else 1
        discounts[n - 1] = _discounts(level.counts)
        p = _weigh(level.keys, level.counts, seen, discounts[n - 1], p, level.suffix, below, scale, back)
        if n < order:
            part[:] = level.table
        else:
            _insert(part, level.keys, level.counts, seen, level.base)
        _set_costs(part, _in_units(p), level.base)
        below, scale = level.base, np.empty(0)
    return Trie(first, table, regions, _in_units(back), discounts, allowed, kind), least
