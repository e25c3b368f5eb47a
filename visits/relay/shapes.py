"""Header extensions rewritten by rote: what differs between two packets of a stream is only the values. No I/O.

A shape is all of a packet's header that does not carry values: which extension elements stand where. It is read
once, from a packet that went the portable way, and what `rtp.rewrite_extensions` did to that packet is remembered.
A packet of the same shape is then recognised, and rewritten, by a few masks:

* most have two or three words of elements (8 or 12 bytes): `front` and `tail`, big-endian numbers of 8 and 4 bytes,
  which are read and written along with the fixed header;
* any other is `odd`: `checks` and `Rewrite.changes` go through it by 32-bit words, little-endian as the machine is,
  counted from the start of the packet.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from visits.relay import rtp

SHORTEST_TAG = 10  # bytes that SRTP adds at least (AES_CM_128_HMAC_SHA1_80)
FRONT, TAIL = 8, 4  # bytes
ELEMENTS = rtp.HEADER.size + 4  # where they begin in a packet without CSRCs
LAST_CLOCK = ELEMENTS + FRONT - rtp.CLOCK_BYTES  # byte at which abs-send-time can be in the front
NO_CLOCK = NO_SHIFT = -1

Change = tuple[int, int, int]  # word, bits of it that stay, bits to put in


class Rewrite:
    """What to do to a packet of one shape for one receiver."""

    __slots__ = ("changes", "clock_at", "front_keep", "front_put", "tail_keep", "tail_put")

    def __init__(self, changes: tuple[Change, ...], clock_at: int) -> None:
        self.changes = changes
        self.clock_at = clock_at  # byte at which the time of departure goes, or NO_CLOCK
        self.front_keep, self.tail_keep, self.front_put, self.tail_put = _halves(changes, 0xFF)
        if ELEMENTS <= clock_at <= LAST_CLOCK:
            self.front_keep &= ~clock_in_front(0xFFFFFF, clock_at)


class Shape(Rewrite):
    """One shape of one stream, and what its receivers want made of it: the last one as the shape itself has it."""

    __slots__ = (
        "arrival_at", "arrival_shift", "block", "checks", "clocks", "front", "front_mask", "head", "identity",
        "rewrites", "shortest", "start", "tail", "tail_mask", "words",
    )  # fmt: skip

    def __init__(self, packet: bytes, publisher: Mapping[str, int], receivers: Sequence[Mapping[int, int]]) -> None:
        """Of a packet; ValueError if it has none. `publisher` has ids by URI, `receivers` theirs by those."""
        self.start = rtp.payload_start(packet)
        self.shortest = self.start + SHORTEST_TAG
        self.head = packet[0] << 8 | packet[1] & 0x7F  # the first two bytes without the marker
        header = packet[: self.start]
        elements = list(rtp.extensions(packet))
        self.checks = tuple(
            (at, mask, word & mask)
            for (at, mask), (_, word) in zip(_words(_structure(header, elements)), _words(header), strict=True)
            if mask
        )
        self.arrival_at = _value_at(elements, publisher.get(rtp.TRANSPORT_SEQUENCE), 2)
        clock = publisher.get(rtp.ABS_SEND_TIME, 0)
        clock_at = _value_at(elements, clock, rtp.CLOCK_BYTES) or NO_CLOCK
        wanted = [(_changes(header, ids), clock_at if clock in ids else NO_CLOCK) for ids in receivers]
        self.identity = self.head, self.checks, self.start, self.arrival_at, clock_at, tuple(wanted)
        super().__init__(*(wanted.pop() if wanted else ((), NO_CLOCK)))
        each = {one: Rewrite(*one) for one in wanted}
        self.rewrites = [each[one] for one in wanted]  # for all receivers but the last
        size = self.start - ELEMENTS
        plain = packet[0] & 0x1F == 0x10 and size in (FRONT, FRONT + TAIL) and clock_at <= LAST_CLOCK
        self.words = size // 4 if plain else 0  # 0: odd
        behind = ELEMENTS + FRONT - self.arrival_at - 2  # bytes of the front after the transport-wide number
        self.arrival_shift = 8 * behind if plain and self.arrival_at and behind >= 0 else NO_SHIFT
        self.clocks = {clock_at} if plain and clock_at != NO_CLOCK else set()  # bytes at which time stands in the front
        self.block = int.from_bytes(header[rtp.HEADER.size : ELEMENTS], "big") if plain else -1
        self.front_mask, self.tail_mask, self.front, self.tail = _halves(self.checks, 0)

    def fits(self, words: memoryview, begin: int) -> bool:
        """Whether the packet that begins at that word has this shape from its SSRC on."""
        return all(words[begin + at] & mask == word for at, mask, word in self.checks)


def clock_in_front(clock: int, at: int) -> int:
    """The three bytes of `clock`, as `front` has them at byte `at` of the packet."""
    return clock << 8 * (ELEMENTS + FRONT - rtp.CLOCK_BYTES - at)


def _structure(header: bytes, elements: Sequence[tuple[int, int, int]]) -> bytes:
    """Ones for each bit of the extension block that is no value, zeros for the rest of the header."""
    block = rtp.HEADER.size + 4 * (header[0] & 0x0F)
    mask = bytearray(block) + bytearray(b"\xff" * (len(header) - block))
    if len(mask) > block and struct.unpack_from(">H", header, block)[0] != rtp.ONE_BYTE_PROFILE:
        raise ValueError("extension elements of a kind that was not agreed on")
    for _, at, length in elements:
        mask[at + 1 : at + 1 + length] = bytes(length)
    return bytes(mask)


def _value_at(elements: Sequence[tuple[int, int, int]], wanted: int | None, size: int) -> int:
    """Where the value of the first element with that id begins; 0 if there is none of that size."""
    for number, at, length in elements:
        if number == wanted:
            return at + 1 if length == size else 0
    return 0


def _changes(header: bytes, ids: Mapping[int, int]) -> tuple[Change, ...]:
    """What `rtp.rewrite_extensions` changes: found by letting it rewrite two headers that differ in every value."""
    twin = bytearray(header)
    for _, at, length in rtp.extensions(header):
        twin[at + 1 : at + 1 + length] = bytes(byte ^ 0xFF for byte in header[at + 1 : at + 1 + length])
    pairs = []
    for packet in (bytearray(header), twin):
        before = _words(packet)
        rtp.rewrite_extensions(packet, ids)
        pairs.append([(at, old, new) for (at, old), (_, new) in zip(before, _words(packet), strict=True)])
    changes = []
    for (at, old, new), (_, inverse, other) in zip(*pairs, strict=True):
        keep = ~(old ^ new) & ~(inverse ^ other) & 0xFFFFFFFF
        if keep != 0xFFFFFFFF:
            changes.append((at, keep, new & ~keep & 0xFFFFFFFF))
    return tuple(changes)


def _words(data: bytes | bytearray) -> list[tuple[int, int]]:
    """The 32-bit words behind the fixed header, by their number."""
    return [(at // 4, int.from_bytes(data[at : at + 4], "little")) for at in range(rtp.HEADER.size, len(data), 4)]


def _halves(words: Sequence[Change], outside: int) -> tuple[int, int, int, int]:
    """The first and second number of each change, as `front` and `tail`; `outside` stands where there is none."""
    first, second = bytearray([outside]) * (FRONT + TAIL), bytearray(FRONT + TAIL)
    for at, one, two in words:
        byte = 4 * at - ELEMENTS
        if 0 <= byte < FRONT + TAIL:
            first[byte : byte + 4], second[byte : byte + 4] = one.to_bytes(4, "little"), two.to_bytes(4, "little")
    ones, twos = int.from_bytes(first, "big"), int.from_bytes(second, "big")
    return ones >> 8 * TAIL, ones & (1 << 8 * TAIL) - 1, twos >> 8 * TAIL, twos & (1 << 8 * TAIL) - 1
