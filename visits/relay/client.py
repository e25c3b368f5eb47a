"""The web side's door to the relay: commands through Redis lists, events through pub/sub.

Every command names the node that has the room: the web side's database knows which. A command has an id. A node
acts on an id once and repeats its answer, so a command may be sent again when no answer came; its text expires when
its sender gives up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from visits.relay import wire
from visits.relay.grants import sign_grant
from visits.relay.registry import pulses
from visits.relay.wire import Joined, Pulse, RoomEvent, SlotMids, StreamFigures

__all__ = [
    "Joined",
    "Pulse",
    "RelayClient",
    "RelayRefused",
    "RelayUnavailable",
    "RoomEvent",
    "RoomEvents",
    "SlotMids",
    "StreamFigures",
]

PATIENCE = 2.0  # seconds that a command waits for its answer before it is sent again
LOOK = 0.5  # seconds between two looks at the pulse of a node that does not answer
UNKNOWN = 1.5  # seconds that a node without any pulse has: after a restart of Redis it is soon back
PAUSE = 0.2  # seconds before a lost subscription is taken up again
LISTEN = 1.0  # seconds of one read of a subscription; below the socket timeout
CONFIRM = 5.0  # seconds for a subscription to be confirmed
TAKE_BACK = 0.3  # seconds for taking a command back


class RelayUnavailable(Exception):
    """The node is dead or did not answer in time, or Redis did not. Trying again later, or another node, may help."""


class RelayRefused(Exception):
    """The relay does not carry the command out.

    `code`: ``bad-grant``, ``bad-sdp``, ``stale-epoch``, ``room-full``, ``node-full`` (it takes no new room),
    ``node-crowded`` (nor anybody new in a room that it has), ``no-peer``, ``malformed``, or ``failed`` (a mistake
    of the relay's own, which its log names).
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RelayClient:
    """Talks to relay nodes. Belongs to one event loop."""

    def __init__(self, redis_url: str, secret: str, *, timeout: float = 5.0) -> None:
        self._secret = secret
        self._timeout = timeout
        self._redis = Redis.from_url(
            redis_url,
            decode_responses=True,
            encoding_errors="replace",  # redis-py would read bytes that are no text for ever
            socket_connect_timeout=timeout,
        )

    async def pulses(self) -> dict[str, Pulse]:
        """What every node said last, by node id; one that has been dead for a minute is missing.

        Raises RelayUnavailable.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await pulses(self._redis)
        except (TimeoutError, RedisError, OSError) as error:
            _heed_cancellation()
            raise RelayUnavailable(type(error).__name__) from error

    async def join(self, *, room: str, peer: str, epoch: int, sdp: str, node: str) -> Joined:
        """Enter `room` on `node` as copy `epoch` of `peer`; an older copy there is evicted at once.

        `sdp` is the browser's offer. An epoch can be used once: the web side counts them up.
        Raises RelayUnavailable, RelayRefused.
        """
        grant = sign_grant(self._secret, node=node, room=room, peer=peer, epoch=epoch)
        answer = await self._command("join", room, node, grant=grant, sdp=sdp)
        return Joined.from_json(answer)

    async def leave(self, *, room: str, peer: str, epoch: int, node: str) -> None:
        """Take the copy out of the room. Nothing happens if it is not there, or a newer one is.

        Raises RelayUnavailable; a node that hung for some seconds carries it out all the same.
        """
        await self._command("leave", room, node, lasting=True, peer=peer, epoch=epoch)

    async def share(self, *, room: str, peer: str, epoch: int, on: bool, node: str) -> None:
        """Show everybody else the screen of this copy, or no more; one at a time, the last to begin.

        It ends with the copy. Raises RelayUnavailable, and RelayRefused ``no-peer`` if the copy is not in the room.
        """
        await self._command("share", room, node, peer=peer, epoch=epoch, on=on)

    async def prefer(self, *, room: str, peer: str, epoch: int, heights: dict[int, int], node: str) -> None:
        """How high, in pixels, the page of this copy shows each receiving slot; 0 is hidden.

        The screen's index comes after the last slot's; what is not named stays as it was. Nothing happens if
        the copy is not there. Raises RelayUnavailable.
        """
        await self._command("prefer", room, node, peer=peer, epoch=epoch, heights=heights)

    async def news(self, *, room: str, node: str) -> list[RoomEvent]:
        """Who is in the room now and what each of them sees, as ``events`` would have told it; none for no such room.

        Raises RelayUnavailable.
        """
        return [RoomEvent.from_text(text) for text in await self._command("news", room, node)]

    async def close_room(self, *, room: str, node: str, after: float = 0.0) -> None:
        """Let everybody in the room go, or whoever of them is still there `after` so many seconds.

        Nothing happens if there is no such room. Raises RelayUnavailable; a node that hung for some seconds
        carries it out all the same.
        """
        await self._command("close_room", room, node, lasting=True, after=after)

    def events(self, room: str) -> RoomEvents:
        """What happens in the room from now on, over all nodes.

        ``async with client.events(room) as events`` is subscribed when its body begins;
        ``async for`` alone subscribes with the first step. A lost connection to Redis is taken up
        again by itself; the node then tells the room's state once more.
        """
        return RoomEvents(self._redis, room)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()

    async def _command(self, name: str, room: str, node: str, *, lasting: bool = False, **fields: Any) -> Any:
        """The node's answer. A command that nobody waits for any more is not carried out, unless it is `lasting`."""
        text = json.dumps({"command": name, "room": room, **fields})
        try:
            async with asyncio.timeout(self._timeout):
                reply = await self._deliver(node, lasting, text)
        except (TimeoutError, RedisError, OSError) as error:
            _heed_cancellation()
            raise RelayUnavailable(type(error).__name__) from error
        if reply.get("error") == wire.STOPPING:
            raise RelayUnavailable(wire.STOPPING)
        if "error" in reply:
            raise RelayRefused(reply["error"])
        return reply["result"]

    async def _deliver(self, node: str, lasting: bool, text: str) -> dict[str, Any]:
        identifier = secrets.token_hex(16)
        deadline = time.monotonic() + self._timeout
        reply = None
        try:
            while reply is None:
                if time.monotonic() >= deadline:  # redis-py may have lost the cancellation by which `timeout` ends
                    raise TimeoutError
                life = wire.REPLY_LIFE if lasting else deadline - time.monotonic()
                await self._send(node, identifier, text, life)
                reply = await self._listen(node, identifier, min(PATIENCE, deadline - time.monotonic()))
        except (asyncio.CancelledError, RelayUnavailable, TimeoutError):
            if not lasting:
                await self._take_back(identifier)
            raise
        return reply

    async def _send(self, node: str, identifier: str, text: str, life: float) -> None:
        commands = wire.commands_key(node)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(wire.command_key(identifier), text, px=max(1, int(1000 * life)))
            pipe.rpush(commands, identifier)
            pipe.expire(commands, wire.REPLY_LIFE)
            pipe.pttl(wire.node_key(node))
            *_, left = await pipe.execute()
        if left >= 0 and wire.age(left) > wire.DEAD_AFTER:
            raise RelayUnavailable("dead")

    async def _listen(self, node: str, identifier: str, patience: float) -> dict[str, Any] | None:
        """The reply; None if there is none yet. Raises RelayUnavailable as soon as the node is known to be dead."""
        began = time.monotonic()
        while (waited := time.monotonic() - began) < patience:
            wait = max(0.05, min(LOOK, patience - waited))
            popped = await cast(Any, self._redis).blpop([wire.reply_key(identifier)], timeout=wait)
            if popped:
                return cast("dict[str, Any]", json.loads(popped[1]))
            left = await self._redis.pttl(wire.node_key(node))
            if wire.age(left) > wire.DEAD_AFTER if left >= 0 else waited > UNKNOWN - LOOK:
                raise RelayUnavailable("dead")
        return None

    async def _take_back(self, identifier: str) -> None:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(TAKE_BACK):
                await self._redis.delete(wire.command_key(identifier))


def _heed_cancellation() -> None:
    """redis-py may turn a cancellation into an error of its own; whoever cancelled still means it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class RoomEvents(AsyncIterator[RoomEvent]):
    """A subscription to one room's events: an async context manager and iterator."""

    def __init__(self, redis: Redis, room: str) -> None:
        self._redis = redis
        self._channel = wire.events_channel(room)
        self._pubsub: PubSub | None = None

    async def _subscribe(self) -> PubSub:
        if self._pubsub is None:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=False)
            try:
                async with asyncio.timeout(CONFIRM):
                    await pubsub.subscribe(self._channel)
                    confirmed = None
                    while confirmed is None or confirmed["type"] != "subscribe":
                        confirmed = await pubsub.get_message(timeout=LISTEN)
            except BaseException:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
                raise
            self._pubsub = pubsub
        return self._pubsub

    async def __aenter__(self) -> Self:
        """Subscribe. Raises RelayUnavailable if Redis cannot be reached."""
        try:
            await self._subscribe()
        except (RedisError, OSError) as error:
            _heed_cancellation()
            raise RelayUnavailable(type(error).__name__) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RoomEvent:
        while True:
            try:
                message = await (await self._subscribe()).get_message(timeout=LISTEN)
            except (RedisError, OSError):
                _heed_cancellation()
                await self.aclose()
                await asyncio.sleep(PAUSE)
                continue
            if message is not None and message["type"] == "message":
                with contextlib.suppress(ValueError):  # no word of a node of ours
                    return RoomEvent.from_text(message["data"])

    async def aclose(self) -> None:
        """End the subscription."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
