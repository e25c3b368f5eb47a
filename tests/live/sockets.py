"""A page's socket in a test: the whole ASGI application, from the Origin check to the consumer."""

import json
from typing import Any, Self

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from tests.live.tickets import offered
from tests.settle import settle

ORIGIN = "http://localhost"


class Socket:
    """One open socket: ``async with Socket(client, path) as socket``. Without ``subprotocols`` it fetches a ticket."""

    def __init__(
        self, client: Client, path: str, *, origin: str | None = ORIGIN, subprotocols: list[str] | None = None
    ) -> None:
        from telehealth.asgi import application

        headers = [(b"host", b"localhost")]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie:
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
        self.client, self.subprotocols = client, subprotocols
        self.scope: dict[str, Any] = {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
        self.communicator = ApplicationCommunicator(application, self.scope)
        self.id = self.seq = 0
        self.code: int | None = None
        self.accepted = False
        self.accepted_protocol: str | None = None

    async def __aenter__(self) -> Self:
        if self.subprotocols is None:
            self.subprotocols = await offered(self.client, self.scope["path"])
        self.scope["subprotocols"] = self.subprotocols
        await self.communicator.send_input({"type": "websocket.connect"})
        first = await self.communicator.receive_output(timeout=10)
        self.accepted, self.accepted_protocol = first["type"] == "websocket.accept", first.get("subprotocol")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.communicator.send_input({"type": "websocket.disconnect", "code": self.code or 1001})
        await self.communicator.wait(timeout=10)
        await settle()

    async def send(self, kind: str, **fields: Any) -> int:
        self.id += 1
        await self.send_frame(json.dumps({"type": kind, "id": self.id, **fields}))
        return self.id

    async def send_frame(self, frame: str | bytes) -> None:
        kind = "text" if isinstance(frame, str) else "bytes"
        await self.communicator.send_input({"type": "websocket.receive", kind: frame})

    async def next(self, within: float = 10) -> dict[str, Any]:
        """The next message; ``{"type": "closed"}`` when the socket closes, and then ``code`` says how."""
        output = await self.communicator.receive_output(timeout=within)
        if output["type"] == "websocket.close":
            self.code = output["code"]
            return {"type": "closed"}
        message: dict[str, Any] = json.loads(output["text"])
        assert message["seq"] == self.seq + 1, "numbers have no gaps"
        self.seq = message["seq"]
        return message

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next message of this kind with these fields; others are passed over."""
        while True:
            message = await self.next()
            if message["type"] == kind and all(message.get(name) == value for name, value in fields.items()):
                return message
            assert message["type"] != "closed", f"closed with {self.code} instead of {kind}"

    async def until_closed(self) -> int | None:
        while (await self.next())["type"] != "closed":
            pass
        return self.code

    async def is_silent(self, seconds: float = 0.2) -> bool:
        return bool(await self.communicator.receive_nothing(timeout=seconds))
