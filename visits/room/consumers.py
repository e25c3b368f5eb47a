"""The room's sockets: /ws/visits/<visit>/room/ for staff, /ws/my/<visit>/room/ for patients and guests."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from channels.db import database_sync_to_async

from accounts.policy import Action
from accounts.principal import Principal
from accounts.scope import party_of, staff_of
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.live.consumer import BROKEN, NORMAL, NOT_ALLOWED, NOT_FOUND, SEAT_TAKEN, Closed, Handler, LiveConsumer
from visits.live.events import visit_group
from visits.live.messages import MAX_BYTES, Message, Refused, Schema, flag, text
from visits.relay.client import Joined, RelayRefused, RelayUnavailable, RoomEvent
from visits.room import presence, services
from visits.room.media import relay
from visits.room.models import Seat
from visits.room.state import OVER, call_state

logger = logging.getLogger(__name__)

BACK_WITHIN = 8  # seconds; a reload, or a socket that broke, is back by then
TICKS_PER_SIGN = 3  # a sign of life every 15 seconds: a third of what presence.SILENT_AFTER allows

_goodbyes: set[asyncio.Task[None]] = set()  # asyncio keeps no hold of its tasks


class RoomConsumer(LiveConsumer):
    """One copy of one person in one call.

    What it keeps by itself can be lost with it: the browser joins again and gets all of it anew.
    """

    messages: ClassVar[Schema] = {
        "join": {"sdp": text(MAX_BYTES), "audio": flag, "video": flag},
        "media": {"audio": flag, "video": flag},
        "share": {"on": flag},
        "leave": {},
        "end": {},
    }
    volatile: ClassVar[frozenset[str]] = frozenset({"now"})

    visit: Appointment
    seat: Seat | None = None

    def __init__(self) -> None:
        super().__init__()
        self._slots: dict[int, str] = {}
        self._screen: str | None = None
        self._away: set[str] = set()
        self._listening: asyncio.Task[None] | None = None
        self._ticks = 0
        self._end_code: int | None = None

    @property
    def visit_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["visit"])

    # --- the life of the socket -------------------------------------------------------------

    async def opened(self) -> None:
        self.visit = await database_sync_to_async(appointment_for)(self.who, self.visit_id, Action.VISIT_JOIN)

    def groups(self) -> list[str]:
        return [visit_group(self.visit_id)]

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "join": self.on_join,
            "media": self.on_media,
            "share": self.on_share,
            "leave": self.on_leave,
            "end": self.on_end,
        }

    async def state(self) -> dict[str, Any]:
        truth = await database_sync_to_async(call_state)(self.who, self.visit.pk)
        if self.seat and truth.epochs.get(str(self.seat.pk), 0) > self.seat.epoch:
            raise Closed(SEAT_TAKEN)  # the nudge was lost
        return {
            **truth.as_message(self._away),
            "slots": {str(index): seat for index, seat in self._slots.items()},
            "screen": self._screen,
        }

    async def send_state(self, *, only_news: bool = False) -> None:
        await super().send_state(only_news=only_news)
        if self._told.get("phase") == OVER:
            raise Closed(NORMAL)

    async def visit_changed(self, event: dict[str, Any]) -> None:
        await self._guarded(self._look_at_change)

    async def _look_at_change(self) -> None:
        await self._check_right()
        await self.send_state(only_news=True)

    async def _check_right(self) -> None:
        try:
            await super()._check_right()
        except Closed:
            # Ending a visit takes its links back: who is out for that hears that it ended.
            if (await self.state())["phase"] == OVER:
                await self.send_state(only_news=True)
            raise

    async def seat_taken(self, event: dict[str, Any]) -> None:
        if self.seat and event["seat"] == str(self.seat.pk) and event["epoch"] > self.seat.epoch:
            await self.close(SEAT_TAKEN)

    async def tick(self) -> None:
        self._ticks += 1
        if self.seat and self._ticks % TICKS_PER_SIGN == 0:
            await database_sync_to_async(presence.seen)(seat=self.seat.pk, epoch=self.seat.epoch)

    async def close(self, code: int = NORMAL) -> None:
        self._end_code = code
        await super().close(code)

    async def closed(self) -> None:
        if self._listening:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        if self.seat is None or self._end_code == SEAT_TAKEN:
            return
        if self._end_code in {NORMAL, NOT_ALLOWED, NOT_FOUND}:
            await go(self.seat, presence.REMOVED)
            return
        goodbye = asyncio.create_task(go_unless_back(self.seat))
        _goodbyes.add(goodbye)
        goodbye.add_done_callback(_goodbyes.discard)

    # --- what a client says -----------------------------------------------------------------

    async def on_join(self, message: Message) -> None:
        audio, video = message.fields["audio"], message.fields["video"]
        try:
            seat = await database_sync_to_async(services.enter)(
                principal=self.who, visit=self.visit, audio=audio, video=video
            )
        except services.NotOpen:
            raise Refused("not-open") from None
        except services.RoomFull:
            raise Refused("room-full") from None
        self.seat = seat
        joined = await self._join_relay(seat, message.fields["sdp"])
        self._slots, self._screen = joined.view, joined.screen
        await self.say(
            "joined",
            re=message.id,
            sdp=joined.sdp,
            slots=[
                {"index": slot.index, "audio_mid": slot.audio_mid, "video_mid": slot.video_mid} for slot in joined.slots
            ],
            screen_mid=joined.screen_mid,
            epoch=seat.epoch,
        )
        await self.send_state()

    async def on_media(self, message: Message) -> None:
        await database_sync_to_async(services.set_media)(
            seat=self._joined_seat(), audio=message.fields["audio"], video=message.fields["video"]
        )

    async def on_share(self, message: Message) -> None:
        seat, on = self._joined_seat(), message.fields["on"]
        if not await database_sync_to_async(services.set_sharing)(seat=seat, on=on):
            return
        try:
            await relay().share(room=str(seat.encounter_id), peer=str(seat.pk) if on else None)
        except RelayUnavailable:
            raise Refused("relay-unavailable") from None
        except RelayRefused:
            raise Refused("not-joined") from None

    async def on_leave(self, message: Message) -> None:
        seat = self._joined_seat()
        await database_sync_to_async(services.leave)(principal=self.who, seat=seat)
        raise Closed(NORMAL)

    async def on_end(self, message: Message) -> None:
        if not self.who.may(Action.VISIT_END):
            raise Refused("not-allowed")
        try:
            await database_sync_to_async(services.end)(principal=self.who, visit=self.visit)
        except (services.NotOpen, services.NotBegun):
            raise Refused("not-open") from None
        await self.send_state(only_news=True)

    def _joined_seat(self) -> Seat:
        if self.seat is None:
            raise Refused("not-joined")
        return self.seat

    # --- the relay --------------------------------------------------------------------------

    async def _join_relay(self, seat: Seat, sdp: str) -> Joined:
        room = str(seat.encounter_id)
        try:
            await self._listen(room)
            joined = await relay().join(room=room, peer=str(seat.pk), epoch=seat.epoch, sdp=sdp)
            if seat.was_sharing:
                # The copy that showed its screen is no more; a new one shows it by saying so.
                await relay().share(room=room, peer=None)
        except RelayUnavailable:
            raise Refused("relay-unavailable") from None
        except RelayRefused as refusal:
            if refusal.code == "room-full":
                raise Refused("room-full") from None
            logger.warning("The relay refused a join: %s", refusal.code)
            raise Refused("relay-refused") from None
        return joined

    async def _listen(self, room: str) -> None:
        """Hear what happens in the room, from before the joining on."""
        if self._listening and not self._listening.done():
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._hear_all(room, ready))
        await ready

    async def _hear_all(self, room: str, ready: asyncio.Future[None]) -> None:
        try:
            async with relay().events(room) as events:
                ready.set_result(None)
                async for event in events:
                    await self._guarded(partial(self._hear, event))
                    # asgiref swallows a cancellation that meets a thread of ours in its own async_to_sync.
                    if not self._open:
                        return
        except RelayUnavailable as error:
            ready.set_exception(error)
        except Exception:
            logger.exception("A room's events could not be followed")
            if not ready.done():  # a joining waits for it
                ready.set_exception(Closed(BROKEN))
            await self.close(BROKEN)

    async def _hear(self, event: RoomEvent) -> None:
        is_own = self.seat is not None and (event.peer, event.epoch) == (str(self.seat.pk), self.seat.epoch)
        if event.kind == "view":
            if is_own:
                self._slots, self._screen = event.slots, event.screen
                slots = {str(index): seat for index, seat in event.slots.items()}
                await self.say("slots", slots=slots, screen=event.screen)
            return
        if event.kind == "away":
            self._away.add(event.peer)
        else:
            self._away.discard(event.peer)
        if event.kind == "connected" and is_own:
            await database_sync_to_async(presence.connected)(seat=event.peer, epoch=event.epoch)
        elif event.kind == "gone":
            # Everybody in the room hears it and notes it; the first note counts.
            await database_sync_to_async(presence.left)(seat=event.peer, epoch=event.epoch, why=presence.LOST)
        await self.send_state(only_news=True)


class StaffRoomConsumer(RoomConsumer):
    async def principal(self) -> Principal | None:
        who: Principal | None = await staff_of(self.scope)
        return who if who and who.may(Action.VISIT_JOIN) else None


class PartyRoomConsumer(RoomConsumer):
    async def principal(self) -> Principal | None:
        who: Principal | None = await party_of(self.scope, self.visit_id)
        return who


async def go_unless_back(seat: Seat) -> None:
    """The socket is lost: who is still there is soon back with a higher epoch, who is not is gone."""
    await asyncio.sleep(BACK_WITHIN)
    if await Seat.objects.filter(pk=seat.pk, epoch=seat.epoch).aexists():
        await go(seat, presence.LOST)


async def go(seat: Seat, why: str) -> None:
    """Send this copy out of the call; a newer one stays."""
    # Noted first: once the relay has let them go, everybody notes that they are lost.
    await database_sync_to_async(presence.left)(seat=seat.pk, epoch=seat.epoch, why=why)
    with suppress(RelayUnavailable):
        await relay().leave(room=str(seat.encounter_id), peer=str(seat.pk), epoch=seat.epoch)
