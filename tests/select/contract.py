"""What every method promises, as checks that take a method: one suite for all of them.

A method is checked through `Case`: how to make it, and nothing else; the suite supplies columns
by the names a method asks for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tamis.errors import BudgetError, InputError, OptionError, UserError
from tamis.select import get
from tamis.select.base import Chosen, Groups, Pool, Selector
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.given.aimed import Aimed
from tamis.select.given.lists import Lists

AIMS = ("target", "unlike")
SOURCES = np.array(["arxiv", "code", "news", "web"], object)


@dataclass(frozen=True)
class Case:
    """A method by name with the options to make it with."""

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.method, *(f"{k}={v}" for k, v in self.options.items())])

    def make(self) -> Selector:
        method = get(self.method)(**self.options)
        if isinstance(method, Aimed):  # what `--target` and `--unlike` would tell it
            given = {which: [examples(5)] if getattr(method.flags, f"needs_{which}") else [] for which in AIMS}
            return method.told(**given)
        return method


def examples(n: int) -> NDArray[np.float16]:
    """Return the vectors of examples, for methods that are shown some."""
    return (np.random.default_rng(99).normal(0, 1, (n, 8)) + 2 * np.eye(8)[3]).astype(np.float16)


def records(n: int, seed: int = 0) -> tuple[NDArray[np.uint64], dict[str, NDArray[Any]]]:
    """Return keys and every column a method may ask for, in input order."""
    random = np.random.default_rng(seed)
    tokens = random.integers(120, 900, n)
    columns: dict[str, Any] = {
        "tokens": tokens,
        "bytes": tokens * 4 + random.integers(0, 50, n),
        "ngram_count": tokens * 2 - 1,
        "ratio": random.normal(0, 2, n),
        "score": random.normal(0, 1, n).round(1),  # with ties
        "order": np.arange(n),
        "source": SOURCES[np.minimum(random.geometric(0.5, n) - 1, 3)],
    }
    columns["tags"] = np.empty(n, object)
    columns["tags"][:] = [[f"tag {j}" for j in range(12) if (t * 7 + j * j) % (j + 3) == 0] for t in tokens]
    columns["vectors"] = (random.normal(0, 1, (n, 8)) + 3 * np.eye(8)[tokens % 8]).astype(np.float16)
    keys = random.integers(0, 2**63, (n, 2), np.uint64)
    sizes = np.concatenate([[0], np.cumsum(columns["ngram_count"])])
    columns["ngrams"] = Lists([(random.geometric(0.002, sizes[-1]).clip(0, 9999).astype(np.uint16), sizes)])
    return keys, columns


def pool_for(method: Selector, n: int, seed: int = 0, **changed: NDArray[Any]) -> Pool:
    """Return a pool of the columns that `method` needs, some of them `changed` (in pool order)."""
    keys, columns = records(n, seed)
    pool, _ = Pool.build(keys, {name: columns[name] for name in method.needs()})
    return Pool(pool.keys, {**pool.columns, **changed})


def tokens_of(n: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the tokens of the records of `pool_for`, in pool order."""
    keys, columns = records(n, seed)
    return np.asarray(Pool.build(keys, {"tokens": columns["tokens"]})[0].columns["tokens"])


def sources_of(n: int, seed: int = 0) -> Groups:
    keys, columns = records(n, seed)
    return Groups.of(Pool.build(keys, {"source": columns["source"]})[0].columns["source"])


def check_shape(chosen: Chosen, n: int) -> None:
    """Ids unique and known, ranks in order, weights finite and not negative, a reason for every record."""
    k = len(chosen)
    assert len(set(chosen.rows.tolist())) == k
    assert all(0 <= row < n for row in chosen.rows)
    assert chosen.score.shape == chosen.rank.shape == chosen.weight.shape == chosen.reason.shape == (n,)
    inside = np.isin(np.arange(n), chosen.rows)
    assert chosen.rank[chosen.rows].tolist() == list(range(k))
    assert (chosen.rank[~inside] == -1).all()
    assert np.isfinite(chosen.weight).all()
    assert (chosen.weight[inside] > 0).all()
    assert (chosen.weight[~inside] == 0).all()
    assert all(0 <= code < len(chosen.reasons) for code in chosen.reason)
    assert all(chosen.reasons)
    assert not set(chosen.reason[inside]) & set(chosen.reason[~inside])


