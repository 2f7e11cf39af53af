"""The curve of QuaDMix: its parameters, the share of a domain that is as good or better, and copies.

Source: QuaDMix (2025), equations 1 to 3. The checks of parameters, and their form in JSON, are ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from tamis.errors import OptionError, unknown
from tamis.select.base import Groups

__all__ = ["Shape", "copies", "in_turn", "sampling_value", "shapes_of", "shares", "standing", "values", "weights_of"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_EXPECTED = 'expected JSON such as {"web": {"weights": [2, 1], "omega": 0.1}}'


@dataclass(frozen=True)
class Shape:
    """The parameters of one domain: `weights` of the `m` scores, and those of S.

    Raises
    ------
    OptionError
        A number that is not finite or below 0, `omega` or `epsilon` above 1, weights of 0 alone.
    """

    weights: tuple[float, ...]
    slope: float = 100.0
    omega: float = 0.05
    eta: float = 1.0
    epsilon: float = 0.001

    def __post_init__(self) -> None:
        numbers = [*self.weights, self.slope, self.omega, self.eta, self.epsilon]
        plain = all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers)
        good = plain and all(np.isfinite(x) and x >= 0 for x in numbers) and any(self.weights)
        if not good or max(self.omega, self.epsilon) > 1 or self.eta > 10:
            raise OptionError(
                "method 'quadmix': expected weights of at least 0, not all 0, slope >= 0, omega and epsilon from 0 to 1"
                f" and eta from 0 to 10, got {asdict(self)}."
            )


def sampling_value(
    share: Any, slope: float = 100.0, omega: float = 0.05, eta: float = 1.0, epsilon: float = 0.001
) -> _Floats:
    """Return S of each `share`: `(2 / (1 + exp(-slope (omega - share))))^eta + epsilon`; `epsilon` behind omega.

    At most 2^eta + epsilon; at `omega` it falls by exactly 1.
    """
    share = np.asarray(share, np.float64)
    return np.where(share <= omega, (2 * expit(slope * (omega - share))) ** eta, 0.0) + epsilon


def shares(merged: Any, domains: Groups, cost: Any) -> _Floats:
    """Return for each of `n` records the part of its domain's `cost` in records whose `merged` score is no larger.

    The best have the smallest score, and a share above 0: they count themselves. A domain without cost goes by records.
    """
    score, size = np.asarray(merged, np.float64), np.asarray(cost, np.float64)
    total = np.bincount(domains.codes, size, minlength=len(domains.names))
    size = np.where(total[domains.codes] > 0, size, 1.0)
    order = np.lexsort((score, domains.codes))
    code, sorted_score = domains.codes[order], score[order]
    reached = np.cumsum(size[order])
    changes = (code[1:] != code[:-1]) | (sorted_score[1:] != sorted_score[:-1])
    ends = np.append(np.flatnonzero(changes), len(order) - 1).astype(np.int64)  # ties end together
    last = ends[np.searchsorted(ends, np.arange(len(order)))]
    closes = np.flatnonzero(np.append(code[1:] != code[:-1], True))  # where each domain ends
    domain = np.searchsorted(closes, np.arange(len(order)))
    before = np.concatenate([[0.0], reached[closes]])
    out = np.empty(len(order))
    out[order] = (reached[last] - before[domain]) / (before[domain + 1] - before[domain])
    return out


def standing(column: _Floats, ascending: bool) -> _Floats:
    """Return the place of each number as a share, 0 the best; equal ones share the mean of their places.

    The best are the highest, or the lowest where `ascending`.
    """
    return np.asarray((rankdata(column if ascending else -column) - 1) / max(1, len(column) - 1), np.float64)


def values(each: Sequence[_Floats], domains: Groups, cost: _Floats, shapes: Sequence[Shape]) -> _Floats:
    """Return S of `n` records, from its `standing` in each signal; a domain has its own of `shapes`.

    `cost` (`n`) is what a place is counted in: merged places become `shares` of it.
    """
    if not len(cost):
        return np.empty(0)
    alpha = np.array([shape.weights for shape in shapes])[domains.codes]
    merged = np.zeros(len(cost))
    for j, column in enumerate(each):
        merged += alpha[:, j] * column
    share, value = shares(merged, domains, cost), np.empty(len(cost))
    for code, shape in enumerate(shapes):
        inside = domains.codes == code
        value[inside] = sampling_value(share[inside], shape.slope, shape.omega, shape.eta, shape.epsilon)
    return value


def copies(value: Any, chance: Any) -> _Ints:
    """Return `floor(value)`, and one more where `chance` (uniform in (0, 1)) is below the rest of `value`."""
    value = np.asarray(value, np.float64)
    whole = np.floor(value)
    return np.asarray(whole + (np.asarray(chance) < value - whole), np.int64)


def in_turn(value: _Floats, count: _Ints, chance: _Floats, *, weighed: bool) -> _Ints:
    """Return the order of `n` records: those drawn at least once (`count`) at random, then draws by S (`value`).

    `chance` is uniform in (0, 1). Unless copies are weights (`weighed`), S above 1 counts among those drawn.
    """
    # An exponential time for each: the rate is the chance to come next. Copies as weights make up for S above 1.
    sure = np.ones(len(value)) if weighed else np.maximum(value, 1.0)
    noise = -np.log(chance)
    with np.errstate(divide="ignore"):
        time = noise / np.where(count > 0, sure, value)
    return np.lexsort((noise, time, count == 0)).astype(np.int64)


def weights_of(text: str | None, count: int) -> tuple[float, ...]:
    """Return the weights of `count` signals from 'a,b'; 1 each for None; OptionError for anything but numbers."""
    parts = ["1"] * count if text is None else text.split(",")
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        found = ()
    if len(found) != count:
        raise OptionError(
            f"method 'quadmix', option 'weights': expected {count} numbers such as '2,1', one a signal, got '{text}'."
        )
    return found


def shapes_of(theta: str | None, shape: Shape, divided: bool) -> dict[str, Shape]:
    """Return the parameters of the domains that the JSON text `theta` names; what it leaves out is as in `shape`.

    Raises
    ------
    OptionError
        No such JSON, domains where there are none (`divided`), another number of weights, an unknown name.
    """
    try:
        table = json.loads(theta) if theta else {}
    except ValueError as error:
        raise OptionError(f"method 'quadmix', option 'theta': {_EXPECTED}, got no JSON: {error}.") from error
    if not isinstance(table, Mapping) or (table and not divided):
        raise OptionError(f"method 'quadmix', option 'theta': {_EXPECTED}, and the option 'domains', got {theta}.")
    known, found = asdict(shape), {}
    for domain, given in table.items():
        where = f"method 'quadmix', option 'theta', domain '{domain}'"
        if not isinstance(given, Mapping):
            raise OptionError(f"{where}: {_EXPECTED}, got {given!r}.")
        for name in given:
            if name not in known:
                raise unknown(f"parameter of domain '{domain}' in option 'theta' of method 'quadmix'", name, known)
        weights = given.get("weights", shape.weights)
        if not isinstance(weights, list | tuple) or len(weights) != len(shape.weights):
            raise OptionError(f"{where}: expected {len(shape.weights)} weights, one a signal, got {weights!r}.")
        found[str(domain)] = replace(shape, **{**given, "weights": tuple(weights)})
    return found
