"""Following what the relay tells of one room."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from visits.live.consumer import BROKEN, Closed
from visits.relay.client import RelayUnavailable, RoomEvent
from visits.room.media import relay

logger = logging.getLogger(__name__)


class Ear:
    """Hears a room for one socket: ``hear`` each event in turn, ``broken`` once when no more will come."""

    def __init__(self, hear: Callable[[RoomEvent], Awaitable[None]], broken: Callable[[], Awaitable[None]]) -> None:
        self._hear, self._broken = hear, broken
        self._listening: asyncio.Task[None] | None = None
        self._stopped = False

    async def listen(self, room: str) -> None:
        """Returns when nothing more can be missed. Raises RelayUnavailable, Closed."""
        if self._listening and not self._listening.done():
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._hear_all(room, ready))
        await ready

    async def stop(self) -> None:
        """Hear nothing more; harmless without having listened."""
        self._stopped = True
        if self._listening:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    async def _hear_all(self, room: str, ready: asyncio.Future[None]) -> None:
        try:
            async with relay().events(room) as events:
                ready.set_result(None)
                async for event in events:
                    await self._hear(event)
                    # asgiref swallows a cancellation that meets a thread of ours in its own async_to_sync.
                    if self._stopped:
                        return
        except RelayUnavailable as error:
            ready.set_exception(error)
        except Exception:
            logger.exception("A room's events could not be followed")
            if not ready.done():  # a joining waits for it
                ready.set_exception(Closed(BROKEN))
            await self._broken()
