"""The delay of a visit, for pages of the floors below."""

from typing import Any

from django import template
from django.utils import timezone

from visits.booking.models import Appointment
from visits.waiting.late import minutes_late

register = template.Library()


@register.inclusion_tag("waiting/_running_late.html")
def running_late(visit: Appointment, minutes: int | None = None) -> dict[str, Any]:
    """A banner that says how late the visit's clinician is; nothing when they are on time.

    ``minutes``: as looked up already.
    """
    if minutes is None:
        minutes = minutes_late(visit, timezone.now())
    return {"visit": visit, "minutes": minutes}
