"""The packets of the last second or so, each in the place where it arrived and from which it was sent.

One stretch of memory, cut into places of equal size. A place holds the packet's length, where libsrtp wants
it as a C int, and the packet itself with room for what SRTP adds. The ring begins small and grows until a lap
takes SPAN seconds, so that what a receiver asks for again is still there.
"""

from __future__ import annotations

import mmap

from visits.relay.hooks import InPlace

HEAD = 16  # bytes before the packet: its length, and padding that keeps 64-bit alignment
TRAILER = 16 + 128 + 4  # bytes at most that SRTP or SRTCP adds (libsrtp's SRTP_MAX_SRTCP_TRAILER_LEN)
LINE = 64  # bytes of a cache line
STEP = 2048  # places by which the ring grows
SPAN = 1.5  # seconds
LAP = 1 << 32  # a reference is lap * LAP + place


class Ring:
    """Places for packets of up to `longest` bytes, `most` of them at most."""

    def __init__(self, srtp: InPlace, longest: int, most: int) -> None:
        self.stride = -(-(HEAD + longest + 1 + TRAILER) // LINE) * LINE
        self._most = -(-most // STEP) * STEP
        # Reserved in full, used as far as the ring has grown: pages that are never touched cost nothing.
        self._map = mmap.mmap(-1, self._most * self.stride, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.base = srtp.address(self._map)
        self.memory = memoryview(self._map)
        self.words = self.memory.cast("I")
        self.size = STEP  # places in use
        self.first = 0  # the next place to be used
        self.lap = LAP  # a multiple of LAP, so that every reference to a place is above 0
        self._lap_began = 0.0
        self._reserved = 0  # up to here the places of this lap were given out

    def reserve(self, count: int, now: float) -> int:
        """The first of `count` places in a row; `used` says later how many it were in the end."""
        if self.first + count > self.size:
            if now - self._lap_began < SPAN and self.size < self._most:
                self.size += STEP
            else:
                self.first = 0
                self.lap += LAP
        if self.first == 0:
            self._lap_began = now
        self._reserved = self.first + count
        return self.first

    def used(self, count: int) -> None:
        """That many of the reserved places hold something now."""
        self.first += count

    def read(self, reference: int) -> bytes | None:
        """The packet as it was sent, unless its place was or may have been used again since."""
        if reference < self.lap - LAP + self._reserved:
            return None
        at = (reference & LAP - 1) * self.stride
        length = self.words[at // 4]
        return bytes(self.memory[at + HEAD : at + HEAD + length])
