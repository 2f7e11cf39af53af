"""Random choice with every group of a field in proportion, at every budget.

Inside stratum s, of n_s records in random order, record j (from 1) gets the key (j - u_s) / n_s
with one random u_s in (0, 1) for the stratum; the order is by key.

Every prefix is proportional to within one record a stratum: it holds the records with a key up
to some t, of stratum s floor(t n_s + u_s) of them, which is less than one away from t n_s. (Where
equal keys share the border, the floor is taken from below for some.) As u_s is uniform, the
expected count is exactly t n_s: small strata are rounded fairly, not always down.

Source: proportional allocation with a systematic sample's random start (Cochran, Sampling
Techniques, 1977, chapters 5 and 8). Making all budgets prefixes of one order is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError
from tamis.kernels.hashing import salt, uniforms
from tamis.select.base import REQUIRED, Flags, Groups, Parameter, Pool, Ranking, Selector, check_amount

__all__ = ["Stratified", "stratified"]


def stratified(
    strata: Groups | Sequence[Any] | NDArray[Any], keys: NDArray[np.uint64], k: int, seed: int = 0
) -> NDArray[np.int64]:
    """Return `min(k, n)` rows, random inside strata and in proportion over them.

    Parameters
    ----------
    strata : Groups, or values of length n
        The stratum of each record; null is a stratum of its own.
    keys : uint64 array of shape (n, 2)
        High and low word of each record's key.
    k : int
        Rows.
    seed : int
        Decides the order inside strata and their roundings.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        `strata` and `keys` differ in length.

    """
    k, groups = check_amount(k), Groups.of(strata)
    if len(groups) != len(keys):
        raise InputError(f"strata: expected {len(keys)} values, one a record, got {len(groups)}.")
    return np.argsort(_places(groups, keys, seed), kind="stable")[:k].astype(np.int64)


def _places(groups: Groups, keys: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return each record's key (j - u_s) / n_s, in (0, 1)."""
    inside = uniforms(keys, salt(seed, "stratified"))
    by_stratum = np.lexsort((inside, groups.codes))
    size = np.bincount(groups.codes, minlength=len(groups.names))
    first = np.cumsum(size) - size
    stratum = groups.codes[by_stratum]
    place = np.arange(1, len(keys) + 1) - first[stratum]
    result = np.empty(len(keys))
    result[by_stratum] = (place - _starts(groups.names, seed)[stratum]) / size[stratum]
    return result


def _starts(names: tuple[str, ...], seed: int) -> NDArray[np.float64]:
    """Return u_s for each stratum: hashed from (seed, name), so other strata do not change it."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names)
    words = np.frombuffer(digests, np.dtype(">u8")).astype(np.uint64).reshape(-1, 2)
    return np.asarray(uniforms(words, salt(seed, "stratified start")), np.float64)


class Stratified(Selector):
    """Random choice, proportional over the groups of a field."""

    name = "stratified"
    title = "Stratified random"
    source = "Cochran, Sampling Techniques (1977); every budget a prefix of one order is ours"
    cost = "O(n log n) time, 40 bytes a record"
    promises = "each group within one record of its share at every budget"
    use_when = "groups must keep their share at small budgets too: less variance than `random`"
    fails_when = "you want shares other than the pool's: use `--quota` with any method"
    later = "no later comparison known"
    flags = Flags(needs_all=True, random=True)
    parameters = (Parameter("strata", str, REQUIRED, "the field whose values are the strata"),)

    strata: str

    def needs(self) -> tuple[str, ...]:
        """Return the field of the strata."""
        return (self.strata,)

    def group_needs(self) -> tuple[str, ...]:
        """Return the field of the strata."""
        return (self.strata,)

    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Order by (j - u_s) / n_s, lowest first; ties by canonical order."""
        places = _places(pool.groups(self.strata, self.name), pool.keys, seed)
        order = np.argsort(places, kind="stable").astype(np.int64)
        return Ranking(order, places, f"stratified: random within its {self.strata}")
