"""A peer: ICE and DTLS-SRTP over a real socket, SDP as far as the servers want it. Its media is the pump's."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aioice import stun
from pylibsrtp._binding import ffi

from visits.relay import hooks

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
EXTENSIONS = {"audio": {AUDIO_LEVEL: 1, ABS_SEND_TIME: 2, MID: 4}, "video": {ABS_SEND_TIME: 2, MID: 4}}
AUDIO_PT, VIDEO_PT, RTX_PT = 111, 96, 97
CHECK_EVERY = 0.05  # seconds, until connected
CONSENT_EVERY = 2.5  # seconds, afterwards, as browsers do

_certificate = hooks.RTCCertificate.generateCertificate()  # one for all: making it is not what is measured


@dataclass
class Stream:
    """A published stream, or in a peer that only receives the payload type to expect."""

    mid: str
    payload_type: int
    ssrc: int = field(default_factory=lambda: secrets.randbelow(0xFFFFFFFE) + 1)
    extensions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Remote:
    """What a peer needs of the other side's description."""

    ufrag: str
    password: str
    fingerprint: str  # SHA-256
    address: tuple[str, int]

    @classmethod
    def read(cls, sdp: str) -> Remote:
        """Of an SDP with its candidates in it: the first IPv4 host candidate for UDP."""
        found: dict[str, str] = {}
        candidates = []
        for line in sdp.splitlines():
            name, _, value = line.removeprefix("a=").partition(":")
            found.setdefault(name, value)
            if name == "candidate":
                candidates.append(value.split())
        host, port = next((x[4], x[5]) for x in candidates if x[2].lower() == "udp" and "." in x[4])
        return cls(found["ice-ufrag"], found["ice-pwd"], found["fingerprint"].split()[1], (host, int(port)))


class Peer:
    """One PeerConnection of a browser: `audio` and `video` are what it publishes."""

    def __init__(self, host: str, *, publishes: bool = True) -> None:
        self.publishes = publishes
        self.audio = Stream("0", AUDIO_PT)
        self.video = Stream("1", VIDEO_PT)
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self._host = host
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((host, 0))
        self._link = hooks.SecureLink(_certificate, self._send, lambda: None, queue_limit=64)
        self._link._dtls._set_role("server")  # as the answer to an offer of actpass
        self._answered = asyncio.Event()  # a check of ours was answered
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def fingerprint(self) -> str:
        return self._link.fingerprint

    @property
    def profile(self) -> str:
        """The SRTP profile that was agreed on."""
        return bytes(self._link._dtls._ssl.get_selected_srtp_profile()).decode()

    def offer(self, directions: Sequence[tuple[str, str]]) -> str:
        """An offer with these m-sections, (kind, direction) each; the first two that send are this peer's."""
        lines = ["v=0", f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        lines.append("a=group:BUNDLE " + " ".join(str(mid) for mid in range(len(directions))))
        named = {"audio": False, "video": False}
        for mid, (kind, direction) in enumerate(directions):
            lines += self.section(kind, str(mid), direction, EXTENSIONS[kind], AUDIO_PT, VIDEO_PT)
            if direction != "recvonly":
                stream = self.audio if kind == "audio" else self.video
                ssrc = secrets.randbelow(0xFFFFFFFE) + 1  # of the screen, which is not shared
                if not named[kind]:
                    stream.mid, stream.extensions, named[kind] = str(mid), EXTENSIONS[kind], True
                    ssrc = stream.ssrc
                lines += [f"a=msid:{self.ufrag} {self.ufrag}{mid}", f"a=ssrc:{ssrc} cname:load"]
        return "\r\n".join(lines) + "\r\n"

    def section(
        self, kind: str, mid: str, direction: str, extensions: dict[str, int], audio: int, video: int
    ) -> list[str]:
        """One m-section of a description of this peer's."""
        offers = direction in ("sendrecv", "sendonly") or self.publishes
        formats = f"{audio}" if kind == "audio" else f"{video} {RTX_PT}" if offers else f"{video}"
        lines = [
            f"m={kind} {self._socket.getsockname()[1]} UDP/TLS/RTP/SAVPF {formats}", f"c=IN IP4 {self._host}",
            f"a=candidate:1 1 udp 2130706431 {self._host} {self._socket.getsockname()[1]} typ host",
            f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.password}", f"a=fingerprint:sha-256 {self.fingerprint}",
            "a=setup:actpass" if offers else "a=setup:passive", f"a=mid:{mid}", f"a={direction}",
            "a=rtcp-mux", "a=rtcp-rsize",
        ]  # fmt: skip
        lines += [f"a=extmap:{number} {uri}" for uri, number in extensions.items()]
        if kind == "audio":
            return [*lines, f"a=rtpmap:{audio} opus/48000/2", f"a=fmtp:{audio} minptime=10;useinbandfec=1"]
        lines.append(f"a=rtpmap:{video} VP8/90000")
        lines += [f"a=rtcp-fb:{video} {feedback}" for feedback in ("goog-remb", "nack", "nack pli", "ccm fir")]
        return lines + ([f"a=rtpmap:{RTX_PT} rtx/90000", f"a=fmtp:{RTX_PT} apt={video}"] if offers else [])

    async def connect(self, remote: Remote, within: float = 20) -> None:
        """Check, shake hands; returns when media can flow. TimeoutError, ConnectionError."""
        self._remote = remote
        self._socket.connect(remote.address)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._read)
        self._tasks.append(asyncio.create_task(self._check()))
        async with asyncio.timeout(within):
            await self._answered.wait()
            if not await self._link.handshake([("sha-256", remote.fingerprint)]):
                raise ConnectionError("no DTLS")

    def hand_over(self) -> tuple[int, int, int]:
        """The socket and the SRTP sessions out and in. From now on somebody else reads the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        sessions = (self._link._dtls._tx_srtp, self._link._dtls._rx_srtp)
        tx, rx = (int(ffi.cast("uintptr_t", session._srtp[0])) for session in sessions)
        return self._socket.fileno(), tx, rx

    def close(self) -> None:
        """Go without a word."""
        for task in self._tasks:
            task.cancel()
        self._socket.close()

    def datagram(self, data: bytes) -> None:
        """Take what is neither RTP nor RTCP."""
        if data[0] < 4:
            self._stun(stun.parse_message(data))
        elif 20 <= data[0] < 64:
            self._link.feed(data)

    def _stun(self, message: stun.Message) -> None:
        if message.message_class == stun.Class.RESPONSE:
            self._answered.set()
        elif message.message_class == stun.Class.REQUEST:
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = self._remote.address
            answer.add_message_integrity(self.password.encode())
            answer.add_fingerprint()
            self._send(bytes(answer))

    async def _check(self) -> None:
        tie = secrets.randbits(64)
        while True:
            message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            message.attributes["USERNAME"] = f"{self._remote.ufrag}:{self.ufrag}"
            message.attributes["PRIORITY"] = 1853759231
            message.attributes["ICE-CONTROLLING"] = tie
            message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(self._remote.password.encode())
            message.add_fingerprint()
            self._send(bytes(message))
            await asyncio.sleep(CONSENT_EVERY if self._answered.is_set() else CHECK_EVERY)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError:  # the server is not there yet, or no more
            return

    def _read(self) -> None:
        for _ in range(32):
            try:
                data = self._socket.recv(2048)
            except OSError:
                return
            if data:
                self.datagram(data)
