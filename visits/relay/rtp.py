"""RTP packets as bytes: bounds, header extensions, RTX and the VP8 keyframe test. No I/O.

Every function takes bytes from the network and raises nothing but ValueError. Offsets and
lengths are in bytes. RFC 3550 (RTP), RFC 8285 (extensions), RFC 4588 (RTX), RFC 7741 (VP8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

HEADER = struct.Struct(">BBHII")  # V/P/X/CC, M/PT, sequence number, timestamp, SSRC
ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285 section 4.2
MARKER = 0x80

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
KEPT_EXTENSIONS = frozenset({MID, AUDIO_LEVEL, ABS_SEND_TIME, VIDEO_ORIENTATION})
UPWARD_EXTENSIONS = frozenset({RID, REPAIRED_RID, TRANSPORT_SEQUENCE})  # from a publisher to the relay only

CLOCK_BYTES = 3  # of abs-send-time: seconds in fixed point, 6.18 bits


def clock(now: float) -> bytes:
    """The value of abs-send-time at `now`. Only differences matter, so any clock will do."""
    return (int(now * 2**18) & 0xFFFFFF).to_bytes(CLOCK_BYTES, "big")


def is_rtcp(packet: bytes) -> bool:
    """Whether an RTP-like datagram is RTCP: second byte 192..223 (RFC 5761 section 4)."""
    return len(packet) > 1 and 192 <= packet[1] <= 223


def later(a: int, b: int) -> bool:
    """Whether 16-bit sequence number `a` comes after `b` (serial arithmetic, RFC 1982)."""
    return a != b and (a - b) & 0xFFFF < 0x8000


def payload_start(packet: bytes) -> int:
    """Offset of the payload behind CSRCs and header extension. ValueError if it does not fit."""
    if len(packet) < HEADER.size or packet[0] >> 6 != 2:
        raise ValueError("not an RTP packet")
    start = HEADER.size + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if len(packet) < start + 4:
            raise ValueError("RTP extension header is cut off")
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    if len(packet) < start:
        raise ValueError("RTP header is longer than the packet")
    return start


def extensions(packet: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """(id, offset of the element, data length) of each one-byte element (RFC 8285 section 4.2).

    Expects a packet that `payload_start` accepted. An element that would reach beyond the
    block ends the walk: the rest of the block is unreadable.
    """
    if not packet[0] & 0x10:
        return
    at = HEADER.size + 4 * (packet[0] & 0x0F)
    profile, words = struct.unpack_from(">HH", packet, at)
    at += 4
    end = at + 4 * words
    if profile != ONE_BYTE_PROFILE:
        return
    while at < end:
        identifier = packet[at] >> 4
        if packet[at] == 0:  # padding
            at += 1
            continue
        length = (packet[at] & 0x0F) + 1
        if identifier == 15 or at + 1 + length > end:
            return
        yield identifier, at, length
        at += 1 + length


def extension_value(packet: bytes, wanted: int) -> bytes | None:
    """The data of the one-byte element with id `wanted`, or None."""
    for identifier, at, length in extensions(packet):
        if identifier == wanted:
            return bytes(packet[at + 1 : at + 1 + length])
    return None


def rewrite_extensions(packet: bytearray, ids: Mapping[int, int]) -> None:
    """Give each header extension element its new id in place; blank those without one.

    Ids differ between browsers, so an id forwarded as it is would mean something else to the
    receiver. Zero bytes are padding in both element formats, so blanking keeps the length.
    """
    if not packet[0] & 0x10:
        return
    block = HEADER.size + 4 * (packet[0] & 0x0F)
    first = block + 4
    end = first + 4 * int.from_bytes(packet[block + 2 : block + 4], "big")
    kept = []
    for identifier, at, length in extensions(packet):
        new = ids.get(identifier, 0)
        if new:
            kept.append((at, bytes([new << 4 | length - 1]) + packet[at + 1 : at + 1 + length]))
    packet[first:end] = bytes(end - first)
    struct.pack_into(">H", packet, block, ONE_BYTE_PROFILE)
    for at, element in kept:
        packet[at : at + len(element)] = element


def stamp(packet: bytearray, number: int | None, now: float) -> None:
    """Let abs-send-time (extension id `number`) say `now`, if the packet carries it.

    Each leg of a packet's way is estimated by itself: the receiver shall see what the way from the relay adds.
    """
    for identifier, at, length in extensions(packet):
        if identifier == number and length == CLOCK_BYTES:
            packet[at + 1 : at + 1 + length] = clock(now)
            return


def unwrap_rtx(packet: bytes, start: int, ssrc: int, payload_type: int) -> bytes | None:
    """The original packet inside an RTX packet (RFC 4588 section 4); None if it only probes.

    Browsers send RTX packets of nothing but padding to probe the bandwidth.
    """
    padding = packet[-1] if packet[0] & 0x20 else 0
    if len(packet) - start - padding < 2:
        if len(packet) - start < padding:
            raise ValueError("RTP padding is longer than the payload")
        return None
    if len(packet) - start - padding == 2:
        return None
    original = bytearray(packet[:start] + packet[start + 2 :])
    first, second, _, timestamp, _ = HEADER.unpack_from(packet)
    sequence = int.from_bytes(packet[start : start + 2], "big")
    HEADER.pack_into(original, 0, first, second & MARKER | payload_type, sequence, timestamp, ssrc)
    return bytes(original)
