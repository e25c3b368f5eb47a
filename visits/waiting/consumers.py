"""The Today board's socket and the waiting patient's (PROTOCOL.md)."""

import time
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts.models import Clinic
from accounts.policy import Action
from accounts.principal import Principal
from accounts.scope import party_of, staff_of
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.live.consumer import LiveConsumer
from visits.live.events import board_group, line_group, visit_group
from visits.live.readings import Readings
from visits.waiting import board, services

SHARED_SECONDS = 1  # boards that look by themselves share a reading; a nudge is newer than any
TICKS_PER_SIGN = 3  # every 15 seconds, as Ticket.SIGN_EVERY says


@database_sync_to_async
def _read_versions(clinic: Clinic) -> board.Versions:
    return board.versions(clinic, timezone.now())


_versions: Readings[Clinic, board.Versions] = Readings(_read_versions)


class BoardConsumer(LiveConsumer):
    """/ws/board/: that the board changed, and who has just come."""

    _nudged_at = 0.0

    async def principal(self) -> Principal | None:
        who = await staff_of(self.scope)
        return who if who and who.may(Action.BOARD_SEE) else None

    def groups(self) -> list[str]:
        return [board_group(self.who.clinic.pk)]

    async def state(self) -> dict[str, Any]:
        since = max(self._nudged_at, time.monotonic() - SHARED_SECONDS)
        versions = await _versions.get(self.who.clinic, since=since)
        return versions.told(self.who.user)

    async def board_changed(self, event: dict[str, Any]) -> None:
        self._nudged_at = time.monotonic()
        if event["arrived"]:
            arrival = await self._arrival(event["arrived"])
            if arrival:
                await self.say("arrival", **arrival)
        await super().board_changed(event)

    @database_sync_to_async
    def _arrival(self, visit_id: str) -> dict[str, Any] | None:
        visits = Appointment.objects.select_related("patient", "practitioner")
        visit = visits.filter(pk=visit_id, clinic=self.who.clinic, status=Appointment.Status.ARRIVED).first()
        if visit is None:
            return None
        return {
            "visit": str(visit.pk),
            "name": visit.patient.full_name,
            "first_name": visit.patient.given_name,
            "time": visit.start.isoformat(),
            "mine": self.who.user is not None and visit.practitioner.user_id == self.who.user.pk,
        }


class WaitingConsumer(LiveConsumer):
    """/ws/my/<visit>/waiting/: the place in line, being called in. Its being open is the sign of life."""

    practitioner_id: UUID
    _ticks = 0

    async def principal(self) -> Principal | None:
        who = await party_of(self.scope, self.visit_id)
        return who if who and who.may(Action.VISIT_WAIT) else None

    @property
    def visit_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["visit"])

    def groups(self) -> list[str]:
        # The clinician's too: who goes in moves everybody behind them up.
        return [visit_group(self.visit_id), line_group(self.practitioner_id)]

    async def opened(self) -> None:
        visit = await database_sync_to_async(appointment_for)(self.who, self.visit_id, Action.VISIT_WAIT)
        self.practitioner_id = visit.practitioner_id
        await self._give_sign()

    async def tick(self) -> None:
        self._ticks += 1
        if self._ticks % TICKS_PER_SIGN == 0:
            await self._give_sign()
            await self.keep_session()

    async def _give_sign(self) -> None:
        if self.is_patient:
            await database_sync_to_async(services.be_here)(principal=self.who, visit_id=self.visit_id)

    async def closed(self) -> None:
        if self.is_patient:
            await database_sync_to_async(services.last_seen)(self.visit_id)

    async def visit_changed(self, event: dict[str, Any]) -> None:
        await self._guarded(self._look_at_change)

    @property
    def is_patient(self) -> bool:
        return self.who.may(Action.VISIT_CHECK_IN)

    async def _look_at_change(self) -> None:
        # First what is true: who is told that the visit is over has lost their link by the same deed.
        await self.send_state(only_news=True)
        await self._check_right()

    @database_sync_to_async
    def state(self) -> dict[str, Any]:
        look = services.look(principal=self.who, visit_id=self.visit_id)
        return {
            "phase": look.phase,
            "position": look.position,
            "range": look.range,
            "clinician": look.visit.practitioner.name,
            "late": look.late,
            "moment": bool(look.ticket and look.ticket.moment_at),
        }
