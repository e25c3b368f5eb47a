"""Booking announced a change, or a patient or who acts for them has changed; the ledger follows in the same
transaction."""

from typing import Any

from django.db import transaction

from accounts.models import Patient, RelatedPerson
from visits.booking.models import Appointment
from visits.reminders import services, tasks
from visits.reminders.models import Communication, ReminderPolicy


def plan_messages(sender: type[Appointment], *, appointment: Appointment, change: str, **kwargs: Any) -> None:
    if change in {"booked", "moved"}:
        services.plan(appointment)
    elif change == "cancelled":
        services.plan_cancellation(appointment)
    elif change == "noshow":
        services.plan_missed(appointment)
    elif change == "fulfilled":
        services.suppress(appointment, Communication.Reason.OVER)


def follow_grant(
    sender: type[RelatedPerson], *, person: RelatedPerson, before: RelatedPerson | None, **kwargs: Any
) -> None:
    """The patient hears of it, and who acts for them from now on of the visits to come; of what was planned, sending
    decides."""
    services.tell_of_grant(person, before)
    if person.revoked_at is None:
        services.plan_for_proxy(person)


def follow_address(
    sender: type[Patient] | type[RelatedPerson], *, instance: Patient | RelatedPerson, created: bool, **kwargs: Any
) -> None:
    """Who had no address when a visit was booked may have one now, or go by another clock."""
    if created:
        return
    services.plan_for_address(instance)
    if isinstance(instance, Patient):
        services.plan_for_zone(instance)


def follow_policy(sender: type[ReminderPolicy], *, instance: ReminderPolicy, **kwargs: Any) -> None:
    """What is planned keeps the quiet hours of now, also the first that a clinic has of its own; it may have thousands
    of visits to come."""
    clinic_pk = str(instance.clinic_id)  # which a deleted row has no more by then
    transaction.on_commit(lambda: tasks.plan_for_quiet_hours.delay(clinic_pk), robust=True)
