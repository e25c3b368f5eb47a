"""RTCP messages: a bounds-checked reader and the few packets that the relay writes. No I/O.

RFC 3550 section 6 (SR, RR), RFC 4585 (NACK, PLI), RFC 5104 (FIR), draft-alvestrand-rmcat-remb (REMB) and
draft-holmer-rmcat-transport-wide-cc-extensions-01 (transport feedback). The reader raises nothing but ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SR, RR, RTPFB, PSFB = 200, 201, 205, 206
NACK_FORMAT, PLI_FORMAT, FIR_FORMAT, AFB_FORMAT, TRANSPORT_FORMAT = 1, 1, 4, 15, 15
RELAY_SSRC = 1  # sender of the feedback that the relay writes; browsers do not check it
MAX_MESSAGES = 64  # in one datagram; a browser puts fewer than ten into it
MAX_LOST = 256  # sequence numbers taken from one NACK; the rest is not worth repairing
TICKS = 4000  # of transport feedback in a second
MAX_BLOCKS = 31  # the report count is a 5-bit field


class SenderReport(NamedTuple):
    """NTP and RTP time of one instant, and what was sent so far (packets, payload bytes)."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int


class ReportBlock(NamedTuple):
    """How stream `ssrc` arrived. `loss` holds fraction and cumulative lost, as on the wire."""

    ssrc: int
    loss: int
    highest: int
    jitter: int
    last_sr: int
    delay: int


class Nack(NamedTuple):
    """Sequence numbers that the receiver of `ssrc` misses."""

    ssrc: int
    lost: tuple[int, ...]


class KeyframeRequest(NamedTuple):
    """A PLI or a FIR: the receiver of `ssrc` cannot decode without a keyframe."""

    ssrc: int


class Remb(NamedTuple):
    """The receiver estimates that it can take `bitrate` bit/s for all of `ssrcs` together."""

    bitrate: int
    ssrcs: tuple[int, ...]


Message = SenderReport | ReportBlock | Nack | KeyframeRequest | Remb


def parse(data: bytes) -> list[Message]:
    """The messages of a compound packet that the relay acts on; others are skipped."""
    messages: list[Message] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4 or data[at] >> 6 != 2:
            raise ValueError("not an RTCP packet")
        count, kind = data[at] & 0x1F, data[at + 1]
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            raise ValueError("RTCP length exceeds the datagram")
        if len(messages) >= MAX_MESSAGES:
            raise ValueError("too many RTCP messages")
        messages.extend(_read(kind, count, data[at + 4 : end]))
        at = end
    return messages


def _read(kind: int, count: int, body: bytes) -> Iterator[Message]:
    try:
        if kind == SR:
            yield SenderReport(*struct.unpack_from(">IQIII", body))
            yield from _report_blocks(body, 24, count)
        elif kind == RR:
            yield from _report_blocks(body, 4, count)
        elif kind == RTPFB and count == NACK_FORMAT:
            yield _read_nack(body)
        elif kind == PSFB and count == PLI_FORMAT:
            yield KeyframeRequest(struct.unpack_from(">4xI", body)[0])
        elif kind == PSFB and count == FIR_FORMAT:
            for at in range(8, len(body) - 7, 8):
                yield KeyframeRequest(struct.unpack_from(">I", body, at)[0])
        elif kind == PSFB and count == AFB_FORMAT and body[8:12] == b"REMB":
            yield _read_remb(body)
    except struct.error as error:
        raise ValueError("RTCP message is too short") from error


def _report_blocks(body: bytes, at: int, count: int) -> Iterator[ReportBlock]:
    for _ in range(count):
        yield ReportBlock(*struct.unpack_from(">6I", body, at))
        at += 24


def _read_nack(body: bytes) -> Nack:
    ssrc = struct.unpack_from(">4xI", body)[0]
    lost: list[int] = []
    for at in range(8, len(body) - 3, 4):
        if len(lost) >= MAX_LOST:
            break
        first, mask = struct.unpack_from(">HH", body, at)
        lost.append(first)
        lost.extend(first + 1 + bit & 0xFFFF for bit in range(16) if mask >> bit & 1)
    return Nack(ssrc, tuple(lost[:MAX_LOST]))


def _read_remb(body: bytes) -> Remb:
    count, scaled = body[12:13], struct.unpack_from(">12xI", body)[0] & 0xFFFFFF
    if 16 + 4 * count[0] != len(body):
        raise ValueError("REMB count does not match its length")
    bitrate = (scaled & 0x3FFFF) << (scaled >> 18)
    return Remb(bitrate, struct.unpack_from(f">{count[0]}I", body, 16))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0x80 | count, kind, len(body) // 4) + body


