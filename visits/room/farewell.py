"""How a copy of somebody goes out of the call when its socket has ended."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from channels.db import database_sync_to_async

from accounts.sessions.watch import LOOK_EVERY, how_ended
from visits.relay.client import RelayUnavailable
from visits.room import presence, services
from visits.room.media import relay
from visits.room.models import Seat

# Seconds that a copy is kept without a socket: twenty without a line, half of that again for which Firefox holds its
# next try back, and some to spare. Its media flow all the while; who is really gone, the relay has missed before.
BACK_WITHIN = 45
# A page that was closed is gone, or is being loaded again: that comes with a new copy, and sooner.
LOADED_WITHIN = 8

_farewells: set[asyncio.Task[None]] = set()  # asyncio keeps no hold of its tasks


def let_go_unless_back(seat: Seat, within: float, session_id: UUID | None) -> None:
    """Send the copy out after ``within`` seconds, unless another socket has taken its seat until then.

    At once when the session ends behind the socket that it had: nobody is left who may be in the call.
    """
    farewell = asyncio.create_task(_wait_and_go(seat, within, session_id))
    _farewells.add(farewell)
    farewell.add_done_callback(_farewells.discard)


async def _wait_and_go(seat: Seat, within: float, session_id: UUID | None) -> None:
    await database_sync_to_async(presence.seen)(seat=seat.pk, epoch=seat.epoch)
    until = time.monotonic() + within
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LOOK_EVERY))
        if session_id and await how_ended(session_id):
            return await let_go(seat, presence.REMOVED)
    await let_go(seat, presence.LOST)


async def let_go(seat: Seat, why: str) -> None:
    """Send this copy out of the call, unless another socket has taken its seat."""
    # Noted first: once the relay has let them go, everybody notes that they are lost.
    goes = await database_sync_to_async(services.vacate)(seat=seat, why=why)
    if goes and seat.node is not None:
        with suppress(RelayUnavailable):
            await relay().leave(room=str(seat.encounter_id), peer=str(seat.pk), epoch=seat.epoch, node=seat.node)
