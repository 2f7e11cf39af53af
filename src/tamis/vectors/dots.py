"""Products of vectors with sums in double precision, sixteen numbers at a time, in one fixed order.

A compiler may not change the order of additions, so a plain loop adds one number at a time. Here the order is
that of sixteen sums side by side, added up at the end: the same bits on any machine that has the vectors, and
nothing but the two vectors decides them. `dots` are the products of many, each with the bits of its `dot`: two rows
times four stay in registers, so that a vector is read once for several products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = ["dot", "dots"]

_LANES, _SUMS = 8, 2
_ROWS, _COLUMNS = 2, 4  # as many products at a time as a vector has lanes
_MANY = 16  # rows for which it pays to turn the others into doubles first
_INT, _WIDE = ir.IntType(64), ir.VectorType(ir.DoubleType(), _LANES)


def _numbers(builder: Any, kind: Any, start: Any, at: Any) -> Any:
    """Return eight numbers from `at` on, as doubles."""
    single = kind.dtype == types.float32
    vector = ir.VectorType(ir.FloatType(), _LANES) if single else _WIDE
    found = builder.load(builder.bitcast(builder.gep(start, [at]), vector.as_pointer()), align=4 if single else 8)
    return builder.fpext(found, _WIDE) if single else found


@intrinsic
def _whole(typing_context: Any, a: Any, b: Any, size: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return the product of the first `size` numbers, a multiple of 16. Nothing checks bounds."""
    for array in (a, b):
        if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
            raise TypingError(f"dot expects contiguous vectors, got {array}")
        if array.dtype not in (types.float32, types.float64):
            raise TypingError(f"dot expects floats, got {array.dtype}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args[:2]
        starts = [context.make_array(kinds[i])(context, builder, args[i]).data for i in range(2)]
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_WIDE, [0.0] * _LANES)) for _ in range(_SUMS)]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WIDE, [_WIDE] * 3), f"llvm.fma.v{_LANES}f64"
        )
        step = ir.Constant(_INT, _LANES * _SUMS)
        with cgutils.for_range_slice(builder, ir.Constant(_INT, 0), args[2], step, _INT) as (j, _):
            for i, total in enumerate(sums):
                at = builder.add(j, ir.Constant(_INT, i * _LANES))
                pair = [_numbers(builder, kind, start, at) for kind, start in zip(kinds, starts, strict=True)]
                builder.store(builder.call(fma, [*pair, builder.load(total)]), total)
        lanes = builder.fadd(*(builder.load(total) for total in sums))
        out = builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))
        for lane in range(1, _LANES):
            out = builder.fadd(out, builder.extract_element(lanes, ir.Constant(ir.IntType(32), lane)))
        return out

    return types.float64(a, b, types.int64), codegen


def _added(builder: Any, lanes: list[Any]) -> Any:
    """Return the sum of the lanes of each of eight vectors, first to last, as one vector: they are turned, then added.

    Each turn puts the lanes of two vectors side by side, those whose places differ in one bit.
    """
    for bit in (4, 2, 1):
        turned = [None] * _LANES
        for i in (one for one in range(_LANES) if not one & bit):
            places = [[lane if not lane & bit else _LANES + lane - bit for lane in range(_LANES)]]
            places.append([place + bit for place in places[0]])
            for k, chosen in enumerate(places):
                mask = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), chosen)
                turned[i | (bit * k)] = builder.shuffle_vector(lanes[i], lanes[i | bit], mask)
        lanes = turned
    total = lanes[0]
    for lane in lanes[1:]:
        total = builder.fadd(total, lane)
    return total


