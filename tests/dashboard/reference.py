"""What the dashboard must say, row by row in plain Python."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

from accounts.models import AuditEvent, Clinic
from visits.booking.models import Appointment
from visits.dashboard.period import Period
from visits.dashboard.reading import Numbers
from visits.reminders.models import Communication
from visits.room.models import Encounter, LineMinute
from visits.waiting.models import Ticket

MINUTE = timedelta(minutes=1)


def numbers_by_hand(clinic: Clinic, period: Period) -> Numbers:
    stretches = [*period.before.stretches, *period.stretches]

    def counted(pairs: Iterable[tuple[datetime, Any]]) -> list[Counter[Any]]:
        counts: list[Counter[Any]] = [Counter() for _ in stretches]
        for moment, key in pairs:
            day: date = moment.astimezone(period.zone).date()
            for number, stretch in enumerate(stretches):
                if stretch.first <= day <= stretch.last:
                    counts[number][key] += 1
        return counts

    visits = Appointment.objects.filter(clinic=clinic)
    tickets = Ticket.objects.filter(appointment__in=visits).exclude(admitted_at=None).select_related("appointment")
    encounters = Encounter.objects.filter(appointment__in=visits).select_related("appointment")
    lines = LineMinute.objects.filter(seat__encounter__in=encounters).select_related("seat__encounter__appointment")
    messages = Communication.objects.filter(patient__clinic=clinic).exclude(state__in=["planned", "claimed"])
    return Numbers(
        visits=counted((one.start, one.status) for one in visits),
        waits=counted((one.appointment.start, ceil((one.admitted_at - one.arrived_at) / MINUTE)) for one in tickets),
        starts=counted(
            (one.appointment.start, ceil((one.started_at - one.appointment.start) / MINUTE)) for one in encounters
        ),
        messages=counted((one.due_at, (one.kind, one.state)) for one in messages),
        lines=counted(
            (one.seat.encounter.appointment.start, key) for one in lines if (key := line(one.relay)) is not None
        ),
        refused=counted(
            (one.recorded, how)
            for one in AuditEvent.objects.filter(clinic=clinic)
            if one.outcome != "0" and (how := REFUSED.get(one.subtype))
        ),
    )


REFUSED = {
    "user.signin": "password", "mfa.verify": "factor", "recovery-codes.use": "factor", "user.lock": "held-up",
}  # fmt: skip


def line(relay: dict[str, list[float]]) -> tuple[str, int | None, int | None] | None:
    losses = [relay[name][1] for name in ("loss_up", "loss_down") if name in relay]
    loss, trip = max(losses, default=None), relay.get("round_trip", [None] * 3)[1]
    if loss is None and trip is None:
        return None
    level = "good"
    if (loss or 0) > 0.03 or (trip or 0) > 300:
        level = "weak"
    if (loss or 0) > 0.1 or (trip or 0) > 800:
        level = "poor"
    return level, None if loss is None else ceil(loss * 1000), None if trip is None else ceil(trip / 10)
