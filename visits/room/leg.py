"""One socket's leg of a call: its way to the relay that has the room, and what that relay lets its copy see."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from channels.db import database_sync_to_async

from visits.live.messages import Refused
from visits.relay.client import Joined, RelayRefused, RelayUnavailable, RoomEvent
from visits.room import joining, nodes, presence, services
from visits.room.ear import Ear
from visits.room.media import relay
from visits.room.models import Seat
from visits.room.watch import watch

logger = logging.getLogger(__name__)


class Leg:
    """``hear`` gets what the relay tells of the room, each event in turn; ``broken`` is called when no more will come.

    Where the relay does not do what it is asked, Refused says so in the protocol's codes.
    """

    def __init__(self, hear: Callable[[RoomEvent], Awaitable[None]], broken: Callable[[], Awaitable[None]]) -> None:
        self.away: set[str] = set()  # whom the relay does not hear, by seat
        self._seat: Seat | None = None
        self._slots: dict[int, str] = {}
        self._screen: str | None = None
        self._steps: dict[int, str] = {}  # of the pictures that this one sees
        self._watched: dict[str, str] = {}  # and of its own, by who sees it
        self._has_view = False  # by an event of this copy: never older than what the relay answers
        self._ear = Ear(hear, broken)
        self._is_watching = False

    async def enter(self, seat: Seat, sdp: str) -> Joined:
        """Have the copy let in, at the node that has the room from now on. Raises Refused, Closed."""
        self._seat = seat
        with _in_the_protocols_words("relay-refused"):
            await self._listen(seat)
            entered = await joining.enter(seat, sdp, self._ask_anew)
            seat.node = entered.node
        if not self._has_view:
            self._slots, self._screen = entered.joined.view, entered.joined.screen
            self._steps, self._watched = {}, {}
        return entered.joined

    async def take_up(self, seat: Seat) -> None:
        """See what the copy sees. Raises NotJoined when the relay has not this copy any more; Refused, Closed."""
        self._seat = seat
        self._ask_anew()
        with _in_the_protocols_words("relay-refused"):
            await self._listen(seat)
            seat.node = await database_sync_to_async(nodes.node_of)(seat.encounter_id)
            news = await relay().news(room=str(seat.encounter_id), node=seat.node) if seat.node else []
        if not any(self.is_own(event) and event.kind != "view" for event in news):
            await database_sync_to_async(presence.left)(seat=seat.pk, epoch=seat.epoch, why=presence.LOST)
            raise services.NotJoined
        for event in news:
            if not (self._has_view and event.kind == "view"):
                await self.note(event)

    async def share(self, seat: Seat, *, on: bool) -> None:
        """Show the others the copy's screen, or no more. Raises Refused."""
        with _in_the_protocols_words("not-joined"):
            await relay().share(
                room=str(seat.encounter_id), peer=str(seat.pk), epoch=seat.epoch, on=on, node=_node_of(seat)
            )

    async def prefer(self, seat: Seat, heights: dict[int, int]) -> None:
        """How high the copy's page shows its pictures. Raises Refused."""
        with _in_the_protocols_words("relay-unavailable"):
            await relay().prefer(
                room=str(seat.encounter_id), peer=str(seat.pk), epoch=seat.epoch, heights=heights, node=_node_of(seat)
            )

    async def note(self, event: RoomEvent) -> None:
        """Keep what the event says: of what is seen here, and of presence in the database."""
        if event.kind == "view":
            if self.is_own(event):
                self._slots, self._screen = event.slots, event.screen
                self._steps, self._watched = event.steps, event.watched
                self._has_view = True
        elif event.kind == "away":
            self.away.add(event.peer)
        elif event.kind in {"connected", "back", "gone"}:
            self.away.discard(event.peer)
        if event.kind == "connected" and self.is_own(event):
            await database_sync_to_async(presence.connected)(seat=event.peer, epoch=event.epoch)
        elif event.kind == "gone":
            # Everybody in the room hears it and notes it; the first note counts.
            await database_sync_to_async(presence.left)(seat=event.peer, epoch=event.epoch, why=presence.LOST)

    def is_own(self, event: RoomEvent) -> bool:
        """Whether the event is of this socket's copy."""
        return self._seat is not None and (event.peer, event.epoch) == (str(self._seat.pk), self._seat.epoch)

    def view(self) -> dict[str, Any]:
        """What the copy sees and who sees it how, as the protocol has it."""
        return {
            "slots": {str(index): seat for index, seat in self._slots.items()},
            "screen": self._screen,
            "steps": {str(index): step for index, step in self._steps.items()},
            "watched": self._watched,
        }

    async def end(self) -> None:
        """Hear nothing more; the copy stays where it is. Harmless without having entered."""
        if self._is_watching:
            watch().end()
        await self._ear.stop()

    def _ask_anew(self) -> None:
        self._has_view = False

    async def _listen(self, seat: Seat) -> None:
        await self._ear.listen(str(seat.encounter_id))
        if not self._is_watching:
            self._is_watching = True
            watch().begin()


def _node_of(seat: Seat) -> str:
    if seat.node is None:
        raise Refused("not-joined")
    return seat.node


@contextmanager
def _in_the_protocols_words(refused: str) -> Iterator[None]:
    """``refused``: the code for what the relay does not carry out."""
    try:
        yield
    except RelayUnavailable:
        raise Refused("relay-unavailable") from None
    except joining.RelaysFull:
        raise Refused("relay-full") from None
    except RelayRefused as refusal:
        if refusal.code == "room-full":
            raise Refused("room-full") from None
        logger.warning("The relay refused a command: %s", refusal.code)
        raise Refused(refused) from None
