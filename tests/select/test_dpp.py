"""Determinantal point process, greedy: by hand, against determinants evaluated anew, at the rank, in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.engine import local
from tamis.errors import InputError, OptionError
from tamis.select.base import Groups, Pool
from tamis.select.budget.constraints import Budget, Constraints, Quota
from tamis.select.dpp import Dpp, dpp_map

Floats = NDArray[np.float64]


def in_place(n: int) -> NDArray[np.uint64]:
    return np.stack([np.arange(n, dtype=np.uint64)] * 2, axis=1)


def kernel_of(x: NDArray[np.float32], kernel: str, ridge: float, weight: Floats) -> Floats:
    """The kernel, written out."""
    wide = x.astype(np.float64)
    if kernel == "rbf":
        apart = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
        alike = np.exp(-apart / apart.mean())
    elif kernel == "cosine":
        unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        alike = unit @ unit.T
        np.fill_diagonal(alike, 1.0)  # rounding aside: all tie at first
    else:
        alike = wide @ wide.T / (wide**2).sum(axis=1).mean()
    return weight[:, None] * (alike + ridge * np.eye(len(x))) * weight


def naive(kernel: Floats, k: int) -> list[int]:
    """The largest determinant, evaluated anew for every candidate of every step."""
    picks: list[int] = []
    while len(picks) < k:
        tried = {i: np.linalg.slogdet(kernel[np.ix_([*picks, i], [*picks, i])])[1] for i in range(len(kernel))}
        picks.append(max((i for i in tried if i not in picks), key=lambda i: (tried[i], -i)))
    return picks


def eager(x: NDArray[np.float32], k: int, ridge: float) -> list[int]:
    """The published algorithm: a row of the factor for every record, all lowered at each step."""
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    left, rows, picks = np.full(len(x), 1 + ridge), np.zeros((len(x), k)), []
    for t in range(k):
        best = int(np.argmax(left))
        along = (unit @ unit[best] - rows[:, :t] @ rows[best, :t]) / np.sqrt(left[best])
        rows[:, t] = along
        left -= along**2
        left[best] = -np.inf
        picks.append(best)
    return picks


def test_by_hand() -> None:
    """Vectors at 0, 30, 60 and 90 degrees, no ridge: what one adds is the squared sine of its angle to the plane.

    All alike, so 0 degrees first; then 90, with 1; then there is no volume left, and the others come by position.
    With quality 0, .5, 0, 0 and theta 1: 30 degrees first, with e^(2 * .5); then of the squared sines of 30, 30 and
    60 degrees the last, 3/4.
    """
    angle = np.deg2rad([0, 30, 60, 90])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows, adds = dpp_map(x, 4, ridge=0, keys=in_place(4))
    assert rows.tolist() == [0, 3, 1, 2]
    assert adds[:2] == pytest.approx([0, 0], abs=1e-6)
    assert adds[2:] == pytest.approx(np.log(1e-10))
    rows, adds = dpp_map(x, 2, [0, 0.5, 0, 0], ridge=0, scale="raw", keys=in_place(4))
    assert rows.tolist() == [1, 3]
    assert adds == pytest.approx([1, np.log(0.75)], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["cosine", "linear", "rbf"]),
    st.sampled_from([1e-4, 0.01, 1.0]),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_the_picks_are_those_of_determinants(seed: int, kernel: str, ridge: float, theta: float) -> None:
    random = np.random.default_rng(seed)
    x, quality = random.normal(size=(40, 6)).astype(np.float32), random.normal(size=40)
    full = kernel_of(x, kernel, ridge, np.exp(theta * quality))
    told = {"kernel": kernel, "ridge": ridge, "theta": theta, "scale": "raw"}
    rows, adds = dpp_map(x, 8, quality, **told, keys=in_place(40))
    assert rows.tolist() == naive(full, 8)
    assert adds.sum() == pytest.approx(np.linalg.slogdet(full[np.ix_(rows, rows)])[1], abs=1e-6)


def test_ranks_are_the_share_that_is_worse() -> None:
    random = np.random.default_rng(2)
    x, quality = random.normal(size=(30, 5)).astype(np.float32), random.normal(size=30)
    share = np.argsort(np.argsort(quality)) / 29
    one, other = (dpp_map(x, 9, q, scale=s, keys=in_place(30)) for q, s in ((quality, "ranks"), (share, "raw")))
    assert one[0].tolist() == other[0].tolist()
    assert np.array_equal(one[1], other[1])


def test_orthogonal_records_come_by_quality() -> None:
    quality = np.random.default_rng(3).permutation(12)
    for ridge in (0.0, 0.5):
        rows, _ = dpp_map(np.eye(12), 12, quality, ridge=ridge, keys=in_place(12))
        assert rows.tolist() == np.argsort(-quality).tolist()


def test_a_kernel_of_rank_r_has_r_picks_and_the_rest_comes_by_quality() -> None:
    random = np.random.default_rng(4)
    x = random.normal(size=(60, 3)) @ random.normal(size=(3, 10))
    quality = random.permutation(60).astype(float)
    pool = Pool(in_place(60), {"vectors": x.astype(np.float32), "q": quality})
    chosen = Dpp(ridge=0.0, quality="q").select(pool, Constraints(Budget("rows", 20)))
    assert len(chosen) == 20
    assert chosen.facts["taken_by_volume"] == 3
    assert (np.diff(quality[chosen.rows[3:]]) < 0).all()
    assert quality[chosen.rows[3]] == max(np.delete(quality, chosen.rows[:3]))


@pytest.mark.parametrize("ridge", [0.001, 0.1])
def test_updates_on_demand_change_nothing(ridge: float) -> None:
    """Several blocks, shared by threads: the picks of the published algorithm, with fewer comparisons."""
    random = np.random.default_rng(5)
    x = (random.normal(size=(30, 12))[random.integers(0, 30, 40_000)] + 0.7 * random.normal(size=(40_000, 12))).astype(
        np.float32
    )
    pool = Pool(in_place(len(x)), {"vectors": x})
    found = []
    before = local._granted
    try:
        for threads in (1, 3):
            local.grant(threads)
            method = Dpp(ridge=ridge)
            chosen = method.select(pool, Constraints(Budget("rows", 30)))
            found.append((chosen.rows.tolist(), chosen.score.tobytes(), method.operations()))
    finally:
        local._granted = before
    assert found[0] == found[1]
    assert found[0][0] == eager(x, 30, ridge)
    assert found[0][2] < 30 * len(x)


def test_order_copies_and_what_has_no_vector() -> None:
    random = np.random.default_rng(6)
    x, quality = random.normal(size=(90, 7)).astype(np.float32), random.normal(size=90)
    turned = random.permutation(90)
    for kernel in ("cosine", "linear", "rbf"):
        rows, adds = dpp_map(x, 30, quality, kernel=kernel)
        other, same = dpp_map(x[turned], 30, quality[turned], kernel=kernel)
        assert turned[other].tolist() == rows.tolist()
        assert np.array_equal(adds, same)
        assert (np.diff(dpp_map(x, 30, kernel=kernel)[1]) <= 1e-12).all()
    both = np.concatenate([x[:7], 3 * x[:7]])
    assert sorted(dpp_map(both, 7, ridge=0)[0] % 7) == list(range(7))
    x[4], quality[5] = 0, np.nan
    chosen = Dpp(quality="q").select(Pool(in_place(90), {"vectors": x, "q": quality}), Constraints(Budget("rows", 90)))
    assert len(chosen) == 88
    assert chosen.reasons[chosen.reason[4]] == "dpp: no vector (all zeros)"
    assert chosen.reasons[chosen.reason[5]] == "dpp: no quality (NaN)"


def test_rbf_in_parts() -> None:
    """Where the factor does not fit, parts propose: nearly the volume of the whole, far more than random's."""
    random = np.random.default_rng(8)
    x = (random.normal(size=(40, 6))[random.integers(0, 40, 900)] + 0.3 * random.normal(size=(900, 6))).astype(
        np.float32
    )

    def volume(rows: NDArray[np.int64]) -> float:
        apart = ((x[rows][:, None] - x[rows][None]) ** 2).sum(axis=2)
        return float(np.linalg.slogdet(np.exp(-0.05 * apart) + 0.01 * np.eye(len(rows)))[1])

    whole, _ = dpp_map(x, 40, kernel="rbf", gamma=0.05)
    parts, _ = dpp_map(x, 40, kernel="rbf", gamma=0.05, memory="100KB")
    chance = [volume(random.choice(900, 40, replace=False)) for _ in range(20)]
    assert volume(parts) > volume(whole) - 0.1 * (volume(whole) - max(chance))
    turned = random.permutation(900)
    assert turned[dpp_map(x[turned], 40, kernel="rbf", gamma=0.05, memory="100KB")[0]].tolist() == parts.tolist()
    pool = Pool(in_place(900), {"vectors": x})
    keep = np.arange(900) == 7
    chosen = Dpp(kernel="rbf", memory="100KB").select(pool, Constraints(Budget("rows", 40), keep=keep))
    assert chosen.facts["parts"] > 1
    assert chosen.rows[0] == 7
    assert np.isfinite(chosen.score).all()


