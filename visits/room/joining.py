"""A copy of somebody enters the call: on the node that has the room, or on the one that gets it."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from channels.db import database_sync_to_async

from visits.relay.client import Joined, RelayRefused, RelayUnavailable
from visits.room import nodes
from visits.room.media import relay
from visits.room.models import Seat
from visits.room.watch import watch

TRIES = 3


class RelaysFull(Exception):
    """No relay can take more at the moment."""


@dataclass(frozen=True)
class Entered:
    node: str
    joined: Joined


async def enter(seat: Seat, sdp: str, asking: Callable[[], None]) -> Entered:
    """Have the copy of ``seat`` let in by a relay, and call ``asking`` before each that is asked.

    Raises RelayUnavailable, RelayRefused, RelaysFull.
    """
    room, peer, unless = str(seat.encounter_id), str(seat.pk), ""
    await watch().refresh()
    for _ in range(TRIES):
        try:
            node = await database_sync_to_async(nodes.place)(seat.encounter, unless=unless)
        except nodes.AllFull:
            raise RelaysFull from None
        except nodes.NoNode:
            raise RelayUnavailable("no node") from None
        asking()
        try:
            joined = await relay().join(room=room, peer=peer, epoch=seat.epoch, sdp=sdp, node=node)
        except RelayUnavailable:
            await watch().look()  # if it is dead, the room gets another one
            continue
        except RelayRefused as refusal:
            if refusal.code == "node-crowded":
                raise RelaysFull from None
            if refusal.code != "node-full":
                raise
            unless = node
            continue
        if await _is_still(seat.encounter_id, node):
            return Entered(node, joined)
        with suppress(RelayUnavailable):  # the room has moved meanwhile
            await relay().leave(room=room, peer=peer, epoch=seat.epoch, node=node)
    raise RelaysFull if unless else RelayUnavailable("no node answered")


async def _is_still(encounter_id: uuid.UUID, node: str) -> bool:
    now: str | None = await database_sync_to_async(nodes.node_of)(encounter_id)
    return now == node
