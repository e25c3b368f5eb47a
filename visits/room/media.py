"""The way to the media relay: one client per event loop, and commands that follow a commit."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction

from visits.relay.client import RelayClient, RelayUnavailable
from visits.room.models import Encounter

log = logging.getLogger(__name__)

# Seconds that who ends a visit waits for the relay's word; it carries out what it was told all the same.
WAIT = 1.0

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, RelayClient]" = WeakKeyDictionary()


def relay() -> RelayClient:
    """The client that all sockets of this process share."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = make_client()
    return _clients[loop]


def make_client(**settings_of_client: float) -> RelayClient:
    """One for this event loop alone; who asks for it closes it."""
    return RelayClient(settings.REDIS_URL, settings.RELAY_SECRET, **settings_of_client)


def close_on_commit(encounter_id: uuid.UUID, node: str | None, *, after: float = 0.0) -> None:
    """After the commit: send everybody out of the encounter's room on ``node``, or who is there ``after`` seconds."""
    if node:
        _on_commit(lambda client: client.close_room(room=str(encounter_id), node=node, after=after))


def leave_on_commit(encounter: Encounter, seat_id: uuid.UUID, epoch: int) -> None:
    """After the commit: send one copy of a participant out of the encounter's room."""
    room, node = str(encounter.pk), encounter.relay_node_id
    if node:
        _on_commit(lambda client: client.leave(room=room, peer=str(seat_id), epoch=epoch, node=node))


def _on_commit(command: Callable[[RelayClient], Awaitable[None]]) -> None:
    transaction.on_commit(lambda: async_to_sync(_tell)(command), robust=True)


async def _tell(command: Callable[[RelayClient], Awaitable[None]]) -> None:
    # Of its own: this may be a worker, whose loop ends with the call.
    client = make_client(timeout=WAIT)
    try:
        await command(client)
    except RelayUnavailable:
        # Nobody is cut off less: the browsers hear it by their sockets, and the relay forgets the silent.
        log.info("the relay could not be told that somebody left")
    finally:
        await client.aclose()
