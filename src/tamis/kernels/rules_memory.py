"""Numbers at addresses, for the kernels of the rules; see `kernels.vector` for what makes that safe.

And their decorator: `inner` compiles a function that only compiled code calls, without what would
let Python call it, in three quarters of the time.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["get16", "get32", "get64", "inner", "load64", "put32", "put64"]

inner = njit(nogil=True, cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""The decorator of functions that only compiled code calls."""

_SHORT, _HALF, _WORD = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def _item(builder: Any, args: Any, kind: Any) -> Any:
    return builder.gep(builder.inttoptr(args[0], kind.as_pointer()), [args[1]], source_etype=kind)


@intrinsic
def get16(typing_context: Any, base: Any, k: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return item `k` of the uint16 at `base`, a multiple of 2, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.zext(builder.load(_item(builder, args, _SHORT), typ=_SHORT), _WORD)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def get32(typing_context: Any, base: Any, k: Any) -> Any:  # noqa: ARG001
    """Return item `k` of the int32 at `base`, a multiple of 4, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.sext(builder.load(_item(builder, args, _HALF), typ=_HALF), _WORD)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def put32(typing_context: Any, base: Any, k: Any, value: Any) -> Any:  # noqa: ARG001
    """Write the low half of `value` (int64) as item `k` of the int32 at `base`, a multiple of 4."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        builder.store(builder.trunc(args[2], _HALF), _item(builder, args, _HALF))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def get64(typing_context: Any, base: Any, k: Any) -> Any:  # noqa: ARG001
    """Return item `k` of the uint64 at `base`, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.load(_item(builder, args, _WORD), typ=_WORD)

    return types.uint64(types.int64, types.int64), codegen


@intrinsic
def put64(typing_context: Any, base: Any, k: Any, value: Any) -> Any:  # noqa: ARG001
    """Write `value` as item `k` of the uint64 at `base`, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        builder.store(args[2], _item(builder, args, _WORD))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.uint64), codegen


@intrinsic
def load64(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return the uint64 at any address `a`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.load(builder.inttoptr(args[0], _WORD.as_pointer()), align=1, typ=_WORD)

    return types.uint64(types.int64), codegen
