"""What a slot sent lately: kept to be sent again, and so that nothing else goes out under its numbers. No I/O."""

from __future__ import annotations

from array import array
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
        self.entries: dict[int, tuple[int, bytes]] = {}
        self.references: array[int] | None = None
        self.packets: Packets | None = None
        self._resent: dict[int, float] = {}

    def keep(self, sequence: int, packet: bytes) -> None:
        """Note a packet that was sent."""
        self.entries[sequence % KEPT] = (sequence, packet)
        if self.references is not None:
            self.references[sequence % KEPT] = 0

    def lie_in(self, packets: Packets) -> array[int]:
        """Let packets lie there from now on. Where each is goes into this array, whose memory stays where it is."""
        self.packets = packets
        if self.references is None:
            self.references = array("q", bytes(8 * KEPT))
        return self.references

    def skip(self, sequence: int, count: int) -> None:
        """Note that nothing was sent under so many numbers from `sequence` on: what comes late for them may go out.

        Without, the older packets at their places would stand in the way once they cannot be read any more.
        """
        self.forget(sequence, count)
        if self.references is not None:
            for number in range(sequence, sequence + min(count, KEPT)):
                self.references[number % KEPT] = 0

    def forget(self, sequence: int, count: int) -> None:
        """`skip`, where the compiled loop has seen to the references."""
        for number in range(sequence, sequence + min(count, KEPT)):
            self.entries.pop(number % KEPT, None)

    def holds(self, sequence: int) -> bool:
        """Whether a packet was sent under that number; True also where that cannot be told any more."""
        reference = self._reference(sequence)
        if reference:
            return self._lying(reference)[0] in (sequence, None)
        return self.entries.get(sequence % KEPT, (None,))[0] == sequence

    def again(self, sequence: int, now: float) -> bytes | None:
        """The packet that was sent under that number; None if it is not here, b"" if it was resent just now."""
        place = sequence % KEPT
        reference = self._reference(sequence)
        number, packet = self._lying(reference) if reference else self.entries.get(place, (None, None))
        if number != sequence:
            return None
        if now - self._resent.get(place, float("-inf")) < RESEND_PAUSE:
            return b""
        self._resent[place] = now
        return packet

    def _reference(self, sequence: int) -> int:
        """Where the newest packet at that number's place lies; 0 if it is in `entries`, or there is none."""
        return self.references[sequence % KEPT] if self.references is not None else 0

    def _lying(self, reference: int) -> tuple[int | None, bytes | None]:
        """Number and packet, unless its place was used again."""
        packet = self._read(reference)
        return (_number(packet) if packet is not None else None), packet

    def _read(self, reference: int) -> bytes | None:
        return self.packets.read(reference) if self.packets is not None else None


def _number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")  # in the clear under SRTP, too
