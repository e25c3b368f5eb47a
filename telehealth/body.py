"""Bodies that no page takes are refused while they arrive: Django writes all of one to the disk before it looks."""

from typing import Any

REFUSAL = {"type": "http.response.start", "status": 413, "headers": [(b"connection", b"close")]}


class BodyLimit:
    """An ASGI application that answers 413 (RFC 9110 §15.5.14) to who sends more than ``largest`` bytes."""

    def __init__(self, application: Any, largest: int) -> None:
        self.application = application
        self.largest = largest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        read = 0

        async def counted() -> Any:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read <= self.largest:
                return message
            await send(REFUSAL)
            await send({"type": "http.response.body"})
            return {"type": "http.disconnect"}

        await self.application(scope, counted, send)
