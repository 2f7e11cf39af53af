"""Byte-pair encoding of SentencePiece's kind, compiled: tokens of a piece of text in a microsecond.

A tokenizer's definition is taken only if all it does is known: spaces become U+2581 (and one may be
prepended to a text), the model sees characters, those it lacks as bytes, and joins neighbours in
the order of its merges. `compiled` returns None for any other; the library tokenizes those.

Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword
Units"; byte fallback as in SentencePiece (Kudo and Richardson 2018). The tokens are those of the
package `tokenizers`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LIMIT", "Merges", "compiled", "encode", "holds_added"]

#: Bytes of the longest piece that `encode` takes: its time grows with the square.
LIMIT = 1024

_META = "\u2581"
_FREE = np.uint64(2**64 - 1)
_HALF, _LOWER, _ONE = np.uint64(32), np.uint64(2**32 - 1), np.uint64(1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Merges(NamedTuple):
    """A tokenizer as tables.

    `symbols` (one for every code point): its token, or -1. `bytes_` (256): the tokens of single
    bytes. `pairs` (`2**p x 2`), open addressing: two tokens as the halves of a word; the merge's
    place in the order and its token as the halves of another. `meta`: the token of
    U+2581. `prepends`: whether a text gets one more of them in front. `added`: the strings of
    added tokens end to end, one after the other between `edges`.
    """

    symbols: NDArray[np.int32]
    bytes_: NDArray[np.int32]
    pairs: NDArray[np.uint64]
    meta: int
    prepends: bool
    added: NDArray[np.uint8]
    edges: NDArray[np.int64]


def compiled(config: dict[str, Any]) -> Merges | None:
    """Return the tables of the tokenizer of this definition (`Tokenizer.to_str`), or None if it is of another kind."""
    model, normalizer = config["model"], config.get("normalizer") or {"type": "Sequence", "normalizers": []}
    steps = normalizer["normalizers"] if normalizer["type"] == "Sequence" else [normalizer]
    prepend = {"type": "Prepend", "prepend": _META}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": _META}
    added = [token["content"] for token in config.get("added_tokens", [])]
    known = (
        model["type"] == "BPE"
        and config.get("pre_tokenizer") is None
        and steps in ([prepend, replace], [replace])
        and model.get("byte_fallback")
        and not any(model.get(o) for o in ("dropout", "ignore_merges", "continuing_subword_prefix"))
        and not model.get("end_of_word_suffix")
        and not any(token["normalized"] or token["single_word"] for token in config.get("added_tokens", []))
        and not any(" " in content or _META in content or not content for content in added)
    )
    vocab: dict[str, int] = model["vocab"] if known else {}
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    if _META not in vocab or not all(name in vocab for name in names):
        return None
    symbols = np.full(0x110000, -1, np.int32)
    for token, number in vocab.items():
        if len(token) == 1:
            symbols[ord(token)] = number
    pairs = _pairs(vocab, model["merges"])
    if pairs is None:
        return None
    strings = [content.encode() for content in added]
    edges = np.cumsum([0, *(len(string) for string in strings)])
    bytes_ = np.array([vocab[name] for name in names], np.int32)
    joined = np.frombuffer(b"".join(strings), np.uint8)
    return Merges(symbols, bytes_, pairs, vocab[_META], prepend in steps, joined, edges.astype(np.int64))


def _pairs(vocab: dict[str, int], merges: list[Any]) -> NDArray[np.uint64] | None:
    """Return the table of merges, or None if one joins what the vocabulary lacks."""
    found: dict[int, int] = {}
    for rank, (left, right) in enumerate(merges):
        if left not in vocab or right not in vocab or left + right not in vocab:
            return None
        found[vocab[left] << 32 | vocab[right]] = rank << 32 | vocab[left + right]
    pairs = np.full((1 << max(4, (2 * len(found)).bit_length()), 2), _FREE)
    _fill(np.array(list(found.items()), np.uint64).reshape(-1, 2), pairs)
    return pairs


@njit(nogil=True, cache=True)
def _fill(entries: NDArray[np.uint64], pairs: NDArray[np.uint64]) -> None:
    for i in range(len(entries)):
        pairs[_slot(pairs, entries[i, 0])] = entries[i]


@njit(nogil=True, cache=True)
def _slot(pairs: NDArray[np.uint64], key: np.uint64) -> int:
    """Return where `key` is in the table, or the free place for it."""
    mask = np.uint64(len(pairs) - 1)
    slot = ((key * _GOLDEN) >> _HALF) & mask
    while pairs[slot, 0] != key and pairs[slot, 0] != _FREE:
        slot = (slot + _ONE) & mask
    return int(np.int64(slot))


@njit(nogil=True, cache=True)
def holds_added(data: NDArray[np.uint8], start: int, stop: int, merges: Merges) -> bool:
    """Return whether an added token's string is in `data[start:stop]`."""
    edges, added = merges.edges, merges.added
    for t in range(len(edges) - 1):
        size = edges[t + 1] - edges[t]
        for i in range(start, stop - size + 1):
            j = 0
            while j < size and data[i + j] == added[edges[t] + j]:
                j += 1
            if j == size:
                return True
    return False


@njit(nogil=True, cache=True)
def _characters(
    data: NDArray[np.uint8], start: int, stop: int, first: bool, merges: Merges, out: NDArray[np.int32]
) -> int:
    """Write the tokens before any merge to `out`; return how many."""
    n = 0
    if first and merges.prepends and stop > start:
        out[0] = merges.meta
        n = 1
    i = start
    while i < stop:
        lead = np.int64(data[i])
        size = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        point = lead if size == 1 else lead & (0x7F >> size)
        for j in range(1, size):
            point = (point << 6) | np.int64(data[i + j] & 0x3F)
        token = merges.meta if lead == 0x20 else merges.symbols[point]
        if token >= 0:
            out[n] = token
            n += 1
        else:
            for j in range(size):
                out[n] = merges.bytes_[data[i + j]]
                n += 1
        i += size
    return int(n)


@njit(nogil=True, cache=True)
def _merge(pairs: NDArray[np.uint64], a: np.int32, b: np.int32) -> np.uint64:
    """Return the merge of two tokens: place in the order and token; all ones if there is none."""
    return np.uint64(pairs[_slot(pairs, (np.uint64(a) << _HALF) | np.uint64(b)), 1])


@njit(nogil=True, cache=True)
def encode(
    data: NDArray[np.uint8],
    start: int,
    stop: int,
    first: bool,
    merges: Merges,
    room: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> int:
    """Write the tokens of the piece `data[start:stop]` of UTF-8 to `out`; return how many.

    `first` says whether the piece opens its text. `room` and `out` have room for `stop - start + 1`
    numbers, `stop - start` being at most `LIMIT`. Of all neighbours that can be joined, the pair
    first in the order of merges is, the leftmost of several; again and again.
    """
    pairs = merges.pairs
    n = _characters(data, start, stop, first, merges, out)
    for i in range(n - 1):  # the merge of each pair of neighbours
        room[i] = _merge(pairs, out[i], out[i + 1])
    while n > 1:
        best, least = 0, _FREE
        for i in range(n - 1):
            if room[i] < least:
                best, least = i, room[i]
        if least == _FREE:
            break
        out[best] = np.int32(least & _LOWER)
        n -= 1
        for i in range(best + 1, n):
            out[i] = out[i + 1]
            room[i - 1] = room[i]
        if best > 0:
            room[best - 1] = _merge(pairs, out[best - 1], out[best])
        if best < n - 1:
            room[best] = _merge(pairs, out[best], out[best + 1])
    return int(n)
