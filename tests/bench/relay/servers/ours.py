"""Our relay as it runs in production: a process of its own, joined through Redis."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from telehealth.embedded import start_valkey, stop
from tests.bench.relay.peer import Peer
from tests.bench.relay.servers import Server
from visits.relay.client import RelayClient

# What the page offers: microphone, camera, screen, then five slots, and one for the screen (PROTOCOL.md).
SECTIONS = [("audio", "sendonly"), ("video", "sendonly"), ("video", "sendonly")]
SECTIONS += [("audio", "recvonly")] * 5 + [("video", "recvonly")] * 6
LIMITS = "max_rooms=2000,max_peers=4000,cpu=9,late=9,bits_per_second=9000000000"  # the bench decides what is enough


class Batched(Server):
    """By system calls for many packets at once, SRTP in place."""

    title = "ours, batched"
    path = "batched"

    @classmethod
    def version(cls) -> str:
        return f"aiortc {version('aiortc')}, pylibsrtp {version('pylibsrtp')}, Numba {version('numba')}"

    async def start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tb-"))
        self._valkey, url = start_valkey(self._folder)
        secret = secrets.token_urlsafe(32)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TELEHEALTH_")}
        own = {
            "REDIS_URL": url, "RELAY_SECRET": secret, "RELAY_PORT": "0", "RELAY_PATH": self.path,
            "RELAY_BIND": self.host, "RELAY_PUBLIC_IP": self.host, "RELAY_LIMITS": LIMITS,
        }  # fmt: skip
        environment = clean | {f"TELEHEALTH_{name}": value for name, value in own.items()}
        process = self.run([sys.executable, "-m", "visits.relay"], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("relay "):
            raise RuntimeError(f"the relay did not start: {line}")
        self._node = line.split()[1]
        self._client = RelayClient(url, secret, timeout=20)

    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        peer = Peer(self.host)
        joined = await self._client.join(room=room, peer=str(seat), epoch=1, sdp=peer.offer(SECTIONS), node=self._node)
        await peer.take_answer(joined.sdp)
        return [peer]

    async def stop(self) -> None:
        await super().stop()
        await self._client.aclose()
        stop(self._valkey)
        shutil.rmtree(self._folder, ignore_errors=True)


class Portable(Batched):
    """By pylibsrtp's public functions and plain sockets."""

    title = "ours, portable"
    path = "portable"
