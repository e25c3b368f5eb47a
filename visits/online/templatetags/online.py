"""``{% load online %}{% same_person visit %}``: for staff, whether the patient of a visit may be known already."""

from typing import Any

from django import template

from visits.booking.models import Appointment
from visits.booking.patients import Details, same_person

register = template.Library()


@register.inclusion_tag("online/_same_person.html", name="same_person")
def others_of_the_same_name(visit: Appointment) -> dict[str, Any]:
    """Other patients of the same name and birth date, where the patient came by themselves and nobody compared."""
    if visit.origin == Appointment.Origin.STAFF:
        return {"others": []}
    patient = visit.patient
    details = Details(patient.given_name, patient.family_name, patient.birth_date)
    return {"others": [other for other in same_person(visit.clinic, details) if other.pk != patient.pk]}
