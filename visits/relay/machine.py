"""Memory by its address, and calls of C functions by theirs, for code that Numba compiles.

Numba checks the bounds of arrays, but it has no words for what only an address is known of: libsrtp's functions and
contexts, and the small books that peers and slots keep in arrays of the standard library. Each of these is a word
or two; whoever uses them here says why the address holds (compiled.py).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD, INT, BYTE, DOUBLE = ir.IntType(64), ir.IntType(32), ir.IntType(8), ir.DoubleType()


@intrinsic
def call(context: Any, function: Any, first: Any, second: Any, third: Any) -> Any:
    """The C int that the function at an address returns for three addresses."""

    def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(INT, [WORD] * 3)
        return builder.call(builder.inttoptr(given[0], kind.as_pointer()), given[1:])

    return types.int32(types.int64, types.int64, types.int64, types.int64), generate


def _reader(kind: Any, stored: Any) -> Any:
    def read(context: Any, address: Any) -> Any:
        def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.load(builder.inttoptr(given[0], stored.as_pointer()))

        return kind(types.int64), generate

    return intrinsic(read)


def _writer(kind: Any, stored: Any) -> Any:
    def write(context: Any, address: Any, value: Any) -> Any:
        def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
            value = builder.trunc(given[1], stored) if stored is BYTE else given[1]
            builder.store(value, builder.inttoptr(given[0], stored.as_pointer()))
            return ir.Constant(INT, 0)

        return types.int32(types.int64, kind), generate

    return intrinsic(write)


read_word, write_word = _reader(types.int64, WORD), _writer(types.int64, WORD)
read_double, write_double = _reader(types.float64, DOUBLE), _writer(types.float64, DOUBLE)
write_byte = _writer(types.int64, BYTE)  # the lowest of the number
