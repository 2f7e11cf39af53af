"""What every method is made of: a pool of columns in, an order out, a choice with reasons.

A method (`Selector`) ranks the pool; the constraints walk that order and fill the budget. So
a method never counts rows or tokens itself, and every method obeys the same budgets, quotas
and pins. Positions are positions in the pool, which is in canonical order (ascending key):
ties that fall to the lower position do not depend on how the input was ordered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError, TamisError, nearest
from tamis.kernels.order import canonical_order
from tamis.select.given.labels import Labels
from tamis.select.given.lists import Lists
from tamis.select.given.parameters import REQUIRED, Parameter, resolve

if TYPE_CHECKING:
    from tamis.select.budget.constraints import Constraints

__all__ = [
    "NULL_GROUP",
    "REQUIRED",
    "Chosen",
    "Flags",
    "Groups",
    "Parameter",
    "Pool",
    "Ranking",
    "Selector",
    "check_amount",
]

NULL_GROUP = "null"
"""The group of the records whose field is null or absent. Values go by their JSON text, and
null's is `null`; a record that says the word "null" is in the same group."""


@dataclass(frozen=True, eq=False)
class Groups:
    """A field of `n` records as groups: `codes` (`n`, int32) into `names` (sorted)."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def of(values: Groups | Sequence[Any] | NDArray[Any]) -> Groups:
        """Return the groups of `values`: one per distinct text; null and NaN are `NULL_GROUP`."""
        if isinstance(values, Groups):
            return values
        array = np.asarray(values)
        if array.dtype == object or not len(array):
            seen: dict[str, int] = {}
            texts = (NULL_GROUP if _is_null(v) else _text(v) for v in array.tolist())
            codes = np.fromiter((seen.setdefault(t, len(seen)) for t in texts), np.int64, len(array))
            names = list(seen)
        else:
            distinct, codes = np.unique(array, return_inverse=True)
            names = [NULL_GROUP if _is_null(v) else _text(v) for v in distinct.tolist()]
        by_name = sorted(range(len(names)), key=names.__getitem__)
        place = np.empty(len(names), np.int32)
        place[by_name] = np.arange(len(names), dtype=np.int32)
        return Groups(place[codes.reshape(-1)], tuple(names[i] for i in by_name))


def _is_null(value: Any) -> bool:
    return value is None or value != value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, eq=False)
class Pool:
    """The `n` eligible records, in canonical order.

    Attributes
    ----------
    keys : uint64 array of shape (n, 2)
        High and low word of each record's key, ascending.
    columns : mapping of str to array, Groups, Labels or Lists
        Signals (numbers, or `Lists` of them) and fields (texts, `Groups` or `Labels`), each of length `n`.

    Raises
    ------
    InputError
        Keys of another shape or not ascending, a column of another length.

    """

    keys: NDArray[np.uint64]
    columns: Mapping[str, NDArray[Any] | Groups | Labels | Lists] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.keys.ndim != 2 or self.keys.shape[1] != 2 or self.keys.dtype != np.uint64:
            raise InputError(f"pool keys: expected uint64 n x 2, got {self.keys.dtype} {self.keys.shape}.")
        high, low = self.keys[:, 0], self.keys[:, 1]
        falls = (high[1:] < high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] < low[:-1]))
        if falls.any():
            at = int(falls.argmax()) + 1
            raise InputError(f"pool keys: expected ascending keys, got a smaller one at record {at}; use Pool.build.")
        for name, column in self.columns.items():
            if len(column) != len(self):
                raise InputError(f"column '{name}': expected {len(self)} values, one a record, got {len(column)}.")

    def __len__(self) -> int:
        return len(self.keys)

    @staticmethod
    def build(
        keys: NDArray[np.uint64], columns: Mapping[str, NDArray[Any] | Groups | Labels | Lists] | None = None
    ) -> tuple[Pool, NDArray[np.int64]]:
        """Return the pool in canonical order, and `order`: pool record `i` is input row `order[i]`."""
        keys = np.asarray(keys, np.uint64).reshape(-1, 2)
        order = canonical_order(keys)
        sorted_columns: dict[str, NDArray[Any] | Groups | Labels | Lists] = {}
        for name, column in (columns or {}).items():
            if len(column) != len(keys):
                raise InputError(f"column '{name}': expected {len(keys)} values, one a record, got {len(column)}.")
            if isinstance(column, Groups):
                sorted_columns[name] = Groups(column.codes[order], column.names)
            elif isinstance(column, Labels):
                sorted_columns[name] = column.take(order)
            elif isinstance(column, Lists):
                sorted_columns[name] = column[order]
            else:
                sorted_columns[name] = np.asarray(column)[order]
        return Pool(keys[order], sorted_columns), order

    def numbers(self, name: str, method: str) -> NDArray[Any]:
        """Return the numeric column `name` (int64 or float64, NaN where there is no value).

        Raises
        ------
        OptionError
            `method` asks for a column that the pool lacks or that holds no numbers.

        """
        column = self._column(name, method)
        if isinstance(column, Groups | Labels | Lists) or np.asarray(column).dtype.kind not in "iufb":
            got = "lists" if isinstance(column, Lists) else "texts"
            raise OptionError(f"method '{method}', column '{name}': expected numbers, got {got}.")
        array = np.asarray(column)
        return array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64)

    def vectors(self, name: str, method: str) -> NDArray[Any]:
        """Return the column `name` as it is, `n x d` floats (float16 or float32, maybe memory-mapped).

        Raises
        ------
        OptionError
            `method` asks for a column that the pool lacks or that holds no vectors.

        """
        column = self._column(name, method)
        if isinstance(column, Groups | Labels | Lists) or column.ndim != 2 or column.dtype.kind != "f":
            found = (
                "texts" if isinstance(column, Groups | Labels | Lists) else f"{column.dtype} of shape {column.shape}"
            )
            raise OptionError(f"method '{method}', column '{name}': expected vectors, {len(self)} x d, got {found}.")
        return column

    def groups(self, name: str, method: str) -> Groups:
        """Return the field `name` as groups; OptionError when the pool lacks it or it holds more than one value."""
        column = self._column(name, method)
        if isinstance(column, Labels | Lists):
            got = "lists" if isinstance(column, Lists) else "labels"
            raise OptionError(f"method '{method}', column '{name}': expected one value a record, got {got}.")
        return Groups.of(column)

    def lists(self, name: str, method: str) -> Lists:
        """Return the column `name` as lists, one a record; OptionError when the pool lacks it, or it is none."""
        column = self._column(name, method)
        if not isinstance(column, Lists):
            raise OptionError(f"method '{method}', column '{name}': expected a list a record, got one value.")
        return column

    def labels(self, name: str, method: str, separator: str = ",") -> Labels:
        """Return the field `name` as label sets (`Labels.of`).

        Raises
        ------
        OptionError
            `method` asks for a column that the pool lacks.
        InputError
            A record that holds no labels but something else.

        """
        column = self._column(name, method)
        if isinstance(column, Lists):
            raise OptionError(f"method '{method}', column '{name}': expected labels, got lists of numbers.")
        if isinstance(column, Groups):
            column = np.array(column.names, object)[column.codes]
        return Labels.of(column, separator, f"method '{method}', column '{name}'")

    def _column(self, name: str, method: str) -> NDArray[Any] | Groups | Labels | Lists:
        if name not in self.columns:
            have = ", ".join(sorted(self.columns)) or "none"
            raise OptionError(
                f"method '{method}' needs the column '{name}'.{nearest(name, self.columns)} The pool has: {have}."
            )
        return self.columns[name]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order a method puts a pool of `n` records in.

    Attributes
    ----------
    order : int64 array
        Positions in the pool, best first: each at most once; what is not in it is set aside.
    score : float64 array of shape (n,)
        What the method thought of each record; goes into the decisions.
    reason : str
        Why a record stands where it does, for instance "dsir: log weight + Gumbel noise".
    aside : int8 array of shape (n,), or None
        For records not in `order`: which of `asides` says why.
    asides : tuple of str
        Why records were set aside, for instance "top: no score (NaN)".
    neighbour : int64 array of shape (n,), or None
        The record because of which one was set aside or put last: its position, or -1.
    similarity : float64 array of shape (n,), or None
        To that neighbour; NaN where there is none.
    facts : mapping of str to JSON-able values
        What the method found out about the pool, for manifest and report.
    part : int64 array of shape (n,), or None
        Which part of the pool each record is of, such as its cluster or stratum: for methods that tell afterwards what
        each part gave.

    """

    order: NDArray[np.int64]
    score: NDArray[np.float64]
    reason: str
    aside: NDArray[np.int8] | None = None
    asides: tuple[str, ...] = ("set aside by the method",)
    neighbour: NDArray[np.int64] | None = None
    similarity: NDArray[np.float64] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    part: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen of a pool of `n` records, and why each record is in or out.

    Attributes
    ----------
    rows : int64 array of shape (k,)
        Positions in the pool in rank order: pinned first, then best first.
    score : float64 array of shape (n,)
    rank : int32 array of shape (n,)
        0-based place in `rows`, -1 where not chosen.
    weight : float64 array of shape (n,)
        1 for the chosen, 0 elsewhere, unless the method weighs.
    reason : int32 array of shape (n,)
        Into `reasons`: one for every record.
    reasons : tuple of str
    neighbour, similarity, facts
        As in `Ranking`.

    """

    rows: NDArray[np.int64]
    score: NDArray[np.float64]
    rank: NDArray[np.int32]
    weight: NDArray[np.float64]
    reason: NDArray[np.int32]
    reasons: tuple[str, ...]
    neighbour: NDArray[np.int64] | None = None
    similarity: NDArray[np.float64] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Flags:
    """What a method is like, for `tamis methods` and for the suite that checks every method."""

    at_most: bool = False  # may stay below the budget by its definition
    order_matters: bool = False  # the result depends on the order of the input
    streams: bool = False  # one pass, no column held whole
    needs_target: bool = False  # reads a target set
    needs_unlike: bool = False  # reads examples to keep away from
    needs_all: bool = False  # holds all records at once
    random: bool = False  # the seed changes the choice


class Selector(ABC):
    """A method: it ranks a pool, the constraints fill the budget from that order.

    Options are keyword only; they are checked against `parameters` and stored, as attributes
    of the same names and in `options`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    cost: ClassVar[str]
    promises: ClassVar[str]
    """What holds by proof or by construction; "nothing" where nothing does."""
    use_when: ClassVar[str]
    fails_when: ClassVar[str]
    later: ClassVar[str]
    """What later work found, with its source; "no later comparison known" where we know of none."""
    flags: ClassVar[Flags] = Flags()
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    growth: ClassVar[float] = 1.0
    """The power of the number of records that the operations grow with, for one budget."""

    parted_by_memory: bool = True
    """Whether the `parts` it tells of follow from the memory, so that a choice depends on it."""

    options: Mapping[str, Any]

    def __init__(self, **options: Any) -> None:
        self.options = resolve(self.name, self.parameters, options)
        for name, value in self.options.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({inside})"

    def needs(self) -> tuple[str, ...]:
        """Return the names of the signals and fields it reads from the pool's columns."""
        return ()

    def group_needs(self) -> tuple[str, ...]:
        """Return those of `needs` that it reads as groups (`Pool.groups`), not as numbers."""
        return ()

    def label_needs(self) -> Mapping[str, str]:
        """Return those of `needs` that it reads as label sets (`Pool.labels`), and what texts there are cut at."""
        return {}

    def holds(self, n: int) -> int:  # noqa: ARG002
        """Return the bytes it holds while it chooses among `n` records, besides the pool's columns."""
        return 0

    def within(self, room: int, n: int) -> Selector:  # noqa: ARG002
        """Return the method as it is for `n` records with `room` bytes for what it `holds`; itself if it needs more."""
        return self

    @abstractmethod
    def rank(self, pool: Pool, seed: int) -> Ranking:
        """Return the order of `pool`; `seed` decides what is random."""

    def select(self, pool: Pool, constraints: Constraints, seed: int = 0) -> Chosen:
        """Rank `pool` and fill the budget from the top.

        Raises
        ------
        BudgetError
            The constraints cannot hold.

        """
        constraints.validate(len(pool))
        return self.filled(self.rank(pool, seed), constraints, len(pool))

    def filled(self, ranking: Ranking, constraints: Constraints, n: int) -> Chosen:
        """Return the choice that `constraints` make down a ranking of `n` records.

        Raises
        ------
        BudgetError
            The constraints cannot hold.

        """
        if len(ranking.score) != n:
            raise TamisError(f"method '{self.name}': expected {n} scores, got {len(ranking.score)}.")
        filled = constraints.fill(ranking.order, n)
        reason, reasons = filled.explain(ranking)
        rank = np.full(n, -1, np.int32)
        rank[filled.rows] = np.arange(len(filled.rows), dtype=np.int32)
        weight = np.zeros(n)
        weight[filled.rows] = 1.0
        also = (ranking.neighbour, ranking.similarity, ranking.facts)
        return Chosen(filled.rows, ranking.score, rank, weight, reason, reasons, *also)


def check_amount(k: Any, what: str = "k") -> int:
    """Return `k` as a positive int; BudgetError when it is zero, negative or no whole number."""
    if isinstance(k, bool | np.bool_) or not isinstance(k, int | np.integer) or k < 1:
        raise BudgetError(f"{what}: expected a whole number of at least 1, got {k!r}.")
    return int(k)
