"""Vectors that exist already, and the bundled rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tamis.errors import InputError, OptionError, TamisError
from tamis.vectors.encoders import Given, encoder
from tamis.vectors.wordllama import UNIT, add_rows, largest, load, means, whole_numbers


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


def test_bundled_rows_are_exact() -> None:
    rows = load()
    assert rows.rows.shape == (32_000, 256)
    assert rows.width == 256
    assert load() is rows
    halves = (rows.rows * UNIT).astype(np.float16)
    assert (whole_numbers(halves) == rows.rows).all()


def test_sums_are_exact_beyond_32_bits() -> None:
    """Rows near the largest whole number, in every number from 0 to 9: no order or grouping matters."""
    rows = np.array([[2**31 - 1, -(2**31 - 1)], [2**30, 5], [-7, 2**31 - 1]], np.int32)
    which = np.array([0, 0, 1, 2, 2, 2, 0, 1, 1, 0], np.int32)
    for n in range(len(which)):
        total, part = np.zeros(2, np.int64), np.zeros(2, np.int32)
        add_rows(which, n, rows, largest(rows), part, total)
        assert total.tolist() == rows[which[:n]].sum(axis=0, dtype=np.int64).tolist()
        assert not part.any()


def test_means_of_no_rows_are_zero() -> None:
    out = np.empty((2, 1), np.float32)
    means(np.array([[3 * 2**24], [0]]), np.array([2, 0]), out)
    assert out.tolist() == [[1.5], [0]]


def test_weights_that_do_not_fit() -> None:
    with pytest.raises(TamisError, match="magnitude below 128"):
        whole_numbers(np.array([[200.0]]))
    with pytest.raises(TamisError, match="finite"):
        whole_numbers(np.array([[np.nan]]))
