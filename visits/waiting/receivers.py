"""What booking announces, and what it means for who waits and who looks at the board."""

import uuid
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.calendar.signals import arrived_visits_shown
from visits.live import events
from visits.waiting import services
from visits.waiting.calls import is_call
from visits.waiting.models import Ticket


@receiver(appointment_changed)
def follow(*, appointment: Appointment, change: str, principal: Principal | None, **_: Any) -> None:
    """A place for who arrives, the length of who leaves; boards and patients' pages look again.

    Who is called by phone takes no place and rings at no desk.
    """
    arrives = change == "arrived" and not is_call(appointment)
    if arrives:
        services.give_place(appointment, is_here=principal is not None and not principal.is_staff_member)
    if change == "fulfilled":
        Ticket.objects.filter(appointment=appointment, finished_at=None).update(finished_at=timezone.now())
    events.board_changed(appointment.clinic_id, arrived=appointment.pk if arrives else None)
    events.line_changed(appointment.practitioner_id)
    events.visit_changed(appointment.pk)


@receiver(arrived_visits_shown)
def tell_apart(*, visits: list[uuid.UUID], **_: Any) -> dict[uuid.UUID, str]:
    """For calendars: which of those who have arrived are in the visit already."""
    tickets = Ticket.objects.filter(appointment__in=visits) if visits else Ticket.objects.none()
    return {
        appointment: "visit" if admitted_at else "waiting"
        for appointment, admitted_at in tickets.values_list("appointment_id", "admitted_at")
    }
