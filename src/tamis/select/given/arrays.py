"""Arrays made into a pool: how the plain functions of methods choose, and answer in rows of what they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.errors import InputError, RecordError
from tamis.select.base import Chosen, Pool, Selector, check_amount
from tamis.select.budget.constraints import Budget, Constraints
from tamis.vectors.tiles import canonical, in_order

__all__ = ["Given", "choose", "given", "one_each", "places"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Given:
    """The pool that arrays make, and where its records were.

    Attributes
    ----------
    pool : Pool
        Vectors as `vectors`, numbers under their names, in canonical order.
    order : int64 array of shape (n,), or None
        Record `i` was row `order[i]`; None where rows came in canonical order.
    """

    pool: Pool
    order: _Ints | None

    def back(self, records: _Ints) -> _Ints:
        """Return the rows that some records were."""
        return records if self.order is None else np.asarray(self.order[records], np.int64)


def given(x: Any, keys: NDArray[np.uint64] | None = None, **numbers: Any) -> Given:
    """Return the pool of rows `x` (`n x d`) with further columns of `n` numbers each; those that are None are left out.

    Without vectors (`x` is None) the first of the numbers says how many rows there are. Without `keys` (`n x 2`) a row
    is named by its vector, or without vectors by its place.

    Raises
    ------
    InputError
        No `n x d` numbers, a row that is not finite, not one number or key a row.
    """
    there = {name: values for name, values in numbers.items() if values is not None}
    if x is None:
        n = len(np.atleast_1d(next(iter(there.values()))))
        keys = places(n) if keys is None else keys
        _, keys, order = in_order(np.empty((n, 1), np.float32), keys)
        columns: dict[str, Any] = {}
    else:
        x, keys, order = canonical(x, keys)
        n, columns = len(x), {"vectors": x}
    columns |= {name: one_each(values, order, n, name) for name, values in there.items()}
    return Given(Pool(keys, columns), order)


def choose(
    method: Selector, k: int, x: Any, *, keys: NDArray[np.uint64] | None = None, seed: int = 0, **numbers: Any
) -> tuple[_Ints, Chosen]:
    """Return up to `k` of the rows that `given` takes, in the order of choice, and the choice among its pool.

    Raises
    ------
    BudgetError
        `k` is no whole number of at least 1.
    InputError
        As `given`; a value that the method cannot use (RecordError, with the row).
    """
    k = check_amount(k)
    found = given(x, keys, **numbers)
    try:
        chosen = method.select(found.pool, Constraints(Budget("rows", k)), seed)
    except RecordError as error:
        raise RecordError(error.what, int(found.back(np.array([error.record]))[0]), error.then) from None
    return found.back(chosen.rows), chosen


def places(n: int) -> NDArray[np.uint64]:
    """Return keys (`n x 2`) that name rows by their place."""
    return np.stack([np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)], axis=1)


def one_each(numbers: Any, order: _Ints | None, n: int, what: str) -> _Floats:
    """Return `n` numbers as float64, in canonical order; InputError when they are not one a row."""
    try:
        out = np.asarray(numbers, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what}: expected {n} numbers, one a row, got {numbers!r:.60}.") from None
    if out.shape != (n,):
        raise InputError(f"{what}: expected {n} numbers, one a row, got an array of shape {out.shape}.")
    return out if order is None else out[order]
