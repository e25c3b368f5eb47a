"""Consent: what the patient agreed to, word for word, when, and for which visit."""

from base64 import b64encode
from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.checkin.models import Consent
from visits.records.fhir import CONSENT_SCOPE, LOINC, Resource, coding, concept, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.schedule.moment import of_page


@exported(gettext_lazy("What you agreed to"))
def consents(patient: Patient) -> Iterator[Entry]:
    found = Consent.objects.filter(patient=patient).select_related("text", "appointment__practitioner")
    for consent in found.order_by("given_at"):
        yield Entry(_resource(patient, consent), partial(_facts, patient, consent))


def _resource(patient: Patient, consent: Consent) -> Resource:
    text = consent.text
    return resource(
        "Consent",
        consent.pk,
        status="active",
        scope=concept(coding(CONSENT_SCOPE, "treatment")),
        category=[concept(coding(LOINC, "59284-0", "Consent Document"))],
        patient=reference("Patient", patient.pk),
        dateTime=instant(consent.given_at),
        performer=[reference("Patient", patient.pk)],
        organization=[reference("Organization", patient.clinic_id)],
        sourceAttachment={
            "contentType": "text/plain; charset=utf-8",
            "language": text.language,
            "data": b64encode(text.body.encode()).decode(),
            "title": f"Version {text.version}",
        },
        policyRule=concept(text=f"Agreement to a video visit, version {text.version}"),
        provision={"data": [{"meaning": "related", "reference": reference("Appointment", consent.appointment_id)}]},
    )


def _facts(patient: Patient, consent: Consent) -> Facts:
    given = of_page(consent.given_at, patient.home_zone)
    return [
        (_("Given"), f"{given.full_date}, {given.time}"),
        (_("For the visit on"), of_page(consent.appointment.start, patient.home_zone).full_date),
        (_("Version"), f"{consent.text.version}, {consent.text.get_language_display()}"),
        (_("Text"), consent.text.body),
    ]
