"""Room events on their way to Redis. While it is away they wait, up to a bound."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from visits.relay import wire
from visits.relay.wire import RoomEvent

BACKLOG = 10_000  # events


class Announcer:
    """A queue between the engine, which never waits, and Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: asyncio.Queue[tuple[str, RoomEvent]] = asyncio.Queue(BACKLOG)
        self.missed = False  # whether listeners may have missed events

    def announce(self, room: str, event: RoomEvent) -> None:
        """Queue an event. Beyond the bound it is lost, and `missed` says so."""
        try:
            self._waiting.put_nowait((room, event))
        except asyncio.QueueFull:
            self.missed = True

    async def publish_next(self) -> None:
        """Publish the oldest event, waiting for one if need be. Raises redis.RedisError."""
        room, event = await self._waiting.get()
        try:
            await self._redis.publish(wire.events_channel(room), event.to_text())
        except BaseException:
            self.missed = True
            raise
        finally:
            self._waiting.task_done()

    async def publish(self, events: list[tuple[str, RoomEvent]]) -> None:
        """Publish events past the queue, all in one round. Raises redis.RedisError."""
        if not events:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for room, event in events:
                pipe.publish(wire.events_channel(room), event.to_text())
            await pipe.execute()

    async def flush(self) -> None:
        """Wait until all is published."""
        await self._waiting.join()
