"""The floor as a process: handshakes as our relay does them, then the loop of floor.c.

Commands are lines of JSON on stdin, answered on stdout: ``{"room", "ufrag", "fingerprint", "audio", "video"}``
(SSRCs) by ``{"ufrag", "password", "fingerprint", "address"}``, ``{"start": microseconds}`` by ``{}``.
"""

from __future__ import annotations

import asyncio
import ctypes as c
import secrets
import socket
import sys
from typing import Any

from pylibsrtp._binding import ffi

from tests.bench.relay import build
from tests.bench.relay.lines import serve
from tests.bench.relay.pump import srtp_functions
from visits.relay import hooks, stun
from visits.relay.udp import bind

Address = tuple[str, int]


class _Receiver(c.Structure):
    _fields_ = [("tx", c.c_void_p), ("to", c.c_uint8 * 16), ("ssrc", c.c_uint32 * 2)]


class _Source(c.Structure):
    _fields_ = [
        ("from_", c.c_uint8 * 16), ("rx", c.c_void_p), ("ssrc", c.c_uint32 * 2), ("receivers", c.c_uint32),
        ("receiver", _Receiver * 8),
    ]  # fmt: skip


class Member:
    """One who joined, with the SSRCs of their picture and sound."""

    def __init__(self, room: str, ssrcs: tuple[int, int], floor: Floor) -> None:
        self.room, self.ssrcs = room, ssrcs
        self.password = secrets.token_hex(12)
        self.address: Address | None = None
        self._socket = floor.socket
        self.link = hooks.SecureLink(floor.certificate, self._send, lambda: None, queue_limit=32)

    def _send(self, data: bytes) -> None:
        if self.address is not None:
            self._socket.sendto(data, self.address)


class Floor:
    """Python's part: it shakes hands, and later answers the checks."""

    def __init__(self, host: str) -> None:
        self.c = build.library(build.HERE / "floor.c")
        self.socket = bind(host, 0)
        self.certificate = hooks.Certificates().current()
        self.by_ufrag: dict[str, Member] = {}
        self.by_address: dict[Address, Member] = {}
        self.tasks: list[asyncio.Task[Any]] = []
        asyncio.get_running_loop().add_reader(self.socket, self.read)

    async def command(self, given: dict[str, Any]) -> dict[str, Any]:
        if "start" in given:
            await asyncio.gather(*self.tasks)
            self.start(given["start"])
            return {}
        ufrag, member = secrets.token_hex(4), Member(given["room"], (given["video"], given["audio"]), self)
        self.by_ufrag[ufrag] = member
        self.tasks.append(asyncio.create_task(self.handshake(member, given["fingerprint"])))
        return {
            "ufrag": ufrag, "password": member.password, "fingerprint": member.link.fingerprint,
            "address": self.socket.getsockname(),
        }  # fmt: skip

    async def handshake(self, member: Member, fingerprint: str) -> None:
        while member.address is None:
            await asyncio.sleep(0.005)
        await member.link.handshake([("sha-256", fingerprint)])

    def read(self) -> None:
        for _ in range(64):
            try:
                data, source = self.socket.recvfrom(2048)
            except OSError:
                return
            self.datagram(data, source)

    def datagram(self, data: bytes, source: Address) -> None:
        member = self.by_address.get(source)
        if stun.looks_like_request(data):
            member = self.by_ufrag[stun.ufrag(data)]
            check = stun.parse_check(data)
            if check.authentic(member.password):
                member.address = source
                self.by_address[source] = member
                self.socket.sendto(stun.success(check, source, member.password), source)
        elif member is not None and 20 <= data[0] <= 63:
            member.link.feed(data)

    def start(self, microseconds: int) -> None:
        """Hand the socket to the loop in C."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.socket)
        for member in self.by_address.values():
            self.c.floor_add(c.byref(self.source(member)))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        loop.add_reader(ours, self.handed_back, ours)
        self.c.floor_start(*srtp_functions(), self.socket.fileno(), theirs.detach(), microseconds)

    def source(self, member: Member) -> _Source:
        others = [x for x in self.by_address.values() if x.room == member.room and x is not member]
        source = _Source(_sockaddr(member.address), _session(member.link._dtls._rx_srtp), receivers=len(others))
        source.ssrc[:] = [socket.htonl(ssrc) for ssrc in member.ssrcs]
        for receiver, other in zip(source.receiver, others, strict=False):
            receiver.tx, receiver.to = _session(other.link._dtls._tx_srtp), _sockaddr(other.address)
            receiver.ssrc[:] = [secrets.randbits(32), secrets.randbits(32)]
        return source

    def handed_back(self, ours: socket.socket) -> None:
        data = ours.recv(4096)
        self.datagram(data[16:], (socket.inet_ntoa(data[4:8]), int.from_bytes(data[2:4], "big")))


def _session(session: Any) -> int:
    return int(ffi.cast("uintptr_t", session._srtp[0]))


def _sockaddr(address: Address | None) -> Any:
    assert address is not None
    packed = socket.AF_INET.to_bytes(2, sys.byteorder) + address[1].to_bytes(2, "big") + socket.inet_aton(address[0])
    return (c.c_uint8 * 16)(*packed)


async def main(host: str) -> None:
    await serve(Floor(host).command)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
