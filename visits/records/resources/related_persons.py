"""RelatedPerson: who may act for the patient, for how much, from when to when."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Patient
from accounts.models.related_person import RelatedPerson
from visits.records.fhir import ROLE_CODE, Resource, coding, concept, reference, resource
from visits.records.resources.registry import Entry, Facts, exported


@exported(gettext_lazy("Who may act for you"))
def related_persons(patient: Patient) -> Iterator[Entry]:
    for person in RelatedPerson.objects.filter(patient=patient).exclude(given_name="").order_by("granted_at"):
        yield Entry(_resource(patient, person), partial(_facts, person))


def _resource(patient: Patient, person: RelatedPerson) -> Resource:
    is_coded = person.relationship != RelatedPerson.Relationship.CARER  # of another code system
    kind = [coding(ROLE_CODE, person.relationship)] if is_coded else []
    period = {"start": person.valid_from.isoformat()}
    if person.valid_until:
        period["end"] = person.valid_until.isoformat()
    return resource(
        "RelatedPerson",
        person.pk,
        active=person.revoked_at is None,
        patient=reference("Patient", patient.pk),
        relationship=[concept(*kind, text=str(person.get_relationship_display()))],
        name=[{"family": person.family_name, "given": [person.given_name]}],
        telecom=[
            {"system": system, "value": value}
            for system, value in (("email", person.email), ("phone", person.phone))
            if value
        ],
        period=period,
    )


def _facts(person: RelatedPerson) -> Facts:
    until = person.valid_until.isoformat() if person.valid_until else ""
    return [
        (_("Name"), f"{person.given_name} {person.family_name} ({person.get_relationship_display()})"),
        (_("E-mail"), person.email),
        (_("Phone"), person.phone),
        (_("From"), person.valid_from.isoformat()),
        (_("Until, inclusive"), until),
        (_("Ended"), _("Yes") if person.revoked_at else ""),
    ]
