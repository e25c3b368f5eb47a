"""Memory by its address, and calls of C functions by theirs, for code that Numba compiles.

Numba checks the bounds of arrays, but it has no words for what only an address is known of: functions of libsrtp and
libc, libsrtp's contexts, and the small books that peers and slots keep in arrays of the standard library. Whoever
uses them here says why the address holds (compiled.py, looking.py).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from visits.relay.compiling import compiled

WORD, INT, BYTE, DOUBLE = ir.IntType(64), ir.IntType(32), ir.IntType(8), ir.DoubleType()


def _call(_: Any, builder: Any, signature: Any, given: Any) -> Any:
    kind = ir.FunctionType(INT, [WORD] * (len(given) - 1))
    return builder.call(builder.inttoptr(given[0], kind.as_pointer()), given[1:])


@intrinsic
def call3(context: Any, function: Any, first: Any, second: Any, third: Any) -> Any:
    """The C int that the function at an address returns for three addresses or whole numbers."""
    return types.int32(*[types.int64] * 4), _call


@intrinsic
def call5(context: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any, fifth: Any) -> Any:
    """The same for five, of which a function that takes four does not look at the last."""
    return types.int32(*[types.int64] * 6), _call


@intrinsic
def where(context: Any, function: Any) -> Any:
    """The address that the function at an address returns for nothing."""

    def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(builder.inttoptr(given[0], ir.FunctionType(WORD, []).as_pointer()), [])

    return types.int64(types.int64), generate


def _reader(kind: Any, stored: Any) -> Any:
    def read(context: Any, address: Any) -> Any:
        def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.load(builder.inttoptr(given[0], stored.as_pointer()))

        return kind(types.int64), generate

    return intrinsic(read)


def _writer(kind: Any, stored: Any) -> Any:
    def write(context: Any, address: Any, value: Any) -> Any:
        def generate(_: Any, builder: Any, signature: Any, given: Any) -> Any:
            value = builder.trunc(given[1], stored) if stored in (BYTE, INT) else given[1]
            builder.store(value, builder.inttoptr(given[0], stored.as_pointer()))
            return ir.Constant(INT, 0)

        return types.int32(types.int64, kind), generate

    return intrinsic(write)


read_word, write_word = _reader(types.int64, WORD), _writer(types.int64, WORD)
read_double, write_double = _reader(types.float64, DOUBLE), _writer(types.float64, DOUBLE)
read_int = _reader(types.int32, INT)
write_byte = _writer(types.int64, BYTE)  # the lowest of the number
write_int = _writer(types.int64, INT)  # the lower half of it


@compiled
def swapped(word: int) -> int:
    """The 32-bit number that a word of a packet is, and the other way round: big-endian (RFC 3550)."""
    return (word & 0xFF) << 24 | (word & 0xFF00) << 8 | word >> 8 & 0xFF00 | word >> 24 & 0xFF
