"""The Today board's socket and the waiting patient's (PROTOCOL.md)."""

from typing import Any

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts.policy import Action
from accounts.principal import Principal
from accounts.scope import party_of, staff_of
from visits.booking.models import Appointment
from visits.live.consumer import LiveConsumer
from visits.live.events import board_group, visit_group
from visits.waiting import board, services


class BoardConsumer(LiveConsumer):
    """/ws/board/: that the board changed, and who has just come."""

    async def principal(self) -> Principal | None:
        who = await staff_of(self.scope)
        return who if who and who.may(Action.BOARD_SEE) else None

    def groups(self) -> list[str]:
        return [board_group(self.who.clinic.pk)]

    @database_sync_to_async
    def state(self) -> dict[str, Any]:
        return {"version": board.version(self.who.clinic, timezone.now())}

    async def board_changed(self, event: dict[str, Any]) -> None:
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

    async def principal(self) -> Principal | None:
        who = await party_of(self.scope, self.visit_id)
        return who if who and who.may(Action.VISIT_WAIT) else None

    @property
    def visit_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["visit"])

    def groups(self) -> list[str]:
        # The clinic's too: who goes in moves everybody behind them up.
        return [visit_group(self.visit_id), board_group(self.who.clinic.pk)]

    async def opened(self) -> None:
        await self.tick()

    async def tick(self) -> None:
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
            "moment": bool(look.ticket and look.ticket.moment_at),
        }
