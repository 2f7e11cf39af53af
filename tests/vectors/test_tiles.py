"""Tiles: fixed shapes, the same rows, and an order that the input's does not decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.vectors.tiles import TILE, Tiles, content_keys, in_order, matrix, unit_rows, zero_rows


@pytest.mark.parametrize("n", [1, TILE - 1, TILE, TILE + 1, 2 * TILE])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_tiles_hold_every_row_once(n: int, kind: type) -> None:
    x = np.random.default_rng(n).normal(size=(n, 5)).astype(kind)
    tiles = Tiles(x)
    blocks = [tiles.tile(i) for i in range(len(tiles))]
    assert {block.shape for block in blocks} == {(TILE, 5)}
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    together = np.concatenate(blocks)
    assert (together[:n] == x.astype(np.float32)).all()
    assert not together[n:].any()


def test_unit_rows_by_hand() -> None:
    """(3, 4) has length 5; zeros stay."""
    x = np.array([[3, 4], [0, 0]], np.float32)
    unit_rows(x)
    assert np.allclose(x, [[0.6, 0.8], [0, 0]])
    assert np.allclose(Tiles(np.array([[3.0, 4.0]]), unit=True).take(np.array([0, 0])), [[0.6, 0.8]] * 2 + [[0, 0]] * 4)


def test_zeros_and_what_is_not_finite() -> None:
    x = np.zeros((TILE + 3, 2), np.float16)
    x[TILE] = 1
    assert np.flatnonzero(~zero_rows(x)).tolist() == [TILE]
    x[TILE + 2, 1] = np.inf
    with pytest.raises(InputError, match=rf"vectors: expected finite numbers, got inf at record {TILE + 2}"):
        zero_rows(x)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=30), st.randoms())
def test_canonical_order_of_rows_without_keys(rows: list[list[int]], random) -> None:  # type: ignore[no-untyped-def]
    x = np.array(rows, np.float32)
    shuffled = x[random.sample(range(len(x)), len(x))]
    first, keys, _ = in_order(x, None)
    second, again, order = in_order(shuffled, None)
    assert (first == second).all()
    assert (keys == again).all()
    assert order is None or (shuffled[order] == second).all()
    assert (content_keys(x.astype(np.float16)) == content_keys(x)).all()
    assert (content_keys(np.where(x == 0, np.float32(-0.0), x)) == content_keys(x)).all()


def test_what_is_no_matrix() -> None:
    assert matrix([[1, 2]]).dtype == np.float32
    for bad in ([1.0], [["a"]], np.zeros((2, 0))):
        with pytest.raises(InputError, match="expected n x d numbers"):
            matrix(bad)
    with pytest.raises(InputError, match="keys: expected 2, one a row, got 1"):
        in_order(np.zeros((2, 2)), np.zeros((1, 2), np.uint64))
