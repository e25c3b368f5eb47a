"""What a slot sent lately: kept to be sent again, and so that nothing else goes out under its numbers. No I/O."""

from __future__ import annotations

from typing import Protocol

KEPT = 512  # packets, a power of two; some two seconds of 720p video
RESEND_PAUSE = 0.1  # seconds; one lost packet named twice within this time is sent once: the first is on its way


class Packets(Protocol):
    """Where the batched path has left packets that it sent."""

    def read(self, reference: int) -> bytes | None:
        """The packet, unless its place was used again since."""


class Sent:
    """The last KEPT sequence numbers of a slot."""

    def __init__(self) -> None:
        # By sequence number modulo KEPT: number and packet, or where `packets` has the packet.
        self.entries: list[tuple[int, bytes] | int | None] = [None] * KEPT
        self.packets: Packets | None = None
        self._resent: dict[int, float] = {}

    def keep(self, sequence: int, packet: bytes) -> None:
        """Note a packet that was sent."""
        self.entries[sequence % KEPT] = (sequence, packet)

    def skip(self, sequence: int, count: int) -> None:
        """Note that nothing was sent under so many numbers from `sequence` on: what comes late for them may go out.

        Without, the older packets at their places would stand in the way once they cannot be read any more.
        """
        for number in range(sequence, sequence + min(count, KEPT)):
            self.entries[number % KEPT] = None

    def holds(self, sequence: int) -> bool:
        """Whether a packet was sent under that number; True also where that cannot be told any more."""
        entry = self.entries[sequence % KEPT]
        if isinstance(entry, int):
            packet = self._read(entry)
            return packet is None or _number(packet) == sequence
        return entry is not None and entry[0] == sequence

    def again(self, sequence: int, now: float) -> bytes | None:
        """The packet that was sent under that number; None if it is not here, b"" if it was resent just now."""
        place = sequence % KEPT
        entry = self.entries[place]
        packet = self._read(entry) if isinstance(entry, int) else entry[1] if entry is not None else None
        number = entry[0] if isinstance(entry, tuple) else _number(packet) if packet is not None else None
        if number != sequence:
            return None
        if now - self._resent.get(place, float("-inf")) < RESEND_PAUSE:
            return b""
        self._resent[place] = now
        return packet

    def _read(self, reference: int) -> bytes | None:
        return self.packets.read(reference) if self.packets is not None else None


def _number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")  # in the clear under SRTP, too
