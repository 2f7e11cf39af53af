"""Bytes at addresses, one or 32 at a time, for loops that walk long texts.

Everything here takes addresses (int64, from `address`), not arrays: an address is a plain
number, so passing it between compiled functions costs nothing, while an array would have its
reference count moved, atomically, at every call.

**Safety.** Nothing checks bounds or lifetimes. Whoever takes an address keeps the array alive
as an *argument* of the compiled function that uses it (Numba frees a local array after its last
use, and an address is no use), and sees to it that ``*32`` helpers stay inside the array: they
touch bytes ``a`` to ``a + 31``. Loops walk the last bytes of a buffer one by one, so input
buffers need no padding.

The `*32` helpers return a uint32 whose bit `j` says whether byte ``a + j`` is of the class asked
for. They are generic LLVM vector IR: a compare and a mask move on x86-64, a few instructions
more on arm64; all work in functions compiled with ``cache=True``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = [
    "address",
    "copy32",
    "high32",
    "load8",
    "load_word",
    "newline32",
    "ones",
    "space32",
    "special32",
    "store8",
    "store_word",
    "structure32",
    "trailing_zeros",
]

_BIT, _BYTE, _WORD = ir.IntType(1), ir.IntType(8), ir.IntType(64)
_BLOCK = ir.VectorType(_BYTE, 32)
_MASK = ir.IntType(32)


def _load(builder: Any, at: Any) -> Any:
    return builder.load(builder.inttoptr(at, _BLOCK.as_pointer()), align=1, typ=_BLOCK)


def _splat(byte: int) -> Any:
    return ir.Constant(_BLOCK, [byte] * 32)


def _is(builder: Any, block: Any, byte: int) -> Any:
    return builder.icmp_unsigned("==", block, _splat(byte))


def _mask(classify: Callable[[Any, Any], Any]) -> Any:
    """Return signature and code of a helper: load a block, `classify` its bytes, pack the bits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(classify(builder, _load(builder, args[0])), _MASK)

    return types.uint32(types.int64), codegen


@intrinsic
def address(typing_context: Any, array: Any) -> Any:  # noqa: ARG001 (the shape Numba calls)
    """Return the address of the first byte of a contiguous `array`."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"address expects a contiguous array, got {array}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, _WORD)

    return types.int64(array), codegen


@intrinsic
def load8(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return the byte at `a` as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.zext(builder.load(builder.inttoptr(args[0], _BYTE.as_pointer()), typ=_BYTE), _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def load_word(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return the int64 at `a`, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.load(builder.inttoptr(args[0], _WORD.as_pointer()), typ=_WORD)

    return types.int64(types.int64), codegen


@intrinsic
def store8(typing_context: Any, a: Any, value: Any) -> Any:  # noqa: ARG001
    """Write the low byte of `value` (int64) at `a`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        builder.store(builder.trunc(args[1], _BYTE), builder.inttoptr(args[0], _BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def store_word(typing_context: Any, a: Any, value: Any) -> Any:  # noqa: ARG001
    """Write `value` (int64) at `a`, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        builder.store(args[1], builder.inttoptr(args[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def special32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return where a JSON string stops being plain: a quote, a backslash or a control character."""

    def classify(builder: Any, block: Any) -> Any:
        control = builder.icmp_unsigned("<", block, _splat(0x20))
        return builder.or_(builder.or_(_is(builder, block, 0x22), _is(builder, block, 0x5C)), control)

    return _mask(classify)


@intrinsic
def structure32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return where the nesting of JSON can change: a quote, a bracket or a brace."""

    def classify(builder: Any, block: Any) -> Any:
        folded = builder.or_(block, _splat(0x20))  # [ and { differ by this bit, so do ] and }
        brackets = builder.or_(_is(builder, folded, 0x7B), _is(builder, folded, 0x7D))
        return builder.or_(_is(builder, block, 0x22), brackets)

    return _mask(classify)


@intrinsic
def space32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return where JSON white space or a quote is: what a compact form looks at."""

    def classify(builder: Any, block: Any) -> Any:
        found = _is(builder, block, 0x22)
        for byte in (0x20, 0x09, 0x0A, 0x0D):
            found = builder.or_(found, _is(builder, block, byte))
        return found

    return _mask(classify)


@intrinsic
def high32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return where a byte is not ASCII."""
    return _mask(lambda builder, block: builder.icmp_unsigned(">=", block, _splat(0x80)))


@intrinsic
def newline32(typing_context: Any, a: Any) -> Any:  # noqa: ARG001
    """Return where a line ends."""
    return _mask(lambda builder, block: _is(builder, block, 0x0A))


@intrinsic
def copy32(typing_context: Any, a: Any, target: Any) -> Any:  # noqa: ARG001
    """Copy the block at `a` to `target`, in another buffer, and return where it has a backslash."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        block = _load(builder, args[0])
        builder.store(block, builder.inttoptr(args[1], _BLOCK.as_pointer()), align=1)
        return builder.bitcast(_is(builder, block, 0x5C), _MASK)

    return types.uint32(types.int64, types.int64), codegen


@intrinsic
def trailing_zeros(typing_context: Any, mask: Any) -> Any:  # noqa: ARG001
    """Return the position of the lowest set bit of a uint32 `mask` that is not 0, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.zext(builder.cttz(args[0], ir.Constant(_BIT, 1)), _WORD)

    return types.int64(types.uint32), codegen


@intrinsic
def ones(typing_context: Any, mask: Any) -> Any:  # noqa: ARG001
    """Return how many bits of a uint32 `mask` are set, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.zext(builder.ctpop(args[0]), _WORD)

    return types.int64(types.uint32), codegen
