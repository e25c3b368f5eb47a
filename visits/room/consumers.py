"""The room's sockets: /ws/visits/<visit>/room/ for staff, /ws/my/<visit>/room/ for patients and guests."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone

from accounts.limit import too_many
from accounts.policy import Action
from accounts.principal import Principal
from accounts.scope import party_of, staff_of
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.live import events
from visits.live.consumer import (
    BROKEN,
    GOING_AWAY,
    NORMAL,
    NOT_ALLOWED,
    NOT_FOUND,
    SEAT_TAKEN,
    Closed,
    Handler,
    LiveConsumer,
)
from visits.live.messages import (
    MAX_BYTES,
    Bucket,
    Message,
    Refused,
    Schema,
    by_index,
    flag,
    octets,
    off,
    optional,
    text,
    whole,
)
from visits.relay.client import RoomEvent, StreamFigures
from visits.room import encryption, farewell, presence, services, statistics, turn
from visits.room.leg import Leg
from visits.room.models import Seat
from visits.room.state import OVER, call_state

logger = logging.getLogger(__name__)

TICKS_PER_SIGN = 3  # a sign of life every 15 seconds: a quarter of what presence.SILENT_AFTER allows
MAX_EPOCH = 2**31 - 1
# What browsers say to each other about keys: each message goes to five others.
MOST_E2EE_BYTES = 8 * 1024
E2EE_PER_SECOND, E2EE_BURST = 10, 40
# Each time that a seat is taken is written on the audit trail; a page that is in trouble tries some twenty times.
TAKES, TAKES_WITHIN = 30, 60  # of one person, on whatever sockets; seconds
PICTURES = 6  # five people and a screen
MAX_HEIGHT = 10_000  # pixels


class RoomConsumer(LiveConsumer):
    """One copy of one person in one call.

    What it keeps by itself can be lost with it: the browser joins again and gets all of it anew.
    """

    messages: ClassVar[Schema] = {
        "join": {"sdp": text(MAX_BYTES), "audio": flag, "video": flag, "e2ee": flag},
        "resume": {"epoch": whole(1, MAX_EPOCH)},
        "media": {"audio": flag, "video": flag},
        "share": {"on": flag},
        "sizes": {"heights": by_index(PICTURES, whole(0, MAX_HEIGHT))},
        "e2ee": {"to": optional(text(36)), "data": octets(MOST_E2EE_BYTES)},
        "encryption": {"on": off},
        "leave": {},
        "end": {},
        "stats": statistics.REPORT,
    }
    volatile: ClassVar[frozenset[str]] = frozenset({"now"})

    visit: Appointment
    opened_at: datetime  # by the database's clock
    seat: Seat | None = None  # the copy that this socket vouches for
    outside: Seat | None = None  # whose browser cannot encrypt, and waits

    def __init__(self) -> None:
        super().__init__()
        self._leg = Leg(lambda event: self._guarded(partial(self._hear, event)), partial(self.close, BROKEN))
        self._e2ee_pace = Bucket(E2EE_PER_SECOND, E2EE_BURST)
        self._is_in = False  # the relay has the copy, and the browser knows
        self._room_is_at: str | None = None  # the relay node, by the database
        self._ticks = 0
        self._recorder = statistics.Recorder()
        self._end_code: int | None = None

    @property
    def visit_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["visit"])

    # --- the life of the socket -------------------------------------------------------------

    async def opened(self) -> None:
        self.visit = await database_sync_to_async(appointment_for)(self.who, self.visit_id, Action.VISIT_JOIN)
        self.opened_at = await database_sync_to_async(services.opening_time)(self.visit)

    async def greeting(self) -> dict[str, Any]:
        return {"ice_servers": await database_sync_to_async(turn.servers_for)(self.who, self.visit)}

    def groups(self) -> list[str]:
        return [events.visit_group(self.visit_id)]

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "join": self.on_join,
            "resume": self.on_resume,
            "media": self.on_media,
            "share": self.on_share,
            "sizes": self.on_sizes,
            "e2ee": self.on_e2ee,
            "encryption": self.on_encryption,
            "leave": self.on_leave,
            "end": self.on_end,
            "stats": self.on_stats,
        }

    async def state(self) -> dict[str, Any]:
        truth = await database_sync_to_async(call_state)(self.who, self.visit.pk)
        if self.seat and truth.turns.get(str(self.seat.pk), 0) > self.seat.turn:
            raise Closed(SEAT_TAKEN)  # the nudge was lost
        self._room_is_at = truth.node
        return {**truth.as_message(self._leg.away), **self._leg.view()}

    async def send_state(self, *, only_news: bool = False) -> None:
        await super().send_state(only_news=only_news)
        if self._told.get("phase") == OVER:
            raise Closed(NORMAL)
        if self.seat and self._is_in and self.seat.node != self._room_is_at:
            await self._send_to_new_relay()  # the nudge was lost

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
        if self.seat and event["seat"] == str(self.seat.pk) and event["turn"] > self.seat.turn:
            await self.close(SEAT_TAKEN)

    async def relay_left(self, event: dict[str, Any]) -> None:
        if self.seat is None or self.seat.node != event["node"]:
            return
        if event["dead"]:  # nobody is there until they have joined again
            self._leg.away |= {person["seat"] for person in self._told.get("people", [])} - {str(self.seat.pk)}
        await self._guarded(self._send_to_new_relay)

    async def _send_to_new_relay(self) -> None:
        if self._is_in:
            self._is_in = False
            await self.say("moved")
            await self.send_state(only_news=True)

    async def e2ee_passed(self, event: dict[str, Any]) -> None:
        if self.seat is None or not self._is_in or event["from"] == str(self.seat.pk):
            return
        own = str(self.seat.pk)
        if event["to"] in {None, own} and event["epochs"].get(own) == self.seat.epoch:
            await self.say("e2ee", **{name: event[name] for name in ("from", "epoch", "data")})

    async def tick(self) -> None:
        self._ticks += 1
        # Not between two relays: a page that does not come to the new one is in no call, whatever its socket says.
        if self.seat and self._is_in and self._ticks % TICKS_PER_SIGN == 0:
            is_here = await database_sync_to_async(presence.seen)(seat=self.seat.pk, epoch=self.seat.epoch)
            if is_here:
                await self.keep_session()
        if self.outside:
            await database_sync_to_async(encryption.still_outside)(self.outside)
        if self._recorder.is_due():
            await self._write_down()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        self._end_code = code
        closing = super().close(code, reason)
        if code == NOT_ALLOWED and self.seat is not None:
            # Now: the browser may take its time to close too, or never do.
            await asyncio.gather(closing, farewell.let_go(self.seat, presence.REMOVED))
        else:
            await closing

    async def closed(self) -> None:
        await self._leg.end()
        await self._write_down()
        if self.outside:
            await database_sync_to_async(encryption.no_more_outside)(self.outside)
        if self.seat is None or self._end_code == SEAT_TAKEN:
            return
        if self._end_code in {NORMAL, NOT_ALLOWED, NOT_FOUND}:
            await farewell.let_go(self.seat, presence.REMOVED)
        else:
            is_page_gone = self.heard_code == GOING_AWAY
            within = farewell.LOADED_WITHIN if is_page_gone else farewell.BACK_WITHIN
            farewell.let_go_unless_back(self.seat, within, self.session_id)

    # --- what a client says -----------------------------------------------------------------

    async def on_join(self, message: Message) -> None:
        await self._count_taking()
        wishes = {name: message.fields[name] for name in ("audio", "video", "e2ee")}
        try:
            seat = await database_sync_to_async(services.enter)(
                principal=self.who, visit=self.visit, opened_at=self.opened_at, **wishes
            )
        except services.NotOpen:
            raise Refused("not-open") from None
        except services.RoomFull:
            raise Refused("room-full") from None
        except services.SeatTaken:
            raise Closed(SEAT_TAKEN) from None
        except encryption.CannotEncrypt as refusal:
            self.outside = refusal.seat
            raise Refused("encryption-required" if refusal.is_final else "encryption-undecided") from None
        self.seat, self.outside, self._is_in = seat, None, False
        joined = await self._leg.enter(seat, message.fields["sdp"])
        if self._end_code == NOT_ALLOWED:  # while they came in
            return await farewell.let_go(seat, presence.REMOVED)
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
        self._is_in = True
        await self.send_state()

    async def on_resume(self, message: Message) -> None:
        await self._count_taking()
        try:
            seat = await database_sync_to_async(services.copy_of)(
                principal=self.who, visit=self.visit, epoch=message.fields["epoch"]
            )
            await self._leg.take_up(seat)
            self.seat = await database_sync_to_async(services.resume)(
                principal=self.who, seat=seat, opened_at=self.opened_at
            )
        except services.NotOpen:
            raise Refused("not-open") from None
        except services.NotJoined:
            raise Refused("not-joined") from None
        await self.say("resumed", re=message.id, epoch=seat.epoch)
        self._is_in = True
        await self.send_state()

    async def on_media(self, message: Message) -> None:
        await database_sync_to_async(services.set_media)(
            seat=self._joined_seat(), audio=message.fields["audio"], video=message.fields["video"]
        )

    async def on_share(self, message: Message) -> None:
        await self._leg.share(self._joined_seat(), on=message.fields["on"])

    async def on_sizes(self, message: Message) -> None:
        heights = {int(index): height for index, height in message.fields["heights"].items()}
        await self._leg.prefer(self._joined_seat(), heights)

    async def on_e2ee(self, message: Message) -> None:
        seat, to, data = self._joined_seat(), message.fields["to"], message.fields["data"]
        if not self._e2ee_pace.take():
            raise Refused("too-fast")
        epochs = await database_sync_to_async(encryption.listeners)(seat)
        if not epochs:
            raise Refused("not-joined")
        await events.pass_on(self.visit.pk, sender=str(seat.pk), epoch=seat.epoch, to=to, data=data, epochs=epochs)

    async def on_encryption(self, message: Message) -> None:
        if not self.who.may(Action.VISIT_UNENCRYPT):
            raise Refused("not-allowed")
        try:
            await database_sync_to_async(encryption.go_on_without)(principal=self.who, visit=self.visit)
        except encryption.NotPreferred:
            raise Refused("not-allowed") from None
        except encryption.NotBegun:
            raise Refused("not-open") from None

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

    async def on_stats(self, message: Message) -> None:
        self._recorder.tell(str(self._joined_seat().pk), message.fields, timezone.now())

    async def _count_taking(self) -> None:
        whose = f"seat:{self.visit.pk}:{self.who.key}"
        if await database_sync_to_async(too_many)(whose, times=TAKES, seconds=TAKES_WITHIN):
            raise Refused("too-fast")

    def _joined_seat(self) -> Seat:
        if self.seat is None:
            raise Refused("not-joined")
        return self.seat

    # --- what the relay tells --------------------------------------------------------------------------

    async def _hear_figures(self, streams: list[StreamFigures]) -> None:
        """Staff look after everybody's line; the others hear of what they send and receive."""
        if self.seat is None:
            return
        self._recorder.hear(streams, timezone.now())
        shown = streams if self.who.is_staff_member else statistics.concerns(streams, str(self.seat.pk))
        await self.say("stats", streams=[stream._asdict() for stream in shown])

    async def _write_down(self) -> None:
        if self.seat is None:
            return
        try:
            await database_sync_to_async(self._recorder.write)(self.seat.encounter_id)
        except DatabaseError:
            logger.exception("A minute of a visit could not be written down")

    async def _hear(self, event: RoomEvent) -> None:
        if event.kind == "stats":
            await self._hear_figures(event.streams)
            return
        await self._leg.note(event)
        if event.kind == "view":
            if self._leg.is_own(event):
                await self.say("slots", **self._leg.view())
        elif event.kind in {"connected", "away", "back", "gone"}:
            await self.send_state(only_news=True)


class StaffRoomConsumer(RoomConsumer):
    async def principal(self) -> Principal | None:
        who: Principal | None = await staff_of(self.scope)
        return who if who and who.may(Action.VISIT_JOIN) else None


class PartyRoomConsumer(RoomConsumer):
    async def principal(self) -> Principal | None:
        who: Principal | None = await party_of(self.scope, self.visit_id)
        return who
