"""The patient, and whom their visits are with: Patient, Practitioner, Organization."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Clinic, Patient, Practitioner
from visits.records.fhir import (
    BCP_47,
    IDENTIFIER_TYPE,
    TIME_ZONE,
    Resource,
    coding,
    concept,
    instant,
    reference,
    resource,
)
from visits.records.resources.registry import Entry, Facts, exported
from visits.reminders.models import ContactPreference
from visits.schedule.moment import of_page


def organization(clinic: Clinic) -> Resource:
    telecom = [{"system": "phone", "value": clinic.phone}] if clinic.phone else []
    return resource("Organization", clinic.pk, active=True, name=clinic.name, telecom=telecom)


def practitioner(person: Practitioner) -> Resource:
    return resource("Practitioner", person.pk, active=person.is_active, name=[{"text": person.name}])


def patient_resource(patient: Patient) -> Resource:
    contact = (("email", patient.email), ("phone", patient.phone))
    return resource(
        "Patient",
        patient.pk,
        extension=[{"url": TIME_ZONE, "valueCode": patient.time_zone}] if patient.time_zone else None,
        meta={"lastUpdated": instant(patient.created_at)},
        identifier=[{"type": concept(coding(IDENTIFIER_TYPE, "MR")), "value": patient.record_number}]
        if patient.record_number
        else None,
        active=patient.is_active,
        name=[{"use": "official", "family": patient.family_name, "given": [patient.given_name]}],
        telecom=[{"system": system, "value": value} for system, value in contact if value],
        birthDate=patient.birth_date.isoformat(),
        communication=[{"language": concept(coding(BCP_47, patient.language)), "preferred": True}],
        managingOrganization=reference("Organization", patient.clinic_id),
    )


@exported(gettext_lazy("About you"))
def people(patient: Patient) -> Iterator[Entry]:
    yield Entry(patient_resource(patient), partial(_facts, patient))
    yield Entry(organization(patient.clinic))
    seen = Practitioner.objects.filter(appointments__patient=patient).distinct().order_by("pk")
    for person in seen:
        yield Entry(practitioner(person))


def _facts(patient: Patient) -> Facts:
    zone = patient.home_zone
    facts = [
        (_("Name"), patient.full_name),
        (_("Birth date"), f"{patient.birth_date:%Y-%m-%d}"),
        (_("Record number"), patient.record_number),
        (_("E-mail"), patient.email),
        (_("Phone"), patient.phone),
        (_("Language"), str(patient.get_language_display())),
        (_("Time zone"), of_page(patient.created_at, zone).zone_name),
        (_("Patient of"), f"{patient.clinic.name}, {patient.clinic.phone}"),
        (_("Added on"), of_page(patient.created_at, zone).full_date),
    ]
    for one in ContactPreference.objects.filter(patient=patient):
        if one.opted_out_at:
            facts.append((str(one.get_channel_display()), _("not wanted since %(day)s") % _day(one.opted_out_at, zone)))
        if one.bounced_at:
            facts.append(
                (str(one.get_channel_display()), _("does not work since %(day)s") % _day(one.bounced_at, zone))
            )
    return facts


def _day(moment: datetime, zone: str) -> dict[str, str]:
    return {"day": of_page(moment, zone).full_date}
