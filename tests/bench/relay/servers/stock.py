"""aiortc's MediaRelay."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from tests.bench.relay.lines import ask, ready
from tests.bench.relay.peer import Peer
from tests.bench.relay.servers import Server


class Stock(Server):
    """The program is stock.py."""

    title = "aiortc's MediaRelay"
    transcodes = True

    @classmethod
    def version(cls) -> str:
        return f"aiortc {version('aiortc')}, PyAV {version('av')}"

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.bench.relay.stock"]
        await ready(self.run(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        assert self.process is not None
        peer = Peer(self.host)
        offer = peer.offer([("audio", "sendrecv"), ("video", "sendrecv")])
        answer = await ask(self.process, room=room, sdp=offer)
        await peer.take_answer(answer["sdp"])
        return [peer]
