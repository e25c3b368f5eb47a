"""What a flood does to everybody else: latency and loss of a server's visits without one, and with one of each kind.

    python -m tests.bench.relay.flood batched --visits 20 --rate 20000

The flooder is a stranger, or one who has joined a room of their own. Calm and flooded windows take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes as c
import json
import random
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aioice import stun

from tests.bench.relay import build
from tests.bench.relay.load import Load
from tests.bench.relay.peer import Peer
from tests.bench.relay.pump import srtp_functions
from tests.bench.relay.run import own_network
from tests.bench.relay.servers import LOAD_CORE, SERVERS, server_class, use_core


class _Flood(c.Structure):
    _fields_ = [
        ("socket", c.c_int), ("rate", c.c_int), ("session", c.c_void_p), ("protect", c.c_void_p),
        ("is_rtp", c.c_int), ("count", c.c_int),
        ("datagrams", c.POINTER(c.POINTER(c.c_uint8))), ("sizes", c.POINTER(c.c_int)),
    ]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What is sent: by a stranger or by who has joined, in clear or protected each anew."""

    datagrams: Callable[[Peer], list[bytes]]
    joined: bool = False
    protect: str = ""  # "rtp", "rtcp", or not at all


def _junk(peer: Peer) -> list[bytes]:
    first = [0x80, 0x90, 0x16, 0x14, 0x00, 0x01, 0x40, 0xFF]
    return [bytes([random.choice(first)]) + random.randbytes(random.randrange(1, 1400)) for _ in range(64)]


def _checks(peer: Peer) -> list[bytes]:
    """Checks for somebody who is there, by somebody who does not know the password."""
    checks = []
    for _ in range(64):
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{peer.remote.ufrag}:{peer.local.ufrag}"
        message.attributes["PRIORITY"] = 1
        message.add_message_integrity(secrets.token_bytes(22))
        checks.append(bytes(message))
    return checks


def _handshakes(peer: Peer) -> list[bytes]:
    """DTLS records of a handshake that leads nowhere."""
    head = b"\x16\xfe\xfd" + bytes(8)
    return [head + (200).to_bytes(2, "big") + b"\x01" + random.randbytes(199) for _ in range(64)]


def _replayed(peer: Peer) -> list[bytes]:
    return [peer.protected(_rtp(peer))] * 2


def _media(peer: Peer) -> list[bytes]:
    return [_rtp(peer)]


def _rtp(peer: Peer) -> bytes:
    return bytes([0x80, peer.video.payload_type, 0, 1]) + bytes(4) + _ssrc(peer) + b"\x10\x00" + bytes(1000)


def _feedback(peer: Peer) -> list[bytes]:
    """A keyframe request, and a NACK of many packets."""
    own, other = _ssrc(peer), secrets.token_bytes(4)
    lost = b"".join(number.to_bytes(2, "big") + b"\xff\xff" for number in range(0, 1700, 17))
    nack = b"\x81\xcd" + (2 + len(lost) // 4).to_bytes(2, "big") + own + other + lost
    return [b"\x81\xce\x00\x02" + own + other, nack]


def _ssrc(peer: Peer) -> bytes:
    return (peer.video.ssrc or 0).to_bytes(4, "big")


KINDS = {
    "junk": Kind(_junk),
    "checks": Kind(_checks),
    "handshakes": Kind(_handshakes, joined=True),
    "joined-junk": Kind(_junk, joined=True),
    "replays": Kind(_replayed, joined=True),
    "media": Kind(_media, joined=True, protect="rtp"),
    "feedback": Kind(_feedback, joined=True, protect="rtcp"),
}


class Flood:
    """One flooder, who has joined but may act as a stranger."""

    def __init__(self, peer: Peer, rate: int) -> None:
        self._c = build.library(build.HERE / "flood.c")
        self._c.flood_stop.restype = c.c_uint64
        self._peer, self._rate = peer, rate
        self._fd, self._session, _ = peer.hand_over()
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.bind((peer.local.address[0], 0))
        self._stranger.connect(peer.remote.address)
        self._protect = dict(zip(("rtp", "_", "rtcp", "_"), srtp_functions(), strict=True))

    def start(self, kind: Kind) -> None:
        """Send until `stop`."""
        datagrams = kind.datagrams(self._peer)
        self._kept = [(c.c_uint8 * len(data))(*data) for data in datagrams]
        pointers = [c.cast(data, c.POINTER(c.c_uint8)) for data in self._kept]
        given = _Flood(
            self._fd if kind.joined else self._stranger.fileno(), self._rate,
            self._session if kind.protect else None, self._protect.get(kind.protect), int(kind.protect == "rtp"),
            len(datagrams), (c.POINTER(c.c_uint8) * len(pointers))(*pointers),
            (c.c_int * len(pointers))(*(len(data) for data in datagrams)),
        )  # fmt: skip
        self._c.flood_start(c.byref(given))
        self._given = given

    def stop(self) -> int:
        """How many datagrams were sent."""
        return int(self._c.flood_stop())


async def measure(given: argparse.Namespace, host: str) -> list[dict[str, Any]]:
    """For each kind of flood a window with it, and in "calm" the one before."""
    server = server_class(given.server)(host)
    load, windows = Load(server, given.visits, 2), []
    try:
        await server.start()
        await load.start()
        for name in given.kinds:
            # A fresh flooder for each: a server may have lost its patience with the last one.
            (peer,) = await server.join(f"flood-{name}", 0, 2)
            flood = Flood(peer, given.rate)
            calm = await load.window(given.seconds)
            flood.start(KINDS[name])
            begun = time.monotonic()
            window = await load.window(given.seconds)
            rate = flood.stop() / (time.monotonic() - begun)
            windows.append({"flood": name, "rate": rate, "calm": calm, **window})
            await peer.close()
        await load.stop()
        return windows
    finally:
        await server.stop()


def table(windows: list[dict[str, Any]]) -> str:
    """In Markdown: calm beside flooded."""
    lines = [
        "| flood | datagrams/s | p50, ms | p99, ms | lost, % | core used, % |", "|---|---|---|---|---|---|",
        *(f"| {window['flood']} | {window['rate']:.0f} | " + " | ".join(_beside(window)) + " |" for window in windows),
    ]  # fmt: skip
    return "\n".join(lines)


def _beside(window: dict[str, Any]) -> list[str]:
    columns = (("p50", 2, 1), ("p99", 2, 1), ("loss", 3, 100), ("core", 0, 100))
    return [
        " → ".join(f"{factor * each[name]:.{digits}f}" for each in (window["calm"], window))
        for name, digits, factor in columns
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay.flood")
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--rate", type=int, default=20_000, help="datagrams in a second")
    parser.add_argument("--seconds", type=float, default=4, help="of each window")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    host = own_network()
    use_core(LOAD_CORE)
    windows = asyncio.run(measure(given, host))
    print(json.dumps(windows) if given.json else table(windows))


if __name__ == "__main__":
    main()
