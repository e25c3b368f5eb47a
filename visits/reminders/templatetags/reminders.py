"""``{% load reminders %}{% messages_to_come visit %}``: what the patient will receive, on any page of theirs."""

from typing import Any

from django import template

from visits.booking.models import Appointment
from visits.reminders.models import Communication

register = template.Library()


@register.inclusion_tag("reminders/_to_come.html")
def messages_to_come(visit: Appointment) -> dict[str, Any]:
    planned = visit.communications.filter(state=Communication.State.PLANNED, revision=visit.revision)
    return {"to_come": planned.order_by("due_at")}
