"""Booking announced a change; the ledger follows in the same transaction."""

from typing import Any

from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication


def plan_messages(sender: type[Appointment], *, appointment: Appointment, change: str, **kwargs: Any) -> None:
    if change == "booked":
        services.plan(appointment)
    elif change == "cancelled":
        services.plan_cancellation(appointment)
    elif change in {"fulfilled", "noshow"}:
        services.suppress(appointment, Communication.Reason.OVER)
