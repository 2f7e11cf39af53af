"""Signals: columns computed from the records, one file each.

==============  ===============================================================
`tokens`        exact number of tokens in a named tokenizer
`bytes`         UTF-8 bytes of the text
`ngrams`        hashed word n-grams, a list a record
`ngram_count`   how many of them
`ratio`         log importance of a target against the pool
`perplexity`    bits per byte under a model of a target, or of the rest of the pool
`minhash`       signatures of near-duplicates
`vectors`       what a record is about, as 256 numbers
`rules`         which rules of Gopher, C4 and FineWeb a record fails
==============  ===============================================================

`SIGNALS` maps names, in that order, to where they live, so that listing them loads none.
"""

from __future__ import annotations

import importlib

from tamis.errors import unknown
from tamis.signals.base import Signal

__all__ = ["SIGNALS", "get"]

#: Name of each signal, and the module and class behind it.
SIGNALS: dict[str, str] = {
    "tokens": "tamis.signals.tokens:Tokens",
    "bytes": "tamis.signals.bytes:Bytes",
    "ngrams": "tamis.signals.ngrams:Ngrams",
    "ngram_count": "tamis.signals.ngrams:NgramCount",
    "ratio": "tamis.signals.ratio:Ratio",
    "perplexity": "tamis.signals.perplexity:Perplexity",
    "minhash": "tamis.signals.minhash:MinHash",
    "vectors": "tamis.signals.vectors:Vectors",
    "rules": "tamis.signals.rules:Rules",
}


def get(name: str) -> type[Signal]:
    """Return the class of the signal called `name`; OptionError with the nearest name if none is."""
    if name not in SIGNALS:
        raise unknown("signal", name, SIGNALS)
    module, _, cls = SIGNALS[name].partition(":")
    found: type[Signal] = getattr(importlib.import_module(module), cls)
    return found
