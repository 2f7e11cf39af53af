"""Vectors that exist already, and the bundled rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tamis.errors import InputError, OptionError, TamisError
from tamis.vectors.encoders import Given, encoder
from tamis.vectors.wordllama import UNIT, TokenRows, add_rows, load, means


def test_a_file_is_mapped_and_told_apart(tmp_path: Path) -> None:
    x = np.arange(12, dtype=np.float16).reshape(4, 3)
    np.save(tmp_path / "x.npy", x)
    given = Given(tmp_path / "x.npy")
    assert isinstance(given.array, np.memmap)
    assert (len(given), given.width) == (4, 3)
    assert given.rows(1, 3).tolist() == x[1:3].tolist()
    assert given.fingerprint == Given(x).fingerprint
    assert given.fingerprint != Given(x + 1).fingerprint
    assert Given(x.reshape(3, 4)).fingerprint != given.fingerprint


def test_what_is_no_file_of_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.arange(3.0))
    with pytest.raises(InputError, match=r"flat.npy: expected n x d numbers, got float64 of shape \(3,\)"):
        Given(tmp_path / "flat.npy")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(InputError, match=r"expected an \.npy file"):
        Given(tmp_path / "text.npy")
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(InputError, match=r"expected an \.npy file"):
        Given(tmp_path / "objects.npy")
    with pytest.raises(InputError, match="got nan for item 1, number 0"):
        Given(np.array([[1.0], [np.nan]])).rows(0, 2)


def test_functions_get_lists_in_batches() -> None:
    sizes = []

    def function(items: list[int]) -> np.ndarray:
        sizes.append(len(items))
        return np.ones((len(items), 2))

    assert encoder(function).encode(range(2500)).shape == (2500, 2)
    assert sizes == [1, 1024, 1024, 452]
    with pytest.raises(OptionError, match="expected 'wordllama'"):
        encoder("")


def test_bundled_rows_are_those_of_the_file() -> None:
    rows = load()
    assert (len(rows), rows.width) == (32_000, 256)
    assert load() is rows
    numbers = rows.numbers(np.arange(32_000))
    assert (numbers == numbers.astype(np.float16)).all()
    assert (np.abs(numbers).max(axis=1) == rows.bounds[:-1] * UNIT).all()
    assert not rows.rows[-1].any()


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("width", [1, 16, 37])
def test_sums_are_exact_beyond_32_bits(halves: bool, width: int) -> None:
    """Weights from the smallest float16 to 31, thousands of them: the sum is that of Python's integers."""
    random = np.random.default_rng(width)
    weights = (31 * random.uniform(-1, 1, (9, width)) ** 9).astype(np.float16)
    weights[0], weights[1] = 31, np.float16(2**-24)
    rows = TokenRows.of(weights, halves=halves)
    which = np.concatenate([np.zeros(400), random.integers(0, 9, 5003)]).astype(np.int32)
    units = [[int(number / UNIT) for number in row] for row in weights.astype(np.float64).tolist()]
    for n in (0, 1, 2, 3, 4, 5, 400, len(which)):
        total, part = np.zeros(width, np.int64), np.zeros(rows.rows.shape[1], np.int32)
        add_rows(which, n, rows.rows, rows.bounds, part, total)
        assert total.tolist() == [sum(units[i][j] for i in which[:n]) for j in range(width)]
        assert not part.any()


def test_means_of_no_rows_are_zero() -> None:
    out = np.empty((2, 1), np.float32)
    means(np.array([[3 * 2**24], [0]]), np.array([2, 0]), out)
    assert out.tolist() == [[1.5], [0]]


def test_weights_that_do_not_fit() -> None:
    for bad in (200.0, np.nan, np.inf, 1 + 2**-20):
        with pytest.raises(TamisError, match="expected float16 weights of magnitude up to 31"):
            TokenRows.of(np.array([[bad]]))
