"""Encounter: a visit that took place, and who was there. Figures of the lines are the clinic's, not of the record."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from accounts.policy import Role
from visits.records.fhir import ACT_CODE, Resource, coding, concept, period, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.room.models import Encounter, Presence, Seat
from visits.schedule.moment import of_page


@exported(gettext_lazy("Video visits that took place"))
def encounters(patient: Patient) -> Iterator[Entry]:
    found = Encounter.objects.filter(appointment__patient=patient).select_related("appointment__practitioner")
    for encounter in found.prefetch_related("seats__presences").order_by("started_at"):
        yield Entry(_resource(patient, encounter), partial(_facts, patient, encounter))


def _resource(patient: Patient, encounter: Encounter) -> Resource:
    visit = encounter.appointment
    # R4 knows no patient among the participants: they are the subject.
    others = [
        {"type": [concept(text=_role(seat))], "period": period(*stay), "individual": {"display": seat.name}}
        for seat in encounter.seats.all()
        if seat.role != Role.PATIENT
        for stay in _stays(seat)
    ]
    return resource(
        "Encounter",
        encounter.pk,
        status=encounter.status,
        **{"class": coding(ACT_CODE, "VR", "virtual")},
        type=[concept(text=visit.get_mode_display())],
        subject=reference("Patient", patient.pk),
        participant=[{"individual": reference("Practitioner", visit.practitioner_id)}, *others],
        appointment=[reference("Appointment", visit.pk)],
        period=period(encounter.started_at, encounter.ended_at),
        serviceProvider=reference("Organization", visit.clinic_id),
    )


def _stays(seat: Seat) -> list[tuple[datetime, datetime | None]]:
    return [(one.joined_at, one.left_at) for one in seat.presences.all()]


def _role(seat: Seat) -> str:
    return Role(seat.role).label if seat.role in list(Role) else seat.role


def _facts(patient: Patient, encounter: Encounter) -> Facts:
    start = of_page(encounter.started_at, patient.home_zone)
    facts = [
        (_("Began"), f"{start.full_date}, {start.time}"),
        (_("With"), encounter.appointment.practitioner.name),
    ]
    if encounter.ended_at:
        facts.append((_("Ended"), of_page(encounter.ended_at, patient.home_zone).time))
    encrypted = _("end to end") if encounter.is_encrypted else _("on the way")
    facts.append((_("Encrypted"), encrypted))
    for seat in encounter.seats.all():
        facts += [(f"{seat.name} ({_role(seat)})", _times(patient, one)) for one in seat.presences.all()]
    return facts


def _times(patient: Patient, stay: Presence) -> str:
    zone = patient.home_zone
    ended = of_page(stay.left_at, zone).exact_time if stay.left_at else ""
    return f"{of_page(stay.joined_at, zone).exact_time} - {ended}"
