"""Several signals as judges: which they are, which way is up, and how many records each finds worse than a record.

Ranks alone count, not the scale of a signal. A record's points with a judge are the records it beats, ties
counting half (Borda 1781): kept as whole numbers, twice the points, so that sums are exact whatever their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool

__all__ = ["agreement", "parts", "points", "ranks", "rated", "signs", "table", "weighed"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def signs(signals: str, method: str) -> dict[str, float]:
    """Return the signals of 'a,b:asc' with 1 where more is better and -1 where less is.

    Raises
    ------
    OptionError
        An empty name, the same twice, or another order than `asc` and `desc`.
    """
    found: dict[str, float] = {}
    for part in (part.strip() for part in signals.split(",")):
        name, colon, way = part.rpartition(":")
        if not colon or name == "field":  # `field:NAME` is a field that has a signal's name
            name, way = part, "desc"
        if not name or way not in ("asc", "desc") or name in found:
            raise OptionError(
                f"method '{method}', option 'signals': expected different names such as 'a,b,c:asc', got '{signals}'."
            )
        found[name] = -1.0 if way == "asc" else 1.0
    return found


def weighed(weights: str | None, count: int, method: str) -> _Floats:
    """Return a weight for each of `count` judges, adding up to 1; equal ones for None.

    Raises
    ------
    OptionError
        Not one number a judge, one below 0 or not finite, nothing but zeros.
    """
    if weights is None:
        return np.full(count, 1.0 / count)
    try:
        found = np.array([float(part) for part in weights.split(",")])
    except ValueError:
        found = np.empty(0)
    if len(found) != count or not np.isfinite(found).all() or (found < 0).any() or not found.sum() > 0:
        raise OptionError(
            f"method '{method}', option 'weights': expected {count} numbers of at least 0, one a signal, such as"
            f" '{','.join(['1'] * count)}', got '{weights}'."
        )
    return np.asarray(found / found.sum())


def parts(proportions: str | None, count: int, method: str) -> _Floats:
    """Return the shares of `count` targets that the option `proportions` tells, adding up to 1.

    Raises
    ------
    OptionError
        Nothing, not one number a target, one below 0 or not finite, nothing but zeros.
    """
    expected = f"{count} numbers >= 0, one a target, such as 3,1"
    if proportions is None:
        raise OptionError(f"method '{method}', option 'proportions': expected {expected}, got nothing.")
    try:
        shares = np.array([float(p) for p in proportions.split(",")])
    except ValueError:
        shares = np.empty(0)
    if len(shares) != count or not (np.isfinite(shares).all() and shares.min() >= 0 < shares.sum()):
        raise OptionError(f"method '{method}', option 'proportions': expected {expected}, got '{proportions}'.")
    return np.asarray(shares / shares.sum(), np.float64)


def rated(pool: Pool, wanted: dict[str, float], method: str) -> tuple[_Floats, _Ints]:
    """Return the scores (`r x m`, more is better) of the records that every judge rates, and which these are."""
    columns = [sign * pool.numbers(name, method).astype(np.float64) for name, sign in wanted.items()]
    scores = np.stack(columns, axis=1)
    rows = np.flatnonzero(~np.isnan(scores).any(axis=1))
    return np.ascontiguousarray(scores[rows]), rows


def table(scores: Any, what: str) -> _Floats:
    """Return `scores` as `n x m` numbers; InputError for another shape or NaN."""
    x = np.asarray(scores, np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise InputError(f"{what}, scores: expected n x m numbers, got an array of shape {x.shape}.")
    missing = np.isnan(x).any(axis=1)
    if missing.any():
        raise InputError(f"{what}, scores: expected numbers, got nan at record {int(missing.argmax())}.")
    return x


def ranks(scores: _Floats) -> _Floats:
    """Return the rank of each record with each judge (`n x m`): 1 is best, ties share the mean of their ranks."""
    return np.stack([rankdata(-column) for column in scores.T], axis=1) if len(scores) else np.empty(scores.shape)


def points(scores: _Floats) -> _Ints:
    """Return twice the number of records that each beats with each judge (`n x m`), ties counting half."""
    return np.asarray(2 * len(scores) - np.rint(2 * ranks(scores)), np.int64)


def agreement(scores: _Floats) -> float:
    """Return Spearman's correlation of the judges, the mean over all pairs; NaN where a pair has none."""
    apart = points(scores).astype(np.float64) - (len(scores) - 1)
    spread = np.sqrt((apart * apart).sum(axis=0))
    found = [
        float((apart[:, a] * apart[:, b]).sum() / (spread[a] * spread[b])) if spread[a] * spread[b] > 0 else np.nan
        for a in range(apart.shape[1])
        for b in range(a)
    ]
    return float(np.mean(found)) if found else float("nan")
