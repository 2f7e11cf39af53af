"""Tables of groups: how many records of each group several sets have, and whether quotas are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError

__all__ = ["GroupCount", "group_table", "total_variation"]


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group: its records in each set, their shares, and whether each set meets its quota (None: it has none)."""

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    met: tuple[bool, ...] | None = None


def group_table(
    sets: Sequence[NDArray[np.int64]], names: Sequence[str], quotas: Mapping[str, tuple[float, float]] | None = None
) -> list[GroupCount]:
    """Return a row a group, the largest of the first set first.

    Parameters
    ----------
    sets : sequence of int64 arrays
        Code of the group of each record; any number of records a set.
    names : sequence of str
        By code.
    quotas : mapping, optional
        Least and greatest number of records of a group.

    Raises
    ------
    InputError
        A code without a name, or a quota of a group that there is not.
    """
    if unknown := sorted(set(quotas or ()) - set(names)):
        raise InputError(f"groups: expected quotas of known groups, got '{unknown[0]}'. Known: {', '.join(names)}.")
    for codes in sets:
        if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(names):
            raise InputError(f"groups: expected codes from 0 to {len(names) - 1}, got others.")
    counts = np.array([np.bincount(codes, minlength=len(names)) for codes in sets], np.int64).reshape(-1, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    order = np.lexsort((np.arange(len(names)), -counts[0])) if len(counts) else np.arange(len(names))
    rows = []
    for i in order.tolist():
        quota = (quotas or {}).get(names[i])
        met = None if quota is None else tuple(bool(quota[0] <= count <= quota[1]) for count in counts[:, i])
        rows.append(GroupCount(names[i], tuple(counts[:, i].tolist()), tuple(shares[:, i].tolist()), met))
    return rows


def total_variation(rows: Sequence[GroupCount], one: int, other: int) -> float:
    """Return half the sum of the differences of the shares of two sets, 0 to 1: what would have to change places."""
    return sum(abs(row.shares[one] - row.shares[other]) for row in rows) / 2
