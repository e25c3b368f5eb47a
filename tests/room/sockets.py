"""A page's socket in a test: the whole ASGI application, from Origin check to consumer."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from tests.headless import Participant
from tests.live.tickets import offered
from tests.settle import settle
from visits.relay.client import Joined, SlotMids

ORIGIN = "http://localhost"


class Page:
    """One open room page: ``async with Page(client, path) as page``."""

    def __init__(self, client: Client, path: str, *, origin: str = ORIGIN, name: str = "page") -> None:
        cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
        headers = [(b"origin", origin.encode()), (b"host", b"localhost")]
        if cookie:
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
        from telehealth.asgi import application

        self.client = client
        self.scope: dict[str, Any] = {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
        self.socket = ApplicationCommunicator(application, self.scope)
        self.number = 0
        self.seq = 0
        self.heard: list[dict[str, Any]] = []
        self.person = Participant(name, pace=0.1)
        self.code: int | None = None

    async def __aenter__(self) -> Self:
        self.scope["subprotocols"] = await offered(self.client, self.scope["path"])
        await self.socket.send_input({"type": "websocket.connect"})
        self.accepted = (await self.socket.receive_output(timeout=10))["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.person.close()
        if self.code is None:
            await self.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.socket.wait(timeout=10)
        await settle()

    async def send(self, kind: str, **fields: Any) -> int:
        self.number += 1
        await self.send_text(json.dumps({"type": kind, "id": self.number, **fields}))
        return self.number

    async def send_text(self, frame: str) -> None:
        await self.socket.send_input({"type": "websocket.receive", "text": frame})

    async def next(self, within: float = 10) -> dict[str, Any] | None:
        """The next message; None when the socket is closed, and then ``code`` says how."""
        output = await self.socket.receive_output(timeout=within)
        if output["type"] == "websocket.close":
            self.code = output["code"]
            # As the server does at once, whether or not the other side closes too.
            await self.socket.send_input({"type": "websocket.disconnect", "code": self.code})
            return None
        message = json.loads(output["text"])
        assert message["seq"] == self.seq + 1, "numbers have no gaps"
        self.seq = message["seq"]
        self.heard.append(message)
        return message

    async def until(self, kind: str, true: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next message of this kind for which ``true`` holds."""
        async with asyncio.timeout(10):
            while True:
                message = await self.next()
                assert message is not None, f"closed with {self.code} instead of {kind}"
                if message["type"] == kind and true(message):
                    return message

    async def until_answer(self, number: int) -> dict[str, Any]:
        """What answers this message."""
        async with asyncio.timeout(10):
            while (message := await self.next()) is not None:
                if message.get("re") == number:
                    return message
        raise AssertionError(f"closed with {self.code} instead of an answer")

    async def until_closed(self) -> int:
        async with asyncio.timeout(10):
            while await self.next() is not None:
                pass
        assert self.code is not None
        return self.code

    async def ask(self, *, audio: bool = True, video: bool = True, e2ee: bool = True) -> int:
        """Ask to join with a headless browser's offer; the number of the message."""
        return await self.send("join", sdp=self.person.offer(), audio=audio, video=video, e2ee=e2ee)

    async def join(self, *, connect: bool = True, **wishes: bool) -> dict[str, Any]:
        """Join, and connect the media."""
        await self.ask(**wishes)
        joined = await self.until("joined")
        if connect:
            slots = [SlotMids(**slot) for slot in joined["slots"]]
            await self.person.connect(Joined(joined["sdp"], slots, joined["screen_mid"], {}, None))
        return joined


def person(state: dict[str, Any], role: str) -> dict[str, Any]:
    return next(one for one in state["people"] if one["role"] == role)


def is_here(role: str) -> Callable[[dict[str, Any]], bool]:
    return lambda state: any(one["role"] == role and one["here"] for one in state["people"])


def is_gone(role: str) -> Callable[[dict[str, Any]], bool]:
    return lambda state: not is_here(role)(state)
