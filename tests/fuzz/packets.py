"""STUN, DTLS, RTP and RTCP that are nearly right: each field is known and may be odd by itself."""

import hashlib
import hmac
import struct
import zlib

from tests.fuzz.mutate import Mutator
from tests.headless import Participant
from tests.relay.offers import EXTENSIONS, RTX_PT, VIDEO_PT
from visits.relay import rtcp, rtp

MAGIC = 0x2112A442
USERNAME, INTEGRITY, FINGERPRINT = 0x0006, 0x0008, 0x8028
ATTRIBUTES = (0x0001, 0x0006, 0x0009, 0x0014, 0x0015, 0x0020, 0x0024, 0x0025, 0x8022, 0x8029, 0x802A, 0xC057, 0x7777)
PAYLOAD_TYPES = (0, 63, VIDEO_PT, VIDEO_PT, VIDEO_PT, RTX_PT, 111, 111, 127)


def stun(mutator: Mutator, username: str, password: str) -> bytes:
    """A request with any attributes, and at times with the right password: then it is authentic whatever it says."""
    chance = mutator.chance
    attributes = [(USERNAME, username.encode())]
    for _ in range(chance.randrange(6)):
        attributes.append((chance.choice(ATTRIBUTES), chance.randbytes(chance.choice((0, 1, 3, 4, 8, 8, 20, 200)))))
    chance.shuffle(attributes)
    body = b""
    for kind, value in attributes:
        length = len(value) if chance.random() < 0.95 else int.from_bytes(mutator.edge(2), "big")
        body += struct.pack(">HH", kind, length) + value + bytes(-len(value) % 4)
    kind = 0x0001 if chance.random() < 0.9 else int.from_bytes(mutator.edge(2), "big") & 0x3FFF
    transaction = chance.randbytes(12)

    def head(length: int) -> bytes:
        return struct.pack(">HHI", kind, length & 0xFFFF, MAGIC) + transaction

    if chance.random() < 0.8:
        key = password if chance.random() < 0.8 else "wrong"
        mac = hmac.new(key.encode(), head(len(body) + 24) + body, hashlib.sha1).digest()
        body += struct.pack(">HH", INTEGRITY, 20) + mac
    if chance.random() < 0.6:
        crc = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
        body += struct.pack(">HHI", FINGERPRINT, 4, crc if chance.random() < 0.8 else 0)
    message = head(len(body)) + body
    return message if chance.random() < 0.7 else mutator.octets([message])


def dtls_record(mutator: Mutator) -> bytes:
    """A record of any type, with a handshake message in it or anything."""
    chance = mutator.chance
    kind = chance.choice((20, 21, 22, 22, 22, 23, 24, 25, 63))
    version = chance.choice((b"\xfe\xff", b"\xfe\xfd", b"\xfe\xfc", b"\x03\x03"))
    body = chance.randbytes(chance.choice((0, 1, 2, 12, 50, 300)))
    if kind == 22:
        length = chance.choice((len(body), 0, 0xFFFFFF, 12))
        fragment = chance.choice((len(body), 0, 0xFFFFFF))
        body = struct.pack(">B", chance.randrange(25)) + length.to_bytes(3, "big") + mutator.edge(2) \
            + bytes(3) + fragment.to_bytes(3, "big") + body  # fmt: skip
    elif kind == 21:
        body = bytes([chance.choice((0, 1, 2, 9)), chance.choice((0, 10, 40, 100, 255))])
    stated = len(body) if chance.random() < 0.8 else int.from_bytes(mutator.edge(2), "big")
    return bytes([kind]) + version + mutator.edge(2) + chance.randbytes(6) + struct.pack(">H", stated) + body


def media(mutator: Mutator, person: Participant) -> bytes:
    """An RTP packet of one of the person's streams, or of a stream that nobody has announced."""
    chance = mutator.chance
    stream = chance.choice((person.camera, person.camera, person.camera, person.microphone, person.screen))
    stream.sequence = stream.sequence + chance.choice((1, 1, 1, 1, 1, 2, 3, 61, 500, 0x7FFF, 0xFFFF)) & 0xFFFF
    ssrc = stream.ssrc if chance.random() < 0.95 else 7_000_000 + chance.randrange(60)
    elements = extension(mutator, stream.mid) if chance.random() < 0.8 else b""
    csrcs = chance.choice((0, 0, 0, 0, 1, 15))
    padding = chance.random() < 0.05
    first = 0x80 | (0x20 if padding else 0) | (0x10 if elements else 0) | csrcs
    second = chance.choice(PAYLOAD_TYPES) | (0x80 if chance.random() < 0.3 else 0)
    payload = descriptor(mutator) + chance.randbytes(chance.choice((0, 1, 20, 20, 200, 1100, 1500)))
    if padding:
        payload += bytes([chance.choice((0, 1, 5, 200, 255))])
    header = rtp.HEADER.pack(first, second, stream.sequence, chance.getrandbits(32), ssrc)
    return header + chance.randbytes(4 * csrcs) + elements + payload


