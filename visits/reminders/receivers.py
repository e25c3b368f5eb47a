"""Booking announced a change, or somebody acts for a patient now; the ledger follows in the same transaction."""

from typing import Any

from accounts.models import RelatedPerson
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


def plan_for_proxy(sender: type[RelatedPerson], *, person: RelatedPerson, **kwargs: Any) -> None:
    """Who acts for a patient from now on hears of the visits to come; of what was planned, sending decides."""
    if person.revoked_at is None:
        services.plan_for_proxy(person)
