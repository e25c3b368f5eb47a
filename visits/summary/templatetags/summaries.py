"""What pages of other floors say of summaries."""

from datetime import timedelta
from typing import Any

from django import template
from django.utils import timezone

from accounts.policy import Action
from accounts.principal import Principal, party_principal
from visits.booking.access import VISITS
from visits.booking.models import Appointment
from visits.room.models import Presence
from visits.summary import services
from visits.summary.access import PUBLISHED, may_write

register = template.Library()

# Who has not written by then does so from the visit's record.
ASKED_FOR = timedelta(days=7)


@register.inclusion_tag("summary/_state.html", takes_context=True)
def summary_state(context: template.Context, visit: Appointment) -> dict[str, Any]:
    """Of a visit that took place: whether there is a summary, and the way to it for who may read or write it."""
    principal: Principal = context["request"].principal
    last = services.newest(visit)
    links = services.links_of(visit) if last else []
    return {
        "visit": visit,
        "took_place": visit.status == Appointment.Status.FULFILLED,
        "newest": last,
        "may_write": may_write(principal, visit),
        "may_read": last is not None and principal.may(Action.SUMMARY_READ),
        "opened_at": min((link.first_used_at for link in links if link.first_used_at), default=None),
        "may_end_links": principal.may(Action.VISIT_CHANGE) and any(link.is_live() for link in links),
    }


@register.inclusion_tag("summary/_to_write.html", takes_context=True)
def summaries_to_write(context: template.Context) -> dict[str, Any]:
    """The visits of the last days whose clinician the reader was and that have no published summary."""
    principal: Principal = context["request"].principal
    if not principal.may(Action.SUMMARY_WRITE) or principal.user is None:
        return {"visits": []}
    since = timezone.now() - ASKED_FOR
    there = Presence.objects.filter(seat__user=principal.user, seat__role=principal.role.value)
    ended = VISITS.filter(clinic=principal.clinic, status=Appointment.Status.FULFILLED, start__gt=since)
    own = ended.filter(practitioner__user=principal.user) | ended.filter(
        pk__in=there.values("seat__encounter__appointment")
    )
    return {"visits": own.exclude(pk__in=PUBLISHED.values("appointment")).order_by("-start")}


@register.inclusion_tag("summary/_listed.html", takes_context=True)
def summary_listed(context: template.Context, visit: Appointment, opened: Appointment) -> dict[str, Any]:
    """In the patient's list: that the visit has a summary, and how to come to it."""
    request = context["request"]
    name = services.name_of(visit) if visit.status == Appointment.Status.FULFILLED else None
    here = party_principal(request.user, request.session, name) if name else None
    return {
        "visit": visit,
        "opened": opened,
        "name": name,
        "is_open_here": here is not None and here.patient == visit.patient,
    }
