"""Graph cut's conditional gain: what the pool has most of, less what is like the chosen and the examples.

    sum over i in V, j in S of s(i, j) - lambda * sum over i, j in S of s(i, j)
    - 2 lambda nu * sum over j in S, p in P of s(j, p)

(Iyer et al. 2021). Sums over the pool and over the examples are computed once, in whole units; each record that is
taken is one column of similarities.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.engine.local import Local
from tamis.select.budget.filling import Filling
from tamis.select.gain.columns import Columns, farthest
from tamis.vectors.similarity import UNIT, Space, totals

__all__ = ["alone", "cut", "cut_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def alone(part: Space, space: Space, examples: Space, balance: float, nu: float) -> _Floats:
    """Return what each row of `part` would add to the empty set, by all of a space and the examples, in units."""
    near = totals(part, Local(), examples).astype(np.float64)
    return totals(part, Local(), space) - balance * UNIT - (2 * balance * nu) * near


def cut(
    space: Space, own: _Floats, balance: float, rows: _Ints, price: _Floats, filling: Filling, score: _Floats
) -> tuple[_Ints, int]:
    """Offer what adds most; `own` is what each of `rows` of the pool would add to the empty set, in units.

    Returns the rows by what they would still add, and how many columns were asked for; `score` (of the pool) gets what
    each record added when it was offered, or would add at the end.
    """
    columns = Columns(space, Local())
    kept = np.searchsorted(rows, filling.kept[np.isin(filling.kept, rows)])
    alike = np.zeros(len(rows), np.int64)  # to those chosen
    for at, row in enumerate(kept.tolist()):
        alike += _column(columns, row, space, kept[at + 1 :])
    value = _worth(own, alike, balance, price)
    waiting = filling.open[rows]
    while not filling.full and waiting.any():
        best = int(np.argmax(np.where(waiting, value, -np.inf)))
        gain = (own[best] - 2 * balance * float(alike[best])) / UNIT
        if filling.offer(int(rows[best])):
            alike += _column(columns, best, space, farthest(value.astype(np.float32), waiting)())
            value = _worth(own, alike, balance, price)
        score[rows[best]] = gain
        waiting = filling.open[rows]
    left = np.isnan(score[rows])
    score[rows[left]] = (own - 2 * balance * alike)[left] / UNIT
    return rows[np.argsort(-value, kind="stable")], columns.asked


def cut_of(part: Space, own: _Floats, balance: float) -> float:
    """Return the sum above for chosen rows, given what each would add to the empty set, in units."""
    pairs = int(totals(part, Local()).sum()) - len(part) * UNIT
    return float(own.sum() - balance * pairs) / UNIT


def _column(columns: Columns, row: int, space: Space, likely: _Ints) -> _Ints:
    """Return the similarities of all rows to one, in units."""
    apart = columns.of(row, lambda: likely)
    return np.rint(np.clip(1 - apart.astype(np.float64) * float(space.scale), 0, 1) * UNIT).astype(np.int64)


def _worth(own: _Floats, alike: _Ints, balance: float, price: _Floats) -> _Floats:
    """Return gains by price: a loss counts whole, whatever it costs."""
    gain = own - 2 * balance * alike
    return np.where(gain > 0, gain / price, gain)