def extension(mutator: Mutator, mid: str) -> bytes:
    """A header extension: one-byte elements, two-byte ones, or a shape of its own."""
    chance = mutator.chance
    known = [
        bytes([EXTENSIONS[rtp.MID] << 4]) + mid.encode(),
        bytes([EXTENSIONS[rtp.AUDIO_LEVEL] << 4]) + chance.randbytes(1),
        bytes([EXTENSIONS[rtp.ABS_SEND_TIME] << 4 | 2]) + chance.randbytes(3),
        bytes([chance.randrange(256)]) + chance.randbytes(chance.randrange(17)),
        bytes(chance.randrange(4)),
        b"\xf0\x00",
    ]
    data = b"".join(chance.choice(known) for _ in range(chance.randrange(6)))
    data += bytes(-len(data) % 4)
    words = len(data) // 4 if chance.random() < 0.9 else int.from_bytes(mutator.edge(2), "big")
    profile = rtp.ONE_BYTE_PROFILE if chance.random() < 0.85 else chance.choice((0x1000, 0x100F, 0, 0xFFFF))
    return struct.pack(">HH", profile, words) + data


def descriptor(mutator: Mutator) -> bytes:
    """The beginning of a VP8 payload, cut off anywhere."""
    chance = mutator.chance
    whole = bytes([chance.choice((0x10, 0x00, 0x90, 0x80, 0xFF, chance.randrange(256)))]) + chance.randbytes(6)
    return whole[: chance.choice((0, 1, 2, 3, 7, 7, 7))]


def control(mutator: Mutator, streams: list[int]) -> bytes:
    """A compound RTCP packet; `streams` are SSRCs that mean something to the relay."""
    chance = mutator.chance
    parts = [_report(mutator, streams) for _ in range(chance.choice((1, 1, 2, 3, 70)))]
    packet = b"".join(parts)
    return packet if chance.random() < 0.7 else mutator.octets([packet])


def _report(mutator: Mutator, streams: list[int]) -> bytes:
    chance = mutator.chance
    ssrc = chance.choice(streams) if chance.random() < 0.9 else chance.getrandbits(32)
    word = lambda: int.from_bytes(mutator.edge(4), "big")  # noqa: E731
    block = rtcp.ReportBlock(ssrc, word(), word(), word(), word(), word())
    match chance.randrange(9):
        case 0:
            return rtcp.sender_report(rtcp.SenderReport(ssrc, word() << 32 | word(), word(), word(), word()))
        case 1:
            return rtcp.receiver_report([block] * chance.choice((0, 1, 5, 31)))
        case 2:
            first = chance.randrange(1 << 16)
            return rtcp.nack(ssrc, range(first, min(65536, first + chance.choice((1, 17, 300))), chance.choice((1, 3))))
        case 3:
            return rtcp.pli(ssrc)
        case 4:
            return rtcp.remb(chance.choice((0, 1, 300_000, 1 << 40, 1 << 81)), [ssrc] * chance.choice((0, 1, 6, 255)))
        case 5:
            entries = b"".join(struct.pack(">II", ssrc, word()) for _ in range(chance.randrange(40)))
            return _stated(mutator, 206, 4, struct.pack(">II", 1, 0) + entries)
        case 6:
            return _stated(mutator, 205, 15, struct.pack(">II", 1, ssrc) + chance.randbytes(4 * chance.randrange(20)))
        case 7:
            return _stated(mutator, 203, chance.randrange(32), struct.pack(">I", ssrc))
        case _:
            body = chance.randbytes(4 * chance.randrange(12))
            return _stated(mutator, chance.randrange(192, 224), chance.randrange(32), body)


def _stated(mutator: Mutator, kind: int, count: int, body: bytes) -> bytes:
    words = len(body) // 4 if mutator.chance.random() < 0.9 else int.from_bytes(mutator.edge(2), "big")
    return struct.pack(">BBH", 0x80 | count, kind, words) + body
