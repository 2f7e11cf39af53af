"""The phrases that C4's rules look for: "lorem ipsum", "javascript", policies on cookies, privacy and terms.

They are found where a text is scanned anyway: a phrase by its last word, which begins a chunk, so
that few chunks are looked at twice; in any ASCII case.
"""

from __future__ import annotations

import numpy as np

from tamis.kernels.rules_memory import inner, load64
from tamis.kernels.rules_words import rest64
from tamis.kernels.vector import load8

__all__ = ["FIRSTS", "JAVASCRIPT", "LOREM", "POLICY", "javascript", "phrase"]

# The flags of a line that holds one.
LOREM, JAVASCRIPT, POLICY = 4, 8, 16

FIRSTS = np.isin(np.arange(256), [ord(c) for c in "IiPpCcUu"])
"""With which bytes the last word of a phrase begins: ipsum, policy, cookies, use (256, bool)."""

_CASE = np.uint64(0x2020202020202020)


def _word(text: bytes) -> tuple[np.uint64, np.uint64, int]:
    """Return up to 8 bytes as (number, mask of as many bytes, length)."""
    return np.uint64(int.from_bytes(text, "little")), np.uint64((1 << 8 * len(text)) - 1), len(text)


_USE, _IPSUM, _POLICY, _COOKIES = _word(b"use"), _word(b"ipsum"), _word(b"policy"), _word(b"cookies")
_TERMS_OF, _LOREM, _PRIVACY, _COOKIE = _word(b"erms of "), _word(b"lorem "), _word(b"privacy "), _word(b"cookie ")
_USES, _USE_OF, _USE_ = _word(b"uses "), _word(b"use of "), _word(b"use ")
_JAVASCR = _word(b"javascri")[0]


@inner
def _before(first: int, i: int, word: tuple[np.uint64, np.uint64, int]) -> bool:
    """Return whether `word` (lower case) ends before address `i`, in any ASCII case, in a text from `first` on."""
    text, mask, length = word
    if i - length < first:
        return False
    x = load64(i - 8) >> np.uint64(64 - 8 * length) if i - 8 >= first else rest64(i - length, i - length, i)
    return bool((x | _CASE) & mask == text and load8(i - 1) == 0x20)


@inner
def phrase(first: int, i: int, stop: int) -> int:
    """Return the flag of a phrase whose last word a chunk at `i` begins with, 0 if none."""
    x = (load64(i) if i + 8 <= stop else rest64(i, i, stop)) | _CASE
    if x & _USE[1] == _USE[0]:
        t = i - 9 >= first and load8(i - 9) | 0x20 == 0x74
        return POLICY if t and _before(first, i, _TERMS_OF) else 0
    if x & _IPSUM[1] == _IPSUM[0]:
        return LOREM if _before(first, i, _LOREM) else 0
    if x & _POLICY[1] == _POLICY[0]:
        return POLICY if _before(first, i, _PRIVACY) or _before(first, i, _COOKIE) else 0
    if x & _COOKIES[1] == _COOKIES[0]:
        return POLICY if _before(first, i, _USES) or _before(first, i, _USE_OF) or _before(first, i, _USE_) else 0
    return 0


@inner
def javascript(start: int, stop: int) -> int:
    """Return `JAVASCRIPT` if a chunk holds that word, else 0."""
    for i in range(start, stop - 9):
        if load8(i) | 0x20 != 0x6A:
            continue
        if (load64(i) | _CASE) == _JAVASCR and load8(i + 8) | 0x20 == 0x70 and load8(i + 9) | 0x20 == 0x74:
            return JAVASCRIPT
    return 0
