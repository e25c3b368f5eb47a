"""Booking announced a change; the ledger follows in the same transaction."""

from typing import Any

from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication


def plan_messages(sender: type[Appointment], *, appointment: Appointment, change: str, **kwargs: Any) -> None:
    if change in {"booked", "moved"}:
        services.plan(appointment)
    elif change == "cancelled":
        services.plan_cancellation(appointment)
    elif change == "noshow":
        services.plan_missed(appointment)
    elif change == "fulfilled":
        services.suppress(appointment, Communication.Reason.OVER)