def rows_are_exact(case: Case) -> None:
    method, n = case.make(), 60
    for k in (1, 7, 59, 60, 200):
        chosen = method.select(pool_for(method, n), Constraints(Budget("rows", k)), seed=1)
        check_shape(chosen, n)
        assert len(chosen) <= k if method.flags.at_most else len(chosen) == min(k, n)
    chosen = method.select(pool_for(method, n), Constraints(Budget("fraction", 0.25)), seed=1)
    assert len(chosen) <= 15 if method.flags.at_most else len(chosen) == 15


def tokens_are_exact(case: Case) -> None:
    """Never above; no record left out would still fit."""
    method, n = case.make(), 60
    cost = tokens_of(n)
    for budget in (500, 5_000, int(cost.sum()) - 1, int(cost.sum()) + 1):
        chosen = method.select(pool_for(method, n), Constraints(Budget("tokens", budget), cost), seed=1)
        check_shape(chosen, n)
        spent = int(cost[chosen.rows].sum())
        assert spent <= budget
        left = np.delete(cost, chosen.rows)
        assert method.flags.at_most or not len(left) or spent + left.min() > budget


def constraints_hold(case: Case) -> None:
    """Caps, floors and pins at once, in rows and in tokens."""
    method, n = case.make(), 80
    sources, cost = sources_of(n), tokens_of(n)
    code, web = sources.names.index("code"), sources.names.index("web")
    keep, drop = np.zeros(n, bool), np.zeros(n, bool)
    keep[[3, 30]], drop[[4, 40, 41]] = True, True
    quotas = [Quota.parse("source=code<=20%"), Quota.parse("source=web>=10%")]
    for budget in (Budget("rows", 20), Budget("tokens", 8_000)):
        unit = cost if budget.kind == "tokens" else np.ones(n, np.int64)
        constraints = Constraints(budget, cost, quotas, {"source": sources}, keep, drop)
        chosen = method.select(pool_for(method, n), constraints, seed=2)
        check_shape(chosen, n)
        used = np.bincount(sources.codes[chosen.rows], unit[chosen.rows], minlength=4)
        assert used[code] <= 0.2 * budget.amount
        web_left = [i for i in np.flatnonzero(sources.codes == web) if i not in chosen.rows and not drop[i]]
        slack = max(unit[web_left], default=0) if budget.kind == "tokens" else 0
        assert used[web] >= 0.1 * budget.amount - slack
        assert set(chosen.rows[:2].tolist()) == {3, 30}
        assert not set(chosen.rows.tolist()) & {4, 40, 41}
        reasons = [chosen.reasons[code] for code in chosen.reason]
        assert {reasons[3], reasons[30]} == {"pinned: must keep"}
        assert {reasons[4], reasons[40]} == {"pinned: must drop"}


def row_order_does_not_matter(case: Case) -> None:
    """The same records, scores and reasons whatever the order of the input."""
    method, n = case.make(), 50
    if method.flags.order_matters:
        pytest.skip(f"{case} depends on the order of the input and says so")
    keys, columns = records(n)
    constraints = Constraints(Budget("rows", 17))
    results = []
    for permutation in (np.arange(n), np.random.default_rng(5).permutation(n), np.arange(n)[::-1]):
        given = {name: columns[name][permutation] for name in method.needs()}
        pool, order = Pool.build(keys[permutation], given)
        chosen = method.select(pool, constraints, seed=3)
        rows = permutation[order[chosen.rows]]
        reasons = {int(permutation[order[i]]): chosen.reasons[chosen.reason[i]] for i in range(n)}
        scores = {int(permutation[order[i]]): str(chosen.score[i]) for i in range(n)}  # NaN is itself as text
        results.append((rows.tolist(), reasons, scores))
    assert results[0] == results[1] == results[2]


