"""QuestionnaireResponse: what the patient answered to the clinic's questions before a visit."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from visits.intake.models import QuestionnaireItem, QuestionnaireResponse
from visits.intake.services import answers_in
from visits.records.fhir import Resource, instant, reference, resource
from visits.records.resources.registry import Entry, Facts, exported
from visits.schedule.moment import of_page

VALUES = {
    QuestionnaireItem.Type.BOOLEAN: "valueBoolean",
    QuestionnaireItem.Type.INTEGER: "valueInteger",
    QuestionnaireItem.Type.DATE: "valueDate",
}


@exported(gettext_lazy("What you answered before visits"))
def intake(patient: Patient) -> Iterator[Entry]:
    found = QuestionnaireResponse.objects.filter(appointment__patient=patient).exclude(answers="")
    rows = found.select_related("questionnaire", "appointment").prefetch_related("questionnaire__items")
    for response in rows.order_by("authored_at"):
        yield Entry(_resource(patient, response), partial(_facts, patient, response))


def _resource(patient: Patient, response: QuestionnaireResponse) -> Resource:
    return resource(
        "QuestionnaireResponse",
        f"intake-{response.pk}",
        questionnaire=f"urn:uuid:{response.questionnaire.url}|{response.questionnaire.version}",
        status=response.status,
        subject=reference("Patient", patient.pk),
        authored=instant(response.authored_at),
        source=reference("Patient", patient.pk),
        item=[
            {
                "linkId": item.link_id,
                "text": item.text,
                "answer": [{VALUES.get(QuestionnaireItem.Type(item.type), "valueString"): one} for one in values],
            }
            for item, values in _answered(response)
        ],
    )


def _answered(response: QuestionnaireResponse) -> list[tuple[QuestionnaireItem, list[Any]]]:
    given = answers_in(response)
    asked = [(item, given.get(item.link_id)) for item in response.questionnaire.items.all()]
    return [
        (item, value if isinstance(value, list) else [value]) for item, value in asked if value not in (None, "", [])
    ]


def _facts(patient: Patient, response: QuestionnaireResponse) -> Facts:
    zone = patient.home_zone
    facts = [(_("For the visit on"), of_page(response.appointment.start, zone).full_date)]
    for item, values in _answered(response):
        words = dict(item.options) | {True: _("Yes"), False: _("No")}
        facts.append((item.text, ", ".join(str(words.get(one, one)) for one in values)))
    return facts
