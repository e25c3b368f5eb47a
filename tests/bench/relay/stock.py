"""What one writes with aiortc's own MediaRelay: everything is decoded and encoded again. Rooms of two.

Commands are lines of JSON on stdin, answered on stdout: ``{"room", "sdp"}`` by ``{"sdp"}``.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from tests.bench.relay.lines import serve


class Stock:
    """The rooms and who is in them."""

    def __init__(self) -> None:
        self.relay = MediaRelay()
        self.rooms: dict[str, list[RTCPeerConnection]] = defaultdict(list)

    async def command(self, given: dict[str, Any]) -> dict[str, Any]:
        """Somebody joins; from the second on both see each other."""
        own = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        await own.setRemoteDescription(RTCSessionDescription(given["sdp"], "offer"))
        for transceiver in own.getTransceivers():
            transceiver.direction = "sendrecv"
        for other in self.rooms[given["room"]]:
            self.show(own, other)
            self.show(other, own)
        self.rooms[given["room"]].append(own)
        await own.setLocalDescription(await own.createAnswer())
        return {"sdp": own.localDescription.sdp}

    def show(self, publisher: RTCPeerConnection, receiver: RTCPeerConnection) -> None:
        for source in publisher.getTransceivers():
            for target in receiver.getTransceivers():
                if source.kind == target.kind:
                    target.sender.replaceTrack(self.relay.subscribe(source.receiver.track))


async def main() -> None:
    await serve(Stock().command)


if __name__ == "__main__":
    asyncio.run(main())