def test_rbf_gives_shares_where_proposals_cannot_be_judged() -> None:
    """Each part gives its share, in turns: fewer near ones than at random, in any order, pins and all."""
    random = np.random.default_rng(9)
    x = (random.normal(size=(60, 6))[random.integers(0, 60, 900)] + 0.1 * random.normal(size=(900, 6))).astype(
        np.float32
    )
    shares, adds = dpp_map(x, 300, kernel="rbf", gamma=0.05, memory="50KB")
    whole, _ = dpp_map(x, 300, kernel="rbf", gamma=0.05)
    chance = random.choice(900, 300, replace=False)

    def volume(rows: NDArray[np.int64]) -> float:
        apart = ((x[rows][:, None] - x[rows][None]) ** 2).sum(axis=2)
        return float(np.linalg.slogdet(np.exp(-0.05 * apart) + 0.01 * np.eye(len(rows)))[1])

    assert len(set(shares.tolist())) == 300
    assert np.isfinite(adds).all()
    assert volume(chance) < volume(shares) <= volume(whole)
    turned = random.permutation(900)
    assert turned[dpp_map(x[turned], 300, kernel="rbf", gamma=0.05, memory="50KB")[0]].tolist() == shares.tolist()
    pool, keep = Pool(in_place(900), {"vectors": x}), np.arange(900) == 7
    chosen = Dpp(kernel="rbf", memory="50KB").select(pool, Constraints(Budget("rows", 300), keep=keep))
    assert chosen.facts["parts"] > 5
    assert "proposals" not in chosen.facts
    assert chosen.rows[0] == 7
    assert len(dpp_map(x, 900, kernel="rbf", memory="1KB")[0]) == 900


