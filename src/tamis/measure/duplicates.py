"""Exact repeats inside a set and across two, by a hash of each text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.corpus.chunk import Text
from tamis.kernels.hashing import hash_spans

__all__ = ["repeated_share", "shared_share", "text_keys"]


def text_keys(texts: Text) -> NDArray[np.uint64]:
    """Return a hash of the bytes of each of `n` texts, `n x 2`."""
    return np.asarray(hash_spans(texts.data, texts.offsets[:-1], texts.offsets[1:], np.uint64(0)))


def repeated_share(keys: NDArray[np.uint64]) -> float:
    """Return the share of `n` records (`n x 2` keys) that could go with nothing lost; NaN of none."""
    return 1.0 - len(np.unique(_flat(keys))) / len(keys) if len(keys) else float("nan")


def shared_share(keys: NDArray[np.uint64], others: NDArray[np.uint64]) -> float:
    """Return the share of `n` records (`n x 2` keys) that stand among `others` (`m x 2`) as well; NaN of none."""
    return float(np.isin(_flat(keys), _flat(others)).mean()) if len(keys) else float("nan")


def _flat(keys: NDArray[np.uint64]) -> NDArray[np.void]:
    """Return the two words of a key as one value that can be sorted."""
    return np.ascontiguousarray(keys, np.uint64).view([("high", np.uint64), ("low", np.uint64)]).reshape(-1)
