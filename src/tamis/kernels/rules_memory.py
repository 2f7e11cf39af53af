"""Numbers at addresses, for the kernels of the rules; see `kernels.vector` for what makes that safe."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["load16", "load32", "load64", "store32", "store64"]

_WORD = ir.IntType(64)


@intrinsic
def load16(typing_context: Any, a: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return the uint16 at `a`, a multiple of 2, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        short = ir.IntType(16)
        return builder.zext(builder.load(builder.inttoptr(args[0], short.as_pointer()), typ=short), _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def load32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return the int32 at `a`, a multiple of 4, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        half = ir.IntType(32)
        return builder.sext(builder.load(builder.inttoptr(args[0], half.as_pointer()), typ=half), _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def store32(typing_context: Any, a: Any, value: Any) -> Any:  # noqa: ARG001
    """Write the low half of `value` (int64) at `a`, a multiple of 4."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        half = ir.IntType(32)
        builder.store(builder.trunc(args[1], half), builder.inttoptr(args[0], half.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def load64(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return the uint64 at any address `a`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.load(builder.inttoptr(args[0], _WORD.as_pointer()), align=1, typ=_WORD)

    return types.uint64(types.int64), codegen


@intrinsic
def store64(typing_context: Any, a: Any, value: Any) -> Any:  # noqa: ARG001
    """Write the uint64 `value` at `a`, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        builder.store(args[1], builder.inttoptr(args[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), codegen