def test_must_keep_records_take_their_directions_and_quotas_hold() -> None:
    """After e1 is kept, its copy adds next to nothing; a full group leaves the next best of another."""
    x = np.eye(6, dtype=np.float32)[[0, 0, 1, 2, 3, 4]]
    keep = np.arange(6) == 1
    pool = Pool(in_place(6), {"vectors": x})
    chosen = Dpp().select(pool, Constraints(Budget("rows", 5), keep=keep))
    assert chosen.rows.tolist() == [1, 2, 3, 4, 5]
    groups = {"kind": Groups.of(np.array(["a", "b", "b", "b", "b", "a"], object))}
    quotas = [Quota.parse("kind=b<=50%")]
    chosen = Dpp().select(pool, Constraints(Budget("rows", 4), quotas=quotas, groups=groups, keep=keep))
    assert chosen.rows.tolist() == [1, 2, 5, 0]


def test_bad_input() -> None:
    x = np.random.default_rng(7).normal(size=(50, 4))
    with pytest.raises(InputError, match="one a row"):
        dpp_map(x, 3, [1, 2])
    with pytest.raises(OptionError, match="ridge"):
        Dpp(ridge=-1)
    x[3, 1] = np.inf
    with pytest.raises(InputError, match="got inf at record 3"):
        dpp_map(x, 3)
