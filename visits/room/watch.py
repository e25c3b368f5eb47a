"""Looks after the relay nodes: reads their pulses, and has it noted when one appears or dies."""

import asyncio
import logging
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import DatabaseError

from visits.relay.client import Pulse, RelayClient, RelayUnavailable
from visits.room import nodes
from visits.room.media import make_client, relay

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.25  # seconds
CERTAIN_AFTER = 0.9  # seconds: three heartbeats, so that a Redis that hung kills no node that lives

_watches: "WeakKeyDictionary[asyncio.AbstractEventLoop, Watch]" = WeakKeyDictionary()


def watch() -> "Watch":
    """The watch that all sockets of this process share."""
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = Watch(relay())
    return _watches[loop]


def look_once() -> None:
    """One look, for who has no loop: a worker, a view."""
    with suppress(RelayUnavailable):
        pulses, dead = async_to_sync(_listen_once)()
        nodes.note(pulses, dead=dead)


async def _listen_once() -> tuple[dict[str, Pulse], set[str]]:
    client = make_client()
    try:
        return await listen(client, known_dead=set())
    finally:
        await client.aclose()


async def listen(client: RelayClient, known_dead: set[str]) -> tuple[dict[str, Pulse], set[str]]:
    """The nodes' last pulses, and which of the nodes are dead now. Raises RelayUnavailable."""
    pulses = await client.pulses()
    late = _late(pulses)
    if not late - known_dead:
        return pulses, set()
    # Late by the clock of Redis, which may itself have hung: dead is who does not come now either.
    await asyncio.sleep(CERTAIN_AFTER)
    pulses = await client.pulses()
    return pulses, {node for node in late & _late(pulses) if pulses[node].is_dead}


def _late(pulses: dict[str, Pulse]) -> set[str]:
    return {node for node, pulse in pulses.items() if pulse.is_late and not pulse.gone}


class Watch:
    """Goes on as long as somebody in this process is in a call."""

    def __init__(self, client: RelayClient) -> None:
        self._client = client
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._dead: set[str] = set()  # of which the database knows

    def begin(self) -> None:
        """Somebody entered a call."""
        self._watchers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep_looking())

    def end(self) -> None:
        """Somebody's socket ended."""
        self._watchers -= 1

    async def _keep_looking(self) -> None:
        while self._watchers > 0:
            try:
                with suppress(RelayUnavailable):
                    await self.look()
            except DatabaseError as error:  # it comes back, and whoever died meanwhile is noted then
                logger.warning("The relay nodes could not be noted: %s", type(error).__name__)
                await asyncio.sleep(CERTAIN_AFTER)
            await asyncio.sleep(LOOK_EVERY)

    async def refresh(self) -> None:
        """Look, unless that was done just now. Raises RelayUnavailable."""
        if not self._looking.locked() and time.monotonic() - self._looked_at > CERTAIN_AFTER:
            await self.look()

    async def look(self) -> None:
        """Read all pulses and have noted what they say. Raises RelayUnavailable when Redis does not answer."""
        async with self._looking:
            pulses, dead = await listen(self._client, self._dead)
            await database_sync_to_async(nodes.note)(pulses, dead=dead)
            self._dead = (self._dead | dead) & _late(pulses)
            self._looked_at = time.monotonic()
