"""Products of vectors: every dot product of two tiles, each a pure function of its two vectors.

A matrix product of a library depends, in its last bits, on the number of threads, on the shape of
the operands and on where in them a row stands. Here a product is always the same chain of fused
multiply-adds, from the first number of the vectors to the last: equal vectors have equal products
whatever their places, `a . b` equals `b . a`, and so do results on other machines.

The rows of one tile are packed in panels of 16, so that the 16 lanes of a machine vector are 16
different products; 6 rows of the other tile times one panel stay in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["LANES", "pack", "products"]

#: Rows of a panel.
LANES = 16
_ROWS = 6  # with 16 lanes: 12 of the 16 vector registers of AVX2, 24 of NEON's 32
# Panels side by side: 2 where there are 32 registers that hold 16 numbers each (12 for the sums, not enough to keep
# both units of such a machine at work with 6).
_PANELS = 2 if binding.get_host_cpu_features().get("avx512f") else 1
_DEPTH = 256  # numbers of a vector worked on at a time: a panel of them stays in the nearest cache
_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, indices: list[Any]) -> Any:
    made = context.make_array(kind)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, kind, made, indices, wraparound=False)


def _worker(panels: int) -> Any:
    """Return the loop over the numbers of 6 vectors and those of some panels, side by side."""

    @intrinsic
    def block(typing_context: Any, a: Any, i: Any, panel: Any, p: Any, first: Any, last: Any, out: Any) -> Any:  # noqa: ARG001
        """Add to `out[i + r, 16 p + lane]` the products of `a[i + r, k]` and `panel[p, k, lane]`, `first` to `last`.

        `r` from 0 to 5, and so for the panels after `p`. Nothing checks bounds.
        """
        for array, ndim in ((a, 2), (panel, 3), (out, 2)):
            if not isinstance(array, types.Array) or array.dtype != types.float32 or array.ndim != ndim:
                raise TypingError("products of vectors: expected float32 arrays")
        return types.void(a, types.int64, panel, types.int64, types.int64, types.int64, out), _code(panels)

    return block


def _code(panels: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        zero = ir.Constant(_INT, 0)
        places = [builder.add(args[3], ir.Constant(_INT, p)) for p in range(panels)]
        rows = [builder.add(args[1], ir.Constant(_INT, r)) for r in range(_ROWS)]
        starts = [_pointer(context, builder, kinds[0], args[0], [row, zero]) for row in rows]
        packed = [_pointer(context, builder, kinds[2], args[2], [place, zero, zero]) for place in places]
        columns = [builder.mul(place, ir.Constant(_INT, LANES)) for place in places]
        targets = [
            builder.bitcast(_pointer(context, builder, kinds[6], args[6], [row, column]), _VECTOR.as_pointer())
            for row in rows
            for column in columns
        ]
        sums = [cgutils.alloca_once_value(builder, builder.load(target, align=4)) for target in targets]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32"
        )
        with cgutils.for_range_slice(builder, args[4], args[5], ir.Constant(_INT, 1), _INT) as (k, _):
            at = builder.mul(k, ir.Constant(_INT, LANES))
            lanes = [
                builder.load(builder.bitcast(builder.gep(one, [at]), _VECTOR.as_pointer()), align=4) for one in packed
            ]
            for r, start in enumerate(starts):
                number = builder.load(builder.gep(start, [k]))
                spread = builder.insert_element(
                    ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
                )
                mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
                spread = builder.shuffle_vector(spread, ir.Constant(_VECTOR, ir.Undefined), mask)
                for many, total in zip(lanes, sums[r * panels : (r + 1) * panels], strict=True):
                    builder.store(builder.call(fma, [spread, many, builder.load(total)]), total)
        for target, total in zip(targets, sums, strict=True):
            builder.store(builder.load(total), target, align=4)
        return context.get_dummy_value()

    return codegen


_block, _blocks = _worker(1), _worker(_PANELS)


@njit(nogil=True, cache=True)
def pack(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `m x d` rows as panels, `ceil(m / 16) x d x 16`, filled up with zeros."""
    m, width = rows.shape
    out = np.zeros(((m + LANES - 1) // LANES, width, LANES), np.float32)
    for i in range(m):
        for k in range(width):
            out[i // LANES, k, i % LANES] = rows[i, k]
    return out


@njit(nogil=True, cache=True)
def products(a: NDArray[np.float32], panels: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the products of all rows of `a` (`n x d`) and of packed rows to `out`.

    `n` is a multiple of 6; `out` is `n x 16 p` for `p` panels.
    """
    n, width = a.shape
    out[:] = 0
    for first in range(0, width, _DEPTH):
        last = min(width, first + _DEPTH)
        whole = len(panels) - len(panels) % _PANELS
        for p in range(0, whole, _PANELS):
            for i in range(0, n, _ROWS):
                _blocks(a, i, panels, p, first, last, out)
        for p in range(whole, len(panels)):
            for i in range(0, n, _ROWS):
                _block(a, i, panels, p, first, last, out)
