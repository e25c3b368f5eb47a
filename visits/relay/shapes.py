"""Header extensions rewritten by rote: what differs between two packets of a stream is only the values. No I/O.

A shape is all of a packet's header that does not carry values: which extension elements stand where. It is read
once, and from then on a packet of that shape is recognised, and rewritten for each receiver, by a few 32-bit words.
The words are little-endian, as the machine is; offsets in them count from the start of the RTP packet.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from visits.relay import rtp

SHORTEST_TAG = 10  # bytes that SRTP adds at least (AES_CM_128_HMAC_SHA1_80)


class Rewrite:
    """What to do to a packet of one shape for one receiver."""

    __slots__ = ("changes", "clock_at")

    def __init__(self, changes: tuple[tuple[int, int, int], ...], clock_at: int) -> None:
        self.changes = changes  # word, bits of it that stay, bits to put in
        self.clock_at = clock_at  # byte at which the time of departure goes; 0: nowhere


class Shape:
    """One shape of one stream, as its receivers want it."""

    __slots__ = ("arrival_at", "checks", "heads", "rewrites", "shortest", "start")

    def __init__(self, packet: bytes, publisher: Mapping[str, int], receivers: Sequence[Mapping[int, int]]) -> None:
        """Of a packet that `rtp.payload_start` accepts. `publisher` has ids by URI, `receivers` theirs by those."""
        self.start = rtp.payload_start(packet)
        self.shortest = self.start + SHORTEST_TAG
        first, second = packet[0] << 8, packet[1] & 0x7F
        # The first two bytes with and without marker, and what stays of them when the payload type is taken out.
        self.heads = {first | second: first, first | rtp.MARKER | second: first | rtp.MARKER}
        begin = rtp.HEADER.size
        values = bytearray(packet[: self.start])
        for at in range(begin, self.start):
            values[at] = 0xFF
        elements = list(rtp.extensions(packet))
        for _, at, length in elements:
            values[at + 1 : at + 1 + length] = bytes(length)
        # Every byte of the extension block that is not a value has to be as it is here. CSRCs are values.
        block = begin + 4 * (packet[0] & 0x0F)
        values[begin:block] = bytes(block - begin)
        if packet[0] & 0x10 and struct.unpack_from(">H", packet, block)[0] != rtp.ONE_BYTE_PROFILE:
            values[block + 4 : self.start] = bytes(self.start - block - 4)
        masks, words = _words(values, begin), _words(packet[: self.start], begin)
        self.checks = tuple((at, mask, word & mask) for (at, mask), (_, word) in zip(masks, words, strict=True) if mask)
        self.arrival_at = _value_at(elements, publisher.get(rtp.TRANSPORT_SEQUENCE), 2)
        clock = publisher.get(rtp.ABS_SEND_TIME, 0)
        timed = _value_at(elements, clock, rtp.CLOCK_BYTES)
        self.rewrites = tuple(
            Rewrite(_changes(packet[: self.start], begin, ids), timed if clock in ids else 0) for ids in receivers
        )


def _value_at(elements: Sequence[tuple[int, int, int]], wanted: int | None, size: int) -> int:
    """Where the value of the first element with that id begins; 0 if there is none of that size."""
    for number, at, length in elements:
        if number == wanted:
            return at + 1 if length == size else 0
    return 0


def _changes(header: bytes, begin: int, ids: Mapping[int, int]) -> tuple[tuple[int, int, int], ...]:
    """What `rtp.rewrite_extensions` changes: found by letting it rewrite two headers that differ in every value."""
    ones = bytearray(header)
    for _, at, length in rtp.extensions(header):
        ones[at + 1 : at + 1 + length] = bytes(byte ^ 0xFF for byte in header[at + 1 : at + 1 + length])
    before, other = _words(header, begin), _words(ones, begin)
    after = []
    for packet in (bytearray(header), ones):
        rtp.rewrite_extensions(packet, ids)
        after.append(_words(packet, begin))
    changes = []
    for (at, old), (_, inverse), (_, new), (_, twin) in zip(before, other, *after, strict=True):
        stays = ~(old ^ new) & ~(inverse ^ twin) & 0xFFFFFFFF
        if stays != 0xFFFFFFFF:
            changes.append((at, stays, new & ~stays & 0xFFFFFFFF))
    return tuple(changes)


def _words(data: bytes | bytearray, begin: int) -> list[tuple[int, int]]:
    """The 32-bit words from byte `begin` on, by their number."""
    return [(at // 4, int.from_bytes(data[at : at + 4], "little")) for at in range(begin, len(data), 4)]
