"""The static vectors that come with the package `wordllama`: one row a token, 256 wide.

A text's vector is the mean of the rows of its tokens. The file holds float16 numbers, and every
float16 is a whole number of 2**-24: so rows are added up as whole numbers, exactly. Whatever the
order of the addends, whoever added up part of them before: the sum is the same, and only the mean
is rounded.

Source: WordLlama (https://github.com/dleemiller/WordLlama), weights `l2_supercat_256`, its method
`embed` with `norm=False`, which adds up in float32. Whole numbers are ours.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numpy.typing import NDArray

from tamis.errors import TamisError, missing_extra

__all__ = ["UNIT", "TokenRows", "add_rows", "load", "means"]

#: What one unit of a whole number stands for.
UNIT = 2.0**-24
_FILE = Path("weights", "l2_supercat_256.safetensors")
_TENSOR = "embedding.weight"
_FULL = 2**31 - 1
_LARGEST = 31.0  # magnitude of a weight: four of them, in units, fit into an int32
_LANES = 16
_INT = ir.IntType(64)
_HALVES = ir.VectorType(ir.HalfType(), _LANES)
_FLOATS = ir.VectorType(ir.FloatType(), _LANES)
_NUMBERS = ir.VectorType(ir.IntType(32), _LANES)


@dataclass(frozen=True, eq=False)
class TokenRows:
    """The row of every token of a vocabulary of `v`, and a row of zeros after them.

    Attributes
    ----------
    rows : array of shape (v + 1, d up to a multiple of 16)
        uint16: the bits of float16 numbers, half the bytes to fetch; where the processor cannot
        convert those, int32 in units of `UNIT`. Filled up with zeros.
    bounds : int64 array of shape (v + 1,)
        The largest magnitude in each row, in units.
    width : int
        `d`.
    fingerprint : str
        32 hex digits of the file's content.
    """

    rows: NDArray[Any]
    bounds: NDArray[np.int64]
    width: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.rows) - 1

    @staticmethod
    def of(weights: NDArray[Any], fingerprint: str = "", *, halves: bool | None = None) -> TokenRows:
        """Return `v x d` weights as rows; `halves` False keeps whole numbers.

        Raises TamisError for weights that are no float16 of magnitude up to 31.
        """
        exact = weights.astype(np.float16)
        if not (exact == weights).all() or not (np.abs(weights) <= _LARGEST).all():
            raise TamisError(f"static vectors: expected float16 weights of magnitude up to {_LARGEST:g}, got others.")
        v, width = weights.shape
        filled = np.zeros((v + 1, -(-width // _LANES) * _LANES), np.float16)
        filled[:v, :width] = exact
        whole = np.multiply(filled, 1 / UNIT, dtype=np.float64).astype(np.int32)
        rows = filled.view(np.uint16) if (_converts() if halves is None else halves) else whole
        return TokenRows(rows, np.abs(whole).max(axis=1).astype(np.int64), width, fingerprint)

    def numbers(self, tokens: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weights of some tokens."""
        some = self.rows[tokens, : self.width]
        if some.dtype == np.uint16:
            return some.view(np.float16).astype(np.float64)
        return np.asarray(some * UNIT, np.float64)


@cache
def load() -> TokenRows:
    """Return wordllama's rows, read once (16 MB).

    Raises UserError without the package, TamisError for a release of it whose weights differ in kind.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    spec = importlib.util.find_spec("wordllama")  # not imported: that takes a second
    if spec is None or spec.origin is None:
        raise missing_extra("wordllama", "all", "the default encoder")
    path = Path(spec.origin).parent / _FILE
    try:
        content = path.read_bytes()
        weights = parse(content)[_TENSOR]
    except (OSError, KeyError, SafetensorError) as error:
        raise TamisError(
            f"wordllama: expected its weights with a tensor '{_TENSOR}' in {path}, got: {error!r}."
            " Install another release of wordllama: this version of tamis knows 0.3.9 to 0.4."
        ) from error
    return TokenRows.of(weights, hashlib.blake2b(content, digest_size=16).hexdigest())


def _converts() -> bool:
    """Return whether this processor turns float16 into float32: all do but x86 before 2012."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i386", "i686"):
        return True
    return bool(binding.get_host_cpu_features().get("f16c"))


@intrinsic
def _add_four(typing_context: Any, rows: Any, a: Any, b: Any, c: Any, d: Any, part: Any) -> Any:  # noqa: ARG001
    """Add four rows to `part` (int32, as wide as the rows), in units. Nothing checks bounds."""
    if not isinstance(rows, types.Array) or rows.dtype not in (types.uint16, types.int32):
        raise TypingError("_add_four expects rows of uint16 or int32")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds, zero = signature.args, ir.Constant(_INT, 0)
        halves = kinds[0].dtype == types.uint16
        made = context.make_array(kinds[0])(context, builder, args[0])
        pointers = [
            builder.bitcast(
                cgutils.get_item_pointer(context, builder, kinds[0], made, [row, zero], wraparound=False),
                (_HALVES if halves else _NUMBERS).as_pointer(),
            )
            for row in args[1:5]
        ]
        target = context.make_array(kinds[5])(context, builder, args[5]).data
        target = builder.bitcast(target, _NUMBERS.as_pointer())
        steps = builder.udiv(cgutils.unpack_tuple(builder, made.shape)[1], ir.Constant(_INT, _LANES))
        with cgutils.for_range_slice(builder, zero, steps, ir.Constant(_INT, 1), _INT) as (j, _):
            at = builder.gep(target, [j])
            total = builder.load(at, align=4)
            for pointer in pointers:
                numbers = builder.load(builder.gep(pointer, [j]), align=2 if halves else 4)
                if halves:  # exact at every step
                    wide = builder.fmul(builder.fpext(numbers, _FLOATS), ir.Constant(_FLOATS, [1 / UNIT] * _LANES))
                    numbers = builder.fptosi(wide, _NUMBERS)
                total = builder.add(total, numbers)
            builder.store(total, at, align=4)
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, types.int64, types.int64, part), codegen


@njit(nogil=True, cache=True)
def add_rows(
    which: NDArray[np.int32],
    n: int,
    rows: NDArray[Any],
    bounds: NDArray[np.int64],
    part: NDArray[np.int32],
    total: NDArray[np.int64],
) -> None:
    """Add `rows[which[:n]]` to `total` (`d`), exactly.

    `rows` and `bounds` are those of `TokenRows`. `part` (as wide as the rows, zero before and
    after) takes additions until they could overflow: more numbers at a time than `total` would.
    """
    load, zeros = np.int64(0), len(rows) - 1
    for i in range(0, n, 4):
        a = np.int64(which[i])
        b = np.int64(which[i + 1]) if i + 1 < n else zeros
        c = np.int64(which[i + 2]) if i + 2 < n else zeros
        d = np.int64(which[i + 3]) if i + 3 < n else zeros
        more = bounds[a] + bounds[b] + bounds[c] + bounds[d]
        if load + more > _FULL:
            for j in range(len(total)):
                total[j] += part[j]
            part[:] = 0
            load = np.int64(0)
        load += more
        _add_four(rows, a, b, c, d, part)
    for j in range(len(total)):
        total[j] += part[j]
    part[:] = 0


@njit(nogil=True, cache=True)
def means(totals: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Write `n x d` totals of rows, in units of `UNIT`, over the number of rows; zeros where there are none."""
    for i in range(len(totals)):
        scale = UNIT / max(counts[i], 1)
        for j in range(totals.shape[1]):
            out[i, j] = np.float32(totals[i, j] * scale)
