"""A peer: ICE and DTLS-SRTP over a real socket, SDP as far as the servers want it. Its media is the pump's."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aioice import stun
from pylibsrtp._binding import ffi

from tests.bench.relay.description import EXTENSIONS, Media, Transport, read, write
from visits.relay import hooks

CHECK_EVERY = 0.05  # seconds, until connected
CONSENT_EVERY = 2.5  # seconds, afterwards, as browsers do

_certificate = hooks.Certificates().current()  # one for all: making it is not what is measured


class Peer:
    """One PeerConnection of a browser. What it `publishes` are its first audio and video that send."""

    def __init__(self, host: str, *, publishes: bool = True) -> None:
        self.publishes = publishes
        self.audio = Media.offered("audio", 0, "sendonly")
        self.video = Media.offered("video", 1, "sendonly")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((host, 0))
        self._link = hooks.SecureLink(_certificate, self._send, lambda: None, queue_limit=64)
        self._link._dtls._set_role("server")  # every server here is, or can be, the client
        self.local = Transport(
            secrets.token_hex(4), secrets.token_hex(12), self._link.fingerprint, self._socket.getsockname()
        )
        self._controls = True
        self._answered = asyncio.Event()  # a check of ours was answered
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def profile(self) -> str:
        """The SRTP profile that was agreed on."""
        session: Any = self._link._dtls._ssl
        return bytes(session.get_selected_srtp_profile()).decode()

    def offer(self, directions: Sequence[tuple[str, str]]) -> str:
        """An offer with these m-sections, (kind, direction) each."""
        sections = [Media.offered(kind, mid, direction) for mid, (kind, direction) in enumerate(directions)]
        for media in sections:
            if media.direction != "recvonly":
                media.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.audio = next(media for media in sections if media.kind == "audio" and media.ssrc)
        self.video = next(media for media in sections if media.kind == "video" and media.ssrc)
        return write(self.local, sections, "actpass")

    async def take_answer(self, sdp: str) -> None:
        """Use what the answer to `offer` accepts, and connect."""
        remote, sections = read(sdp)
        for ours in (self.audio, self.video):
            theirs = next(media for media in sections if media.mid == ours.mid)
            ours.extensions = {uri: n for uri, n in ours.extensions.items() if uri in theirs.extensions}
        await self.connect(remote)

    def answer(self, sdp: str) -> tuple[str, Transport]:
        """The answer of one that only receives, and whom it is to connect to."""
        self._controls = False  # who offers does
        remote, sections = read(sdp)
        for media in sections:
            media.direction = "recvonly"
            media.extensions = {uri: n for uri, n in media.extensions.items() if uri in EXTENSIONS[media.kind]}
            setattr(self, media.kind, media)
        self.video.ssrc = secrets.randbelow(0xFFFFFFFE) + 1  # of its reports; it publishes nothing
        return write(self.local, [replace(media, ssrc=None) for media in sections], "passive"), remote

    async def connect(self, remote: Transport, within: float = 20) -> None:
        """Check, shake hands; returns when media can flow. TimeoutError, ConnectionError."""
        self.remote = remote
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

    def protected(self, packet: bytes) -> bytes:
        """SRTP of an RTP packet."""
        return bytes(self._link._dtls._tx_srtp.protect(packet))

    async def close(self) -> None:
        """Say goodbye and go."""
        for task in self._tasks:
            task.cancel()
        await self._link.close()
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
            answer.attributes["XOR-MAPPED-ADDRESS"] = self.remote.address
            answer.add_message_integrity(self.local.password.encode())
            answer.add_fingerprint()
            self._send(bytes(answer))

    async def _check(self) -> None:
        tie = secrets.randbits(64)
        while True:
            message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            message.attributes["USERNAME"] = f"{self.remote.ufrag}:{self.local.ufrag}"
            message.attributes["PRIORITY"] = 1853759231
            message.attributes["ICE-CONTROLLING" if self._controls else "ICE-CONTROLLED"] = tie
            if self._controls:
                message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(self.remote.password.encode())
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
