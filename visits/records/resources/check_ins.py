"""QuestionnaireResponse: what the patient confirmed before a visit, for their safety in it."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.checkin.models import CheckIn
from visits.records.fhir import Resource, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.schedule.moment import of_page

ANSWERS = ("callback_phone", "location", "emergency_contact")


@exported(gettext_lazy("Details for your safety"))
def check_ins(patient: Patient) -> Iterator[Entry]:
    found = CheckIn.objects.filter(appointment__patient=patient, details_at__isnull=False).select_related("appointment")
    for check_in in found.order_by("details_at"):
        yield Entry(_resource(patient, check_in), partial(_facts, patient, check_in))


def _resource(patient: Patient, check_in: CheckIn) -> Resource:
    return resource(
        "QuestionnaireResponse",
        f"check-in-{check_in.pk}",
        status="completed",
        subject=reference("Patient", patient.pk),
        authored=instant(check_in.details_at),
        author=reference("Patient", patient.pk),
        source=reference("Patient", patient.pk),
        item=[
            {"linkId": name, "text": _question(name), "answer": [{"valueString": getattr(check_in, name)}]}
            for name in ANSWERS
            if getattr(check_in, name)
        ],
    )


def _question(name: str) -> str:
    return str(CheckIn._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _facts(patient: Patient, check_in: CheckIn) -> Facts:
    at = of_page(check_in.appointment.start, patient.home_zone)
    answers = [(_question(name), getattr(check_in, name)) for name in ANSWERS if getattr(check_in, name)]
    return [(_("For the visit on"), at.full_date), *answers]
