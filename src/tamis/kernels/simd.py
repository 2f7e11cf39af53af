"""Four machine operations that Numba has no name for, on scalars.

They are plain LLVM IR, so each compiles to one or two instructions on x86-64 and arm64, and
they work in functions compiled with ``cache=True``. All supported platforms are little-endian.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = ["count_trailing_zeros", "fold64", "load64", "widened"]


def _is_bytes(data: Any) -> bool:
    return isinstance(data, types.Array) and data.dtype == types.uint8 and data.ndim == 1 and data.layout == "C"


@intrinsic
def load64(typing_context: Any, data: Any, i: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return bytes `i` to `i + 7` of `data` (contiguous uint8) as a little-endian uint64.

    Nothing checks the bounds: the caller sees to ``0 <= i <= len(data) - 8``.
    """
    if not _is_bytes(data) or not isinstance(i, types.Integer):
        raise TypingError("load64 expects a contiguous uint8 array and an integer")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        position = context.cast(builder, args[1], signature.args[1], types.int64)
        pointer = cgutils.pointer_add(builder, array.data, position)
        word = ir.IntType(64)
        return builder.load(builder.bitcast(pointer, word.as_pointer()), align=1, typ=word)

    return types.uint64(data, i), codegen


@intrinsic
def count_trailing_zeros(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return the number of zero bits below the lowest set bit of `x` (uint64); 64 when `x` is 0."""
    if x != types.uint64:
        raise TypingError("count_trailing_zeros expects an uint64")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(x), codegen


@intrinsic
def fold64(typing_context: Any, a: Any, b: Any) -> Any:  # noqa: ARG001
    """Return the high word of the 128-bit product of `a` and `b` (uint64), xored with its low word."""
    if a != types.uint64 or b != types.uint64:
        raise TypingError("fold64 expects two uint64")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        word, wide = ir.IntType(64), ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)
        return builder.xor(high, builder.trunc(product, word))

    return types.uint64(a, b), codegen


@intrinsic
def widened(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
    """Return `x` as a float32: the bits of a finite float16 (uint16), or a float32 as it is.

    No conversion of the processor's is used, which old ones lack: shifted into place, the bits are those of the number
    over 2^112, subnormal ones included.
    """
    if x not in (types.uint16, types.float32):
        raise TypingError("widened expects an uint16 or a float32")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        if signature.args[0] == types.float32:
            return args[0]
        word, single = ir.IntType(32), ir.FloatType()
        bits = builder.zext(args[0], word)
        magnitude = builder.shl(builder.and_(bits, ir.Constant(word, 0x7FFF)), ir.Constant(word, 13))
        scaled = builder.fmul(builder.bitcast(magnitude, single), ir.Constant(single, 2.0**112))
        sign = builder.shl(builder.and_(bits, ir.Constant(word, 0x8000)), ir.Constant(word, 16))
        return builder.bitcast(builder.or_(builder.bitcast(scaled, word), sign), single)

    return types.float32(x), codegen
