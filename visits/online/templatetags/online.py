"""What online booking has to say on pages of other floors."""

from typing import Any

from django import template

from accounts.links.services import live_links
from accounts.models import AccessLink, Clinic, Patient
from accounts.principal import Principal
from visits.booking.access import VISITS
from visits.booking.models import Appointment
from visits.booking.patients import Details, same_person
from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.schedule.models import SchedulePolicy

VISIT = AccessLink.Scope.VISIT

register = template.Library()


@register.inclusion_tag("online/_same_person.html", name="same_person")
def others_of_the_same_name(visit: Appointment) -> dict[str, Any]:
    """Other patients of the same name and birth date, where the patient came by themselves and nobody compared."""
    if visit.origin == Appointment.Origin.STAFF:
        return {"others": []}
    patient = visit.patient
    details = Details(patient.given_name, patient.family_name, patient.birth_date)
    return {"others": [other for other in same_person(visit.clinic, details) if other.pk != patient.pk]}


@register.inclusion_tag("online/_way_on.html", takes_context=True)
def way_on(
    context: template.Context, clinic: Clinic, patient: Patient | None = None, *, is_second: bool = False
) -> dict[str, Any]:
    """For who came to an end: the public booking page while it is open, and always the clinic's phone.

    ``patient`` is whose visit or link it was. A visit of theirs that this browser has open leads to their list, from
    where a new link to each is sent to the address on file. ``is_second``: the page has something else to press first.
    """
    opened = live_links(context["request"].session) if patient else []
    known = next((link.resource_id for link in opened if link.patient == patient and link.scope == VISIT), None)
    books_online = SchedulePolicy.of(clinic).online_booking
    return {"clinic": clinic, "books_online": books_online, "known": known, "is_second": is_second}


@register.inclusion_tag("online/_own_link.html", takes_context=True)
def own_link(context: template.Context, pk: Any) -> dict[str, Any]:
    """For who came to the visit ``pk`` by a link that staff have seen: what takes one of their own, and a way to it."""
    principal: Principal = context["principal"]
    visit = VISITS.filter(pk=pk).first() if principal.is_handed_out else None
    by = rules.reached_by(visit.patient, Communication.Kind.CONFIRMATION) if visit and visit.is_open else []
    return {"visit": visit, "is_reached": bool(by), "csrf_token": context.get("csrf_token")}
