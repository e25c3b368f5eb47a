"""Composition: what clinicians wrote for the patient after a visit, each version that was published."""

from collections.abc import Iterator
from functools import partial

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.records.fhir import Resource, concept, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.schedule.moment import of_page
from visits.summary.models import Composition


@exported(gettext_lazy("Summaries of visits"))
def summaries(patient: Patient) -> Iterator[Entry]:
    found = Composition.objects.filter(appointment__patient=patient, published_at__isnull=False)
    for summary in found.select_related("appointment__practitioner").order_by("published_at"):
        yield Entry(_resource(patient, summary), partial(_facts, patient, summary))


def _resource(patient: Patient, summary: Composition) -> Resource:
    return resource(
        "Composition",
        summary.pk,
        language=summary.language,
        status=summary.status,
        type=concept(text="Summary of a visit for the patient"),
        subject=reference("Patient", patient.pk),
        date=instant(summary.published_at),
        author=[reference("Practitioner", summary.appointment.practitioner_id) | {"display": summary.author_name}],
        title=f"Summary of a visit, version {summary.version}",
        custodian=reference("Organization", patient.clinic_id),
        event=[{"detail": [reference("Appointment", summary.appointment_id)]}],
        section=[{"title": title, "text": _narrative(text)} for title, text in _sections(summary)],
    )


def _narrative(text: str) -> dict[str, str]:
    div = format_html('<div xmlns="http://www.w3.org/1999/xhtml"><p>{}</p></div>', text)
    return {"status": "additional", "div": str(div)}


def _sections(summary: Composition) -> Facts:
    parts = [
        (_("What to do now"), summary.what_to_do),
        (_("When to get help"), summary.when_to_get_help),
        (_("What we talked about"), summary.talked_about),
        (_("What is new"), summary.correction),
    ]
    return [part for part in parts if part[1]]


def _facts(patient: Patient, summary: Composition) -> Facts:
    zone = patient.home_zone
    published = of_page(summary.published_at or summary.saved_at, zone)
    return [
        (_("For the visit on"), of_page(summary.appointment.start, zone).full_date),
        (_("Written by"), summary.author_name),
        (_("Published"), f"{published.full_date}, {published.time}"),
        *_sections(summary),
    ]
