"""The packets of the last second or so, each in the place where it arrived and from which it was sent.

One stretch of memory, cut into places of equal size. A place holds the packet's length, where libsrtp wants
it as a C int, and the packet itself with room for what SRTP adds. The ring begins small and grows until a lap
takes SPAN nanoseconds, so that what a receiver asks for again is still there.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy

from visits.relay.compiling import compiled
from visits.relay.hooks import InPlace

HEAD = 16  # bytes before the packet: its length, and padding that keeps 64-bit alignment
TRAILER = 16 + 128 + 4  # bytes at most that SRTP or SRTCP adds (libsrtp's SRTP_MAX_SRTCP_TRAILER_LEN)
LINE = 64  # bytes of a cache line
STEP = 2048  # places by which the ring grows
SPAN = 1_500_000_000  # nanoseconds
LAP = 1 << 32  # a reference is lap * LAP + place

# The words of `Ring.book`:
(
    BASE, STRIDE, MOST,  # address of the first place, bytes of one, how many there may be
    SIZE,  # how many are in use
    FIRST,  # the next one to be used
    RESERVED,  # up to here the places of this lap were given out
    LAP_AT, BEGAN,  # a multiple of LAP, so that every reference is above 0, and when that lap began
    WORDS,
) = range(9)  # fmt: skip


class Ring:
    """Places for packets of up to `longest` bytes, `most` of them at most."""

    def __init__(self, srtp: InPlace, longest: int, most: int) -> None:
        self.stride = -(-(HEAD + longest + 1 + TRAILER) // LINE) * LINE
        most = -(-most // STEP) * STEP
        # Reserved in full, used as far as the ring has grown: pages that are never touched cost nothing.
        self._map = mmap.mmap(-1, most * self.stride, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.memory = memoryview(self._map)
        self.words = self.memory.cast("I")
        self.array = numpy.zeros(WORDS, "i8")  # for compiled code
        self.book = memoryview(self.array)  # type: ignore[arg-type]  # the same for Python's
        self.book[BASE], self.book[STRIDE], self.book[MOST] = srtp.address(self._map), self.stride, most
        self.book[SIZE], self.book[LAP_AT] = STEP, LAP

    def read(self, reference: int) -> bytes | None:
        """The packet as it was sent, unless its place was or may have been used again since."""
        if reference < self.book[LAP_AT] - LAP + self.book[RESERVED]:
            return None
        place = reference & LAP - 1
        length = self.words[place * self.stride // 4]
        return self.packet(place, length)

    def packet(self, place: int, length: int) -> bytes:
        """What lies in a place."""
        at = place * self.stride + HEAD
        return bytes(self.memory[at : at + length])


@compiled
def is_full(book: Any, count: int) -> bool:
    """Whether `count` places in a row would begin another lap, over what lies in the oldest places, or make it grow."""
    full: bool = book[FIRST] + count > book[SIZE]
    return full


@compiled
def reserve(book: Any, count: int, now: int) -> int:
    """The first of `count` places in a row, now (in nanoseconds). `book[FIRST]` says later how far they are used."""
    if is_full(book, count):
        if now - book[BEGAN] < SPAN and book[SIZE] < book[MOST]:
            book[SIZE] += STEP
        else:
            book[FIRST] = 0
            book[LAP_AT] += LAP
    if book[FIRST] == 0:
        book[BEGAN] = now
    book[RESERVED] = book[FIRST] + count
    first: int = book[FIRST]
    return first
