"""The product of two vectors with sums in double precision, sixteen numbers at a time, in one fixed order.

A compiler may not change the order of additions, so a plain loop adds one number at a time. Here the order is
that of sixteen sums side by side, added up at the end: the same bits on any machine that has the vectors, and
nothing but the two vectors decides them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = ["dot"]

_LANES, _SUMS = 8, 2
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


@njit(nogil=True, cache=True)
def dot(a, b, size):  # type: ignore[no-untyped-def]
    """Return the product of the first `size` numbers of two contiguous vectors, float32 or float64, as float64."""
    whole = size - size % 16
    total = _whole(a, b, whole)
    for j in range(whole, size):
        total += np.float64(a[j]) * b[j]
    return total
