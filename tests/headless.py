"""A headless participant: real STUN, DTLS, SRTP over a real UDP socket, no decoder.

It offers what a browser's page offers, sends VP8 and Opus packets whose payload says who sent them,
gives a keyframe when asked for one, and notes what arrives in which slot.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from aioice import stun as ice

from tests.relay.offers import AUDIO_PT, EXTENSIONS, VIDEO_PT, headless_offer, read_answer
from visits.relay import hooks, rtcp, rtp, vp8
from visits.relay.client import Joined, RelayClient

VP8_START, VP8_MORE = b"\x10", b"\x00"  # payload descriptor: S bit, partition 0
VP8_NUMBERED = struct.Struct(">BBHBB")  # and as browsers write it: X; I, L and T; M with PictureID; TL0PICIDX; TID
KEYFRAME, DELTA = b"\x00", b"\x01"  # P bit of the frame header
CHECK_EVERY = 0.5  # seconds


@dataclass
class Arrived:
    """One packet that came in, decrypted."""

    sequence: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    at: float

    @property
    def sender(self) -> str:
        return self.payload[-16:].rstrip(b"\0").decode()

    @property
    def layer(self) -> str:
        """Which layer of a simulcast it was sent in; "" if in none."""
        at = VP8_NUMBERED.size + 1
        return self.payload[at : at + 1].decode() if self.payload[at : at + 1].isalpha() else ""

    @property
    def picture(self) -> vp8.Numbers:
        """The numbers of its picture."""
        numbers = vp8.read(self.payload, 0)
        assert numbers
        return numbers


@dataclass
class Stream:
    """One stream that this participant publishes."""

    kind: str
    mid: str
    ssrc: int
    sequence: int = field(default_factory=lambda: secrets.randbelow(1 << 16))
    timestamp: int = field(default_factory=lambda: secrets.randbelow(1 << 32))
    keyframe_due: bool = True
    keyframes: int = 0
    sent: dict[int, bytes] = field(default_factory=dict)
    rid: str = ""  # which layer of a simulcast
    size: int = 20  # bytes of a frame
    stopped: bool = False
    picture: int = field(default_factory=lambda: secrets.randbelow(1 << 15))  # PictureID
    base: int = field(default_factory=lambda: secrets.randbelow(1 << 8))  # TL0PICIDX: a frame is a packet, of layer 0


class _Port(asyncio.DatagramProtocol):
    def __init__(self, take) -> None:
        self.take = take

    def datagram_received(self, data, addr) -> None:
        self.take(data)

    def error_received(self, exc) -> None:
        """An ICMP error: the relay is gone; the tests see it by what does not arrive."""


class Participant:
    """One person's page. `name` has at most 16 bytes; `layers` has the camera's layers: rid to bytes of a frame."""

    def __init__(
        self, name: str, *, slots: int = 5, pace: float = 0.02, layers: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.name = name
        self.pace = pace
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self.microphone = Stream("audio", "0", _ssrc())
        self.camera = Stream("video", "1", _ssrc())
        self.screen = Stream("video", "2", _ssrc())
        self.layers = {rid: Stream("video", "1", _ssrc(), rid=rid, size=size) for rid, size in layers.items()}
        self.slots = slots
        self.by_mid: dict[str, list[Arrived]] = defaultdict(list)  # what arrived
        self.rtcp: Counter[str] = Counter()
        self.rembs: list[int] = []
        self.nacked: list[int] = []
        self.numbered = secrets.randbelow(1 << 16)  # packets, over all streams
        self.told_at: list[float] = []  # when the relay told which of them had come
        self.sender_reports: list[rtcp.SenderReport] = []
        self.reports: list[rtcp.ReportBlock] = []
        self.closed = False  # the relay said goodbye
        self.connected = asyncio.Event()
        self.joined: Joined | None = None
        self.sharing = False
        self.quiet = False  # sends nothing at all, as a phone in a tunnel
        self._certificate = hooks.RTCCertificate.generateCertificate()
        self._tasks: list[asyncio.Task] = []
        self._mid_of: dict[int, str] = {}
        self.transport: asyncio.DatagramTransport | None = None
        self.link: hooks.SecureLink | None = None

    # ---- signalling

    def offer(self) -> str:
        """As PROTOCOL.md has it: microphone, camera, screen, then the receiving slots."""
        prints = self._certificate.getFingerprints()
        fingerprint = next(f.value for f in prints if f.algorithm == "sha-256")
        own = {s.mid: s.ssrc for s in (self.microphone, self.camera, self.screen)}
        return headless_offer(self.ufrag, self.password, fingerprint, own, self.slots, list(self.layers))

    async def join(
        self, client: RelayClient, room: str, epoch: int = 1, peer: str | None = None, node: str | None = None
    ) -> Joined:
        """Signal through the relay's client, to `node` or the only one that lives, then connect."""
        node = node or await only_node(client)
        joined = await client.join(room=room, peer=peer or self.name, epoch=epoch, sdp=self.offer(), node=node)
        await self.connect(joined)
        return joined

    async def connect(self, joined: Joined) -> None:
        """Open the port, check, shake hands, send media; returns when media can flow."""
        await self.open(joined)
        await asyncio.wait_for(self.connected.wait(), 10)

    async def open(self, joined: Joined) -> None:
        """As `connect`, without waiting for the relay."""
        self.joined = joined
        answer = read_answer(joined.sdp)
        self.relay_ufrag, self.relay_password = answer.ufrag, answer.password
        self._mid_of = answer.mid_of
        self.relay_address = answer.address
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: _Port(self._take), remote_addr=answer.address)
        self.link = hooks.SecureLink(self._certificate, self.send, self._on_closed, queue_limit=64)
        self.link._dtls._set_role("server")  # the relay is the client
        self._tasks = [
            asyncio.create_task(self._shake_hands(answer.fingerprint)),
            asyncio.create_task(self._check_for_ever()),
            asyncio.create_task(self._publish_for_ever()),
        ]

    async def move(self) -> None:
        """Go on from another local port, as after a change of network."""
        old = self.transport
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: _Port(self._take), remote_addr=self.relay_address
        )
        old.close()

    async def close(self, *, goodbye: bool = True) -> None:
        """Close the page; without `goodbye` as if its battery died."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.link is not None and goodbye:
            await self.link.close()
        if self.transport is not None:
            self.transport.close()

    # ---- transport

    def send(self, data: bytes) -> None:
        """Put a datagram on the wire as it is."""
        if not self.quiet and self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data)

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send."""
        self.send(self.link.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send."""
        self.send(self.link.protect_rtcp(packet))

    def check(self, *, nominate: bool = True, password: str | None = None) -> bytes:
        """A connectivity check, as a browser sends it."""
        message = ice.Message(ice.Method.BINDING, ice.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self.relay_ufrag}:{self.ufrag}"
        message.attributes["PRIORITY"] = 1
        message.attributes["ICE-CONTROLLING"] = secrets.randbits(64)
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((password or self.relay_password).encode())
        message.add_fingerprint()
        return bytes(message)

    async def _check_for_ever(self) -> None:
        while True:
            self.send(self.check())
            await asyncio.sleep(CHECK_EVERY if self.connected.is_set() else 0.05)

    async def _shake_hands(self, fingerprint: str) -> None:
        if await self.link.handshake([("sha-256", fingerprint)]):
            self.connected.set()

    def _on_closed(self) -> None:
        self.closed = True

    def _take(self, data: bytes) -> None:
        if self.quiet:
            return
        if 20 <= data[0] <= 63:
            self.link.feed(data)
        elif 128 <= data[0] <= 191 and self.link.ready:
            if rtp.is_rtcp(data):
                self._take_rtcp(self.link.unprotect_rtcp(data))
            else:
                self._take_rtp(self.link.unprotect(data))

    def _take_rtp(self, packet: bytes | None) -> None:
        if packet is None:
            self.rtcp["rejected"] += 1
            return
        _, second, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
        mid = self._mid_of.get(ssrc, f"unannounced {ssrc}")
        payload = packet[rtp.payload_start(packet) :]
        arrived = Arrived(sequence, timestamp, bool(second & 0x80), second & 0x7F, payload, time.monotonic())
        self.by_mid[mid].append(arrived)

    def _take_rtcp(self, packet: bytes | None) -> None:
        if packet and (packet[0] & 0x1F, packet[1]) == (rtcp.TRANSPORT_FORMAT, rtcp.RTPFB):
            self.told_at.append(time.monotonic())
        for message in rtcp.parse(packet) if packet else []:
            self.rtcp[type(message).__name__] += 1
            match message:
                case rtcp.KeyframeRequest(ssrc):
                    for stream in (self.camera, self.screen, *self.layers.values()):
                        stream.keyframe_due = stream.keyframe_due or stream.ssrc == ssrc
                case rtcp.Remb():
                    self.rembs.append(message.bitrate)
                case rtcp.Nack():
                    self.nacked += message.lost
                case rtcp.SenderReport():
                    self.sender_reports.append(message)
                case rtcp.ReportBlock():
                    self.reports.append(message)

    # ---- media

    async def _publish_for_ever(self) -> None:
        await self.connected.wait()
        turn = 0
        while True:
            self.publish(self.microphone)
            for camera in self.layers.values() or [self.camera]:
                if not camera.stopped:
                    self.publish(camera)
            if self.sharing:
                self.publish(self.screen)
            if turn % 25 == 0:
                self._report(self.camera)
            turn += 1
            await asyncio.sleep(self.pace)

    def publish(self, stream: Stream, *, skip: int = 0) -> bytes:
        """Send the next packet of a stream; `skip` numbers are lost before it."""
        clock = 48000 if stream.kind == "audio" else 90000
        stream.sequence = stream.sequence + 1 + skip & 0xFFFF
        stream.timestamp = stream.timestamp + int(clock * self.pace) & 0xFFFFFFFF
        body = stream.rid.encode() + b"\xff" * (stream.size - len(stream.rid))
        if stream.kind == "video":
            stream.picture, stream.base = stream.picture + 1 & 0x7FFF, stream.base + 1 & 0xFF
            descriptor = VP8_NUMBERED.pack(0x90, 0xE0, 0x8000 | stream.picture, stream.base, 0)
            body = descriptor + (KEYFRAME if stream.keyframe_due else DELTA) + body
            stream.keyframes += stream.keyframe_due
            stream.keyframe_due = False
        packet = self.packet(stream, body + self.name.encode().ljust(16, b"\0"))
        self.send_rtp(packet)
        return packet

    def packet(self, stream: Stream, payload: bytes) -> bytes:
        """An RTP packet with its MID, an audio level, and a transport-wide number."""
        self.numbered = self.numbered + 1 & 0xFFFF
        elements = bytes([EXTENSIONS[rtp.MID] << 4 | 0]) + stream.mid.encode()
        elements += bytes([EXTENSIONS[rtp.AUDIO_LEVEL] << 4 | 0, 30])
        elements += struct.pack(">BH", EXTENSIONS[rtp.TRANSPORT_SEQUENCE] << 4 | 1, self.numbered)
        if stream.rid:
            elements += bytes([EXTENSIONS[rtp.RID] << 4 | len(stream.rid) - 1]) + stream.rid.encode()
        elements += bytes(-len(elements) % 4)
        extension = struct.pack(">HH", rtp.ONE_BYTE_PROFILE, len(elements) // 4) + elements
        number = AUDIO_PT if stream.kind == "audio" else rtp.MARKER | VIDEO_PT
        header = rtp.HEADER.pack(0x90, number, stream.sequence, stream.timestamp, stream.ssrc)
        return header + extension + payload

    def _report(self, stream: Stream) -> None:
        ntp = int((time.time() + 2208988800) * 2**32)
        self.send_rtcp(rtcp.sender_report(rtcp.SenderReport(stream.ssrc, ntp, stream.timestamp, 1, 1)))

    def silence(self) -> None:
        """Publish nothing more; the connection stays."""
        self.publish = lambda stream, **_: b""

    # ---- what was seen

    def slot_mid(self, index: int, kind: str) -> str:
        """The m-section of a receiving slot."""
        slot = self.joined.slots[index]
        return slot.audio_mid if kind == "audio" else slot.video_mid

    def seen(self, index: int, kind: str = "video") -> list[Arrived]:
        """What arrived in a slot, in order of arrival."""
        return self.by_mid[self.slot_mid(index, kind)]

    async def sees(
        self, sender: str, index: int, kind: str = "video", *, since: float = 0.0, within: float = 5
    ) -> None:
        """Wait until a packet of `sender` came into the slot after `since`. AssertionError if none does."""
        await eventually(lambda: any(p.sender == sender and p.at > since for p in self.seen(index, kind)), within)


async def only_node(client: RelayClient) -> str:
    """The relay node that lives."""
    [node] = [node for node, pulse in (await client.pulses()).items() if not pulse.is_dead]
    return node


async def eventually(true, within: float = 5.0) -> None:
    """Wait until ``true()``. AssertionError if that does not come."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.02)


def _ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFE) + 1


def numbered_on(packets: list[Arrived]) -> bool:
    """Whether pictures are numbered upward, one by one but for a little jump where another one begins."""
    steps = [
        ((b.picture.picture - a.picture.picture) & 0x7FFF, (b.picture.base - a.picture.base) & 0xFF)
        for a, b in pairwise(packets)
    ]
    return all(picture == base and 1 <= picture <= 3 for picture, base in steps)