@intrinsic
def _eight(typing_context: Any, a: Any, i: Any, b: Any, j: Any, size: Any, out: Any, column: Any) -> Any:  # noqa: ARG001
    """Write the products of rows `i` and `i + 1` of `a` with rows `j` to `j + 3` of `b` to `out` from `column` on.

    Of their first `size` numbers, a multiple of 16. Nothing checks bounds.
    """
    for array in (a, b, out):
        if not isinstance(array, types.Array) or array.ndim != 2 or array.layout != "C":
            raise TypingError(f"dots expects contiguous rows, got {array}")
    if a.dtype not in (types.float32, types.float64) or b.dtype not in (types.float32, types.float64):
        raise TypingError(f"dots expects floats, got {a.dtype} and {b.dtype}")
    if out.dtype != types.float64:
        raise TypingError(f"dots writes doubles, got {out.dtype}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def row(which: int, start: Any, step: int) -> Any:
            kind = signature.args[which]
            made = context.make_array(kind)(context, builder, args[which])
            zero = ir.Constant(_INT, 0)
            at = [builder.add(start, ir.Constant(_INT, step)), zero]
            return cgutils.get_item_pointer(context, builder, kind, made, at, wraparound=False)

        pairs = [(r, c) for r in range(_ROWS) for c in range(_COLUMNS)]
        left = [row(0, args[1], r) for r in range(_ROWS)]
        right = [row(2, args[3], c) for c in range(_COLUMNS)]
        zeros = ir.Constant(_WIDE, [0.0] * _LANES)
        sums = [[cgutils.alloca_once_value(builder, zeros) for _ in pairs] for _ in range(_SUMS)]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WIDE, [_WIDE] * 3), f"llvm.fma.v{_LANES}f64"
        )
        step = ir.Constant(_INT, _LANES * _SUMS)
        with cgutils.for_range_slice(builder, ir.Constant(_INT, 0), args[4], step, _INT) as (at, _):
            for part, totals in enumerate(sums):
                place = builder.add(at, ir.Constant(_INT, part * _LANES))
                ones = [_numbers(builder, signature.args[0], start, place) for start in left]
                others = [_numbers(builder, signature.args[2], start, place) for start in right]
                for (r, c), total in zip(pairs, totals, strict=True):
                    builder.store(builder.call(fma, [ones[r], others[c], builder.load(total)]), total)
        lanes = [builder.fadd(*(builder.load(totals[p]) for totals in sums)) for p in range(len(pairs))]
        found = _added(builder, lanes)
        half = ir.VectorType(ir.DoubleType(), _COLUMNS)
        for r in range(_ROWS):
            mask = ir.Constant(ir.VectorType(ir.IntType(32), _COLUMNS), [r * _COLUMNS + c for c in range(_COLUMNS)])
            made = context.make_array(signature.args[5])(context, builder, args[5])
            at = [builder.add(args[1], ir.Constant(_INT, r)), args[6]]
            place = cgutils.get_item_pointer(context, builder, signature.args[5], made, at, wraparound=False)
            some = builder.shuffle_vector(found, ir.Constant(_WIDE, ir.Undefined), mask)
            builder.store(some, builder.bitcast(place, half.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(a, types.int64, b, types.int64, types.int64, out, types.int64), codegen


@njit(nogil=True, cache=True)
def dot(a, b, size):  # type: ignore[no-untyped-def]
    """Return the product of the first `size` numbers of two contiguous vectors, float32 or float64, as float64."""
    whole = size - size % 16
    total = _whole(a, b, whole)
    for j in range(whole, size):
        total += np.float64(a[j]) * b[j]
    return total


@njit(nogil=True, cache=True)
def dots(a, b, out):  # type: ignore[no-untyped-def]
    """Write the products of the rows of `a` (`n x d`) with those of `b` (`m x d`) to `out` (`n x m`, float64).

    All contiguous; a place in `out` holds the bits that `dot` returns for its two rows.
    """
    n, m, size = len(a), len(b), a.shape[1]
    rows, columns, whole = n - n % _ROWS, m - m % _COLUMNS, size - size % 16
    panel = np.empty((_COLUMNS, size))
    for j in range(0, columns, _COLUMNS):
        if n < _MANY:
            for i in range(0, rows, _ROWS):
                _eight(a, i, b, j, whole, out, j)
        else:  # turned into doubles once for all rows
            for c in range(_COLUMNS):
                for at in range(size):
                    panel[c, at] = b[j + c, at]
            for i in range(0, rows, _ROWS):
                _eight(a, i, panel, 0, whole, out, j)
        if whole < size:
            for i in range(rows):
                for c in range(j, j + _COLUMNS):
                    for at in range(whole, size):
                        out[i, c] += np.float64(a[i, at]) * b[c, at]
    for i in range(n):
        for j in range(columns if i < rows else 0, m):
            out[i, j] = dot(a[i], b[j], size)
