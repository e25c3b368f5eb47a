"""Header extensions rewritten by rote: what differs between two packets of a stream is only the values. No I/O.

A shape is all of a packet's header that does not carry values: which extension elements stand where. It is read
once, from a packet that went the portable way, and what `rtp.rewrite_extensions` did to that packet is remembered.
A packet of the same shape is then recognised, and rewritten, by a few masks (compiled.py). They go through the header
by 32-bit words, little-endian as the machine is, counted from the start of the packet.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from visits.relay import rtp

NO_CLOCK = -1

Change = tuple[int, int, int]  # word, bits of it that stay, bits to put in


class Rewrite(NamedTuple):
    """What to do to a packet of one shape for one receiver."""

    changes: tuple[Change, ...]
    clock_at: int  # byte at which the time of departure goes, or NO_CLOCK


class Shape(NamedTuple):
    """One shape of one stream, and what its receivers want made of it."""

    head: int  # the first two bytes without the marker
    start: int  # byte at which the payload begins
    arrival_at: int  # byte of the transport-wide sequence number; 0 if there is none
    checks: tuple[Change, ...]  # word, bits of it that are structure, what those are
    rewrites: tuple[Rewrite, ...]  # one for each receiver


def shape_of(packet: bytes, publisher: Mapping[str, int], receivers: Sequence[Mapping[int, int]]) -> Shape:
    """The shape of a packet; ValueError if it has none. `publisher` has ids by URI, `receivers` theirs by those."""
    start = rtp.payload_start(packet)
    header = packet[:start]
    elements = list(rtp.extensions(packet))
    checks = tuple(
        (at, mask, word & mask)
        for (at, mask), (_, word) in zip(_words(_structure(header, elements)), _words(header), strict=True)
        if mask
    )
    clock = publisher.get(rtp.ABS_SEND_TIME, 0)
    clock_at = _value_at(elements, clock, rtp.CLOCK_BYTES) or NO_CLOCK
    return Shape(
        head=packet[0] << 8 | packet[1] & 0x7F,
        start=start,
        arrival_at=_value_at(elements, publisher.get(rtp.TRANSPORT_SEQUENCE), 2),
        checks=checks,
        rewrites=tuple(Rewrite(_changes(header, ids), clock_at if clock in ids else NO_CLOCK) for ids in receivers),
    )


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
