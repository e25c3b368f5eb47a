"""What of VP8 stands before each packet's payload: the payload descriptor (RFC 7741 section 4.2). No I/O.

It is in the clear under end-to-end encryption. A receiver follows pictures by its numbers (PictureID, TL0PICIDX), which
each publisher and each layer begins where it likes; of a stream whose numbers jump back, browsers drop whole pictures
for seconds. So a slot numbers on, whoever is behind it.
"""

from __future__ import annotations

from typing import NamedTuple

EXTENDED, HAS_PICTURE, HAS_BASE, HAS_LAYER, LONG = 0x80, 0x80, 0x40, 0x30, 0x80  # X; I, L, T and K; M
LONG_PICTURE, SHORT_PICTURE, BASE = 0x7FFF, 0x7F, 0xFF  # the largest numbers
DESCRIPTOR = 6  # bytes, at most
STEP = 2  # from the last number that is known to the next publisher's first: a picture may have been begun


class Numbers(NamedTuple):
    """Of one packet: where they stand, how large they get, what they are."""

    picture_at: int
    largest: int  # PictureID: LONG_PICTURE or SHORT_PICTURE; 0 if there is none
    picture: int
    base_at: int  # 0 if there is none
    base: int


def is_keyframe(packet: bytes, start: int) -> bool:
    """Whether the payload at `start` begins a keyframe: by S bit, partition index and the frame header's P bit."""
    try:
        return bool(packet[start] & 0x10) and packet[start] & 0x07 == 0 and not packet[_end(packet, start)] & 0x01
    except IndexError:
        return False


def _end(packet: bytes, start: int) -> int:
    """Where the descriptor at `start` ends. IndexError if the packet ends before."""
    if not packet[start] & EXTENDED:
        return start + 1
    present = packet[start + 1]
    at = start + 2
    if present & HAS_PICTURE:
        at += 2 if packet[at] & LONG else 1
    return at + bool(present & HAS_BASE) + bool(present & HAS_LAYER)


def read(packet: bytes, start: int) -> Numbers | None:
    """The numbers in the descriptor at `start`; None if there are none, or it is cut off."""
    try:
        if not packet[start] & EXTENDED or not packet[start + 1] & (HAS_PICTURE | HAS_BASE):
            return None
        present, at, largest, picture = packet[start + 1], start + 2, 0, 0
        if present & HAS_PICTURE:
            largest, picture = SHORT_PICTURE, packet[at]
            if packet[at] & LONG:
                largest, picture = LONG_PICTURE, packet[at] << 8 & LONG_PICTURE | packet[at + 1]
                at += 1
            at += 1
        return Numbers(start + 2, largest, picture, *((at, packet[at]) if present & HAS_BASE else (0, 0)))
    except IndexError:
        return None


class Numbering:
    """The numbers of one slot: its own, behind which those of its publishers are moved."""

    __slots__ = ("_base", "_picture", "base_offset", "picture_offset")

    def __init__(self) -> None:
        self._picture: int | None = None  # the newest that was sent
        self._base: int | None = None
        self.picture_offset = self.base_offset = 0

    @property
    def moves(self) -> bool:
        """Whether numbers are not what the publisher sent."""
        return bool(self.picture_offset or self.base_offset)

    def begin(self, first: Numbers | None) -> None:
        """Another publisher, or layer, goes on with these."""
        self.picture_offset = self.base_offset = 0
        if first is not None and first.largest and self._picture is not None:
            self.picture_offset = self._picture + STEP - first.picture & first.largest
        if first is not None and first.base_at and self._base is not None:
            self.base_offset = self._base + STEP - first.base & BASE

    def note(self, numbers: Numbers) -> None:
        """A packet with these, as the publisher sent them, goes to the receiver."""
        if numbers.largest:
            picture = numbers.picture + self.picture_offset & numbers.largest
            if self._picture is None or _follows(picture, self._picture, numbers.largest):
                self._picture = picture
        if numbers.base_at:
            base = numbers.base + self.base_offset & BASE
            if self._base is None or _follows(base, self._base, BASE):
                self._base = base

    def write(self, packet: bytearray | memoryview, numbers: Numbers) -> None:
        """Put the slot's numbers where the publisher's stand."""
        if numbers.largest:
            picture, at = numbers.picture + self.picture_offset & numbers.largest, numbers.picture_at
            if numbers.largest == LONG_PICTURE:
                packet[at], packet[at + 1] = LONG | picture >> 8, picture & 0xFF
            else:
                packet[at] = picture
        if numbers.base_at:
            packet[numbers.base_at] = numbers.base + self.base_offset & BASE


def _follows(number: int, other: int, largest: int) -> bool:
    """Whether a number is newer, on a circle."""
    return 0 < (number - other & largest) <= largest // 2
