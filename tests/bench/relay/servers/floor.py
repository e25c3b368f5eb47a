"""The loop in C."""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.bench.relay.description import Transport
from tests.bench.relay.lines import ask, ready
from tests.bench.relay.peer import Peer
from tests.bench.relay.servers import Server
from visits.relay.pacing import INTERVAL

TICK = int(1e6 * INTERVAL)  # microseconds, as our relay's under load


class Floor(Server):
    """Its handshakes are ours, its loop is floor.c."""

    title = "loop in C, same batching"

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("gcc") else "gcc"

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.bench.relay.floor", self.host]
        await ready(self.run(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        assert self.process is not None
        peer = Peer(self.host)
        peer.offer([("audio", "sendonly"), ("video", "sendonly")])
        given = {"audio": peer.audio.ssrc, "video": peer.video.ssrc, "fingerprint": peer.local.fingerprint}
        answer = await ask(self.process, room=room, **given)
        answer["address"] = tuple(answer["address"])
        await peer.connect(Transport(**answer))
        return [peer]

    async def settle(self) -> list[Peer]:
        assert self.process is not None
        await ask(self.process, start=TICK)
        return []
