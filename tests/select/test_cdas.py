"""cdas: shares of clusters by hand, the filter, exact budgets, any order of the input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import InputError, OptionError
from tamis.select.base import Pool
from tamis.select.cdas import Cdas, cdas
from tamis.select.constraints import Budget, Constraints
from tamis.select.shares import shared
from tamis.vectors.kmeans import kmeans
from tamis.vectors.tiles import content_keys


def two_kinds() -> np.ndarray:
    """Six records near one direction, three near another."""
    angle = np.deg2rad([0, 1, 2, 3, 4, 5, 90, 91, 92])
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_by_hand() -> None:
    """Scores .9 .1 .8 .2 .7 1.2 | .3 .5 .4: 1.2 is dropped, 5 and 3 are left; four rows: shares 2.5 and 1.5.

    Largest remainders tie at a half, and the first cluster takes the odd row: one gives .9 .8 .7 and .5, or, where the
    clusters are numbered the other way, .9 .8 and .5 .4.
    """
    score = np.array([0.9, 0.1, 0.8, 0.2, 0.7, 1.2, 0.3, 0.5, 0.4])
    chosen = set(cdas(two_kinds(), score, 4, clusters=2).tolist())
    assert chosen in ({0, 2, 4, 7}, {0, 2, 7, 8})
    assert set(cdas(two_kinds(), score, 8, clusters=2).tolist()) == {0, 1, 2, 3, 4, 6, 7, 8}
    assert 5 in cdas(two_kinds(), score, 4, clusters=2, most=9)


def test_a_model_that_knows_nothing_keeps_nothing() -> None:
    """A uniform model has IFD = 1 throughout: nothing is chosen, and every record says why."""
    assert len(cdas(two_kinds(), np.ones(9), 4)) == 0
    pool = Pool(np.stack([np.arange(9, dtype=np.uint64)] * 2, axis=1), {"vectors": two_kinds(), "ifd": np.ones(9)})
    chosen = Cdas(by="ifd").select(pool, Constraints(Budget("rows", 4)))
    assert {chosen.reasons[code] for code in chosen.reason} == {"cdas: at or above 1"}
    assert chosen.facts["at_or_above"] == 9


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_shares_are_in_proportion_and_hold_the_highest(seed: int, k: int, clusters: int) -> None:
    """Each cluster gives its share to within one record, and nothing it leaves out is above what it gives."""
    random = np.random.default_rng(seed)
    x, score = random.normal(size=(60, 5)).astype(np.float32), random.random(60)
    rows = cdas(x, score, k, clusters=clusters)
    assert len(rows) == k == len(set(rows.tolist()))
    labels = kmeans(x, clusters, seed=0, spherical=True, keys=content_keys(x)).labels
    for cluster in np.unique(labels):
        mine = np.flatnonzero(labels == cluster)
        given_ = np.isin(mine, rows)
        assert abs(int(given_.sum()) - k * len(mine) / 60) < 1
        assert not given_.any() or score[mine[~given_]].max(initial=-1) <= score[mine[given_]].min()


def test_order_does_not_matter_and_the_lowest_can_come_first() -> None:
    random = np.random.default_rng(3)
    x, score = random.normal(size=(80, 4)).astype(np.float32), random.random(80)
    turned = random.permutation(80)
    rows = cdas(x, score, 20, clusters=5)
    assert turned[cdas(x[turned], score[turned], 20, clusters=5)].tolist() == rows.tolist()
    pool = Pool(np.stack([np.arange(80, dtype=np.uint64)] * 2, axis=1), {"vectors": x, "ifd": score})
    up, down = (Cdas(by=by, clusters=5).select(pool, Constraints(Budget("rows", 20))).rows for by in ("ifd", "ifd:asc"))
    assert score[up].mean() > 0.7 > 0.3 > score[down].mean()


def test_shared_by_hand() -> None:
    """Cluster 0 (rows 6 7 5, best first) gives 2, cluster 1 (rows 9 8) gives 1: mixed, then the rest."""
    rows = shared(np.array([6, 9, 7, 8, 5]), np.array([0, 1, 0, 1, 0], np.int32), np.array([2, 1]))
    assert rows.tolist() == [6, 9, 7, 5, 8]  # at 1/4, 1/2, 3/4; then both at 1/2


def test_bad_input() -> None:
    with pytest.raises(InputError, match="one a row"):
        cdas(two_kinds(), [1.0], 3)
    with pytest.raises(OptionError, match="clusters"):
        cdas(two_kinds(), np.zeros(9), 3, clusters=0)
    with pytest.raises(OptionError, match="SIGNAL:asc"):
        Cdas(by="ifd:up")
