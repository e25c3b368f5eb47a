"""Appointment: every visit that was booked, and every wish to come earlier."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.booking.models import Appointment
from visits.records.fhir import APPOINTMENT_TYPE, Resource, coding, concept, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.schedule.moment import of_page
from visits.waitlist.models import WaitlistEntry


@exported(gettext_lazy("Visits"))
def appointments(patient: Patient) -> Iterator[Entry]:
    visits = Appointment.objects.filter(patient=patient).select_related("practitioner", "visit_type")
    for visit in visits.prefetch_related("changes").order_by("start"):
        yield Entry(_resource(visit), partial(_facts, patient, visit))


@exported(gettext_lazy("Wishes to come earlier"))
def wishes(patient: Patient) -> Iterator[Entry]:
    """R4 has no other place for them than an Appointment that has no time yet."""
    for wish in WaitlistEntry.objects.filter(appointment__patient=patient).select_related("appointment__practitioner"):
        visit = wish.appointment
        element = resource(
            "Appointment",
            wish.pk,
            status="cancelled" if wish.ended_at else "waitlist",
            cancelationReason=concept(text=wish.get_end_display()) if wish.ended_at else None,
            created=instant(wish.created_at),
            supportingInformation=[reference("Appointment", visit.pk)],
            requestedPeriod=[{"end": wish.last_day.isoformat()}],
            participant=_participants(visit),
        )
        yield Entry(element, partial(_wish_facts, patient, wish))


def _resource(visit: Appointment) -> Resource:
    walk_in = visit.origin == Appointment.Origin.WALK_IN
    kind = coding(APPOINTMENT_TYPE, "WALKIN") if walk_in else coding(APPOINTMENT_TYPE, "ROUTINE")
    return resource(
        "Appointment",
        visit.pk,
        status=visit.status,
        cancelationReason=concept(text=visit.cancelation_reason) if visit.cancelation_reason else None,
        serviceCategory=[concept(text=visit.get_mode_display())],
        serviceType=[concept(text=visit.visit_type.name)],
        specialty=[concept(text=visit.practitioner.specialty)] if visit.practitioner.specialty else None,
        appointmentType=concept(kind),
        supportingInformation=[reference("Appointment", visit.follow_up_of_id)] if visit.follow_up_of_id else None,
        start=instant(visit.start),
        end=instant(visit.end),
        minutesDuration=visit.minutes,
        created=instant(visit.created_at),
        participant=_participants(visit),
    )


def _participants(visit: Appointment) -> list[dict[str, object]]:
    return [
        {"actor": reference("Patient", visit.patient_id), "status": "accepted"},
        {"actor": reference("Practitioner", visit.practitioner_id), "status": "accepted"},
    ]


def _facts(patient: Patient, visit: Appointment) -> Facts:
    zone = patient.home_zone
    start = of_page(visit.start, zone)
    facts = [
        (_("When"), f"{start.full_date}, {start.time} ({start.zone_name})"),
        (_("With"), visit.practitioner.name),
        (_("Visit type"), f"{visit.visit_type.name}, {visit.get_mode_display()}"),
        (_("Status"), str(visit.get_status_display())),
    ]
    for change in visit.changes.all():
        at = of_page(change.at, zone)
        words = ", ".join(filter(None, [str(change.get_change_display()), change.role_label, change.reason]))
        facts.append((f"{at.full_date}, {at.time}", words))
    return facts


def _wish_facts(patient: Patient, wish: WaitlistEntry) -> Facts:
    zone = patient.home_zone
    facts = [
        (_("For the visit on"), of_page(wish.appointment.start, zone).full_date),
        (_("On the list since"), of_page(wish.created_at, zone).full_date),
        (_("Until, inclusive"), wish.last_day.isoformat()),
    ]
    return [*facts, (_("Ended"), str(wish.get_end_display()))] if wish.ended_at else facts