def sender_report(report: SenderReport) -> bytes:
    """An SR without report blocks."""
    fields = (report.ssrc, report.ntp, report.timestamp, report.packets, report.octets)
    return _packet(SR, 0, struct.pack(">IQIII", *fields))


def receiver_report(blocks: Iterable[ReportBlock]) -> bytes:
    """An RR of at most 31 blocks."""
    packed = [struct.pack(">6I", b.ssrc, b.loss, b.highest, b.jitter, b.last_sr, b.delay) for b in blocks][:MAX_BLOCKS]
    return _packet(RR, len(packed), struct.pack(">I", RELAY_SSRC) + b"".join(packed))


def pli(ssrc: int) -> bytes:
    """A Picture Loss Indication (RFC 4585 section 6.3.1)."""
    return _packet(PSFB, PLI_FORMAT, struct.pack(">II", RELAY_SSRC, ssrc))


def nack(ssrc: int, lost: Iterable[int]) -> bytes:
    """A generic NACK (RFC 4585 section 6.2.1); `lost` in ascending order packs best."""
    items: list[list[int]] = []
    for sequence in lost:
        distance = (sequence - items[-1][0] - 1) & 0xFFFF if items else 16
        if distance < 16:
            items[-1][1] |= 1 << distance
        else:
            items.append([sequence, 0])
    body = b"".join(struct.pack(">HH", *item) for item in items)
    return _packet(RTPFB, NACK_FORMAT, struct.pack(">II", RELAY_SSRC, ssrc) + body)


def remb(bitrate: int, ssrcs: Iterable[int]) -> bytes:
    """A Receiver Estimated Maximum Bitrate of `bitrate` bit/s (6-bit exponent, 18-bit mantissa)."""
    wanted = tuple(ssrcs)[:255]
    exponent = max(0, min(bitrate.bit_length(), 81) - 18)
    scaled = exponent << 18 | min(bitrate >> exponent, 0x3FFFF)
    head = struct.pack(">II4sI", RELAY_SSRC, 0, b"REMB", len(wanted) << 24 | scaled)
    return _packet(PSFB, AFB_FORMAT, head + struct.pack(f">{len(wanted)}I", *wanted))


def run_feedback(media_ssrc: int, first: int, count: int, tick: int, pauses: bytes) -> bytes:
    """Transport feedback: all packets from transport-wide number `first` on arrived.

    The first came at a tick of any clock, `pauses` are the ticks between each two; `count` numbers the reports.
    """
    span = len(pauses) + 1
    head = _transport(media_ssrc, first, count, span, tick)
    return _padded(head + bytes((0x20 | span >> 8, span & 0xFF, tick & 0xFF)) + pauses)


def vector_feedback(media_ssrc: int, first: int, count: int, came: Sequence[int], ticks: Sequence[int]) -> bytes:
    """Transport feedback: which of the packets from transport-wide number `first` on arrived, and when.

    `came` has their distances from `first`, ascending, `ticks` when each came, of any clock; `count` numbers
    the reports.
    """
    span = came[-1] + 1
    return _padded(_transport(media_ssrc, first, count, span, ticks[0]) + _vectors(span, came, ticks))


def _transport(media_ssrc: int, first: int, count: int, span: int, tick: int) -> bytes:
    time = (tick >> 8 & 0xFFFFFF) << 8 | count & 0xFF
    return struct.pack(">IIHHI", RELAY_SSRC, media_ssrc, first, span, time)


def _vectors(span: int, came: Iterable[int], ticks: Sequence[int]) -> bytes:
    """Two bits for each packet, and the times of those that came."""
    last = ticks[0] & ~0xFF
    symbols = bytearray(span + -span % 7)
    deltas = bytearray()
    for distance, at in zip(came, ticks, strict=True):
        delta = max(-0x8000, min(at - last, 0x7FFF))
        last += delta
        if 0 <= delta <= 0xFF:
            symbols[distance] = 1
            deltas.append(delta)
        else:
            symbols[distance] = 2
            deltas += delta.to_bytes(2, "big", signed=True)
    chunks = bytearray()
    for at in range(0, len(symbols), 7):
        a, b, c, d, e, f, g = symbols[at : at + 7]
        chunks += (0xC000 | a << 12 | b << 10 | c << 8 | d << 6 | e << 4 | f << 2 | g).to_bytes(2, "big")
    return bytes(chunks + deltas)


def _padded(body: bytes) -> bytes:
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    return struct.pack(">BBH", 0x80 | (0x20 if padding else 0) | TRANSPORT_FORMAT, RTPFB, len(body) // 4) + body
