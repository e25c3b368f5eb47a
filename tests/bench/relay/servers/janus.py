"""Janus' videoroom as Debian ships it: two connections for each participant, one to publish and one to receive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, unix_connect

from tests.bench.relay.peer import Peer
from tests.bench.relay.servers import Server, package_version

PROGRAM = "janus"
LIBRARIES = "/usr/lib/x86_64-linux-gnu/janus"
CONFIGURATION = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{libraries}/plugins"
    transports_folder = "{libraries}/transports"
    events_folder = "{libraries}/none"
    loggers_folder = "{libraries}/none"
    debug_level = 2
    session_timeout = 0
    {event_loops}
}}
media: {{ }}
nat: {{ }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
"""
SOCKETS = 'general: {{ json = "compact", ws = true, ws_unix = "{folder}/ws" }}\n'
PATIENCE = 10  # seconds


class Janus(Server):
    """With its default of a thread for each connection."""

    title = "Janus, thread per connection"
    event_loops = ""

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which(PROGRAM) else PROGRAM

    @classmethod
    def version(cls) -> str:
        return f"Janus {package_version('janus')}"

    async def start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tb-"))
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[int, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._feeds: dict[str, list[int]] = defaultdict(list)  # by room, in the order of the seats
        disabled = {"plugins": _others("plugins", "videoroom"), "transports": _others("transports", "websockets")}
        general = {"folder": self._folder, "libraries": LIBRARIES, "event_loops": self.event_loops}
        (self._folder / "janus.jcfg").write_text(CONFIGURATION.format(**general, **disabled))
        (self._folder / "janus.transport.websockets.jcfg").write_text(SOCKETS.format(folder=self._folder))
        with (self._folder / "log").open("w") as log:
            self.run([PROGRAM, "-F", self._folder], stdout=log)
        while not (self._folder / "ws").exists():
            await asyncio.sleep(0.05)
        self._socket: ClientConnection = await unix_connect(
            str(self._folder / "ws"), "ws://janus", subprotocols=["janus-protocol"], max_size=None
        )
        self._reader = asyncio.create_task(self._read())

    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        number = int(room) + 1
        publisher = await self._handle()
        if seat == 0:
            settings = {"publishers": people, "bitrate": 0, "audiocodec": "opus", "videocodec": "vp8"}
            await self._send(publisher, {"request": "create", "room": number, **settings})
        joined = await self._event(publisher, {"request": "join", "ptype": "publisher", "room": number})
        self._feeds[room].append(joined["plugindata"]["data"]["id"])
        peer = Peer(self.host)
        offer = peer.offer([("audio", "sendonly"), ("video", "sendonly")])
        answer = await self._event(publisher, {"request": "publish"}, jsep={"type": "offer", "sdp": offer})
        await peer.take_answer(answer["jsep"]["sdp"])
        return [peer]

    async def settle(self) -> list[Peer]:
        """Everybody's second connection."""
        return [
            await self._subscribe(int(room) + 1, [feed for feed in feeds if feed != own])
            for room, feeds in self._feeds.items()
            for own in feeds
        ]

    async def _subscribe(self, number: int, feeds: list[int]) -> Peer:
        subscriber = await self._handle()
        streams = [{"feed": feed} for feed in feeds]
        body = {"request": "join", "ptype": "subscriber", "room": number, "streams": streams}
        offer = await self._event(subscriber, body)
        peer = Peer(self.host, publishes=False)
        answer, remote = peer.answer(offer["jsep"]["sdp"])
        await self._send(subscriber, {"request": "start"}, jsep={"type": "answer", "sdp": answer})
        await peer.connect(remote)
        return peer

    async def stop(self) -> None:
        self._reader.cancel()
        await self._socket.close()
        await super().stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    # ---- Janus' protocol

    async def _handle(self) -> tuple[int, int]:
        """A session with the videoroom attached, as each page has them."""
        session = (await self._ask({"janus": "create"}))["data"]["id"]
        attach = {"janus": "attach", "session_id": session, "plugin": "janus.plugin.videoroom"}
        return session, (await self._ask(attach))["data"]["id"]

    async def _event(self, handle: tuple[int, int], body: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The event that answers the message. RuntimeError if that is an error."""
        await self._send(handle, body, **more)
        event = await asyncio.wait_for(self._events[handle[1]].get(), PATIENCE)
        if "error" in event["plugindata"]["data"]:
            raise RuntimeError(str(event))
        return event

    async def _send(self, handle: tuple[int, int], body: dict[str, Any], **more: Any) -> None:
        session, number = handle
        await self._ask({"janus": "message", "session_id": session, "handle_id": number, "body": body, **more})

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        transaction = secrets.token_hex(6)
        answer = self._waiting[transaction] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({**message, "transaction": transaction}))
        return await asyncio.wait_for(answer, PATIENCE)

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if message["janus"] == "event":
                data = message["plugindata"]["data"]
                if "jsep" in message or "error" in data or data.get("videoroom") == "joined":
                    self._events[message["sender"]].put_nowait(message)
            elif message["janus"] in ("success", "ack", "error"):
                with contextlib.suppress(KeyError, asyncio.InvalidStateError):
                    self._waiting.pop(message["transaction"]).set_result(message)


class JanusLoop(Janus):
    """With one event loop for all, which suits a server that has one core."""

    title = "Janus, one event loop"
    event_loops = "event_loops = 1"


def _others(folder: str, wanted: str) -> str:
    names = (path.name for path in Path(LIBRARIES, folder).glob("*.so"))
    return ",".join(name for name in names if wanted not in name)
