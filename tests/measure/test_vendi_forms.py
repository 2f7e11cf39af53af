"""Vendi scores with weights, by any kernel, streamed and sampled; effective rank; beside the package vendi_score."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.corpus.chunk import Text
from tamis.engine import Local
from tamis.errors import InputError, OptionError
from tamis.measure.diversity import (
    effective_rank,
    vendi,
    vendi_by,
    vendi_curve,
    vendi_of_kernel,
    vendi_of_second_moment,
)
from tamis.measure.linear import gram
from tamis.measure.ngrams import word_runs
from tamis.measure.similarities import gaussian, ngram_jaccard
from tamis.measure.streamed import Moment, vendi_sampled, vendi_streamed

ORDERS = [0.1, 0.5, 1.0, 2.0, math.inf]
#: What the definition gives for this kernel, by hand in test_diversity.
KERNEL = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])


def vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def texts(*lines: str) -> Text:
    parts = [line.encode() for line in lines]
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    return Text(np.frombuffer(b"".join(parts), np.uint8), offsets)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_gram_is_the_product(n: int, d: int, seed: int) -> None:
    x = vectors(n, d, seed)
    assert gram(x) == pytest.approx(x.T @ x, rel=1e-12, abs=1e-12)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99), st.sampled_from(ORDERS))
def test_weights_are_repeats(n: int, d: int, seed: int, q: float) -> None:
    """A record of weight 3 counts as three copies; in the primal form, in the dual, and of a kernel."""
    x = vectors(n, d, seed)
    times = np.random.default_rng(seed).integers(1, 4, n)
    expected = vendi(np.repeat(x, times, axis=0), q)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert vendi(x, q, times) == pytest.approx(expected, rel=1e-6)
    kernel = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(kernel, 1)
    assert vendi_of_kernel(kernel, q, times) == pytest.approx(expected, rel=1e-6)
    assert vendi_streamed(x, [q], p=times).scores[0] == pytest.approx(expected, rel=1e-6)


def test_order_two_needs_no_eigenvalues() -> None:
    """n^2 over the squared Frobenius norm of the kernel."""
    x = vectors(40, 7)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    by_hand = 40**2 / ((unit @ unit.T) ** 2).sum()
    assert vendi(x, 2) == pytest.approx(by_hand)
    assert vendi_curve(x, [2.0])[0] == pytest.approx(by_hand)


def test_dust_is_no_kind() -> None:
    """10 copies of 3 vectors in 20 dimensions have 3 kinds at order 0.01, though rounding leaves 20 eigenvalues."""
    assert vendi(np.repeat(vectors(3, 20), 10, axis=0), 0.0) == pytest.approx(3)


def test_by_a_function_of_two() -> None:
    """Points 0, 0, 10, 10, 20, 20 under exp(-|a - b|): three kinds."""
    points = [0, 0, 10, 10, 20, 20]
    assert vendi_by(points, lambda a, b: math.exp(-abs(a - b))) == pytest.approx(3.0, abs=5e-4)
    assert vendi_by(points, lambda a, b: float(a == b), 1, [1, 0, 1, 0, 0, 0]) == pytest.approx(2.0)


def test_kernels() -> None:
    """Jaccard of {a b c} and {b c d}: 2/4. A Gaussian of width 5 at distance 10: exp(-2)."""
    assert ngram_jaccard(word_runs(*(lambda t: (t.data, t.offsets))(texts("a b c", "b c d", "x")), 1)) == pytest.approx(
        np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    )
    assert gaussian([[0.0, 0], [6, 8]], 5)[0, 1] == pytest.approx(math.exp(-2))
    with pytest.raises(OptionError, match="width above 0"):
        gaussian([[1.0]], 0)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), [[2.0]], [[1, 0.5], [0.2, 1]], [[1.0, 3], [3, 1]]])
def test_what_is_no_kernel_is_refused(bad: object) -> None:
    with pytest.raises(InputError):
        vendi_of_kernel(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("p", [[1.0], [1, -1, 1], [0, 0, 0], [1, math.nan, 1]])
def test_what_are_no_weights_is_refused(p: list[float]) -> None:
    with pytest.raises(InputError, match="weights"):
        vendi_of_kernel(KERNEL, 1, p)


def test_effective_rank_by_hand() -> None:
    """Singular values 3 and 1: shares 3/4 and 1/4, exp(entropy) 1.7548. Equal ones: their number."""
    assert effective_rank([[3, 0, 0], [0, 1, 0]]) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    assert effective_rank(np.eye(5)) == pytest.approx(5)
    assert effective_rank(np.ones((9, 4))) == pytest.approx(1)
    with pytest.raises(InputError, match="not all 0"):
        effective_rank(np.zeros((2, 2)))


def test_one_pass_over_a_file_is_exact(tmp_path: Path) -> None:
    """3,000 x 24 on disk, three tiles: what `vendi` gives in memory, on any number of threads; zeros are told."""
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (3_000, 24))
    x[:] = vectors(3_000, 24)
    x[7] = 0
    one, two = (vendi_streamed(x, ORDERS, engine=Local(threads)) for threads in (1, 2))
    assert one == two
    assert (one.records, one.zeros, one.exact) == (2_999, 1, True)
    assert one.scores == pytest.approx(vendi_curve(np.delete(x, 7, axis=0), ORDERS))


def test_parts_add_up() -> None:
    x = vectors(30, 5)
    moment = Moment(5)
    moment.add(x[:11])
    moment.add(x[11:])
    assert moment.vendi() == pytest.approx(vendi(x))
    with pytest.raises(InputError, match="5 wide"):
        moment.add(np.ones((2, 3)))
    with pytest.raises(InputError, match="got none"):
        Moment(2).vendi()


def test_random_features_come_near() -> None:
    """1,500 points under a Gaussian: within 5 % of the exact score; and it says that it is an estimate."""
    x = vectors(1_500, 2)
    exact = vendi_of_kernel(gaussian(x, 0.7))
    found = vendi_streamed(x, [1.0], kernel="gaussian", width=0.7, features=400)
    assert found.scores[0] == pytest.approx(exact, rel=0.05)
    assert not found.exact
    assert "estimate" in found.told


def test_a_counted_sample_says_so() -> None:
    items = [i % 5 for i in range(500)]

    def same(some: list[int]) -> np.ndarray:
        return np.equal.outer(some, some)

    found = vendi_sampled(items, same, [1.0], records=200)
    assert found.scores[0] == pytest.approx(5, rel=0.05)
    assert "200 of 500" in found.told
    assert vendi_sampled(items, same, [1.0], records=900).exact


@pytest.mark.parametrize("kinds", [1, 5, 40])
def test_eigenvalues_of_a_low_rank(kinds: int) -> None:
    """400 records of a few kinds: all the other eigenvalues are 0, and rounding around them does no harm."""
    kind = np.arange(400) % kinds
    assert vendi_of_kernel(np.equal.outer(kind, kind)) == pytest.approx(kinds)


def test_second_moment_is_square() -> None:
    with pytest.raises(InputError, match="square"):
        vendi_of_second_moment(np.ones((2, 3)))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parity_with_vendi_score() -> None:
    """Version 0.0.3 agrees on kernels, on weights and on the dual form."""
    peer = pytest.importorskip("vendi_score.vendi")
    x = vectors(60, 9)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    kernel, p = unit @ unit.T, np.arange(1, 61) / (61 * 30)
    np.fill_diagonal(kernel, 1)
    assert vendi(x) == pytest.approx(peer.score_X(x), rel=1e-6)
    assert vendi(x) == pytest.approx(peer.score_dual(x, normalize=True), rel=1e-6)
    for q in (0.5, 1, 2):
        assert vendi_of_kernel(kernel, q) == pytest.approx(peer.score_K(kernel, q=q), rel=1e-3)
    assert vendi_of_kernel(kernel, 1, p) == pytest.approx(peer.score_K(kernel, p=p), rel=1e-6)
    assert vendi_of_kernel(kernel, math.inf) == pytest.approx(peer.score_K(kernel, q="inf"), rel=1e-6)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vendi_score_ignores_the_order_and_takes_six_eigenvalues() -> None:
    """Where 0.0.3 is wrong: `score_X` is of order 1 whatever it is asked, a sparse kernel has six kinds at most."""
    peer = pytest.importorskip("vendi_score.vendi")
    sparse = pytest.importorskip("scipy.sparse")
    x = vectors(60, 9)
    assert peer.score_X(x, q=2) == pytest.approx(peer.score_X(x, q=1))
    assert vendi(x, 2) < vendi(x, 1) - 0.05
    assert vendi_of_kernel(np.eye(20)) == pytest.approx(20)
    assert peer.score_K(sparse.csr_matrix(np.eye(20))) != pytest.approx(20, rel=0.3)