def the_seed_decides(case: Case) -> None:
    """Twice the same seed, twice the same; another seed differs where the method is random."""
    method, n = case.make(), 200
    pool, constraints = pool_for(method, n), Constraints(Budget("rows", 50))
    first, again, other = (case.make().select(pool, constraints, seed=s) for s in (1, 1, 2))
    assert first.rows.tolist() == again.rows.tolist()
    assert np.array_equal(first.score, again.score, equal_nan=True)
    differs = set(first.rows.tolist()) != set(other.rows.tolist())
    assert differs == method.flags.random


def bad_input_is_answered(case: Case) -> None:
    """Expected, got, and which: for k = 0, unknown options, unequal lengths, missing columns."""
    method = case.make()
    with pytest.raises(BudgetError, match="expected a whole number of at least 1, got 0"):
        method.select(pool_for(method, 5), Constraints(Budget("rows", 0)))
    with pytest.raises(OptionError, match="nonesuch"):
        get(case.method)(**{**case.options, "nonesuch": 1})
    with pytest.raises(BudgetError, match="expected 5 values, one a record, got 4"):
        method.select(pool_for(method, 5), Constraints(Budget("tokens", 9), np.ones(4, np.int64)))
    for name in method.needs():
        pool = pool_for(method, 5)
        with pytest.raises(InputError, match=rf"column '{name}': expected 5 values, one a record, got 3"):
            Pool(pool.keys, {**pool.columns, name: np.zeros(3)})
        without = {other: column for other, column in pool.columns.items() if other != name}
        with pytest.raises(OptionError, match=rf"needs the column '{name}'"):
            method.select(Pool(pool.keys, without), Constraints(Budget("rows", 2)))


def a_missing_number_is_named_or_set_aside(case: Case) -> None:
    """NaN: an error that says which record, or the record stays out with a reason of its own."""
    method = case.make()
    for name in set(method.needs()) - set(method.group_needs()) - set(method.label_needs()):
        if isinstance(pool_for(method, 9).columns[name], Lists):
            continue  # whole numbers: none is missing
        column = np.asarray(pool_for(method, 9).columns[name], np.float64).copy()
        column[4] = np.nan
        try:
            chosen = method.select(pool_for(method, 9, **{name: column}), Constraints(Budget("rows", 9)))
        except UserError as error:
            message = str(error)
        else:
            message = "expected: set aside, got nan at record 4"
            assert set(chosen.rows.tolist()) == {0, 1, 2, 3, 5, 6, 7, 8}
            assert "NaN" in chosen.reasons[chosen.reason[4]]
        assert "expected" in message
        assert "got nan at record 4" in message


def documentation_is_complete(case: Case) -> None:
    cls = get(case.method)
    for text in (cls.name, cls.title, cls.source, cls.cost, cls.use_when, cls.fails_when, cls.__doc__):
        assert isinstance(text, str)
        assert text
    assert cls.name == case.method
    assert all(parameter.doc for parameter in cls.parameters)
    assert set(case.make().group_needs()) <= set(case.make().needs())
    assert set(case.make().label_needs()) <= set(case.make().needs())


def operations_grow_as_declared(case: Case) -> None:
    """Counted, not timed, for methods that count what they do (distances, gains)."""
    method = case.make()
    counted = getattr(method, "operations", None)
    if counted is None:
        pytest.skip(f"{case} sorts and counts nothing else: {method.cost}")
    counts = []
    for n in (200, 400, 800):
        method.select(pool_for(method, n), Constraints(Budget("rows", 20)))
        counts.append(counted())
    most = 1.25 * 2**method.growth
    assert all(after <= most * before for before, after in itertools.pairwise(counts))


CHECKS: tuple[Callable[[Case], None], ...] = (
    rows_are_exact,
    tokens_are_exact,
    constraints_hold,
    row_order_does_not_matter,
    the_seed_decides,
    bad_input_is_answered,
    a_missing_number_is_named_or_set_aside,
    documentation_is_complete,
    operations_grow_as_declared,
)
